"""Transforms: on tensors as PyTorch's operators compute them, on images as Pillow does, draws in order."""

import colorsys
import math
import pickle
import random

import numpy
import pytest
import torch
import torch.nn.functional as TF
import twin
from sample_images import picture, pixels

import lampas
from lampas.vision import transforms as T
from lampas.vision.transforms import functional as F

twin.install()

NEAREST, BILINEAR, BICUBIC = (
    T.InterpolationMode[name] for name in ("NEAREST", "BILINEAR", "BICUBIC")
)


RANDOM = """
RandomCrop(20) | RandomCrop((20, 30), padding=4) | RandomCrop(60, pad_if_needed=True, fill=7)
RandomCrop(28, padding=(3, 5), padding_mode="reflect") | RandomResizedCrop(24) | RandomResizedCrop((16, 20), scale=(0.9, 1.0), ratio=(9, 10))
RandomHorizontalFlip() | RandomVerticalFlip() | RandomGrayscale(0.5) | RandomApply([T.CenterCrop(10)], 0.5)
ColorJitter(0.4, 0.3, 0.2, 0.1) | ColorJitter(hue=(-0.3, 0.5)) | ColorJitter(contrast=(0.2, 3)) | RandomInvert() | RandomPosterize(3) | RandomSolarize(100)
RandomAutocontrast() | RandomEqualize() | RandomAdjustSharpness(3) | GaussianBlur((3, 7)) | GaussianBlur(5, 0.7)
RandomRotation(40) | RandomRotation((10, 80), expand=True, fill=9) | RandomRotation(30, T.InterpolationMode.BILINEAR, center=(5, 9), fill=[1, 2, 3])
RandomAffine(20) | RandomAffine(10, (0.1, 0.3), (0.7, 1.3), 8) | RandomAffine(0, shear=(-5, 5, -9, 9), interpolation=T.InterpolationMode.BILINEAR, fill=40)
RandomPerspective(p=1.0) | RandomPerspective(0.3, 1.0, T.InterpolationMode.NEAREST, fill=(9, 8, 7)) | ElasticTransform() | ElasticTransform([30.0, 90.0], [3.0, 4.0])
RandomErasing(1.0) | RandomErasing(0.7, value=(9, 8, 7)) | RandomErasing(1.0, scale=(0.1, 0.2), value="random")
AutoAugment() | AutoAugment(T.AutoAugmentPolicy.CIFAR10) | AutoAugment(T.AutoAugmentPolicy.SVHN, fill=128) | RandAugment() | RandAugment(3, 17, fill=(5, 6, 7)) | TrivialAugmentWide()
AugMix() | AugMix(5, 2, 2, 0.5, all_ops=False)
"""
CASES = [case for line in RANDOM.strip().splitlines() for case in line.split(" | ")]


def both(case):
    """The transform here and on PyTorch."""
    import twinvision.transforms as twins

    return eval("T." + case, {"T": T}), eval("T." + case, {"T": twins})


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("floats", [False, True], ids=["bytes", "floats"])
def test_same_seed_same_image(case, floats):
    if floats and any(name in case for name in ("Posterize", "Equalize", "Aug")):
        pytest.skip("for bytes only")
    image = pixels()
    if floats:
        image = image.astype("float32") / 255
        case = case.replace("Solarize(100)", "Solarize(0.4)")
    mine, theirs = both(case)
    assert repr(mine) == repr(theirs)
    for seed in range(6):
        lampas.manual_seed(seed)
        torch.manual_seed(seed)
        result = mine(lampas.from_numpy(image)).numpy()
        expected = theirs(torch.from_numpy(image)).numpy()
        assert result.shape == expected.shape and result.dtype == expected.dtype
        # Values that lie between two bytes, and places between two pixels, may round to either.
        apart = abs(result.astype("float64") - expected)
        assert (apart > (2e-5 if floats else 1)).mean() < 5e-3, seed
        if "Aug" not in case:
            assert (apart > 0).mean() < 1e-2 or floats, seed
    # Both took the same number of draws.
    assert lampas.rand(1).item() == torch.rand(1).item()


@pytest.mark.parametrize("case", CASES)
def test_pickles(case):
    transform = eval("T." + case)
    assert repr(pickle.loads(pickle.dumps(transform))) == repr(transform)


# --- parameters drawn as documented, replayed with PyTorch's own generator ---


def uniform(low, high):
    return torch.empty(1).uniform_(low, high).item()


def test_resized_crop_draws():
    tensor = lampas.from_numpy(pixels())
    for seed in range(5):
        lampas.manual_seed(seed)
        torch.manual_seed(seed)
        top, left, height, width = T.RandomResizedCrop.get_params(
            tensor, (0.08, 1.0), (0.75, 4 / 3)
        )
        for _ in range(10):
            area = 32 * 48 * uniform(0.08, 1.0)
            ratio = math.exp(uniform(math.log(0.75), math.log(4 / 3)))
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < w <= 48 and 0 < h <= 32:
                break
        expected = (
            torch.randint(0, 32 - h + 1, (1,)).item(),
            torch.randint(0, 48 - w + 1, (1,)).item(),
            h,
            w,
        )
        assert (top, left, height, width) == expected


