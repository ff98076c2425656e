"""Models: documented sizes and keys; weights, values, gradients and print equal PyTorch's."""

import numpy
import pytest
import torch
import twin

import lampas
from lampas.vision import models

twin.install()

PARAMETERS = {
    "alexnet": 61100840,
    "densenet121": 7978856,
    "densenet161": 28681000,
    "densenet169": 14149480,
    "densenet201": 20013928,
    "efficientnet_b0": 5288548,
    "efficientnet_b1": 7794184,
    "efficientnet_b2": 9109994,
    "efficientnet_b3": 12233232,
    "efficientnet_b4": 19341616,
    "efficientnet_b5": 30389784,
    "efficientnet_b6": 43040704,
    "efficientnet_b7": 66347960,
    "mobilenet_v2": 3504872,
    "mobilenet_v3_large": 5483032,
    "mobilenet_v3_small": 2542856,
    "resnet18": 11689512,
    "resnet34": 21797672,
    "resnet50": 25557032,
    "resnet101": 44549160,
    "resnet152": 60192808,
    "resnext50_32x4d": 25028904,
    "resnext101_32x8d": 88791336,
    "resnext101_64x4d": 83455272,
    "squeezenet1_0": 1248424,
    "squeezenet1_1": 1235496,
    "vgg11": 132863336,
    "vgg11_bn": 132868840,
    "vgg13": 133047848,
    "vgg13_bn": 133053736,
    "vgg16": 138357544,
    "vgg16_bn": 138365992,
    "vgg19": 143667240,
    "vgg19_bn": 143678248,
    "vit_b_16": 86567656,
    "vit_b_32": 88224232,
    "vit_l_16": 304326632,
    "vit_l_32": 306535400,
    "wide_resnet50_2": 68883240,
    "wide_resnet101_2": 126886696,
}


@pytest.fixture
def no_initialization(monkeypatch):
    """Parameters keep whatever their memory holds: sizes need no random numbers."""
    kinds = ("kaiming_normal_", "kaiming_uniform_", "xavier_uniform_", "normal_", "uniform_")
    for name in (*kinds, "trunc_normal_"):
        monkeypatch.setattr(lampas.nn.init, name, lambda tensor, *args, **kwargs: tensor)


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_documented_parameters(name, no_initialization):
    model = models.get_model(name)
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
    assert models.get_model_weights(name).DEFAULT.meta["num_params"] == PARAMETERS[name]


def test_googlenet_parameters(no_initialization):
    model = models.googlenet(aux_logits=False, init_weights=False)
    assert sum(p.numel() for p in model.parameters()) == 6624904
    with_aux = models.googlenet(init_weights=False)
    assert {name.partition(".")[0] for name in with_aux.state_dict()} >= {"aux1", "aux2"}
    with pytest.warns(FutureWarning, match="default weight initialization of GoogleNet"):
        models.googlenet()


# Names that files of trained weights carry.
KEYS = {
    "resnet50": [
        "conv1.weight",
        "bn1.num_batches_tracked",
        "layer1.0.conv3.weight",
        "layer1.0.downsample.0.weight",
        "layer1.0.downsample.1.running_var",
        "layer4.2.bn3.bias",
        "fc.bias",
    ],
    "densenet121": [
        "features.conv0.weight",
        "features.norm0.weight",
        "features.denseblock1.denselayer1.norm1.weight",
        "features.denseblock4.denselayer16.conv2.weight",
        "features.transition3.conv.weight",
        "features.norm5.running_mean",
        "classifier.weight",
    ],
    "mobilenet_v2": [
        "features.0.0.weight",
        "features.1.conv.0.0.weight",
        "features.1.conv.1.weight",
        "features.2.conv.1.1.running_mean",
        "features.17.conv.3.bias",
        "features.18.1.weight",
        "classifier.1.bias",
    ],
    "squeezenet1_1": [
        "features.0.weight",
        "features.3.squeeze.bias",
        "features.12.expand3x3.weight",
        "classifier.1.weight",
    ],
    "squeezenet1_0": ["features.12.expand1x1.weight", "features.10.squeeze.weight"],
    "vgg16_bn": ["features.0.weight", "features.41.running_var", "classifier.6.bias"],
    "mobilenet_v3_large": [
        "features.0.0.weight",
        "features.1.block.0.0.weight",
        "features.4.block.2.fc1.bias",
        "features.16.1.running_var",
        "classifier.3.weight",
    ],
    "efficientnet_b1": [
        "features.0.0.weight",
        "features.1.1.block.1.fc2.bias",
        "features.4.3.block.3.1.running_mean",
        "features.8.1.bias",
        "classifier.1.weight",
    ],
    "vit_b_32": [
        "class_token",
        "conv_proj.weight",
        "encoder.pos_embedding",
        "encoder.layers.encoder_layer_0.self_attention.in_proj_weight",
        "encoder.layers.encoder_layer_11.mlp.3.bias",
        "encoder.ln.weight",
        "heads.head.bias",
    ],
    "alexnet": ["features.10.weight", "classifier.1.weight", "classifier.6.bias"],
}


