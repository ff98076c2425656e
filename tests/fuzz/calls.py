"""Random calls of public functions with odd arguments: none may end the process or hang.

    python tests/fuzz/calls.py [--calls 1000] [--seed 0] [--only PATTERN] [--seconds 60]

Every function is called in a process of its own, with little memory; exceptions are what is wanted.
Arguments are drawn by the types that the operators' signatures declare, then some are replaced.
"""

import argparse
import fnmatch
import inspect
import os
import random
import re
import resource
import signal
import sys
import warnings

import lampas

NUMBERS = (0, 1, -1, 2, 3, 7, -2, 100, 2**31, -(2**31) - 1, 2**62, -(2**63), 2**63, 2**100)
FLOATS = (0.0, -0.0, 1.5, -3.25, float("nan"), float("inf"), -float("inf"), 1e308, 5e-324)
TEXTS = ("mean", "sum", "none", "reflect", "circular", "bilinear", "nearest", "linear", "valid",
         "same", "abc", "", "fro", "nuc", "ij,jk->ik", "i...->...", "\x00", "é", "reduced", "gels")  # fmt: skip
DTYPES = [
    getattr(lampas, name)
    for name in """bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64
    complex128 uint16 uint32 uint64""".split()
]
SHAPES = [(), (0,), (1,), (3,), (2, 3), (3, 3), (0, 4), (2, 0, 3), (1, 1), (2, 3, 4), (1, 2, 5, 5),
          (2, 1, 4, 4, 3), (1,) * 12, (4, 4)]  # fmt: skip
# Changing the process itself is their purpose, or they wait for something.
LEFT_OUT = """set_num_threads set_num_interop_threads save load manual_seed set_default_dtype
set_default_device set_printoptions compile seed get_file_path set_default_tensor_type
use_deterministic_algorithms set_deterministic_debug_mode register_hook backward
set_flush_denormal from_file import_ir_module wait fork pin_memory share_memory_ as_torch""".split()


def tensor(r):
    dtype, shape = r.choice(DTYPES), r.choice(SHAPES)
    kind = r.random()
    if kind < 0.08:
        return lampas.empty(shape, dtype=dtype, device="meta")
    x = lampas.zeros(shape, dtype=dtype)
    if x.numel():
        x.fill_(r.choice((0, 1, 2, 5)))
    if x.is_floating_point() or x.is_complex():
        if kind < 0.6:
            x = lampas.randn(shape, dtype=lampas.float64).to(dtype)
        elif kind < 0.7 and x.numel():
            x.view(-1)[0] = r.choice(FLOATS)
        if r.random() < 0.3:
            x.requires_grad_()
    elif dtype is lampas.int64 and kind < 0.5:
        x = lampas.randint(-3, 6, shape)
    elif dtype is lampas.int64 and kind < 0.6 and x.numel():
        x.view(-1)[-1] = r.choice((2**62, -(2**63), -1))
    if r.random() < 0.3:
        x = reshaped(r, x)
    return x


def reshaped(r, x):
    """A view of an unusual kind."""
    ways = [
        lambda: x.t(),
        lambda: x.expand(r.choice((2, 3)), *x.shape),
        lambda: x.as_strided(r.choice(SHAPES), tuple(r.choice((0, 1, 2)) for _ in range(4))),
        lambda: x[..., ::2],
        lambda: x.transpose(0, -1),
        lambda: x.unsqueeze(0),
        lambda: x.flip(0),
    ]
    try:
        return r.choice(ways)()
    except Exception:
        return x


def integer(r):
    return r.choice(NUMBERS) if r.random() < 0.5 else r.randint(-3, 4)


def integers(r):
    return tuple(integer(r) for _ in range(r.randint(0, 4)))


def anything(r):
    return r.choice(
        (
            tensor,
            tensor,
            tensor,
            integer,
            integers,
            number,
            text,
            tensors,
            nothing,
            flag,
            dtype,
            odd,
        )
    )(r)


def number(r):
    return r.choice(FLOATS) if r.random() < 0.6 else integer(r)


def text(r):
    return r.choice(TEXTS)


def tensors(r):
    return [tensor(r) for _ in range(r.randint(0, 3))]


def nothing(r):
    return None


def flag(r):
    return r.random() < 0.5


def dtype(r):
    return r.choice(DTYPES)


def odd(r):
    return r.choice(
        (b"bytes", object, {}, {"a": 1}, slice(None), ..., 3 + 4j, "cuda", lampas.device("meta"),
         [[1, 2], [3]], [None], (True, 2), range(3), lambda x: x, iter(()), lampas.Size([2, 3]))
    )  # fmt: skip


