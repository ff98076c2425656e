"""Handles of hooks kept in dicts: for modules, optimizers and their state dicts."""

import weakref


class RemovableHandle:
    """Removes an entry of a hook table (an OrderedDict); `extra_dict` are tables of its flags."""

    next_id = 0

    def __init__(self, hooks_dict, *, extra_dict=None):
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        if extra_dict is None:
            extra_dict = []
        elif not isinstance(extra_dict, list):
            extra_dict = [extra_dict]
        self.extra_dict_ref = tuple(weakref.ref(table) for table in extra_dict)

    def remove(self):
        """Takes the hook off; harmless when it already is."""
        for ref in (self.hooks_dict_ref, *self.extra_dict_ref):
            table = ref()
            if table is not None:
                table.pop(self.id, None)

    def __getstate__(self):
        extra = tuple(ref() for ref in self.extra_dict_ref)
        return (self.hooks_dict_ref(), self.id, extra)

    def __setstate__(self, state):
        from collections import OrderedDict

        tables = [
            OrderedDict() if table is None else table
            for table in (state[0], *(state[2:] and state[2]))
        ]
        self.hooks_dict_ref = weakref.ref(tables[0])
        self.extra_dict_ref = tuple(weakref.ref(table) for table in tables[1:])
        self.id = state[1]
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()