def test_jitter_draws():
    lampas.manual_seed(4)
    torch.manual_seed(4)
    order, *factors = T.ColorJitter.get_params((0.5, 1.5), None, (0.2, 0.4), (-0.1, 0.1))
    assert order.tolist() == torch.randperm(4).tolist()
    assert factors == [uniform(0.5, 1.5), None, uniform(0.2, 0.4), uniform(-0.1, 0.1)]


def test_affine_draws():
    lampas.manual_seed(4)
    torch.manual_seed(4)
    params = T.RandomAffine.get_params(
        [-9.0, 9.0], (0.2, 0.4), (0.5, 2.0), [-3, 3, -4, 4], [48, 32]
    )
    angle = uniform(-9, 9)
    move = (round(uniform(-9.6, 9.6)), round(uniform(-12.8, 12.8)))
    assert params == (angle, move, uniform(0.5, 2.0), (uniform(-3, 3), uniform(-4, 4)))


def test_perspective_draws():
    lampas.manual_seed(4)
    torch.manual_seed(4)
    _, ends = T.RandomPerspective.get_params(48, 32, 0.5)

    def draw(low, high):
        return torch.randint(low, high, (1,)).item()

    expected = [[draw(0, 13), draw(0, 9)], [draw(35, 48), draw(0, 9)]]
    expected += [[draw(35, 48), draw(23, 32)], [draw(0, 13), draw(23, 32)]]
    assert ends == expected


def test_order_and_choice_use_pythons_generator():
    class Add:
        def __init__(self, digit):
            self.digit = digit

        def __call__(self, text):
            return text + self.digit

        def __repr__(self):
            return f"Add({self.digit})"

    parts = [Add(digit) for digit in "abcd"]
    random.seed(5)
    order = list(range(4))
    random.shuffle(order)
    choice = random.choices("abcd", weights=[1, 2, 3, 4])[0]
    random.seed(5)
    assert T.RandomOrder(parts)("") == "".join("abcd"[i] for i in order)
    chooser = T.RandomChoice(parts, p=[1, 2, 3, 4])
    assert chooser("") == choice
    lines = "\n    Add(a)\n    Add(b)\n    Add(c)\n    Add(d)\n"
    assert repr(chooser) == f"RandomChoice({lines})(p=[1, 2, 3, 4])"
    assert repr(T.RandomApply(parts, 0.3)) == f"RandomApply(\n    p=0.3{lines})"


# --- on tensors: PyTorch's operators ---


@pytest.mark.parametrize(
    "mode", [NEAREST, BILINEAR, BICUBIC, T.InterpolationMode.NEAREST_EXACT], ids=str
)
@pytest.mark.parametrize("size", [(16, 20), (50, 70), 20, [40]], ids=str)
@pytest.mark.parametrize("antialias", [True, False])
def test_resize_is_interpolate(mode, size, antialias):
    image = pixels()
    result = F.resize(lampas.from_numpy(image), size, mode, antialias=antialias)
    if isinstance(size, int) or len(size) == 1:
        short = size if isinstance(size, int) else size[0]
        size = (short, int(short * 48 / 32))
    smooth = mode in (BILINEAR, BICUBIC)
    options = {"align_corners": False, "antialias": antialias} if smooth else {}
    expected = TF.interpolate(
        torch.from_numpy(image)[None].float(), size, mode=mode.value, **options
    )
    assert result.dtype is lampas.uint8
    # Rounded to the nearest byte; halves to either side.
    apart = result.numpy() - expected[0].clamp(0, 255).numpy().astype("float64")
    assert abs(apart).max() <= 0.5 + 1e-4


def test_resize_sizes():
    tensor = lampas.zeros(3, 30, 40)
    assert F.resize(tensor, 15).shape == (3, 15, 20)
    assert F.resize(tensor, 15, max_size=18).shape == (3, 13, 18)
    assert F.resize(tensor, None, max_size=20).shape == (3, 15, 20)
    assert F.resize(tensor, (30, 40)) is tensor
    assert F.resize(picture(), 16).size == (24, 16)
    with pytest.raises(ValueError, match="must be strictly greater than the requested size"):
        F.resize(tensor, 15, max_size=15)
    with pytest.raises(ValueError, match="max_size should only be passed if size specifies"):
        F.resize(tensor, (4, 5), max_size=15)
    with pytest.raises(TypeError, match="InterpolationMode or a corresponding Pillow integer"):
        F.resize(tensor, 4, "bilinear")


