"""Operators with arguments, for tests of transforms: the rows of the core's table, and a list of others.

A case is (name, call, arguments): call(t, *tensors) under t, one of the two libraries; arguments are NumPy
arrays. Rows are called by their name, where PyTorch has it too.
"""

import numpy as np
import torch

from lampas import _core

_rng = np.random.default_rng(7)


def values(*shape, low=-0.9, high=0.9):
    return _rng.uniform(low, high, shape)


_DOMAINS = {"positive": (0.2, 1.8), "unit": (-0.9, 0.9), "any": (-0.9, 0.9)}


def _row_cases():
    for row in _core._rows():
        name = row["name"]
        if not hasattr(torch, name) or not hasattr(_core, name) or row["params"]:
            continue
        integral = name.startswith("bitwise") or name in ("gcd", "lcm", "logical_not")
        low, high = (0.2, 0.9) if not integral else (1, 9)
        arrays = [values(2, 3, low=low, high=high) for _ in range(row["inputs"])]
        if name in ("acosh", "arccosh"):
            arrays = [a + 1.2 for a in arrays]
        if integral:
            arrays = [a.astype(np.int64) for a in arrays]
        if name == "where":
            arrays[0] = arrays[0] > 0.5
        if name == "polygamma":
            continue
        yield name, (lambda t, *xs, name=name: getattr(t, name)(*xs)), arrays


def _matrix(n=3, batch=()):
    return values(*batch, n, n) + 2 * np.eye(n)


def _spd(n=3):
    a = values(n, n)
    return a @ a.T + np.eye(n)