@pytest.mark.parametrize("name", sorted(KEYS))
def test_documented_keys(name, no_initialization):
    assert set(KEYS[name]) <= set(models.get_model(name).state_dict())


def build(name, **options):
    """The same model from the same seed under both, with equal weights."""
    import twinvision.models

    lampas.manual_seed(11)
    torch.manual_seed(11)
    mine = getattr(models, name)(**options)
    theirs = getattr(twinvision.models, name)(**options)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    for key, value in mine.state_dict().items():
        expected = theirs.state_dict()[key]
        assert tuple(value.shape) == tuple(expected.shape), key
        # Rounding of the last digit may differ between the two normal generators.
        numpy.testing.assert_allclose(value.numpy(), expected.numpy(), rtol=3e-6, atol=3e-7)
    assert repr(mine) == repr(theirs)
    mine.load_state_dict({k: lampas.from_numpy(v.numpy()) for k, v in theirs.state_dict().items()})
    return mine, theirs


def close(mine, theirs, scale=2e-4):
    """Equal up to rounding that grows through the layers, relative to the largest value."""
    mine, theirs = mine.detach().numpy(), theirs.detach().numpy()
    numpy.testing.assert_allclose(mine, theirs, rtol=0, atol=scale * abs(theirs).max())


CASES = [
    ("lenet", {}, (2, 1, 32, 32)),
    ("resnet18", {"num_classes": 10}, (2, 3, 64, 64)),
    (
        "resnext50_32x4d",
        {"num_classes": 5, "replace_stride_with_dilation": [False, False, True]},
        (2, 3, 48, 48),
    ),
    ("mobilenet_v2", {"num_classes": 10, "dropout": 0.0, "width_mult": 0.5}, (2, 3, 64, 64)),
    ("squeezenet1_1", {"num_classes": 10}, (2, 3, 48, 48)),
    ("mobilenet_v3_small", {"num_classes": 10}, (2, 3, 64, 64)),
    ("efficientnet_b0", {"num_classes": 10}, (2, 3, 64, 64)),
    ("densenet121", {"num_classes": 10, "drop_rate": 0.0}, (2, 3, 64, 64)),
]


@pytest.mark.parametrize("name,options,shape", CASES, ids=[case[0] for case in CASES])
def test_same_as_on_pytorch(name, options, shape):
    mine, theirs = build(name, **options)
    pixels = numpy.random.default_rng(5).standard_normal(shape)
    results = []
    for module, model in ((lampas, mine), (torch, theirs)):
        # In float64 no rounding brings a ReLU to the other side of its corner.
        model.double().eval()
        scores = model(module.from_numpy(pixels))
        (scores * scores).sum().backward()
        results.append((scores, [p.grad for p in model.parameters()]))
    # PyTorch's gradient of hardsigmoid holds a float32 of 1/6, in float64 too.
    scale = 1e-6 if "v3" in name else 1e-9
    close(results[0][0], results[1][0], scale)
    for ours, reference in zip(results[0][1], results[1][1], strict=True):
        close(ours, reference, scale)


def test_training_step_of_resnet():
    mine, theirs = build("resnet18", num_classes=4, zero_init_residual=True)
    pixels = numpy.random.default_rng(6).standard_normal((4, 3, 64, 64), dtype=numpy.float32)
    losses = []
    for module, model in ((lampas, mine), (torch, theirs)):
        loss = module.nn.functional.cross_entropy(
            model(module.from_numpy(pixels)), module.tensor([0, 1, 2, 3])
        )
        loss.backward()
        losses.append((loss, model.fc.weight.grad, model.bn1.running_mean, model.bn1.running_var))
    for ours, reference in zip(*losses):
        close(ours, reference, scale=1e-3)


def test_googlenet_values():
    mine, theirs = build("googlenet", num_classes=7, init_weights=False, transform_input=True)
    pixels = numpy.random.default_rng(5).standard_normal((2, 3, 64, 64), dtype=numpy.float32)
    close(mine.eval()(lampas.from_numpy(pixels)), theirs.eval()(torch.from_numpy(pixels)))
    outputs = mine.train()(lampas.from_numpy(pixels))
    assert [tuple(part.shape) for part in outputs] == [(2, 7)] * 3
    assert type(outputs).__name__ == "GoogLeNetOutputs"


