"""Classes that share an initialiser keep their own names in Python's messages about its arguments.

`Conv2d()` says `Conv2d.__init__() missing ...`, although Conv1d to Conv3d share one initialiser.
"""

import types


def named_copy(function, name):
    """The same function under another qualified name."""
    copy = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__annotations__ = function.__annotations__
    copy.__doc__ = function.__doc__
    copy.__qualname__ = name
    return copy


def signed_by_children(base):
    """Class decorator: public classes of this package that inherit its initialiser sign it.

    Classes that users derive are left alone: their messages name the class they derive from.
    """

    def sign(cls, **kwargs):
        super(base, cls).__init_subclass__(**kwargs)
        public = not cls.__name__.startswith("_") and cls.__module__.startswith("lampas.")
        if public and cls.__init__ is base.__init__:
            cls.__init__ = named_copy(cls.__init__, f"{cls.__qualname__}.__init__")

    base.__init_subclass__ = classmethod(sign)
    return base
