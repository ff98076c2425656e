"""Switches of precision: what PyTorch answers after the same assignments."""

import pytest

import lampas

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def restored():
    yield
    for module in (lampas, torch):
        module.set_float32_matmul_precision("highest")
        module.backends.cudnn.set_flags(True, False, None, False, True)


def both(act):
    """What `act(module)` gives or raises under both libraries."""

    def of(module):
        try:
            return act(module)
        except (AttributeError, RuntimeError) as error:
            return type(error), str(error).splitlines()[0]

    ours, theirs = of(lampas), of(torch)
    assert ours == theirs
    return ours


def state(module):
    matmul, cudnn = module.backends.cuda.matmul, module.backends.cudnn
    return (
        module.get_float32_matmul_precision(), matmul.allow_tf32, matmul.fp32_precision, cudnn.enabled,
        cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32,
    )  # fmt: skip


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_precision_of_products(precision):
    def act(module):
        module.set_float32_matmul_precision(precision)
        return state(module)

    both(act)
    assert lampas._core._switch("matmul_tf32") is (precision != "highest")


@pytest.mark.parametrize("value", [True, False])
def test_tf32(value):
    def act(module):
        module.backends.cuda.matmul.allow_tf32 = value
        return state(module)

    both(act)


def test_cudnn():
    def act(module):
        cudnn = module.backends.cudnn
        seen = []
        with cudnn.flags(enabled=False, deterministic=True):
            seen.append(state(module)[3:])
        cudnn.benchmark = True
        return [*seen, state(module)[3:]]

    both(act)
    assert lampas._core._switch("cudnn_benchmark")


def test_what_is_refused():
    def unknown(module):
        return module.backends.cuda.matmul.nothing

    def no_bool(module):
        module.backends.cudnn.benchmark = 3

    def no_precision(module):
        module.backends.cuda.matmul.fp32_precision = "x"

    for act in (unknown, no_bool, no_precision):
        both(act)
    with pytest.warns(UserWarning, match="foo is not one of 'highest', 'high', or 'medium'"):
        lampas.set_float32_matmul_precision("foo")
    with pytest.raises(ValueError, match="there is no switch nothing"):
        lampas._core._switch("nothing")


def test_attention_and_determinism():
    for kind in ("flash", "mem_efficient", "math", "cudnn"):

        def act(module, kind=kind):
            cuda = module.backends.cuda
            getattr(cuda, f"enable_{kind}_sdp")(False)
            off = getattr(cuda, f"{kind}_sdp_enabled")()
            getattr(cuda, f"enable_{kind}_sdp")(True)
            return off, getattr(cuda, f"{kind}_sdp_enabled")()

        assert both(act) == (False, True)
    lampas.use_deterministic_algorithms(True)
    assert lampas._core._switch("deterministic")
    lampas.use_deterministic_algorithms(False)
    assert not lampas._core._switch("deterministic")
