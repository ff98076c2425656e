"""The grid that tests play for kernel texts: barriers, shuffles and shared memory of a block."""

import ctypes
import subprocess
import sys

import pytest
from emulation import build, launch

HEAD = '#include "cuda/device/standard.h"\nstruct Arguments { const int* x; int* y; };\n'

# Every thread reads what another has written, in memory of the block and by shuffles.
TEXT = """
LAMPAS_KERNEL(reverse, Arguments) {
  __shared__ int kept[96];
  int i = threadIdx.x, at = blockIdx.x * 96;
  kept[i] = a.x[at + i];
  __syncthreads();
  a.y[at + i] = kept[95 - i];
}
LAMPAS_KERNEL(warp_sums, Arguments) {
  int i = threadIdx.x, x = a.x[i];
  for (int step = 16; step; step /= 2) x += __shfl_down_sync(~0u, x, step);
  a.y[i] = __shfl_sync(~0u, x, 0);
}
LAMPAS_KERNEL(neighbours, Arguments) {
  int i = threadIdx.x, x = a.x[i];
  a.y[i] = __shfl_xor_sync(~0u, x, 1) * 100 + __shfl_up_sync(~0u, x, 1, 8);
}
LAMPAS_KERNEL(votes, Arguments) {
  int i = threadIdx.x;
  a.y[i] = __popc(__ballot_sync(~0u, a.x[i] % 3 == 0)) * 10 + __any_sync(~0u, a.x[i] == 40);
}
LAMPAS_KERNEL(ticket, Arguments) {
  __shared__ bool last;
  __threadfence();
  if (threadIdx.x == 0) last = atomicAdd(&a.y[1], 1) == int(gridDim.x) - 1;
  __syncthreads();
  if (last) atomicAdd(&a.y[0], 1);
}
"""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return build(tmp_path_factory.mktemp("grid"), HEAD + TEXT, "grid")


class Arguments(ctypes.Structure):
    _fields_ = [("x", ctypes.c_void_p), ("y", ctypes.c_void_p)]


def run(kernel, blocks, threads, x=range(192)):
    x, y = (ctypes.c_int * 192)(*x), (ctypes.c_int * 192)()
    launch(kernel, Arguments(ctypes.addressof(x), ctypes.addressof(y)), blocks, threads)
    return list(y)


def test_memory_of_a_block(kernels):
    expected = list(range(95, -1, -1)) + list(range(191, 95, -1))
    assert run(kernels.reverse, 2, 96) == expected


def test_shuffles(kernels):
    sums = [sum(range(at, at + 32)) for at in (0, 32, 64)]
    assert run(kernels.warp_sums, 1, 96)[:96] == [s for s in sums for _ in range(32)]
    pairs = [(i ^ 1) * 100 + (i - 1 if i % 8 else i) for i in range(64)]
    assert run(kernels.neighbours, 1, 64)[:64] == pairs


def test_votes(kernels):
    expected = [sum(k % 3 == 0 for k in range(w, w + 32)) * 10 + (w == 32) for w in (0, 32)]
    assert run(kernels.votes, 1, 64)[:64] == [v for v in expected for _ in range(32)]


def test_the_last_block_knows_it(kernels):
    assert run(kernels.ticket, 5, 64)[:2] == [64, 5]


def test_a_barrier_that_not_all_reach_aborts(tmp_path):
    text = """
LAMPAS_KERNEL(stuck, Arguments) {
  if (threadIdx.x == 0) __syncthreads();
  else __shfl_sync(~0u, 1, 0);
  __syncthreads();
}
"""
    build(tmp_path, HEAD + text, "stuck")
    program = f"""
import ctypes, sys
sys.path.insert(0, {str(__file__.rsplit("/", 1)[0])!r})
from emulation import launch
launch(ctypes.CDLL({str(tmp_path / "stuck.so")!r}).stuck, ctypes.c_int(0), 1, 64)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode < 0 and "every thread waits for another" in done.stderr
