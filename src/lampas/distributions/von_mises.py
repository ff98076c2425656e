"""The von Mises distribution of angles."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import expands
from lampas.distributions.utils import broadcast_all, lazy_property

__all__ = ["VonMises"]


@expands("loc", "concentration")
class VonMises(Distribution):
    """Von Mises distribution: density proportional to exp(concentration cos(x - loc)), x in radians."""

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    has_rsample = False

    def __init__(self, loc, concentration, validate_args=None):
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, lampas.Size(), validate_args)

    def log_prob(self, value):
        self._check(value)
        k = self.concentration
        log_i0 = lampas.special.i0e(k).log() + k  # i0e(k) = I0(k) exp(-k) does not overflow
        return k * lampas.cos(value - self.loc) - math.log(2 * math.pi) - log_i0

    # Rejection sampling runs in double precision.
    @lazy_property
    def _loc(self):
        return self.loc.to(lampas.double)

    @lazy_property
    def _concentration(self):
        return self.concentration.to(lampas.double)

    @lazy_property
    def _proposal_r(self):
        k = self._concentration
        tau = 1 + (1 + 4 * k**2).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * k)
        # 1 / k + k: the limit for small k, where rho loses its digits.
        return lampas.where(k < 1e-5, 1 / k + k, (1 + rho**2) / (2 * rho))

    @lampas.no_grad()
    def sample(self, sample_shape=lampas.Size()):
        """Rejection from a wrapped Cauchy envelope. D. Best, N. Fisher, Applied Statistics 28, 1979."""
        shape = self._extended_shape(sample_shape)
        k, r = self._concentration, self._proposal_r
        x = lampas.empty(shape, dtype=self._loc.dtype, device=self.loc.device)
        done = lampas.zeros(shape, dtype=lampas.bool, device=self.loc.device)
        while not done.all():
            u = lampas.rand((3, *shape), dtype=self._loc.dtype, device=self.loc.device)
            u1, u2, u3 = u.unbind()
            z = lampas.cos(math.pi * u1)
            f = (1 + r * z) / (r + z)
            c = k * (r - f)
            accept = (c * (2 - c) > u2) | ((c / u2).log() + 1 - c >= 0)
            x = lampas.where(accept, (u3 - 0.5).sign() * f.acos(), x)
            done = done | accept
        wrapped = (x + math.pi + self._loc) % (2 * math.pi) - math.pi
        return wrapped.to(self.loc.dtype)

    @property
    def mean(self):
        """The circular mean."""
        return self.loc

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        """The circular variance, 1 - I1(k) / I0(k)."""
        k = self.concentration
        return 1 - lampas.special.i1e(k) / lampas.special.i0e(k)
