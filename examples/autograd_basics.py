"""Gradients, a data set of one's own, a model saved and loaded: the first things one tries.

Both print the same:

    python examples/autograd_basics.py            with Lampas
    python examples/autograd_basics.py --torch    with PyTorch
"""

import csv
import math
import tempfile
from pathlib import Path

from engine import arguments, torch

nn = torch.nn


def gradients():
    """Derivatives of y = w x + b, of a vector, and of a derivative."""
    x, w, b = (torch.tensor(value, requires_grad=True) for value in (1.0, 2.0, 3.0))
    y = w * x + b
    y.backward()
    print(f"y = {y.item()}: dy/dx {x.grad.item()}, dy/dw {w.grad.item()}, dy/db {b.grad.item()}")

    v = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    squares = v**2
    squares.backward(gradient=torch.tensor([1.0, 10.0, 100.0]))
    print("weighted gradient of v**2:", v.grad)
    with torch.no_grad():
        print("recorded without no_grad, within:", squares.requires_grad, (v**2).requires_grad)
    print("detached:", squares.detach().grad_fn, " recorded:", type(squares.grad_fn).__name__)

    (slope,) = torch.autograd.grad((v**3).sum(), v, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), v)
    print("second derivative of v**3:", curvature)


def one_step():
    """One step of gradient descent on a linear layer lowers its loss."""
    x, y = torch.randn(10, 3), torch.randn(10, 2)
    linear = nn.Linear(3, 2)
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(linear.parameters(), lr=0.01)
    before = criterion(linear(x), y)
    before.backward()
    print("dL/dw:", linear.weight.grad)
    print("dL/db:", linear.bias.grad)
    optimizer.step()
    after = criterion(linear(x), y)
    print(f"loss {before.item():.5f} before the step, {after.item():.5f} after it")


class Spirals(torch.utils.data.Dataset):
    """Points (x, y) with the number of the arm they lie on, from a CSV file."""

    def __init__(self, path):
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        self.points = torch.tensor([[float(row["x"]), float(row["y"])] for row in rows])  # (N, 2)
        self.arms = torch.tensor([int(row["arm"]) for row in rows])  # (N,)

    def __len__(self):
        return len(self.arms)

    def __getitem__(self, index):
        return self.points[index], self.arms[index]


def write_spirals(path, count=90, arms=3):
    """A CSV file of points along spiral arms."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["x", "y", "arm"])
        for i in range(count):
            radius, arm = (i // arms + 1) * arms / count, i % arms
            angle = 3 * radius + arm * 2 * math.pi / arms
            writer.writerow([radius * math.cos(angle), radius * math.sin(angle), arm])


def train_on(dataset):
    """A small network learns to tell the arms; returns it."""
    loader = torch.utils.data.DataLoader(dataset, batch_size=16, shuffle=True)
    points, arms = next(iter(loader))
    print("a batch:", points.shape, arms.tolist())
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for epoch in range(1, 81):
        total = 0.0
        for points, arms in loader:
            loss = nn.functional.cross_entropy(net(points), arms)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(arms)
        if epoch % 20 == 0:
            print(f"epoch {epoch:2}  loss {total / len(dataset):.4f}")
    hits = (net(dataset.points).argmax(1) == dataset.arms).sum().item()
    print(f"{hits} of {len(dataset)} points on the right arm")
    return net


def save_and_load(net, path):
    """The parameters alone, into a network of the same shape."""
    torch.save(net.state_dict(), path)
    copy = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 3))
    copy.load_state_dict(torch.load(path))
    point = torch.tensor([[0.5, -0.25]])
    print("the loaded network computes the same:", torch.equal(net(point), copy(point)))


def main(argv=None):
    arguments(__doc__, argv, writes=False)
    gradients()
    one_step()
    with tempfile.TemporaryDirectory() as folder:
        write_spirals(Path(folder, "spirals.csv"))
        net = train_on(Spirals(Path(folder, "spirals.csv")))
        save_and_load(net, Path(folder, "net.pt"))


if __name__ == "__main__":
    main()
