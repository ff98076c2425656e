"""`import torch` means Lampas: in this interpreter (`as_torch`) or for a whole program (`run`).

`aliases` holds the import hook, `packages` its form for named packages only, `command` starts a program.
"""

from lampas.launcher.aliases import install

__all__ = ["as_torch"]


def as_torch(only=None, *, torch_version=None, children=True):
    """Makes `torch`, `torchvision` and their submodules names of Lampas, from now on.

    `sys.modules["torch.nn"] is lampas.nn` after `import torch.nn`; `importlib.metadata.version` and
    `importlib.util.find_spec` answer for both names. Calling it again changes nothing.

    only: names of top-level packages, as ("einops",). Their `import torch` then means Lampas; all
        other imports get real PyTorch. Default: everybody gets Lampas.
    torch_version: what `torch.__version__` reads, as "2.8.0".
    children: Python interpreters started from here (multiprocessing's spawn, subprocess) do the
        same; environment variables carry it to them.

    Raises ImportError when real PyTorch or torchvision is already imported (with `only`, they may
    be), and ValueError for a version that is none.
    """
    install(only=only, torch_version=torch_version)
    if children:
        import os

        from lampas.launcher.command import environment

        os.environ.update(environment(only, torch_version))
