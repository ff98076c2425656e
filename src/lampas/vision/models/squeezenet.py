"""SqueezeNet: AlexNet's accuracy with few parameters.

Source: F. Iandola et al. (2016), arXiv 1602.07360; version 1.1 of its authors' repository.
"""

import lampas
from lampas import nn
from lampas.vision.models.builder import builder
from lampas.vision.models.weights import imagenet

SqueezeNet1_0_Weights = imagenet(
    "SqueezeNet1_0_Weights", 1248424, {"IMAGENET1K_V1": "squeezenet1_0-b66bff10.pth"}
)
SqueezeNet1_1_Weights = imagenet(
    "SqueezeNet1_1_Weights", 1235496, {"IMAGENET1K_V1": "squeezenet1_1-b8a52dc0.pth"}
)


class Fire(nn.Module):
    """Squeeze by 1 x 1, expand by 1 x 1 and 3 x 3 side by side."""

    def __init__(self, inplanes, squeeze_planes, expand1x1_planes, expand3x3_planes):
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.squeeze_activation(self.squeeze(x))
        ones = self.expand1x1_activation(self.expand1x1(x))
        threes = self.expand3x3_activation(self.expand3x3(x))
        return lampas.cat([ones, threes], 1)


def _pool():
    return nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)


def _features(version):
    if version == "1_0":
        first = nn.Conv2d(3, 96, kernel_size=7, stride=2)
        fires = [(96, 16, 64), (128, 16, 64), (128, 32, 128), "M", (256, 32, 128), (256, 48, 192)]
        fires += [(384, 48, 192), (384, 64, 256), "M", (512, 64, 256)]
    elif version == "1_1":
        first = nn.Conv2d(3, 64, kernel_size=3, stride=2)
        fires = [(64, 16, 64), (128, 16, 64), "M", (128, 32, 128), (256, 32, 128), "M"]
        fires += [(256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256)]
    else:
        raise ValueError(f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected")
    # (channels in, squeezed, expanded by each of the two)
    layers = [_pool() if fire == "M" else Fire(*fire, fire[2]) for fire in fires]
    return nn.Sequential(first, nn.ReLU(inplace=True), _pool(), *layers)


class SqueezeNet(nn.Module):
    """(B, 3, H, W), at least 17 x 17, to scores (B, num_classes)."""

    def __init__(self, version="1_0", num_classes=1000, dropout=0.5):
        super().__init__()
        self.num_classes = num_classes
        self.features = _features(version)
        final_conv = nn.Conv2d(512, self.num_classes, kernel_size=1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), final_conv, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )
        for module in self.modules():
            if not isinstance(module, nn.Conv2d):
                continue
            if module is final_conv:
                nn.init.normal_(module.weight, mean=0.0, std=0.01)
            else:
                nn.init.kaiming_uniform_(module.weight)
            if module.bias is not None:
                nn.init.constant_(module.bias, 0)

    def forward(self, x):
        return self.classifier(self.features(x)).flatten(1)


@builder(SqueezeNet1_0_Weights)
def squeezenet1_0(**kwargs):
    """SqueezeNet 1.0. `kwargs`: `num_classes`, `dropout`."""
    return SqueezeNet("1_0", **kwargs)


@builder(SqueezeNet1_1_Weights)
def squeezenet1_1(**kwargs):
    """SqueezeNet 1.1: less than half the arithmetic of 1.0."""
    return SqueezeNet("1_1", **kwargs)
