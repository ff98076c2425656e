"""Every kernel text compiles for every generation of GPUs; NVRTC needs no GPU for that.

Here each text of each row is translated once, and a sample of them down to machine code; types that
bring nothing new, and machine code of every row, are marked full.
"""

import glob
import os

import pytest
from emulation import GENERATIONS

import lampas
from lampas import _core

DTYPES = "bool int64 float32 complex64".split()
SLOW = "uint8 int8 int16 int32 float64 complex128".split()
EVERY = DTYPES + [pytest.param(name, marks=pytest.mark.full) for name in SLOW]
LAYOUTS = ("contiguous", "strided")


@pytest.fixture(scope="module", autouse=True)
def compiler():
    folders = __import__("lampas._nvidia", fromlist=["folders"]).folders().split(":")
    if not any(glob.glob(os.path.join(folder, "libnvrtc.so.*")) for folder in folders):
        pytest.skip("the wheel nvidia-cuda-nvrtc-cu12 is not installed")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LAMPAS_CACHE_DIR", str(tmp_path))
    return tmp_path / "cuda"


def compiled(dtype, layout, target, step=1, start=0):
    dtype = getattr(lampas, dtype)
    rows = _core._cuda_rows(dtype)[start::step]
    text, kernels = _core._cuda_program([(name, which, dtype, layout) for name, which in rows])
    code = _core._cuda_compile(text, target, "rows")
    for name, _, _ in kernels:
        assert name.encode() in code
    return code


@pytest.mark.parametrize("dtype", EVERY)
def test_every_row_translates(dtype):
    """To PTX of the oldest generation: about 30 ms a row."""
    layout = LAYOUTS[(DTYPES + SLOW).index(dtype) % 2]
    assert b".target sm_75" in compiled(dtype, layout, "compute_75")


@pytest.mark.full
@pytest.mark.parametrize("target", GENERATIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES + SLOW)
def test_every_row_becomes_machine_code(dtype, layout, target):
    assert compiled(dtype, layout, target)[:4] == b"\x7fELF"


@pytest.mark.parametrize("target", GENERATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sample_becomes_machine_code(dtype, target):
    start = GENERATIONS.index(target)
    for layout in LAYOUTS:
        assert compiled(dtype, layout, target, step=29, start=start)[:4] == b"\x7fELF"


def test_code_is_kept_on_disk(cache, monkeypatch):
    code = compiled("bool", "contiguous", "sm_80", step=20)
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    assert kept.name.startswith("rows-sm_80-") and whole.endswith(code)
    # What is there is read, not made again: a file with another program under this name and a
    # description that fits it would be taken. A damaged one is not.
    for damaged in (whole[:-1], whole[:100], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        kept.write_bytes(damaged)
        assert compiled("bool", "contiguous", "sm_80", step=20) == code
        assert kept.read_bytes() == whole
    before = kept.stat().st_mtime_ns
    assert compiled("bool", "contiguous", "sm_80", step=20) == code
    assert kept.stat().st_mtime_ns == before
    monkeypatch.setenv("LAMPAS_CUDA_CACHE", "0")
    kept.unlink()
    assert compiled("bool", "contiguous", "sm_80", step=20) == code
    assert list(cache.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LAMPAS_CACHE_DIR", str(tmp_path / "file"))
    assert compiled("bool", "contiguous", "sm_80", step=20)


def test_errors_carry_the_log():
    with pytest.raises(RuntimeError, match="kernel of silu does not compile for sm_90:\n.*error: "):
        _core._cuda_compile("nonsense;", "sm_90", "silu")


def test_a_library_that_is_missing(python):
    source = "from lampas import _core; _core._cuda_compile('', 'sm_90', 'x')"
    done = python(source, env={"LAMPAS_NVRTC": "/nowhere/libnvrtc.so"}, check=False)
    assert "NVRTC, the compiler of kernels for the GPU, was not found" in done.stderr
    assert "pip install lampas[cuda]" in done.stderr


def test_warmup(cache, python):
    source = "import sys; from lampas.__main__ import main; sys.exit(main(sys.argv[1:]))"
    done = python(
        source,
        "cuda",
        "warmup",
        "--arch",
        "sm_80",
        "--rows",
        "silu,add",
        "--dtypes",
        "float32,int64",
    )
    assert (
        done == "12 kernels are compiled\n"
    )  # silu and its gradient, add and its two; add of integers
    names = [path.name for path in cache.iterdir()]
    assert len(names) == len(set(names)) and {name.split("-")[0] for name in names} == {
        "silu",
        "add",
    }
    assert all("-sm_80-" in name for name in names)
