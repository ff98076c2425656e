"""Code blocks of a Markdown document: found, freed of what a page adds or loses, written to a file.

Repairs made here follow rules; repairs of single blocks, which need judgement, are in `plan`.
"""

import ast
import re
from dataclasses import dataclass, field

_FENCE = re.compile(r"^(\s*)(?:- )?```\s*(\w*)\s*$")
_INLINE = re.compile(r"`([^`]+)`")
_PROMPT = re.compile(r"^In \[\d+\]: ?")
_RESULT = re.compile(r"^Out\[\d+\]:")
# The comment after which the authors pasted what was printed, and a result pasted without one.
_PRINTED = re.compile(r"^#\s*输出(结果)?\s*([:：].*)?$")
_PASTED = re.compile(r"^(tensor|torch\.Size)\(")


@dataclass
class Block:
    """One piece of code: `id` is DOCUMENT.NUMBER, `line` where it stands in the document."""

    id: str
    line: int
    inline: bool
    code: str
    repairs: list = field(default_factory=list)


def blocks_of(text, document, inline_lines=(), edits=(), shown=()):
    """All blocks of a document, repaired.

    `inline_lines` are the lines whose inline code is code to type, not a mention; `edits` maps an
    id to [(old, new, what was wrong)]; `shown` are ids of blocks that are output, kept as it is.
    """
    blocks = []
    for line, indent, inline, lines in _found(text, inline_lines):
        block = Block(f"{document}.{len(blocks) + 1}", line, inline, "")
        _repair(block, lines, indent, block.id not in shown)
        for old, new, reason in dict(edits).get(block.id, ()):
            if block.code.count(old) != 1:
                raise ValueError(f"block {block.id} does not hold {old!r} once\n{block.code}")
            block.code = block.code.replace(old, new)
            block.repairs.append(reason)
        blocks.append(block)
    return blocks


def _found(text, inline_lines):
    """(line, indentation of the fence, inline or not, lines of code) in the document's order."""
    fence, body = None, []
    for number, line in enumerate(text.splitlines(), 1):
        match = _FENCE.match(line)
        if fence is not None:
            if match:
                yield fence[0], fence[1], False, body
                fence, body = None, []
            else:
                body.append(line)
        elif match:
            # In a list item the code stands under the item's text.
            fence = number, len(match[1]) + 2 * ("- " in line)
        elif number in inline_lines:
            yield number, 0, True, [code.strip() for code in _INLINE.findall(line) if _does(code)]


def _does(code):
    """Whether inline code is a statement that does something, not the name of something."""
    try:
        tree = ast.parse(code.strip())
    except SyntaxError:
        return False
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named_only = len(calls) == 1 and isinstance(calls[0].func, ast.Name) and not calls[0].args
    statements = any(isinstance(node, (ast.Assign, ast.ImportFrom)) for node in tree.body)
    return statements or bool(calls) and not named_only


def _repair(block, lines, indent, is_code):
    lines = [re.sub(rf"^ {{0,{indent}}}", "", line).rstrip() for line in lines]
    for rule, reason in (
        (_without_prompts, "IPython prompts and results removed"),
        (_without_output, "pasted output removed"),
    ):
        repaired = rule(lines) if is_code else lines
        if repaired != lines:
            block.repairs.append(reason)
        lines = repaired
    code = "\n".join(lines).strip("\n") + "\n"
    block.code, width = _without_tabs(code)
    if width:
        block.repairs.append(f"indentation: a tab is {width} columns")


def _without_prompts(lines):
    kept, in_result = [], False
    for line in lines:
        if _PROMPT.match(line) or not line:
            in_result = False
        elif _RESULT.match(line):
            in_result = True
        if not in_result:
            kept.append(_PROMPT.sub("", line))
    return kept


def _without_output(lines):
    """Without what follows an output comment, or a line that is a result, up to a blank line.

    Output in a string is code of the author's and stays.
    """
    kept, after_marker, dropping, quoted = [], False, False, False
    for line in lines:
        quoted ^= line.startswith("'''")
        starts = after_marker or _PASTED.match(line)
        dropping = bool(line) and (dropping or bool(starts and not quoted))
        after_marker = bool(_PRINTED.match(line))
        if not (dropping or after_marker):
            kept.append(line)
    return kept


def _parses(lines):
    try:
        ast.parse("\n".join(lines))
    except SyntaxError:
        return False
    return True


def _without_tabs(code):
    """(code, width): spaces for tabs, of the width with which the code parses."""
    if "\t" not in code:
        return code, None
    for width in (4, 2, 8):
        if _parses(code.expandtabs(width).splitlines()):
            return code.expandtabs(width), width
    return code, None
