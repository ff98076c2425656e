"""A network of two layers in eight forms, from NumPy by hand to dynamic depth.

    python examples/two_layer_net.py                       all forms, with Lampas
    python examples/two_layer_net.py --forms optim,module  some of them
    python examples/two_layer_net.py --torch               the same with PyTorch

The first four forms are the same computation and start from the same weights: each prints the
losses of the one before, while less and less of the gradient is written by hand.
"""

import random

from engine import arguments, torch

nn = torch.nn

N, D_IN, H, D_OUT = 64, 1000, 100, 10  # batch, input, hidden, output


def data():
    """Random inputs (N, D_IN) and outputs (N, D_OUT), and weights for the forms by hand."""
    torch.manual_seed(0)
    random.seed(0)
    return tuple(torch.randn(*shape) for shape in ((N, D_IN), (N, D_OUT), (D_IN, H), (H, D_OUT)))


def by_numpy(steps):
    """Forward and backward with arrays."""
    import numpy as np

    x, y, w1, w2 = (tensor.numpy() for tensor in data())
    for _ in range(steps):
        h = x.dot(w1)
        h_relu = np.maximum(h, 0)
        y_pred = h_relu.dot(w2)
        yield float(np.square(y_pred - y).sum())
        grad_y = 2.0 * (y_pred - y)
        grad_w2 = h_relu.T.dot(grad_y)
        grad_h = grad_y.dot(w2.T)
        grad_h[h < 0] = 0
        w1 -= 1e-6 * x.T.dot(grad_h)
        w2 -= 1e-6 * grad_w2


def by_tensors(steps):
    """The same with tensors, the gradient still by hand."""
    x, y, w1, w2 = data()
    for _ in range(steps):
        h = x.mm(w1)
        h_relu = h.clamp(min=0)
        y_pred = h_relu.mm(w2)
        yield (y_pred - y).pow(2).sum().item()
        grad_y = 2.0 * (y_pred - y)
        grad_w2 = h_relu.t().mm(grad_y)
        grad_h = grad_y.mm(w2.t())
        grad_h[h < 0] = 0
        w1 -= 1e-6 * x.t().mm(grad_h)
        w2 -= 1e-6 * grad_w2


def by_autograd(steps, relu=lambda h: h.clamp(min=0)):
    """The gradient from `backward`, the update by hand."""
    x, y, w1, w2 = data()
    w1.requires_grad_()
    w2.requires_grad_()
    for _ in range(steps):
        loss = (relu(x.mm(w1)).mm(w2) - y).pow(2).sum()
        yield loss.item()
        loss.backward()
        with torch.no_grad():
            for w in (w1, w2):
                w -= 1e-6 * w.grad
                w.grad.zero_()


class ReLU(torch.autograd.Function):
    """max(x, 0) with a gradient of one's own."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, grad_y):
        (x,) = ctx.saved_tensors
        grad_x = grad_y.clone()
        grad_x[x < 0] = 0
        return grad_x


def by_function(steps):
    """The same with one's own function in the graph."""
    return by_autograd(steps, ReLU.apply)


def sequential():
    return nn.Sequential(nn.Linear(D_IN, H), nn.ReLU(), nn.Linear(H, D_OUT))


def by_nn(steps):
    """Layers and loss from `nn`, the update by hand."""
    x, y, *_ = data()
    model = sequential()
    for _ in range(steps):
        loss = nn.MSELoss(reduction="sum")(model(x), y)
        yield loss.item()
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 1e-4 * parameter.grad


def fit(model, optimizer, steps):
    x, y, *_ = data()
    for _ in range(steps):
        loss = nn.functional.mse_loss(model(x), y, reduction="sum")
        yield loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def by_optim(steps):
    """The update from `optim`."""
    torch.manual_seed(1)
    model = sequential()
    return fit(model, torch.optim.Adam(model.parameters(), lr=1e-4), steps)


class TwoLayerNet(nn.Module):
    """A module of one's own: (B, D_IN) to (B, D_OUT)."""

    def __init__(self):
        super().__init__()
        self.linear1 = nn.Linear(D_IN, H)
        self.linear2 = nn.Linear(H, D_OUT)

    def forward(self, x):
        return self.linear2(self.linear1(x).clamp(min=0))


def by_module(steps):
    """Layers in a module of one's own."""
    torch.manual_seed(1)
    model = TwoLayerNet()
    return fit(model, torch.optim.SGD(model.parameters(), lr=1e-4), steps)


class DynamicNet(nn.Module):
    """Zero to three passes through one middle layer, drawn anew each time."""

    def __init__(self):
        super().__init__()
        self.input_linear = nn.Linear(D_IN, H)
        self.middle_linear = nn.Linear(H, H)
        self.output_linear = nn.Linear(H, D_OUT)

    def forward(self, x):
        h = self.input_linear(x).clamp(min=0)
        for _ in range(random.randint(0, 3)):
            h = self.middle_linear(h).clamp(min=0)
        return self.output_linear(h)


def by_dynamic(steps):
    """Python's own control flow in `forward`, and shared weights."""
    torch.manual_seed(1)
    model = DynamicNet()
    return fit(model, torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9), steps)


FORMS = {
    "numpy": by_numpy,
    "tensors": by_tensors,
    "autograd": by_autograd,
    "function": by_function,
    "nn": by_nn,
    "optim": by_optim,
    "module": by_module,
    "dynamic": by_dynamic,
}


def main(argv=None):
    args = arguments(__doc__, argv, writes=False, forms=",".join(FORMS), steps=100)
    for name in args.forms.split(","):
        try:
            losses = list(FORMS[name](args.steps))
        except ModuleNotFoundError as error:
            print(f"{name:8} needs {error.name}, which is not installed")
            continue
        shown = [f"{loss:.4g}" for loss in losses[:: max(1, args.steps // 5)] + losses[-1:]]
        print(f"{name:8} {' '.join(f'{text:>9}' for text in shown)}   {FORMS[name].__doc__}")


if __name__ == "__main__":
    main()
