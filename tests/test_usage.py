"""What many packages call, one expression a name, compared with PyTorch.

By hand: names that at least eight of some thirty popular packages use. In `usage_calls.txt`: a call
that `tools/usage.py` made up for every name that at least three of them use, and that works. Each
family has tests of its own with many more cases.
"""

import importlib.util
from pathlib import Path

import pytest
import torch
from agreement import agree

import lampas

ROOT = Path(__file__).resolve().parent.parent

FUNCTIONS = """
t.stack([x, x + 1], 1) | t.cat([x, y]) | t.concat([x, y], dim=-1) | t.zeros(2, 3) | t.empty(0, 2) | t.arange(1, 7, 2)
t.ones(3, dtype=t.float64) | t.sum(x, 0) | t.zeros_like(x) | t.where(x > 0, x, y) | t.log(x.abs() + 1) | t.exp(x)
t.randperm(10) | t.from_numpy(x.numpy()) | t.rand(3) | t.randn(2, 2) | t.as_tensor([1.0, 2.0]) | t.sigmoid(x)
t.ones_like(x) | t.clamp(x, -0.5, 0.5) | t.abs(x) | t.max(x) | t.max(x, 1) | t.max(x, y) | t.min(x, 0)
t.einsum("ij,kj->ik", x, y) | t.mean(x, 1, keepdim=True) | t.sqrt(x.abs()) | t.eye(3) | t.full((2, 2), 7.0)
t.matmul(x, y.T) | t.linspace(0, 1, 5) | t.randint(0, 9, (4,)) | t.Size([2, 3]).numel() | t.empty_like(x).shape
t.unique(k, return_inverse=True, return_counts=True) | t.full_like(x, 2) | t.isnan(x) | t.any(x > 1) | t.any(x > 0, 1)
t.argmax(x, 1) | t.argsort(x, 1) | t.pow(x, 2) | t.pow(2, x) | t.div(x, y) | t.div(x, y, rounding_mode="floor")
t.gather(x, 1, k[:3, None] % 4) | t.equal(x, x.clone()) | t.topk(x, 2) | t.cumsum(x, 1) | t.isfinite(x) | t.isinf(x)
t.repeat_interleave(k, 2) | t.multinomial(x.abs(), 2) | t.cos(x) | t.sin(x) | t.norm(x) | t.norm(x, p=1, dim=1)
t.all(x < 9) | t.sort(x, 1, descending=True) | t.LongTensor([1, 2]) | t.split(x, 2, 1) | t.prod(x, 1) | t.tanh(x)
t.get_default_dtype() | t.transpose(x, 0, 1) | t.cdist(x, y) | t.meshgrid(k, k, indexing="ij") | t.maximum(x, y)
t.sign(x) | t.softmax(x, 1) | t.is_floating_point(x) | t.searchsorted(t.sort(x[0])[0], y[0]) | t.index_select(x, 1, k % 4)
t.bincount(k) | t.mm(x, y.T) | t.unsqueeze(x, 0) | t.nonzero(x > 0) | t.nonzero(x > 0, as_tuple=True) | t.unbind(x)
t.bmm(x[None], y.T[None]) | t.linalg.vector_norm(x, dim=1) | t.linalg.norm(x) | t.linalg.svd(x)[1] | t.allclose(x, x)
t.relu(x) | t.round(x, decimals=1) | t.triu(x) | t.reshape(x, (2, 6)) | t.add(x, y, alpha=2) | t.flip(x, (0,)) | t.inf
t.chunk(x, 2, 1) | t.randn_like(x) | t.rand_like(x) | t.floor(x) | t.log2(x.abs()) | t.get_default_device() | t.mul(x, y)
t.logsumexp(x, 1) | t.flatten(x) | t.minimum(x, y) | t.view_as_real(t.complex(x, y)) | t.logical_and(x > 0, y > 0)
t.nan_to_num(x / 0) | t.diag(x[:3, :3]) | t.log1p(x.abs()) | t.std(x, 1) | t.finfo(t.float32).eps | t.is_tensor(x)
t.is_grad_enabled() | t.cuda.is_available() | t.cuda.device_count() | t.backends.mps.is_available() | t.jit.is_tracing()
t.compile(lambda v: v * 2, backend="eager")(x) | t.tensor([[1, 2]], dtype=t.int16) | t.device("cpu").type | t.tensor(3).to(t.bfloat16)
t.mps.is_available() | t.xpu.is_available() | t.distributed.is_available() | t.distributed.is_initialized()
t.jit.is_scripting() | t.cosine_similarity(x, y) | t.ger(x[0], y[0]) | t.pca_lowrank(x)[1].shape | t.svd_lowrank(x, 2)[1]
F.pad(x, (1, 2), value=3.0) | F.softmax(x, -1) | F.relu(x) | F.one_hot(k, 4) | F.normalize(x) | F.log_softmax(x, 1)
F.mse_loss(x, y) | F.cross_entropy(x, k[:3]) | F.interpolate(x[None, None], scale_factor=2, mode="bilinear")
F.linear(x, y) | F.softplus(x) | F.conv2d(x[None, None], y[None, None, :2, :2]) | F.logsigmoid(x) | F.layer_norm(x, (4,))
F.max_pool2d(x[None, None], 2) | F.avg_pool2d(x[None, None], 2) | F.cosine_similarity(x, y)
F.binary_cross_entropy_with_logits(x, y.sigmoid()) | F.dropout(x, 0.5) | F.gelu(x) | F.embedding(k, x)
"""
MODULES = """
nn.Linear(4, 3)(x) | nn.Sequential(nn.Linear(4, 2), nn.ReLU())(x) | nn.ModuleList([nn.Identity()])[0](x)
nn.ModuleDict({"a": nn.Tanh()})["a"](x) | nn.Dropout(0.5)(x) | nn.Conv2d(1, 2, 2)(x[None, None]) | nn.LayerNorm(4)(x)
nn.Embedding(5, 3)(k) | nn.Sigmoid()(x) | nn.BatchNorm2d(1)(x[None, None]) | nn.CrossEntropyLoss()(x, k[:3]) | nn.GELU()(x)
nn.MultiheadAttention(4, 2)(x, y, y) | nn.Conv1d(3, 2, 2)(x) | nn.Softmax(-1)(x) | nn.SiLU()(x) | nn.MSELoss()(x, y)
nn.BCEWithLogitsLoss()(x, y.sigmoid()) | nn.AdaptiveAvgPool2d(1)(x[None, None]) | nn.AvgPool2d(2)(x[None, None])
nn.Conv3d(1, 1, 1)(x[None, None, None]) | nn.GroupNorm(1, 3)(x[None]) | nn.ConvTranspose2d(1, 1, 2)(x[None, None])
nn.LSTM(4, 2)(x) | nn.Parameter(x).requires_grad | nn.init.normal_(x) | nn.init.xavier_uniform_(x) | nn.init.zeros_(x)
nn.init.uniform_(x) | nn.init.kaiming_uniform_(x) | nn.init.constant_(x, 3) | str(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()))
nn.utils.rnn.pad_sequence([x[0], x[1, :2]], batch_first=True) | nn.utils.clip_grad_norm_([], 1.0)
t.utils.checkpoint.checkpoint(nn.Linear(4, 2), x, use_reentrant=False) | len(t.utils.data.DataLoader(x, 2))
next(iter(t.utils.data.DataLoader(x, 2, shuffle=True))) | t.autograd.grad((z * z).sum(), z) | type(t.Generator()).__name__
"""
METHODS = """
x.type() | x.split(2, 1) | x.numpy().tolist() | x.detach() | x.sum().item() | x.to(t.float64) | x.reshape(-1) | x.ndim
x.add(1) | x.cpu() | x.max() | x.clone() | x.unsqueeze(0) | x.tolist() | x.view(4, 3) | x[:, :1].squeeze() | x.long()
x.numel() | x.dim() | x.float() | x.contiguous() | (x > 0).all() | x.flatten() | x.transpose(0, 1) | x[:, :1].expand(3, 2)
x.sort(1) | x.clamp(0) | x.permute(1, 0) | (x > 0).any() | x.masked_fill(x > 0, 0.0) | x.cumsum(1) | x.bool() | x.repeat(2, 1)
x.gather(1, k[:3, None] % 4) | x[:, :1].expand_as(y) | x.t() | x.flip(0) | x.mul_(2) | x.norm() | x.nonzero() | x.copy_(y)
x.is_floating_point() | x.fill_(1) | x.int() | x.device.type | x.add_(1) | x.zero_() | x.index_select(0, k % 3) | x.std()
x.div_(2) | x.chunk(2) | x.size(1) | x.stride() | x.element_size() | x.half() | x.double() | x.unbind(1) | x.var(1) | x.trace()
x.new_zeros(2) | x.new_ones(1) | x.new_tensor([1]) | x.scatter(1, k[:3, None] % 4, 0.0) | x.scatter_add(0, k[:1, None], y[:1])
x.topk(2) | x.argmax() | x.masked_select(x > 0) | x.unfold(1, 2, 1) | x.movedim(0, 1) | x.narrow(1, 0, 2) | x.reshape_as(y)
x.sub_(1) | x.clip(0, 1) | x.sign() | x.nelement() | x.ne(y) | x.gt(y) | x.is_sparse | x.mm(y.T) | x.eq(0).sum() | x.byte()
x.is_cuda | x.grad | x.requires_grad_().requires_grad | x.T.shape | x.tril() | x.roll(1, 0) | x.amax(1) | x.logsumexp(0)
x.softmax(-1) | x.view_as(y) | x.type_as(k) | x.index_add(0, k[:2], y[:2]) | x.bfloat16() | x.data | x.is_leaf | x.char()
x.is_contiguous() | x.layout | x.register_hook | x.matmul(y.T) | x.bmm | x.log_softmax(0) | x.prod() | x.uniform_() | x.normal_()
"""


