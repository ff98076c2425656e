"""The version of PyTorch that Lampas gives as its own: text that compares as a version does.

Order by PEP 440: release numbers, then pre-releases below and post-releases and local parts above.
"""

import operator
import os

_FORM = (
    r"\s*v?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<pre>a|alpha|b|beta|c|rc|pre|preview)[-_.]?(?P<pre_n>\d*))?"
    r"(?:[-_.]?post[-_.]?(?P<post>\d*))?"
    r"(?:[-_.]?dev[-_.]?(?P<dev>\d*))?"
    r"(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*"
)
_RANK = {"a": 0, "alpha": 0, "b": 1, "beta": 1}


def _key(text):
    """What orders versions; ValueError for a text that is none."""
    import re  # not at the top: versions are rarely compared, and `import lampas` is to be light

    found = re.fullmatch(_FORM, text, re.IGNORECASE)
    if found is None:
        raise ValueError(f"Invalid version: {text!r}")
    release = [int(part) for part in found["release"].split(".")]
    while release and not release[-1]:
        release.pop()
    if found["pre"]:
        stage = (_RANK.get(found["pre"].lower(), 2), int(found["pre_n"] or 0))
    else:
        # A development release alone comes before every pre-release, a final release after.
        alone = found["dev"] is not None and found["post"] is None
        stage = (-1, 0) if alone else (3, 0)
    post = -1 if found["post"] is None else int(found["post"] or 0)
    dev = float("inf") if found["dev"] is None else int(found["dev"] or 0)
    local = [
        (1, int(part), "") if part.isdigit() else (0, 0, part.lower())
        for part in re.split(r"[-_.]", found["local"] or "")
        if part
    ]
    return release, stage, post, dev, local


def _text(other):
    if isinstance(other, str):
        return str(other)
    if isinstance(other, (tuple, list)):
        return ".".join(str(part) for part in other)
    return str(other) if hasattr(other, "public") else None


class TorchVersion(str):
    """A version's text that compares by value with texts, tuples of numbers and `packaging`'s Version.

    With a text that is no version it compares as text, and so does `!=` always, as in PyTorch.
    """

    __slots__ = ()
    __hash__ = str.__hash__

    def _compare(self, other, relation):
        text = _text(other)
        if text is None:
            return NotImplemented
        try:
            return _RELATIONS[relation](_key(self), _key(text))
        except ValueError:
            return getattr(str, relation)(self, other)


def _relation(name):
    def compare(self, other):
        return self._compare(other, name)

    compare.__name__ = compare.__qualname__ = name
    return compare


_RELATIONS = {f"__{name}__": getattr(operator, name) for name in ("lt", "le", "eq", "gt", "ge")}
for _name in _RELATIONS:
    setattr(TorchVersion, _name, _relation(_name))

DEFAULT = "2.13.0+lampas"  # what the package behaves like
__version__ = TorchVersion(os.environ.get("LAMPAS_TORCH_VERSION") or DEFAULT)


def torchvision_version(torch_version):
    """The torchvision that was released with a PyTorch: 0.23.0 with 2.8.0, 0.14.1 with 1.13.1."""
    number, plus, local = torch_version.partition("+")
    parts = (*number.split("."), "0", "0")
    major, minor = int(parts[0]), int(parts[1])
    return f"0.{minor + (15 if major > 1 else 1)}.{parts[2]}{plus}{local}"
