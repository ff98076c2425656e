"""`torch.onnx`: names only. Models are not exported, so `export` raises NotImplementedError."""

import enum

from lampas import unavailable

_HINT = "models are not exported"
globals().update(
    unavailable.names(
        "torch.onnx",
        "export dynamo_export register_custom_op_symbolic unregister_custom_op_symbolic "
        "select_model_mode_for_export",
        "ONNXProgram",
        _HINT,
    )
)
is_in_onnx_export = unavailable.answering("torch.onnx.is_in_onnx_export", False)
is_onnxrt_backend_supported = unavailable.answering("torch.onnx.is_onnxrt_backend_supported", False)


class OperatorExportTypes(enum.IntEnum):
    """How operators would be exported."""

    ONNX, ONNX_ATEN, ONNX_ATEN_FALLBACK, ONNX_FALLTHROUGH = 0, 1, 2, 3


class TrainingMode(enum.IntEnum):
    """In which mode a model would be exported."""

    EVAL, PRESERVE, TRAINING = 0, 1, 2


class TensorProtoDataType(enum.IntEnum):
    """Element types, by their numbers in the ONNX format."""

    UNDEFINED, FLOAT, UINT8, INT8, UINT16, INT16, INT32, INT64, STRING, BOOL = range(10)
    FLOAT16, DOUBLE, UINT32, UINT64, COMPLEX64, COMPLEX128, BFLOAT16 = range(10, 17)


class OnnxExporterError(RuntimeError):
    """A failed export."""


def _make_modules():
    from lampas import _shape_as_tensor

    unavailable.module("lampas.onnx.operators", {"shape_as_tensor": _shape_as_tensor})
    unavailable.module(
        "lampas.onnx.symbolic_helper",
        unavailable.names("torch.onnx.symbolic_helper", "parse_args quantized_args", hint=_HINT),
    )


_make_modules()
