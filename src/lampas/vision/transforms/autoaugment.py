"""Augmentation by learned or random policies: AutoAugment, RandAugment, TrivialAugment, AugMix.

What they share is a table of operations, each with its range of magnitudes and whether the sign is
random, and `apply_operation`. The learned tables stand in `policies.py`.
"""

import enum
import math

import lampas
from lampas.vision.transforms import functional as F
from lampas.vision.transforms.base import fill_of, randint
from lampas.vision.transforms.functional.image import (
    InterpolationMode,
    check,
    interpolation_mode,
)
from lampas.vision.transforms.policies import POLICIES


class AutoAugmentPolicy(enum.Enum):
    """The dataset for which a policy was learned."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


# Operations whose magnitude m is a factor 1 + m.
_FACTORS = {
    "Brightness": F.adjust_brightness,
    "Color": F.adjust_saturation,
    "Contrast": F.adjust_contrast,
    "Sharpness": F.adjust_sharpness,
}
_PLAIN = {"AutoContrast": F.autocontrast, "Equalize": F.equalize, "Invert": F.invert}


def apply_operation(image, name, magnitude, interpolation, fill):
    """The image after the operation. ValueError for a name that there is none of."""
    if name in _FACTORS:
        return _FACTORS[name](image, 1.0 + magnitude)
    if name in _PLAIN:
        return _PLAIN[name](image)
    if name == "Identity":
        return image
    if name == "Posterize":
        return F.posterize(image, int(magnitude))
    if name == "Solarize":
        return F.solarize(image, magnitude)
    if name == "Rotate":
        return F.rotate(image, magnitude, interpolation=interpolation, fill=fill)
    if name in ("TranslateX", "TranslateY"):
        move = [int(magnitude), 0] if name == "TranslateX" else [0, int(magnitude)]
        return F.affine(image, 0.0, move, 1.0, [0.0, 0.0], interpolation, fill)
    if name in ("ShearX", "ShearY"):
        # The magnitude is a slope; the upper left corner stays, as in the paper's code.
        slope = math.degrees(math.atan(magnitude))
        shear = [slope, 0.0] if name == "ShearX" else [0.0, slope]
        return F.affine(image, 0.0, [0, 0], 1.0, shear, interpolation, fill, center=[0, 0])
    raise ValueError(f"The provided operator {name} is not recognized.")


def _reaches(bins, shear, move_x, move_y, turn, factor):
    """The operations with a random sign: name -> (magnitudes (bins,), True)."""
    upper = {
        "ShearX": shear,
        "ShearY": shear,
        "TranslateX": move_x,
        "TranslateY": move_y,
        "Rotate": turn,
        "Brightness": factor,
        "Color": factor,
        "Contrast": factor,
        "Sharpness": factor,
    }
    return {name: (lampas.linspace(0.0, top, bins), True) for name, top in upper.items()}


def _posterize(bins, most, dropped):
    """`most` down to `most - dropped` bits."""
    steps = (lampas.arange(bins) / ((bins - 1) / dropped)).round().int()
    return {"Posterize": (most - steps, False)}


def _solarize(bins):
    return {"Solarize": (lampas.linspace(255.0, 0.0, bins), False)}


def _without_magnitude(*names):
    return {name: (lampas.tensor(0.0), False) for name in names}


class _Augment(lampas.nn.Module):
    """The base: how to resample, what to fill with, and one random step."""

    def __init__(self, interpolation, fill):
        super().__init__()
        self.interpolation = interpolation_mode(interpolation)
        self.fill = fill

    def _step(self, image, name, magnitude, fill):
        return apply_operation(image, name, magnitude, self.interpolation, fill)

    def _printed(self, *names):
        shown = ", ".join(f"{name}={getattr(self, name)}" for name in names)
        return (
            f"{type(self).__name__}({shown}, interpolation={self.interpolation}, fill={self.fill})"
        )


def _signed(magnitude, signed):
    """The magnitude, negative by the toss of a coin where the operation has two directions."""
    return -magnitude if signed and randint(0, 2) else magnitude


class AutoAugment(_Augment):
    """One of 25 learned pairs of steps, each done with its probability."""

    def __init__(
        self,
        policy=AutoAugmentPolicy.IMAGENET,
        interpolation=InterpolationMode.NEAREST,
        fill=None,
    ):
        super().__init__(interpolation, fill)
        if not isinstance(policy, AutoAugmentPolicy):
            raise ValueError(f"The provided policy {policy} is not recognized.")
        self.policy = policy
        self.policies = POLICIES[policy.value]

    @staticmethod
    def _augmentation_space(bins, size):
        height, width = size
        return {
            **_reaches(bins, 0.3, 150.0 / 331.0 * width, 150.0 / 331.0 * height, 30.0, 0.9),
            **_posterize(bins, 8, 4),
            **_solarize(bins),
            **_without_magnitude("AutoContrast", "Equalize", "Invert"),
        }

    @staticmethod
    def get_params(transform_num):
        """The number of a pair, and for its steps two chances in 0..1 and two signs (0 or 1)."""
        policy_id = randint(0, transform_num)
        return policy_id, lampas.rand((2,)), lampas.randint(2, (2,))

    def forward(self, image):
        fill = fill_of(self.fill, image)
        space = self._augmentation_space(10, F.get_dimensions(image)[1:])
        policy_id, chances, signs = self.get_params(len(self.policies))
        steps = zip(self.policies[policy_id], chances.tolist(), signs.tolist())
        for (name, probability, level), chance, sign in steps:
            if chance > probability:
                continue
            magnitudes, signed = space[name]
            magnitude = magnitudes[level].item() if magnitudes.dim() else 0.0
            magnitude = -magnitude if signed and sign == 0 else magnitude
            image = self._step(image, name, magnitude, fill)
        return image

    def __repr__(self):
        return f"{type(self).__name__}(policy={self.policy}, fill={self.fill})"


class RandAugment(_Augment):
    """`num_ops` random operations of one magnitude. Source: E. D. Cubuk et al. (2020)."""

    def __init__(
        self,
        num_ops=2,
        magnitude=9,
        num_magnitude_bins=31,
        interpolation=InterpolationMode.NEAREST,
        fill=None,
    ):
        super().__init__(interpolation, fill)
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins

    @staticmethod
    def _augmentation_space(bins, size):
        height, width = size
        return {
            **_without_magnitude("Identity"),
            **_reaches(bins, 0.3, 150.0 / 331.0 * width, 150.0 / 331.0 * height, 30.0, 0.9),
            **_posterize(bins, 8, 4),
            **_solarize(bins),
            **_without_magnitude("AutoContrast", "Equalize"),
        }

    def forward(self, image):
        fill = fill_of(self.fill, image)
        space = self._augmentation_space(self.num_magnitude_bins, F.get_dimensions(image)[1:])
        names = list(space)
        for _ in range(self.num_ops):
            name = names[randint(0, len(names))]
            magnitudes, signed = space[name]
            magnitude = float(magnitudes[self.magnitude].item()) if magnitudes.dim() else 0.0
            image = self._step(image, name, _signed(magnitude, signed), fill)
        return image

    def __repr__(self):
        return self._printed("num_ops", "magnitude", "num_magnitude_bins")


class TrivialAugmentWide(_Augment):
    """One random operation of random magnitude. Source: S. G. Mueller and F. Hutter (2021)."""

    def __init__(self, num_magnitude_bins=31, interpolation=InterpolationMode.NEAREST, fill=None):
        super().__init__(interpolation, fill)
        self.num_magnitude_bins = num_magnitude_bins

    @staticmethod
    def _augmentation_space(bins):
        return {
            **_without_magnitude("Identity"),
            **_reaches(bins, 0.99, 32.0, 32.0, 135.0, 0.99),
            **_posterize(bins, 8, 6),
            **_solarize(bins),
            **_without_magnitude("AutoContrast", "Equalize"),
        }

    def forward(self, image):
        fill = fill_of(self.fill, image)
        space = self._augmentation_space(self.num_magnitude_bins)
        names = list(space)
        name = names[randint(0, len(names))]
        magnitudes, signed = space[name]
        magnitude = 0.0
        if magnitudes.dim():
            magnitude = float(magnitudes[randint(0, len(magnitudes))].item())
        return self._step(image, name, _signed(magnitude, signed), fill)

    def __repr__(self):
        return self._printed("num_magnitude_bins")


class AugMix(_Augment):
    """The image mixed with `mixture_width` chains of random operations.

    Source: D. Hendrycks et al. (2020). `chain_depth` below 1 draws 1 to 3; `alpha` shapes the
    Dirichlet weights; `severity` is 1..10.
    """

    _bins = 10

    def __init__(
        self,
        severity=3,
        mixture_width=3,
        chain_depth=-1,
        alpha=1.0,
        all_ops=True,
        interpolation=InterpolationMode.BILINEAR,
        fill=None,
    ):
        super().__init__(interpolation, fill)
        if not 1 <= severity <= self._bins:
            raise ValueError(
                f"The severity must be between [1, {self._bins}]. Got {severity} instead."
            )
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops

    def _augmentation_space(self, bins, size):
        height, width = size
        moves = _reaches(bins, 0.3, width / 3.0, height / 3.0, 30.0, 0.9)
        factors = {name: moves.pop(name) for name in _FACTORS}
        space = {
            **moves,
            **_posterize(bins, 4, 4),
            **_solarize(bins),
            **_without_magnitude("AutoContrast", "Equalize"),
        }
        return {**space, **factors} if self.all_ops else space

    def forward(self, orig_img):
        if check(orig_img):
            tensor = F.pil_to_tensor(orig_img)
            return F.to_pil_image(self._mix(tensor, fill_of(self.fill, tensor)))
        return self._mix(orig_img, fill_of(self.fill, orig_img))

    def _mix(self, image, fill):
        space = self._augmentation_space(self._bins, F.get_dimensions(image)[1:])
        batch = image.view([1] * max(4 - image.dim(), 0) + list(image.shape))
        each = [batch.size(0)] + [1] * (batch.dim() - 1)
        # Share of the image itself against the chains, then of every chain; all sum to one.
        share = _dirichlet([self.alpha] * 2, each[0])
        weights = _dirichlet([self.alpha] * self.mixture_width, each[0]) * share[:, 1:]
        mix = share[:, 0].reshape(each) * batch
        for i in range(self.mixture_width):
            chain = self._chain(batch, space, fill)
            mix = mix + weights[:, i].reshape(each) * chain
        return mix.view(image.shape).to(image.dtype)

    def _chain(self, batch, space, fill):
        names = list(space)
        depth = self.chain_depth if self.chain_depth > 0 else randint(1, 4)
        for _ in range(depth):
            name = names[randint(0, len(names))]
            magnitudes, signed = space[name]
            magnitude = 0.0
            if magnitudes.dim():
                magnitude = float(magnitudes[randint(0, self.severity)].item())
            batch = self._step(batch, name, _signed(magnitude, signed), fill)
        return batch

    def __repr__(self):
        return self._printed("severity", "mixture_width", "chain_depth", "alpha", "all_ops")


def _dirichlet(concentration, count):
    """`count` draws (count, K) of a Dirichlet distribution."""
    return lampas._sample_dirichlet(lampas.tensor(concentration).expand(count, -1))
