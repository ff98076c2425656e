"""The repaired blocks as test data: one Markdown file a document, written and read back.

The documents themselves are other people's and are not kept here, only their code.
"""

import re
from pathlib import Path

from seeds import plan
from seeds.extraction import Block, blocks_of

FOLDER = Path(__file__).parent / "documents"

_HEADER = """# Document {number}: {title}

The code of this document, block by block, written by `tools/seeds.py extract`. Do not edit: repairs
are in `tests/seeds/plan.py`.
"""
_ENTRY = re.compile(
    r"^## (?P<id>\d+\.\d+), line (?P<line>\d+)(?P<inline>, inline)?\n\n"
    r"(?:Repaired: (?P<repairs>[^\n]*)\.\n\n)?```python\n(?P<code>.*?)```$",
    re.M | re.S,
)


def extracted(number, path):
    """The blocks of the document in the file `path`."""
    text = path.read_text(encoding="utf-8")
    if number in plan.GARBLED:
        text = _regained(text)
    return blocks_of(text, number, plan.INLINE.get(number, ()), plan.EDITS, plan.SHOWN)


def _regained(text):
    """UTF-8 that was decoded as Windows-1252, as far as its bytes are still there."""
    data = b"".join(
        c.encode("latin-1") if 0x80 <= ord(c) < 0xA0 else c.encode("cp1252", "replace")
        for c in text
    )
    return data.decode("utf-8", "replace")


def as_text(number, blocks):
    """The file of one document."""
    parts = [_HEADER.format(number=number, title=plan.TITLES[number])]
    for block in blocks:
        repairs = f"Repaired: {'; '.join(block.repairs)}.\n\n" if block.repairs else ""
        inline = ", inline" if block.inline else ""
        parts.append(
            f"## {block.id}, line {block.line}{inline}\n\n{repairs}```python\n{block.code}```\n"
        )
    return "\n".join(parts)


def file_of(number):
    return FOLDER / f"{number}.md"


def stored(number):
    """The blocks of one document as they are kept in the repository."""
    return [
        Block(
            match["id"],
            int(match["line"]),
            match["inline"] is not None,
            match["code"],
            (match["repairs"] or "").split("; ") if match["repairs"] else [],
        )
        for match in _ENTRY.finditer(file_of(number).read_text(encoding="utf-8"))
    ]
