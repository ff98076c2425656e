"""LeNet learns handwritten digits: train, save, load back, check, draw a report.

    python examples/digits.py            with Lampas
    python examples/digits.py --torch    the same program with PyTorch: the same printed losses
    python examples/digits.py --device cuda   on a GPU

Only the import differs between the two. The digits come with Lampas, 1,797 of them.
"""

import argparse
import sys
import time
from pathlib import Path

if "--torch" in sys.argv:
    import torch
    import torch.nn.functional as F
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset, random_split
else:
    import lampas as torch
    import lampas.nn.functional as F
    from lampas import nn
    from lampas.utils.data import DataLoader, TensorDataset, random_split


class LeNet(nn.Module):
    """Two convolutions, three linear layers, sigmoids: (B, 1, 32, 32) to 10 scores."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)
        for layer in self.children():
            # A sigmoid is flat: twice Glorot's width keeps the signal alive through five layers.
            nn.init.xavier_uniform_(layer.weight, gain=2.0)

    def forward(self, x):
        x = F.max_pool2d(torch.sigmoid(self.conv1(x)), 2)  # (B, 6, 14, 14)
        x = F.max_pool2d(torch.sigmoid(self.conv2(x)), 2)  # (B, 16, 5, 5)
        x = torch.sigmoid(self.fc1(x.flatten(1)))
        x = torch.sigmoid(self.fc2(x))
        return self.fc3(x)


def load_digits():
    """All digits as one dataset: images (1797, 1, 32, 32) in 0..1, labels (1797,)."""
    from lampas.vision.datasets import Digits

    digits = Digits()
    images = torch.tensor(digits.data.tolist(), dtype=torch.float32).unsqueeze(1) / 255
    images = F.interpolate(images, size=(32, 32), mode="bilinear", align_corners=False)
    return TensorDataset(images, torch.tensor(digits.targets.tolist()))


def train_epoch(net, loader, optimizer, bar):
    """One pass; returns mean loss and accuracy on the training digits."""
    net.train()
    total, hits, seen = 0.0, 0, 0
    started = time.perf_counter()
    device = next(net.parameters()).device
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        scores = net(images)
        loss = F.cross_entropy(scores, labels)
        loss.backward()
        optimizer.step()
        seen += len(labels)
        total += loss.item() * len(labels)
        hits += (scores.argmax(1) == labels).sum().item()
        rate = seen / (time.perf_counter() - started)
        bar.show(len(labels), total / seen, hits / seen, rate)
    return total / seen, hits / seen


@torch.no_grad()
def evaluate(net, dataset):
    """Mean loss, accuracy, and the predicted and true labels on a dataset."""
    net.eval()
    device = next(net.parameters()).device
    images, labels = next(iter(DataLoader(dataset, batch_size=len(dataset))))
    images, labels = images.to(device), labels.to(device)
    scores = net(images)
    predicted = scores.argmax(1)
    accuracy = (predicted == labels).float().mean().item()
    return F.cross_entropy(scores, labels).item(), accuracy, predicted, labels


class Progress:
    """A tqdm bar with loss, accuracy and samples/s; silent without tqdm or with --quiet."""

    def __init__(self, title, total, quiet):
        try:
            from tqdm import tqdm
        except ImportError:
            quiet = True
        hidden = quiet or not sys.stderr.isatty()
        self.bar = None if hidden else tqdm(total=total, desc=title, leave=False, ncols=90)

    def show(self, count, loss, accuracy, rate):
        if self.bar is None:
            return
        self.bar.set_postfix_str(f"loss {loss:.4f}, acc {accuracy:.1%}, {rate:,.0f}/s", False)
        self.bar.update(count)

    def close(self):
        if self.bar is not None:
            self.bar.close()


def train(args, train_set, test_set):
    """The trained network, its optimizer, and the curves for the report."""
    net = LeNet().to(args.device)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)
    loader = DataLoader(train_set, batch_size=16, shuffle=True)
    history = []
    for epoch in range(1, args.epochs + 1):
        bar = Progress(f"epoch {epoch:2}/{args.epochs}", len(train_set), args.quiet)
        train_loss, train_accuracy = train_epoch(net, loader, optimizer, bar)
        bar.close()
        scheduler.step()
        test_loss, test_accuracy, *_ = evaluate(net, test_set)
        history.append((train_loss, train_accuracy, test_loss, test_accuracy))
        print(
            f"epoch {epoch:2}  loss {train_loss:.4f}  accuracy {train_accuracy:6.2%}  "
            f"held-out loss {test_loss:.4f}  accuracy {test_accuracy:6.2%}",
            flush=True,
        )
    return net, optimizer, history


def check_checkpoint(path, net, optimizer, test_set):
    """Save, load into a fresh network, and require the very same predictions."""
    torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, path)
    checkpoint = torch.load(path)
    device = next(net.parameters()).device
    copy = LeNet().to(device)
    copy.load_state_dict(checkpoint["net"])
    images = next(iter(DataLoader(test_set, batch_size=len(test_set))))[0].to(device)
    with torch.no_grad():
        if not torch.equal(net(images), copy(images)):
            raise SystemExit("the loaded network computes something else than the saved one")
    print(f"checkpoint {path}: {path.stat().st_size:,} bytes, loaded back, same scores")


def draw_report(path, history, test_set, predicted, labels):
    """Curves, confusion matrix and a grid of digits, as one picture."""
    try:
        import matplotlib
    except ImportError:
        print("no report: matplotlib is not installed")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=(13, 8), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.35))
    curves, matrix = left.subplots(2, 1, height_ratios=(1, 1.4))
    draw_curves(curves, history)
    draw_confusion(matrix, predicted.tolist(), labels.tolist())
    draw_digits(right, test_set, predicted.tolist(), labels.tolist())
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"report {path}")


def draw_curves(axes, history):
    epochs = range(1, len(history) + 1)
    train_loss, _, test_loss, test_accuracy = zip(*history)
    axes.plot(epochs, train_loss, color="tab:blue", label="training loss")
    axes.plot(epochs, test_loss, color="tab:blue", linestyle="--", label="held-out loss")
    axes.set(xlabel="epoch", ylabel="cross-entropy", ylim=(0, None), title="Learning")
    right = axes.twinx()
    percent = [100 * accuracy for accuracy in test_accuracy]
    right.plot(epochs, percent, color="tab:orange", label="held-out accuracy")
    right.set(ylabel="accuracy, %", ylim=(0, 101))
    lines = axes.get_lines() + right.get_lines()
    axes.legend(lines, [line.get_label() for line in lines], loc="center right")


def draw_confusion(axes, predicted, labels):
    counts = [[0] * 10 for _ in range(10)]
    for guess, truth in zip(predicted, labels):
        counts[truth][guess] += 1
    axes.imshow(counts, cmap="Blues")
    for truth, row in enumerate(counts):
        for guess, count in enumerate(row):
            color = "white" if count > 20 else "black" if count else "lightgray"
            axes.text(guess, truth, count, ha="center", va="center", color=color, fontsize=8)
    ticks = range(10)
    axes.set(xlabel="predicted", ylabel="true", xticks=ticks, yticks=ticks, title="Confusion")


def draw_digits(figure, test_set, predicted, labels):
    """Held-out digits with predictions, mistakes first."""
    order = sorted(range(len(labels)), key=lambda i: predicted[i] == labels[i])[:56]
    mistakes = sum(guess != truth for guess, truth in zip(predicted, labels))
    figure.suptitle(f"{mistakes} mistakes in {len(labels)} held-out digits")
    for axes, i in zip(figure.subplots(7, 8).flat, order):
        axes.imshow(test_set[i][0][0].tolist(), cmap="gray_r")
        right = predicted[i] == labels[i]
        title = str(predicted[i]) if right else f"{predicted[i]} (is {labels[i]})"
        axes.set_title(title, fontsize=9, color="black" if right else "red")
        axes.axis("off")


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", action="store_true", help="run with PyTorch")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for what is written")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    train_set, test_set = random_split(load_digits(), [1437, 360])
    print(f"{len(train_set)} digits to learn from, {len(test_set)} held out")
    started = time.perf_counter()
    net, optimizer, history = train(args, train_set, test_set)
    seconds = time.perf_counter() - started
    rate = args.epochs * len(train_set) / seconds
    print(f"trained in {seconds:.1f} s, {rate:,.0f} samples/s")
    check_checkpoint(args.out / "lenet.pt", net, optimizer, test_set)
    _, accuracy, predicted, labels = evaluate(net, test_set)
    draw_report(args.out / "report.png", history, test_set, predicted, labels)
    print(f"held-out accuracy {accuracy:.2%}")
    return accuracy


if __name__ == "__main__":
    sys.exit(main() < 0.97)
