"""What needs a GPU, in one call of at most ten minutes on a machine that has one.

    python tools/on_gpu.py test  [--minutes 9.5] [--out FOLDER]     make test-cuda
    python tools/on_gpu.py bench [--minutes 9.5] [--out FOLDER]     make bench-cuda

Builds the package for the interpreter that runs this (needs cmake, ninja and a C++ compiler),
then takes step after step, each within its share of the time; a step that fails or runs out of time
does not stop the others. Raw output goes to FOLDER (build/gpu/log), a short table is printed last. The
exit status is 0 where every step passed. Python packages that are missing are taken from wheels
in .whl/, without asking anybody else for them.
"""

import argparse
import dataclasses
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "gpu"
NEEDED = ("scipy_openblas32", "numpy", "pytest")
# Programs of the seeds that say no word of devices, and how far printed numbers may be apart.
PROGRAMS = (
    ("linear_regression", (), 1e-3),
    ("autograd_basics", (), 1e-2),
    ("two_layer_net", ("--steps", "50"), 1e-2),
    ("saving_and_loading", (), 1e-3),
    ("knowledge_graph", (), 1e-2),
)
# Rows and families whose kernels a checker of memory looks at: enough for every way of launching.
SAMPLE = [f"tests/cuda/test_on_device.py::test_row[{row}]" for row in
          ("add-float32", "exp-float16", "sigmoid-float64", "where-int64")]  # fmt: skip


@dataclasses.dataclass
class Outcome:
    name: str
    seconds: float
    passed: bool
    said: str


class Session:
    """Steps with their logs and what became of them."""

    def __init__(self, minutes, out):
        self.end = time.monotonic() + 60 * minutes
        self.out = out
        self.outcomes = []
        self.env = dict(os.environ, PYTHONUNBUFFERED="1")
        self.extend_path(ROOT / "src")
        out.mkdir(parents=True, exist_ok=True)

    def extend_path(self, folder):
        paths = [str(folder), *filter(None, [self.env.get("PYTHONPATH")])]
        self.env["PYTHONPATH"] = os.pathsep.join(paths)

    def left(self):
        return self.end - time.monotonic()

    def step(self, name, *command, limit=600, says=None, cwd=ROOT):
        """Runs a command; `says(text)` puts its output into a few words. Whether it passed."""
        limit = min(limit, self.left() - 3)
        if limit <= 0:
            self.outcomes.append(Outcome(name, 0, False, "no time left"))
            return False
        begin = time.monotonic()
        log = self.out / f"{name.replace(' ', '-')}.log"
        with open(log, "w") as file:
            try:
                code = run_within(limit, command, cwd, self.env, file)
            except OSError as error:
                code = 127
                file.write(f"{error}\n")
        text = log.read_text(errors="replace")
        said = "out of time" if code == 124 else (says or last_line)(text)
        self.add(name, time.monotonic() - begin, code == 0, said)
        return code == 0

    def add(self, name, seconds, passed, said):
        self.outcomes.append(Outcome(name, seconds, passed, said))
        print(f"{'ok  ' if passed else 'FAIL'} {name} ({seconds:.0f} s): {said}", flush=True)

    def skip(self, name, why):
        self.add(name, 0, True, f"left out: {why}")

    def table(self):
        width = max(len(o.name) for o in self.outcomes)
        lines = ["", f"{'step':{width}}  result  seconds"]
        for o in self.outcomes:
            result = "ok" if o.passed else "FAIL"
            lines.append(f"{o.name:{width}}  {result:6}  {o.seconds:7.1f}  {o.said[:100]}")
        return "\n".join(lines)


def run_within(limit, command, cwd, env, file):
    """A command's exit status; 124 where it ran past the limit, and it and its children were ended."""
    process = subprocess.Popen(
        [str(part) for part in command], cwd=cwd, env=env, stdout=file, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return 124


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1].strip("= ") if lines else ""


