"""`python -m lampas cuda warmup`: compiles kernels before they are needed."""

import concurrent.futures
import os

import lampas
from lampas import _core


def fill(arch=None, dtypes=("float32",), rows=None):
    """Compiles the pointwise kernels of these dtypes, and keeps them on disk; how many they are.

    arch: "sm_90"; None: that of the first GPU, RuntimeError where there is none. rows: names of
    operators, separated by commas; None: all.
    """
    if arch is None:
        arch = _core._cuda_architecture(*_core._cuda_properties(0)[1:3])
    wanted = None if rows is None else set(rows.split(","))
    keys = [
        (name, which, getattr(lampas, dtype), layout)
        for dtype in dtypes
        for name, which in _core._cuda_rows(getattr(lampas, dtype))
        if wanted is None or name in wanted
        for layout in ("contiguous", "strided")
    ]

    def compile_one(key):
        text, _ = _core._cuda_program([key])
        _core._cuda_compile(text, arch, key[0])

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, keys))
    return len(keys)
