"""The command line: `python -m lampas run script.py`, `python -m lampas info`, `python -m lampas cuda
warmup`."""

import argparse
import sys

_RUN = """\
Run a program in which `import torch` and `import torchvision` get Lampas.

  python -m lampas run script.py ARGS...
  python -m lampas run -m module ARGS...
  python -m lampas run -c 'statements' ARGS...

sys.argv, __main__, sys.path, tracebacks and the exit code are those of plain `python script.py`;
processes that the program starts get Lampas too."""


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m lampas", description="Lampas: PyTorch's everyday API on a small engine."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="run a program that imports torch, with Lampas in its place",
        description=_RUN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="python -m lampas run [options] (script.py | -m module | -c statements) [args ...]",
    )
    run.add_argument(
        "--torch-version", metavar="V", help="what torch.__version__ reads (default 2.13.0+lampas)"
    )
    run.add_argument(
        "--only", metavar="NAME[,NAME...]",
        help="packages whose torch is Lampas; __main__ is the script. Others get real PyTorch",
    )  # fmt: skip
    run.add_argument("program", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    commands.add_parser("info", help="versions, instruction set, threads")
    cuda = commands.add_parser("cuda", help="kernels for GPUs")
    warmup = cuda.add_subparsers(dest="action", metavar="ACTION", required=True).add_parser(
        "warmup",
        help="compile the pointwise kernels before they are needed, into the cache on disk",
    )
    warmup.add_argument("--arch", help="such as sm_90; default: that of the first GPU")
    warmup.add_argument("--dtypes", default="float32", help="comma-separated (default float32)")
    warmup.add_argument("--rows", help="comma-separated operators (default all)")
    return parser, run


def _split(arguments):
    """`run`'s own arguments, and the program with its arguments, which are not looked at."""
    i = 1
    while i < len(arguments) and arguments[i].startswith("--"):
        i += 1 if "=" in arguments[i] or arguments[i] == "--help" else 2
    return arguments[:i], arguments[i:]


def _installed(name):
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _info():
    import platform

    import lampas

    yield "lampas", _installed("lampas") or "a source tree, not installed"
    yield "torch.__version__", lampas.__version__
    yield "python", platform.python_version()
    yield "platform", platform.platform()
    yield "instruction set", lampas.backends.cpu.get_cpu_capability()
    yield "threads", lampas.get_num_threads()
    yield "cuda", "available" if lampas.cuda.is_available() else "not available"
    yield "numpy", _installed("numpy") or "not installed"
    yield "core", lampas._core.__file__


def main(arguments=None):
    """Runs the command line; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser, run = _parser()
    if arguments[:1] == ["run"]:
        own, program = _split(arguments)
        options = parser.parse_args(own)
        if not program or (program[0] in ("-m", "-c") and len(program) < 2):
            run.error("no program given: script.py, -m module or -c statements")
        if program[0] == "-h":
            run.print_help()
            return 0
        if program[0].startswith("-") and program[0][:2] not in ("-m", "-c") and program[0] != "-":
            run.error(f"unknown option {program[0]}")
        from lampas.launcher import command

        only = options.only and [name for name in options.only.split(",") if name]
        return command.run(program, only or None, options.torch_version)
    options = parser.parse_args(arguments)
    if options.command == "cuda":
        from lampas.cuda import _warmup

        count = _warmup.fill(options.arch, options.dtypes.split(","), options.rows)
        print(f"{count} kernels are compiled")
        return 0
    if options.command != "info":
        parser.print_help()
        return 0
    for name, value in _info():
        print(f"{name + ':':20}{value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
