"""`utils.tensorboard`: event files hold what PyTorch's hold, event by event."""

import importlib
import io

import numpy as np
import pytest
from agreement import agree

import lampas

pytest.importorskip("tensorboard", reason="tensorboard is not installed (tests/requirements.txt)")


def writer_of(t, *args, **options):
    return importlib.import_module(f"{t.__name__}.utils.tensorboard").SummaryWriter(
        *args, **options
    )


def events(folder):
    """The events of all files below a folder, as text without times; images as their pixels."""
    from PIL import Image
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    found = []
    for file in sorted(folder.rglob("events*")):
        for raw in RawEventFileLoader(str(file)).Load():
            event = Event.FromString(raw)
            event.wall_time = 0
            pixels = []
            for value in event.summary.value:
                if value.HasField("image"):
                    png = io.BytesIO(value.image.encoded_image_string)
                    pixels.append(np.asarray(Image.open(png)).tolist())
                    value.image.encoded_image_string = b""
                if value.metadata.plugin_data.plugin_name == "hparams":
                    found.append(parameters(value.metadata.plugin_data.content))
                    value.metadata.plugin_data.content = b""
            found.append((str(file.parent.relative_to(folder)), str(event), pixels))
    return found


def parameters(content):
    """The text of what was written about hyperparameters, whose maps are in any order."""
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    return sorted(str(HParamsPluginData.FromString(content)).splitlines())


CASES = """
w.add_scalar("a", 1.5, 3) | w.add_scalar("a", t.tensor(2.5), 4) | w.add_scalar("a", np.float64(3)) | w.add_scalar("a", "4.5")
w.add_scalar("n", 1.5, 3, new_style=True) | w.add_scalar("d", 1.5, 3, new_style=True, double_precision=True)
w.add_scalar("a", "x") | w.add_scalar("a", t.ones(2)) | w.add_scalar("a", t.ones(1)) | w.add_scalars("s/t", {"x": 1, "y": 2}, 1)
w.add_histogram("h", t.arange(10.0) - 3, 1) | w.add_histogram("h", t.arange(10.0), bins="auto") | w.add_histogram("h", t.ones(0))
w.add_histogram("h", t.arange(100.0), bins=[0, 10, 50, 100], max_bins=2) | w.add_histogram("h", t.arange(64.0), bins=10, max_bins=5)
w.add_histogram("h", np.arange(5)) | w.add_image("i", picture(t, 3, 4, 5)) | w.add_image("i", picture(t, 4, 5), dataformats="HW")
w.add_image("i", picture(t, 1, 4, 5)) | w.add_image("i", np.full((4, 5, 3), 7, np.uint8), dataformats="HWC")
w.add_images("k", picture(t, 3, 3, 4, 5)) | w.add_images("k", picture(t, 9, 1, 2, 2)) | w.add_image("i", t.ones(2))
w.add_text("t", "hello", 2) | w.add_tensor("t", t.ones(2, 2), 1) | w.add_tensor("t", t.ones(2, dtype=t.float64))
w.add_hparams({"lr": 0.1, "b": 3, "name": "n", "flag": True}, {"acc": 1.0}, run_name="run") | w.add_hparams(3, 4)
w.add_hparams({"lr": 0.1}, {"acc": 1.0}, {"lr": [0.1, 0.2]}, run_name="run", global_step=4) | w.add_hparams({"l": [1]}, {})
w.add_histogram_raw("r", 0.0, 3.0, 4, 6.0, 14.0, [1.0, 2.0, 4.0], [1, 1, 2], 5) | w.add_histogram_raw("r", 0, 3, 4, 6, 14, [1], [1, 2])
w.add_pr_curve("p", t.tensor([0, 1, 1, 0]), t.tensor([0.1, 0.8, 0.4, 0.5]), 2) | w.add_pr_curve("p", np.array([1, 0]), np.array([1.0, 0.0]), num_thresholds=5)
w.add_pr_curve("p", t.tensor([0, 1]), t.tensor([0.3, 0.6]), num_thresholds=500, weights=2.0)
w.add_pr_curve_raw("p", [3, 1], [2, 0], [0, 2], [0, 2], [0.6, 1.0], [1.0, 0.3], num_thresholds=2)
w.add_custom_scalars({"a": {"x": ["Multiline", ["l/1", "l/2"]], "y": ["Margin", ["v", "lo", "up"]]}, "b": {"z": ["Multiline", ["k"]]}})
w.add_custom_scalars_multilinechart(["a", "b"], title="T") | w.add_custom_scalars_marginchart(["a", "b"]) | w.add_custom_scalars_marginchart(["a", "b", "c"], "C")
w.add_audio("s", t.linspace(-1, 1, 20), 3, sample_rate=8000) | w.add_audio("s", t.linspace(-2, 2, 9)) | w.add_audio("s", t.ones(2, 2))
w.add_mesh("m", picture(t, 1, 4, 3), picture(t, 1, 4, 3), t.tensor([[[0, 1, 2]]]), {"material": {"cls": "M"}}, 2) | w.add_mesh("m", picture(t, 2, 4, 3))
"""


def picture(t, *shape):
    count = int(np.prod(shape))
    return t.linspace(-0.1, 1.1, count).reshape(shape)


def cases(table):
    return [case.strip() for line in table.strip().splitlines() for case in line.split(" | ")]


@pytest.mark.parametrize("case", cases(CASES))
def test_writes_the_same_events(tmp_path, case):
    def write(t):
        folder = tmp_path / t.__name__
        with writer_of(t, str(folder)) as w:
            result = eval(case, {"w": w, "t": t, "np": np, "picture": picture})
        return result, events(folder)

    agree(write)


def test_a_purged_step_and_a_second_file(tmp_path):
    def write(t):
        folder = tmp_path / t.__name__
        w = writer_of(t, folder, purge_step=7)
        w.add_scalar("a", 1, 7)
        w.close()
        return events(folder), type(w.get_logdir()), str(w.get_logdir()) == str(folder)

    agree(write)


def test_figures_become_images(tmp_path):
    from matplotlib.figure import Figure

    def write(t):
        figure = Figure(figsize=(1, 1))
        figure.subplots().plot([1, 2])
        with writer_of(t, str(tmp_path / t.__name__)) as w:
            w.add_figure("f", figure, 1)
        return events(tmp_path / t.__name__)

    agree(write)


def test_what_is_not_written_says_so(tmp_path):
    with writer_of(lampas, str(tmp_path)) as w:
        with pytest.raises(NotImplementedError, match="SummaryWriter.add_graph is not available"):
            w.add_graph(lampas.nn.Linear(1, 1))
