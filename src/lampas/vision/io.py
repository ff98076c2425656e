"""Images as uint8 tensors (C, H, W), read and written through Pillow. No videos."""

import enum
import io
import os

import lampas
from lampas.serialization.storage import storage_bytes
from lampas.vision.transforms.functional.conversion import pil_to_tensor, to_pil_image
from lampas.vision.transforms.functional.image import pil


class ImageReadMode(enum.Enum):
    """As what an image is decoded; UNCHANGED keeps the channels of the file."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


_PIL_MODES = {
    ImageReadMode.GRAY: "L",
    ImageReadMode.GRAY_ALPHA: "LA",
    ImageReadMode.RGB: "RGB",
    ImageReadMode.RGB_ALPHA: "RGBA",
}
# What a file may hold that a tensor does not: palettes, single bits, 16 bits, inks.
_PLAIN = {"1": "L", "P": "RGB", "I;16": "L", "I": "L", "CMYK": "RGB", "YCbCr": "RGB"}


def read_file(path):
    """The bytes of a file, (N,) uint8."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    if not data:
        return lampas.empty(0, dtype=lampas.uint8)
    return lampas.frombuffer(data, dtype=lampas.uint8)


def write_file(filename, data):
    """Write bytes (N,) uint8; the file has its name only when it is complete."""
    _check_bytes(data)
    _write(filename, _bytes(data))


def decode_image(input, mode=ImageReadMode.UNCHANGED, apply_exif_orientation=False):
    """Bytes (N,) of a file, or its path, as (C, H, W) uint8. RuntimeError where it is no image."""
    if isinstance(input, (str, os.PathLike)):
        input = read_file(input)
    _check_bytes(input)
    mode = ImageReadMode[mode.upper()] if isinstance(mode, str) else mode
    try:
        image = pil().open(io.BytesIO(_bytes(input)))
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise RuntimeError(
            "Unsupported image file. Only jpeg, png, webp and gif are currently supported. "
            f"({error})"
        ) from None
    if apply_exif_orientation:
        from PIL import ImageOps

        image = ImageOps.exif_transpose(image)
    wanted = _PIL_MODES.get(mode) or _PLAIN.get(image.mode, image.mode)
    return pil_to_tensor(image if image.mode == wanted else image.convert(wanted))


def read_image(path, mode=ImageReadMode.UNCHANGED, apply_exif_orientation=False):
    """`decode_image` of a file."""
    return decode_image(read_file(path), mode, apply_exif_orientation)


def decode_png(input, mode=ImageReadMode.UNCHANGED, apply_exif_orientation=False):
    """`decode_image`."""
    return decode_image(input, mode, apply_exif_orientation)


def decode_jpeg(input, mode=ImageReadMode.UNCHANGED, device="cpu", apply_exif_orientation=False):
    """`decode_image`, of one file or a list of them."""
    if isinstance(input, (list, tuple)):
        return [decode_jpeg(data, mode, device, apply_exif_orientation) for data in input]
    return decode_image(input, mode, apply_exif_orientation).to(device)


def encode_png(input, compression_level=6):
    """(C, H, W) uint8, one or three channels, as the bytes (N,) of a PNG file."""
    if not 0 <= compression_level <= 9:
        raise RuntimeError("Compression level should be between 0 and 9")
    return _encode(input, "PNG", compress_level=compression_level)


def encode_jpeg(input, quality=75):
    """(C, H, W) uint8, one or three channels, as the bytes (N,) of a JPEG file."""
    if quality < 1 or quality > 100:
        raise ValueError("Image quality should be a positive number between 1 and 100")
    if isinstance(input, (list, tuple)):
        return [encode_jpeg(image, quality) for image in input]
    return _encode(input, "JPEG", quality=quality)


def write_png(input, filename, compression_level=6):
    """`encode_png` into a file."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input, filename, quality=75):
    """`encode_jpeg` into a file."""
    write_file(filename, encode_jpeg(input, quality))


def _encode(image, format, **options):
    if not isinstance(image, lampas.Tensor) or image.dtype != lampas.uint8:
        kind = image.dtype if isinstance(image, lampas.Tensor) else type(image)
        raise RuntimeError(f"Input tensor dtype should be uint8, got {kind}")
    if image.dim() != 3 or image.shape[0] not in (1, 3):
        raise RuntimeError(
            "Input data should be a 3-dimensional tensor with 1 or 3 channels, "
            f"got shape {list(image.shape)}"
        )
    buffer = io.BytesIO()
    to_pil_image(image).save(buffer, format, **options)
    return lampas.frombuffer(bytearray(buffer.getvalue()), dtype=lampas.uint8)


def _check_bytes(data):
    if not isinstance(data, lampas.Tensor) or data.dtype != lampas.uint8 or data.dim() != 1:
        raise RuntimeError("Expected a non empty 1-dimensional tensor of dtype torch.uint8")


def _bytes(data):
    return bytes(storage_bytes(data.clone().untyped_storage()))


def _write(filename, data):
    part = f"{os.fspath(filename)}.part"
    with open(part, "wb") as file:
        file.write(data)
    os.replace(part, filename)
