"""Steps of training: small networks, ResNet-50, GPT-2, and the two-layer net beside NumPy."""

from workloads.networks import lenet, transformer

from gpu import Step, workload


def training(t, model, loss, optimizer, x, y, compiled=False, autocast=None):
    """A step that returns the loss; under autocast to `autocast` where that is given."""
    enabled = autocast is not None
    lower = autocast or t.bfloat16

    def step():
        optimizer.zero_grad(set_to_none=True)
        with t.autocast("cuda", lower, enabled=enabled):
            value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value.detach()

    return t.compile(step) if compiled else step


def small_network(name, make_model, shape, target):
    @workload(name, target)
    def make(t, small, compiled):
        t.manual_seed(0)
        model = make_model(t).cuda()
        x = t.randn(4 if small else shape[0], *shape[1:]).cuda()
        y = t.randint(0, 10, (x.shape[0],)).cuda()
        optimizer = t.optim.SGD(model.parameters(), 0.01, momentum=0.9)
        step = training(t, model, t.nn.functional.cross_entropy, optimizer, x, y)
        return Step(step, lambda: step().item())


def two_layers(t):
    return t.nn.Sequential(t.nn.Linear(1000, 100), t.nn.ReLU(), t.nn.Linear(100, 10))


def convnet(t):
    nn, layers = t.nn, []
    for inputs, outputs in ((1, 16), (16, 32)):
        layers += [nn.Conv2d(inputs, outputs, 5, padding=2), nn.BatchNorm2d(outputs)]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 7 * 7, 10))


small_network("two-layer net, step", two_layers, (64, 1000), 0.5)
small_network("LeNet, step", lenet, (64, 1, 32, 32), 0.5)
small_network("ConvNet, step", convnet, (100, 1, 28, 28), 0.5)


def resnet(t, blocks, width, classes):
    """He et al. 2016, bottlenecks with the stride in the middle, as torchvision has them."""
    nn = t.nn

    class Bottleneck(nn.Module):
        def __init__(self, inputs, inner, stride):
            super().__init__()
            sizes = ((inputs, inner, 1, 1), (inner, inner, 3, stride), (inner, 4 * inner, 1, 1))
            self.convs = nn.ModuleList(
                nn.Conv2d(a, b, k, s, k // 2, bias=False) for a, b, k, s in sizes
            )
            self.norms = nn.ModuleList(nn.BatchNorm2d(b) for _, b, _, _ in sizes)
            self.shortcut = nn.Sequential()
            if stride != 1 or inputs != 4 * inner:
                conv = nn.Conv2d(inputs, 4 * inner, 1, stride, bias=False)
                self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(4 * inner))

        def forward(self, x):
            y = x
            for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
                y = norm(conv(y))
                y = t.relu(y) if i < 2 else y
            return t.relu(y + self.shortcut(x))

    layers = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    layers.append(nn.MaxPool2d(3, 2, 1))
    inputs = width
    for stage, count in enumerate(blocks):
        inner = width << stage
        for i in range(count):
            layers.append(Bottleneck(inputs, inner, 2 if stage and i == 0 else 1))
            inputs = 4 * inner
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


@workload("ResNet-50, step (channels_last, amp)", 1.0)
def resnet50(t, small, compiled):
    t.manual_seed(0)
    batch, size = (2, 32) if small else (64, 224)
    model = resnet(t, (1, 1) if small else (3, 4, 6, 3), 8 if small else 64, 1000)
    model = model.cuda().to(memory_format=t.channels_last)
    x = t.randn(batch, 3, size, size).cuda().contiguous(memory_format=t.channels_last)
    y = t.randint(0, 1000, (batch,)).cuda()
    optimizer = t.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    loss = t.nn.functional.cross_entropy
    step = training(t, model, loss, optimizer, x, y, autocast=t.bfloat16)
    flops = 0 if small else batch * 3 * 2 * 4.09e9
    return Step(step, lambda: step().item(), 5e-2, flops=flops)


def gpt2(t, small, compiled):
    t.manual_seed(0)
    layers, width, heads, words, context = (
        (1, 32, 2, 50, 16) if small else (12, 768, 12, 50304, 1024)
    )
    model = transformer(t, layers, width, heads, words, context).cuda()
    tokens = t.randint(0, words, (2 if small else 16, context + 1)).cuda()
    optimizer = t.optim.AdamW(model.parameters(), 3e-4, fused=True, capturable=compiled)

    def loss(logits, target):
        return t.nn.functional.cross_entropy(logits.view(-1, words), target.reshape(-1))

    x, y = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    step = training(t, model, loss, optimizer, x, y, compiled, t.bfloat16)
    flops = 6.0 * x.numel() * (12 * layers * width**2 + words * width + layers * context * width)
    return Step(step, lambda: step().item(), 5e-2, flops=flops)


workload("GPT-2 124M, step (bf16)", 1.0)(gpt2)
workload("GPT-2 124M, compiled step (bf16)", 1.0, compiled=True)(gpt2)


@workload("two-layer net, 4096 x 4096, step", None)
def wide(t, small, compiled):
    """By hand, as the seeds' programs; `numpy_step` is the same on the CPU."""
    n = 32 if small else 4096
    t.manual_seed(0)
    x, y, w1, w2 = (t.randn(n, n).cuda() for _ in range(4))
    state = [w1 / n, w2 / n]

    def step():
        w1, w2 = state
        hidden = x.mm(w1)
        active = hidden.clamp(min=0)
        error = active.mm(w2) - y
        g2 = active.t().mm(2 * error)
        g1 = x.t().mm((2 * error).mm(w2.t()) * (hidden > 0).to(x.dtype))
        state[0], state[1] = w1 - 1e-12 * g1, w2 - 1e-12 * g2
        return error.pow(2).mean()

    return Step(step, lambda: step().item(), flops=5 * 2.0 * n**3)


def numpy_step(small):
    """The step of `wide` in NumPy, as a function; and its name."""
    import numpy as np

    n = 32 if small else 4096
    random = np.random.default_rng(0)
    x, y, w1, w2 = (random.standard_normal((n, n), dtype=np.float32) for _ in range(4))

    def step():
        hidden = x @ w1
        active = np.maximum(hidden, 0)
        error = active @ w2 - y
        g2 = active.T @ (2 * error)
        g1 = x.T @ ((2 * error) @ w2.T * (hidden > 0))
        return w1 - 1e-12 * g1, w2 - 1e-12 * g2

    return step
