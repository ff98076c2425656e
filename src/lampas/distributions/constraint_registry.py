"""Registries that give, for a constraint, a transform from unconstrained numbers onto it."""

from lampas.distributions import constraints, transforms
from lampas.distributions.utils import NUMBER

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]


class ConstraintRegistry:
    """Type of constraint -> function from a constraint of that type to a transform onto it."""

    def __init__(self):
        self._registry = {}
        super().__init__()

    def register(self, constraint, factory=None):
        """Registers `factory` for a type of constraint (or that of an object); decorator without it.

        Raises TypeError for anything else.
        """
        if factory is None:
            return lambda factory: self.register(constraint, factory)
        if isinstance(constraint, constraints.Constraint):
            constraint = type(constraint)
        if not isinstance(constraint, type) or not issubclass(constraint, constraints.Constraint):
            raise TypeError(
                "Expected constraint to be either a Constraint subclass or instance, "
                f"but got {constraint}"
            )
        self._registry[constraint] = factory
        return factory

    def __call__(self, constraint):
        """The transform onto a constraint. Raises NotImplementedError for unregistered types."""
        factory = self._registry.get(type(constraint))
        if factory is None:
            message = f"Cannot transform {type(constraint).__name__} constraints"
            raise NotImplementedError(message)
        return factory(constraint)


biject_to = ConstraintRegistry()  # bijections, fit for changes of variables
transform_to = ConstraintRegistry()  # simpler transforms, fit for optimisation


def _register_both(constraint):
    """Registers a factory with both registries."""

    def register(factory):
        biject_to.register(constraint, factory)
        return transform_to.register(constraint, factory)

    return register


def _register_each(constraint):
    """Registers a factory that takes the registry for the parts as second argument, with both."""

    def register(factory):
        for registry in (biject_to, transform_to):
            registry.register(constraint, lambda c, registry=registry: factory(c, registry))
        return factory

    return register


@_register_both(constraints.real)
def _onto_real(constraint):
    return transforms.identity_transform


@_register_each(constraints.independent)
def _onto_independent(constraint, registry):
    base = registry(constraint.base_constraint)
    return transforms.IndependentTransform(base, constraint.reinterpreted_batch_ndims)


@_register_both(constraints.greater_than)
@_register_both(constraints.greater_than_eq)
def _onto_greater_than(constraint):
    shift = transforms.AffineTransform(constraint.lower_bound, 1)
    return transforms.ComposeTransform([transforms.ExpTransform(), shift])


@_register_both(constraints.less_than)
def _onto_less_than(constraint):
    shift = transforms.AffineTransform(constraint.upper_bound, -1)
    return transforms.ComposeTransform([transforms.ExpTransform(), shift])


@_register_both(constraints.interval)
@_register_both(constraints.half_open_interval)
def _onto_interval(constraint):
    low, high = constraint.lower_bound, constraint.upper_bound
    if isinstance(low, NUMBER) and isinstance(high, NUMBER) and (low, high) == (0, 1):
        return transforms.SigmoidTransform()
    stretch = transforms.AffineTransform(low, high - low)
    return transforms.ComposeTransform([transforms.SigmoidTransform(), stretch])


@biject_to.register(constraints.simplex)
def _bijection_onto_simplex(constraint):
    return transforms.StickBreakingTransform()


@transform_to.register(constraints.simplex)
def _onto_simplex(constraint):
    return transforms.SoftmaxTransform()


@transform_to.register(constraints.lower_cholesky)
def _onto_lower_cholesky(constraint):
    return transforms.LowerCholeskyTransform()


@transform_to.register(constraints.positive_definite)
@transform_to.register(constraints.positive_semidefinite)
def _onto_positive_definite(constraint):
    return transforms.PositiveDefiniteTransform()


@_register_both(constraints.corr_cholesky)
def _onto_corr_cholesky(constraint):
    return transforms.CorrCholeskyTransform()


@_register_each(constraints.cat)
def _onto_cat(constraint, registry):
    parts = [registry(part) for part in constraint.cseq]
    return transforms.CatTransform(parts, constraint.dim, constraint.lengths)


@_register_each(constraints.stack)
def _onto_stack(constraint, registry):
    return transforms.StackTransform([registry(part) for part in constraint.cseq], constraint.dim)
