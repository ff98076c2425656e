"""How tensors look as text. The rules are PyTorch's: four digits, one width for all numbers of a tensor,
scientific notation when magnitudes differ too much, the middle of large tensors left out."""

from lampas import _core

Tensor = _core.Tensor
inf = float("inf")


class _Options:
    precision = 4
    threshold = 1000
    edgeitems = 3
    linewidth = 80
    sci_mode = None


_options = _Options()
_PROFILES = {
    "default": (4, 1000, 3, 80),
    "short": (2, 1000, 2, 80),
    "full": (4, inf, 3, 80),
}


def set_printoptions(
    precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None
):
    """Sets how tensors are printed.

    precision: digits after the point (4). threshold: number of elements above which the middle is left out (1000).
    edgeitems: elements shown at each end then (3). linewidth: characters per line (80).
    profile: "default", "short" or "full" sets them together. sci_mode: True, False, or None to decide by the values.
    """
    if profile is not None:
        _options.precision, _options.threshold, _options.edgeitems, _options.linewidth = _PROFILES[
            profile
        ]
    for name, value in (
        ("precision", precision),
        ("threshold", threshold),
        ("edgeitems", edgeitems),
        ("linewidth", linewidth),
    ):
        if value is not None:
            setattr(_options, name, value)
    _options.sci_mode = sci_mode


def get_printoptions():
    """The options of set_printoptions as a dict."""
    names = ("precision", "threshold", "edgeitems", "linewidth", "sci_mode")
    return {name: getattr(_options, name) for name in names}


def _finite(value):
    return value == value and value not in (inf, -inf)


class _Format:
    """One width and notation for the numbers of a tensor."""

    def __init__(self, tensor):
        values = tensor.reshape(-1).tolist()
        self.floating = tensor.is_floating_point()
        self.whole, self.scientific, self.width = True, False, 1
        precision = _options.precision
        if not self.floating:
            self.width = max([1, *(len(str(v)) for v in values)])
            return
        shown = [v for v in values if _finite(v) and v != 0]
        if shown:
            sizes = [abs(v) for v in shown]
            largest, smallest = max(sizes), min(sizes)
            self.whole = all(v == int(v) for v in shown)
            wide = largest / smallest > 1000.0 or largest > 1.0e8
            self.scientific = wide if self.whole else wide or smallest < 1.0e-4
            if _options.sci_mode is not None:
                self.scientific = _options.sci_mode
            if self.scientific:
                texts = [f"{v:.{precision}e}" for v in shown]
            elif self.whole:
                texts = [f"{v:.0f}." for v in shown]
            else:
                texts = [f"{v:.{precision}f}" for v in shown]
            self.width = max(self.width, *map(len, texts))
        elif _options.sci_mode is not None:
            self.scientific = _options.sci_mode

    def __call__(self, value):
        if not self.floating:
            text = str(value)
        elif self.scientific:
            text = f"{value:{self.width}.{_options.precision}e}"
        elif self.whole:
            text = f"{value:.0f}"
            if _finite(value):
                text += "."
        else:
            text = f"{value:.{_options.precision}f}"
        return text.rjust(self.width)


class _ComplexFormat:
    def __init__(self, tensor):
        self.real, self.imag = _Format(tensor.real), _Format(tensor.imag)

    @property
    def width(self):
        return self.real.width + self.imag.width + 1

    def __call__(self, value):
        imag = self.imag(value.imag).lstrip()
        join = "" if imag.startswith("-") else "+"
        return f"{self.real(value.real)}{join}{imag}j"


def _format_of(tensor):
    return _ComplexFormat(tensor) if tensor.is_complex() else _Format(tensor)


def _scalar(tensor, form):
    return form(tensor.item())


