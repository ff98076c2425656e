"""Constraints: what lies inside, texts, errors; and the transforms onto them."""

import pytest
from agreement import agree
from distribution_cases import texts, value_of

import lampas

CONSTRAINTS = """
C.boolean | C.one_hot | C.nonnegative_integer | C.positive_integer | C.integer_interval(0, 2) | C._IntegerLessThan(1)
C.real | C.real_vector | C.positive | C.nonnegative | C.greater_than(t([0.5, -1.])) | C.greater_than_eq(0.5)
C.less_than(0.5) | C.unit_interval | C.interval(-1, t([1., 0.])) | C.half_open_interval(0., 1.) | C.simplex
C.multinomial(2) | C.lower_triangular | C.lower_cholesky | C.corr_cholesky | C.square | C.symmetric
C.positive_semidefinite | C.positive_definite | C.independent(C.positive, 1) | C.independent(C.simplex, 1)
C.independent(C.real, 0) | C.dependent | C.cat([C.positive, C.real]) | C.cat([C.real, C.positive], -1, [1, 1])
C.stack([C.positive, C.boolean]) | C.stack([C.real, C.unit_interval], -1) | C.cat([C.simplex, C.real_vector], 0, [1, 1])
C.MixtureSameFamilyConstraint(C.simplex) | C.MixtureSameFamilyConstraint(C.greater_than(t([0.5, -1.])))
C.MixtureSameFamilyConstraint(C.positive) | C.stack([C.real_vector, C.simplex], -2) | C.Constraint()
"""
VALUES = """
t(1.) | t(0.) | t(-1.) | t(2) | t(float('nan')) | t(0.5) | t(float('inf')) | t([1., 0.]) | t([0.5, 0.5]) | t([2., -1.])
t([0.3, 0.7000001]) | t([1., float('nan')]) | torch.eye(2) | -torch.eye(2) | torch.ones(2, 2) | torch.ones(2, 2).tril()
t([[1., 0.], [0.6, 0.8]]) | t([[1., 2.], [2., 1.]]) | torch.ones(2, 3) | t([[0.5, 0.5], [0.2, 0.8]]) | torch.eye(2).expand(3, 2, 2)
t([[[2., 1.], [1., 2.]], [[1., 1.], [1., 1.]]]) | t([0, 1]) | t(True) | torch.zeros(0) | torch.eye(2, dtype=torch.float64)
"""
EXPRESSIONS = """
C.dependent.event_dim | C.dependent.is_discrete | C.dependent(is_discrete=True, event_dim=1).event_dim
C.dependent(event_dim=1)(is_discrete=False).is_discrete | C.is_dependent(C.dependent) | C.is_dependent(C.real)
C.is_dependent(Uniform.support) | C.is_dependent(C.independent(C.dependent, 1)) | C.dependent_property(lambda s: 1)
C.dependent_property(is_discrete=True)(lambda s: 2).is_discrete | C.independent(C.real, -1) | C.independent(3, 1)
C.independent(C.real, 1.) | C.cat([C.real, 3]) | C.cat([C.real, C.positive], 0, [2]) | C.stack([C.real, 3])
C.cat([C.real, C.positive], 5).check(torch.ones(2)) | C.cat([C.real, C.positive], 0, [1, 2]).check(torch.ones(2))
C.stack([C.real, C.positive], 3).check(torch.ones(2)) | C.stack([C.real, C.positive]).check(torch.ones(3))
C.MixtureSameFamilyConstraint(3) | C.MixtureSameFamilyConstraint(C.positive_definite).event_dim
C.stack([C.real, C.simplex]).event_dim | C.stack([C.real, C.simplex], -1).event_dim | C.cat([C.real, C.boolean]).is_discrete
Categorical.support.is_discrete | Multinomial.support.event_dim | Independent.support.event_dim
TransformedDistribution.support.event_dim | TransformedDistribution.support.is_discrete | Pareto.support.event_dim
biject_to(3) | biject_to(C.dependent) | transform_to(C.boolean) | biject_to(C.lower_cholesky) | biject_to(C.positive_definite)
biject_to.register(3, lambda c: 0) | biject_to.register(int, lambda c: 0) | constraint_registry.__all__ | C.__all__
"""
ONTO = """
C.real | C.positive | C.nonnegative | C.greater_than(t([1., -2.])) | C.greater_than_eq(2.) | C.less_than(t(1.)) | C.unit_interval
C.interval(0, 1) | C.interval(t([0., 1.]), t([1., 3.])) | C.half_open_interval(0., 2.) | C.simplex | C.real_vector
C.independent(C.positive, 1) | C.lower_cholesky | C.positive_definite | C.positive_semidefinite | C.corr_cholesky
C.cat([C.real, C.positive]) | C.cat([C.real_vector, C.simplex], -1, [1, 1]) | C.stack([C.real, C.unit_interval], -1)
"""


@pytest.mark.parametrize("text", texts(CONSTRAINTS))
def test_check(text):
    for value in texts(VALUES):
        if "Mixture" in text and value == "torch.zeros(0)":
            continue  # PyTorch fails at values without elements

        def run(module):
            constraint, x = (value_of(part, module) for part in (text, value))
            return repr(constraint), constraint.check(x)

        agree(run)


def test_check_finds_both_kinds():
    """The table above has values inside and outside of nearly all constraints."""
    for text in texts(CONSTRAINTS):
        found = set()
        for value in texts(VALUES):
            try:
                found |= set(value_of(f"{text}.check({value})", lampas).flatten().tolist())
            except Exception:
                continue
        assert found == {True, False} or text in ("C.dependent", "C.Constraint()"), text


@pytest.mark.parametrize("text", texts(EXPRESSIONS))
def test_expressions(text):
    agree(lambda module: value_of(text, module))


@pytest.mark.parametrize("registry", ["biject_to", "transform_to"])
@pytest.mark.parametrize("text", texts(ONTO))
def test_transforms_onto(text, registry):
    def run(module):
        constraint = value_of(text, module)
        transform = value_of(f"{registry}(c)", module, c=constraint)
        x = module.tensor([[0.3, -1.0], [2.0, 0.1]])
        if text == "C.corr_cholesky":
            x = module.tensor([[0.3, -1.0, 0.7], [2.0, 0.1, 0.2]])
        y = transform(x)
        return (
            repr(transform),
            y,
            constraint.check(y),
            transform.inv(y),
            transform.domain,
            transform.codomain,
        )

    agree(run)


def test_own_registration():
    def run(module):
        d = module.distributions
        registry = d.constraint_registry.ConstraintRegistry()

        class Own(d.constraints.Constraint):
            pass

        @registry.register(Own)
        def own(constraint):
            return "class"

        first = registry(Own())
        registry.register(Own(), lambda constraint: "object")
        return first, registry(Own())

    assert agree(run) == ("class", "object")
