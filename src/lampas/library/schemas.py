"""Schemas of operators as text, `(Tensor x, int n=2) -> Tensor`: read, made from annotations, held to.

A call is checked against its schema with PyTorch's words; what types it has no name for is let through.
"""

import ast
import collections.abc
import dataclasses
import inspect
import re
import types
import typing

import lampas

_FORM = re.compile(
    r"\s*(?P<name>[\w:.]*)\s*\((?P<arguments>.*)\)\s*->\s*(?P<returns>.+?)\s*$", re.DOTALL
)
_ARGUMENT = re.compile(r"(?P<type>\S.*?)\s+(?P<name>\w+)\s*(?:=\s*(?P<default>.+))?$", re.DOTALL)
_NOTHING = object()


@dataclasses.dataclass
class Argument:
    """One argument: its type as the schema writes it, and what stands for it when it is not given."""

    type: str
    name: str
    default: str | None = None
    keyword_only: bool = False

    def __str__(self):
        return f"{self.type} {self.name}" + ("" if self.default is None else f"={self.default}")

    def spoken(self):
        """The type in messages: List[int] for int[], Optional[Tensor] for Tensor?."""
        text = re.sub(r"\([^)]*\)", "", self.type).replace("SymInt", "int")
        if text.endswith("?"):
            return f"Optional[{Argument(text[:-1], '').spoken()}]"
        found = re.fullmatch(r"(.+)\[\d*\]", text)
        return f"List[{Argument(found[1], '').spoken()}]" if found else text


class Schema:
    """A parsed schema. ValueError for a text that is none."""

    def __init__(self, qualname, text):
        found = _FORM.match(text)
        if found is None:
            raise ValueError(
                "define(qualname, schema, ...): expected schema to look like e.g. "
                f'"(Tensor x) -> Tensor" but got "{text}"'
            )
        self.name, self.returns, self.arguments = qualname, found["returns"], []
        keyword_only = False
        for part in _split(found["arguments"]):
            if part == "*":
                keyword_only = True
                continue
            argument = _ARGUMENT.match(part)
            if argument is None:
                raise ValueError(f"schema of {qualname}: {part!r} is no argument")
            default = argument["default"] and _written(argument["default"].strip())
            self.arguments.append(
                Argument(argument["type"], argument["name"], default, keyword_only)
            )

    def __str__(self):
        parts = [str(a) for a in self.arguments]
        first = next((i for i, a in enumerate(self.arguments) if a.keyword_only), None)
        if first is not None:
            parts.insert(first, "*")
        return f"{self.name}({', '.join(parts)}) -> {self.returns}"

    def checked(self, args, kwargs):
        """The arguments of a call, ints made floats where the schema says so. RuntimeError if wrong."""
        positional = [a for a in self.arguments if not a.keyword_only]
        if len(args) > len(positional):
            raise RuntimeError(
                f"{self.name}() takes {len(positional)} positional argument(s) but {len(args)} was/were "
                f"given.  Declaration: {self}"
            )
        given = dict(zip((a.name for a in positional), args))
        for name in kwargs:
            if name in given:
                raise RuntimeError(
                    f"Argument '{name}' specified both as positional and keyword argument. Schema: {self}"
                )
        given.update(kwargs)
        for place, argument in enumerate(self.arguments):
            if argument.name in given:
                given[argument.name] = self._fitting(place, argument, given[argument.name])
            elif argument.default is None:
                raise RuntimeError(
                    f"{self.name}() is missing value for argument '{argument.name}'. Declaration: {self}"
                )
        known = {a.name for a in self.arguments}
        for name in kwargs:
            if name not in known:
                raise RuntimeError(
                    f"Unknown keyword argument '{name}' for operator '{self.name}'. Schema: {self}"
                )
        # As PyTorch's dispatcher hands them on: by position as far as that goes, in the schema's order.
        ordered = [a.name for a in self.arguments if a.name in given]
        count = 0
        while count < len(positional) and positional[count].name in given:
            count += 1
        return [given[n] for n in ordered[:count]], {n: given[n] for n in ordered[count:]}

    def _fitting(self, place, argument, value):
        fits = _fits(argument.spoken(), value)
        if fits is _NOTHING:
            kind = type(value).__name__
            raise RuntimeError(
                f"{self.name}() Expected a value of type '{argument.spoken()}' for argument "
                f"'{argument.name}' but instead found type '{kind}'.\nPosition: {place}\nValue: {value}\n"
                f"Declaration: {self}\nCast error details: {_cast(argument, value)}"
            )
        return fits


def _cast(argument, value):
    if "Tensor" in argument.type:
        return f"Unable to cast {value} to Tensor"
    return (
        f"Unable to cast Python instance of type {type(value)} to C++ type '?' (#define "
        "PYBIND11_DETAILED_ERROR_MESSAGES or compile in debug mode for details)"
    )


