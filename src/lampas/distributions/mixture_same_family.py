"""Mixtures of distributions of one family."""

import lampas
from lampas.distributions import constraints
from lampas.distributions.categorical import Categorical
from lampas.distributions.constraints import MixtureSameFamilyConstraint
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import finish_expanded

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """A mixture of the K distributions in the last batch dimension of `component_distribution`.

    mixture_distribution: a Categorical over K components, which gives their weights; its batch
    broadcasts with the components'. Raises ValueError where the two do not fit.
    """

    arg_constraints = {}
    has_rsample = False

    def __init__(self, mixture_distribution, component_distribution, validate_args=None):
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        self._check_parts()
        self._num_component = component_distribution.batch_shape[-1]
        event_shape = component_distribution.event_shape
        self._event_ndims = len(event_shape)
        super().__init__(component_distribution.batch_shape[:-1], event_shape, validate_args)

    def _check_parts(self):
        mixture, components = self._mixture_distribution, self._component_distribution
        if not isinstance(mixture, Categorical):
            raise ValueError(
                " The Mixture distribution needs to be an  instance of torch.distributions.Categorical"
            )
        if not isinstance(components, Distribution):
            raise ValueError(
                "The Component distribution needs to be an instance of torch.distributions.Distribution"
            )
        batch = components.batch_shape[:-1]
        for size, other in zip(reversed(mixture.batch_shape), reversed(batch)):
            if size != 1 and other != 1 and size != other:
                raise ValueError(
                    f"`mixture_distribution.batch_shape` ({mixture.batch_shape}) is not compatible with "
                    f"`component_distribution.batch_shape`({batch})"
                )
        weights, count = mixture.logits.shape[-1], components.batch_shape[-1]
        if weights is not None and count is not None and weights != count:
            raise ValueError(
                f"`mixture_distribution component` ({weights}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({count})"
            )

    def expand(self, batch_shape, _instance=None):
        batch_shape = lampas.Size(batch_shape)
        new = self._get_checked_instance(MixtureSameFamily, _instance)
        components = batch_shape + (self._num_component,)
        new._component_distribution = self._component_distribution.expand(components)
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        new._num_component = self._num_component
        new._event_ndims = self._event_ndims
        return finish_expanded(self, new, batch_shape)

    @constraints.dependent_property
    def support(self):
        return MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self):
        """The Categorical over components."""
        return self._mixture_distribution

    @property
    def component_distribution(self):
        """The components."""
        return self._component_distribution

    def _weights(self):
        """Weights of the components. (batch, K, 1 for each event dimension)"""
        return self._pad_mixture_dimensions(self.mixture_distribution.probs)

    @property
    def mean(self):
        dim = -1 - self._event_ndims
        return lampas.sum(self._weights() * self.component_distribution.mean, dim=dim)

    @property
    def variance(self):
        """The mean of the variances plus the variance of the means."""
        weights, dim = self._weights(), -1 - self._event_ndims
        within = lampas.sum(weights * self.component_distribution.variance, dim=dim)
        offsets = self.component_distribution.mean - self._pad(self.mean)
        return within + lampas.sum(weights * offsets.pow(2.0), dim=dim)

    def cdf(self, x):
        cdf = self.component_distribution.cdf(self._pad(x))
        return lampas.sum(cdf * self.mixture_distribution.probs, dim=-1)

    def log_prob(self, x):
        self._check(x)
        log_prob = self.component_distribution.log_prob(self._pad(x))
        log_weights = lampas.log_softmax(self.mixture_distribution.logits, dim=-1)
        return lampas.logsumexp(log_prob + log_weights, dim=-1)

    def sample(self, sample_shape=lampas.Size()):
        with lampas.no_grad():
            chosen = self.mixture_distribution.sample(sample_shape)  # (sample_shape, batch)
            values = self.component_distribution.sample(sample_shape)
            dim = chosen.dim()
            ones = (1,) * (self._event_ndims + 1)
            index = chosen.reshape(chosen.shape + ones)
            index = index.expand(chosen.shape + (1,) + self.event_shape)
            return lampas.gather(values, dim, index).squeeze(dim)

    def _pad(self, x):
        return x.unsqueeze(-1 - self._event_ndims)

    def _pad_mixture_dimensions(self, x):
        return x.reshape(x.shape + (1,) * self._event_ndims)

    def __repr__(self):
        return (
            f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
        )
