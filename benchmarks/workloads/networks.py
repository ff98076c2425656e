"""Whole networks: steps of training, and inference."""

from workloads import Step, digest, fused, images, training, workload


def classes(t, batch, count):
    return t.randint(0, count, (batch,))


def lenet(t):
    nn = t.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84),
        nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def lenet_step(batch):
    def make(t, tuned):
        t.manual_seed(0)
        model, x = images(t, tuned, lenet(t), t.randn(batch, 1, 32, 32))
        optimizer = t.optim.SGD(model.parameters(), 0.01, momentum=0.9, **fused(tuned))
        return Step(training(model, t.nn.CrossEntropyLoss(), optimizer, x, classes(t, batch, 10)))

    return make


workload("lenet.b4", 0.25)(lenet_step(4))
workload("lenet.b64", 0.45)(lenet_step(64))


@workload("mnist.b100", 0.7)
def mnist(t, tuned):
    t.manual_seed(0)
    nn = t.nn
    layers = []
    for inputs, outputs in ((1, 16), (16, 32)):
        layers += [nn.Conv2d(inputs, outputs, 5, padding=2), nn.BatchNorm2d(outputs)]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 7 * 7, 10))
    model, x = images(t, tuned, model, t.randn(100, 1, 28, 28))
    optimizer = t.optim.Adam(model.parameters(), 1e-3, **fused(tuned))
    return Step(training(model, nn.CrossEntropyLoss(), optimizer, x, classes(t, 100, 10)))


def resnet18(t, count, small):
    """He et al. 2016, with the stem of the paper or that for images of 32 pixels."""
    nn = t.nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.first_norm = nn.BatchNorm2d(outputs)
            self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.second_norm = nn.BatchNorm2d(outputs)
            self.shortcut = nn.Sequential()
            if stride != 1 or inputs != outputs:
                shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
                self.shortcut = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

        def forward(self, x):
            y = t.relu(self.first_norm(self.first(x)))
            return t.relu(self.second_norm(self.second(y)) + self.shortcut(x))

    stem = nn.Conv2d(3, 64, 3, 1, 1, bias=False) if small else nn.Conv2d(3, 64, 7, 2, 3, bias=False)
    layers = [stem, nn.BatchNorm2d(64), nn.ReLU()]
    layers += [] if small else [nn.MaxPool2d(3, 2, 1)]
    width = 64
    for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(width, outputs, stride), Block(outputs, outputs, 1)]
        width = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, count))


# 1.81e9 multiply-adds for an image of 224 pixels, 0.556e9 for one of 32 with the small stem.
@workload("resnet18.train32", 0.9, flops=32 * 3 * 2 * 0.556e9)
def resnet_training(t, tuned):
    t.manual_seed(0)
    model, x = images(t, tuned, resnet18(t, 10, True), t.randn(32, 3, 32, 32))
    optimizer = t.optim.SGD(
        model.parameters(), 0.02, momentum=0.9, weight_decay=5e-4, **fused(tuned)
    )
    return Step(training(model, t.nn.CrossEntropyLoss(), optimizer, x, classes(t, 32, 10)))


def inference(t, tuned, model, x):
    mode = t.inference_mode if tuned else t.no_grad

    def step():
        with mode():
            return model(x)

    return step


def resnet_inference(batch):
    def make(t, tuned):
        t.manual_seed(0)
        x = t.randn(batch, 3, 224, 224)
        model, x = images(t, tuned, resnet18(t, 1000, False).eval(), x)
        step = inference(t, tuned, model, x)
        return Step(step, lambda: digest(step()))

    return make


workload("resnet18.infer224.b1", 0.8, flops=2 * 1.81e9)(resnet_inference(1))
workload("resnet18.infer224.b8", 0.8, flops=8 * 2 * 1.81e9)(resnet_inference(8))


# 3 -> 64 -> 64 channels of 3 x 3, on 4 x 160 x 160 pixels; the first has no input gradient.
@workload("unet.block", 0.8, flops=4 * 160 * 160 * 64 * 9 * 2.0 * (2 * 3 + 3 * 64))
def unet(t, tuned):
    t.manual_seed(0)
    layers = []
    for inputs in (3, 64):
        layers += [t.nn.Conv2d(inputs, 64, 3, padding=1, bias=False), t.nn.BatchNorm2d(64)]
        layers += [t.nn.ReLU()]
    model, x = images(t, tuned, t.nn.Sequential(*layers), t.randn(4, 3, 160, 160))

    def step():
        model.zero_grad()
        loss = model(x).pow(2).mean()
        loss.backward()
        return loss

    return Step(step, lambda: [step().item(), *digest(*(p.grad for p in model.parameters()))])


def transformer(t, layers, width, heads, vocabulary, context):
    nn, F = t.nn, t.nn.functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x):
            B, T, C = x.shape
            qkv = self.qkv(self.attention_norm(x)).view(B, T, 3, heads, C // heads)
            q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, H, T, D) each
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(y.transpose(1, 2).reshape(B, T, C))
            return x + self.down(F.gelu(self.up(self.mlp_norm(x))))

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.place = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
            self.blocks, self.norm = nn.Sequential(*(Block() for _ in range(layers))), None
            self.norm = nn.LayerNorm(width)

        def forward(self, tokens, last=False):
            x = self.token(tokens) + self.place(t.arange(tokens.shape[1], device=tokens.device))
            x = self.norm(self.blocks(x))
            return F.linear(x[:, -1:] if last else x, self.token.weight)

    return Transformer()


@workload("gpt.train", 0.8, flops=3 * 2 * 8 * 256 * (6 * 12 * 384**2 + 65 * 384))
def character_transformer(t, tuned):
    t.manual_seed(0)
    model = transformer(t, 6, 384, 6, 65, 256)
    tokens = t.randint(0, 65, (8, 257))
    optimizer = t.optim.AdamW(model.parameters(), 3e-4, **fused(tuned))

    def loss(logits, target):
        return t.nn.functional.cross_entropy(logits.view(-1, 65), target.reshape(-1))

    return Step(training(model, loss, optimizer, tokens[:, :-1], tokens[:, 1:]))


@workload("gpt.token", 0.6, flops=2 * 64 * 12 * 12 * 768**2, bytes=4 * 12 * 12 * 768**2)
def token(t, tuned):
    """The next token of a 12-layer transformer after 64, nothing kept between tokens."""
    t.manual_seed(0)
    model = transformer(t, 12, 768, 12, 50257, 64).eval()
    tokens = t.randint(0, 50257, (1, 64))
    step = inference(t, tuned, lambda x: model(x, last=True), tokens)
    return Step(lambda: step().argmax(-1).item(), lambda: digest(step()))


@workload("lstm.train", 0.75)
def lstm(t, tuned):
    t.manual_seed(0)
    model, x = t.nn.LSTM(256, 256, 2), t.randn(64, 16, 256)  # (T, B, C)

    def step():
        model.zero_grad()
        loss = model(x)[0].pow(2).mean()
        loss.backward()
        return loss

    return Step(step, lambda: [step().item(), *digest(*(p.grad for p in model.parameters()))])
