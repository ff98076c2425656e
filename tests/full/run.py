"""Every operator of PyTorch's own database, by dtype, layout and form, compared with Lampas.

    make test-full                          all of it: for the night
    python tests/full/run.py --op 'linalg.*' --dtype float32 --failures 20

Ends with a table of counts by form; exit status 1 where a form of a whole run falls below its floor in
`FLOORS`, or where a process died.
Operators run in child processes, so that a crash or a hang costs one operator, and is counted.
"""

import argparse
import collections
import fnmatch
import functools
import json
import os
import selectors
import signal
import subprocess
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DTYPES = (
    "float64 float32 bfloat16 float16 complex128 complex64 int64 int32 int16 int8 uint8 bool"
).split()
# Percent of the cases that must agree, by form.
FLOORS = {
    "function": 99.3, "method": 99.2, "layout": 99.2, "in place": 99.7, "out": 99.2, "gradient": 99.0, "errors": 90.0,
}  # fmt: skip
ENDS = ("agrees", "differs", "refuses", "absent", "crashed")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--op", action="append", help="only operators of this name or pattern")
    parser.add_argument("--dtype", action="append", choices=DTYPES, help="only these dtypes")
    parser.add_argument("--form", action="append", choices=list(FLOORS), help="only these forms")
    parser.add_argument("--samples", type=int, default=0, help="at most so many cases a form")
    parser.add_argument("--failures", type=int, default=40, help="show so many")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=int, default=300, help="limit for one operator")
    parser.add_argument("--json", help="write the counts there, one line an operator and form")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


# --- in a child: names come in, counts go out, a line each -----------------------------------------


def child(options):
    sys.path.insert(0, str(ROOT / "src"))
    import torch
    from torch.testing._internal.common_methods_invocations import op_db

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what operators print is no answer
    operators = {full_name(op): op for op in op_db}
    for line in sys.stdin:
        for answer in play(operators[line.strip()], options):
            answers.write(json.dumps(answer) + "\n")
        answers.write("\n")
        answers.flush()


def full_name(op):
    return f"{op.name}.{op.variant_test_name}" if op.variant_test_name else op.name


def is_public(name):
    """Whether users reach the operator: not `_chunk_cat`, and nothing that only `torch.ops` has."""
    import torch

    last = name.rpartition(".")[2]
    if last.startswith("_") and not last.startswith("__"):
        return False
    spaces = (torch, torch.Tensor)
    return any(functools.reduce(_inside, name.split("."), space) is not None for space in spaces)


def _inside(space, name):
    return getattr(space, name, getattr(space, f"{name}_", None))


def play(op, options):
    """Counts of one operator: a dict for each form."""
    import torch
    from forms import FORMS

    signal.signal(signal.SIGALRM, _too_long)
    for form in options.form or FORMS:
        counts, first = collections.Counter(), None
        for dtype in options.dtype or DTYPES:
            if getattr(torch, dtype) not in op.dtypes:
                continue
            signal.alarm(options.seconds)
            try:
                for number, case in enumerate(FORMS[form](op, getattr(torch, dtype))):
                    if options.samples and number >= options.samples:
                        break
                    end, why = outcome(case)
                    counts[end] += 1
                    if end in ("differs", "absent", "refuses") and first is None:
                        first = f"{dtype}, case {number}: {why}"[:400]
            except Exception as error:  # the database itself, or the limit
                counts["not sampled"] += 1
                first = first or f"{dtype}: {type(error).__name__}: {error}"[:400]
            signal.alarm(0)
        if counts:
            yield {"op": full_name(op), "form": form, "counts": counts, "first": first}


def _too_long(*_):
    raise TimeoutError("the limit of time")


def outcome(case):
    """(how a case ends, why)."""
    from carry import Absent, CannotCarry
    from compare import Differs

    try:
        return ("agrees" if case() else "not counted"), None
    except CannotCarry as why:
        return "not counted", str(why)
    except (Differs, TimeoutError) as why:
        return "differs", str(why)
    except Absent as why:
        return "absent", f"no {why}"
    except NotImplementedError as why:
        return "refuses", str(why)
    except Exception as error:
        return "differs", f"{type(error).__name__}: {error}"


# --- in the parent ---------------------------------------------------------------------------------


class Worker:
    """A child process and the operator it has."""

    def __init__(self):
        self.start()

    def start(self):
        command = [sys.executable, __file__, "--child", *sys.argv[1:]]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1)
        self.name = None

    def give(self, name):
        self.name = name
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()


def run_all(names, processes):
    """The answers about all operators, in the order in which they come."""
    waiting, chosen = collections.deque(names), selectors.DefaultSelector()

    def feed(worker):
        if waiting:
            worker.give(waiting.popleft())
            chosen.register(worker.process.stdout, selectors.EVENT_READ, worker)
        else:
            worker.process.stdin.close()

    for _ in range(min(processes, len(names))):
        feed(Worker())
    while chosen.get_map():
        for key, _ in chosen.select():
            worker = key.data
            chosen.unregister(key.fileobj)
            lines = iter(worker.process.stdout.readline, "")
            for line in lines:
                if line == "\n":
                    break
                yield json.loads(line)
            else:  # the child died before the end of its answer
                code = worker.process.wait()
                why = f"the process ended with {code}"
                yield {
                    "op": worker.name,
                    "form": "function",
                    "counts": {"crashed": 1},
                    "first": why,
                }
                worker.start()
            feed(worker)


def main():
    options = parse()
    if options.child:
        return child(options)
    from torch.testing._internal.common_methods_invocations import op_db

    names = [full_name(op) for op in op_db if is_public(op.name)]
    if options.op:
        names = [n for n in names if any(fnmatch.fnmatch(n, pattern) for pattern in options.op)]
    answers = list(run_all(names, options.processes))
    if options.json:
        Path(options.json).write_text("".join(json.dumps(a) + "\n" for a in answers))
    return report(answers, options)


def report(answers, options):
    """Prints failures and the table; whether a floor is broken."""
    wrong = [a for a in answers if a["first"] and set(a["counts"]) & set(ENDS[1:])]
    for answer in wrong[: options.failures]:
        print(f"{answer['op']}, {answer['form']}: {answer['counts']} {answer['first']}")
    print(f"\n{'form':10}" + "".join(f"{end:>9}" for end in ENDS) + f"{'percent':>9}{'floor':>7}")
    below = []  # a part of the cases has other shares
    whole = not (options.op or options.dtype or options.form or options.samples)
    for form, floor in FLOORS.items():
        counts = collections.Counter()
        for answer in answers:
            if answer["form"] == form:
                counts.update(answer["counts"])
        total = sum(counts[end] for end in ENDS)
        if total:
            percent = 100 * counts["agrees"] / total
            numbers = "".join(f"{counts[end]:9}" for end in ENDS)
            print(f"{form:10}{numbers}{percent:9.2f}{floor:7.1f}")
            if percent < floor and whole:
                below.append(form)
    skipped = sum(a["counts"].get("not counted", 0) for a in answers)
    print(f"{skipped} cases not counted: PyTorch refuses them, or they have no public name")
    if below:
        print(f"below the floor: {', '.join(below)}")
    died = [a["op"] for a in answers if "crashed" in a["counts"]]
    if died:
        print(f"crashed: {', '.join(died)}")
    return bool(below or died)


if __name__ == "__main__":
    sys.exit(main())
