"""Residual networks: ResNet 18 to 152, ResNeXt, Wide ResNet.

Sources: K. He et al. (2015), arXiv 1512.03385, with the stride on the 3 x 3 convolution of a
bottleneck ("version 1.5"); S. Xie et al. (2016), arXiv 1611.05431; S. Zagoruyko and N. Komodakis
(2016), arXiv 1605.07146.
"""

from lampas import nn
from lampas.vision.models.builder import builder
from lampas.vision.models.weights import imagenet


def _weights(name, num_params, first, second=None):
    files = {"IMAGENET1K_V1": first} if first else {}
    if second:
        files["IMAGENET1K_V2"] = (second, {"resize_size": 232})
    return imagenet(f"{name}_Weights", num_params, files)


ResNet18_Weights = _weights("ResNet18", 11689512, "resnet18-f37072fd.pth")
ResNet34_Weights = _weights("ResNet34", 21797672, "resnet34-b627a593.pth")
ResNet50_Weights = _weights("ResNet50", 25557032, "resnet50-0676ba61.pth", "resnet50-11ad3fa6.pth")
ResNet101_Weights = _weights(
    "ResNet101", 44549160, "resnet101-63fe2227.pth", "resnet101-cd907fc2.pth"
)
ResNet152_Weights = _weights(
    "ResNet152", 60192808, "resnet152-394f9c45.pth", "resnet152-f82ba261.pth"
)
ResNeXt50_32X4D_Weights = _weights(
    "ResNeXt50_32X4D", 25028904, "resnext50_32x4d-7cdf4587.pth", "resnext50_32x4d-1a0047aa.pth"
)
ResNeXt101_32X8D_Weights = _weights(
    "ResNeXt101_32X8D", 88791336, "resnext101_32x8d-8ba56ff5.pth", "resnext101_32x8d-110c445d.pth"
)
ResNeXt101_64X4D_Weights = imagenet(
    "ResNeXt101_64X4D_Weights",
    83455272,
    {"IMAGENET1K_V1": ("resnext101_64x4d-173b62eb.pth", {"resize_size": 232})},
)
Wide_ResNet50_2_Weights = _weights(
    "Wide_ResNet50_2", 68883240, "wide_resnet50_2-95faca4d.pth", "wide_resnet50_2-9ba9bcbe.pth"
)
Wide_ResNet101_2_Weights = _weights(
    "Wide_ResNet101_2", 126886696, "wide_resnet101_2-32ee1156.pth", "wide_resnet101_2-d733dc28.pth"
)


def conv3x3(in_planes, out_planes, stride=1, groups=1, dilation=1):
    """A 3 x 3 convolution that keeps the size (divided by `stride`), without bias."""
    return nn.Conv2d(
        in_planes,
        out_planes,
        kernel_size=3,
        stride=stride,
        padding=dilation,
        groups=groups,
        bias=False,
        dilation=dilation,
    )


