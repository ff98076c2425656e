"""Runs the documents' blocks with both libraries and says, block by block, whether they agree."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from interpreters import environment
from printed import difference_of_texts, without_numbers

from seeds import plan, snippets

TESTS = Path(__file__).resolve().parent.parent
LIBRARIES = ("lampas", "torch")

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
        processes.append(
            subprocess.Popen(
                [*command, str(folder / f"{library}.json")],
                cwd=TESTS.parent,
                env=environment(TESTS),
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
                problem = _difference_from_the_document(block, ours)
                verdicts.append(Verdict(block, step, "", "", problem))
                continue
            mine, reference = ours[block.id], theirs[block.id]
            problem = difference(step, mine, reference)
            verdicts.append(Verdict(block, step, mine["printed"], mine["error"], problem))
    return verdicts


def _difference_from_the_document(block, ours):
    """For a block that shows output: how ours differs from it, line breaks aside."""
    if block.id not in plan.SHOWN:
        return ""
    mine = ours[plan.SHOWN[block.id]]["printed"]
    same = "".join(mine.split()) == "".join(block.code.split())
    return "" if same else f"printed:\n{mine}\nthe document shows:\n{block.code}"


def difference(step, mine, reference):
    """What differs between the two outcomes of a block, or an empty text."""
    if reference["error"] != step.raises:
        return f"PyTorch ends with {reference['error'] or 'no error'}:\n{reference['printed']}"
    if step.differs:
        return _unlike_the_known(step, mine["printed"], reference["printed"])
    texts = mine["printed"], reference["printed"]
    if step.uninitialised:
        texts = map(without_numbers, texts)
    problem = difference_of_texts(*texts, step.rounding)
    return problem or _difference_of_states(step, mine["state"], reference["state"])


def _unlike_the_known(step, mine, reference):
    """A known difference is still there and as described; the plan has to follow when it goes."""
    if not re.search(step.differs, mine, re.M):
        return f"printed:\n{mine}\nwithout the pattern {step.differs}"
    if re.search(step.differs, reference, re.M):
        return f"PyTorch prints the pattern {step.differs} too:\n{reference}"
    return ""


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
