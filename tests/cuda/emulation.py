"""Kernels of the GPU on the CPU: the very texts, compiled by the host's compiler, on the grid that
emulated_grid.h plays. Not a test; used by those beside it."""

import ctypes
import os
import subprocess

from lampas import _core

HERE = os.path.dirname(os.path.abspath(__file__))
GENERATIONS = ("sm_75", "sm_80", "sm_90")  # what NVRTC compiles for in tests
OPERANDS, PARAMS, RANK = 6, 6, 12


class Number(ctypes.Structure):
    _fields_ = [("re", ctypes.c_double), ("im", ctypes.c_double), ("whole", ctypes.c_int64)]


class Arguments(ctypes.Structure):
    """As PointwiseArguments of core/cuda/device/pointwise.h."""

    _fields_ = [
        ("data", ctypes.c_void_p * OPERANDS),
        ("numbers", Number * OPERANDS),
        ("params", Number * PARAMS),
        ("n", ctypes.c_int64),
        ("sizes", ctypes.c_int64 * RANK),
        ("strides", (ctypes.c_int64 * RANK) * OPERANDS),
        ("rank", ctypes.c_int32),
    ]


class Dim3(ctypes.Structure):
    _fields_ = [("x", ctypes.c_uint), ("y", ctypes.c_uint), ("z", ctypes.c_uint)]


def write_headers(folder):
    """The shared headers, as the library carries them."""
    for name, text in _core._cuda_headers().items():
        os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)


def build(folder, text, name):
    """A library of the kernels in `text`."""
    folder = str(folder)
    write_headers(folder)
    source, target = (os.path.join(folder, name + ending) for ending in (".cc", ".so"))
    with open(source, "w") as file:
        file.write(text)
    compiler = os.environ.get("CXX", "c++").split()
    flags = ["-std=c++20", "-O0", "-w", "-fPIC", "-shared", f"-I{folder}", f"-I{HERE}"]
    flags += [source, "-o", target]
    done = subprocess.run([*compiler, *flags], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]
    return ctypes.CDLL(target)


def number(value):
    whole = int(value.real) if abs(value) < 2**62 else 0
    return Number(complex(value).real, complex(value).imag, whole)


def launch(kernel, arguments, blocks, threads):
    params = (ctypes.c_void_p * 1)(ctypes.addressof(arguments))
    kernel(params, ctypes.byref(Dim3(blocks, 1, 1)), ctypes.byref(Dim3(threads, 1, 1)))
