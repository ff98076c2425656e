"""Which torch names that packages use are here, and which work: calls are made up and compared.

    python tools/usage.py USAGE.csv... [--at-least N] [--all] [--write CALLS]

USAGE.csv has a first column `name` (dotted, `torch.nn.Linear`) or `method_or_attr` (a Tensor's), and
a second with the number of packages that use it. Needs PyTorch, as the tests do. Each name ends as

    works     a made-up call that PyTorch accepts gives the same here; a value is the same
    differs   that call gives something else, or fails
    refuses   it raises NotImplementedError
    untried   PyTorch accepts none of the calls, or calling would touch the system; the name is here
    absent    the name is not here

With --write the calls that were found go to a file, one a line, which `tests/test_usage.py` plays.
"""

import argparse
import collections
import csv
import importlib
import inspect
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_MISSING = object()
# Never called: they write files, start processes, need servers or compilers, or change the process.
UNTOUCHED = """
torch.distributed torch.multiprocessing torch.hub torch.utils.cpp_extension torch.onnx torch.save torch.export torch._inductor
torch.compile torch.ops torch.classes torch.set_ torch._C torch.backends torch.cuda.set_ torch.library torch.use_deterministic
torch.utils.tensorboard torch.utils.model_zoo torch.set_default torch.Tensor.share_memory_ torch.Tensor.set_ torch._dynamo torch.jit
torch.Tensor.__del__ torch.autograd.set_ torch.utils.benchmark torch.profiler torch.autograd.profiler
torch.cuda.reset_max torch.serialization.add_safe_globals
""".split()


def resolve(library, path):
    """What the dotted `path` (starting with `torch`) names in a library, or `_MISSING`."""
    value, module = library, library.__name__
    for part in path.split(".")[1:]:
        module = f"{module}.{part}"
        try:
            value = getattr(value, part)
        except Exception:  # a lazy namespace may raise anything
            try:
                value = importlib.import_module(module)
            except Exception:
                return _MISSING
    return value


