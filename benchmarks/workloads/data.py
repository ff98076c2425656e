"""Epochs of a DataLoader, checkpoints of 100 MB."""

import importlib
import shutil
import tempfile
from pathlib import Path

from workloads import Step, digest, workload

COUNT = 60_000  # images of 28 x 28 pixels, in batches of 100


def epochs(workers, items):
    def make(t, tuned):
        data = importlib.import_module(t.__name__ + ".utils.data")
        t.manual_seed(0)
        x, y = t.zeros(COUNT, 1, 28, 28), t.arange(COUNT) % 10
        x[:, 0, 0, 0] = t.arange(COUNT)  # what the order is seen by
        labels = y.tolist()

        class Items(data.Dataset):
            def __len__(self):
                return COUNT

            def __getitem__(self, i):
                return x[i], labels[i]

        dataset = Items() if items else data.TensorDataset(x, y)
        loader = data.DataLoader(dataset, batch_size=100, shuffle=True, num_workers=workers)

        def epoch():
            return sum(len(labels) for _, labels in loader)

        def check():
            t.manual_seed(1)
            return [epoch(), *(images[:, 0, 0, 0].sum().item() for images, _ in loader)][:50]

        return Step(epoch, check)

    return make


# Every image is read and written once.
_BYTES = 2 * 4 * COUNT * 784
workload("data.tensors", 0.05, bytes=_BYTES)(epochs(0, False))
workload("data.tensors.workers2", bytes=_BYTES)(epochs(2, False))
workload("data.items", bytes=_BYTES)(epochs(0, True))
workload("data.items.workers2", 0.7, bytes=_BYTES)(epochs(2, True))


def checkpoint(operation, mmap=False):
    def make(t, tuned):
        folder = Path(tempfile.mkdtemp())
        path = folder / "state.pt"
        state = {f"layer{i}.weight": t.full((5000, 100), float(i)) for i in range(50)}
        t.save(state, path)
        options = {"mmap": True} if mmap else {}

        def load():
            return t.load(path, **options)

        run = load if operation == "load" else lambda: t.save(state, path)
        return Step(run, lambda: digest(load()["layer7.weight"]), lambda: shutil.rmtree(folder))

    return make


workload("save", 0.8, bytes=200e6)(checkpoint("save"))
workload("load", 0.8, bytes=200e6)(checkpoint("load"))
workload("load.mmap", 0.8)(checkpoint("load", mmap=True))