def cases(table):
    return [case.strip() for line in table.strip().splitlines() for case in line.split(" | ")]


def evaluate(case, module):
    module.manual_seed(0)
    x = module.tensor([[0.5, -1.25, 2.0, 0.125], [-0.75, 1.5, -3.0, 0.25], [4.0, -0.5, 1.0, -2.0]])
    names = {
        "t": module, "nn": module.nn, "F": module.nn.functional, "x": x, "y": x.flip(0) * 0.5 + 0.1,
        "k": module.tensor([1, 0, 3, 1]), "z": module.ones(3, requires_grad=True),
    }  # fmt: skip
    result = eval(case, names)
    return None if callable(result) and not hasattr(result, "tolist") else result


@pytest.mark.parametrize("case", cases(FUNCTIONS) + cases(MODULES) + cases(METHODS))
def test_agrees(case):
    agree(lambda module: evaluate(case, module))


@pytest.fixture(scope="module")
def usage():
    spec = importlib.util.spec_from_file_location("usage", ROOT / "tools" / "usage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("call", (ROOT / "tests" / "usage_calls.txt").read_text().splitlines())
def test_made_up_call(usage, call):
    verdict, why = usage.compared(torch, lampas, call)
    assert verdict == "works", why


@pytest.mark.parametrize(
    "call, verdict",
    [
        ("torch.relu(x)", "works"),
        ("torch.Tensor", "works"),
        ("x.dequantize()", "refuses"),
        ("torch.__version__", "differs"),
        ("torch.relu(nothing)", "works"),  # the same error in both
    ],
)
def test_verdicts(usage, call, verdict):
    assert usage.compared(torch, lampas, call)[0] == verdict
    assert not usage.close(usage.plain(torch.ones(2)), usage.plain(lampas.zeros(2)))
    assert usage.judge(torch, lampas, "torch.Tensor.values")[0] == "untried"
    assert usage.resolve(lampas, "torch.nothing.here") is usage._MISSING
