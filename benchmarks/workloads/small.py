"""Single calls on four floats, small networks: where the way to the kernel is the cost."""

from workloads import Step, digest, fused, training, workload


def pair(t, grad=False):
    a, b = t.tensor([1.0, 2.0, 3.0, 4.0]), t.tensor([5.0, 6.0, 7.0, 8.0])
    return a.requires_grad_(grad), b.requires_grad_(grad)


@workload("tiny.add", 0.2)
def add(t, tuned):
    a, b = pair(t)
    return Step(lambda: a + b, lambda: digest(a + b))


@workload("tiny.add_grad", 0.2)
def add_grad(t, tuned):
    a, b = pair(t, grad=True)
    return Step(lambda: a + b, lambda: digest(a + b))


@workload("tiny.forward_backward", 0.1)
def forward_backward(t, tuned):
    a, b = pair(t, grad=True)

    def step():
        ((a + b) * a).sum().backward()

    def check():
        a.grad = b.grad = None
        step()
        return digest(a.grad, b.grad)

    return Step(step, check)


CALLS = {
    "view": lambda t, a: a.view(2, 2),
    "slice": lambda t, a: a[1:],
    "item": lambda t, a: a[0].item(),
    "zeros": lambda t, a: t.zeros(4),
}


def call(function):
    def make(t, tuned):
        a, _ = pair(t)
        return Step(lambda: function(t, a), lambda: digest(t.as_tensor(function(t, a))))

    return make


for _name, _function in CALLS.items():
    workload(f"tiny.{_name}", 0.35)(call(_function))


def mlp(t):
    t.manual_seed(0)
    model = t.nn.Sequential(t.nn.Linear(4, 16), t.nn.ReLU(), t.nn.Linear(16, 2))
    return model, t.nn.CrossEntropyLoss(), t.randn(1, 4), t.tensor([1])


@workload("mlp.sgd", 0.1)
def mlp_sgd(t, tuned):
    model, loss, x, y = mlp(t)
    return Step(training(model, loss, t.optim.SGD(model.parameters(), 0.01, **fused(tuned)), x, y))


@workload("mlp.adam", 0.1)
def mlp_adam(t, tuned):
    model, loss, x, y = mlp(t)
    return Step(training(model, loss, t.optim.Adam(model.parameters(), 0.01, **fused(tuned)), x, y))


@workload("mlp.sgd.compiled", 0.7)
def mlp_sgd_compiled(t, tuned):
    """PyTorch's compiler needs another one of C++ and is not asked; see the column jax."""
    if t.__name__ == "torch":
        return None
    model, loss, x, y = mlp(t)
    return Step(t.compile(training(model, loss, t.optim.SGD(model.parameters(), 0.01), x, y)))


@workload("mlp.adam.compiled", 0.7)
def mlp_adam_compiled(t, tuned):
    if t.__name__ == "torch":
        return None
    model, loss, x, y = mlp(t)
    return Step(t.compile(training(model, loss, t.optim.Adam(model.parameters(), 0.01), x, y)))


SENTENCES = [
    ("the boat left the harbour before the storm", 0),
    ("a storm of applause met the singer", 1),
    ("harbour lights led the boat home", 0),
    ("the singer left the stage", 1),
]


@workload("bow.step", 0.12)
def bag_of_words(t, tuned):
    t.manual_seed(0)
    words = sorted({word for text, _ in SENTENCES for word in text.split()})
    model, loss = t.nn.Linear(len(words), 2), t.nn.NLLLoss()
    optimizer = t.optim.SGD(model.parameters(), lr=0.1, **fused(tuned))
    data = []
    for text, label in SENTENCES:
        counts = t.zeros(1, len(words))
        for word in text.split():
            counts[0, words.index(word)] += 1
        data.append((counts, t.tensor([label])))
    turn = [0]

    def step():
        x, y = data[turn[0] % len(data)]
        turn[0] += 1
        model.zero_grad()
        value = loss(t.nn.functional.log_softmax(model(x), dim=1), y)
        value.backward()
        optimizer.step()
        return value

    return Step(step)


# A net of two layers, 1000-100-10, batch 64, in the forms of introductions to PyTorch: each trains
# for 500 steps from the same weights.
STEPS = 500


def two_layer(t):
    t.manual_seed(0)
    x, y = t.randn(64, 1000), t.randn(64, 10)
    return x, y, t.randn(1000, 100), t.randn(100, 10)


def trained(run):
    """A run of many steps, checked after one and after twenty."""
    return Step(lambda: run(STEPS), lambda: [run(1), run(20)])


@workload("two.tensor", 0.55, calls=STEPS)
def two_tensor(t, tuned):
    x, y, first, second = two_layer(t)

    def run(steps):
        w1, w2 = first.clone(), second.clone()
        for _ in range(steps):
            h = x.mm(w1)
            relu = h.clamp(min=0)
            prediction = relu.mm(w2)
            loss = (prediction - y).pow(2).sum().item()
            g = 2.0 * (prediction - y)
            dw2 = relu.t().mm(g)
            dh = g.mm(w2.t()).clone()
            dh[h < 0] = 0
            dw1 = x.t().mm(dh)
            w1 -= 1e-6 * dw1
            w2 -= 1e-6 * dw2
        return loss

    return trained(run)


@workload("two.autograd", 0.55, calls=STEPS)
def two_autograd(t, tuned):
    x, y, first, second = two_layer(t)

    def run(steps):
        w1, w2 = first.clone().requires_grad_(), second.clone().requires_grad_()
        for _ in range(steps):
            loss = (x.mm(w1).clamp(min=0).mm(w2) - y).pow(2).sum()
            loss.backward()
            with t.no_grad():
                for w in (w1, w2):
                    w -= 1e-6 * w.grad
                    w.grad.zero_()
        return loss.item()

    return trained(run)


def two_modules(t, adam, tuned):
    x, y, _, _ = two_layer(t)
    model = t.nn.Sequential(t.nn.Linear(1000, 100), t.nn.ReLU(), t.nn.Linear(100, 10))
    loss_function = t.nn.MSELoss(reduction="sum")
    start = {name: value.clone() for name, value in model.state_dict().items()}

    def run(steps):
        model.load_state_dict(start)
        optimizer = t.optim.Adam(model.parameters(), 1e-4, **fused(tuned)) if adam else None
        for _ in range(steps):
            loss = loss_function(model(x), y)
            model.zero_grad()
            loss.backward()
            if adam:
                optimizer.step()
                continue
            with t.no_grad():
                for p in model.parameters():
                    p -= 1e-4 * p.grad
        return loss.item()

    return trained(run)


@workload("two.nn", 0.55, calls=STEPS)
def two_nn(t, tuned):
    return two_modules(t, False, tuned)


@workload("two.nn_adam", 0.55, calls=STEPS)
def two_nn_adam(t, tuned):
    return two_modules(t, True, tuned)
