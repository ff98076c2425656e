"""Checkpoints of many kinds, written the same way in either library, and how to compare them."""

import collections
import io

DTYPES = (
    "float16 bfloat16 float32 float64 int8 uint8 int16 int32 int64 bool complex64 complex128 "
    "uint16 uint32 uint64"
).split()


def written(t, obj, **options):
    """A file of `obj` in memory, at its start."""
    file = io.BytesIO()
    t.save(obj, file, **options)
    file.seek(0)
    return file


def images(t):
    return t.arange(50.0).sin().reshape(2, 1, 5, 5)


def trained(t):
    """A small net, its optimizer and scheduler after some steps."""
    t.manual_seed(0)
    net = t.nn.Sequential(
        t.nn.Conv2d(1, 2, 3, bias=False), t.nn.BatchNorm2d(2), t.nn.Flatten(), t.nn.Linear(18, 3)
    )
    optimizer = t.optim.AdamW(net.parameters(), amsgrad=True)
    scheduler = t.optim.lr_scheduler.StepLR(optimizer, 1)
    for _ in range(2):
        net(images(t)).square().sum().backward()
        optimizer.step()
        scheduler.step()
    return net, optimizer, scheduler


def _attributed(t):
    x = t.ones(2)
    x.note = "kept"
    return x


def _attributed_parameter(t):
    p = t.nn.Parameter(t.ones(2))
    p.note = {"list": [1, t.ones(1)]}
    return p


def _shared(t):
    p = t.nn.Parameter(t.ones(1))
    return [p, p, p.detach()]


def _views(t):
    a = t.arange(6.0).reshape(2, 3)
    return [a, a[1], a.t(), a[:, 1:], a[0, 1], a.expand(4, 2, 3)]


def _generator(t):
    generator = t.Generator()
    generator.manual_seed(7)
    t.rand(3, generator=generator)
    return generator.get_state()


def _plain(t):
    numbers = [1, 2.5, 1 << 80, -5, -(1 << 40), 1 + 2j, float("inf")]
    return [numbers, "é", b"ab\xff", None, True, (1,), (), {1, 2}, {}, [], {"a": {3: (4, 5)}}]


def _nested(t):
    return collections.OrderedDict(
        epoch=3, best=(0.5, "a"), history=[{"loss": 0.1, "x": t.zeros(1)}], names={"a", "b"}
    )


def _training(t):
    net, optimizer, scheduler = trained(t)
    return {
        "model": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "random": t.get_rng_state(),
        "epoch": 2,
    }


def _sgd(t):
    net = t.nn.Linear(2, 2)
    optimizer = t.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    net(t.ones(1, 2)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


# Kinds that load with `weights_only=True`.
SAFE = {
    "dtypes": lambda t: {name: t.arange(3).to(getattr(t, name)) for name in DTYPES},
    "views": _views,
    "empty": lambda t: [t.empty(0, 3), t.empty(0), t.empty(2, 0, dtype=t.int64)],
    "scalar": lambda t: t.tensor(2.5),
    "expanded": lambda t: t.ones(1).expand(5),
    "attributes": _attributed,
    "parameter with attributes": _attributed_parameter,
    "shared parameters": _shared,
    "requires grad": lambda t: t.ones(2, requires_grad=True),
    "conjugated": lambda t: t.tensor([1 + 2j, 3 - 4j]).conj(),
    "meta": lambda t: t.ones(2, 3, device="meta"),
    "channels last": lambda t: t.ones(1, 2, 3, 4).to(memory_format=t.channels_last),
    "state dict": lambda t: trained(t)[0].state_dict(),
    "AdamW": lambda t: trained(t)[1].state_dict(),
    "SGD": _sgd,
    "scheduler": lambda t: trained(t)[2].state_dict(),
    "training run": _training,
    "generator state": _generator,
    "plain values": _plain,
    "nested containers": _nested,
    "bytearray": lambda t: bytearray(b"x"),
    "size, dtype, device": lambda t: [t.Size([2, 3]), t.float32, t.bfloat16, t.device("cpu")],
    "counter": lambda t: collections.Counter("aab"),
    "typed storage": lambda t: t.arange(3.0)._typed_storage(),
    "storage and its view": lambda t: [(x := t.arange(3.0))._typed_storage(), x],
    "many tensors": lambda t: [t.full((3,), i) for i in range(300)],
    "bools": lambda t: t.tensor([[True, False], [False, True]]),
}


def _lstm(t):
    t.manual_seed(0)
    return t.nn.LSTM(2, 3, num_layers=2, bidirectional=True)


def _packed(t):
    return t.nn.utils.rnn.pack_sequence([t.ones(2), t.ones(1)])


def _generator_object(t):
    generator = t.Generator()
    generator.manual_seed(7)
    return generator


# Kinds that need `weights_only=False`.
FULL = {
    "module": lambda t: trained(t)[0],
    "transformer": lambda t: t.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True),
    "lstm": _lstm,
    "embedding": lambda t: t.nn.EmbeddingBag(5, 2, mode="max"),
    "packed sequence": _packed,
    "generator": _generator_object,
    "optimizer": lambda t: trained(t)[1],
    "loss": lambda t: t.nn.CrossEntropyLoss(weight=t.ones(3), label_smoothing=0.1),
    "parameter list": lambda t: t.nn.ParameterList([t.ones(2), t.zeros(1)]),
    "named result": lambda t: tuple(t.arange(6.0).reshape(2, 3).max(0)),
}


def plain(value):
    """Everything that must survive, without the library's own types."""
    if hasattr(value, "untyped_storage"):
        facts = [str(value.dtype), tuple(value.shape), tuple(value.stride())]
        facts += [value.requires_grad, str(value.device), type(value).__name__]
        if value.device.type != "meta":
            facts.append(repr(value.detach().resolve_conj().tolist()))
        return facts + [plain(dict(getattr(value, "__dict__", ())))]
    if hasattr(value, "get_state"):
        return value.initial_seed(), plain(value.get_state())
    if hasattr(value, "untyped"):
        return str(value.dtype), value.tolist()
    if hasattr(value, "state_dict"):
        return type(value).__name__, plain(value.state_dict()), getattr(value, "training", None)
    if isinstance(value, dict):
        extra = getattr(value, "_metadata", None)
        return type(value).__name__, [(k, plain(v)) for k, v in value.items()], plain(extra)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(item) for item in value]
    if isinstance(value, set):
        return sorted(map(repr, value))
    return repr(value).replace("lampas.", "torch.")
