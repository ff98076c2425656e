"""The logistic-normal distribution over the simplex."""

from lampas.distributions import constraints
from lampas.distributions.normal import Normal
from lampas.distributions.parameters import expands
from lampas.distributions.transformed_distribution import TransformedDistribution
from lampas.distributions.transforms import StickBreakingTransform

__all__ = ["LogisticNormal"]


@expands()
class LogisticNormal(TransformedDistribution):
    """Independent normal numbers (batch, K) mapped onto the simplex with K + 1 parts by stick breaking."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, loc, scale, validate_args=None):
        base = Normal(loc, scale, validate_args=validate_args)
        if not base.batch_shape:
            base = base.expand([1])
        super().__init__(base, StickBreakingTransform(), validate_args=validate_args)

    @property
    def loc(self):
        """Means of the normal numbers."""
        return self.base_dist.base_dist.loc

    @property
    def scale(self):
        """Standard deviations of the normal numbers."""
        return self.base_dist.base_dist.scale
