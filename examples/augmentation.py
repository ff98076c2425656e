"""What each augmentation does to a picture: a grid with one row per transform.

    python examples/augmentation.py [--image FILE] [--out FOLDER]

Writes augmentation.png. Without --image the picture is drawn.
"""

import argparse
import random
import sys
from pathlib import Path

import lampas as torch
from generated_data import SHAPES, background, draw_shape
from lampas.vision import transforms as T
from lampas.vision.utils import save_image

SIDE = 96

ROWS = [
    T.RandomResizedCrop(SIDE, scale=(0.3, 1.0)),
    T.RandomHorizontalFlip(),
    T.RandomCrop(SIDE, padding=12, padding_mode="reflect"),
    T.RandomRotation(40, T.InterpolationMode.BILINEAR),
    T.RandomAffine(15, (0.1, 0.1), (0.7, 1.2), 15, T.InterpolationMode.BILINEAR, fill=128),
    T.RandomPerspective(0.6, p=1.0),
    T.ElasticTransform(60.0, 4.0),
    T.ColorJitter(0.5, 0.5, 0.7, 0.2),
    T.GaussianBlur(9, (0.5, 3.0)),
    T.RandomEqualize(0.7),
    T.RandomSolarize(128, 0.7),
    T.RandomPosterize(2, 0.7),
    T.AutoAugment(fill=128),
    T.RandAugment(fill=128),
    T.TrivialAugmentWide(fill=128),
    T.AugMix(5),
    T.Compose([T.ToTensor(), T.RandomErasing(1.0, value="random"), T.ToPILImage()]),
]


def draw_picture(chance):
    """Four shapes on noise, `SIDE` pixels square."""
    picture = background(SIDE, chance)
    half = SIDE // 2
    for place in ((0, 0), (half, 0), (0, half), (half, half)):
        shape, mask = draw_shape(chance.randrange(len(SHAPES)), half, chance)
        picture.paste(shape, place, mask)
    return picture


def load_picture(path):
    """The file's middle as a square of `SIDE` pixels."""
    from PIL import Image

    with Image.open(path) as file:
        return T.Compose([T.Resize(SIDE), T.CenterCrop(SIDE)])(file.convert("RGB"))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", type=Path)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("demo"))
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    picture = load_picture(args.image) if args.image else draw_picture(random.Random(args.seed))
    to_tensor = T.ToTensor()
    images = []
    for row, transform in enumerate(ROWS, 1):
        changed = [to_tensor(transform(picture)) for _ in range(args.columns - 1)]
        images += [to_tensor(picture), *changed]
        print(f"row {row:2}: {' '.join(repr(transform).split())}")
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "augmentation.png"
    save_image(images, path, nrow=args.columns)
    print(f"{path}: {len(ROWS)} transforms, the picture itself in the first column")
    return path


if __name__ == "__main__":
    sys.exit(not main())
