"""Exchange of two tensors: whoever holds one then holds the other's content."""

from lampas.autograd.grad_mode import no_grad


def swap_tensors(t1, t2):
    """Exchanges values, shape, gradient, class and attributes of two leaf tensors.

    Raises NotImplementedError for tensors that were computed from others with gradients.
    """
    if not (t1.is_leaf and t2.is_leaf):
        raise NotImplementedError("torch.utils.swap_tensors of tensors that are no leaves")
    with no_grad():
        wanted, grads = (t1.requires_grad, t2.requires_grad), (t1.grad, t2.grad)
        t1.grad = t2.grad = None
        t1.requires_grad_(False)
        t2.requires_grad_(False)
        t1.data, t2.data = t2.data, t1.data
        t1.__class__, t2.__class__ = t2.__class__, t1.__class__
        attributes = dict(t1.__dict__)
        t1.__dict__.clear()
        t1.__dict__.update(t2.__dict__)
        t2.__dict__.clear()
        t2.__dict__.update(attributes)
        t1.requires_grad_(wanted[1])
        t2.requires_grad_(wanted[0])
        t1.grad, t2.grad = grads[1], grads[0]
