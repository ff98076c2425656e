"""Names of the profiler that scripts wrap code in. Nothing is measured here."""

from lampas import unavailable

EventList = unavailable.type_("torch.autograd.profiler.EventList", "operators are not measured")
emit_nvtx = unavailable.type_("torch.autograd.profiler.emit_nvtx", "operators are not measured")


class record_function:
    """Labels a block of code or a function; the label is kept, nothing is recorded."""

    def __init__(self, name, args=None):
        self.name, self.args = name, args

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __call__(self, function):
        import functools

        @functools.wraps(function)
        def labelled(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return labelled


class profile:
    """Measures operators. Entering it with `enabled=True` raises NotImplementedError."""

    def __init__(self, enabled=True, **options):
        self.enabled = enabled

    def __enter__(self):
        if self.enabled:
            raise NotImplementedError("torch.autograd.profiler.profile: use Python's cProfile")
        return self

    def __exit__(self, *_):
        pass
