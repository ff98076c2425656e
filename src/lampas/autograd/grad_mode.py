"""Switches that turn recording on and off, as context managers and as decorators."""

import functools

from lampas import _core

_GENERATOR = 0x20  # inspect.CO_GENERATOR, without loading inspect


class _Switch:
    """Base: subclasses set the mode in __enter__ and restore it in __exit__."""

    def __call__(self, function):
        if isinstance(function, type):
            function.__init__ = self(function.__init__)
            return function
        if getattr(function, "__code__", None) and function.__code__.co_flags & _GENERATOR:
            return self._generator(function)

        @functools.wraps(function)
        def switched(*args, **kwargs):
            with self.clone():
                return function(*args, **kwargs)

        return switched

    def _generator(self, function):
        """The mode holds while the generator's own code runs, not between its steps."""

        @functools.wraps(function)
        def switched(*args, **kwargs):
            generator = function(*args, **kwargs)
            sent, thrown = None, None
            try:
                while True:
                    with self.clone():
                        item = generator.send(sent) if thrown is None else generator.throw(thrown)
                    sent, thrown = None, None
                    try:
                        sent = yield item
                    except GeneratorExit:
                        with self.clone():
                            generator.close()
                        raise
                    except BaseException as error:
                        thrown = error
            except StopIteration as stop:
                return stop.value

        return switched

    def clone(self):
        return type(self)()


class _GradSwitch(_Switch):
    _on = True

    def __new__(cls, function=None):
        switch = object.__new__(cls)
        return switch if function is None else switch(function)

    def __enter__(self):
        self._before = _core.is_grad_enabled()
        _core._set_grad_enabled(self._on)

    def __exit__(self, *_):
        _core._set_grad_enabled(self._before)


class no_grad(_GradSwitch):
    """Nothing is recorded inside: results do not require gradients."""

    _on = False


class enable_grad(_GradSwitch):
    """Recording is on inside, also within `no_grad`."""


class set_grad_enabled(_Switch):
    """Turns recording on or off, at once; as a context manager it restores the mode at the end."""

    def __init__(self, mode):
        self._before = _core.is_grad_enabled()
        self.mode = bool(mode)
        _core._set_grad_enabled(self.mode)

    def __call__(self, function):
        _core._set_grad_enabled(self._before)
        return super().__call__(function)

    def __enter__(self):
        _core._set_grad_enabled(self.mode)

    def __exit__(self, *_):
        _core._set_grad_enabled(self._before)

    def __repr__(self):
        return f"torch.autograd.grad_mode.set_grad_enabled(mode={self.mode})"

    def clone(self):
        return type(self)(self.mode)


class inference_mode(_Switch):
    """As no_grad; tensors made inside can never be used for gradients afterwards."""

    def __new__(cls, mode=True):
        if isinstance(mode, bool):
            return object.__new__(cls)
        return cls()(mode)

    def __init__(self, mode=True):
        self.mode = mode

    def __enter__(self):
        self._before = _core.is_grad_enabled(), _core.is_inference_mode_enabled()
        _core._set_inference_enabled(self.mode)
        if self.mode:
            _core._set_grad_enabled(False)

    def __exit__(self, *_):
        grad, inference = self._before
        _core._set_grad_enabled(grad)
        _core._set_inference_enabled(inference)

    def clone(self):
        return type(self)(self.mode)


_multithreading = True


def is_multithreading_enabled():
    """What set_multithreading_enabled was given; backward runs on the calling thread all the same."""
    return _multithreading


class set_multithreading_enabled(_Switch):
    """Noted only: backward always runs on the calling thread."""

    def __init__(self, mode):
        global _multithreading
        self.before, self.mode = _multithreading, mode
        _multithreading = mode

    def __enter__(self):
        pass

    def __exit__(self, *_):
        global _multithreading
        _multithreading = self.before

    def clone(self):
        return type(self)(self.mode)


_gradient_layouts = True


class enforce_grad_layout_policy(_Switch):
    """Noted only: whether a new `grad` must have its parameter's strides (here it always may differ).

    enable: bool, else TypeError. Counts at once, and until the end of a `with` block.
    """

    def __init__(self, enable=True):
        global _gradient_layouts
        if not isinstance(enable, bool):
            raise TypeError(
                "set_grad_layout_enforcement_enabled(): argument 'enabled' (position 1) must be "
                f"bool, not {type(enable).__name__}"
            )
        self.prev, self.enable = _gradient_layouts, enable
        _gradient_layouts = enable

    def __enter__(self):
        pass

    def __exit__(self, *_):
        global _gradient_layouts
        _gradient_layouts = self.prev

    def clone(self):
        return type(self)(self.enable)
