"""The chi-squared distribution."""

from lampas.distributions import constraints
from lampas.distributions.gamma import Gamma
from lampas.distributions.parameters import expands

__all__ = ["Chi2"]


@expands()
class Chi2(Gamma):
    """Chi-squared distribution with `df` degrees of freedom: Gamma(df / 2, 1 / 2)."""

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df, validate_args=None):
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    @property
    def df(self):
        """Degrees of freedom."""
        return self.concentration * 2
