"""Conversions of images and types, representations, errors, and version 2 of the transforms."""

import math

import numpy
import pytest
import torch
import twin
from sample_images import picture, pixels

import lampas
from lampas.vision import transforms as T
from lampas.vision.transforms import functional as F

twin.install()
BICUBIC = T.InterpolationMode.BICUBIC


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "I", "I;16", "F", "RGB", "YCbCr", "HSV", "RGBA", "CMYK"]
)
def test_pil_modes(mode):
    image = picture().convert("L" if mode in ("1", "I;16") else "RGB").convert(mode)
    tensor = T.PILToTensor()(image)
    assert tensor.shape == (len(image.getbands()), 32, 48)
    expected = numpy.asarray(image).reshape(32, 48, -1).transpose(2, 0, 1)
    factor = 255 if mode == "1" else 1
    assert (tensor.numpy().astype(float) == expected.astype(float) * factor).all()
    scaled = T.ToTensor()(image)
    if tensor.dtype is lampas.uint8:
        assert lampas.equal(scaled, tensor.float() / 255)
    if mode in ("L", "LA", "I", "I;16", "F", "RGB", "RGBA", "CMYK", "HSV", "YCbCr"):
        back = T.ToPILImage(mode)(tensor)
        assert back.mode == mode and back.tobytes() == image.tobytes()


def test_arrays():
    array = pixels().transpose(1, 2, 0)
    assert lampas.equal(T.ToTensor()(array), T.ToTensor()(picture()))
    assert T.ToTensor()(array[..., 0].astype("float64")).dtype is lampas.float64
    assert T.ToPILImage()(array).tobytes() == picture().tobytes()
    assert T.ToPILImage()(array[..., 0]).mode == "L"
    with pytest.raises(ValueError, match="Only modes .* are supported"):
        T.ToPILImage("L")(array)
    with pytest.raises(ValueError, match="Incorrect mode"):
        T.ToPILImage("RGB")(array[..., 0])
    with pytest.raises(ValueError, match="should not have > 4 channels. Got 5"):
        T.ToPILImage()(lampas.zeros(5, 2, 2))


DTYPES = ("uint8", "int8", "int16", "int32", "int64", "float32", "float64")


@pytest.mark.parametrize("source", DTYPES)
@pytest.mark.parametrize("target", DTYPES)
def test_convert_image_dtype(source, target):
    import twinvision.transforms.functional as twins

    values = numpy.array([[[0.0, 0.2, 0.5, 1.0]]])
    if not source.startswith("float"):
        values = numpy.floor(values * numpy.iinfo(source).max * 0.999)
    values = values.astype(source)
    outcomes = []
    for module, functions in ((lampas, F), (torch, twins)):
        try:
            result = functions.convert_image_dtype(
                module.from_numpy(values), getattr(module, target)
            )
            outcomes.append((str(result.dtype).rpartition(".")[2], result.tolist()))
        except RuntimeError as error:
            outcomes.append(str(error).replace("lampas", "torch"))
    assert outcomes[0] == outcomes[1]
    if (
        isinstance(outcomes[0], tuple)
        and source.startswith("float")
        and not target.startswith("float")
    ):
        top = numpy.iinfo(target).max
        assert outcomes[0][1][0][0][0] == 0 and abs(outcomes[0][1][0][0][3] - top) <= top * 1e-6


ERRORS = [
    (lambda: T.ColorJitter(brightness=-1), ValueError, "must be non negative"),
    (
        lambda: T.ColorJitter(hue=0.6),
        ValueError,
        r"hue values should be between \(-0.5, 0.5\), but got \[-0.6, 0.6\]",
    ),
    (
        lambda: T.RandomRotation(-3),
        ValueError,
        "If degrees is a single number, it must be positive.",
    ),
    (lambda: T.RandomRotation([1, 2, 3]), ValueError, "degrees should be a sequence of length 2."),
    (
        lambda: T.RandomAffine(1, translate=(2, 0)),
        ValueError,
        "translation values should be between 0 and 1",
    ),
    (lambda: T.RandomAffine(1, scale=(0, 1)), ValueError, "scale values should be positive"),
    (lambda: T.RandomErasing(2.0), ValueError, "probability should be between 0 and 1"),
    (lambda: T.RandomErasing(value="black"), ValueError, "should be 'random'"),
    (lambda: T.GaussianBlur(2), ValueError, "odd and positive"),
    (lambda: T.Lambda(3), TypeError, "Argument lambd should be callable, got 'int'"),
    (lambda: T.RandomOrder(3), TypeError, "Argument transforms should be a sequence"),
    (lambda: T.Resize((1, 2, 3)), ValueError, "If size is a sequence"),
    (lambda: F.adjust_hue(lampas.zeros(3, 2, 2), 0.7), ValueError, "not in"),
    (lambda: F.equalize(lampas.zeros(3, 2, 2)), TypeError, "Only torch.uint8 image tensors"),
    (
        lambda: F.adjust_contrast(lampas.zeros(2, 4, 4), 1.0),
        TypeError,
        r"permitted channel values are \[3, 1\], but found 2",
    ),
    (
        lambda: F.solarize(lampas.zeros(3, 2, 2), 2),
        TypeError,
        "Threshold should be less than bound",
    ),
    (
        lambda: F.rotate(lampas.zeros(3, 4, 4), 3.0, BICUBIC),
        ValueError,
        "is unsupported with Tensor input",
    ),
    (lambda: F.hflip("image"), TypeError, "Unexpected type <class 'str'>"),
    (lambda: T.AutoAugment("imagenet"), ValueError, "policy imagenet is not recognized"),
    (lambda: T.AugMix(severity=11), ValueError, r"The severity must be between \[1, 10\]"),
]


