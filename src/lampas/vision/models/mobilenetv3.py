"""MobileNetV3, large and small. Source: A. Howard et al. (2019), arXiv 1905.02244, tables 1 and 2."""

from functools import partial

from lampas import nn
from lampas.vision.models.builder import builder
from lampas.vision.models.mobilenetv2 import make_divisible
from lampas.vision.models.weights import imagenet
from lampas.vision.ops.blocks import Conv2dNormActivation, SqueezeExcitation

MobileNet_V3_Large_Weights = imagenet(
    "MobileNet_V3_Large_Weights",
    5483032,
    {
        "IMAGENET1K_V1": "mobilenet_v3_large-8738ca79.pth",
        "IMAGENET1K_V2": ("mobilenet_v3_large-5c1a4163.pth", {"resize_size": 232}),
    },
)
MobileNet_V3_Small_Weights = imagenet(
    "MobileNet_V3_Small_Weights", 2542856, {"IMAGENET1K_V1": "mobilenet_v3_small-047dcff4.pth"}
)

# Per block: kernel, expanded channels, output channels, squeeze-and-excitation, hard swish, stride.
_LARGE = [
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
]
_SMALL = [
    (3, 16, 16, True, False, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1),
    (5, 576, 96, True, True, 1),
]


class InvertedResidual(nn.Module):
    """Widen, filter each channel alone, weigh the channels, narrow; x is added if it fits."""

    def __init__(self, channels, kernel, expanded, out, excite, hard_swish, stride, norm_layer):
        super().__init__()
        if stride not in (1, 2):
            raise ValueError("illegal stride value")
        self.use_res_connect = stride == 1 and channels == out
        activation = nn.Hardswish if hard_swish else nn.ReLU
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer)
        layers = []
        if expanded != channels:
            layers.append(conv(channels, expanded, kernel_size=1, activation_layer=activation))
        layers.append(
            conv(
                expanded,
                expanded,
                kernel_size=kernel,
                stride=stride,
                groups=expanded,
                activation_layer=activation,
            )
        )
        if excite:
            squeezed = make_divisible(expanded // 4, 8)
            layers.append(SqueezeExcitation(expanded, squeezed, scale_activation=nn.Hardsigmoid))
        layers.append(conv(expanded, out, kernel_size=1, activation_layer=None))
        self.block = nn.Sequential(*layers)
        self.out_channels = out
        self._is_cn = stride > 1

    def forward(self, x):
        return x + self.block(x) if self.use_res_connect else self.block(x)


class MobileNetV3(nn.Module):
    """(B, 3, H, W) to scores (B, num_classes); `blocks` is one of the tables above."""

    def __init__(self, blocks, last_channel, num_classes=1000, width_mult=1.0, dropout=0.2):
        super().__init__()
        norm_layer = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.Hardswish)

        def wide(count):
            return make_divisible(count * width_mult, 8)

        channels = wide(16)
        layers = [conv(3, channels, kernel_size=3, stride=2)]
        for kernel, expanded, out, *rest in blocks:
            shape = (channels, kernel, wide(expanded), wide(out))
            layers.append(InvertedResidual(*shape, *rest, norm_layer))
            channels = wide(out)
        layers.append(conv(channels, 6 * channels, kernel_size=1))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        last_channel = wide(last_channel)
        self.classifier = nn.Sequential(
            nn.Linear(6 * channels, last_channel),
            nn.Hardswish(inplace=True),
            nn.Dropout(p=dropout, inplace=True),
            nn.Linear(last_channel, num_classes),
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
        nn.init.normal_(module.weight, 0, 0.01)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


@builder(MobileNet_V3_Large_Weights)
def mobilenet_v3_large(**kwargs):
    """MobileNetV3 large. `kwargs`: `num_classes`, `width_mult`, `dropout`."""
    return MobileNetV3(_LARGE, 1280, **kwargs)


@builder(MobileNet_V3_Small_Weights)
def mobilenet_v3_small(**kwargs):
    """MobileNetV3 small. `kwargs`: `num_classes`, `width_mult`, `dropout`."""
    return MobileNetV3(_SMALL, 1024, **kwargs)
