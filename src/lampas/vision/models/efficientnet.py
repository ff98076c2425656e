"""EfficientNet B0 to B7: depth, width and resolution grown together.

Source: M. Tan and Q. Le (2019), arXiv 1905.11946; the blocks are table 1.
"""

import math
from functools import partial

from lampas import nn
from lampas.vision.models.builder import builder
from lampas.vision.models.mobilenetv2 import make_divisible
from lampas.vision.models.weights import imagenet
from lampas.vision.ops.blocks import Conv2dNormActivation, SqueezeExcitation
from lampas.vision.ops.stochastic_depth import StochasticDepth
from lampas.vision.transforms.functional.image import InterpolationMode

# Per stage: expansion, kernel, stride of the first block, channels in and out, blocks.
_STAGES = [
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
]


def _weights(letter, num_params, file, crop, resize, **more):
    files = {"IMAGENET1K_V1": file, **more}
    bicubic = {"resize_size": resize, "interpolation": InterpolationMode.BICUBIC}
    return imagenet(f"EfficientNet_{letter}_Weights", num_params, files, crop_size=crop, **bicubic)


EfficientNet_B0_Weights = _weights(
    "B0", 5288548, "efficientnet_b0_rwightman-7f5810bc.pth", 224, 256
)
EfficientNet_B1_Weights = _weights(
    "B1",
    7794184,
    "efficientnet_b1_rwightman-bac287d4.pth",
    240,
    256,
    IMAGENET1K_V2=(
        "efficientnet_b1-c27df63c.pth",
        {"resize_size": 255, "interpolation": InterpolationMode.BILINEAR},
    ),
)
EfficientNet_B2_Weights = _weights(
    "B2", 9109994, "efficientnet_b2_rwightman-c35c1473.pth", 288, 288
)
EfficientNet_B3_Weights = _weights(
    "B3", 12233232, "efficientnet_b3_rwightman-b3899882.pth", 300, 320
)
EfficientNet_B4_Weights = _weights(
    "B4", 19341616, "efficientnet_b4_rwightman-23ab8bcd.pth", 380, 384
)
EfficientNet_B5_Weights = _weights(
    "B5", 30389784, "efficientnet_b5_lukemelas-1a07897c.pth", 456, 456
)
EfficientNet_B6_Weights = _weights(
    "B6", 43040704, "efficientnet_b6_lukemelas-24a108a5.pth", 528, 528
)
EfficientNet_B7_Weights = _weights(
    "B7", 66347960, "efficientnet_b7_lukemelas-c5b4e57e.pth", 600, 600
)


class MBConv(nn.Module):
    """Widen, filter each channel alone, weigh the channels, narrow; x is added if it fits."""

    def __init__(self, expansion, kernel, stride, channels, out, drop, norm_layer):
        super().__init__()
        if stride not in (1, 2):
            raise ValueError("illegal stride value")
        self.use_res_connect = stride == 1 and channels == out
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        expanded = make_divisible(channels * expansion, 8)
        layers = []
        if expanded != channels:
            layers.append(conv(channels, expanded, kernel_size=1))
        layers += [
            conv(expanded, expanded, kernel_size=kernel, stride=stride, groups=expanded),
            SqueezeExcitation(
                expanded, max(1, channels // 4), activation=partial(nn.SiLU, inplace=True)
            ),
            conv(expanded, out, kernel_size=1, activation_layer=None),
        ]
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(drop, "row")
        self.out_channels = out

    def forward(self, x):
        result = self.block(x)
        return self.stochastic_depth(result) + x if self.use_res_connect else result


class EfficientNet(nn.Module):
    """(B, 3, H, W) to scores (B, num_classes), `width` and `depth` times that of B0.

    Later blocks are left out more often while training, the last with `stochastic_depth_prob`.
    """

    def __init__(
        self,
        width,
        depth,
        dropout,
        stochastic_depth_prob=0.2,
        num_classes=1000,
        norm_layer=None,
    ):
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)

        def wide(count):
            return make_divisible(count * width, 8)

        counts = [math.ceil(stage[-1] * depth) for stage in _STAGES]
        layers = [conv(3, wide(32), kernel_size=3, stride=2)]
        number = 0
        for (expansion, kernel, stride, channels, out, _), count in zip(_STAGES, counts):
            blocks = []
            for i in range(count):
                shape = (stride, wide(channels)) if i == 0 else (1, wide(out))
                drop = stochastic_depth_prob * number / sum(counts)
                blocks.append(MBConv(expansion, kernel, *shape, wide(out), drop, norm_layer))
                number += 1
            layers.append(nn.Sequential(*blocks))
        last = wide(_STAGES[-1][4])
        layers.append(conv(last, 4 * last, kernel_size=1))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout, inplace=True), nn.Linear(4 * last, num_classes)
        )
        for module in self.modules():
            _initialize(module)

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _initialize(module):
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
    elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
        nn.init.ones_(module.weight)
    elif isinstance(module, nn.Linear):
        reach = 1.0 / math.sqrt(module.out_features)
        nn.init.uniform_(module.weight, -reach, reach)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def _efficientnet(width, depth, dropout, kwargs, **defaults):
    return EfficientNet(width, depth, **{"dropout": dropout, **defaults, **kwargs})


# The weights of the three largest were trained with these.
_CAREFUL = {"norm_layer": partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)}


@builder(EfficientNet_B0_Weights)
def efficientnet_b0(**kwargs):
    """EfficientNet B0. `kwargs` go to `EfficientNet`."""
    return _efficientnet(1.0, 1.0, 0.2, kwargs)


@builder(EfficientNet_B1_Weights)
def efficientnet_b1(**kwargs):
    """EfficientNet B1."""
    return _efficientnet(1.0, 1.1, 0.2, kwargs)


@builder(EfficientNet_B2_Weights)
def efficientnet_b2(**kwargs):
    """EfficientNet B2."""
    return _efficientnet(1.1, 1.2, 0.3, kwargs)


@builder(EfficientNet_B3_Weights)
def efficientnet_b3(**kwargs):
    """EfficientNet B3."""
    return _efficientnet(1.2, 1.4, 0.3, kwargs)


@builder(EfficientNet_B4_Weights)
def efficientnet_b4(**kwargs):
    """EfficientNet B4."""
    return _efficientnet(1.4, 1.8, 0.4, kwargs)


@builder(EfficientNet_B5_Weights)
def efficientnet_b5(**kwargs):
    """EfficientNet B5."""
    return _efficientnet(1.6, 2.2, 0.4, kwargs, **_CAREFUL)


@builder(EfficientNet_B6_Weights)
def efficientnet_b6(**kwargs):
    """EfficientNet B6."""
    return _efficientnet(1.8, 2.6, 0.5, kwargs, **_CAREFUL)


@builder(EfficientNet_B7_Weights)
def efficientnet_b7(**kwargs):
    """EfficientNet B7."""
    return _efficientnet(2.0, 3.1, 0.5, kwargs, **_CAREFUL)