@pytest.mark.parametrize("name", ["alexnet", pytest.param("vgg11_bn", marks=pytest.mark.slow)])
def test_large_classifiers_start_alike(name):
    mine, theirs = build(name, num_classes=3)
    pixels = numpy.random.default_rng(5).standard_normal((1, 3, 64, 64), dtype=numpy.float32)
    with lampas.no_grad(), torch.no_grad():
        close(mine.eval()(lampas.from_numpy(pixels)), theirs.eval()(torch.from_numpy(pixels)))


def test_vision_transformer():
    shape = {"image_size": 32, "patch_size": 8, "num_layers": 2, "num_heads": 4}
    shape |= {"hidden_dim": 24, "mlp_dim": 40, "representation_size": 12, "num_classes": 5}
    mine, theirs = build("VisionTransformer", **shape)
    pixels = numpy.random.default_rng(5).standard_normal((2, 3, 32, 32))
    gradients = []
    for module, model in ((lampas, mine), (torch, theirs)):
        torch.manual_seed(1)
        lampas.manual_seed(1)
        module.nn.init.normal_(model.heads.head.weight)  # it starts from zero
        model.double()(module.from_numpy(pixels)).square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    for ours, reference in zip(*gradients, strict=True):
        close(ours, reference, scale=1e-6)
    with pytest.raises(AssertionError, match="Wrong image height! Expected 32 but got 40!"):
        mine(lampas.zeros(1, 3, 40, 32))


def test_memory_efficient_densenet_has_the_same_gradients():
    images = lampas.randn(2, 3, 32, 32)
    gradients = []
    for efficient in (False, True):
        lampas.manual_seed(0)
        net = models.DenseNet(8, (2, 2), 8, num_classes=3, memory_efficient=efficient)
        net(images).square().sum().backward()
        gradients.append([p.grad for p in net.parameters()])
    for plain, again in zip(*gradients):
        assert lampas.equal(plain, again)


def test_registry():
    assert models.list_models(include="resnet*") == [
        "resnet101",
        "resnet152",
        "resnet18",
        "resnet34",
        "resnet50",
    ]
    assert "vgg16" not in models.list_models(exclude=["vgg*"])
    assert models.list_models(lampas.vision.models.squeezenet) == ["squeezenet1_0", "squeezenet1_1"]
    assert models.get_weight("ResNet50_Weights.IMAGENET1K_V2") is models.ResNet50_Weights.DEFAULT
    assert models.ResNet50_Weights.IMAGENET1K_V1.transforms().resize_size == [256]
    with pytest.raises(ValueError, match="Unknown model lenet"):
        models.get_model("lenet")


def test_weights_come_from_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    trained = models.squeezenet1_1()
    name = models.SqueezeNet1_1_Weights.DEFAULT.url.rpartition("/")[2]
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    lampas.save(trained.state_dict(), folder / name)
    loaded = models.squeezenet1_1(weights="DEFAULT")
    for key, value in loaded.state_dict().items():
        assert lampas.equal(value, trained.state_dict()[key])
    with pytest.warns(UserWarning) as caught:
        models.squeezenet1_1(pretrained=True)
    texts = [str(warning.message) for warning in caught]
    assert "'pretrained' is deprecated" in texts[0]
    assert "`weights=SqueezeNet1_1_Weights.IMAGENET1K_V1`" in texts[1] and len(texts) == 2
    with pytest.warns(UserWarning) as caught:
        assert models.squeezenet1_1(False) is not None
    assert "Using 'weights' as positional" in str(caught[0].message)
    with pytest.raises(ValueError, match="'num_classes' expected value 1000 but got 10"):
        models.squeezenet1_1(weights="DEFAULT", num_classes=10)
    with pytest.raises(TypeError, match="expected SqueezeNet1_1_Weights but received"):
        models.squeezenet1_1(weights=models.AlexNet_Weights.DEFAULT)


def test_old_densenet_names(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    trained = models.densenet121()
    old = {}
    for name, value in trained.state_dict().items():
        for part in ("norm", "conv"):
            for digit in "12":
                name = name.replace(f".{part}{digit}.", f".{part}.{digit}.")
        old[name] = value
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    lampas.save(old, folder / models.DenseNet121_Weights.DEFAULT.url.rpartition("/")[2])
    loaded = models.densenet121(weights=models.DenseNet121_Weights.IMAGENET1K_V1)
    for key, value in loaded.state_dict().items():
        assert lampas.equal(value, trained.state_dict()[key])


def test_missing_weights_tell_where_to_put_them(tmp_path, monkeypatch):
    import urllib.error
    import urllib.request

    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(
        RuntimeError, match="Put the file of https.*at .*hub/checkpoints/resnet18-f37072fd.pth"
    ):
        models.resnet18(weights="DEFAULT")
    assert not list(tmp_path.rglob("*.pth"))
