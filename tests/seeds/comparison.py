"""Runs the documents' blocks with both libraries and says, block by block, whether they agree."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from seeds import plan, snippets

TESTS = Path(__file__).resolve().parent.parent
LIBRARIES = ("lampas", "torch")

_ADDRESS = re.compile(r"0x[0-9a-f]+")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|\binf\b|\bnan\b)")
# Values after a block are compared by their sum; this is far below one element's share.
_STATE = 1e-5


@dataclass
class Verdict:
    """One block: what Lampas printed, how it ended, and the first difference if there is one."""

    block: object
    step: plan.Step
    printed: str
    error: str
    problem: str

    @property
    def ran(self):
        return self.block.id not in plan.NO_PROGRAM


def run_both(folder):
    """Verdicts on all blocks, in order. Files are made under `folder`."""
    processes = []
    for library in LIBRARIES:
        (folder / library).mkdir()
        command = [sys.executable, "-m", "seeds.running", library, str(folder / library)]
        path = os.pathsep.join([str(TESTS), str(TESTS.parent / "src")])
        processes.append(
            subprocess.Popen(
                [*command, str(folder / f"{library}.json")],
                cwd=TESTS.parent,
                env={**os.environ, "PYTHONPATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    outputs = [process.communicate()[0] for process in processes]
    for library, process, output in zip(LIBRARIES, processes, outputs):
        if process.returncode:
            raise RuntimeError(f"the run with {library} failed\n{output}")
    return judged(*(json.loads((folder / f"{name}.json").read_text()) for name in LIBRARIES))


def judged(ours, theirs):
    verdicts = []
    for number in plan.TITLES:
        for block in snippets.stored(number):
            step = plan.STEPS.get(block.id, plan.Step())
            if block.id in plan.NO_PROGRAM:
                verdicts.append(Verdict(block, step, "", "", ""))
                continue
            mine, reference = ours[block.id], theirs[block.id]
            problem = difference(step, mine, reference)
            verdicts.append(Verdict(block, step, mine["printed"], mine["error"], problem))
    return verdicts


def difference(step, mine, reference):
    """What differs between the two outcomes of a block, or an empty text."""
    if reference["error"] != step.raises:
        return f"PyTorch ends with {reference['error'] or 'no error'}:\n{reference['printed']}"
    if step.differs:
        return _unlike_the_known(step, mine["printed"], reference["printed"])
    problem = _difference_of_texts(step, mine["printed"], reference["printed"])
    return problem or _difference_of_states(step, mine["state"], reference["state"])


def _unlike_the_known(step, mine, reference):
    """A known difference is still there and as described; the plan has to follow when it goes."""
    if not re.search(step.differs, mine, re.M):
        return f"printed:\n{mine}\nwithout the pattern {step.differs}"
    if re.search(step.differs, reference, re.M):
        return f"PyTorch prints the pattern {step.differs} too:\n{reference}"
    return ""


def _difference_of_texts(step, mine, reference):
    mine, reference = _ADDRESS.sub("0x", mine), _ADDRESS.sub("0x", reference)
    if step.uninitialised:
        mine, reference = ("".join(_NUMBER.sub("#", text).split()) for text in (mine, reference))
    for line, (a, b) in enumerate(zip_longest(mine.splitlines(), reference.splitlines()), 1):
        if a != b and not (step.rounding and a and b and _near(a, b, step.rounding)):
            return f"line {line} printed:\n{a}\nPyTorch:\n{b}"
    return ""


def _near(mine, reference, rounding):
    """Equal words, and numbers equal but for rounding and one unit of their last digit."""
    if _NUMBER.sub("#", mine).split() != _NUMBER.sub("#", reference).split():
        return False
    for a, b in zip(_NUMBER.findall(mine), _NUMBER.findall(reference)):
        unit = 10.0 ** -len(b.partition("e")[0].partition(".")[2])
        unit *= 10.0 ** int(b.partition("e")[2] or 0)
        # Integers are counts and labels.
        allowed = 1.01 * unit + rounding * abs(float(b)) if "." in b else 0.0
        if a != b and not abs(float(a) - float(b)) <= allowed:
            return False
    return True


def _difference_of_states(step, mine, reference):
    if list(mine) != list(reference):
        return f"names {list(mine)}\nPyTorch: {list(reference)}"
    for name, (kind, total, size) in reference.items():
        own_kind, own_total, own_size = mine[name]
        allowed = max(step.rounding, _STATE) * size
        close = max(abs(own_total - total), abs(own_size - size)) <= allowed
        if own_kind.replace("lampas", "torch") != kind or not close:
            return f"afterwards {name} is {mine[name]}\nPyTorch: {reference[name]}"
    return ""
