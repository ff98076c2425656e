"""Functions composed in nn.functional give PyTorch's values and gradients."""

import numpy
import pytest

import lampas

torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
import lampas.nn.functional as F  # noqa: E402

SHAPES = {"x": (4, 6), "y": (4, 6), "z": (4, 6), "image": (2, 4, 6, 5), "volume": (1, 2, 4, 5, 6)}
CASES = """
F.glu(x) | F.softsign(x) | F.tanhshrink(x) | F.softmin(x, 1) | F.normalize(x) | F.pdist(x)
F.pdist(x, 1.0) | F.normalize(image, 3.0, 2) | F.cosine_similarity(x, y) | F.pairwise_distance(x, y)
F.pairwise_distance(x, y, 1.0, keepdim=True) | F.local_response_norm(image, 3)
F.local_response_norm(x.unsqueeze(0), 2) | F.instance_norm(image) | F.pixel_shuffle(image, 2)
F.pixel_unshuffle(image[..., :4], 2) | F.channel_shuffle(image, 2) | F.lp_pool2d(image, 2, 2)
F.lp_pool1d(x, 3, 2) | F.lp_pool3d(volume, 2, 2) | F.pad(image, (1, 2, 2, 1), "reflect")
F.pad(image, (1, 2, 2, 1), "replicate") | F.pad(image, (1, 2, -1, 1), "circular")
F.pad(volume, (1, 2, 2, 1, 1, 0), "reflect") | F.pad(x, (1, 2), value=3.0)
F.hinge_embedding_loss(x, (y > 0) * 2.0 - 1) | F.soft_margin_loss(x, (y > 0) * 2.0 - 1)
F.margin_ranking_loss(x, y, (z > 0) * 2.0 - 1, 0.5) | F.triplet_margin_loss(x, y, z)
F.triplet_margin_loss(x, y, z, swap=True, p=1.0) | F.poisson_nll_loss(x, y.abs(), full=True)
F.gaussian_nll_loss(x, y, z.abs(), full=True) | F.kl_div(x, y.softmax(1), reduction="sum")
F.kl_div(x, y, reduction="batchmean", log_target=True)
F.cosine_embedding_loss(x, y, (z[:, 0] > 0) * 2.0 - 1, 0.1)
F.binary_cross_entropy_with_logits(x, y.sigmoid(), pos_weight=z[0].detach().abs())
F.multi_margin_loss(x, (y[:, 0] > 0).long(), 2, 0.7, z[0].detach().abs())
F.multilabel_soft_margin_loss(x, (y > 0) * 1.0)
F.bilinear(x, y, image.reshape(-1)[:108].reshape(3, 6, 6))
F.max_unpool2d(*F.max_pool2d(image[..., :4], 2, return_indices=True), 2)
F.fractional_max_pool2d(image, 2, 3) | F.fractional_max_pool3d(volume, 2, output_ratio=0.5)
F.interpolate(image, size=(3, 4), mode="bilinear", antialias=True)
F.interpolate(image, scale_factor=0.4, mode="bicubic", antialias=True)
F.alpha_dropout(x, 0.3, True) | F.dropout2d(image, 0.3) | F.feature_alpha_dropout(image, 0.3, True)
F.gumbel_softmax(x, hard=True) | F.gumbel_softmax(x, 0.5) | F.dropout1d(x, 0.4)
"""


def cases():
    return [part.strip() for line in CASES.strip().split("\n") for part in line.split(" | ")]


def evaluate(library, functions, source):
    """The value and the gradients of its weighted sum."""
    generator = torch.Generator().manual_seed(1)
    scope = {"F": functions, "torch": library}
    for name, shape in SHAPES.items():
        drawn = torch.randn(shape, generator=generator, dtype=torch.float64).numpy()
        scope[name] = library.from_numpy(drawn).requires_grad_()
    library.manual_seed(0)
    value = eval(source, scope)
    weights = library.arange(value.numel(), dtype=library.float64).reshape(value.shape)
    (value * weights.cos()).sum().backward()
    grads = [scope[name].grad for name in SHAPES]
    return [value.detach().numpy(), *[None if g is None else g.numpy() for g in grads]]


@pytest.mark.parametrize("source", cases())
def test_value_and_gradient(source):
    expected = evaluate(torch, torch.nn.functional, source)
    found = evaluate(lampas, F, source)
    for one, other in zip(found, expected):
        assert (one is None) == (other is None)
        if one is not None:
            numpy.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
