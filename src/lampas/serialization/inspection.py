"""Looking at checkpoints and modules without loading them."""

from pickle import UnpicklingError


def get_unsafe_globals_in_checkpoint(f):
    """The names in a zip checkpoint that `weights_only=True` would refuse. Nothing is run.

    UnpicklingError or RuntimeError where the checkpoint is damaged.
    """
    from lampas.serialization import _opened, archive
    from lampas.serialization.allowed import find_global

    with _opened(f) as file:
        reader = archive.ArchiveReader(archive.seekable(file))
        content = bytes(reader.read("data.pkl"))
    unsafe = set()
    for path in _globals(content):
        try:
            find_global(*path)
        except NotImplementedError:
            continue
        except UnpicklingError:
            unsafe.add(".".join(path))
    return sorted(unsafe)


def _globals(content):
    """Pairs (module, name) that a pickle refers to."""
    import pickletools

    from lampas.serialization.unpickler import global_path

    strings, memo = [], {}
    try:
        for op, argument, _ in pickletools.genops(content):
            if "UNICODE" in op.name or op.name in ("STRING", "BINSTRING", "SHORT_BINSTRING"):
                strings.append(argument)
            elif op.name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
                memo[len(memo) if argument is None else argument] = strings[-1:]
            elif op.name in ("GET", "BINGET", "LONG_BINGET"):
                strings.extend(memo.get(argument, []))
            elif op.name in ("GLOBAL", "INST"):
                yield global_path(*argument.split(" ", 1))
            elif op.name == "STACK_GLOBAL" and len(strings) > 1:
                yield global_path(*strings[-2:])
    except (ValueError, AttributeError) as error:
        raise UnpicklingError(f"the pickle is malformed: {error!s:.200}") from None


def check_module_version_greater_or_equal(module, req_version_tuple, error_if_malformed=True):
    """Whether `module.__version__` is at least the version given as a tuple.

    For a malformed version RuntimeError, or with `error_if_malformed=False` a warning and True.
    """
    import warnings

    try:
        parts = module.__version__.split(".")
        version = tuple(type(want)(part) for want, part in zip(req_version_tuple, parts))
        return version >= req_version_tuple
    except Exception as error:
        message = (
            f"'{module.__name__}' module version string is malformed '{module.__version__}' and "
            f"cannot be compared with tuple {req_version_tuple!s}"
        )
        if error_if_malformed:
            raise RuntimeError(message) from error
        warnings.warn(message + ", but continuing assuming that requirement is met", stacklevel=2)
        return True
