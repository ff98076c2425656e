"""nn.utils: parametrisations, weight and spectral norm, stateless calls, fusion, skip_init."""

import copy
import pickle

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
from agreement import agree

NORMS = [
    "U.weight_norm(m)",
    "U.weight_norm(m, dim=1)",
    "U.weight_norm(m, dim=None)",
    "U.weight_norm(m, 'bias')",
    "U.spectral_norm(m)",
    "U.spectral_norm(m, n_power_iterations=3, dim=1)",
    "Q.weight_norm(m)",
    "Q.weight_norm(m, dim=None)",
    "Q.spectral_norm(m)",
    "Q.spectral_norm(m, n_power_iterations=3, dim=1)",
    "Q.orthogonal(m)",
    "Q.orthogonal(m, orthogonal_map='cayley')",
    "Q.orthogonal(m, orthogonal_map='matrix_exp', use_trivialization=False)",
    "Q.orthogonal(m, orthogonal_map='cayley', use_trivialization=False)",
    "Q.orthogonal(m, orthogonal_map='householder', use_trivialization=False)",
]
LAYERS = ["Linear(3, 4)", "Linear(4, 3)", "Conv2d(3, 4, 2)", "ConvTranspose2d(3, 4, 2)"]


def names_of(module, layer=None):
    utils = module.nn.utils
    module.manual_seed(1)
    return {
        "U": utils,
        "P": utils.parametrize,
        "Q": utils.parametrizations,
        "nn": module.nn,
        "ones": module.ones,
        "m": eval("nn." + layer, {"nn": module.nn}) if layer else None,
    }


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("text", NORMS)
def test_norms(text, layer):
    def run(module):
        layer_ = eval(text, names_of(module, layer))
        before = {key: value.clone() for key, value in layer_.state_dict().items()}
        shape = (2, 3, 4, 4) if "Conv" in layer else (2, layer_.in_features)
        result = layer_(module.ones(shape))
        result.sum().backward()
        grads = {name: param.grad for name, param in layer_.named_parameters()}
        layer_.eval()
        return before, result, grads, layer_(module.ones(shape)), layer_.state_dict(), layer_

    agree(run, rtol=1e-3, atol=1e-4)


TEXTS = [
    "U.weight_norm(U.weight_norm(nn.Linear(2, 2)))",
    "U.remove_weight_norm(nn.Linear(2, 2))",
    "U.remove_weight_norm(U.weight_norm(nn.Linear(2, 2))).state_dict()",
    "U.spectral_norm(U.spectral_norm(nn.Linear(2, 2)))",
    "U.remove_spectral_norm(nn.Linear(2, 2))",
    "U.remove_spectral_norm(U.spectral_norm(nn.Linear(2, 2))).state_dict()",
    "U.spectral_norm(nn.Linear(2, 2), n_power_iterations=0)",
    "U.spectral_norm(nn.Linear(2, 2, bias=False), 'bias')",
    "U.spectral_norm(nn.Linear(2, 2)).state_dict()._metadata",
    "Q.weight_norm(nn.Linear(2, 2), 'foo')",
    "Q.spectral_norm(nn.Linear(2, 2), 'foo')",
    "Q.orthogonal(nn.Linear(2, 2), 'bias')",
    "Q.orthogonal(nn.Linear(2, 2), orthogonal_map='x')",
    "P.register_parametrization(nn.Linear(2, 2), 'foo', nn.ReLU())",
    "P.register_parametrization(nn.Linear(2, 2), 'weight', nn.Linear(2, 3))",
    "P.register_parametrization(nn.Linear(2, 2), 'weight', nn.Softplus()).weight",
    "P.remove_parametrizations(nn.Linear(2, 2), 'weight')",
    "P.remove_parametrizations(Q.spectral_norm(nn.Linear(2, 2)), 'weight').state_dict()",
    "P.remove_parametrizations(Q.weight_norm(nn.Linear(2, 2)), 'weight').state_dict()",
    "P.remove_parametrizations(Q.weight_norm(nn.Linear(2, 2)), 'weight', False)",
    "P.is_parametrized(Q.weight_norm(nn.Linear(2, 2)), 'weight')",
    "P.type_before_parametrizations(Q.weight_norm(nn.Linear(2, 2)))",
    "setattr(Q.orthogonal(nn.Linear(2, 2)), 'weight', ones(2, 2))",
    "P.transfer_parametrizations_and_params("
    "Q.spectral_norm(nn.Linear(2, 2)), nn.Linear(2, 2)).state_dict()",
    "P.ParametrizationList([], ones(2))",
    "U.skip_init(nn.Linear, 3, 2)",
    "U.skip_init(nn.ReLU)",
]


