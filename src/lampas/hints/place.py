"""Where in a network an error arose: modules by their path, and what they were given."""

LONGEST = 120  # characters of a module's repr; longer ones are called by their class


class Place:
    """The innermost module that an error left, and the shapes and dtypes of its inputs."""

    def __init__(self, module, args):
        self.module = module
        self.name = type(module).__name__
        self.args = args

    def is_a(self, *names):
        """Whether the module is an `nn` layer of one of these names, or of a subclass."""
        return any(c.__name__ in names and c.__module__.startswith("lampas.nn")
                   for c in type(self.module).__mro__)  # fmt: skip

    def shape(self, index=0):
        """The sizes of a positional argument, or None where it is no tensor."""
        sizes = getattr(self.args[index], "shape", None) if index < len(self.args) else None
        return None if sizes is None else tuple(sizes)


def describe(module):
    """A module as its repr shows it, or by its class where that is long, as of a whole network."""
    if module._modules:
        return type(module).__name__
    try:
        text = repr(module)
    except Exception:  # attributes that are not what the repr expects, perhaps the very error
        return type(module).__name__
    return text if "\n" not in text and len(text) <= LONGEST else type(module).__name__


def name_within(parent, child):
    """The dotted path from `parent` to `child`, "?" where it is not registered below it."""
    for name, module in parent._modules.items():
        if module is child:
            return name
    for name, module in parent.named_modules():
        if module is child:
            return name
    return "?"