@pytest.mark.parametrize("padding", [3, [2], (4, 1), [1, 2, 3, 4]], ids=str)
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
def test_pad(padding, mode):
    """Against NumPy, for tensors and images."""
    image = pixels()
    left, top, right, bottom = (
        [padding] * 4 if isinstance(padding, int) else (list(padding) * 4)[:4]
    )
    options = {"constant_values": 0} if mode == "constant" else {}
    expected = numpy.pad(image, ((0, 0), (top, bottom), (left, right)), mode=mode, **options)
    assert (F.pad(lampas.from_numpy(image), padding, padding_mode=mode).numpy() == expected).all()
    padded = numpy.array(F.pad(picture(), padding, padding_mode=mode)).transpose(2, 0, 1)
    assert (padded == expected).all()


def test_pad_colours():
    result = F.pad(picture(), 2, fill=(1, 2, 3))
    assert result.getpixel((0, 0)) == (1, 2, 3) and result.size == (52, 36)
    assert F.pad(picture(), 2, fill=5).getpixel((0, 0)) == (5, 5, 5)
    assert F.pad(picture().convert("L"), 2, fill=5).getpixel((0, 0)) == 5
    palette = F.pad(picture().quantize(8), 2)
    assert palette.mode == "P" and palette.getpalette() == picture().quantize(8).getpalette()
    assert F.pad(picture(), [-3, -2]).tobytes() == picture().crop((3, 2, 45, 30)).tobytes()
    with pytest.raises(ValueError, match="does not match the number of channels"):
        F.pad(picture(), 2, fill=(1, 2))
    with pytest.raises(ValueError, match="Padding mode should be either"):
        T.Pad(2, padding_mode="mirror")
    with pytest.raises(ValueError, match="1, 2, or 4 element tuple, not a 3"):
        T.Pad((1, 2, 3))


def test_crops():
    image = pixels()
    tensor = lampas.from_numpy(image)
    assert (F.crop(tensor, 5, 7, 9, 11).numpy() == image[:, 5:14, 7:18]).all()
    outside = F.crop(tensor, -3, 40, 9, 20).numpy()
    assert (outside[:, 3:, :8] == image[:, :6, 40:]).all() and (outside[:, :3] == 0).all()
    five = T.FiveCrop(10)(tensor)
    assert lampas.equal(five[1], tensor[:, :10, -10:]) and lampas.equal(
        five[4], tensor[:, 11:21, 19:29]
    )
    ten = T.TenCrop((8, 9), vertical_flip=True)(tensor)
    assert len(ten) == 10 and lampas.equal(ten[5], tensor.flip(-2)[:, :8, :9])
    with pytest.raises(ValueError, match="Requested crop size"):
        F.five_crop(tensor, 100)
    with pytest.raises(ValueError, match="Required crop size"):
        T.RandomCrop(100)(tensor)


def test_blur_is_a_convolution():
    ndimage = pytest.importorskip("scipy.ndimage", reason="the oracle of convolutions")
    image = pixels().astype("float64")
    x, y = numpy.arange(-2, 3), numpy.arange(-3, 4)
    kernel = numpy.exp(-0.5 * (y / 1.7) ** 2)[:, None] * numpy.exp(-0.5 * (x / 0.8) ** 2)
    kernel /= kernel.sum()
    expected = numpy.stack([ndimage.convolve(part, kernel, mode="mirror") for part in image])
    result = F.gaussian_blur(lampas.from_numpy(image), [5, 7], [0.8, 1.7])
    numpy.testing.assert_allclose(result.numpy(), expected, rtol=1e-10)
    with pytest.raises(ValueError, match="odd and positive"):
        F.gaussian_blur(lampas.from_numpy(image), 4)


def test_hue_is_that_of_colorsys():
    image = pixels(6, 7).astype("float64") / 255
    result = F.adjust_hue(lampas.from_numpy(image), 0.3).numpy()
    for y in range(6):
        for x in range(7):
            hue, saturation, value = colorsys.rgb_to_hsv(*image[:, y, x])
            expected = colorsys.hsv_to_rgb((hue + 0.3) % 1, saturation, value)
            assert result[:, y, x] == pytest.approx(expected, abs=1e-6)
    gray = lampas.full((3, 2, 2), 0.4)
    assert lampas.equal(F.adjust_hue(gray, 0.2), gray)


def test_erase_and_whitening():
    tensor = lampas.rand(3, 6, 7)
    erased = F.erase(tensor, 1, 2, 3, 4, lampas.zeros(3, 1, 1))
    assert erased[:, 1:4, 2:6].abs().sum() == 0 and tensor[:, 1:4, 2:6].min() > 0
    assert lampas.equal(erased[:, 4:], tensor[:, 4:])
    matrix, mean = lampas.randn(126, 126), lampas.randn(126)
    result = T.LinearTransformation(matrix, mean)(tensor)
    assert lampas.allclose(result, ((tensor.reshape(-1) - mean) @ matrix).view(3, 6, 7), atol=1e-5)
    with pytest.raises(ValueError, match="should be square"):
        T.LinearTransformation(lampas.rand(3, 4), mean)


