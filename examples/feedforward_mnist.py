"""A network with one hidden layer, 784-500-10, reads handwritten digits.

    python examples/feedforward_mnist.py            with Lampas
    python examples/feedforward_mnist.py --torch    the same program on PyTorch: the same losses

--data FOLDER takes MNIST from FOLDER/MNIST/raw; without it digits are drawn.
"""

import sys

from classification import fit, load_mnist
from engine import arguments, torch

nn = torch.nn


class NeuralNet(nn.Module):
    """(B, 1, 28, 28) to scores (B, num_classes) through one hidden layer."""

    def __init__(self, input_size=784, hidden_size=500, num_classes=10):
        super().__init__()
        self.fc1 = nn.Linear(input_size, hidden_size)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(hidden_size, num_classes)

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(x.flatten(1))))


def main(argv=None):
    args = arguments(
        __doc__, argv, epochs=8, batch_size=50, count=1000, learning_rate=0.002, data=None
    )
    train_set, test_set = load_mnist(args)
    net = NeuralNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=args.learning_rate)
    accuracy = fit(net, train_set, test_set, optimizer, args)
    torch.save(net.state_dict(), args.out / "feedforward.pt")
    return accuracy


if __name__ == "__main__":
    sys.exit(main() < 0.9)
