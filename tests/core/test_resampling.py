"""Resizing, sampling on grids and sliding blocks against PyTorch."""

import itertools

import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

from agreement import agree  # noqa: E402
from image_cases import FORMATS, both, from_lampas, laid_out, to_lampas  # noqa: E402

import lampas  # noqa: E402

SHAPES = {3: (2, 3, 7), 4: (2, 3, 6, 7), 5: (2, 2, 4, 5, 6)}
MODES = [
    ("nearest", 3), ("nearest", 4), ("nearest", 5), ("nearest-exact", 3), ("nearest-exact", 4),
    ("nearest-exact", 5), ("linear", 3), ("bilinear", 4), ("trilinear", 5), ("bicubic", 4),
]  # fmt: skip
TARGETS = [
    {"size": 3}, {"size": 6}, {"size": 13}, {"scale_factor": 2.0}, {"scale_factor": 0.55},
    {"scale_factor": 1.7}, {"scale_factor": 1.7, "recompute_scale_factor": True},
]  # fmt: skip


def values(shape, dtype=torch.float64):
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def corners(mode):
    return (None,) if mode.startswith("nearest") else (False, True)


@pytest.mark.parametrize("mode,rank", MODES)
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_interpolate(mode, rank, target):
    for align, dtype in itertools.product(corners(mode), (torch.float64, torch.float32)):

        def run(module, x):
            return module.nn.functional.interpolate(x, **target, mode=mode, align_corners=align)

        both(run, [values(SHAPES[rank], dtype)], message=f"{align} {dtype}")


@pytest.mark.parametrize("mode,rank", MODES)
@pytest.mark.parametrize("form", FORMATS)
def test_layouts(mode, rank, form):
    strides = []

    def run(module, x):
        y = module.nn.functional.interpolate(x, size=9, mode=mode)
        strides.append(y.stride())
        return y

    both(run, [laid_out(values(SHAPES[rank]), form)], orders=1)
    assert strides[0] == strides[1]


@pytest.mark.parametrize("mode,rank", MODES)
@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.uint8, torch.int64], ids=str
)
def test_types(mode, rank, dtype):
    x = (values(SHAPES[rank]) * 60 + 128).clamp(0, 255).to(dtype)
    name = str(dtype).split(".")[1]

    def run(module):
        y = module.from_numpy(x.float().numpy()).to(getattr(module, name))
        return module.nn.functional.interpolate(y, size=9, mode=mode)

    if dtype == torch.uint8 and mode.startswith("bi"):
        got, expected = from_lampas(run(lampas)), run(torch)
        assert (got.int() - expected.int()).abs().max() <= 1
        return
    agree(run, rtol=1e-2, atol=1)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest_places(mode):
    """Which element is nearest depends on the last bit of the step: every pair of small sizes."""
    for dtype in (torch.float32, torch.float64):
        for extent, size in itertools.product(range(1, 40, 3), range(1, 70, 2)):
            x = torch.arange(extent, dtype=dtype).reshape(1, 1, extent)
            for shape in ((1, 1, extent), (1, 1, 1, extent)):
                want = (1,) * (len(shape) - 3) + (size,)
                y = torch.nn.functional.interpolate(x.reshape(shape), size=want, mode=mode)
                ours = lampas.nn.functional.interpolate(
                    to_lampas(x.reshape(shape)), size=want, mode=mode
                )
                assert from_lampas(ours).equal(y), (dtype, extent, size)


@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("size", [(3, 4), (12, 5), (6, 7), (1, 20)])
def test_antialiased(kind, align, size):
    x = values((2, 3, 11, 13))
    ours = to_lampas(x).requires_grad_()
    theirs = x.clone().requires_grad_()
    name = f"_upsample_{kind}2d_aa"
    got = getattr(lampas._core, name)(ours, size, align)
    expected = getattr(torch._C._nn, name)(theirs, size, align)
    torch.testing.assert_close(from_lampas(got), expected.detach())
    weights = values(tuple(expected.shape))
    got.backward(to_lampas(weights))
    expected.backward(weights)
    torch.testing.assert_close(from_lampas(ours.grad), theirs.grad)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
def test_grid_sample(mode, padding, align, dims):
    if dims == 3 and mode == "bicubic":
        return
    for dtype in (torch.float64, torch.float32):
        x = values((2, 3, 5, 6, 4)[: dims + 2], dtype)
        grid = values((2, 4, 3, 5)[: dims + 1] + (dims,), dtype) * 1.2

        def run(module, x, grid):
            return module.nn.functional.grid_sample(x, grid, mode, padding, align)

        both(run, [x, grid], orders=1, message=str(dtype))


