"""Writes the type stub of the core from what the built module says of itself.

    python tools/stubs.py MODULE STUB [--check]

The build runs it after linking, so the stub is never part of the tree; `--check` only compares. The
signatures are the operators' own `__doc__`; what an operator returns stands in its row.
"""

import importlib.util
import re
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r'^(?:PRIMITIVE|OVERLOAD)\(([\w:<>, ]+?), (\w+)(?:, "(\w+)")?,\s*\(', re.M)
TYPES = {
    "Number": "Number",
    "tuple of ints": "Sequence[int] | int",
    "tuple of Tensors": "Sequence[Tensor]",
    "torch.dtype": "dtype",
    "torch.device": "device | str | int",
    "torch.memory_format": "memory_format",
    "torch.Generator": "Any",
}
RESULTS = {
    "Tensor": "Tensor",
    "Tensors": "tuple[Tensor, ...]",
    "Scalar": "Number",
    "bool": "bool",
    "int64_t": "int",
    "double": "float",
    "void": "None",
}
HEADER = '''"""The extension module. Written by tools/stubs.py from the operators' signatures."""

from collections.abc import Sequence
from typing import Any, overload

Number = int | float | complex | bool | Tensor

'''
KEYWORDS = {"from": "from_", "lambda": "lambda_"}


def return_types():
    """Python name -> annotation, from the rows of the primitives."""
    found = {}
    for returned, name, python_name in ROW.findall((ROOT / "core/ops/primitives.def").read_text()):
        found.setdefault(python_name or name, set()).add(annotation_of_result(returned))
    return {name: types.pop() if len(types) == 1 else "Any" for name, types in found.items()}


def annotation_of_result(cpp):
    cpp = cpp.removeprefix("const ").strip(" &")
    if cpp.startswith("std::tuple<"):
        parts = [annotation_of_result(part) for part in cpp[11:-1].split(", ")]
        return f"tuple[{', '.join(parts)}]"
    return RESULTS.get(cpp, "Any")


def parameters(text):
    """`Tensor input, *, int dim = 0` as annotated Python parameters."""
    result = []
    for part in re.split(r", (?=[\w.* ]+(?:,|=|$))", text) if text else []:
        if part == "*":
            result.append(part)
            continue
        declared, _, default = part.partition(" = ")
        kind, _, name = declared.rpartition(" ")
        kind = TYPES.get(kind, kind) or "Any"
        name = KEYWORDS.get(name, name)
        optional = " | None" if default == "None" else ""
        result.append(f"{name}: {kind}{optional}" + (f" = {default}" if default else ""))
    return result


def declarations(name, doc, result, method, indent=""):
    """One function, or one overload for each line of its documentation."""
    lines = []
    signatures = [
        line for line in (doc or "").splitlines() if line.startswith(f"{name.rstrip('_')}")
    ]
    for signature in signatures:
        given = parameters(signature.partition("(")[2].rpartition(")")[0])
        given = ["self", *given[1:]] if method else given
        while given and given[-1] == "*":
            given.pop()
        if len(signatures) > 1:
            lines.append(f"{indent}@overload")
        lines.append(f"{indent}def {name}({', '.join(given)}) -> {result}: ...")
    return lines or [f"{indent}def {name}(*args: Any, **kwargs: Any) -> {result}: ..."]


def usable(name):
    return name.isidentifier() and not (name.startswith("__") and name.endswith("__"))


def load(path):
    """The extension module at `path`, without the package around it (which would load another)."""
    package = types.ModuleType("lampas")
    package.__path__ = [str(ROOT / "src" / "lampas")]
    sys.modules["lampas"] = package
    spec = importlib.util.spec_from_file_location("lampas._core", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["lampas._core"] = package._core = module
    spec.loader.exec_module(module)
    return module


def generate(_core):
    """The text of the stub."""
    results = return_types()
    operator = type(_core.Tensor.__dict__["add"])
    constants, functions, classes = [], [], []
    for name in sorted(filter(usable, vars(_core))):
        value = getattr(_core, name)
        if isinstance(value, type):
            if name != "Tensor":
                classes.append(f"class {name}:\n    def __getattr__(self, name: str) -> Any: ...\n")
        elif isinstance(value, (_core.dtype, _core.layout, _core.memory_format)):
            constants.append(f"{name}: {type(value).__name__}")
        elif callable(value):
            result = results.get(name.rstrip("_"), "Any" if name.startswith("_") else "Tensor")
            functions += declarations(name, value.__doc__, result, method=False)
    body = []
    for name, value in sorted(vars(_core.Tensor).items()):
        if usable(name) and type(value) is operator:
            result = results.get(name.rstrip("_"), "Tensor")
            body += declarations(name, value.__doc__, result, method=True, indent="    ")
    tensor = ["class Tensor:", *body, "    def __getattr__(self, name: str) -> Any: ...", ""]
    return HEADER + "\n".join([*classes, *tensor, *constants, "", *functions]) + "\n"


def main():
    module, stub = sys.argv[1], Path(sys.argv[2])
    text = generate(load(module))
    if "--check" not in sys.argv:
        stub.write_text(text)
    elif not stub.exists() or stub.read_text() != text:
        print(f"{stub} is not what the operators say; build again")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
