"""A straight line through 15 points: gradient descent against the exact least squares, plotted.

Both print the same:

    python examples/linear_regression.py            with Lampas
    python examples/linear_regression.py --torch    with PyTorch
"""

import sys

from engine import arguments, torch

nn = torch.nn


def points():
    """15 points near y = 0.6 x - 1: x (15, 1), y (15, 1)."""
    x = torch.rand(15, 1) * 10
    return x, 0.6 * x - 1 + 0.4 * torch.randn(15, 1)


def descend(x, y, epochs):
    """(model, losses) of gradient descent on the mean squared error."""
    model = nn.Linear(1, 1)
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    losses = []
    for epoch in range(1, epochs + 1):
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if epoch % (epochs // 6) == 0:
            print(f"epoch [{epoch}/{epochs}], loss: {loss.item():.4f}")
    return model, losses


def exact(x, y):
    """(slope, intercept) of least squares."""
    columns = torch.cat([x, torch.ones_like(x)], dim=1)  # (15, 2)
    slope, intercept = torch.linalg.lstsq(columns, y).solution.flatten().tolist()
    return slope, intercept


def draw(path, x, y, model, losses):
    try:
        import matplotlib
    except ImportError:
        print("no picture: matplotlib is not installed")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with torch.no_grad():
        ends = torch.tensor([[0.0], [10.0]])
        line = model(ends).flatten().tolist()
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    left.plot(x.flatten().tolist(), y.flatten().tolist(), "o", color="tab:red", label="15 points")
    left.plot([0, 10], line, color="tab:blue", label="fitted line")
    left.set(xlabel="x", ylabel="y")
    left.legend()
    right.semilogy(losses)
    right.set(xlabel="epoch", ylabel="mean squared error")
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"picture {path}")


def main(argv=None):
    args = arguments(__doc__, argv, epochs=600)
    x, y = points()
    model, losses = descend(x, y, args.epochs)
    print(f"gradient descent: y = {model.weight.item():.3f} x {model.bias.item():+.3f}")
    slope, intercept = exact(x, y)
    print(f"least squares:    y = {slope:.3f} x {intercept:+.3f}")
    draw(args.out / "line.png", x, y, model, losses)
    return abs(model.weight.item() - slope) < 0.01


if __name__ == "__main__":
    sys.exit(not main())