def test_grid_sample_is_safe():
    x = torch.randn(1, 1, 4, 4)
    grid = torch.tensor([float("nan"), float("inf"), -float("inf"), 1e30, -1e30, 0.0])
    grid = torch.stack([grid, grid.flip(0)], -1).reshape(1, 1, 6, 2)
    for mode, padding in itertools.product(
        ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
    ):
        lampas.nn.functional.grid_sample(to_lampas(x), to_lampas(grid), mode, padding, False)


@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 3, 1, 5), (2, 1, 3, 4, 5)])
@pytest.mark.parametrize("align", [False, True])
def test_affine_grid(size, align):
    theta = values((2, len(size) - 2, len(size) - 1))
    both(lambda m, theta: m.affine_grid_generator(theta, size, align), [theta])


BLOCKS = [(3, 1, 0, 1), ((2, 3), 1, 1, 2), (2, (2, 1), (1, 0), (1, 2))]


@pytest.mark.parametrize("case", BLOCKS, ids=str)
def test_blocks(case):
    for x in (values((2, 3, 7, 8)), values((3, 7, 8)), values((0, 3, 7, 8))):
        both(lambda m, x: m.nn.functional.unfold(x, *case), [x])
        columns = torch.nn.functional.unfold(x, *case)
        both(lambda m, x: m.nn.functional.fold(x, (7, 8), *case), [columns])


ERRORS = """
_C._nn.upsample_nearest2d(r(2,3,8,8),[4])
_C._nn.upsample_nearest2d(r(3,8,8),[4,4])
_C._nn.upsample_nearest2d(r(2,3,8,8),[4,0])
_C._nn.upsample_nearest2d(r(2,0,8,8),[4,4])
_C._nn.upsample_nearest1d(r(2,3,8),[0])
_C._nn.upsample_nearest3d(r(2,0,8,8,8),[4,4,4])
_C._nn.upsample_linear1d(r(2,3,8).long(),[4],False)
_C._nn.im2col(r(8,8),[3,3],[1,1],[0,0],[1,1])
_C._nn.im2col(r(2,0,8,8),[3,3],[1,1],[0,0],[1,1])
_C._nn.im2col(r(2,3,2,2),[3,3],[1,1],[0,0],[1,1])
_C._nn.im2col(r(2,3,8,8),[3],[1,1],[0,0],[1,1])
_C._nn.im2col(r(2,3,8,8),[0,3],[1,1],[0,0],[1,1])
_C._nn.im2col(r(2,3,8,8),[3,3],[0,1],[0,0],[1,1])
_C._nn.im2col(r(2,3,8,8),[3,3],[1,1],[-1,0],[1,1])
_C._nn.im2col(r(2,3,8,8),[3,3],[1,1],[0,0],[0,1])
_C._nn.im2col(r(2,3,8,8).long(),[3,3],[1,1],[0,0],[1,1])
_C._nn.col2im(r(36),[8,8],[3,3],[1,1],[0,0],[1,1])
_C._nn.col2im(r(2,26,36),[8,8],[3,3],[1,1],[0,0],[1,1])
_C._nn.col2im(r(2,27,35),[8,8],[3,3],[1,1],[0,0],[1,1])
_C._nn.col2im(r(2,27,36),[2,2],[3,3],[1,1],[0,0],[1,1])
_C._nn.col2im(r(2,0,36),[8,8],[3,3],[1,1],[0,0],[1,1])
_C._nn.col2im(r(2,27,36),[-8,8],[3,3],[1,1],[0,0],[1,1])
grid_sampler(r(2,3,8,8),r(1,4,4,2),0,0,False)
grid_sampler(r(2,3,8,8),r(2,4,4,3),0,0,False)
grid_sampler(r(2,3,8),r(2,4,1),0,0,False)
grid_sampler(r(2,3,0,8),r(2,4,4,2),0,0,False)
grid_sampler(r(2,3,8,8),r(2,4,4,2).double(),0,0,False)
grid_sampler(r(2,3,8,8).long(),r(2,4,4,2).long(),0,0,False)
grid_sampler(r(2,3,8,8,8),r(2,4,4,4,3),2,0,False)
affine_grid_generator(r(2,2,3),[2,3,4],False)
affine_grid_generator(r(2,2,3),[3,3,4,5],False)
""".strip().splitlines()


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    def run(module):
        path = case.replace("_C._nn", "_core") if module is lampas else case
        return eval("module." + path, {"module": module, "r": module.zeros})

    agree(run)
