"""`python -m lampas run`, `lampas.as_torch` and the version: how a torch program gets Lampas.

What programs compute is tested elsewhere; here it matters what they import and how they run.
"""

import os
import subprocess
import sys
import textwrap

import pytest


def launch(*arguments, cwd, launcher=True, options=(), env=None):
    """Runs a program by `python` or by `python -m lampas run`; gives stdout, stderr, exit code."""
    start = ["-m", "lampas", "run"] if launcher else []
    done = subprocess.run(
        [sys.executable, *options, *start, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **(env or {})},
    )
    return done.stdout, done.stderr, done.returncode


@pytest.fixture
def program(tmp_path):
    """Writes a program and runs it under the launcher; its output, or its failure."""

    def run(source, *arguments, options=(), env=None):
        (tmp_path / "program.py").write_text(textwrap.dedent(source))
        out, err, code = launch(*options, "program.py", *arguments, cwd=tmp_path, env=env)
        assert code == 0, err
        return out

    return run


STATE = """
import sys
print(sys.argv, __name__, __file__, __spec__, __package__, type(__loader__).__name__)
print(sys.path, sys.flags.dont_write_bytecode, sys.modules["__main__"].__dict__ is globals())
"""


@pytest.mark.parametrize("options", [(), ("-u", "-W", "error"), ("-uB",)], ids=str)
def test_a_program_sees_what_plain_python_shows(tmp_path, options):
    (tmp_path / "state.py").write_text(STATE)
    call = ("state.py", "-m", "--only", "x")
    given = {"cwd": tmp_path, "options": options}
    assert launch(*call, **given) == launch(*call, launcher=False, **given)


def test_a_module_is_run_like_python_m(tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "__main__.py").write_text(STATE.replace("__spec__, ", "__spec__.name, "))
    call = ("-m", "pack", "a", "-b")
    assert launch(*call, cwd=tmp_path) == launch(*call, cwd=tmp_path, launcher=False)


