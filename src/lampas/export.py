"""`torch.export`: names only. Programs are not captured, so `export` raises NotImplementedError."""

from lampas import unavailable

globals().update(
    unavailable.names(
        "torch.export",
        "export export_for_training save load unflatten register_dataclass draft_export dims",
        "ExportedProgram ModuleCallEntry ModuleCallSignature UnflattenedModule FlatArgsAdapter",
        "programs are not captured",
    )
)


class Dim:
    """A dimension of free size, by name; `Dim.AUTO`, `Dim.DYNAMIC` and `Dim.STATIC` are hints."""

    class _Hint:
        def __init__(self, name):
            self._name = name

        def __repr__(self):
            return f"DimHint.{self._name}"

    AUTO, DYNAMIC, STATIC = _Hint("AUTO"), _Hint("DYNAMIC"), _Hint("STATIC")

    def __init__(self, name, *, min=None, max=None):
        self.__name__ = name
        self.min, self.max = 0 if min is None else min, max
        if max is not None and self.max < self.min:
            raise AssertionError(
                f"Cannot create Dim with inconsistent min={self.min}, max={self.max}"
            )

    def __repr__(self):
        return f"<class 'torch.export.dynamic_shapes.{self.__name__}'>"
