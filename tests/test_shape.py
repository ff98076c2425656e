"""Views, joining, repeating and turning against PyTorch: values, strides, memory, gradients, errors."""

import numpy
import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

from agreement import agree
from expressions import LAYOUTS, cases, check_gradients, check_values

import lampas

VIEWS = cases("""
x.reshape(-1) | x.reshape(2, -1) | x.flatten() | x.flatten(1) | x.flatten(0, 1) | x.unflatten(0, (-1, 1))
x.expand(2, *x.shape) | x[:1].expand(5, -1, -1) | x.permute(2, 0, 1) | x.transpose(0, -1) | x[0].t() | x[0, 0].t()
x.swapaxes(0, 1) | x.swapdims(1, 2) | x.movedim(0, 2) | x.moveaxis((0, 1), (-1, 0)) | x.mT | x[0].T | x.mH
x[0].H | x.adjoint() | x.squeeze() | x[:, :1].squeeze(1) | x[:1, :1].squeeze((0, 1)) | x.unsqueeze(0)
x.unsqueeze(-1) | x.select(1, -1) | x.narrow(2, 1, 1) | x.narrow(1, -1, 1) | x.diagonal()
x.diagonal(1, 0, 2) | x.diagonal(-1, 2, 1) | x.unfold(2, 2, 1) | x.unfold(0, 2, 2) | x.ravel()
x.as_strided((2, 2), (1, 2)) | x.as_strided((2, 2), (1, 1), 1) | x.view_as(x) | x.reshape_as(x)
x.split(2, 1) | x.split([1, x.shape[2] - 1], 2) | x.chunk(2, 2) | x.unbind(1) | x.tensor_split(2, 2)
x.tensor_split((1, 5, -1), 1) | x.hsplit((1,)) | x.dsplit((1,)) | x.vsplit((1,)) | x.unsafe_chunk(2)
x.broadcast_to((2, *x.shape)) | torch.broadcast_tensors(x, x[:1])[1] | torch.atleast_3d(x[0])
torch.meshgrid(x[0, 0], x[0, :, 0], indexing='ij') | torch.meshgrid(x[0, 0], x[0, :, 0], indexing='xy')
""")

FRESH = cases("""
torch.cat([x, x]) | torch.cat([x, x[:, :1]], 1) | torch.stack([x, x]) | torch.stack([x, x], -1)
torch.cat([x[..., :0], x], 2) | torch.hstack([x, x]) | torch.vstack([x[0], x[0]]) | torch.dstack([x[0], x[0]])
torch.column_stack([x[0, 0], x[0, 0]]) | x.repeat(2, 1, 3) | x.repeat(2, 1, 1, 1) | x.tile(2) | x.tile((2, 1, 1, 1))
x.repeat_interleave(2) | x.repeat_interleave(3, 1) | x.repeat_interleave(torch.tensor([2] * x.shape[0]), 0)
x.roll(1) | x.roll((1, -2), (0, 2)) | x.flip(0) | x.flip(0, 2) | x.fliplr() | x.flipud() | x.tril() | x.triu(1)
x.tril(-1) | torch.diag(x[0]) | torch.diag(x[0, 0]) | torch.diag_embed(x) | torch.diag_embed(x, 1, 0, 2)
torch.diagflat(x) | torch.constant_pad_nd(x, (1, 2)) | torch.constant_pad_nd(x, (0, 1, 2, 0), 1.5)
torch.constant_pad_nd(x, (-1, 1, 1, -1)) | torch.select_scatter(x, x[0] * 2, 0, 1)
torch.slice_scatter(x, x[:1] * 2, 0, 1, 2) | torch.diagonal_scatter(x, x.diagonal() * 2)
torch.block_diag(x[0], x[1]) | torch.cartesian_prod(x[0, 0], x[0, :, 0]) | torch.combinations(x[0, 0])
torch.combinations(x[0, 0], 3, True) | x.rot90() | x.rot90(2, (1, 2)) | x.rot90(-1, (0, 2)) | torch.channel_shuffle(x, 1)
torch.view_copy(x, (-1,)) | torch.permute_copy(x, (1, 0, 2)) | torch.narrow_copy(x, 0, 0, 1) | torch.expand_copy(x, (2, *x.shape))
""")

# Joined or copied by another chain of nodes than PyTorch's.
OTHER_NODES = (
    "rot90",
    "unsafe",
    "torch.diag(x[0])",
    "block_diag",
    "shuffle",
    "_copy",
    "diagflat",
    "cartesian",
)

