"""Runs the blocks of all documents with one library and writes what each printed, as JSON.

    python -m seeds.running LIBRARY FOLDER RESULT

`import torch` inside the blocks means LIBRARY (torch or lampas). FOLDER is where data files are
made and blocks read and write. A block that fails does not stop the following ones.
"""

import ast
import contextlib
import io
import json
import math
import os
import random
import sys
import types
import warnings
from pathlib import Path

from seeds import plan, snippets


def bind(library):
    """Make `import torch`, `torchvision` and `cv2` mean this library and what goes with it."""
    from seeds import opencv, reference_vision

    if library == "lampas":
        import lampas

        lampas.as_torch(children=False)
    else:
        reference_vision.install()
    opencv.install()
    import torch

    return torch


class Reader:
    """Someone who types a document's blocks in order: one namespace, which is `__main__`."""

    def __init__(self, torch):
        self.torch = torch
        self.start()

    def start(self):
        """An empty namespace and fresh random streams."""
        import numpy

        # Pickled classes are looked up in `__main__`.
        self.module = sys.modules["__main__"] = types.ModuleType("__main__")
        self.torch.manual_seed(0)
        numpy.random.seed(0)
        random.seed(0)
        self.before = {}

    def run(self, block):
        """What the block printed, how it ended, and the values it left, in plain types."""
        step = plan.STEPS.get(block.id, plan.Step())
        if step.fresh:
            self.start()
        console = step.console or block.inline or int(block.id.split(".")[0]) in plan.CONSOLE
        printed = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
            # Python's own texts of warnings name files and lines.
            warnings.simplefilter("always")
            warnings.showwarning = lambda text, kind, *_, **__: print(f"{kind.__name__}: {text}")
            parts = (step.before, False), (block.code, console), (step.after, False)
            errors = [self._attempt(code, shown) for code, shown in parts]
        changes = self._changes()
        compared = step.state and not step.uninitialised
        return {
            "printed": printed.getvalue(),
            "error": " ".join(filter(None, errors)),
            "state": changes if compared else {},
        }

    def _attempt(self, code, console):
        try:
            self._execute(code, console)
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
            return type(error).__name__
        return ""

    def _execute(self, code, console):
        if not console:
            exec(compile(code, "<block>", "exec"), self.module.__dict__)
            return
        for statement in ast.parse(code).body:
            tree = ast.Interactive([statement])
            exec(compile(tree, "<block>", "single"), self.module.__dict__)

    def _changes(self):
        """The part of the state that the block has changed."""
        state = self._state()
        changed = {name: value for name, value in state.items() if value != self.before.get(name)}
        self.before = state
        return changed

    def _state(self):
        """Of each tensor and module by name: what it is, the sum of its values, of their sizes."""
        state = {}
        for name, value in vars(self.module).items():
            if isinstance(value, self.torch.nn.Module):
                for key, entry in value.state_dict().items():
                    state[f"{name}.{key}"] = self._summary(entry)
            elif isinstance(value, self.torch.Tensor):
                state[name] = self._summary(value)
        return state

    def _summary(self, tensor):
        values = [float(x) for x in tensor.detach().flatten().tolist()]
        kind = f"{tensor.dtype} {list(tensor.shape)} {tensor.requires_grad}"
        kind += f" {type(tensor.grad_fn).__name__} {[math.isnan(x) for x in values].count(True)}"
        finite = [x for x in values if math.isfinite(x)]
        return [kind, math.fsum(finite), math.fsum(abs(x) for x in finite)]


def run_all(library):
    torch = bind(library)
    results = {}
    for number in plan.TITLES:
        reader = Reader(torch)
        for block in snippets.stored(number):
            if block.id not in plan.NO_PROGRAM:
                results[block.id] = reader.run(block)
    return results


def main(library, folder, result):
    from seeds import data_files

    result = Path(result).resolve()
    os.chdir(folder)
    data_files.make(Path("."))
    own_main = sys.modules["__main__"]
    try:
        results = run_all(library)
    finally:
        sys.modules["__main__"] = own_main
    result.write_text(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