def build(session):
    """The extension module for this interpreter, in src/lampas."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    wheels = sorted((ROOT / ".whl").glob("*.whl"))
    if missing and wheels:
        site = BUILD / "site"
        pip = (sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--upgrade")
        session.step("packages", *pip, "--target", site, *wheels, limit=60)
        session.extend_path(site)
        sys.path.insert(0, str(site))
        importlib.invalidate_caches()
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        session.add("packages", 0, False, f"missing: {', '.join(missing)}; put wheels into .whl/")
        return False
    cmake = tool("cmake")
    configure = [cmake, "-S", ROOT, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"]
    configure += [f"-DPython_EXECUTABLE={sys.executable}", "-DLAMPAS_ISAS=baseline;avx2;avx512"]
    if ninja := tool("ninja"):
        configure.append(f"-DCMAKE_MAKE_PROGRAM={ninja}")
    return session.step("configure", *configure, limit=60) and session.step(
        "build", cmake, "--build", BUILD, "-j", os.cpu_count() or 2, limit=330
    )


def tool(name):
    """A program, beside the interpreter or on the path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or name


def test(session):
    python = sys.executable
    warm = (python, "-m", "lampas", "cuda", "warmup", "--dtypes", "float32")
    session.step("warm up", *warm, limit=60)
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/cuda", "-m", "cuda"]
    if importlib.util.find_spec("xdist"):
        pytest += ["-n", "6"]
    session.step("operator table", *pytest, limit=max(60, session.left() - 150))
    session.step(
        "demo", python, "examples/digits.py", "--device", "cuda", "--quiet", "--epochs", "12",
        "--out", session.out / "demo", limit=60,
    )  # fmt: skip
    for program, options, near in PROGRAMS:
        compare(session, program, options, near)
    sanitize(session)


def compare(session, program, options, near):
    """A program of the seeds on the CPU and on the GPU: the same text, numbers close."""
    begin, texts = time.monotonic(), []
    script = ROOT / "examples" / f"{program}.py"
    for first in ([], [ROOT / "tests" / "cuda" / "device_switch.py"]):
        folder = session.out / f"{program}-{'gpu' if first else 'cpu'}"
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-W", "ignore", *first, script, *options]
        try:
            done = subprocess.run(
                [str(part) for part in command], cwd=folder, env=session.env, text=True,
                capture_output=True, timeout=max(1, min(60, session.left())),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return session.add(program, time.monotonic() - begin, False, "out of time")
        (folder / "output.txt").write_text(done.stdout + done.stderr)
        if done.returncode:
            said = last_line(done.stderr)
            return session.add(program, time.monotonic() - begin, False, said)
        texts.append(done.stdout)
    sys.path.insert(0, str(ROOT / "tests"))
    from printed import difference_of_texts

    difference = difference_of_texts(texts[1], texts[0], near)
    said = f"prints what the CPU prints, within {near:g}"
    session.add(program, time.monotonic() - begin, not difference, difference or said)
    return None


def sanitize(session):
    """NVIDIA's checkers of memory and of races, where the machine has them."""
    checker = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    for kind in ("memcheck", "racecheck"):
        if not Path(checker).exists():
            session.skip(kind, "no compute-sanitizer here")
            continue
        session.step(
            kind, checker, "--tool", kind, "--error-exitcode", "9", "--target-processes", "all",
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0",
            *SAMPLE, limit=90,
        )  # fmt: skip


def bench(session):
    program = ROOT / "benchmarks" / "cuda.py"
    seconds = str(max(30, int(session.left() - 60)))
    session.step("benchmark", sys.executable, program, "--seconds", seconds)
    results = sorted((ROOT / "benchmarks" / "results").glob("gpu-*.md"), key=os.path.getmtime)
    if results:
        shutil.copy(results[-1], session.out)
        print(results[-1].read_text())


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("test", "bench"))
    parser.add_argument("--minutes", type=float, default=9.5)
    default = Path(os.environ.get("OUT", BUILD / "log"))
    parser.add_argument("--out", type=Path, default=default, help="folder for raw output")
    parser.add_argument("--built", action="store_true", help="src/lampas has the module already")
    options = parser.parse_args(argv)
    session = Session(options.minutes, options.out.resolve())
    if options.built or build(session):
        (test if options.what == "test" else bench)(session)
    table = session.table()
    (session.out / "table.txt").write_text(table + "\n")
    print(table)
    return not all(o.passed for o in session.outcomes)


if __name__ == "__main__":
    sys.exit(main())
