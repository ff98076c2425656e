"""Distribution: what all distributions share. Shapes, validation, and the answers that follow from others."""

import warnings

import lampas
from lampas.distributions import constraints
from lampas.distributions.utils import lazy_property

__all__ = ["Distribution"]


class Distribution:
    """A batch of probability distributions.

    batch_shape: shape of the batch, one distribution each. event_shape: shape of one value.
    validate_args: whether parameters and values are checked; None keeps the class's default, which
    is on unless Python runs with -O. Raises ValueError for parameters outside of `arg_constraints`.
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value):
        """Whether distributions made from now on check their arguments: True or False."""
        if value not in (True, False):
            raise ValueError
        Distribution._validate_args = value

    def __init__(self, batch_shape=lampas.Size(), event_shape=lampas.Size(), validate_args=None):
        self._batch_shape = batch_shape
        self._event_shape = event_shape
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._validate_parameters()
        super().__init__()

    def _validate_parameters(self):
        try:
            arg_constraints = self.arg_constraints
        except NotImplementedError:
            warnings.warn(
                f"{self.__class__} does not define `arg_constraints`. "
                "Please set `arg_constraints = {}` or initialize the distribution with "
                "`validate_args=False` to turn off validation."
            )
            return
        for name, constraint in arg_constraints.items():
            # The parameter that was not given follows from the one that was.
            derived = isinstance(getattr(type(self), name, None), lazy_property)
            if constraints.is_dependent(constraint) or (derived and name not in self.__dict__):
                continue
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ValueError(
                    f"Expected parameter {name} ({type(value).__name__} of shape "
                    f"{tuple(value.shape)}) of distribution {self!r} to satisfy the constraint "
                    f"{constraint!r}, but found invalid values:\n{value}"
                )

    def expand(self, batch_shape, _instance=None):
        """The same distributions with parameters expanded, without copies, to a larger batch.

        _instance: an object to fill, given by subclasses that define `expand`.
        """
        raise NotImplementedError

    @property
    def batch_shape(self):
        """The shape of the batch of distributions."""
        return self._batch_shape

    @property
    def event_shape(self):
        """The shape of one value."""
        return self._event_shape

    @property
    def arg_constraints(self):
        """Name of each parameter: the constraint that it satisfies."""
        raise NotImplementedError

    @property
    def support(self):
        """The constraint that values satisfy."""
        raise NotImplementedError

    @property
    def mean(self):
        """Mean. (batch, event)"""
        raise NotImplementedError

    @property
    def mode(self):
        """The likeliest value. (batch, event)"""
        raise NotImplementedError(f"{self.__class__} does not implement mode")

    @property
    def variance(self):
        """Variance of each element of a value. (batch, event)"""
        raise NotImplementedError

    @property
    def stddev(self):
        """Square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape=lampas.Size()):
        """Values without gradient. (sample_shape, batch, event)"""
        with lampas.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=lampas.Size()):
        """Values that are differentiable functions of the parameters. (sample_shape, batch, event)"""
        raise NotImplementedError

    def sample_n(self, n):
        """sample((n,)), with PyTorch's FutureWarning."""
        message = "`sample_n(n)` will be deprecated. Use `sample((n,))` instead."
        warnings.warn(message, FutureWarning, stacklevel=2)
        return self.sample(lampas.Size((n,)))

    def log_prob(self, value):
        """Logarithm of the density, or of the probability, at `value`, summed over events."""
        raise NotImplementedError

    def cdf(self, value):
        """Probability of values up to `value`."""
        raise NotImplementedError

    def icdf(self, value):
        """The inverse of `cdf`."""
        raise NotImplementedError

    def enumerate_support(self, expand=True):
        """All values. (values, batch, event), or with ones in place of the batch where not expand."""
        raise NotImplementedError

    def entropy(self):
        """Entropy in nats. (batch)"""
        raise NotImplementedError

    def perplexity(self):
        """exp(entropy). (batch)"""
        return lampas.exp(self.entropy())

    def _extended_shape(self, sample_shape=lampas.Size()):
        """The shape of a sample: (sample_shape, batch, event)."""
        if not isinstance(sample_shape, lampas.Size):
            sample_shape = lampas.Size(sample_shape)
        return lampas.Size(sample_shape + self._batch_shape + self._event_shape)

    def _enumerated(self, values, expand):
        """`values` (n, event) as `enumerate_support` gives them."""
        ones = (1,) * len(self._batch_shape)
        values = values.view((-1, *ones, *self._event_shape))
        if expand:
            values = values.expand((-1, *self._batch_shape, *self._event_shape))
        return values

    def _check(self, value):
        """Checks a value where validation is on."""
        if self._validate_args:
            self._validate_sample(value)

    def _validate_sample(self, value):
        """Raises ValueError for a value of a wrong type or shape, or outside of the support."""
        if not isinstance(value, lampas.Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        self._validate_shape(value)
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{self.__class__} does not define `support` to enable sample validation. "
                "Please initialize the distribution with `validate_args=False` to turn off validation."
            )
            return
        assert support is not None, f"support is None for {self.__class__.__name__}"
        if not support.check(value).all():
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) to be "
                f"within the support ({support!r}) of the distribution {self!r}, but found invalid "
                f"values:\n{value}"
            )

    def _validate_shape(self, value):
        event = value.shape[value.dim() - len(self._event_shape) :]
        if event != self._event_shape:
            raise ValueError(
                f"The right-most size of value must match event_shape: {value.shape} vs "
                f"{self._event_shape}."
            )
        expected = self._batch_shape + self._event_shape
        for actual, size in zip(reversed(value.shape), reversed(expected)):
            if actual != size and 1 not in (actual, size):
                raise ValueError(
                    "Value is not broadcastable with batch_shape+event_shape: "
                    f"{value.shape} vs {expected}."
                )

    def _get_checked_instance(self, cls, _instance=None):
        """The object that `cls.expand` fills: the one given, or a new one of the same type."""
        if _instance is None and type(self).__init__ != cls.__init__:
            raise NotImplementedError(
                f"Subclass {self.__class__.__name__} of {cls.__name__} that defines a custom __init__ "
                "method must also define a custom .expand() method."
            )
        return self.__new__(type(self)) if _instance is None else _instance

    def __repr__(self):
        given = {
            name: self.__dict__[name] for name in self.arg_constraints if name in self.__dict__
        }
        shown = (f"{name}: {p if p.numel() == 1 else p.size()}" for name, p in given.items())
        return f"{self.__class__.__name__}({', '.join(shown)})"
