"""Notes on exceptions that grow while an error travels outwards through modules.

The innermost module writes the hint; every module around it lengthens the path in front.
"""

import sys
import weakref

from lampas import hints
from lampas.hints import table
from lampas.hints.place import Place, describe, name_within

KEY = "_lampas_hint"  # the attribute of an exception that holds its Parts


class Parts:
    """What the note of an error is made of. A pickled error keeps the note only."""

    def __init__(self, entry=None, match=None):
        self.entry, self.match = entry, match
        self.texts = entry.write(match, None) if entry else None  # English, Chinese
        self.module = None  # how the innermost module is shown
        self.path = ""  # from the outermost module to the innermost
        self.inner = None  # weakly, the module last left: it is looked up in the next one
        self.note = ""  # what the error shows now

    def __reduce__(self):
        return Parts, ()

    def leave(self, module, args):
        if self.module is None:
            self.module = describe(module)
            if self.entry:
                self.texts = self.entry.write(self.match, Place(module, args))
        elif self.inner() is not module:  # super().__call__ comes by twice
            name = name_within(module, self.inner())
            self.path = f"{name}.{self.path}" if self.path else name
        self.inner = weakref.ref(module)

    def text(self, language):
        """The note; empty where there is nothing to say that the traceback does not."""
        zh = language == "zh"
        place = ""
        if self.module is not None:
            place = f"{self.path} ({self.module})" if self.path else self.module
        if self.texts:
            advice = self.texts[zh]
            if zh:
                return f"提示：{place}：{advice}" if place else f"提示：{advice}"
            return f"hint: {place}: {advice}" if place else f"hint: {advice}"
        if not self.path:
            return ""
        return f"提示：出错的模块是 {place}" if zh else f"hint: raised in {place}"


def explain(error):
    """Gives an error its hint, unless it has one."""
    if getattr(error, KEY, None) is None:
        entry, match = table.find(error)
        if entry:
            _show(error, Parts(entry, match))


def leave(error, module, args):
    """Tells an error's note that the error leaves `module`; makes the note where there is none."""
    parts = getattr(error, KEY, None) or Parts(*table.find(error))
    parts.leave(module, args)
    _show(error, parts)


def _show(error, parts):
    setattr(error, KEY, parts)
    before, parts.note = parts.note, parts.text(hints.language())
    notes = getattr(error, "__notes__", [])
    if before in notes:
        notes[notes.index(before)] = parts.note
    elif parts.note:
        add(error, parts.note)


def add(error, note):
    """`error.add_note(note)`, in older Pythons as well."""
    if hasattr(error, "add_note"):
        error.add_note(note)
    else:
        _add_before_pep_678(error, note)


def take_off(error):
    """Removes an error's hint and returns it; "" if there is none."""
    parts = getattr(error, KEY, None)
    if parts is None or not parts.note:
        return ""
    error.__notes__.remove(parts.note)
    delattr(error, KEY)
    return parts.note


# Python 3.10 knows no notes: the attribute is the same, and the hook prints what tracebacks do not.


def _add_before_pep_678(error, note):
    error.__notes__ = [*getattr(error, "__notes__", ()), note]
    if not hasattr(sys.excepthook, "prints_notes"):
        sys.excepthook = _printing_notes(sys.excepthook)


def _printing_notes(hook):
    def print_with_notes(kind, error, trace):
        hook(kind, error, trace)
        for note in getattr(error, "__notes__", ()):
            print(note, file=sys.stderr)

    print_with_notes.prints_notes = True
    return print_with_notes


# Warnings


class _Hinted:
    """A warning whose text is PyTorch's everywhere but where Python prints it: there the hint
    stands below. That place is known by the module which formats the message, for replacing
    `warnings.formatwarning` would concern the warnings of everybody.
    """

    def __format__(self, spec):
        text = format(str(self), spec)
        printing = sys._getframe(1).f_globals.get("__name__") in ("warnings", "_py_warnings")
        entry, match = table.find(self) if printing and hints.enabled() else (None, None)
        if entry is None:
            return text
        return f"{text}\n{Parts(entry, match).text(hints.language())}"


_warning_types = {}


def warning(text, category):
    """A warning of a subclass of `category`, under the same name."""
    kind = _warning_types.get(category)
    if kind is None:
        members = {"__module__": category.__module__}
        kind = _warning_types[category] = type(category.__name__, (_Hinted, category), members)
    return kind(text)
