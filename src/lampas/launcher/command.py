"""`python -m lampas run`: a program in an interpreter where `torch` is Lampas.

The program gets a fresh interpreter, which `site/sitecustomize.py` prepares before anything is
imported. So `sys.argv`, `__main__`, `sys.path`, tracebacks and exit codes are plain Python's, and
the environment carries the same to child interpreters.
"""

import os
import sys
from pathlib import Path

from lampas.launcher.aliases import VERSION_VARIABLE

SITE = str(Path(__file__).resolve().parent / "site")
SWITCH = "LAMPAS_AS_TORCH"  # "1", or the names of packages as in `only`, by commas


def environment(only=None, torch_version=None):
    """The variables under which a Python interpreter starts with `torch` being Lampas."""
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if SITE not in paths:
        paths.insert(0, SITE)
    if only is not None:
        only = (only,) if isinstance(only, str) else only
    variables = {
        "PYTHONPATH": os.pathsep.join(paths),
        SWITCH: "1" if only is None else ",".join(sorted(only)),
    }
    if torch_version is not None:
        variables[VERSION_VARIABLE] = torch_version
    return variables


def run(arguments, only=None, torch_version=None):
    """Runs `python arguments...`: on Unix this process becomes it, else its exit code is returned."""
    options = _interpreter_options()
    if sys.flags.ignore_environment or sys.flags.no_site:
        raise SystemExit(
            "lampas run: Python's options -E, -I and -S switch off what prepares the program's "
            "interpreter (PYTHONPATH and sitecustomize); start without them"
        )
    if torch_version is not None:
        _check_version(torch_version)
    variables = {**os.environ, **environment(only, torch_version)}
    command = [sys.executable, *options, *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execve(sys.executable, command, variables)
    import subprocess

    return subprocess.call(command, env=variables)


def _check_version(text):
    from lampas.launcher.aliases import set_version

    try:
        set_version(text)
    except ValueError as error:
        raise SystemExit(f"lampas run: {error}") from None


def _interpreter_options():
    """Options that stood before `-m lampas`: `python -u -W error -m lampas run ...`."""
    given = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]
    if given[-1:] == ["-mlampas"]:
        return given[:-1]
    if given[-1:] != ["lampas"] or not given[-2:-1] or not given[-2].endswith("m"):
        return []  # not started by `-m lampas`
    last = given[-2][:-1]  # "-" of "-m", "-u" of "-um"
    return given[:-2] + ([last] if last != "-" else [])
