"""Writes `docs/errors.md`: usual mistakes, what Lampas prints for them, in English and Chinese.

The page is made by running the programs of `tests/mistakes.py`. `--check` only compares.
"""

import argparse
import os
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "errors.md"
for folder in (ROOT / "tests", ROOT / "src"):
    sys.path.insert(0, str(folder))
HEADER = """# Errors that teach · 会教人的报错

Written by `tools/errors.py`, which runs every program below and shows what is printed. The first
line is PyTorch's message, word for word; below it come the path of the module, what went wrong, and
the fix. Each program begins with

```python
import lampas as torch
import numpy as np
from lampas import nn

F = nn.functional
```

**Language.** Hints are Chinese where `LC_ALL`, `LC_MESSAGES` or `LANG` begins with `zh`, and
English otherwise; `lampas.set_language("zh")` and `lampas.set_language("en")` choose.
`lampas.set_hints(False)`, or the environment variable `LAMPAS_HINTS=0`, switches hints off.

**For programs that read messages.** `str(error)` and `error.args` hold PyTorch's message alone. A
hint is a note of the exception (PEP 678, `error.__notes__`), which Python prints below the message
in every traceback: in the terminal, in logs, in pytest, and so does Jupyter (IPython 8.14 or newer).
Two things read notes as part of the message: `pytest.raises(match=...)` with a pattern that ends in
`$`, and `doctest`; switch hints off there. Python 3.10 prints no notes by itself: there
`sys.excepthook` is wrapped when the first hint is made. When nothing fails, hints cost nothing.

**An error that has no hint** and comes out of a module inside another still says which:
`hint: raised in encoder.layers.3 (Block)`. A `?` in a path stands for a module that is not
registered in the one around it, as one kept in a plain list.

---

本页由 `tools/errors.py` 运行下面每段程序后写成。第一行是 PyTorch 的原文，一字不差；下面一行给出模块的路径、
出错的原因和改法。环境变量 `LC_ALL`、`LC_MESSAGES` 或 `LANG` 以 `zh` 开头时提示是中文，否则是英文；也可以用
`lampas.set_language("zh")`、`lampas.set_language("en")` 指定。`lampas.set_hints(False)` 或环境变量
`LAMPAS_HINTS=0` 关闭提示。`str(error)` 只有 PyTorch 的原文，提示是异常的附注（`error.__notes__`），
所以按文字匹配报错的程序照常工作。
"""


def entry(mistake):
    """A mistake as a section of the page."""
    import mistakes

    import lampas

    shown = {}
    for language in ("en", "zh"):
        lampas.set_language(language)
        shown[language] = mistakes.outcome(mistake.code, "lampas")
    lampas.set_language(None)
    message = f"{shown['en'].kind}: {shown['en'].text}".rstrip()
    lines = [message, *shown["en"].notes, *shown["zh"].notes]
    code, printed = textwrap.dedent(mistake.code).strip(), "\n".join(lines)
    return (
        f"### {mistake.title} · {mistake.chinese}\n\n```python\n{code}\n```\n\n"
        f"```text\n{printed}\n```\n"
    )


def page():
    """The whole page."""
    import mistakes

    parts = [HEADER]
    for title, chinese, chapter in mistakes.CHAPTERS:
        parts.append(f"## {title} · {chinese}\n")
        parts += [entry(mistake) for mistake in chapter]
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the page is not up to date")
    arguments = parser.parse_args()
    text = page()
    if not arguments.check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{os.path.relpath(PAGE)} is out of date: run tools/errors.py")


if __name__ == "__main__":
    main()
