"""DenseNet: every layer sees all earlier ones of its block.

Source: G. Huang et al. (2016), arXiv 1608.06993.
"""

import re
from collections import OrderedDict

import lampas
import lampas.nn.functional as F
from lampas import nn
from lampas.utils.checkpoint import checkpoint
from lampas.vision.models.builder import builder
from lampas.vision.models.weights import imagenet


def _weights(name, num_params, file):
    return imagenet(f"{name}_Weights", num_params, {"IMAGENET1K_V1": file})


DenseNet121_Weights = _weights("DenseNet121", 7978856, "densenet121-a639ec97.pth")
DenseNet161_Weights = _weights("DenseNet161", 28681000, "densenet161-8d451a50.pth")
DenseNet169_Weights = _weights("DenseNet169", 14149480, "densenet169-b2777c0a.pth")
DenseNet201_Weights = _weights("DenseNet201", 20013928, "densenet201-c1103571.pth")


class _DenseLayer(nn.Module):
    """`growth_rate` new channels from the list of all earlier ones, through a narrow 1 x 1."""

    def __init__(self, num_input_features, growth_rate, bn_size, drop_rate, memory_efficient=False):
        super().__init__()
        narrow = bn_size * growth_rate
        self.norm1 = nn.BatchNorm2d(num_input_features)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(num_input_features, narrow, kernel_size=1, stride=1, bias=False)
        self.norm2 = nn.BatchNorm2d(narrow)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(narrow, growth_rate, kernel_size=3, stride=1, padding=1, bias=False)
        self.drop_rate = float(drop_rate)
        self.memory_efficient = memory_efficient

    def bn_function(self, *features):
        """The narrow layer's output for the earlier features."""
        return self.conv1(self.relu1(self.norm1(lampas.cat(features, 1))))

    def forward(self, features):
        features = [features] if isinstance(features, lampas.Tensor) else features
        if self.memory_efficient and any(x.requires_grad for x in features):
            narrow = checkpoint(self.bn_function, *features, use_reentrant=False)
        else:
            narrow = self.bn_function(*features)
        new = self.conv2(self.relu2(self.norm2(narrow)))
        if self.drop_rate > 0:
            new = F.dropout(new, p=self.drop_rate, training=self.training)
        return new


class _DenseBlock(nn.ModuleDict):
    """`num_layers` layers; the output is the input with all of their channels."""

    def __init__(
        self,
        num_layers,
        num_input_features,
        bn_size,
        growth_rate,
        drop_rate,
        memory_efficient=False,
    ):
        super().__init__()
        for i in range(num_layers):
            channels = num_input_features + i * growth_rate
            layer = _DenseLayer(channels, growth_rate, bn_size, drop_rate, memory_efficient)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, init_features):
        features = [init_features]
        for layer in self.values():
            features.append(layer(features))
        return lampas.cat(features, 1)


class _Transition(nn.Sequential):
    """Between two blocks: fewer channels, half the sides."""

    def __init__(self, num_input_features, num_output_features):
        super().__init__()
        self.norm = nn.BatchNorm2d(num_input_features)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(
            num_input_features, num_output_features, kernel_size=1, stride=1, bias=False
        )
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseNet(nn.Module):
    """Blocks of `block_config[i]` layers: (B, 3, H, W), at least 29 x 29, to (B, num_classes).

    `memory_efficient` computes the concatenations again in the backward pass.
    """

    def __init__(
        self,
        growth_rate=32,
        block_config=(6, 12, 24, 16),
        num_init_features=64,
        bn_size=4,
        drop_rate=0,
        num_classes=1000,
        memory_efficient=False,
    ):
        super().__init__()
        channels = num_init_features
        self.features = nn.Sequential(
            OrderedDict(
                conv0=nn.Conv2d(3, channels, kernel_size=7, stride=2, padding=3, bias=False),
                norm0=nn.BatchNorm2d(channels),
                relu0=nn.ReLU(inplace=True),
                pool0=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
            )
        )
        for i, num_layers in enumerate(block_config, 1):
            block = _DenseBlock(
                num_layers, channels, bn_size, growth_rate, drop_rate, memory_efficient
            )
            self.features.add_module(f"denseblock{i}", block)
            channels += num_layers * growth_rate
            if i < len(block_config):
                self.features.add_module(f"transition{i}", _Transition(channels, channels // 2))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)
        for module in self.modules():
            _initialize(module)

    def forward(self, x):
        features = F.relu(self.features(x), inplace=True)
        return self.classifier(F.adaptive_avg_pool2d(features, (1, 1)).flatten(1))


def _initialize(module):
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.constant_(module.weight, 1)
        nn.init.constant_(module.bias, 0)
    elif isinstance(module, nn.Linear):
        nn.init.constant_(module.bias, 0)


def _renamed(state):
    """The tensors of files that say `norm.1` where the modules are called `norm1`."""
    old = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
    return {old.sub(r"\1\2", name): value for name, value in state.items()}


@builder(DenseNet121_Weights, renamed=_renamed)
def densenet121(**kwargs):
    """DenseNet-121. `kwargs` go to `DenseNet`."""
    return DenseNet(32, (6, 12, 24, 16), 64, **kwargs)


@builder(DenseNet161_Weights, renamed=_renamed)
def densenet161(**kwargs):
    """DenseNet-161."""
    return DenseNet(48, (6, 12, 36, 24), 96, **kwargs)


@builder(DenseNet169_Weights, renamed=_renamed)
def densenet169(**kwargs):
    """DenseNet-169."""
    return DenseNet(32, (6, 12, 32, 32), 64, **kwargs)


@builder(DenseNet201_Weights, renamed=_renamed)
def densenet201(**kwargs):
    """DenseNet-201."""
    return DenseNet(32, (6, 12, 48, 32), 64, **kwargs)
