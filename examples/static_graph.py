"""A network of two layers as a static graph: defined once, run many times.

    python examples/static_graph.py [--steps 500]

The computation of `two_layer_net.py` by hand, in TensorFlow's way: placeholders, variables,
gradients and assignments are nodes; nothing is computed before a session runs some of them. This
program is for Lampas: PyTorch has no static graph.
"""

import argparse

import lampas as torch
from lampas import graph

N, D_IN, H, D_OUT = 64, 1000, 100, 10  # batch, input, hidden, output


def define(learning_rate=1e-6):
    """(x, y, loss, [steps of the weights]) of the network."""
    x = graph.placeholder(torch.float32, shape=(None, D_IN))
    y = graph.placeholder(torch.float32, shape=(None, D_OUT))
    w1 = graph.Variable(torch.randn(D_IN, H))
    w2 = graph.Variable(torch.randn(H, D_OUT))

    h_relu = torch.clamp(torch.matmul(x, w1), min=0)  # (N, H)
    y_pred = torch.matmul(h_relu, w2)  # (N, D_OUT)
    loss = torch.sum((y - y_pred) ** 2.0)

    grad_w1, grad_w2 = graph.gradients(loss, [w1, w2])
    new_w1 = w1.assign(w1 - learning_rate * grad_w1)
    new_w2 = w2.assign(w2 - learning_rate * grad_w2)
    return x, y, loss, [new_w1, new_w2]


def train(steps):
    """The losses of so many runs."""
    torch.manual_seed(0)
    x, y, loss, updates = define()
    x_value, y_value = torch.randn(N, D_IN), torch.randn(N, D_OUT)
    with graph.Session() as session:
        for _ in range(steps):
            value, _ = session.run([loss, updates], feed_dict={x: x_value, y: y_value})
            yield value.item()


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--steps", type=int, default=500)
    for step, loss in enumerate(train(options.parse_args().steps), 1):
        if step % 100 == 0:
            print(f"step {step}: loss {loss:.6g}")


if __name__ == "__main__":
    main()
