"""Comparing results in tests, and making tensors for them."""

from lampas.testing.comparison import assert_close
from lampas.testing.creation import make_tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]


def assert_allclose(actual, expected, rtol=None, atol=None, equal_nan=True, msg=""):
    """The older form of assert_close: numbers, arrays and dtypes may differ in kind."""
    import lampas

    actual = actual if isinstance(actual, lampas.Tensor) else lampas.tensor(actual)
    expected = (
        expected
        if isinstance(expected, lampas.Tensor)
        else lampas.tensor(expected, dtype=actual.dtype)
    )
    assert_close(
        actual,
        expected,
        rtol=rtol,
        atol=atol,
        equal_nan=equal_nan,
        check_dtype=False,
        msg=msg or None,
    )