@pytest.mark.parametrize("call,error,text", ERRORS, ids=range(len(ERRORS)))
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


REPRS = {
    "Resize(256)": "Resize(size=256, interpolation=bilinear, max_size=None, antialias=True)",
    "CenterCrop(224)": "CenterCrop(size=(224, 224))",
    "Pad(3)": "Pad(padding=3, fill=0, padding_mode=constant)",
    "RandomResizedCrop(224)": "RandomResizedCrop(size=(224, 224), scale=(0.08, 1.0), ratio=(0.75, 1.3333), interpolation=bilinear, antialias=True)",
    "RandomRotation(10)": "RandomRotation(degrees=[-10.0, 10.0], interpolation=nearest, expand=False, fill=0)",
    "RandomPosterize(2)": "RandomPosterize(bits=2,p=0.5)",
    "RandomErasing()": "RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False)",
    "GaussianBlur(3)": "GaussianBlur(kernel_size=(3, 3), sigma=(0.1, 2.0))",
    "ColorJitter(0.5)": "ColorJitter(brightness=(0.5, 1.5), contrast=None, saturation=None, hue=None)",
    "RandomHorizontalFlip()": "RandomHorizontalFlip(p=0.5)",
    "ToPILImage('RGB')": "ToPILImage(mode=RGB)",
    "Normalize([0.5], [0.5])": "Normalize(mean=[0.5], std=[0.5])",
    "Lambda(abs)": "Lambda()",
}


@pytest.mark.parametrize("source", REPRS)
def test_representations(source):
    assert repr(eval("T." + source)) == REPRS[source]


def test_version_two_has_the_same_transforms():
    from lampas.vision.transforms import v2

    assert v2.RandomResizedCrop is T.RandomResizedCrop and v2.AutoAugment is T.AutoAugment
    steps = v2.Compose([v2.ToImage(), v2.ToDtype(lampas.float32, scale=True)])
    assert lampas.equal(steps(picture()), T.ToTensor()(picture()))
    assert lampas.equal(v2.functional.horizontal_flip(steps(picture())), F.hflip(steps(picture())))
    assert v2.functional.get_size(picture()) == [32, 48]
    assert v2.functional.to_dtype(lampas.ones(1, dtype=lampas.uint8)).item() == 1.0


@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_mixing(alpha):
    """Replayed with PyTorch's Beta distribution."""
    from lampas.vision.transforms import v2

    images, labels = lampas.rand(4, 3, 10, 12), lampas.tensor([0, 2, 1, 2])
    shares = lampas.eye(3)[labels]
    for seed in range(4):
        lampas.manual_seed(seed)
        torch.manual_seed(seed)
        mixed, soft = v2.MixUp(alpha=alpha, num_classes=3)(images, labels)
        share = torch.distributions.Beta(alpha, alpha).sample().item()
        for before, after in ((images, mixed), (shares, soft)):
            expected = share * before[1] + (1 - share) * before[0]
            assert lampas.allclose(after[1], expected, atol=1e-6)
        lampas.manual_seed(seed)
        torch.manual_seed(seed)
        cut, soft = v2.CutMix(alpha=alpha, num_classes=3)(images, shares)
        share = torch.distributions.Beta(alpha, alpha).sample().item()
        x, y = (torch.randint(0, side, (1,)).item() for side in (12, 10))
        half = 0.5 * math.sqrt(1 - share)
        columns = range(max(x - int(half * 12), 0), min(x + int(half * 12), 12))
        rows = range(max(y - int(half * 10), 0), min(y + int(half * 10), 10))
        other = (cut[0] == images[3]).all(0)
        assert {tuple(place) for place in other.nonzero().tolist()} == {
            (row, column) for row in rows for column in columns
        }
        area = len(rows) * len(columns) / 120
        assert lampas.allclose(soft[0], area * shares[3] + (1 - area) * shares[0], atol=1e-6)
    with pytest.raises(ValueError, match="Expected a batched input with 4 dims"):
        v2.MixUp(num_classes=3)(images[0], labels)
    with pytest.raises(ValueError, match="num_classes must be passed"):
        v2.CutMix()(images, labels)