def conv1x1(in_planes, out_planes, stride=1):
    """A 1 x 1 convolution without bias."""
    return nn.Conv2d(in_planes, out_planes, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """x + two 3 x 3 convolutions of it; `downsample` brings x to the new shape."""

    expansion = 1

    def __init__(
        self,
        inplanes,
        planes,
        stride=1,
        downsample=None,
        groups=1,
        base_width=64,
        dilation=1,
        norm_layer=None,
    ):
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        if groups != 1 or base_width != 64:
            raise ValueError("BasicBlock only supports groups=1 and base_width=64")
        if dilation > 1:
            raise NotImplementedError("Dilation > 1 not supported in BasicBlock")
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm_layer(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class Bottleneck(nn.Module):
    """x + a 3 x 3 convolution between two 1 x 1 that narrow and widen (by `expansion`)."""

    expansion = 4

    def __init__(
        self,
        inplanes,
        planes,
        stride=1,
        downsample=None,
        groups=1,
        base_width=64,
        dilation=1,
        norm_layer=None,
    ):
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm_layer(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm_layer(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm_layer(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    """Four stages of `layers[i]` blocks: (B, 3, H, W) to scores (B, num_classes).

    `groups` and `width_per_group` concern bottlenecks (ResNeXt, Wide ResNet);
    `replace_stride_with_dilation` keeps the resolution of the last three stages;
    `zero_init_residual` lets every block start as the identity.
    """

    def __init__(
        self,
        block,
        layers,
        num_classes=1000,
        zero_init_residual=False,
        groups=1,
        width_per_group=64,
        replace_stride_with_dilation=None,
        norm_layer=None,
    ):
        super().__init__()
        self._norm_layer = norm_layer or nn.BatchNorm2d
        self.inplanes = 64
        self.dilation = 1
        dilate = replace_stride_with_dilation or [False, False, False]
        if len(dilate) != 3:
            raise ValueError(
                "replace_stride_with_dilation should be None or a 3-element tuple, "
                f"got {replace_stride_with_dilation}"
            )
        self.groups = groups
        self.base_width = width_per_group
        self.conv1 = nn.Conv2d(3, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], stride=2, dilate=dilate[0])
        self.layer3 = self._make_layer(block, 256, layers[2], stride=2, dilate=dilate[1])
        self.layer4 = self._make_layer(block, 512, layers[3], stride=2, dilate=dilate[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        self._initialize(zero_init_residual)

    def _initialize(self, zero_init_residual):
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(module.weight, 1)
                nn.init.constant_(module.bias, 0)
        if not zero_init_residual:
            return
        for module in self.modules():
            last = {BasicBlock: "bn2", Bottleneck: "bn3"}.get(type(module))
            if last and getattr(module, last).weight is not None:
                nn.init.constant_(getattr(module, last).weight, 0)

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
        before = self.dilation
        if dilate:
            self.dilation *= stride
            stride = 1
        downsample = None
        outplanes = planes * block.expansion
        if stride != 1 or self.inplanes != outplanes:
            downsample = nn.Sequential(
                conv1x1(self.inplanes, outplanes, stride), self._norm_layer(outplanes)
            )
        shape = (self.groups, self.base_width)
        first = block(self.inplanes, planes, stride, downsample, *shape, before, self._norm_layer)
        self.inplanes = outplanes
        rest = [
            block(outplanes, planes, 1, None, *shape, self.dilation, self._norm_layer)
            for _ in range(1, blocks)
        ]
        return nn.Sequential(first, *rest)

    def _forward_impl(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (B, 64, H/4, W/4)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (B, 512 * e, H/32, W/32)
        return self.fc(self.avgpool(x).flatten(1))

    def forward(self, x):
        return self._forward_impl(x)


@builder(ResNet18_Weights)
def resnet18(**kwargs):
    """ResNet-18. `kwargs` go to `ResNet`."""
    return ResNet(BasicBlock, [2, 2, 2, 2], **kwargs)


@builder(ResNet34_Weights)
def resnet34(**kwargs):
    """ResNet-34."""
    return ResNet(BasicBlock, [3, 4, 6, 3], **kwargs)


@builder(ResNet50_Weights)
def resnet50(**kwargs):
    """ResNet-50."""
    return ResNet(Bottleneck, [3, 4, 6, 3], **kwargs)


@builder(ResNet101_Weights)
def resnet101(**kwargs):
    """ResNet-101."""
    return ResNet(Bottleneck, [3, 4, 23, 3], **kwargs)


@builder(ResNet152_Weights)
def resnet152(**kwargs):
    """ResNet-152."""
    return ResNet(Bottleneck, [3, 8, 36, 3], **kwargs)


@builder(ResNeXt50_32X4D_Weights)
def resnext50_32x4d(**kwargs):
    """ResNeXt-50 with 32 groups of width 4."""
    return ResNet(Bottleneck, [3, 4, 6, 3], **{**kwargs, "groups": 32, "width_per_group": 4})


@builder(ResNeXt101_32X8D_Weights)
def resnext101_32x8d(**kwargs):
    """ResNeXt-101 with 32 groups of width 8."""
    return ResNet(Bottleneck, [3, 4, 23, 3], **{**kwargs, "groups": 32, "width_per_group": 8})


@builder(ResNeXt101_64X4D_Weights)
def resnext101_64x4d(**kwargs):
    """ResNeXt-101 with 64 groups of width 4."""
    return ResNet(Bottleneck, [3, 4, 23, 3], **{**kwargs, "groups": 64, "width_per_group": 4})


@builder(Wide_ResNet50_2_Weights)
def wide_resnet50_2(**kwargs):
    """ResNet-50 with 3 x 3 convolutions twice as wide."""
    return ResNet(Bottleneck, [3, 4, 6, 3], **{**kwargs, "width_per_group": 128})


@builder(Wide_ResNet101_2_Weights)
def wide_resnet101_2(**kwargs):
    """ResNet-101 with 3 x 3 convolutions twice as wide."""
    return ResNet(Bottleneck, [3, 4, 23, 3], **{**kwargs, "width_per_group": 128})
