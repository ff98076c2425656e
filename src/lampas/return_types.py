"""Named results: `torch.max(x, 0)` gives `torch.return_types.max(values=..., indices=...)`."""


class _Named(tuple):
    """A tuple whose items also have names. Built from one sequence, as `time.struct_time` is."""

    __slots__ = ()
    __match_args__ = ()

    def __new__(cls, items):
        items = tuple(items)
        if len(items) != len(cls.__match_args__):
            raise TypeError(
                f"{cls.__qualname__}() takes a {len(cls.__match_args__)}-sequence ({len(items)}-sequence given)"
            )
        return tuple.__new__(cls, items)

    def __repr__(self):
        body = ",\n".join(f"{name}={item!r}" for name, item in zip(self.__match_args__, self))
        return f"torch.return_types.{type(self).__name__}(\n{body})"

    def __reduce__(self):
        return type(self), (tuple(self),)


def _field(index):
    return property(lambda self: self[index])


def make(name, fields):
    """The result type of operator `name` with these field names; the same object for the same name."""
    known = globals().get(name)
    if known is not None and getattr(known, "__match_args__", None) == tuple(fields):
        return known
    namespace = {"__slots__": (), "__match_args__": tuple(fields), "__module__": __name__}
    namespace.update((field, _field(index)) for index, field in enumerate(fields))
    namespace["n_fields"] = namespace["n_sequence_fields"] = len(fields)
    namespace["n_unnamed_fields"] = 0
    made = type(name, (_Named,), namespace)
    globals().setdefault(name, made)
    return made
