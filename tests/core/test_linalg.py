"""Linear algebra against PyTorch: values, first and second derivatives of what is unique, errors."""

import math

import pytest
import torch
from agreeing import assert_agree
from agreement import agree

import lampas


def _matrix(*shape, dtype=torch.float64):
    torch.manual_seed(0)
    return torch.randn(*shape, dtype=dtype, requires_grad=True)


def _definite(n=4, dtype=torch.float64):
    torch.manual_seed(0)
    x = torch.randn(3, n, n, dtype=dtype)
    return (x @ x.mH + torch.eye(n)).requires_grad_()


def _symmetric(m, x):
    return (x + x.mH) / 2


def _cond_1(m, x):
    """PyTorch's cond(x, 1) overwrites an inverse that its own gradient needs."""
    if m is lampas:
        return m.linalg.cond(x, 1)
    return m.linalg.matrix_norm(x, 1) * m.linalg.matrix_norm(m.linalg.inv(x), 1)


SQUARE = {
    "inv": lambda m, x: m.linalg.inv(x),
    "det": lambda m, x: m.linalg.det(x),
    "slogdet": lambda m, x: m.linalg.slogdet(x),
    "solve": lambda m, x: m.linalg.solve(x, x @ x),
    "solve right": lambda m, x: m.linalg.solve(x, x[..., :2, :] + 1, left=False),
    "solve vector": lambda m, x: m.linalg.solve(x[0], x[1, :, 0]),
    "lu": lambda m, x: m.linalg.lu(x)[1:],
    "lu tall": lambda m, x: m.linalg.lu(x[..., :3])[1:],
    "lu wide": lambda m, x: m.linalg.lu(x[..., :3, :])[1:],
    "lu_factor": lambda m, x: m.linalg.lu_factor(x)[0],
    "lu_solve": lambda m, x: m.linalg.lu_solve(*m.linalg.lu_factor(x), x[..., :2] + 1),
    "lu_solve adjoint": lambda m, x: m.linalg.lu_solve(
        *m.linalg.lu_factor(x), x[..., :2] + 1, adjoint=True
    ),
    "qr": lambda m, x: m.linalg.qr(x),
    "qr tall": lambda m, x: m.linalg.qr(x[..., :3]),
    "qr wide": lambda m, x: m.linalg.qr(x[..., :3, :]),
    "triangular": lambda m, x: m.linalg.solve_triangular(x, x[..., :2] + 1, upper=True),
    "triangular right": lambda m, x: m.linalg.solve_triangular(
        x, x[..., :2, :] + 1, upper=False, left=False
    ),
    "triangular unit": lambda m, x: m.linalg.solve_triangular(
        x, x + 1, upper=False, unitriangular=True
    ),
    "svdvals": lambda m, x: m.linalg.svdvals(x),
    "eigvalsh": lambda m, x: m.linalg.eigvalsh(_symmetric(m, x)),
    "pinv": lambda m, x: m.linalg.pinv(x[..., :3]),
    "matrix_exp": lambda m, x: m.linalg.matrix_exp(x),
    "matrix_power": lambda m, x: m.linalg.matrix_power(x, 5),
    "matrix_power negative": lambda m, x: m.linalg.matrix_power(x, -3),
    "norm nuc": lambda m, x: m.linalg.matrix_norm(x, "nuc"),
    "norm 2": lambda m, x: m.linalg.matrix_norm(x, 2),
    "norm -2": lambda m, x: m.linalg.matrix_norm(x, -2, keepdim=True),
    "norm 1": lambda m, x: m.linalg.matrix_norm(x, 1, dim=(0, 2)),
    "norm inf": lambda m, x: m.linalg.matrix_norm(x, float("inf"), dim=(2, 0), keepdim=True),
    "cond": lambda m, x: m.linalg.cond(x),
    "cond 1": lambda m, x: _cond_1(m, x),
    "householder": lambda m, x: m.linalg.householder_product(x[..., :3], x[..., 0, :2]),
    "householder of one": lambda m, x: m.linalg.householder_product(
        x[..., :3], 2 / (1 + x[..., :3].abs().square().sum(-2)).to(x.dtype)
    ),
    "lstsq of one": lambda m, x: m.linalg.lstsq(x[..., :3], (x @ x)[..., :2]).solution,
    "ormqr": lambda m, x: m.ormqr(x[..., :3], x[..., 0, :3], x, True, True),
    "multi_dot": lambda m, x: m.linalg.multi_dot([x[0, 0], x[0], x[1, :, :2], x[2, :2]]),
    "cross": lambda m, x: m.linalg.cross(x[..., :3], x[..., 1:4]),
    "vecdot": lambda m, x: m.linalg.vecdot(x, x + 1),
    "vander": lambda m, x: m.linalg.vander(x[0], N=3),
    "solve vectors": lambda m, x: m.linalg.solve(x, x[..., 0]),
    "lstsq": lambda m, x: m.linalg.lstsq(x[..., :3], x[..., 3:]).solution,
    "lstsq vectors": lambda m, x: m.linalg.lstsq(x[..., :3], x[..., 3]).solution,
    "lstsq residuals": lambda m, x: m.linalg.lstsq(x[..., :2], x[..., 2:], driver="gels")[:2],
    "lstsq rank": lambda m, x: m.linalg.lstsq(x[..., :2], x[..., 2:], driver="gelsd"),
    "einsum": lambda m, x: m.einsum("bij,bjk,bkl->bil", x, x, x),
    "einsum trace": lambda m, x: m.einsum("...ii", x),
    "einsum dots": lambda m, x: m.einsum("...ij,...kj->...ik", x, x[0]),
    "einsum outer": lambda m, x: m.einsum("i,j", x[0, 0], x[1, 1]),
    "tensordot": lambda m, x: m.tensordot(x, x, dims=([1, 2], [2, 1])),
    "kron": lambda m, x: m.kron(x[0], x[1, :2]),
    "chain_matmul": lambda m, x: m.chain_matmul(x[0], x[1, :, :2], x[2, :2]),
}
ONE_DERIVATIVE = {"pinv", "lstsq", "ormqr", "cond", "norm 2", "norm -2", "norm nuc", "matrix_exp"}


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("name", SQUARE)
def test_square(name, dtype):
    assert_agree(
        SQUARE[name],
        _matrix(3, 4, 4, dtype=dtype),
        rtol=1e-6,
        atol=1e-6,
        second=name not in ONE_DERIVATIVE,
    )


