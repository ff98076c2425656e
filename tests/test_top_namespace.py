"""Functions of the top namespace that have no family of their own, against PyTorch."""

import warnings

import pytest
import torch
from agreement import agree

import lampas

with warnings.catch_warnings():  # PyTorch says this once
    warnings.simplefilter("ignore")
    torch.nuclear_norm(torch.ones(1, 1))

SNIPPETS = """
t.vander(t.tensor([1, 2, 3]))
t.vander(t.tensor([1., 2, 3]), N=2, increasing=True)
t.vander(t.tensor([1, 2, 3]), 0)
t.vander(t.tensor([1, 2, 3]), -1)
t.vander(x)
t.vander(t.tensor([True, False]))
t.nuclear_norm(x)
t.nuclear_norm(x, True)
t.nuclear_norm(y, (0, 1))
t.nuclear_norm(y, (0, 1), keepdim=True)
t.norm_except_dim(x)
t.norm_except_dim(x, 3, -1)
t.norm_except_dim(y, 1, 2)
t.norm_except_dim(x, 2, 5)
t.segment_reduce(d, 'sum', lengths=t.tensor([2, 0, 4]))
t.segment_reduce(d, 'mean', lengths=t.tensor([2, 0, 4]))
t.segment_reduce(d, 'max', lengths=t.tensor([2, 0, 4]))
t.segment_reduce(d, 'min', offsets=t.tensor([0, 2, 2, 6]))
t.segment_reduce(d, 'prod', lengths=t.tensor([1, 5]), initial=2.)
t.segment_reduce(d, 'mean', lengths=t.tensor([2, 0, 4]), initial=1.)
t.segment_reduce(d.T.contiguous(), 'sum', lengths=t.tensor([[2, 4], [1, 5]]), axis=1)
t.segment_reduce(d, 'x', lengths=t.tensor([6]))
t.segment_reduce(d, 'sum', lengths=t.tensor([2, 0, 3]))
t.segment_reduce(d, 'sum', lengths=t.tensor([-2, 0, 8]))
t.segment_reduce(d, 'sum', lengths=t.tensor([2., 4]))
t.segment_reduce(d, 'sum')
t.cosine_embedding_loss(x, x + 1, t.tensor([1, -1]))
t.cosine_embedding_loss(x, x + 1, t.tensor([1, -1]), 0.5, 1)
t.hinge_embedding_loss(x, x, 1., 2)
t.hinge_embedding_loss(x, x, 1., 7)
t.margin_ranking_loss(x, x, x, 1., 2)
t.poisson_nll_loss(x, x, True, False, 1e-8, 0)
t.triplet_margin_loss(x, x + 1, x - 1, 1.0, 2, 1e-6, False, 1)
t.bilinear(x, x, t.ones(2, 3, 3), None)
t.cosine_similarity(x, x + 1)
t.pairwise_distance(x, x + 1)
t.pdist(x)
t.pixel_shuffle(t.arange(8.).reshape(1, 4, 2, 1), 2)
t.grid_sampler_2d(t.arange(8.).reshape(1, 2, 2, 2), t.zeros(1, 1, 1, 2), 0, 0, True)
t.sym_int(2.7), t.sym_float(2), t.sym_max(2, 3.), t.sym_min(2, 3.), t.sym_not(3), t.sym_ite(True, 1, 2)
t.sym_sqrt(4), t.sym_sum([1, 2, 3])
t.sym_ite(1, 1, 2)
t.cond(True, lambda x: x + 1, lambda x: x - 1, (x,))
t.cond(x.sum() < 0, lambda x: x + 1, lambda x: x - 1, (x,))
t.is_anomaly_enabled(), t.is_anomaly_check_nan_enabled()
t.autograd.set_detect_anomaly(True, False).__exit__(), t.is_anomaly_check_nan_enabled()
t.set_anomaly_enabled(3)
t.get_autocast_dtype('cpu'), t.get_autocast_dtype('xpu')
t.autocast_increment_nesting(), t.autocast_decrement_nesting(), t.clear_autocast_cache()
t.is_autocast_enabled(), t.is_autocast_enabled('cpu'), t.is_autocast_cache_enabled(), t.set_autocast_enabled(False)
t.set_autocast_dtype('cpu', 3)
t.get_device_module('cpu').device_count(), t.get_device_module().is_available()
t.matrix_rank(x)
t.solve(x, x)
t.lstsq(x, x)
t.symeig(x)
x.eig()
t.OutOfMemoryError is t.cuda.OutOfMemoryError, t.torch is t
t.inner(x, x[0])
t.inner(t.tensor(2.), x)
t.inner(x, t.ones(2))
t.ger(x[0], x[1])
x[0].inner(x[1]), x[0].ger(x[1])
t.inner([1], x)
t.isclose(x, 1)
x.isclose(1)
t.linalg.inv([1])
t.linalg.solve(x)
t.fft.fft([1])
t.kron(x, 1)
t.cov(x, fweights=t.tensor([1, -1, 1]))
t.cov(x, aweights=t.tensor([0., 0, 0]))
t.narrow_copy(x, 2, 0, 1)
t.narrow_copy(x, 0, 1, -1)
t.multinomial(x.abs(), 1, out=t.empty(2, dtype=t.double))
t.diff(x, 0, 1, x, x)
t.autograd.grad(t.pdist(w, 0.).sum(), w), t.pdist(w).grad_fn.name()
t.autograd.grad(t.pdist(w, 2.).sum(), w), t.autograd.grad(t.pdist(w, 1.5).sum(), w)
t.autograd.grad(t.ldexp(w, w).sum(), w), t.ldexp(w, t.tensor(3)).grad_fn.name()
"""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("snippet", SNIPPETS.strip().splitlines())
def test_agrees(snippet):
    def run(module):
        x = module.tensor([[1.0, 2.0, -3.0], [0.5, 0.0, 4.0]])
        y = module.arange(24.0).reshape(2, 3, 4) / 7
        w = module.arange(6.0).reshape(3, 2).requires_grad_()
        d = module.arange(12.0).reshape(6, 2) + 1
        return eval(snippet, {"t": module, "x": x, "y": y, "d": d, "w": w})

    agree(run)