# --- on images and tensors alike: Pillow is the oracle ---

ALIKE = [
    (lambda i: F.rotate(i, 33.0), 0.01),
    (
        lambda i: F.rotate(
            i, -20.0, BILINEAR, fill=[9.0, 8.0, 7.0] if not F.image.is_pil(i) else (9, 8, 7)
        ),
        0.06,
    ),
    (lambda i: F.rotate(i, 33.0, expand=True), 0.01),
    (lambda i: F.rotate(i, 10.0, center=[3, 4]), 0.01),
    (lambda i: F.affine(i, 12.0, [5, -3], 1.3, [4.0, -7.0]), 0.01),
    (lambda i: F.affine(i, -30.0, [0, 2], 0.6, [0.0, 10.0], center=[0, 0]), 0.01),
    (lambda i: F.affine(i, 0.0, [5, -3], 1.0, [0.0, 0.0]), 0),
    (lambda i: F.affine(i, 12.0, [5, 0], 1.3, [4.0, 0.0], BILINEAR), 0.06),
    (
        lambda i: F.perspective(
            i, [[0, 0], [47, 0], [47, 31], [0, 31]], [[2, 3], [40, 1], [45, 30], [4, 25]], NEAREST
        ),
        0.02,
    ),
    (lambda i: F.adjust_brightness(i, 1.4), 0),
    (lambda i: F.adjust_contrast(i, 0.6), 0),
    (lambda i: F.adjust_saturation(i, 1.7), 0),
    (lambda i: F.adjust_gamma(i, 1.8, 0.9), 0),
    (lambda i: F.adjust_sharpness(i, 2.5), 0),
    (F.invert, 0),
    (lambda i: F.posterize(i, 3), 0),
    (lambda i: F.solarize(i, 90), 0),
    (F.autocontrast, 0),
    (F.equalize, 0),
    (F.rgb_to_grayscale, 0),
    (lambda i: F.gaussian_blur(i, 5), 0),
]


@pytest.mark.parametrize("function,share", ALIKE, ids=range(len(ALIKE)))
def test_pil_and_tensor_agree(function, share):
    """Up to rounding by one; the given share of the pixels may lie on edges that round elsewhere."""
    expected = F.pil_to_tensor(function(picture())).numpy().astype(int)
    result = function(lampas.from_numpy(pixels())).numpy().astype(int)
    assert result.shape == expected.shape
    assert (abs(result - expected) > 1).mean() <= share


def test_hue_of_pil():
    """Pillow keeps hues in bytes, so only nearly the same."""
    expected = F.pil_to_tensor(F.adjust_hue(picture(), 0.2)).numpy().astype(int)
    result = F.adjust_hue(lampas.from_numpy(pixels()), 0.2).numpy().astype(int)
    assert abs(result - expected).mean() < 3


def test_expanded_rotation_by_a_right_angle():
    tensor = lampas.from_numpy(pixels())
    assert lampas.equal(F.rotate(tensor, 90, expand=True), tensor.rot90(1, (1, 2)))


# --- batches and modes ---


@pytest.mark.parametrize("case", [case for case in CASES if "AugMix" not in case])
def test_a_batch_is_changed_as_one_image(case):
    """Leading dimensions share the draws. (AugMix mixes each image of a batch by its own weights.)"""
    transform = eval("T." + case)
    images = lampas.from_numpy(numpy.stack([pixels(seed=1), pixels(seed=2)]))
    lampas.manual_seed(3)
    together = transform(images[None])
    assert together.shape[:2] == (1, 2) and together.dtype is lampas.uint8
    for i in range(2):
        lampas.manual_seed(3)
        apart = together[0, i].int() - transform(images[i]).int()
        # Sums of another order: a value between two bytes may round to either.
        assert apart.abs().max() <= (1 if "Resized" in case else 0)
    if "fill=(" in case or "fill=[" in case or "value=(" in case:
        return
    lampas.manual_seed(3)
    assert transform(images[:, :1]).shape[:2] == (2, 1)


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA", "F", "I", "P", "1"])
@pytest.mark.parametrize(
    "case",
    [
        "RandomResizedCrop(24)",
        "RandomRotation(30)",
        "RandomPerspective(p=1.0)",
        "RandomAffine(9, (0.2, 0.2))",
        "RandomCrop(28, 4)",
        "RandomHorizontalFlip(1.0)",
    ],
)
def test_every_mode_can_be_moved(case, mode):
    image = picture().convert(mode)
    assert eval("T." + case)(image).mode == mode
