"""nn.utils.prune: masks, hooks, chains of prunings, errors."""

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
from agreement import agree

METHODS = """
identity(L(), 'weight')
random_unstructured(L(), 'weight', 0.5) | random_unstructured(L(), 'weight', 5)
l1_unstructured(L(), 'weight', 0.3) | l1_unstructured(L(), 'weight', 2, ones(4, 3).cumsum(0))
random_structured(L(), 'weight', 0.5, 0) | random_structured(L(), 'weight', 1, -1)
ln_structured(L(), 'weight', 0.5, 2, 0) | ln_structured(L(), 'weight', 2, 1, dim=1)
ln_structured(L(), 'weight', 1, float('inf'), 1) | ln_structured(L(), 'weight', 1, 'fro', 1)
custom_from_mask(L(), 'weight', ones(4, 3).tril()) | custom_from_mask(L(), 'bias', ones(4) * 0)
"""
ERRORS = """
random_unstructured(L(), 'foo', 0.5) | random_unstructured(L(), 'weight', 1.5)
random_unstructured(L(), 'weight', -1) | random_unstructured(L(), 'weight', 100)
random_unstructured(L(), 'weight', 'x') | random_structured(L(), 'bias', 1, 0)
random_structured(L(), 'weight', 1, 3) | random_structured(L(), 'weight', 10, 1)
custom_from_mask(L(), 'weight', ones(2, 2)) | remove(L(), 'weight') | is_pruned(L())
global_unstructured(3, L1Unstructured, amount=1) | global_unstructured([], L1Unstructured, amount=1)
global_unstructured([(L(), 'weight')], LnStructured, amount=1, n=1)
l1_unstructured(L(), 'weight', 1, importance_scores=ones(2)) | BasePruningMethod()
L1Unstructured(0.3).prune(ones(3, 2).cumsum(0)) | LnStructured(1, 2, 0).prune(ones(3, 2).cumsum(0))
PruningContainer().add_pruning_method(3)
"""


def names_of(module):
    import importlib

    prune = importlib.import_module(module.__name__ + ".nn.utils.prune")

    def linear():
        module.manual_seed(0)
        return module.nn.Linear(3, 4)

    return {**vars(prune), "L": linear, "ones": module.ones}


def texts(block):
    return [text.strip() for line in block.strip().splitlines() for text in line.split(" | ")]


@pytest.mark.parametrize("text", texts(METHODS))
def test_methods(text):
    def run(module):
        names = names_of(module)
        layer = eval(text, names)
        hook = next(iter(layer._forward_pre_hooks.values()))
        result = layer(module.ones(1, 3))
        parts = [layer.state_dict(), layer.weight, type(hook).__name__, names["is_pruned"](layer)]
        names["remove"](layer, "bias" if "bias" in text else "weight")
        return parts, result, layer.state_dict(), names["is_pruned"](layer)

    agree(run)


@pytest.mark.parametrize("text", [text for text in texts(ERRORS) if "ones(4).tril" not in text])
def test_errors(text):
    agree(lambda module: eval(text, names_of(module)))


def test_chain():
    def run(module):
        names = names_of(module)
        layer = names["L"]()
        names["random_unstructured"](layer, "weight", 3)
        names["l1_unstructured"](layer, "weight", 3)
        names["ln_structured"](layer, "weight", 1, 2, 1)
        (container,) = layer._forward_pre_hooks.values()
        kinds = [type(method).__name__ for method in container]
        return layer.state_dict(), kinds, len(container), type(container[0]).__name__

    agree(run)


def test_global():
    def run(module):
        names = names_of(module)
        first, second = names["L"](), module.nn.Linear(4, 2)
        pairs = [(first, "weight"), (second, "weight")]
        names["global_unstructured"](pairs, names["L1Unstructured"], amount=7)
        return first.weight, second.weight

    agree(run)
