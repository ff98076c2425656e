"""lobpcg against PyTorch's and against eigh: values, spaces, random stream, gradients, tracker, errors."""

import pytest
import torch

import lampas


def _matrices(dtype=torch.float64):
    torch.manual_seed(0)
    A, B = torch.randn(2, 12, 12, dtype=dtype)
    return A @ A.T + torch.eye(12, dtype=dtype) / 10, B @ B.T + torch.eye(12, dtype=dtype)


def _mine(x):
    return lampas.tensor(x.tolist(), dtype=getattr(lampas, str(x.dtype).removeprefix("torch.")))


A, B = _matrices()
CALLS = [
    {},
    {"k": 2},
    {"k": 2, "largest": False},
    {"k": 2, "method": "basic"},
    {"k": 2, "B": B},
    {"k": 2, "B": B, "largest": False},
    {"k": 1, "n": 3},
    {"X": torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))},
    {"k": 2, "iK": torch.linalg.inv(A)},
]


@pytest.mark.parametrize("options", CALLS, ids=lambda o: " ".join(o) or "plain")
def test_pairs(options):
    torch.manual_seed(1)
    E, X = torch.lobpcg(A, **options)
    following = torch.rand(1).item()
    lampas.manual_seed(1)
    given = {k: _mine(v) if isinstance(v, torch.Tensor) else v for k, v in options.items()}
    e, x = lampas.lobpcg(_mine(A), **given)
    assert lampas.rand(1).item() == following
    x = torch.tensor(x.tolist(), dtype=torch.float64)
    torch.testing.assert_close(torch.tensor(e.tolist(), dtype=E.dtype), E, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(x @ x.T, X @ X.T, rtol=1e-4, atol=1e-4)


def test_batch_and_single_precision():
    both = torch.stack([A, B])
    e, x = lampas.lobpcg(_mine(both), k=3)
    expected = torch.linalg.eigvalsh(both).flip(-1)[:, :3]
    torch.testing.assert_close(torch.tensor(e.tolist(), dtype=torch.float64), expected)
    assert tuple(x.shape) == (2, 12, 3)
    e, _ = lampas.lobpcg(_mine(A.float()), k=2, largest=False)
    torch.testing.assert_close(
        torch.tensor(e.tolist()), torch.linalg.eigvalsh(A)[:2].float(), rtol=1e-3, atol=1e-3
    )


def test_gradient():
    """Of the values and of a projector, which does not depend on signs."""
    grads = []
    for module, a in ((torch, A.clone()), (lampas, _mine(A))):
        module.manual_seed(0)
        a.requires_grad_()
        E, X = module.lobpcg(a, k=2, tol=1e-12, niter=200)
        weight = module.arange(144, dtype=module.float64).reshape(12, 12) / 50
        loss = (E * E).sum() + ((X @ X.mT) * weight).sum()
        grads.append(module.autograd.grad(loss, a)[0].tolist())
    expected, got = (torch.tensor(g, dtype=torch.float64) for g in grads)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_tracker_stops():
    seen = []

    def tracker(state):
        seen.append((state.ivars["istep"], tuple(state.X.shape), tuple(state.E.shape)))
        state.bvars["force_stop"] = len(seen) == 3

    lampas.lobpcg(_mine(A), k=2, tracker=tracker)
    assert seen == [(step, (12, 2), (2,)) for step in range(3)]


@pytest.mark.parametrize(
    "call",
    [
        lambda m, a: m.lobpcg(a[:5], k=1),
        lambda m, a: m.lobpcg(a, k=5),
        lambda m, a: m.lobpcg(a, X=a[:11, :2]),
    ],
)
def test_errors(call):
    texts = []
    for module, a in ((torch, A), (lampas, _mine(A))):
        with pytest.raises(Exception) as error:
            call(module, a)
        texts.append((type(error.value).__name__, str(error.value)))
    assert texts[0] == texts[1]