DEFINITE = {
    "cholesky": lambda m, x: m.linalg.cholesky(_symmetric(m, x)),
    "cholesky upper": lambda m, x: m.linalg.cholesky(_symmetric(m, x), upper=True),
    "cholesky_inverse": lambda m, x: m.cholesky_inverse(m.linalg.cholesky(x)),
    "cholesky_solve": lambda m, x: m.cholesky_solve(x[..., :2], m.linalg.cholesky(x)),
    "cholesky_inverse full": lambda m, x: m.cholesky_inverse(x),
    "cholesky_inverse upper": lambda m, x: m.cholesky_inverse(x, upper=True),
    "cholesky_solve full": lambda m, x: m.cholesky_solve(x[0, :, :2], x),
    "cholesky_solve upper": lambda m, x: m.cholesky_solve(x[..., :2], x[0], True),
    "logdet": lambda m, x: m.logdet(x),
    "eigh values": lambda m, x: m.linalg.eigh(x).eigenvalues,
    "ldl": lambda m, x: m.linalg.ldl_factor(x.detach()),
    "ldl_solve": lambda m, x: m.linalg.ldl_solve(*m.linalg.ldl_factor(x.detach()), x.detach()),
    "pinv hermitian": lambda m, x: m.linalg.pinv(_symmetric(m, x), hermitian=True),
    "rank": lambda m, x: m.linalg.matrix_rank(x, hermitian=True),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("name", DEFINITE)
def test_definite(name, dtype):
    assert_agree(
        DEFINITE[name],
        _definite(dtype=dtype),
        rtol=1e-6,
        atol=1e-6,
        second=name != "pinv hermitian",
    )


# Vectors are unique up to a phase: projections onto them are unique.
PROJECTED = {
    "eigh": lambda m, x: (lambda r: r[1][..., :2] @ r[1][..., :2].mH)(
        m.linalg.eigh(_symmetric(m, x))
    ),
    "svd": lambda m, x: (lambda r: r[0][..., :2] @ r[2][..., :2, :])(
        m.linalg.svd(x[..., :3], False)
    ),
    "svd left": lambda m, x: (lambda r: r[0][..., :2] @ r[0][..., :2].mH)(
        m.linalg.svd(x[..., :3], False)
    ),
    "svd wide": lambda m, x: (lambda r: r[2][..., :2, :].mH @ r[2][..., :2, :])(
        m.linalg.svd(x[..., :3, :], False)
    ),
    "svd full": lambda m, x: (lambda r: r[0][..., :2] @ r[2][..., :2, :])(m.linalg.svd(x)),
    "eig": lambda m, x: (lambda r: r[1] @ m.diag_embed(r[0] ** 2) @ m.linalg.inv(r[1]))(
        m.linalg.eig(x)
    ),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("name", PROJECTED)
def test_projected(name, dtype):
    assert_agree(PROJECTED[name], _matrix(3, 4, 4, dtype=dtype), rtol=1e-6, atol=1e-6, second=False)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3, 3), (2, 0, 0), (2, 0, 3), (2, 3, 0)])