BY_TYPE = {
    "Tensor": tensor, "int": integer, "tuple of ints": integers, "Number": number, "float": number,
    "bool": flag, "str": text, "torch.dtype": dtype, "tuple of Tensors": tensors,
    "torch.device": lambda r: r.choice(("cpu", "meta", "cuda", "cpu:3", "xyz")),
}  # fmt: skip


def parameters(function):
    """(draw, name or None when positional, required) of each parameter that is known."""
    declared = re.match(r"\w*\((.*)\)", (function.__doc__ or "").split("\n")[0])
    found, by_name = [], False
    if declared and type(function).__name__ in ("builtin_function_or_method", "method_descriptor"):
        for part in re.split(r", (?=[A-Zfistb*])", declared.group(1)):
            if part == "*":
                by_name = True
                continue
            words, _, default = part.partition(" = ")
            kind, _, name = words.rpartition(" ")
            found.append((BY_TYPE.get(kind, anything), name if by_name else None, not default))
        return found
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return [(anything, None, True)] * 2
    for p in signature.parameters.values():
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        draw = tensor if p.name in ("input", "self", "other", "weight", "target") else anything
        if p.default is not p.empty and p.default is not None:
            draw = {bool: flag, int: integer, float: number, str: text}.get(type(p.default), draw)
        found.append((draw, p.name if p.kind is p.KEYWORD_ONLY else None, p.default is p.empty))
    return found


def one_call(r, function, known):
    args, named = [], {}
    for draw, name, required in known:
        if not required and r.random() < 0.5:
            if name is None:
                break
            continue
        value = draw(r) if r.random() < 0.9 else anything(r)
        if name is None:
            args.append(value)
        else:
            named[name] = value
    if r.random() < 0.05:
        args.append(anything(r))
    if r.random() < 0.1:
        named["out"] = tensor(r)
    result = function(*args, **named)
    use(result)
    if isinstance(result, lampas.Tensor) and result.requires_grad and r.random() < 0.5:
        if result.numel() < 10**7:  # an expanded tensor may have 2**62 elements
            result.sum().abs().backward()


def use(result):
    """Reads what came back: a tensor beyond its memory would show here."""
    for x in result if isinstance(result, (tuple, list)) else (result,):
        if isinstance(x, lampas.Tensor) and not x.is_meta and x.numel() < 10**5:
            x.detach().clone().sum()
            repr(x.detach().reshape(-1)[:3])


def public_functions():
    """(name, function) of the namespaces whose functions take tensors."""
    spaces = {
        "": lampas, "Tensor.": lampas.Tensor, "nn.functional.": lampas.nn.functional,
        "linalg.": lampas.linalg, "fft.": lampas.fft, "special.": lampas.special,
        "_core.": lampas._core,
    }  # fmt: skip
    seen = set()
    for prefix, space in spaces.items():
        for name in sorted(dir(space)):
            if name in LEFT_OUT or (name.startswith("_") and prefix != "_core."):
                continue
            try:
                function = getattr(space, name)
            except Exception:
                continue
            if isinstance(function, type) or not callable(function) or name.startswith("__"):
                continue
            key = id(function)
            if key not in seen:
                seen.add(key)
                yield prefix + name, function


def in_child(name, function, calls, seed, seconds):
    """Exit status of a child that makes the calls; negative: the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        status = 0
        try:
            limit = 3 << 30
            if not os.environ.get("LAMPAS_SANITIZE"):
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.alarm(seconds)
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            if not os.environ.get("FUZZ_VERBOSE"):
                os.dup2(quiet, 2)
            warnings.simplefilter("ignore")
            known = parameters(function)
            for i in range(calls):
                r = random.Random(f"{seed} {name} {i}")
                lampas.manual_seed(i)
                if os.environ.get("FUZZ_VERBOSE"):
                    print(name, i, file=sys.stderr, flush=True)
                try:
                    one_call(r, function, known)
                except (Exception, SystemExit):
                    pass
        except BaseException:
            status = 99
        os._exit(status)
    _, status = os.waitpid(pid, 0)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--calls", type=int, default=1000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--only", default="*")
    given = options.parse_args()
    lampas.set_num_threads(1)
    bad, count = [], 0
    for name, function in public_functions():
        if not fnmatch.fnmatch(name, given.only):
            continue
        count += 1
        status = in_child(name, function, given.calls, given.seed, given.seconds)
        if status:
            ended = signal.Signals(-status).name if status < 0 else f"exit status {status}"
            bad.append(name)
            print(f"{name}: {ended}", flush=True)
    print(f"{count} functions, {given.calls} calls each, seed {given.seed}: {len(bad)} bad ends")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
