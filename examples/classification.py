"""What the classification examples share: MNIST as tensors, a training loop, the accuracy."""

import tempfile
from pathlib import Path

from engine import tensors_of, torch
from generated_data import write_mnist

F = torch.nn.functional
TensorDataset, DataLoader = torch.utils.data.TensorDataset, torch.utils.data.DataLoader


def load_mnist(args):
    """Two datasets of images (1, 28, 28) in 0..1 and labels, to train and to test.

    `args.data` is a folder with MNIST/raw; without it `args.count` digits are drawn.
    """
    from lampas.vision.datasets import MNIST

    with tempfile.TemporaryDirectory() as folder:
        root = args.data or write_mnist(Path(folder), args.count, args.count // 5, args.seed)
        parts = [tensors_of(MNIST(str(root), train=train)) for train in (True, False)]
    return [TensorDataset(images.float().unsqueeze(1) / 255, y) for images, y in parts]


def fit(net, train_set, test_set, optimizer, args, augment=None, scheduler=None):
    """Train; prints loss and accuracy of every epoch and returns the last accuracy.

    `augment` changes a batch of images; `scheduler` steps after each epoch.
    """
    loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    for epoch in range(1, args.epochs + 1):
        net.train()
        total = 0.0
        for images, labels in loader:
            images = augment(images) if augment else images
            loss = F.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        if scheduler:
            scheduler.step()
        accuracy = evaluate(net, test_set)
        print(
            f"epoch {epoch:2}  loss {total / len(train_set):.4f}  accuracy {accuracy:6.2%}",
            flush=True,
        )
    return accuracy


@torch.no_grad()
def evaluate(net, dataset):
    """The share of right answers."""
    net.eval()
    hits = 0
    for images, labels in DataLoader(dataset, batch_size=256):
        hits += (net(images).argmax(1) == labels).sum().item()
    return hits / len(dataset)