def test_empty(shape):
    x = torch.zeros(*shape, dtype=torch.float64)
    for call in (lambda m, x: m.linalg.svd(x, False), lambda m, x: m.linalg.qr(x)):
        assert_agree(call, x)
    if shape[-1] == shape[-2]:
        for name in ("inv", "det", "cholesky", "eigvalsh", "eigvals", "slogdet"):
            assert_agree(lambda m, x, name=name: getattr(m.linalg, name)(x), x)


NODES = [
    lambda m, x: m.cholesky_inverse(x),
    lambda m, x: m.cholesky_solve(x, x),
    lambda m, x: m.linalg.solve(x, x[:, 0]),
    lambda m, x: m.linalg.solve(x, x, left=False),
    lambda m, x: m.linalg.pinv(x),
    lambda m, x: m.linalg.lstsq(x, x).solution,
    lambda m, x: m.linalg.householder_product(x, x[0]),
    lambda m, x: m.ormqr(x, x[0], x),
]


@pytest.mark.parametrize("call", NODES)
def test_nodes(call):
    x = torch.eye(3, requires_grad=True)
    names = [call(m, m.eye(3, requires_grad=True)).grad_fn.name() for m in (torch, lampas)]
    assert names[0] == names[1]
    assert call(torch, x).stride() == call(lampas, lampas.eye(3)).stride()


@pytest.mark.parametrize("shape, reflectors", [((0, 0), 0), ((3, 2), 0), ((0, 3, 2), 2)])
def test_no_reflectors(shape, reflectors):
    for call in (
        lambda m, a, tau: m.linalg.householder_product(a, tau),
        lambda m, a, tau: m.ormqr(a[..., :reflectors], tau, a),
    ):
        a = torch.zeros(shape, requires_grad=True)
        tau = torch.zeros(*shape[:-2], reflectors, requires_grad=True)
        expected = call(torch, a, tau)
        mine = lampas.zeros(shape, requires_grad=True)
        got = call(lampas, mine, lampas.zeros(tuple(tau.shape)))
        assert (tuple(got.shape), got.requires_grad) == (tuple(expected.shape), True)