_OTHERS = {
    "sum": (lambda t, x: x.sum(), (2, 3)),
    "sum_dim": (lambda t, x: x.sum(0, keepdim=True), (2, 3)),
    "mean_dims": (lambda t, x: x.mean((0, -1)), (2, 3)),
    "prod": (lambda t, x: x.prod(), (2, 3)),
    "prod_dim": (lambda t, x: x.prod(1), (2, 3)),
    "max": (lambda t, x: x.max(), (2, 3)),
    "max_dim": (lambda t, x: x.max(0).values, (2, 3)),
    "amin": (lambda t, x: x.amin(1), (2, 3)),
    "var": (lambda t, x: x.var(), (2, 3)),
    "std_dim": (lambda t, x: x.std(0), (4, 3)),
    "var_mean": (lambda t, x: t.var_mean(x, 0)[0], (4, 3)),
    "norm": (lambda t, x: x.norm(), (2, 3)),
    "vector_norm": (lambda t, x: t.linalg.vector_norm(x, 3, dim=0), (2, 3)),
    "logsumexp": (lambda t, x: x.logsumexp(1), (2, 3)),
    "softmax": (lambda t, x: x.softmax(0), (2, 3)),
    "log_softmax": (lambda t, x: x.log_softmax(-1), (2, 3)),
    "cumsum": (lambda t, x: x.cumsum(1), (2, 3)),
    "cumprod": (lambda t, x: x.cumprod(0), (2, 3)),
    "logcumsumexp": (lambda t, x: x.logcumsumexp(0), (2, 3)),
    "cummax": (lambda t, x: x.cummax(0).values, (4, 3)),
    "sort": (lambda t, x: x.sort(0).values, (4, 3)),
    "topk": (lambda t, x: x.topk(2).values, (4, 3)),
    "median": (lambda t, x: x.median(), (5,)),
    "flip": (lambda t, x: x.flip(0), (2, 3)),
    "roll": (lambda t, x: x.roll(1, 1), (2, 3)),
    "trace": (lambda t, x: x.trace(), (3, 3)),
    "tril": (lambda t, x: x.tril(), (3, 3)),
    "diag_embed": (lambda t, x: t.diag_embed(x), (2, 3)),
    "diagonal": (lambda t, x: x.diagonal(), (3, 3)),
    "transpose": (lambda t, x: x.transpose(0, 1), (2, 3)),
    "permute": (lambda t, x: x.permute(2, 0, 1), (2, 3, 4)),
    "T": (lambda t, x: x.T, (2, 3)),
    "mT": (lambda t, x: x.mT, (2, 3)),
    "movedim": (lambda t, x: x.movedim(0, -1), (2, 3, 4)),
    "view": (lambda t, x: x.view(3, -1), (2, 3)),
    "reshape": (lambda t, x: x.t().reshape(-1), (2, 3)),
    "flatten": (lambda t, x: x.flatten(), (2, 3)),
    "unflatten": (lambda t, x: x.unflatten(1, (2, 2)), (2, 4)),
    "squeeze": (lambda t, x: x.squeeze(), (1, 3, 1)),
    "squeeze_dim": (lambda t, x: x.squeeze(0), (1, 3, 1)),
    "unsqueeze": (lambda t, x: x.unsqueeze(1) + x.unsqueeze(-1), (2, 2)),
    "expand": (lambda t, x: x.expand(2, 4, 3), (4, 3)),
    "repeat": (lambda t, x: x.repeat(2, 1), (2, 3)),
    "tile": (lambda t, x: x.tile(2), (2, 3)),
    "select": (lambda t, x: x.select(1, 2), (2, 3)),
    "narrow": (lambda t, x: x.narrow(1, 1, 2), (2, 3)),
    "unfold": (lambda t, x: x.unfold(0, 2, 1), (4, 3)),
    "getitem": (lambda t, x: x[1, ..., None, ::2], (2, 3)),
    "getitem_list": (lambda t, x: x[[0, 1, 1]], (2, 3)),
    "getitem_tensor": (lambda t, x: x[:, t.tensor([2, 0])], (2, 3)),
    "getitem_mask": (lambda t, x: x[t.tensor([True, False])], (2, 3)),
    "unbind": (lambda t, x: x.unbind(1)[0] * x.unbind(1)[2], (2, 3)),
    "split": (lambda t, x: x.split(2)[1] + x.chunk(2)[0], (4, 3)),
    "iterate": (lambda t, x: sum(row * row for row in x), (4, 3)),
    "cat": (lambda t, x, y: t.cat([x, y, x], 1), (2, 3), (2, 1)),
    "stack": (lambda t, x, y: t.stack([x, y], -1), (2, 3), (2, 3)),
    "hstack": (lambda t, x, y: t.hstack([x, y]), (2, 3), (2, 2)),
    "gather": (lambda t, x: x.gather(1, t.tensor([[0, 2], [1, 1]])), (2, 3)),
    "scatter": (lambda t, x, y: x.scatter(1, t.tensor([[0, 2], [1, 0]]), y), (2, 3), (2, 2)),
    "index_select": (lambda t, x: x.index_select(1, t.tensor([0, 2, 2])), (2, 3)),
    "index_add": (lambda t, x, y: x.index_add(0, t.tensor([1, 1]), y), (3, 2), (2, 2)),
    "take": (lambda t, x: x.take(t.tensor([0, 5, 2])), (2, 3)),
    "masked_fill": (lambda t, x: x.masked_fill(x > 0.3, 2.0), (2, 3)),
    "where_number": (lambda t, x: t.where(x > 0, x * x, 1.0), (2, 3)),
    "clamp": (lambda t, x: x.clamp(-0.3, 0.4), (2, 3)),
    "pow_number": (lambda t, x: x**3 + 2**x, (2, 3)),
    "rsub": (lambda t, x: 2 - x / 3 + 1 / (x + 4), (2, 3)),
    "lerp": (lambda t, x, y: t.lerp(x, y, 0.3), (2, 3), (2, 3)),
    "addcmul": (lambda t, x, y: t.addcmul(x, x, y, value=2), (2, 3), (3,)),
    "broadcast": (lambda t, x, y: x * y + y, (2, 1, 3), (4, 1)),
    "scalar_tensor": (lambda t, x, y: x * y, (2, 3), ()),
    "matmul": (lambda t, x, y: x @ y, (2, 3), (3, 4)),
    "matmul_vector": (lambda t, x, y: x @ y, (2, 3), (3,)),
    "vector_matmul": (lambda t, x, y: x @ y, (3,), (3, 2)),
    "vector_vector": (lambda t, x, y: x @ y, (3,), (3,)),
    "matmul_batch": (lambda t, x, y: x @ y, (2, 2, 3), (3, 4)),
    "matmul_batches": (lambda t, x, y: x @ y, (2, 1, 2, 3), (3, 3, 4)),
    "mm": (lambda t, x, y: x.mm(y), (2, 3), (3, 4)),
    "mv": (lambda t, x, y: x.mv(y), (2, 3), (3,)),
    "bmm": (lambda t, x, y: x.bmm(y), (2, 2, 3), (2, 3, 4)),
    "dot": (lambda t, x, y: x.dot(y), (3,), (3,)),
    "outer": (lambda t, x, y: t.outer(x, y), (3,), (2,)),
    "addmm": (lambda t, x, y, z: t.addmm(x, y, z, beta=2, alpha=3), (4,), (2, 3), (3, 4)),
    "baddbmm": (lambda t, x, y, z: t.baddbmm(x, y, z), (2, 2, 4), (2, 2, 3), (2, 3, 4)),
    "einsum": (lambda t, x, y: t.einsum("ij,kj->ik", x, y), (2, 3), (4, 3)),
    "tensordot": (lambda t, x, y: t.tensordot(x, y, 1), (2, 3), (3, 4)),
    "kron": (lambda t, x, y: t.kron(x, y), (2, 2), (2, 3)),
    "cross": (lambda t, x, y: t.linalg.cross(x, y), (2, 3), (2, 3)),
    "linear": (lambda t, x, w, b: t.nn.functional.linear(x, w, b), (2, 3), (4, 3), (4,)),
    "linear_vector": (lambda t, x, w, b: t.nn.functional.linear(x, w, b), (3,), (4, 3), (4,)),
    "conv1d": (lambda t, x, w: t.nn.functional.conv1d(x, w, padding=1), (2, 2, 5), (3, 2, 3)),
    "conv2d": (lambda t, x, w, b: t.nn.functional.conv2d(x, w, b, 2), (2, 2, 5, 4), (3, 2, 2, 2), (3,)),
    "conv2d_one": (lambda t, x, w: t.nn.functional.conv2d(x, w), (2, 5, 4), (3, 2, 2, 2)),
    "conv2d_groups": (lambda t, x, w: t.nn.functional.conv2d(x, w, groups=2), (1, 4, 5, 4), (2, 2, 2, 2)),
    "conv_transpose2d": (lambda t, x, w: t.nn.functional.conv_transpose2d(x, w), (1, 2, 3, 3), (2, 3, 2, 2)),
    "max_pool2d": (lambda t, x: t.nn.functional.max_pool2d(x, 2), (2, 1, 4, 4)),
    "avg_pool2d": (lambda t, x: t.nn.functional.avg_pool2d(x, 2), (1, 4, 4)),
    "adaptive_avg_pool2d": (lambda t, x: t.nn.functional.adaptive_avg_pool2d(x, 2), (2, 1, 5, 4)),
    "interpolate": (lambda t, x: t.nn.functional.interpolate(x, scale_factor=2, mode="bilinear"), (1, 2, 3, 3)),
    "pad": (lambda t, x: t.nn.functional.pad(x, (1, 2)), (2, 3)),
    "pad_reflect": (lambda t, x: t.nn.functional.pad(x, (1, 1), mode="reflect"), (1, 2, 4)),
    "layer_norm": (lambda t, x, w, b: t.nn.functional.layer_norm(x, (3,), w, b), (2, 3), (3,), (3,)),
    "group_norm": (lambda t, x, w, b: t.nn.functional.group_norm(x, 2, w, b), (2, 4, 3), (4,), (4,)),
    "instance_norm": (lambda t, x: t.nn.functional.instance_norm(x), (2, 2, 5)),
    "batch_norm": (lambda t, x: t.nn.functional.batch_norm(x, None, None, training=True), (4, 3)),
    "normalize": (lambda t, x: t.nn.functional.normalize(x), (2, 3)),
    "embedding": (lambda t, w: t.nn.functional.embedding(t.tensor([0, 2, 2]), w), (4, 3)),
    "gelu": (lambda t, x: t.nn.functional.gelu(x), (2, 3)),
    "silu": (lambda t, x: t.nn.functional.silu(x), (2, 3)),
    "elu": (lambda t, x: t.nn.functional.elu(x), (2, 3)),
    "softplus": (lambda t, x: t.nn.functional.softplus(x), (2, 3)),
    "prelu": (lambda t, x, w: t.nn.functional.prelu(x, w), (2, 3), (1,)),
    "glu": (lambda t, x: t.nn.functional.glu(x), (2, 4)),
    "mse_loss": (lambda t, x, y: t.nn.functional.mse_loss(x, y), (2, 3), (2, 3)),
    "smooth_l1": (lambda t, x, y: t.nn.functional.smooth_l1_loss(x, y, beta=0.5), (2, 3), (2, 3)),
    "cross_entropy": (lambda t, x: t.nn.functional.cross_entropy(x, t.tensor([0, 2])), (2, 3)),
    "cross_entropy_one": (lambda t, x: t.nn.functional.cross_entropy(x, t.tensor(2)), (3,)),
    "nll_loss": (lambda t, x: t.nn.functional.nll_loss(x.log_softmax(1), t.tensor([1, 2]), reduction="sum"), (2, 3)),
    "bce": (lambda t, x, y: t.nn.functional.binary_cross_entropy(x.sigmoid(), y.sigmoid()), (2, 3), (2, 3)),
    "bce_logits": (lambda t, x, y: t.nn.functional.binary_cross_entropy_with_logits(x, y.sigmoid()), (2, 3), (2, 3)),
    "kl_div": (lambda t, x, y: t.nn.functional.kl_div(x.log_softmax(1), y.softmax(1), reduction="sum"), (2, 3), (2, 3)),
    "cosine_similarity": (lambda t, x, y: t.nn.functional.cosine_similarity(x, y), (2, 3), (2, 3)),
    "attention": (lambda t, q, k, v: t.nn.functional.scaled_dot_product_attention(q, k, v), (1, 2, 3, 4), (1, 2, 5, 4), (1, 2, 5, 4)),
    "fft": (lambda t, x: t.fft.rfft(x).abs(), (4,)),
    "cdist": (lambda t, x, y: t.cdist(x, y), (2, 3), (4, 3)),
    "cov": (lambda t, x: t.cov(x), (2, 5)),
    "inplace_mul": (lambda t, x, y: x.clone().mul_(y).add_(1), (2, 3), (2, 3)),
    "inplace_sin": (lambda t, x: x.clone().sin_(), (2, 3)),
    "write_row": (lambda t, x, y: _write_row(x, y), (2, 3), (3,)),
    "write_view": (lambda t, x, y: _write_view(x, y), (2, 3), (2,)),
    "fill_fresh": (lambda t, x: _fill_fresh(t, x), (2, 3)),
    "copy": (lambda t, x, y: x.clone().copy_(y) * x, (2, 3), (3,)),
    "detach": (lambda t, x: x * x.detach(), (2, 3)),
}  # fmt: skip

