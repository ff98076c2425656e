"""Kernels whose blocks may have 512 threads: NVRTC gives a thread at most 128 registers, else a GPU
would refuse the launch, which no emulation notices. And none keeps arrays in memory."""

import struct

import pytest
from emulation import GENERATIONS

from lampas import _core

HELD = [
    ("softmax", "Softmax", "softmax_held<{T}, 4>"),
    ("softmax", "Softmax", "softmax_backward_held<{T}, 4>"),
    ("softmax", "Softmax", "log_sum_rows<{T}>"),
    ("normalize_rows", "Normalize", "rows_held<{T}, {T}, 4>"),
    ("normalize_rows", "Normalize", "rows_held<{T}, float, 4>"),
    ("normalize_rows", "Normalize", "rows_long<{T}, float>"),
    ("normalize_rows", "Normalize", "rows_backward_held<{T}, float, 4>"),
    ("normalize_rows", "Normalize", "rows_backward_long<{T}, float>"),
    ("losses", "Loss", "total_loss<float, {T}>"),
]


def text(family, arguments, function):
    return (
        f'#include "cuda/device/standard.h"\n#include "cuda/device/{family}.h"\n'
        f"namespace lampas::device {{\nLAMPAS_KERNEL(run, {arguments}Arguments) {{\n  {function}(a);\n}}\n}}\n"
    )


def attributes(cubin):
    """What the section .nv.info of an ELF file says of its one kernel: registers (0x2f), stack (0x11)."""
    start, size, count, names = (
        *struct.unpack_from("<Q", cubin, 0x28), *struct.unpack_from("<3H", cubin, 0x3A)
    )  # fmt: skip
    sections = [struct.unpack_from("<IIQQQQ", cubin, start + i * size) for i in range(count)]
    found = {}
    for name, _, _, _, at, length in sections:
        first = sections[names][4] + name
        if cubin[first : cubin.index(b"\0", first)] != b".nv.info":
            continue
        end = at + length
        while at < end:
            form, attribute, value = struct.unpack_from("<BBH", cubin, at)
            at += 4
            if form == 4:
                if attribute in (0x2F, 0x11):
                    found[attribute] = struct.unpack_from("<II", cubin, at)[1]
                at += value
    return found


@pytest.mark.parametrize("target", GENERATIONS)
def test_512_threads_have_their_registers(check_texts, monkeypatch, target):
    monkeypatch.setenv("LAMPAS_CUDA_CACHE", "0")
    for family, arguments, function in HELD:
        for element in ("float", "Half"):
            source = text(family, arguments, function.format(T=element))
            try:
                found = attributes(_core._cuda_compile(source, target, "registers"))
            except RuntimeError as error:
                if "NVRTC" in str(error) and "compile" not in str(error):
                    pytest.skip("no NVRTC")
                raise
            assert 0 < found[0x2F] <= 128 and found[0x11] == 0, (function, element, found)