@pytest.mark.parametrize("shape", [(20, 8), (8, 20), (2, 12, 9)])
@pytest.mark.parametrize("name", ["svd_lowrank", "pca_lowrank"])
def test_low_rank(name, shape):
    """The same random projection gives the same singular values, and vectors up to sign."""
    torch.manual_seed(0)
    x = torch.randn(shape)
    found = []
    for module in (torch, lampas):
        module.manual_seed(1)
        U, S, V = getattr(module, name)(module.tensor(x.tolist()), q=4)
        found.append([module.Tensor.tolist(part) for part in (S, (U * S.unsqueeze(-2)) @ V.mT)])
    for expected, got in zip(*found):
        torch.testing.assert_close(torch.tensor(got), torch.tensor(expected), rtol=1e-4, atol=1e-4)


def test_from_file(tmp_path):
    for module, folder in ((torch, tmp_path / "theirs"), (lampas, tmp_path / "mine")):
        folder.mkdir()
        path = str(folder / "numbers")
        made = module.from_file(path, shared=True, size=4, dtype=module.int32)
        made += 3
        alone = module.from_file(path, size=2, dtype=module.int32)
        alone[0] = 100
        assert (made.tolist(), alone.tolist()) == ([3, 3, 3, 3], [100, 3])
        assert (folder / "numbers").stat().st_size == 16
        module.from_file(path, shared=True, size=6, dtype=module.int32)
        assert (folder / "numbers").stat().st_size == 24
        for name, size in (("numbers", 7), ("none", 1)):
            with pytest.raises(RuntimeError) as error:
                module.from_file(str(folder / name), size=size, dtype=module.int32)
            expected = (
                "smaller than the required mapping size <28>" if size == 7 else "read-only mode"
            )
            assert expected in str(error.value)