ERRORS = cases("""
x.view(5) | x.view(-1, -1) | x.view(-1, 5) | x.view(-2, 4) | x.transpose(0, 1).view(24) | x.expand(3, 3, 4) | x.expand(4)
x.expand(-1, 2, 3, 4) | x.permute(0, 1) | x.permute(0, 0, 1) | x.t() | x.squeeze(5) | x.unsqueeze(5) | x.select(0, 3)
x.narrow(0, 1, 4) | x.narrow(0, 1, -1) | x.narrow(0, 5, 1) | x.as_strided((100,), (1,)) | x.as_strided((1,), (-1,))
x.as_strided((1, 1), (1,)) | x.as_strided((1, 1), (1, 1), -1) | x.diagonal(0, 1, 1) | x.unfold(0, 5, 1) | x.unfold(0, 1, 0)
x.unfold(0, -1, 1) | x.split(0) | x.split(-1) | x.split([1, 2]) | x.chunk(0) | x.unflatten(0, (3, 5)) | x.flatten(2, 1)
x.movedim((0, 1), (0,)) | x.movedim((0, 0), (1, 2)) | x[0, 0].mT | x.H | x.hsplit(2) | x[0, 0, 0].unbind() | x.tensor_split(0)
torch.cat([]) | torch.cat([x, x[0]]) | torch.cat([x, x[:, :2]]) | torch.cat([x[0, 0, 0]]) | torch.cat([x, x], 5)
torch.stack([]) | torch.stack([x, x[0]]) | torch.hstack([]) | torch.flip(x, (0, 0)) | x.roll((1, 2), (0,)) | x.roll(1, (0, 1))
torch.rot90(x, 1, (0, 0)) | torch.rot90(x, 1, (0,)) | torch.tril(x[0, 0]) | torch.diag(x) | x.repeat(2) | x.repeat(-1, 1, 1)
x.repeat_interleave(-1) | x.repeat_interleave(torch.tensor([1, -1]), 0) | x.repeat_interleave(torch.tensor([1, 1, 1]), 0)
torch.constant_pad_nd(x, (1, 1) * 4) | torch.select_scatter(x, x[0, 0], 0, 0) | torch.block_diag(x)
x.view(torch.float16).view(torch.float64)[..., :1].view(torch.complex128) | x[0, 0, 0].view(torch.float64) | x.mT.view(torch.int16)
torch.broadcast_shapes((2, 1), (3, 4)) | torch.zeros(0).view(-1, 0) | torch.tril_indices(-1, 3) | torch.combinations(x)
""")


def some(dtype="float64"):
    return numpy.random.default_rng(0).standard_normal((3, 3, 4)).astype(dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", VIEWS + FRESH)
def test_values(case, layout):
    check_values(case, some(), layout)


@pytest.mark.parametrize("layout", ["contiguous", "permuted", "expanded"])
@pytest.mark.parametrize("case", VIEWS + FRESH)
def test_gradients(case, layout):
    check_gradients(case, some(), layout, names=not any(part in case for part in OTHER_NODES))


@pytest.mark.parametrize("case", FRESH)
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "complex64"])
def test_types(case, dtype):
    if dtype == "bool" and "* 2" in case:
        case = case.replace("* 2", "")
    check_values(case, (some() * 3).astype(dtype))


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    agree(lambda t: eval(case, {"torch": t, "x": t.arange(24.0).view(2, 3, 4)}))


EMPTY = cases("""
x.reshape(0) | x.flatten() | x.expand(2, 0, 3) | x.transpose(0, 1) | x.split(1) | x.chunk(3) | x.unbind(1) | x.flip(0) | x.roll(1, 0)
x.tril() | x.repeat(2, 2) | torch.cat([x, x]) | torch.stack([x, x]) | x.diagonal() | x.unfold(1, 2, 1) | x.squeeze() | x.narrow(0, 0, 0)
torch.constant_pad_nd(x, (1, 1, 1, 0)) | x.repeat_interleave(2, 0) | torch.diag_embed(x) | x.rot90() | x.tensor_split(2, 1)
""")


@pytest.mark.parametrize("case", EMPTY)
def test_empty(case):
    check_values(case, numpy.zeros((0, 3)))
    check_gradients(case, numpy.zeros((0, 3)), names=False)


def changed(t, case):
    x = t.arange(24.0).view(2, 3, 4)
    y = eval(case, {"x": x, "torch": t})
    return y, x, y is x, x._version, tuple(x.shape), x.stride()


@pytest.mark.parametrize(
    "case",
    cases("""
x.transpose_(0, 1) | x.unsqueeze_(1) | x.squeeze_() | x.squeeze_(0) | x.swapaxes_(1, 2) | x.as_strided_((2, 2), (1, 2), 3)
x.tril_() | x.triu_(1) | x.t_() | x.fill_diagonal_(9) | x[:, 0].fill_diagonal_(9) | x[0].T.fill_diagonal_(9, True)
"""),
)
def test_in_place(case):
    agree(lambda t: changed(t, case))


def test_writing_through_views():
    def body(t):
        x = t.arange(12.0, requires_grad=True)
        y = x * 2
        v = y.view(3, 4)
        v[1].mul_(3)
        v.transpose(0, 1)[2:] = 5
        w = v.sum() + (y * y).sum()
        w.backward()
        return x.grad, y, v

    agree(body)


def test_parts_refuse_writing():
    x = lampas.arange(6.0, requires_grad=True) * 1
    with pytest.raises(RuntimeError, match="output of a function that returns multiple views"):
        x.split(2)[0].mul_(2)
