"""Image files, grids, drawings, boxes and regions."""

import itertools
import math

import numpy
import pytest
import torch
import twin

import lampas
from lampas.vision import io, ops, utils

twin.install()

Image = pytest.importorskip("PIL.Image", reason="images need Pillow")


@pytest.fixture
def tensor():
    return lampas.randint(0, 256, (3, 12, 17), dtype=lampas.uint8)


def test_png_round_trip(tmp_path, tensor):
    path = tmp_path / "a.png"
    io.write_png(tensor, str(path))
    assert lampas.equal(io.read_image(str(path)), tensor)
    assert lampas.equal(io.decode_png(io.encode_png(tensor[:1], 9)), tensor[:1])
    gray = io.read_image(path, io.ImageReadMode.GRAY)
    assert gray.shape == (1, 12, 17)
    assert (gray[0].numpy() == numpy.asarray(Image.open(path).convert("L"))).all()
    assert io.decode_image(path, "RGB_ALPHA").shape == (4, 12, 17)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_jpeg(tmp_path):
    smooth = lampas.linspace(0, 255, 24 * 32).view(1, 24, 32).to(lampas.uint8).repeat(3, 1, 1)
    io.write_jpeg(smooth, tmp_path / "a.jpg", quality=95)
    again = io.read_image(tmp_path / "a.jpg")
    assert (again.int() - smooth.int()).abs().max() < 6
    assert io.encode_jpeg(smooth, 10).numel() < io.encode_jpeg(smooth, 100).numel()


def test_refused_files(tmp_path, tensor):
    with pytest.raises(RuntimeError, match="Unsupported image file"):
        io.decode_image(lampas.zeros(30, dtype=lampas.uint8))
    cut = io.encode_png(lampas.randint(0, 256, (3, 64, 64), dtype=lampas.uint8))[:2000]
    with pytest.raises(RuntimeError, match="Unsupported image file"):
        io.decode_image(cut)
    with pytest.raises(RuntimeError, match="dtype should be uint8"):
        io.encode_png(tensor.float())
    with pytest.raises(RuntimeError, match="1 or 3 channels"):
        io.encode_jpeg(tensor[:2])
    with pytest.raises(ValueError, match="between 1 and 100"):
        io.encode_jpeg(tensor, 0)
    with pytest.raises(FileNotFoundError):
        io.read_image(tmp_path / "none.png")


def test_grid_normalizes():
    images = lampas.randn(5, 3, 4, 6, requires_grad=True)
    grid = utils.make_grid(
        images, nrow=3, padding=1, normalize=True, scale_each=True, pad_value=0.5
    )
    assert grid.shape == (3, 11, 22) and not grid.requires_grad
    for i, (row, column) in enumerate(itertools.islice(itertools.product(range(2), range(3)), 5)):
        part = grid[:, row * 5 + 1 : row * 5 + 5, column * 7 + 1 : column * 7 + 7]
        image = images[i].detach()
        expected = (image - image.min()) / (image.max() - image.min())
        assert lampas.allclose(part, expected, atol=1e-6)
    assert (grid[:, 6:, 15:] == 0.5).all()
    fixed = utils.make_grid(images, normalize=True, value_range=(-1, 1))
    assert lampas.allclose(fixed[:, 2:6, 2:8], (images[0].clamp(-1, 1) + 1) / 2)
    assert utils.make_grid(lampas.rand(4, 5)).shape == (3, 4, 5)
    with pytest.raises(TypeError, match="value_range has to be a tuple"):
        utils.make_grid(images, normalize=True, value_range=[0, 1])
    with pytest.raises(TypeError, match="tensor or list of tensors expected"):
        utils.make_grid([1, 2])


def test_save_image_leaves_nothing_half_written(tmp_path):
    with pytest.raises(ValueError, match="unknown file extension"):
        utils.save_image(lampas.rand(3, 4, 4), tmp_path / "a.unknown")
    assert not list(tmp_path.iterdir())
    utils.save_image([lampas.rand(3, 4, 4)] * 2, str(tmp_path / "a.png"), nrow=1, padding=0)
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (4, 8)


