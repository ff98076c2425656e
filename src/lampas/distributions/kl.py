"""Kullback-Leibler divergences: the registry of formulas and the choice among them.

The formulas are in `kl_same_family`, `kl_across_families` and `kl_multivariate`.
"""

import warnings

__all__ = ["register_kl", "kl_divergence"]

_KL_REGISTRY = {}  # (type of p, type of q): function of p and q
_KL_MEMOIZE = {}  # (type of p, type of q): the function chosen for them


def register_kl(type_p, type_q):
    """Decorator that registers a function of p and q for distributions of these types.

    A subclass takes its parents' formula unless it has one of its own; of several, that for the
    nearest parents, first of p, then of q. Raises TypeError for anything but types.
    """
    for kind in (type_p, type_q):
        if not isinstance(kind, type):
            raise TypeError("issubclass() arg 1 must be a class")

    def decorate(function):
        _KL_REGISTRY[type_p, type_q] = function
        _KL_MEMOIZE.clear()
        return function

    return decorate


def _dispatch_kl(type_p, type_q):
    """The function registered for the nearest parents of two types; NotImplemented without one."""
    near_p = {kind: distance for distance, kind in enumerate(type_p.__mro__)}
    near_q = {kind: distance for distance, kind in enumerate(type_q.__mro__)}
    matches = [(p, q) for p, q in _KL_REGISTRY if p in near_p and q in near_q]
    if not matches:
        return NotImplemented
    left = min(matches, key=lambda match: (near_p[match[0]], near_q[match[1]]))
    right = min(matches, key=lambda match: (near_q[match[1]], near_p[match[0]]))
    chosen = _KL_REGISTRY[left]
    if chosen is not _KL_REGISTRY[right]:
        names = f"{left[0].__name__}, {right[1].__name__}"
        message = f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). "
        warnings.warn(f"{message}Please register_kl({names})", RuntimeWarning)
    return chosen


def kl_divergence(p, q):
    """KL(p || q) = E_p[log p(x) - log q(x)], in nats. (batch)

    Raises NotImplementedError for types without a registered formula.
    """
    key = type(p), type(q)
    if key not in _KL_MEMOIZE:
        _KL_MEMOIZE[key] = _dispatch_kl(*key)
    function = _KL_MEMOIZE[key]
    if function is NotImplemented:
        raise NotImplementedError(
            "No KL(p || q) is implemented for p type "
            f"{p.__class__.__name__} and q type {q.__class__.__name__}"
        )
    return function(p, q)
