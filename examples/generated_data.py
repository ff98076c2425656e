"""Small data sets that need no download, in the file formats of the well-known ones.

Digits in the format of MNIST, shapes in that of CIFAR-10, pictures with masks for segmentation.
They are drawn with Pillow from Python's own generator: the same seed gives the same files.
"""

import gzip
import pickle
import random
import struct

from PIL import Image, ImageChops, ImageDraw, ImageFont

SHAPES = [
    "circle",
    "square",
    "triangle",
    "ring",
    "cross",
    "plus",
    "rows",
    "columns",
    "checks",
    "diamond",
]


def write_mnist(root, train=1000, test=200, seed=0):
    """`root/MNIST/raw` with printed digits of random size, place and angle; returns `root`."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    for part, count in (("train", train), ("t10k", test)):
        labels = [i % 10 for i in range(count)]
        chance.shuffle(labels)
        images = b"".join(draw_digit(label, chance).tobytes() for label in labels)
        _write_idx(raw / f"{part}-images-idx3-ubyte.gz", (count, 28, 28), images)
        _write_idx(raw / f"{part}-labels-idx1-ubyte.gz", (count,), bytes(labels))
    return root


def draw_digit(digit, chance):
    """A printed digit, 28 x 28 gray, white on black, about the middle as those of MNIST."""
    image = Image.new("L", (28, 28))
    font = ImageFont.load_default(size=chance.randint(19, 23))
    place = (14 + chance.randint(-1, 1), 14 + chance.randint(-1, 1))
    ImageDraw.Draw(image).text(place, str(digit), fill=255, font=font, anchor="mm")
    return image.rotate(chance.uniform(-15, 15), Image.Resampling.BILINEAR)


def _write_idx(path, shape, body):
    header = struct.pack(">BBBB", 0, 0, 8, len(shape)) + struct.pack(f">{len(shape)}I", *shape)
    path.write_bytes(gzip.compress(header + body, mtime=0))


def write_cifar(root, train=1000, test=200, seed=0):
    """`root/cifar-10-batches-py` with the ten `SHAPES` in random colours; returns `root`."""
    import numpy

    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    sizes = {f"data_batch_{i}": train // 5 for i in range(1, 6)}
    for name, count in {**sizes, "test_batch": test}.items():
        labels = [i % 10 for i in range(count)]
        chance.shuffle(labels)
        images = [draw_shape(label, 32, chance)[0] for label in labels]
        # A row is all of red, then green, then blue.
        rows = [numpy.asarray(image).transpose(2, 0, 1).reshape(-1) for image in images]
        content = {"batch_label": name, "labels": labels, "data": numpy.stack(rows)}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    meta = {"label_names": SHAPES, "num_cases_per_batch": train // 5, "num_vis": 3072}
    (folder / "batches.meta").write_bytes(pickle.dumps(meta, protocol=2))
    return root


def write_masks(root, count=60, size=64, seed=0):
    """`root/images/*.png` with one to three shapes each and `root/masks/*.png`; returns `root`."""
    chance = random.Random(seed)
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        image, mask = background(size, chance), Image.new("L", (size, size))
        for _ in range(chance.randint(1, 3)):
            part = size // 2
            place = (chance.randint(0, size - part), chance.randint(0, size - part))
            shape, cover = draw_shape(chance.randrange(len(SHAPES)), part, chance)
            image.paste(shape, place, cover)
            mask.paste(255, place, cover)
        image.save(root / "images" / f"{i:04d}.png")
        mask.save(root / "masks" / f"{i:04d}.png")
    return root


def background(size, chance):
    """Noise around a dark colour, RGB."""
    colour = [chance.randint(0, 90) for _ in range(3)]
    noise = Image.frombytes("RGB", (size, size), chance.randbytes(size * size * 3))
    return ImageChops.add(
        noise.point(lambda level: level // 8), Image.new("RGB", (size, size), tuple(colour))
    )


def draw_shape(number, size, chance):
    """One of `SHAPES` in a bright colour on a dark ground (RGB), and where it is (gray)."""
    mask = Image.new("L", (size, size))
    pen = ImageDraw.Draw(mask)
    radius = size * chance.uniform(0.28, 0.42)
    x, y = (size / 2 + chance.uniform(-0.08, 0.08) * size for _ in range(2))
    box = (x - radius, y - radius, x + radius, y + radius)
    _DRAWING[SHAPES[number]](pen, box, x, y, radius)
    image = background(size, chance)
    colour = tuple(chance.randint(110, 255) for _ in range(3))
    image.paste(colour, (0, 0), mask)
    return image, mask


def _bars(pen, box, count, upright):
    """`count` bars of the same width as the gaps between them."""
    step = (box[2] - box[0]) / (2 * count - 1)
    for i in range(count):
        if upright:
            left = box[0] + 2 * i * step
            pen.rectangle((left, box[1], left + step, box[3]), fill=255)
        else:
            top = box[1] + 2 * i * step
            pen.rectangle((box[0], top, box[2], top + step), fill=255)


def _checks(pen, box):
    step = (box[2] - box[0]) / 4
    for row in range(4):
        for column in range(row % 2, 4, 2):
            left, top = box[0] + column * step, box[1] + row * step
            pen.rectangle((left, top, left + step, top + step), fill=255)


def _plus(pen, x, y, r):
    pen.rectangle((x - r, y - r / 3, x + r, y + r / 3), fill=255)
    pen.rectangle((x - r / 3, y - r, x + r / 3, y + r), fill=255)


def _cross(pen, box, r):
    width = max(int(r / 2), 2)
    pen.line((box[0], box[1], box[2], box[3]), fill=255, width=width)
    pen.line((box[0], box[3], box[2], box[1]), fill=255, width=width)


_DRAWING = {
    "circle": lambda pen, box, x, y, r: pen.ellipse(box, fill=255),
    "square": lambda pen, box, x, y, r: pen.rectangle(box, fill=255),
    "triangle": lambda pen, box, x, y, r: pen.polygon(
        [(x, y - r), (x + r, y + r), (x - r, y + r)], fill=255
    ),
    "ring": lambda pen, box, x, y, r: pen.ellipse(box, outline=255, width=max(int(r / 3), 2)),
    "cross": lambda pen, box, x, y, r: _cross(pen, box, r),
    "plus": lambda pen, box, x, y, r: _plus(pen, x, y, r),
    "rows": lambda pen, box, x, y, r: _bars(pen, box, 3, upright=False),
    "columns": lambda pen, box, x, y, r: _bars(pen, box, 3, upright=True),
    "checks": lambda pen, box, x, y, r: _checks(pen, box),
    "diamond": lambda pen, box, x, y, r: pen.polygon(
        [(x, y - r), (x + r, y), (x, y + r), (x - r, y)], fill=255
    ),
}