def _row(tensor, indent, form, shorten):
    room = max(1, (_options.linewidth - indent) // (form.width + 2))
    edge, n = _options.edgeitems, tensor.shape[0]
    if shorten and n > 2 * edge:
        items = [form(v) for v in tensor[:edge].tolist()]
        items += [" ..."] + [form(v) for v in tensor[n - edge :].tolist()]
    else:
        items = [form(v) for v in tensor.tolist()]
    lines = [", ".join(items[i : i + room]) for i in range(0, len(items), room)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _nested(tensor, indent, form, shorten):
    if tensor.dim() == 0:
        return _scalar(tensor, form)
    if tensor.dim() == 1:
        return _row(tensor, indent, form, shorten)
    edge, n = _options.edgeitems, tensor.shape[0]
    places = range(n)
    if shorten and n > 2 * edge:
        places = [*range(edge), None, *range(n - edge, n)]
    parts = ["..." if p is None else _nested(tensor[p], indent + 1, form, shorten) for p in places]
    gap = "," + "\n" * (tensor.dim() - 1) + " " * (indent + 1)
    return "[" + gap.join(parts) + "]"


def _corners(tensor):
    """The elements that stay when the middle is left out."""
    from lampas import cat

    edge = _options.edgeitems
    for dim in range(tensor.dim()):
        n = tensor.shape[dim]
        if n > 2 * edge:
            tensor = cat((tensor.narrow(dim, 0, edge), tensor.narrow(dim, n - edge, edge)), dim)
    return tensor


def _values(tensor, indent):
    tensor = tensor.detach()
    if tensor.dtype in (_core.float16, _core.bfloat16):
        tensor = tensor.float()
    elif tensor.dtype is _core.complex32:
        tensor = tensor.cfloat()
    shorten = tensor.numel() > _options.threshold
    form = _format_of(_corners(tensor) if shorten else tensor)
    return _nested(tensor, indent, form, shorten)


def _usual_type(tensor):
    """Types that need no mention: those Python numbers become."""
    default = _core.get_default_dtype()
    usual = (
        default,
        default.to_complex(),
        _core.int64,
        _core.bool,
    )
    return tensor.dtype in usual


def _grad_suffix(tensor):
    if not _core.is_grad_enabled() and not tensor.requires_grad:
        return []
    try:
        node = tensor.grad_fn
    except RuntimeError:
        return ["grad_fn=<Invalid>"]
    if node is not None:
        return [f"grad_fn=<{node.name()}>"]
    return ["requires_grad=True"] if tensor.requires_grad else []


def to_text(tensor, contents=None):
    """repr of a tensor; `contents` replaces its values."""
    kind = type(tensor)
    prefix = "tensor(" if kind is Tensor or kind.__name__ == "Tensor" else f"{kind.__name__}("
    if kind.__name__ == "Parameter":
        prefix = "tensor("
    indent = len(prefix)
    suffixes = []
    if tensor.device.type not in ("cpu", "meta"):
        suffixes.append(f"device='{tensor.device}'")
    if tensor.is_meta:
        suffixes += ["device='meta'", f"size={tuple(tensor.shape)}"]
        if tensor.dtype is not _core.get_default_dtype():
            suffixes.append(f"dtype={tensor.dtype}")
        text = "..."
    elif tensor.numel() == 0:
        if tensor.dim() != 1:
            suffixes.append(f"size={tuple(tensor.shape)}")
        if tensor.dtype is not _core.get_default_dtype():
            suffixes.append(f"dtype={tensor.dtype}")
        text = "[]"
    else:
        if not _usual_type(tensor):
            suffixes.append(f"dtype={tensor.dtype}")
        text = _values(tensor, indent) if contents is None else contents
    return _with_suffixes(prefix + text, suffixes + _grad_suffix(tensor), indent)


def _with_suffixes(text, suffixes, indent, slack=0):
    """The text with suffixes after it; a line counts as `slack` longer than it is."""
    last = len(text) - text.rfind("\n") - 1 if "\n" in text else len(text)
    last += slack
    for suffix in suffixes:
        if last + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            last = indent + len(suffix)
        else:
            text += ", " + suffix
            last += len(suffix) + 2
    return text + ")"
