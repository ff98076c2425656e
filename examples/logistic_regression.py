"""Logistic regression: one linear layer tells handwritten digits apart.

    python examples/logistic_regression.py            with Lampas
    python examples/logistic_regression.py --torch    the same program on PyTorch: the same losses

--data FOLDER takes MNIST from FOLDER/MNIST/raw; without it digits are drawn.
"""

import sys

from classification import fit, load_mnist
from engine import arguments, torch

nn = torch.nn


def main(argv=None):
    args = arguments(
        __doc__, argv, epochs=15, batch_size=20, count=1000, learning_rate=0.1, data=None
    )
    train_set, test_set = load_mnist(args)
    # The softmax and the logarithm of the likelihood are part of the cross-entropy.
    net = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=args.learning_rate)
    return fit(net, train_set, test_set, optimizer, args)


if __name__ == "__main__":
    sys.exit(main() < 0.9)
