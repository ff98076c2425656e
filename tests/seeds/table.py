"""The page about the documents' blocks, `docs/seeds.md`, from the verdicts on them."""

from itertools import groupby

from seeds import plan

_HEADER = """# The seeds

Five documents made someone want this library: tutorials and learning notes about PyTorch, in
English and Chinese. Every block of their code is run with PyTorch 2.13 and with Lampas, in the
order of the document, from the same seed. What the blocks print must be equal, random numbers
included; memory addresses aside. The tensors and modules that a block leaves are compared as well.

Written by `tools/seeds.py table`. The code is in `tests/seeds/documents`, what blocks need before
they can run in `tests/seeds/plan.py`, the test is `tests/test_seeds.py`. Blocks are numbered as
they come; *line* is the line of the document.

Results: *equal* is the same text. *Equal to r* is the same words, and numbers that differ by no
more than the share r of themselves and one unit of their last digit: sums of products are taken in
another order, and hundreds of steps of training carry the last digit far. *Equal layout* is for
memory that nobody has written to. *Differs knowingly* has its reason in the row, and the test
insists on it. *Repaired* is what was done to the code itself.

{counts}
"""
_PROGRAMS = """## Programs

Some systems the documents only name, others they build up over several pages. These programs of our
own do the same; each runs with both libraries, and tests compare what they print.

| document, system | program |
|---|---|
"""
_COLUMNS = "| block | line | first line | repaired | result |\n|---|--:|---|---|---|\n"


def page(verdicts):
    """The whole page; the same text for the same outcome on every machine."""
    parts = [_HEADER.format(counts=_counts(verdicts))]
    for number, group in groupby(verdicts, lambda verdict: int(verdict.block.id.split(".")[0])):
        parts.append(f"## {number}. {plan.TITLES[number]}\n\n{_COLUMNS}")
        parts[-1] += "".join(map(_row, group))
    lines = (f"| {what} | `examples/{name}.py` |" for what, name in plan.PROGRAMS.items())
    parts.append(_PROGRAMS + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _counts(verdicts):
    results = [_result(verdict).partition(":")[0].partition(",")[0] for verdict in verdicts]
    lines = [f"| {name} | {results.count(name)} |" for name in sorted(set(results))]
    return "\n".join(["| result | blocks |", "|---|--:|", *lines])


_EQUAL = "equal"


def _result(verdict):
    step = verdict.step
    if verdict.problem:
        return "**differs**"
    if not verdict.ran:
        return f"not run: {plan.NO_PROGRAM[verdict.block.id]}"
    if step.differs:
        return f"differs knowingly: {step.why}"
    if step.raises:
        return f"equal, `{step.raises}`: {step.why}"
    if step.rounding:
        return f"equal to {step.rounding:g}: {step.why}"
    if step.uninitialised:
        return f"equal layout: {step.why}"
    return _EQUAL


def _row(verdict):
    block = verdict.block
    lines = [line for line in block.code.splitlines() if line.strip()]
    code = [line for line in lines if not line.startswith(("#", "import", "from"))] or lines or [""]
    first = code[0].partition("  #")[0].replace("|", "\\|").strip()
    shown = f"`{first}`" if first else ""
    repaired = "; ".join(block.repairs).replace("|", "\\|")
    return f"| {block.id} | {block.line} | {shown} | {repaired} | {_result(verdict)} |\n"
