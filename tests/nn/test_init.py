"""nn.init gives PyTorch's numbers for a seed, and its errors and warnings."""

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
from agreement import agree

FILLING = """
I.uniform_(M(3, 4), -1, 2) | I.normal_(M(3, 4), 1, 0.5) | I.constant_(M(3, 4), 3) | I.ones_(M(2))
I.zeros_(M(2)) | I.eye_(M(3, 4)) | I.eye_(M(4, 3).t()) | I.eye_(M(3)) | I.dirac_(M(3, 4, 3))
I.dirac_(M(4, 2, 3, 3), 2) | I.dirac_(M(4, 2, 3, 3, 3), 4)
I.dirac_(M(3, 4)) | I.dirac_(M(3, 4, 3), 2)
I.xavier_uniform_(M(3, 4)) | I.xavier_uniform_(M(30, 40), 2.0) | I.xavier_normal_(M(4, 3, 2, 2))
I.xavier_normal_(M(4)) | I.kaiming_uniform_(M(3, 4)) | I.kaiming_uniform_(M(3, 4), 5**0.5)
I.kaiming_uniform_(M(3, 4), mode="fan_out", nonlinearity="relu")
I.kaiming_normal_(M(3, 4), mode="FAN_OUT") | I.kaiming_normal_(M(3, 4), mode="x")
I.kaiming_normal_(M(3, 4), nonlinearity="x") | I.kaiming_normal_(M(4)) | I.kaiming_normal_(M(0, 3))
I.orthogonal_(M(3, 4)) | I.orthogonal_(M(4, 3), 2.0)
I.orthogonal_(M(4, 2, 3)) | I.orthogonal_(M(4))
I.orthogonal_(M(0, 3)) | I.orthogonal_(M(3, 4).t())
I.sparse_(M(3, 4), 0.5) | I.sparse_(M(6, 3), 0.3, 0.1)
I.sparse_(M(3), 0.1) | I.xavier_uniform_(M(0, 3))
I.uniform_(M(0)) | I.uniform(M(3)) | I.normal(M(3))
I.constant(M(3), 2) | I.eye(M(3, 3)) | I.dirac(M(2, 2, 2)) | I.xavier_uniform(M(3, 4))
I.xavier_normal(M(3, 4)) | I.kaiming_uniform(M(3, 4))
I.kaiming_normal(M(3, 4)) | I.orthogonal(M(3, 4))
I.sparse(M(3, 4), 0.1) | I.uniform_(M(3).requires_grad_()).requires_grad
I.xavier_uniform_(M(3, 3, 3), generator=G()) | I.kaiming_normal_(M(3, 3, 3), generator=G())
I.orthogonal_(M(3, 4), generator=G()) | I.sparse_(M(3, 4), 0.5, generator=G())
I.calculate_gain("tanh") | I.calculate_gain("selu")
I.calculate_gain("relu") | I.calculate_gain("conv2d")
I.calculate_gain("leaky_relu", 0.2)
I.calculate_gain("leaky_relu", True) | I.calculate_gain("gelu")
"""
TRUNCATED = """
(M(3, 4)) (M(1000)) (M(3, 4), 1, 0.5, -1, 3) (M(500), 5.0, 1.0, -2, 2) (M(500), 0, 1, -0.1, 0.1)
(M(500), 2.6) (M(500), 0, 1, 0, 0.3) (M(50), 0, 0.02, -0.01, 0.04) (M(50, 3).t())
(M(3, 4), generator=G()) (M(3), 0, 1, 2, -2)
"""


def expressions(text):
    return [part.strip() for line in text.strip().splitlines() for part in line.split(" | ")]


def run(module, text, dtype="float32"):
    def M(*shape):
        return module.full(shape, 7.0, dtype=getattr(module, dtype))

    module.manual_seed(3)
    names = {"I": module.nn.init, "M": M, "G": lambda: module.Generator().manual_seed(1)}
    return eval(text, names), module.rand(2)


@pytest.mark.parametrize("text", expressions(FILLING))
def test_numbers_errors_and_stream(text):
    agree(lambda module: run(module, text))


@pytest.mark.parametrize("text", TRUNCATED.replace(") (", ")\n(").split("\n")[1:-1])
def test_truncated_normal(text):
    agree(lambda module: run(module, "I.trunc_normal_" + text))


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
@pytest.mark.parametrize(
    "name", ["uniform_", "normal_", "xavier_normal_", "kaiming_uniform_", "trunc_normal_"]
)
def test_dtypes(name, dtype):
    agree(lambda module: run(module, f"I.{name}(M(20, 30))", dtype), rtol=1e-2, atol=1e-3)