@pytest.mark.parametrize("text", TEXTS)
def test_results_and_errors(text):
    agree(lambda module: eval(text, names_of(module)), rtol=1e-4)


def doubling(module, inverse=True):
    class Double(module.nn.Module):
        calls = 0

        def forward(self, x):
            type(self).calls += 1
            return x * 2

    if inverse:
        Double.right_inverse = lambda self, x: x / 2
    return Double()


def test_assignment_chain_and_removal():
    def run(module):
        P = module.nn.utils.parametrize
        layer = module.nn.Linear(2, 2)
        original = layer.weight
        for _ in range(2):
            P.register_parametrization(layer, "weight", doubling(module))
        layer.weight = module.ones(2, 2)
        same = layer.parametrizations.weight.original is original
        values = [original.clone(), layer.weight.clone()]
        P.remove_parametrizations(layer, "weight")
        return same, values, layer.weight is original, layer.weight, type(layer).__name__

    agree(run)


def test_assignment_without_inverse():
    def run(module):
        layer = module.nn.Linear(2, 2)
        function = doubling(module, inverse=False)
        module.nn.utils.parametrize.register_parametrization(layer, "weight", function)
        layer.weight = module.ones(2, 2)

    agree(run)


def test_cache_copies_and_pickling():
    import lampas

    P = lampas.nn.utils.parametrize
    function = doubling(lampas)
    layer = P.register_parametrization(lampas.nn.Linear(2, 2), "weight", function)
    type(function).calls = 0
    with P.cached():
        assert layer.weight is layer.weight
    assert type(function).calls == 1
    assert (copy.deepcopy(layer).weight == layer.weight).all()
    with pytest.raises(RuntimeError, match="only supported through state_dict"):
        pickle.dumps(layer)


CALLS = [
    "({'a.weight': W}, X)",
    "({'a.weight': W}, (X,), {'k': 3})",
    "({'a.weight': W}, X, tie_weights=False)",
    "({'a.weight': W, 'b.weight': W * 2}, X)",
    "({'c': W[0]}, X)",
    "({'foo.x': W}, X)",
    "({'foo': W}, X, strict=True)",
    "({'a.weight': W}, X, strict=True)",
    "({'a.weight': 3}, X)",
    "({'a': W}, X)",
    "({'': W}, X)",
]


@pytest.mark.parametrize("text", CALLS)
def test_functional_call(text):
    def run(module):
        class Tied(module.nn.Module):
            def __init__(self):
                super().__init__()
                self.a = module.nn.Linear(2, 2, bias=False)
                self.b = module.nn.Linear(2, 2, bias=False)
                self.b.weight = self.a.weight
                self.register_buffer("c", module.ones(2))

            def forward(self, x, k=1):
                return self.b(self.a(x)) * k + self.c

        model = Tied()
        with module.no_grad():
            model.a.weight.copy_(module.eye(2))
        call = module.nn.utils.stateless._functional_call
        names = {"W": module.full((2, 2), 2.0), "X": module.ones(1, 2)}
        try:
            result = eval("call(model, " + text[1:], {**names, "call": call, "model": model})
        finally:
            assert model.a.weight is model.b.weight and model.a.weight[0, 0] == 1
        return result

    agree(run)


def test_fusion():
    import lampas

    nn, fusion = lampas.nn, lampas.nn.utils.fusion
    x = lampas.randn(1, 2, 4, 4)
    for conv, transpose in (
        (nn.Conv2d(2, 3, 2), False),
        (nn.ConvTranspose2d(2, 3, 2, bias=False), True),
    ):
        norm = nn.BatchNorm2d(3)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 1)
        nn.init.normal_(norm.weight)
        conv, norm = conv.eval(), norm.eval()
        fused = fusion.fuse_conv_bn_eval(conv, norm, transpose)
        assert lampas.allclose(fused(x), norm(conv(x)), atol=1e-5)
    with pytest.raises(AssertionError, match="Fusion only for eval!"):
        fusion.fuse_conv_bn_eval(conv.train(), norm)
    linear, norm = nn.Linear(4, 3).eval(), nn.BatchNorm1d(3).eval()
    assert lampas.allclose(
        fusion.fuse_linear_bn_eval(linear, norm)(x[0, 0]), norm(linear(x[0, 0])), atol=1e-5
    )
