"""`torch._subclasses`: tensors without data for tracing. There are none; use the meta device."""

from lampas import unavailable

__path__ = []  # it has a submodule, made below
FakeTensor = unavailable.type_("torch._subclasses.FakeTensor", "programs are not traced")
FakeTensorMode = unavailable.type_("torch._subclasses.FakeTensorMode", "programs are not traced")


def is_fake(x):
    """False."""
    return False


unavailable.module(
    "lampas._subclasses.fake_tensor",
    {"FakeTensor": FakeTensor, "FakeTensorMode": FakeTensorMode, "is_fake": is_fake},
)
