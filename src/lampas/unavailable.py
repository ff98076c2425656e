"""Names of PyTorch that programs import or ask about, but whose work Lampas does not do.

What is used for real raises NotImplementedError naming itself; questions get a true answer. The
names themselves stand in the namespaces that have them.
"""

import sys


def function(name, hint=""):
    """A function that raises NotImplementedError with its full name and the hint."""

    def refuse(*args, **kwargs):
        raise NotImplementedError(message(name, hint))

    refuse.__doc__ = f"Not available in Lampas. {hint}".strip()
    return _named(refuse, name)


def message(name, hint=""):
    """What the NotImplementedError of an unavailable name says."""
    return f"{name} is not available in Lampas" + (f": {hint}" if hint else "")


def answering(name, answer, doc=""):
    """A function of any arguments with one true answer."""

    def answer_it(*args, **kwargs):
        return answer

    answer_it.__doc__ = doc or f"Always {answer!r}."
    return _named(answer_it, name)


def _named(function, name):
    function.__module__, _, function.__name__ = name.rpartition(".")
    function.__qualname__ = function.__name__
    return function


def type_(name, hint="", base=object):
    """A class that cannot be instantiated; for `isinstance`, annotations and subclassing."""

    def refuse(cls, *args, **kwargs):
        raise NotImplementedError(message(name, hint))

    module, _, short = name.rpartition(".")
    doc = f"Not available in Lampas. {hint}".strip()
    return type(short, (base,), {"__module__": module, "__doc__": doc, "__new__": refuse})


def names(module, functions="", types="", hint=""):
    """Unavailable names of a module (`torch.x`), as a dict to update its globals with.

    functions, types: names separated by blanks.
    """
    found = {name: function(f"{module}.{name}", hint) for name in functions.split()}
    found.update((name, type_(f"{module}.{name}", hint)) for name in types.split())
    return found


def module(name, members=(), doc=""):
    """Makes a module `name` (`lampas.x.y`) that has no file, with these members."""
    import importlib.machinery

    made = type(sys)(name, doc or None)
    made.__path__ = []  # so that it may have submodules
    made.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    made.__dict__.update(members)
    sys.modules[name] = made
    parent, _, short = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], short, made)
    return made