def test_drawing():
    image = lampas.zeros(3, 20, 30, dtype=lampas.uint8)
    boxes = lampas.tensor([[2, 3, 10, 12], [15, 5, 25, 18]])
    drawn = utils.draw_bounding_boxes(image, boxes, colors=["red", (0, 255, 0)])
    assert drawn[:, 3, 5].tolist() == [255, 0, 0] and drawn[:, 18, 20].tolist() == [0, 255, 0]
    assert drawn[:, 7, 5].tolist() == [0, 0, 0]
    labelled = utils.draw_bounding_boxes(image, boxes, labels=["a", "b"], colors="white", fill=True)
    assert labelled.float().sum() > drawn.float().sum()
    masks = lampas.zeros(2, 20, 30, dtype=lampas.bool)
    masks[0, :5], masks[1, 10:] = True, True
    painted = utils.draw_segmentation_masks(image, masks, alpha=0.5, colors=["red", "blue"])
    assert painted[:, 2, 2].tolist() == [127, 0, 0] and painted[:, 15, 3].tolist() == [0, 0, 127]
    assert painted[:, 7].sum() == 0
    with pytest.raises(ValueError, match="xmin, ymin, xmax, ymax"):
        utils.draw_bounding_boxes(image, boxes[:, [2, 1, 0, 3]])
    with pytest.raises(ValueError, match="must be of dtype bool"):
        utils.draw_segmentation_masks(image, masks.int())


# --- boxes, against loops over plain numbers ---


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inter = max(width, 0) * max(height, 0)
    union = area(a) + area(b) - inter
    around = area([min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])])
    return inter / union, inter / union - (around - union) / around


def some_boxes(count, seed=0):
    generator = numpy.random.default_rng(seed)
    corners = generator.uniform(0, 20, (count, 2))
    return numpy.hstack([corners, corners + generator.uniform(1, 15, (count, 2))]).astype("float32")


def test_overlaps():
    first, second = some_boxes(6), some_boxes(9, seed=1)
    arguments = lampas.from_numpy(first), lampas.from_numpy(second)
    expected = numpy.array([[overlap(a, b) for b in second.tolist()] for a in first.tolist()])
    numpy.testing.assert_allclose(ops.box_iou(*arguments).numpy(), expected[..., 0], atol=1e-6)
    numpy.testing.assert_allclose(
        ops.generalized_box_iou(*arguments).numpy(), expected[..., 1], atol=1e-6
    )
    numpy.testing.assert_allclose(
        ops.box_area(arguments[0]).numpy(), [area(b) for b in first], rtol=1e-6
    )
    whole = lampas.tensor([[0, 0, 4, 2], [1, 1, 3, 5]])
    assert ops.box_iou(whole, whole)[0, 1].item() == pytest.approx(2 / 14)


@pytest.mark.parametrize("kind", ["xywh", "cxcywh"])
def test_box_formats(kind):
    boxes = lampas.from_numpy(some_boxes(5))
    other = ops.box_convert(boxes, "xyxy", kind)
    x, y, w, h = other[0].tolist()
    first = boxes[0].tolist()
    assert (w, h) == pytest.approx((first[2] - first[0], first[3] - first[1]))
    corner = (x, y) if kind == "xywh" else (x - w / 2, y - h / 2)
    assert corner == pytest.approx(tuple(first[:2]), abs=1e-5)
    assert lampas.allclose(ops.box_convert(other, kind, "xyxy"), boxes, atol=1e-5)
    with pytest.raises(ValueError, match="Unsupported Bounding Box Conversions"):
        ops.box_convert(boxes, "xyxy", "yxyx")


def test_nms():
    boxes, scores = some_boxes(40, seed=2), numpy.random.default_rng(3).random(40).astype("float32")
    remaining = sorted(range(40), key=lambda i: -scores[i])
    expected = []
    while remaining:
        best = remaining.pop(0)
        expected.append(best)
        remaining = [i for i in remaining if overlap(boxes[best], boxes[i])[0] <= 0.3]
    tensors = lampas.from_numpy(boxes), lampas.from_numpy(scores)
    assert 1 < len(expected) < 40
    assert ops.nms(*tensors, 0.3).tolist() == expected
    kinds = lampas.arange(40) % 3
    kept = ops.batched_nms(*tensors, kinds, 0.3).tolist()
    alone = [ops.nms(tensors[0][k::3], tensors[1][k::3], 0.3) * 3 + k for k in range(3)]
    assert sorted(kept) == sorted(lampas.cat(alone).tolist())
    assert kept == sorted(kept, key=lambda i: -scores[i])
    assert ops.nms(lampas.zeros(0, 4), lampas.zeros(0), 0.5).shape == (0,)
    with pytest.raises(RuntimeError, match="same number of elements"):
        ops.nms(tensors[0], tensors[1][:3], 0.5)


def test_clipping_small_and_masks():
    boxes = lampas.tensor([[-3.0, 2, 50, 8], [1, 1, 1.5, 9]])
    assert ops.clip_boxes_to_image(boxes, (6, 20)).tolist() == [[0, 2, 20, 6], [1, 1, 1.5, 6]]
    assert ops.remove_small_boxes(boxes, 1.0).tolist() == [0]
    masks = lampas.zeros(2, 5, 6)
    masks[0, 1:3, 2:5] = 1
    assert ops.masks_to_boxes(masks).tolist() == [[2, 1, 4, 2], [0, 0, 0, 0]]