ENDINGS = {
    "exit": "import sys\nsys.exit(7)",
    "text": "import sys\nsys.exit('no such thing')",
    "error": "def f():\n    return 1 / 0\n\nf()",
    "cause": "try:\n    {}['k']\nexcept KeyError as e:\n    raise ValueError('v') from e",
    "syntax": "a = = 1",
    "interrupt": "raise KeyboardInterrupt",
    "hook": "import sys\nsys.excepthook = lambda k, e, t: print(k, t.tb_next)\n1 / 0",
    "os": "import os\nos._exit(3)",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_program_ends_as_under_plain_python(tmp_path, ending):
    (tmp_path / "ends.py").write_text(ENDINGS[ending])
    found = launch("ends.py", cwd=tmp_path)
    assert found == launch("ends.py", cwd=tmp_path, launcher=False)
    assert found[2] != 0


def test_a_missing_program_fails_as_under_plain_python(tmp_path):
    found = launch("absent.py", cwd=tmp_path)
    assert found == launch("absent.py", cwd=tmp_path, launcher=False)
    assert found[2] == 2


def test_every_way_to_import_gives_the_same_modules(program):
    out = program("""
        import sys, importlib
        import torch, torchvision
        import torch.nn.functional as F
        import torch.optim.lr_scheduler
        from torch import nn, Tensor
        from torch.nn.modules.linear import Linear
        from torch.utils.data import DataLoader
        from torchvision import transforms
        from torchvision.transforms import functional as TF
        import lampas
        assert torch is lampas and torchvision is lampas.vision
        assert sys.modules["torch.nn"] is lampas.nn is nn
        assert F is lampas.nn.functional and transforms is lampas.vision.transforms
        assert TF is lampas.vision.transforms.functional
        assert Linear is lampas.nn.Linear and DataLoader is lampas.utils.data.DataLoader
        assert importlib.import_module("torch.linalg") is lampas.linalg
        assert importlib.import_module("torch.backends.cudnn") is lampas.backends.cudnn
        assert lampas.nn.__name__ == lampas.nn.__spec__.name == "lampas.nn"
        for name, module in list(sys.modules.items()):
            if name in ("torch", "torchvision"):
                assert module.__name__ == name and module.__spec__.name.startswith("lampas")
            elif name.partition(".")[0] in ("torch", "torchvision"):
                assert module.__name__.startswith("lampas"), name
        print("same")
    """)
    assert out == "same\n"


def test_what_lampas_lacks_is_a_missing_module(program):
    out = program("""
        import importlib.util
        try:
            import torch.no_such_part
        except ModuleNotFoundError as error:
            print(error, error.name)
        print(importlib.util.find_spec("torch.no_such_part"))
        try:
            from torch import no_such_name
        except ImportError as error:
            print(str(error).partition(" (")[0])
        import torch
        try:
            torch.no_such_name
        except AttributeError as error:
            print(error)
    """)
    assert out.splitlines() == [
        "No module named 'torch.no_such_part' torch.no_such_part",
        "None",
        "cannot import name 'no_such_name' from 'torch'",
        "module 'torch' has no attribute 'no_such_name'",
    ]


def test_metadata_and_specs_answer_before_the_import(program):
    out = program("""
        import sys
        from importlib.metadata import PackageNotFoundError, distribution, version
        from importlib.util import find_spec
        print(find_spec("torch") is not None, find_spec("torchvision").name, "torch" in sys.modules)
        print(version("torch"), version("TorchVision"), distribution("torch").metadata["Name"])
        print(distribution("torch").requires, distribution("torch").files)
        try:
            version("torch-something")
        except PackageNotFoundError as error:
            print(error)
        import torch
        print(find_spec("torch.nn").origin == torch.nn.__file__, find_spec("torch.optim.sgd").origin)
    """)
    lines = out.splitlines()
    assert lines[0] == "True torchvision False"
    assert lines[1] == "2.13.0+lampas 0.28.0+lampas torch"
    assert lines[2] == "None None"
    assert "torch-something" in lines[3]
    assert lines[4].startswith("True ") and lines[4].endswith("sgd.py")


@pytest.mark.parametrize(
    "options, env",
    [(("--torch-version", "2.1.0"), {}), ((), {"LAMPAS_TORCH_VERSION": "2.1.0"})],
    ids=["option", "variable"],
)
def test_the_version_can_be_chosen(program, options, env):
    out = program(
        """
        from importlib.metadata import version
        import torch, torchvision
        print(torch.__version__, torch.version.__version__, version("torch"), torchvision.__version__)
        torch.__version__ = "2.5.1"
        print(torch.__version__, torch.version.__version__, version("torch"), version("torchvision"))
        """,
        options=options,
        env=env,
    )
    assert out == "2.1.0 2.1.0 2.1.0 0.16.0\n2.5.1 2.5.1 2.5.1 0.20.1\n"


VERSIONS = ["2.8.0", "2.8.0+cpu", "2.8", "2.8.0a0", "2.8.0rc1", "2.8.0.dev20250101", "2.8.0.post1",
            "2.9", "2.10.1", "1.13.1+cu117", "2.8.0a0.dev3", "2.8.0+lampas", "nightly"]  # fmt: skip


@pytest.mark.parametrize("left", VERSIONS)
def test_versions_compare_as_pytorchs_do(torch, left):
    from lampas.torch_version import TorchVersion

    ours, theirs = TorchVersion(left), torch.torch_version.TorchVersion(left)
    for right in [*VERSIONS, (2, 8), (2, 8, 0), (2, 10)]:
        for relation in ("__lt__", "__le__", "__eq__", "__ne__", "__gt__", "__ge__"):
            expected = getattr(theirs, relation)(right)
            assert getattr(ours, relation)(right) == expected, (left, relation, right)
    assert hash(ours) == hash(left) and str(ours) == left


CHILDREN = """
import multiprocessing, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
import torch

def work(queue, tensor):
    queue.put((torch.__file__, float(tensor.sum())))

class Squares(torch.utils.data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, i):
        return torch.tensor(i * i)

def raised(rank, tensor):
    assert torch is sys.modules["lampas"] and tensor.pow(rank + 2).sum() == 2

def placed_sum(tensor):
    return torch.__file__, float(tensor.sum())

if __name__ == "__main__":
    for method in ("spawn", "fork"):
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        child = context.Process(target=work, args=(queue, torch.ones(3)))
        child.start()
        where, total = queue.get(timeout=60)
        child.join()
        assert where == torch.__file__ and total == 3.0
    other = subprocess.run([sys.executable, "-c", "import torch; print(torch.__file__)"],
                           capture_output=True, text=True)
    assert other.stdout.strip() == torch.__file__, other.stderr
    loader = torch.utils.data.DataLoader(Squares(), 2, num_workers=1)
    assert torch.cat(list(loader)).tolist() == [0, 1, 4, 9]
    torch.multiprocessing.spawn(raised, args=(torch.ones(2),), nprocs=1)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        parameter = torch.nn.Parameter(torch.ones(4))
        print(pool.submit(placed_sum, parameter).result()[1])
"""


def test_child_processes_get_lampas(program):
    assert program(CHILDREN) == "4.0\n"


def test_as_torch_does_the_same_from_inside(python):
    out = python("""
import lampas
lampas.as_torch(torch_version="2.4.0")
lampas.as_torch()
import subprocess, sys
import torch, torch.nn
assert torch is lampas and sys.modules["torch.nn"] is lampas.nn
print(torch.__version__, torch.__version__ >= (2, 4), sum("Alias" in str(f) for f in sys.meta_path))
child = "import torch; print(torch.__file__, torch.__version__)"
found = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
assert found.stdout.split() == [torch.__file__, "2.4.0"], found.stderr
""")
    assert out == "2.4.0 True 1\n"


def test_as_torch_refuses_when_pytorch_is_imported(torch, python):
    out = python("""
import sys, torch, lampas
try:
    lampas.as_torch()
except ImportError as error:
    print(error.name, str(error).partition("/")[0], torch.__file__ in str(error))
print(sys.modules["torch"] is torch, "AliasFinder" in str(sys.meta_path))
try:
    lampas.as_torch(torch_version="two")
except ValueError as error:
    print(error)
""")
    lines = out.splitlines()
    assert lines[0].startswith("torch torch is already imported from ")
    assert lines[0].endswith("True")
    assert lines[1] == "True False"
    assert lines[2] == "not a version of PyTorch: 'two' (it looks like 2.8.0 or 2.8.0+cpu)"


def test_only_named_packages_get_lampas(torch, tmp_path):
    for name in ("named", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(
            "import sys\nseen = 'torch' in sys.modules\n"
            "import torch, torch.nn.functional as F\nfrom torch import nn\n"
            "from torch.utils.data import DataLoader\n"
        )
    (tmp_path / "main.py").write_text(
        "import lampas, named, other, torch\nimport named as again\n"
        "assert named.seen and named.torch is lampas and named.F is lampas.nn.functional\n"
        "assert named.nn is lampas.nn and named.DataLoader is lampas.utils.data.DataLoader\n"
        "assert other.torch is torch is not lampas and other.F is torch.nn.functional\n"
        "print(other.nn.__name__)\n"
    )
    done = launch("--only", "named", "main.py", cwd=tmp_path)
    assert done == ("torch.nn\n", "", 0)


def test_the_start_up_file_that_ours_hides_still_runs(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.hidden = 'ran'\n")
    paths = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    call = ("-c", "import sys; print(hidden, sys.modules['sitecustomize'].__file__)")
    found = launch(*call, cwd=tmp_path, env={"PYTHONPATH": paths})
    assert found == (f"ran {tmp_path / 'sitecustomize.py'}\n", "", 0)


def test_an_interpreter_that_needs_no_torch_loads_nothing(tmp_path):
    call = ("-c", "import sys; print('lampas' in sys.modules, 'lampas._core' in sys.modules)")
    assert launch(*call, cwd=tmp_path)[0] == "False False\n"


def test_options_that_switch_the_preparation_off_are_refused(tmp_path):
    out, err, code = launch("-c", "1", cwd=tmp_path, options=["-S"])
    assert (out, code) == ("", 1)
    assert "lampas run: Python's options -E, -I and -S" in err or "No module named" in err


@pytest.mark.parametrize(
    "arguments, code, text",
    [
        ((), 0, "python -m lampas [-h] COMMAND"),
        (("--help",), 0, "versions, instruction set, threads"),
        (("run",), 2, "no program given"),
        (("run", "-m"), 2, "no program given"),
        (("run", "-x", "a.py"), 2, "unknown option -x"),
        (("run", "--help"), 0, "script.py | -m module"),
        (("run", "--torch-version", "two", "a.py"), 1, "not a version of PyTorch: 'two'"),
        (("info",), 0, "instruction set:"),
        (("fly",), 2, "invalid choice"),
    ],
    ids=str,
)
def test_the_command_line(tmp_path, arguments, code, text):
    out, err, found = launch("-m", "lampas", *arguments, cwd=tmp_path, launcher=False)
    assert found == code
    assert text in (out if code == 0 else err)
