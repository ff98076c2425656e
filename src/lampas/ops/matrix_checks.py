"""What the functions of linear algebra share: checks, the texts of their errors, named results."""

import lampas
from lampas import return_types
from lampas.ops.register import NAMESPACES

_LABELS = {"float16": "Half", "bfloat16": "BFloat16", "float32": "Float", "float64": "Double",
           "complex64": "ComplexFloat", "complex128": "ComplexDouble", "bool": "Bool", "uint8": "Byte",
           "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long"}  # fmt: skip


class LinAlgError(RuntimeError):
    """A matrix has no such factorisation, inverse or solution."""


LinAlgError.__name__ = "_LinAlgError"
NAMESPACES.setdefault("linalg", {})["LinAlgError"] = LinAlgError


def label(dtype):
    """The type's name in messages: "Float" for float32."""
    name = str(dtype).removeprefix("torch.")
    return _LABELS.get(name, name)


def check_matrix(A, name, argument="A"):
    if A.dim() < 2:
        raise RuntimeError(f"{name}: The input tensor {argument} must have at least 2 dimensions.")


def check_square(A, name, argument="A"):
    check_matrix(A, name, argument)
    if A.shape[-1] != A.shape[-2]:
        raise RuntimeError(
            f"{name}: {argument} must be batches of square matrices, but they are {A.shape[-2]} by "
            f"{A.shape[-1]} matrices"
        )


def low_precision(A):
    return A.dtype in (lampas.float16, lampas.bfloat16)


def check_floating(A, name, low=False):
    if not (A.is_floating_point() or A.is_complex()):
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {label(A.dtype)}"
        )
    if not low and low_precision(A):
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {label(A.dtype)}")


def refuse_type(A, kernel):
    """The error of a kernel without that element type."""
    if not (A.is_floating_point() or A.is_complex()) or low_precision(A):
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{label(A.dtype)}'")


def check_square_floating(A, name):
    check_square(A, name)
    check_floating(A, name)


def same_dtype(A, B, name):
    if A.dtype != B.dtype:
        raise RuntimeError(
            f"{name}: Expected A and B to have the same dtype, but found A of type {label(A.dtype)} and B "
            f"of type {label(B.dtype)} instead"
        )


def same_equation(A, B, left, name):
    if A.shape[-2] != B.shape[-2 if left else -1]:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({A.shape[-2]}x{A.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})"
        )


_REASONS = {
    "inv": "The diagonal element {} is zero, the inversion could not be completed because the input matrix is singular.",
    "solve": "The solver failed because the input matrix is singular.",
    "cholesky": "The factorization could not be completed because the input is not positive-definite (the leading "
    "minor of order {} is not positive-definite).",
    "eig": "The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated "
    "eigenvalues (error code: {}).",
    "svd": "The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated "
    "singular values (error code: {}).",
    "lstsq": "The least squares solution could not be computed because the input matrix does not have full rank "
    "(error code: {}).",
}  # fmt: skip


def raise_failed(info, name, reason):
    """Raises LinAlgError for the first matrix whose `info` is not 0."""
    if info.is_meta or not bool((info != 0).any()):
        return
    codes = info.flatten().tolist()
    place, code = next((place, code) for place, code in enumerate(codes) if code)
    where = f"(Batch element {place}): " if info.dim() else ""
    if reason == "svd" and code == -4:
        text = (
            "The algorithm failed to converge because the input matrix contained non-finite values."
        )
    else:
        text = _REASONS[reason].format(code)
    raise LinAlgError(f"{name}: {where}{text}")


def named(name, fields, *values):
    return return_types.make(name, fields)(values)