ERRORS = [
    lambda m: m.cholesky_inverse(m.zeros(3, 3)),
    lambda m: m.cholesky_inverse(m.ones(3, 3).int()),
    lambda m: m.cholesky_solve(m.ones(3, 2), m.ones(3, 3).double()),
    lambda m: m.cholesky_solve(m.ones(3, 2), m.ones(3, 3).int()),
    lambda m: m.cholesky_solve(m.ones(4, 2), m.ones(3, 3)),
    lambda m: m.cholesky_solve(m.ones(3, 2), m.ones(3, 4)),
    lambda m: m.linalg.vander(m.ones(3).bool()),
    lambda m: m.linalg.vander(m.ones(3), N=1),
    lambda m: m.linalg.cross(m.ones(3), m.ones(3), dim=4),
    lambda m: m.linalg.lstsq(m.ones(3), m.ones(3)),
    lambda m: m.linalg.lstsq(m.ones(3, 3), m.ones(4)),
    lambda m: m.linalg.lstsq(m.ones(3, 3), m.ones(3, 3).double()),
    lambda m: m.linalg.lstsq(m.ones(3, 2), m.ones(2, 3, 2)),
    lambda m: m.linalg.lstsq(m.ones(3, 2).half(), m.ones(3, 2).half()),
    lambda m: m.linalg.lstsq(m.eye(3)[:, [0, 0]], m.ones(3, 2), driver="gels"),
    lambda m: m.linalg.lstsq(m.ones(3, 2), m.ones(3, 2), driver="x"),
    lambda m: m.lu(m.ones(3)),
    lambda m: m.lu(m.ones(3, 3), out=(m.ones(0),)),
    lambda m: m.ormqr(m.ones(3), m.ones(3), m.ones(3, 3)),
    lambda m: m.ormqr(m.ones(3, 3), m.ones(3), m.ones(3)),
    lambda m: m.ormqr(m.ones(3, 3), m.ones(2), m.ones(3, 3)),
    lambda m: m.ormqr(m.ones(3, 2), m.ones(2), m.ones(4, 3)),
    lambda m: m.ormqr(m.ones(3, 2), m.ones(2), m.ones(4, 2), left=False),
    lambda m: m.ormqr(m.ones(2, 3, 2), m.ones(2, 2), m.ones(3, 3)),
    lambda m: m.ormqr(m.ones(2, 3, 2), m.ones(2), m.ones(2, 3, 3)),
    lambda m: m.ormqr(m.ones(2, 3, 2), m.ones(3, 2), m.ones(2, 3, 3)),
    lambda m: m.ormqr(m.ones(2, 3, 2), m.ones(2, 2), m.ones(4, 3, 3)),
    lambda m: m.ormqr(m.ones(3, 2), m.ones(2).double(), m.ones(3, 3)),
    lambda m: m.ormqr(m.ones(3, 2).int(), m.ones(2).int(), m.ones(3, 3).int()),
    lambda m: m.linalg.inv(m.zeros(3, 3)),
    lambda m: m.linalg.inv(m.zeros(2, 3, 3)),
    lambda m: m.linalg.inv(m.zeros(2, 3)),
    lambda m: m.linalg.inv(m.zeros(3)),
    lambda m: m.linalg.inv(m.zeros(3, 3).half()),
    lambda m: m.linalg.inv(m.zeros(3, 3).long()),
    lambda m: m.linalg.solve(m.zeros(3, 3), m.zeros(3, 3)),
    lambda m: m.linalg.solve(m.eye(3), m.zeros(4, 2)),
    lambda m: m.linalg.solve(m.eye(3), m.zeros(3, 2).double()),
    lambda m: m.linalg.cholesky(-m.eye(3)),
    lambda m: m.cholesky(-m.eye(3).expand(2, 3, 3)),
    lambda m: m.linalg.qr(m.eye(3), "other"),
    lambda m: m.linalg.eigh(m.eye(3), "x"),
    lambda m: m.linalg.lu_factor(m.zeros(3, 3)),
    lambda m: m.linalg.eig(m.full((2, 2), float("nan"))),
    lambda m: m.linalg.svd(m.full((2, 2), float("nan"))),
    lambda m: m.linalg.multi_dot([m.eye(2)]),
    lambda m: m.tensordot(m.ones(2, 3), m.ones(2, 3), 1),
    lambda m: m.einsum("ij,jk->il", m.ones(2, 3), m.ones(3, 2)),
    lambda m: m.linalg.matrix_norm(m.ones(2, 3), 3),
]


@pytest.mark.parametrize("call", ERRORS)
def test_errors(call):
    with pytest.raises(Exception) as expected:
        call(torch)
    with pytest.raises(Exception) as got:
        call(lampas)
    assert type(got.value).__name__ == type(expected.value).__name__
    assert str(got.value).split("\nhint:")[0] == str(expected.value)


@pytest.mark.parametrize("ord", [1, -1, 2, -2, math.inf, -math.inf, "nuc", "fro"])
@pytest.mark.parametrize("size", [(0, 0), (0, 3), (3, 0), (2, 0, 3), (0, 2, 3)])
def test_norms_of_empty_matrices(ord, size):
    agree(
        lambda m: [m.linalg.matrix_norm(m.ones(size), ord, keepdim=keep) for keep in (False, True)]
    )
