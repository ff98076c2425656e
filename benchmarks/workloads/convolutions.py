"""Convolutions of ResNet-50 and LeNet, forward and with their gradients."""

from workloads import Step, digest, workload

# name: target, batch, channels in, pixels, channels out, window, stride, padding
SHAPES = {
    "7x7": (0.92, 8, 3, 224, 64, 7, 2, 3),
    "3x3.64": (0.92, 8, 64, 56, 64, 3, 1, 1),
    "3x3.128": (0.92, 8, 128, 28, 128, 3, 1, 1),
    "3x3.256": (0.92, 8, 256, 14, 256, 3, 1, 1),
    "3x3.512": (0.92, 8, 512, 7, 512, 3, 1, 1),
    "1x1.64-256": (0.8, 8, 64, 56, 256, 1, 1, 0),
    "1x1.1024-256": (0.8, 8, 1024, 14, 256, 1, 1, 0),
    "1x1.256-512.stride2": (0.8, 8, 256, 56, 512, 1, 2, 0),
    "lenet.1": (0.4, 64, 1, 32, 6, 5, 1, 0),
    "lenet.2": (0.4, 64, 6, 14, 16, 5, 1, 0),
}
FIRST = ("7x7", "lenet.1")  # layers whose input needs no gradient


def convolution(name, backward):
    _, batch, inputs, size, outputs, window, stride, padding = SHAPES[name]

    def make(t, tuned):
        t.manual_seed(0)
        x = t.randn(batch, inputs, size, size)
        w = t.randn(outputs, inputs, window, window)
        if tuned:
            x, w = (z.contiguous(memory_format=t.channels_last) for z in (x, w))

        def forward():
            return t.nn.functional.conv2d(x, w, stride=stride, padding=padding)

        if not backward:
            return Step(forward, lambda: digest(forward()))
        wanted = [w] if name in FIRST else [x, w]
        g = t.ones_like(forward())
        for z in wanted:
            z.requires_grad_()

        def step():
            x.grad = w.grad = None
            forward().backward(g)

        def check():
            step()
            return digest(*(z.grad for z in wanted))

        return Step(step, check)

    return make


for _name, (_target, _n, _in, _size, _out, _window, _stride, _padding) in SHAPES.items():
    _side = (_size + 2 * _padding - _window) // _stride + 1
    _flops = 2.0 * _n * _out * _in * _window**2 * _side**2
    _passes = 2 if _name in FIRST else 3
    workload(f"conv.{_name}", _target, flops=_flops)(convolution(_name, False))
    workload(f"conv.{_name}.backward", _target, flops=_passes * _flops)(convolution(_name, True))
