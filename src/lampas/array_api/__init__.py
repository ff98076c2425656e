"""The Python array API standard, version 2024.12, over Lampas: what `x.__array_namespace__()` gives.

Names, signatures and semantics are the standard's (https://data-apis.org/array-api/2024.12), which
differ from PyTorch's in places: every array takes part in promotion whatever its dimensions,
integers are summed as int64 or uint64, `axis` and `keepdims` name dimensions. The extensions `linalg`
and `fft` are there. Arrays are tensors, so their own methods and operators stay PyTorch's.

Sources by family: `dtypes`, `creation`, `elementwise`, `manipulation`, `reductions`, `searching`.
"""

from math import e, inf, nan, pi

from lampas._core import (
    bool,
    complex64,
    complex128,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from lampas.array_api import fft, linalg
from lampas.array_api.creation import (
    arange,
    asarray,
    empty,
    empty_like,
    eye,
    from_dlpack,
    full,
    full_like,
    linspace,
    meshgrid,
    ones,
    ones_like,
    tril,
    triu,
    zeros,
    zeros_like,
)
from lampas.array_api.dtypes import (
    __array_namespace_info__,
    astype,
    can_cast,
    finfo,
    iinfo,
    isdtype,
    result_type,
)
from lampas.array_api.elementwise import *
from lampas.array_api.linalg import matmul, matrix_transpose, tensordot, vecdot
from lampas.array_api.manipulation import (
    broadcast_arrays,
    broadcast_to,
    concat,
    diff,
    expand_dims,
    flip,
    moveaxis,
    permute_dims,
    repeat,
    reshape,
    roll,
    squeeze,
    stack,
    take,
    take_along_axis,
    tile,
    unstack,
)
from lampas.array_api.reductions import (
    all,
    any,
    count_nonzero,
    cumulative_prod,
    cumulative_sum,
    max,
    mean,
    min,
    prod,
    std,
    sum,
    var,
)
from lampas.array_api.searching import (
    argmax,
    argmin,
    argsort,
    nonzero,
    searchsorted,
    sort,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
    where,
)

__array_api_version__ = "2024.12"
newaxis = None
_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")


def namespace_for(api_version=None):
    """This module, for `Tensor.__array_namespace__`. ValueError for a version it does not know."""
    import sys

    if api_version is not None and api_version not in _VERSIONS:
        raise ValueError(f"Unrecognized array API version: {api_version!r}")
    return sys.modules[__name__]
