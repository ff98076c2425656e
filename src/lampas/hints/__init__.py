"""Hints: a line under an error's text that names the module and the fix, in English or Chinese.

`str(error)` stays PyTorch's text, word for word, so that programs which match texts go on working.
The hint is a note of the exception (PEP 678): tracebacks print it, in the terminal, in logs, in pytest.

Where errors get their hint:
- `teach` is called by the core with every exception it raises;
- `hinted` stands at the few places where Python code of the package raises;
- `leaving` is called by a module that an exception passes on its way out, and knows its path.

Here are only the switches; nothing else is loaded before the first error. What the hints say is in
`shapes`, `dtypes`, `gradients`, `training`, `models` and `devices`, one entry an error.
"""

import os

from lampas import _core

LANGUAGES = ("en", "zh")
_state = {"language": None, "enabled": os.environ.get("LAMPAS_HINTS", "1") != "0"}


def language():
    """The language of hints: the one that was set, else that of the environment."""
    if _state["language"] is None:
        _state["language"] = _from_environment()
    return _state["language"]


def _from_environment():
    """As the locale is found: the first of these variables that is not empty counts."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return "zh" if os.environ[name].lower().startswith("zh") else "en"
    return "en"


def set_language(name):
    """Sets the language of hints, "en" or "zh"; None: that of LC_ALL, LC_MESSAGES or LANG.

    Messages themselves stay English, as PyTorch's. Raises ValueError for other languages.
    """
    if name is not None and name not in LANGUAGES:
        raise ValueError(f"set_language expects 'en', 'zh' or None, but got {name!r}")
    _state["language"] = name


def set_hints(enabled):
    """Switches hints under error messages on or off. `LAMPAS_HINTS=0` starts without them."""
    if not isinstance(enabled, bool):
        raise TypeError(f"set_hints expects a bool, but got {type(enabled).__name__}")
    _state["enabled"] = enabled
    _core._set_teacher(teach if enabled else None)


def enabled():
    """Whether errors get hints."""
    return _state["enabled"]


def teach(error):
    """Gives `error` its hint, if there is one. Called by the core: nothing here may raise."""
    if _state["enabled"]:
        try:
            from lampas.hints import notes

            notes.explain(error)
        except Exception:  # a fault in a hint must not hide the error it explains
            pass


def hinted(error):
    """`error` with its hint, as in `raise hinted(ValueError("..."))`."""
    teach(error)
    return error


def warning(text, category):
    """A warning of `category` that shows its hint below when printed; `str` of it is `text`."""
    from lampas.hints import notes

    return notes.warning(text, category)


def leaving(error, module, args):
    """Notes that `error` leaves `module`, which had been called with `args`."""
    if _state["enabled"]:
        try:
            from lampas.hints import notes

            notes.leave(error, module, args)
        except Exception:  # as in `teach`
            pass


def take_off(error):
    """Takes the hint off an error that becomes text, and returns it; "" if there is none."""
    from lampas.hints import notes

    return notes.take_off(error)


def put_on(error, text):
    """Puts a hint that was taken off another error on this one."""
    from lampas.hints import notes

    if text:
        notes.add(error, text)


if _state["enabled"]:
    _core._set_teacher(teach)