def bilinear(image, y, x):
    """A sample of a (H, W) array; beyond one pixel outside there is nothing."""
    height, width = image.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    top = image[y0, x0] * (1 - (x - x0)) + image[y0, x1] * (x - x0)
    bottom = image[y1, x0] * (1 - (x - x0)) + image[y1, x1] * (x - x0)
    return top * (1 - (y - y0)) + bottom * (y - y0)


@pytest.mark.parametrize("ratio", [2, -1])
@pytest.mark.parametrize("aligned", [False, True])
def test_roi_align(ratio, aligned):
    features = numpy.random.default_rng(0).standard_normal((2, 3, 10, 12))
    regions = numpy.array(
        [[0, 1.0, 2.0, 14.0, 11.0], [1, -3.0, 4.5, 30.0, 9.0], [1, 5.0, 5.0, 5.2, 5.1]]
    )
    result = ops.roi_align(
        lampas.from_numpy(features), lampas.from_numpy(regions), (3, 2), 0.5, ratio, aligned
    ).numpy()
    assert result.shape == (3, 3, 3, 2)
    for k, (number, *corners) in enumerate(regions):
        shift = 0.5 if aligned else 0.0
        x1, y1, x2, y2 = (c * 0.5 - shift for c in corners)
        width, height = x2 - x1, y2 - y1
        if not aligned:
            width, height = max(width, 1.0), max(height, 1.0)
        down, across = (
            (ratio, ratio) if ratio > 0 else (math.ceil(height / 3), math.ceil(width / 2))
        )
        for channel, row, column in itertools.product(range(3), range(3), range(2)):
            samples = [
                bilinear(
                    features[int(number), channel],
                    y1 + (row + (i + 0.5) / down) * height / 3,
                    x1 + (column + (j + 0.5) / across) * width / 2,
                )
                for i in range(down)
                for j in range(across)
            ]
            assert result[k, channel, row, column] == pytest.approx(
                sum(samples) / len(samples), abs=1e-9
            )


def test_roi_align_gradient_and_lists():
    features = lampas.randn(2, 2, 6, 6, dtype=lampas.float64, requires_grad=True)
    boxes = [
        lampas.tensor([[0.0, 0, 3, 3]], dtype=lampas.float64),
        lampas.tensor([[1.0, 1, 5, 4]], dtype=lampas.float64),
    ]
    lampas.autograd.gradcheck(lambda x: ops.roi_align(x, boxes, 2, sampling_ratio=2), (features,))
    pooled = ops.RoIPool(2, 1.0)(features, boxes)
    # 4 x 4 pixels of corners 0..3 in 2 x 2 cells.
    expected = lampas.stack(
        [features[0][:, y : y + 2, x : x + 2].amax((1, 2)) for y in (0, 2) for x in (0, 2)], -1
    )
    assert lampas.equal(pooled[0], expected.view(2, 2, 2))
    assert (
        repr(ops.RoIAlign(7, 0.5, 2))
        == "RoIAlign(output_size=7, spatial_scale=0.5, sampling_ratio=2, aligned=False)"
    )


def test_blocks_and_losses_on_pytorch():
    import twinvision.ops as twins

    values = numpy.random.default_rng(1).standard_normal((4, 8, 5, 5)).astype("float32")
    targets = (values[::-1] > 0).astype("float32")
    outcomes = []
    for module, names in ((lampas, ops), (torch, twins)):
        module.manual_seed(0)
        block = names.Conv2dNormActivation(8, 6, stride=2, activation_layer=module.nn.ReLU6)
        squeeze = names.SqueezeExcitation(8, 2)
        x = module.from_numpy(values)
        parts = [block(x), squeeze(x), names.FrozenBatchNorm2d(8)(x)]
        parts.append(names.stochastic_depth(x, 0.4, "row"))
        parts.append(
            names.sigmoid_focal_loss(x, module.from_numpy(targets.copy()), reduction="mean")
        )
        outcomes.append(([part.detach().numpy() for part in parts], repr(block), repr(squeeze)))
    assert outcomes[0][1:] == outcomes[1][1:]
    for mine, theirs in zip(outcomes[0][0], outcomes[1][0]):
        numpy.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    dropped = ops.stochastic_depth(lampas.ones(50, 3), 0.4, "row")
    assert sorted(set(dropped.flatten().tolist())) == pytest.approx([0.0, 1 / 0.6])