def _fits(kind, value):
    """The value as an argument of this kind, `_NOTHING` where it is none."""
    if kind.startswith("Optional["):
        return None if value is None else _fits(kind[9:-1], value)
    if kind.startswith("List["):
        if not isinstance(value, (list, tuple)):
            return _NOTHING
        entries = [_fits(kind[5:-1], entry) for entry in value]
        return _NOTHING if any(entry is _NOTHING for entry in entries) else entries
    wanted = {"Tensor": lampas.Tensor, "int": int, "bool": (bool, int), "str": str}.get(kind)
    if kind == "float":
        return float(value) if isinstance(value, (int, float)) else _NOTHING
    return value if wanted is None or isinstance(value, wanted) else _NOTHING


def _split(text):
    """Parts between commas that stand in no brackets and no quotes."""
    parts, depth, quote, part = [], 0, "", ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and not depth and not quote:
            parts.append(part.strip())
            part = ""
        else:
            part += letter
    return [*parts, part.strip()] if part.strip() else parts


def _written(default):
    """A default as PyTorch writes it: 1. for 1.0, double quotes around text."""
    try:
        value = ast.literal_eval(default)
    except (ValueError, SyntaxError):  # None, float32, cpu
        return default
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(_written(str(entry)) for entry in value)}]"
    return (
        str(value).removesuffix("0")
        if isinstance(value, float) and value == int(value)
        else default
    )


# --- from annotations ------------------------------------------------------------------------------

_PLAIN = {int: "SymInt", float: "float", bool: "bool", str: "str", lampas.Tensor: "Tensor"}
_ALSO = {lampas.dtype: "ScalarType", lampas.device: "Device"}
_NUMBER = {int, float, bool}


def infer_schema(prototype_function, /, *, mutates_args, op_name=None):
    """The schema that a function's annotations say, with `op_name` before it.

    mutates_args: names of the tensors that the function writes, or "unknown" for all. ValueError for
    annotations that are missing or cannot be written.
    """
    signature = inspect.signature(prototype_function)

    def wrong(text):
        return ValueError(f"infer_schema(func): {text} Got func with signature {signature})")

    hints = _annotations(prototype_function, signature)
    arguments, written = [], 0
    for name, parameter in signature.parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise wrong("We do not support positional-only args, varargs, or varkwargs.")
        if parameter.annotation is parameter.empty:
            raise wrong(f"Parameter {name} must have a type annotation.")
        kind = _type_text(hints[name])
        if kind is None:
            raise wrong(f"Parameter {name} has unsupported type {hints[name]}.")
        if (
            mutates_args == "unknown"
            and "Tensor" in kind
            or name in mutates_args
            and mutates_args != "unknown"
        ):
            if "Tensor" not in kind:
                raise wrong(
                    f"Parameter {name} is in mutable_args but only Tensors or collections of Tensors can "
                    "be mutated"
                )
            kind, written = kind.replace("Tensor", f"Tensor(a{written}!)", 1), written + 1
        default = (
            None
            if parameter.default is parameter.empty
            else _default_text(name, parameter.default, wrong)
        )
        arguments.append(Argument(kind, name, default, parameter.kind == parameter.KEYWORD_ONLY))
    if mutates_args != "unknown":
        unknown = set(mutates_args) - set(signature.parameters)
        if unknown:
            raise wrong(f"{unknown} in mutates_args were not found in the signature.")
    schema = Schema.__new__(Schema)
    schema.name, schema.arguments = op_name or "", arguments
    schema.returns = _returns(signature, hints, wrong)
    return str(schema)


def _annotations(function, signature):
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        hints = {name: p.annotation for name, p in signature.parameters.items()}
        return {**hints, "return": signature.return_annotation}


def _type_text(kind):
    """`SymInt[]?` and its like for an annotation; None where it cannot be written."""
    if kind in _PLAIN or kind in _ALSO:
        return _PLAIN.get(kind) or _ALSO[kind]
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if set(parts) == _NUMBER:
            return "Scalar"
        others = [part for part in parts if part is not type(None)]
        inner = _type_text(others[0]) if len(others) == 1 and len(parts) == 2 else None
        return inner and f"{inner}?"
    if origin in (list, collections.abc.Sequence) and parts:
        inner = _type_text(parts[0])
        simple = inner is not None and "[" not in inner and (inner[-1] != "?" or inner == "Tensor?")
        return f"{inner}[]" if simple else None
    return None


def _default_text(name, value, wrong):
    if value is None or isinstance(value, (int, float, bool)):
        return str(value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (lampas.dtype, lampas.device)):
        text = str(value).removeprefix("torch.")
        return text if isinstance(value, lampas.dtype) else f'"{text}"'
    raise wrong(
        f"Parameter {name} has an unsupported default value type {type(value)}. Please file an issue on "
        "GitHub so we can prioritize this."
    )


def _returns(signature, hints, wrong):
    if signature.return_annotation is signature.empty:
        raise wrong("No return type annotation was provided. Please add one.")
    kind = hints["return"]
    if kind is None or kind is type(None):
        return "()"
    if typing.get_origin(kind) is tuple:
        parts = [_type_text(part) for part in typing.get_args(kind)]
        return f"(({parts[0]}))" if len(parts) == 1 else f"({', '.join(map(str, parts))})"
    text = _type_text(kind)
    if text is None or text.endswith("?") or text in ("str", "ScalarType", "Device"):
        raise wrong(f"Return has unsupported type {kind}.")
    return text
