"""A convolutional network with batch normalization reads handwritten digits.

    python examples/convnet_mnist.py            with Lampas
    python examples/convnet_mnist.py --torch    the same program on PyTorch: the same losses

--data FOLDER takes MNIST from FOLDER/MNIST/raw; without it digits are drawn.
"""

import sys

from classification import fit, load_mnist
from engine import arguments, torch

nn = torch.nn


class ConvNet(nn.Module):
    """Two stages of convolution, normalization, ReLU and pooling; (B, 1, 28, 28) to 10 scores."""

    def __init__(self, num_classes=10):
        super().__init__()
        self.layer1 = self.stage(1, 16)
        self.layer2 = self.stage(16, 32)
        self.fc = nn.Linear(7 * 7 * 32, num_classes)

    @staticmethod
    def stage(channels, filters):
        return nn.Sequential(
            nn.Conv2d(channels, filters, kernel_size=5, stride=1, padding=2),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=2, stride=2),
        )

    def forward(self, x):
        x = self.layer2(self.layer1(x))  # (B, 32, 7, 7)
        return self.fc(x.flatten(1))


def main(argv=None):
    args = arguments(
        __doc__, argv, epochs=4, batch_size=50, count=1000, learning_rate=0.002, data=None
    )
    train_set, test_set = load_mnist(args)
    net = ConvNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=args.learning_rate)
    accuracy = fit(net, train_set, test_set, optimizer, args)
    torch.save(net.state_dict(), args.out / "convnet.pt")
    return accuracy


if __name__ == "__main__":
    sys.exit(main() < 0.95)
