"""Arguments given once or per dimension, and the prefix of wrapped state dicts."""

from lampas.nn._tuples import (  # noqa: F401 (this module is their public home)
    _list_with_default,
    _ntuple,
    _pair,
    _quadruple,
    _reverse_repeat_tuple,
    _single,
    _triple,
)


def consume_prefix_in_state_dict_if_present(state_dict, prefix):
    """Removes a prefix such as "module." from all keys of a state dict, in place."""
    for key in list(state_dict):
        if key.startswith(prefix):
            state_dict[key[len(prefix) :]] = state_dict.pop(key)
    metadata = getattr(state_dict, "_metadata", None)
    if metadata is not None:
        for key in list(metadata):
            if len(key) == 0:
                continue
            # the entry of the wrapper itself has the prefix without its dot
            if key == prefix.replace(".", "") or key.startswith(prefix):
                metadata[key[len(prefix) :]] = metadata.pop(key)
