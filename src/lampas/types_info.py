"""finfo and iinfo: the limits of the element types."""

from lampas import _core

_FLOATS = {  # name: (bits, exponent bits, stored fraction bits)
    "float16": (16, 5, 10),
    "bfloat16": (16, 8, 7),
    "float32": (32, 8, 23),
    "float64": (64, 11, 52),
}
# Types of one byte: (eps, max, min, smallest normal). The eps of e5m2fnuz is what PyTorch says.
_FLOATS8 = {
    "float8_e4m3fn": (0.125, 448.0, -448.0, 2.0**-6),
    "float8_e5m2": (0.25, 57344.0, -57344.0, 2.0**-14),
    "float8_e4m3fnuz": (0.125, 240.0, -240.0, 2.0**-7),
    "float8_e5m2fnuz": (0.125, 57344.0, -57344.0, 2.0**-15),
    "float8_e8m0fnu": (1.0, 2.0**127, 2.0**-127, 2.0**-127),
}


class finfo:
    """Limits of a floating-point type (default: the default one): bits, eps, max, min, tiny, resolution."""

    def __init__(self, type=None):
        dtype = _core.get_default_dtype() if type is None else type
        name = str(dtype).rpartition(".")[2]
        real = {"complex64": "float32", "complex128": "float64", "complex32": "float16"}
        name = self.dtype = real.get(name, name)
        if name in _FLOATS8:
            self.bits, self.resolution = 8, 1.0
            self.eps, self.max, self.min, self.tiny = _FLOATS8[name]
            self.smallest_normal = self.tiny
            return
        if name not in _FLOATS:
            # PyTorch names its own function here, not the type.
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'"
            )
        self.bits, exponent, fraction = _FLOATS[name]
        bias = 2 ** (exponent - 1) - 1
        self.eps = 2.0**-fraction
        self.max = (2.0 - self.eps) * 2.0**bias
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0 ** (1 - bias)
        self.resolution = 10.0 ** -{"float16": 3, "bfloat16": 2, "float32": 6, "float64": 15}[name]

    def __repr__(self):
        numbers = ", ".join(
            f"{name}={_short(getattr(self, name))}"
            for name in ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        )
        return f"finfo({numbers}, dtype={self.dtype})"

    def __eq__(self, other):
        return isinstance(other, finfo) and self.dtype == other.dtype

    def __hash__(self):
        return hash(self.dtype)


def _short(value):
    return f"{value:.6g}"


class iinfo:
    """Limits of an integer type: bits, min, max."""

    def __init__(self, type):
        name = str(type).rpartition(".")[2]
        if not name.startswith(("int", "uint")):
            if name == "bool":
                raise TypeError("torch.bool is not supported by torch.iinfo")
            raise TypeError(
                "torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'"
            )
        self.dtype = name
        self.bits = int(name.lstrip("uint"))
        unsigned = name.startswith("u")
        self.min = 0 if unsigned else -(2 ** (self.bits - 1))
        self.max = 2**self.bits - 1 if unsigned else 2 ** (self.bits - 1) - 1

    def __repr__(self):
        return f"iinfo(min={_short(self.min)}, max={_short(self.max)}, dtype={self.dtype})"

    def __eq__(self, other):
        return isinstance(other, iinfo) and self.dtype == other.dtype

    def __hash__(self):
        return hash(self.dtype)