_MATRICES = {
    "inv": (lambda t, a: t.linalg.inv(a), _matrix()),
    "det": (lambda t, a: t.linalg.det(a), _matrix()),
    "slogdet": (lambda t, a: t.linalg.slogdet(a).logabsdet, _matrix()),
    "solve": (lambda t, a, b: t.linalg.solve(a, b), _matrix(), values(3, 2)),
    "cholesky": (lambda t, a: t.linalg.cholesky((a + a.mT) / 2), _spd()),
    "eigvalsh": (lambda t, a: t.linalg.eigvalsh(a), _spd()),
    "svdvals": (lambda t, a: t.linalg.svdvals(a), _matrix()),
    "qr": (lambda t, a: t.linalg.qr(a).R, _matrix()),
    "pinv": (lambda t, a: t.linalg.pinv(a), _matrix()),
    "matrix_exp": (lambda t, a: t.linalg.matrix_exp(a), _matrix()),
    "lstsq": (lambda t, a, b: t.linalg.lstsq(a, b).solution, _matrix(), values(3, 2)),
}


def _write_row(x, y):
    z = x * 2
    z[0] = y
    z[1, 1:] = 0.5
    return z * x


def _write_view(x, y):
    z = x * 2
    z[:, 1].mul_(y)
    return z


def _fill_fresh(t, x):
    z = x.new_zeros(2, 3)
    z[1] = x[0] * 2
    return z


def cases():
    yield from _row_cases()
    for name, (call, *shapes) in _OTHERS.items():
        yield name, call, [values(*shape) for shape in shapes]
    for name, (call, *arrays) in _MATRICES.items():
        yield name, call, list(arrays)


CASES = list(cases())
