"""Mechanisms of parameters that many distributions share: `expand`, and probabilities given as logits."""

import lampas
from lampas.distributions.distribution import Distribution
from lampas.distributions.utils import lazy_property, logits_to_probs, probs_to_logits


def expands(*names, keeps=()):
    """Class decorator that defines `expand` for a distribution.

    names: attributes to expand where the instance has them; tensors of shape (batch, ...), or
    distributions of a batch that starts with this one. keeps: attributes that are taken over as they are.
    """

    def decorate(cls):
        def expand(self, batch_shape, _instance=None):
            new = self._get_checked_instance(cls, _instance)
            batch_shape = lampas.Size(batch_shape)
            _expand_attributes(self, new, names, batch_shape)
            for name in keeps:
                setattr(new, name, getattr(self, name))
            parent = super(cls, self).expand
            if parent.__func__ is not Distribution.expand:
                return parent(batch_shape, _instance=new)
            return finish_expanded(self, new, batch_shape)

        expand.__doc__ = Distribution.expand.__doc__
        expand.__qualname__ = f"{cls.__qualname__}.expand"
        cls.expand = expand
        return cls

    return decorate


def _expand_attributes(old, new, names, batch_shape):
    done = {}  # one tensor under two names stays one tensor
    for name in names:
        if name not in old.__dict__:
            continue
        value = old.__dict__[name]
        if id(value) not in done:
            shape = value.batch_shape if isinstance(value, Distribution) else value.shape
            done[id(value)] = value.expand(batch_shape + shape[len(old.batch_shape) :])
        setattr(new, name, done[id(value)])


def finish_expanded(old, new, batch_shape):
    """Sets shapes and validation of an expanded distribution; its parameters need no new check."""
    Distribution.__init__(new, batch_shape, old.event_shape, validate_args=False)
    new._validate_args = old._validate_args
    return new


def check_one_given(probs, logits):
    """Raises ValueError unless exactly one of both is given."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")


class ProbsOrLogits:
    """Mixin: the parameter is given as `probs` or `logits`; the other one is computed when asked for.

    The instance has the given one as attribute, and as `_param`.
    """

    _binary = True  # log odds; False: log probabilities over the last dimension

    @lazy_property
    def logits(self):
        """Log odds, or normalised log probabilities."""
        return probs_to_logits(self.probs, is_binary=self._binary)

    @lazy_property
    def probs(self):
        """Probabilities."""
        return logits_to_probs(self.logits, is_binary=self._binary)

    @property
    def param_shape(self):
        """The shape of the parameter."""
        return self._param.size()

    def _new(self, *args, **kwargs):
        return self._param.new(*args, **kwargs)


class OfCategorical:
    """Mixin: parameters are those of the Categorical `_categorical`."""

    @property
    def logits(self):
        """Normalised log probabilities. (batch, categories)"""
        return self._categorical.logits

    @property
    def probs(self):
        """Probabilities. (batch, categories)"""
        return self._categorical.probs

    @property
    def param_shape(self):
        """The shape of the parameter: (batch, categories)."""
        return self._categorical.param_shape

    def _new(self, *args, **kwargs):
        return self._categorical._new(*args, **kwargs)


class OfBase:
    """Mixin: parameters are those of a transformed distribution's `base_dist`."""

    @property
    def temperature(self):
        """How near values are to the discrete ones: the lower, the nearer."""
        return self.base_dist.temperature

    @property
    def logits(self):
        """The base distribution's logits."""
        return self.base_dist.logits

    @property
    def probs(self):
        """The base distribution's probabilities."""
        return self.base_dist.probs
