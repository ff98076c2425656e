"""VGG, 11 to 19 layers, plain or with batch normalization.

Source: K. Simonyan and A. Zisserman (2014), arXiv 1409.1556; letters name the columns of table 1.
"""

from lampas import nn
from lampas.vision.models.builder import builder
from lampas.vision.models.weights import imagenet

# Output channels of the 3 x 3 convolutions; "M" is a pooling that halves the sides.
_LAYERS = {
    "A": [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "B": [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "D": [64, 64, "M", 128, 128, "M", *[256] * 3, "M", *[512] * 3, "M", *[512] * 3, "M"],
    "E": [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M"],
}


def _weights(name, num_params, file):
    return imagenet(f"{name}_Weights", num_params, {"IMAGENET1K_V1": file})


VGG11_Weights = _weights("VGG11", 132863336, "vgg11-8a719046.pth")
VGG11_BN_Weights = _weights("VGG11_BN", 132868840, "vgg11_bn-6002323d.pth")
VGG13_Weights = _weights("VGG13", 133047848, "vgg13-19584684.pth")
VGG13_BN_Weights = _weights("VGG13_BN", 133053736, "vgg13_bn-abd245e5.pth")
VGG16_Weights = _weights("VGG16", 138357544, "vgg16-397923af.pth")
VGG16_BN_Weights = _weights("VGG16_BN", 138365992, "vgg16_bn-6c64b313.pth")
VGG19_Weights = _weights("VGG19", 143667240, "vgg19-dcbb9e9d.pth")
VGG19_BN_Weights = _weights("VGG19_BN", 143678248, "vgg19_bn-c79401a0.pth")


class VGG(nn.Module):
    """`features`, then three linear layers: (B, 3, H, W), at least 32 x 32, to (B, num_classes)."""

    def __init__(self, features, num_classes=1000, init_weights=True, dropout=0.5):
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            for module in self.modules():
                _initialize(module)

    def forward(self, x):
        x = self.avgpool(self.features(x))  # (B, 512, 7, 7)
        return self.classifier(x.flatten(1))


def _initialize(module):
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.constant_(module.weight, 1)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
    else:
        return
    if module.bias is not None:
        nn.init.constant_(module.bias, 0)


def make_layers(cfg, batch_norm=False):
    """The convolutional part of a list of channels and "M"."""
    layers, channels = [], 3
    for entry in cfg:
        if entry == "M":
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        layers.append(nn.Conv2d(channels, entry, kernel_size=3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(entry))
        layers.append(nn.ReLU(inplace=True))
        channels = entry
    return nn.Sequential(*layers)


def _vgg(column, batch_norm, kwargs):
    return VGG(make_layers(_LAYERS[column], batch_norm), **kwargs)


# Weights are read from a file: no time is spent on random ones first.
@builder(VGG11_Weights, init_weights=False)
def vgg11(**kwargs):
    """VGG with 11 layers. `kwargs`: `num_classes`, `init_weights`, `dropout`."""
    return _vgg("A", False, kwargs)


@builder(VGG11_BN_Weights, init_weights=False)
def vgg11_bn(**kwargs):
    """VGG with 11 layers and batch normalization."""
    return _vgg("A", True, kwargs)


@builder(VGG13_Weights, init_weights=False)
def vgg13(**kwargs):
    """VGG with 13 layers."""
    return _vgg("B", False, kwargs)


@builder(VGG13_BN_Weights, init_weights=False)
def vgg13_bn(**kwargs):
    """VGG with 13 layers and batch normalization."""
    return _vgg("B", True, kwargs)


@builder(VGG16_Weights, init_weights=False)
def vgg16(**kwargs):
    """VGG with 16 layers."""
    return _vgg("D", False, kwargs)


@builder(VGG16_BN_Weights, init_weights=False)
def vgg16_bn(**kwargs):
    """VGG with 16 layers and batch normalization."""
    return _vgg("D", True, kwargs)


@builder(VGG19_Weights, init_weights=False)
def vgg19(**kwargs):
    """VGG with 19 layers."""
    return _vgg("E", False, kwargs)


@builder(VGG19_BN_Weights, init_weights=False)
def vgg19_bn(**kwargs):
    """VGG with 19 layers and batch normalization."""
    return _vgg("E", True, kwargs)