def read(path):
    """Rows (name, number of packages) of a usage table; a Tensor's names get their prefix."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        prefix = "torch.Tensor." if next(rows)[0] == "method_or_attr" else ""
        for name, packages, *_ in rows:
            yield prefix + name, int(packages)


# Arguments to try, the most telling first; names are those of `operands`.
ARGUMENTS = """
x | square | image | sequence | x, x + 1 | x, 1 | x, 0 | x, 2, 1 | x, i | x, 0, i | x, (0, 1) | x, (4, 3)
x, i, x | x, 1, i[None] % 3 | i | b | b, b | b, x, x | b, x | x, b, 0.0 | x, b | square, square
square, square[0] | x[0], x[1] | x[0], 2 | i, 4 | i, i | i, x | x, x, x | image, 2 | image, image[:, :, :2, :2]
image, (1, 1) | sequence, sequence | sequence, 2 | x, -2, 2 | sequence, sequence, sequence | x, x, i | x, i % 4
x, 2.0 | x, 1, 0, i, x | volume | volume, 2 | x, 4, x | x, [4] | [x, x] | [x, x], 1 | (2, 3) | 2, 3 | 3
0, 1, 5 | 2, 5, (3,) | 2.0 | 0.0, 1.0 | [1.0, 2.0] | [2, 3] | "ij,kj->ik", x, x | (2, 2), 1.5 | net | weights
weights, 0.5 | weights, 1.0 | optimizer | optimizer, 2 | optimizer, 0.9 | optimizer, lambda epoch: 0.5
optimizer, [1, 2] | net, net | net, x | leaf.sin().sum(), leaf | 4, 2 | 4, 4, 2 | 4, 4 | 4, 3, 2, 1 | 4, 2, 1, 1
8 | 2, 4 | 1, 4 | [4] | 4, 1, 8 | normal | normal, normal | normal, 1
normal, [torch.distributions.ExpTransform()] | zeros, torch.eye(2) | torch.ones(2), torch.ones(2) | x[0]
torch.float32 | torch.int64 | "cpu" | torch.float32, torch.int64 | net, "0.weight" | net[0], "weight"
net, "weight", 0.5 | net[0], "weight", 0.5 | net[0], "weight", torch.nn.Tanh() | lambda v: (v * v).sum(), x
lambda v: v * 2 | True | False | None | "x" | 1, 2, 3, 4 | {"a": x} | [1, 2, 3] | [(x, 1), (x, 2)]
[[1, 2], [3]] | [1, 2, 3], 2 | data | [x[0], x[1, :2]], True | x.numpy() | bytearray(8), dtype=torch.float32
sequence, sequence.mT | complex | complex, complex | range(4), 2, True | volume, volume[:, :, :2, :2, :2]
square.tril(), square, upper=False | x[:, 0], square, x[:, 1] | x, (2, 2), (2, 1)
image[:, :2, :3, 0], (2, 1, 4, 4) | image, zeros.repeat(2), 1 + zeros.repeat(2) | sequence, [3]
net, dict(net.named_parameters()), (x,) | sequence, sequence, sequence.mT @ sequence[:, :, :3] | packed
[1, 2], tree | x, 0, 1 | x[:, :3], x[:, :3], x[:, :3] | x[:, 0], x, x[0] | x[0], (3, 4)
torch.stack([x, x], -1) | sequence, [3], True | sequence.mT, sequence.mT, sequence @ sequence.mT
sequence, sequence, sequence.mT
""".strip().replace("\n", " | ")
# Arguments of methods, beside those above.
METHOD_ARGUMENTS = """
0, i, x | 1, i, x[:, :3] | 1, i % 3 | 0, i | b, 0.0 | 1, i[:, None] % 3, x | 1, i[:, None] % 3 | 0, i[None], x
1, 0 | 1, 0, 2 | sequence.mT | (2, 2), (2, 1) | 1, i[:, None] % 3, x, "sum" | (i,), x | (i, i), x[0, :3] | x[0]
x[:3, 0] | 1, (2, 2) | lambda g: g | torch.float64 | 1, i, x[:, :3] * 2 | 0, i[None], x[:1, :3]
(i, i), torch.ones(3) | -1, (2, -1) | square[0] | 0, 1, 2 | 1, i, square
""".strip().replace("\n", " | ")
RECEIVERS = "x square i b image complex sequence leaf x[0,0] loss".split()


def operands(t):
    """Small arguments by name, the same for both libraries."""
    t.manual_seed(0)
    x = t.linspace(0.1, 0.9, 12).reshape(3, 4)
    x = x + (7 * x) % 0.6
    net = t.nn.Sequential(t.nn.Linear(4, 2), t.nn.Tanh())
    leaf, i = x.clone().requires_grad_(), t.tensor([0, 2, 1])
    names = {
        "torch": t, "x": x, "i": i, "b": x > 0.8, "net": net, "weights": list(net.parameters()), "zeros": t.zeros(2),
        "square": t.tensor([[4.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 2.0]]), "leaf": leaf,
        "image": t.linspace(-1, 1, 128).reshape(2, 4, 4, 4), "sequence": x.reshape(1, 3, 4),
        "volume": t.linspace(-1, 1, 256).reshape(1, 4, 4, 4, 4), "complex": t.complex(x, x), "loss": (leaf * leaf).sum(),
    }  # fmt: skip
    net(x).sum().backward()
    return _Lazy(t, names)


class _Lazy(dict):
    """Operands that few calls need are made on demand."""

    def __init__(self, t, names):
        super().__init__(names)
        self.t = t

    def __missing__(self, name):
        t = self.t
        if name == "optimizer":
            return t.optim.SGD(self["weights"], lr=0.1)
        if name == "normal":
            return t.distributions.Normal(t.zeros(2), t.ones(2))
        if name == "data":
            return t.utils.data.TensorDataset(self["x"], self["i"])
        if name == "packed":
            return t.nn.utils.rnn.pack_padded_sequence(self["sequence"], [3], True)
        if name == "tree":
            return importlib.import_module(f"{t.__name__}.utils._pytree").tree_flatten([1, 2])[1]
        raise KeyError(name)


def plain(value, depth=0):
    """What can be compared: tensors as (dtype, shape, list), containers by entry, the rest by type."""
    if isinstance(value, str):
        return value.replace("lampas", "torch")
    if value is None or type(value) in (bool, int, float, complex, bytes):
        return value
    if type(value).__name__ in ("Tensor", "Parameter"):
        shown = value.detach()
        values = None if shown.is_meta else shown.reshape(-1).tolist()
        return (
            type(value).__name__,
            str(value.dtype),
            tuple(value.shape),
            value.requires_grad,
            values,
        )
    if isinstance(value, dict) and depth < 3:
        return {str(key): plain(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, (list, tuple)) and depth < 3:
        return [plain(entry, depth + 1) for entry in value]
    if inspect.ismodule(value) or isinstance(value, type):
        return "module" if inspect.ismodule(value) else "class"
    if type(value).__name__ in ("dtype", "device", "layout", "memory_format"):
        return str(value)
    return type(value).__name__


def close(a, b):
    """Equal but for rounding."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or abs(a - b) <= 1e-5 + 1e-4 * abs(b) or (a != a and b != b)
    if isinstance(a, complex) and isinstance(b, complex):
        return abs(a - b) <= 1e-5 + 1e-4 * abs(b)
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(close(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(close, a, b))
    return type(a) is type(b) and a == b


def outcome(t, expression):
    """(what can be compared of the expression's result, its error); one of them is None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            names = operands(t)
            code = compile(expression, "<made up>", "eval")
            for name in code.co_names:  # a function's globals are no place for __missing__
                if name in ("optimizer", "normal", "data", "packed", "tree"):
                    names[name] = names[name]
            if not expression.endswith(")") or inspect.ismodule(_plain_name(t, expression)):
                return plain(resolve_for(t, expression, names)), None
            path = expression.partition("(")[0]
            if path.startswith("torch."):
                names["call"] = resolve(t, path)
                expression = f"call{expression[len(path) :]}"
            return plain(eval(expression, names)), None
    except Exception as error:
        return None, error


def _plain_name(t, expression):
    return resolve(t, expression) if expression.replace(".", "").isidentifier() else None


def resolve_for(t, expression, names):
    """A value by its path, or an attribute of an operand."""
    return resolve(t, expression) if expression.startswith("torch.") else eval(expression, names)


def compared(theirs, mine, expression):
    """(verdict, explanation) of one expression."""
    expected, refused = outcome(theirs, expression)
    got, error = outcome(mine, expression)
    if isinstance(error, NotImplementedError) and refused is None:
        return "refuses", f"{expression}: {error}"
    if refused is not None:
        same = type(error) is type(refused) and str(error).split("\nhint")[0] == str(refused)
        return (
            ("works", expression)
            if same
            else ("differs", f"{expression}: {error!r}, not {refused!r}")
        )
    if error is not None:
        return "differs", f"{expression}: {type(error).__name__}: {error}"
    if not close(got, expected) and not meaningless(expression):
        return "differs", f"{expression}: {got!r:.150}, expected {expected!r:.150}"
    return "works", expression


def judge(theirs, mine, path):
    """(verdict, the expression or why) for one name; `theirs` is PyTorch, `mine` Lampas."""
    expected, got = resolve(theirs, path), resolve(mine, path)
    if expected is _MISSING:
        return "works", "PyTorch lacks it too"
    if got is _MISSING:
        return "absent", ""
    if (getattr(got, "__doc__", None) or "").startswith("Not available in Lampas."):
        return "refuses", path
    expression = made_up(theirs, path, expected)
    if expression is None:
        return "untried", "PyTorch accepts none of the calls"
    return compared(theirs, mine, expression)


def made_up(theirs, path, value):
    """The first expression about the name that PyTorch accepts; None where there is none."""
    name, of_tensor = path.rpartition(".")[2], path.startswith("torch.Tensor.")
    if not of_tensor and (inspect.ismodule(value) or not callable(value)):
        return path
    if any(path.startswith(entry) for entry in UNTOUCHED):
        return None
    if of_tensor and not callable(value):
        candidates = (f"{receiver}.{name}" for receiver in RECEIVERS)
    elif of_tensor:
        tables = ("", *ARGUMENTS.split(" | "), *METHOD_ARGUMENTS.split(" | "))
        candidates = (f"{r}.{name}({args.strip()})" for args in tables for r in RECEIVERS)
    else:
        candidates = (f"{path}({args.strip()})" for args in (*ARGUMENTS.split(" | "), ""))
    for expression in candidates:
        error = outcome(theirs, expression)[1]
        if error is None:
            return expression
    # PyTorch refuses everything: an error that is not about the arguments can be compared, too.
    return None if of_tensor or isinstance(error, (TypeError, SyntaxError)) else f"{path}()"


# Results that say nothing: uninitialised memory, addresses, versions, times.
_MEANINGLESS = (
    "empty new_empty data_ptr __hash__ initial_seed seed collect_env id untyped_storage new resize_"
)


def meaningless(expression):
    name = expression.partition("(")[0].rpartition(".")[2]
    return name in _MEANINGLESS.split() or name.startswith("empty") or name.startswith("new_empty")


def survey(rows):
    """(verdict, packages, name, explanation) for every row."""
    import torch

    sys.path.insert(0, str(ROOT / "src"))
    import lampas

    for name, packages in rows:
        verdict, why = judge(torch, lampas, name)
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        lampas.set_default_dtype(lampas.float32)
        lampas.set_grad_enabled(True)
        yield verdict, packages, name, why


def main():
    """Prints what does not work; exit status 1 where a name is absent or differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", nargs="+")
    parser.add_argument("--at-least", type=int, default=1, help="used by so many packages")
    parser.add_argument("--write", metavar="CALLS", help="write the calls that work to a file")
    parser.add_argument("--all", action="store_true", help="show what works, too")
    options = parser.parse_args()
    rows = [row for table in options.table for row in read(table) if row[1] >= options.at_least]
    counts, calls = collections.Counter(), []
    for verdict, packages, name, why in survey(sorted(rows, key=lambda row: (-row[1], row[0]))):
        counts[verdict] += 1
        if verdict == "works" and why.startswith(("torch.", *RECEIVERS)):
            calls.append(why)
        if options.all or verdict != "works":
            print(f"{verdict:8} {packages:4}  {name}  {why}", flush=True)
    if options.write:
        Path(options.write).write_text("".join(f"{call}\n" for call in calls), encoding="utf-8")
    tried = counts.total() - counts["untried"]
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    print(
        f"{summary}; {counts['works'] / max(tried, 1):.1%} of {tried} tried work", file=sys.stderr
    )
    return bool(counts["absent"] or counts["differs"])


if __name__ == "__main__":
    sys.exit(main())
