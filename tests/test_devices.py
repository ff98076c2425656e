"""Names of devices: which are understood, and what becomes of those that cannot be used."""

import pickle

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

from agreement import agree

import lampas

NAMES = [
    "cpu", "cpu:0", "cpu:1", "meta", "meta:0", "cuda", "cuda:0", "cuda:-1", "cuda:", "cuda:a", "cuda:01",
    "mps", "mps:0", "xpu", "xpu:1", "hip", "xla:3", "privateuseone", "mtia", "vulkan", "lazy", "hpu",
    "ipu", "maia", "fpga", "opengl", "opencl", "ideep", "ve", "foo", "foo:1", "", "CPU", "cpu ",
    " cpu", "a b", "cuda:0:1", "cuda: 1", "cuda:1.0", "cuda-1", ":0",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_strings(name):
    def run(t):
        device = t.device(name)
        return repr(device), str(device), device.type, device.index, device == t.device("cpu")

    agree(run)


@pytest.mark.parametrize("name", ["mps", "hip", "xla:3", "vulkan"])
def test_devices_that_cannot_be_used(name, torch):
    for make in (lambda t: t.zeros(1, device=name), lambda t: t.ones(1).to(name)):
        with pytest.raises(NotImplementedError) as ours:
            make(lampas)
        with pytest.raises(NotImplementedError) as theirs:
            torch.zeros(1, device=name)
        assert str(theirs.value).startswith(str(ours.value))


def test_devices_are_pickled():
    device = lampas.device("mps:1")
    assert pickle.loads(pickle.dumps(device)) == device and len({device, lampas.device("mps")}) == 2


def test_instruction_set(python):
    source = "import lampas; print(lampas._core._isa(), lampas.__config__.show())"
    for isa, name in (("baseline", "DEFAULT"), (lampas._core._isa(), None)):
        shown = python(source, env={"LAMPAS_ISA": isa})
        name = name or lampas.backends.cpu.get_cpu_capability()
        assert shown.startswith(isa) and f"CPU capability usage: {name}\n" in shown
