"""Names of `torch` itself whose work Lampas does not do: quantised and symbolic values, and so on."""

from lampas import _core, unavailable
from lampas.ops.register import FUNCTIONS

_GRAPHS = "programs are not traced into graphs"


def _add(functions="", types="", hint=""):
    FUNCTIONS.update(unavailable.names("torch", functions, types, hint))


_add(
    "sparse_bsr_tensor sparse_bsc_tensor hsmm sspaddmm saddmm resize_as_sparse_ indices_copy values_copy "
    "crow_indices_copy col_indices_copy ccol_indices_copy row_indices_copy native_norm _convert_indices_from_coo_to_csr "
    "_convert_indices_from_csr_to_coo",
    hint="sparse layouts are COO, CSR and CSC",
)
_add(
    "quantize_per_tensor quantize_per_channel quantize_per_tensor_dynamic "
    "_make_per_tensor_quantized_tensor _make_per_channel_quantized_tensor dequantize int_repr "
    "empty_quantized",
    "QInt8Storage QInt32Storage QUInt8Storage QUInt4x2Storage QUInt2x4Storage",
    hint="numbers are not quantised",
)
_add(types="TensorType", hint=_GRAPHS)
_add(types="PyTorchFileReader PyTorchFileWriter", hint="use torch.load and torch.save")
_add("_scaled_mm _grouped_mm", hint="there are no 8-bit floating-point types")


class Stream:
    """A queue of a device's operations. The CPU has none: made, it orders nothing."""

    __module__ = "torch"

    def __init__(self, device=None, *, priority=0):
        self.device = _core.device("cpu" if device is None else device)
        if self.device.type != "cpu":
            raise NotImplementedError(unavailable.message(f"torch.Stream on {self.device}"))

    def query(self):
        """True: everything is done."""
        return True

    def synchronize(self):
        """Nothing to wait for."""

    def __repr__(self):
        return f"torch.Stream device_type={self.device.type}, device_index=-1, stream_id=0"


FUNCTIONS["Stream"] = Stream
FUNCTIONS["spmm"] = FUNCTIONS["dsmm"] = _core.mm  # of dense matrices
FUNCTIONS["Event"] = unavailable.type_("torch.Event", "the CPU has no events")


def _no_such_device(kind):
    def move(self, *args, **kwargs):
        raise AssertionError(f"Torch not compiled with {kind.upper()} enabled")

    move.__name__ = move.__qualname__ = kind
    move.__doc__ = "Raises AssertionError: there is no such device."
    return move


_core.Tensor.xpu, _core.Tensor.mtia = _no_such_device("xpu"), _no_such_device("mtia")


class _AbsentType:
    """An element type that exists by name only: no tensor has it, and none can be made of it.

    Each has a class of its own, so that the TypeError of a call with it names it.
    """

    def __init__(self, name, itemsize, is_floating_point=False, is_complex=False, is_signed=True):
        self._name = name
        self.itemsize = itemsize
        self.is_floating_point = is_floating_point
        self.is_complex = is_complex
        self.is_signed = is_signed

    def __repr__(self):
        return f"torch.{self._name}"

    def __reduce__(self):
        return _absent_type, (self._name,)


def _absent_type(name):
    return FUNCTIONS[name]


def _add_types(names, itemsize, **properties):
    for name in names.split():
        label = f"torch.{name}, which is not available in Lampas"
        FUNCTIONS[name] = type(label, (_AbsentType,), {})(name, itemsize, **properties)


_add_types(
    "float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn_x2",
    1,
    is_floating_point=True,
)
_add_types("uint1 uint2 uint3 uint4 uint5 uint6 uint7 quint8 quint4x2 quint2x4", 1, is_signed=False)
_add_types("int1 int2 int3 int4 int5 int6 int7 qint8", 1)
_add_types("qint32", 4)
