"""A small residual network learns pictures in the format of CIFAR-10.

    python examples/resnet_cifar.py            with Lampas
    python examples/resnet_cifar.py --torch    the same program on PyTorch: the same losses

--data FOLDER takes CIFAR-10 from FOLDER/cifar-10-batches-py; without it shapes are drawn.
Source: K. He et al. (2015), section 4.2, with 3n + 1 stages of n = --blocks.
"""

import sys
import tempfile
from pathlib import Path

from classification import F, TensorDataset, fit
from engine import arguments, tensors_of, torch
from generated_data import write_cifar

nn = torch.nn


class ResidualBlock(nn.Module):
    """x plus two 3 x 3 convolutions of it; a convolution fits x where the shape changes."""

    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.downsample(x))


class ResNet(nn.Module):
    """(B, 3, 32, 32) to scores (B, num_classes): stages of 16, 32 and 64 channels."""

    def __init__(self, blocks, num_classes=10):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.layer1 = self.stage(16, 16, blocks, 1)
        self.layer2 = self.stage(16, 32, blocks, 2)
        self.layer3 = self.stage(32, 64, blocks, 2)
        self.fc = nn.Linear(64, num_classes)

    @staticmethod
    def stage(in_channels, out_channels, blocks, stride):
        first = ResidualBlock(in_channels, out_channels, stride)
        rest = [ResidualBlock(out_channels, out_channels) for _ in range(1, blocks)]
        return nn.Sequential(first, *rest)

    def forward(self, x):
        x = F.relu(self.bn(self.conv(x)))
        x = self.layer3(self.layer2(self.layer1(x)))  # (B, 64, 8, 8)
        return self.fc(F.avg_pool2d(x, 8).flatten(1))


def augment(images):
    """The batch mirrored or not, and shifted by up to 4 pixels on black ground."""
    if torch.rand(1).item() < 0.5:
        images = images.flip(-1)
    top, left = torch.randint(0, 9, (2,)).tolist()
    return F.pad(images, (4, 4, 4, 4))[..., top : top + 32, left : left + 32]


def load_cifar(args):
    """Two datasets of images (3, 32, 32), normalized, and labels: to train and to test."""
    from lampas.vision.datasets import CIFAR10

    with tempfile.TemporaryDirectory() as folder:
        root = args.data or write_cifar(Path(folder), args.count, args.count // 5, args.seed)
        parts = [tensors_of(CIFAR10(str(root), train=train)) for train in (True, False)]
    return [TensorDataset((x.permute(0, 3, 1, 2) / 255 - 0.5) / 0.25, y) for x, y in parts]


def main(argv=None):
    args = arguments(
        __doc__, argv, epochs=6, batch_size=50, count=1000, blocks=1, learning_rate=0.003, data=None
    )
    train_set, test_set = load_cifar(args)
    net = ResNet(args.blocks)
    print(f"{sum(p.numel() for p in net.parameters()):,} parameters")
    optimizer = torch.optim.Adam(net.parameters(), lr=args.learning_rate)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, max(args.epochs // 3, 1), gamma=0.4)
    accuracy = fit(net, train_set, test_set, optimizer, args, augment, scheduler)
    torch.save(net.state_dict(), args.out / "resnet.pt")
    return accuracy


if __name__ == "__main__":
    sys.exit(main() < 0.75)
