"""`torch.utils.tensorboard`: writes event files for TensorBoard, by its own package `tensorboard`.

Scalars, histograms, images, figures, texts, tensors and hyperparameters; what one event holds is in
`summaries`.
"""

import os
import time

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from lampas import unavailable
from lampas.utils.tensorboard import plots, summaries

__all__ = ["FileWriter", "SummaryWriter"]


class FileWriter:
    """One event file in a folder. `add_summary` and `add_event` append to it."""

    def __init__(self, log_dir, max_queue=10, flush_secs=120, filename_suffix=""):
        self.event_writer = EventFileWriter(str(log_dir), max_queue, flush_secs, filename_suffix)

    def get_logdir(self):
        """The folder."""
        return self.event_writer.get_logdir()

    def add_event(self, event, step=None, walltime=None):
        """Appends an event, at a step and a time (now)."""
        event.wall_time = time.time() if walltime is None else walltime
        if step is not None:
            event.step = int(step)
        self.event_writer.add_event(event)

    def add_summary(self, summary, global_step=None, walltime=None):
        """Appends a summary, at a step and a time (now)."""
        self.add_event(Event(summary=summary), global_step, walltime)

    def flush(self):
        """Writes what waits."""
        self.event_writer.flush()

    def close(self):
        """Writes what waits and closes the file."""
        self.event_writer.close()

    def reopen(self):
        """Goes on in a new file."""
        self.event_writer.reopen()


def _default_folder(comment):
    import socket

    stamp = time.strftime("%b%d_%H-%M-%S")
    return os.path.join("runs", f"{stamp}_{socket.gethostname()}{comment}")


class SummaryWriter:
    """Writes event files into `log_dir` (runs/<date>_<host><comment>), for TensorBoard to show.

    purge_step: events from this step on that an earlier, crashed run wrote are not shown.
    """

    def __init__(
        self, log_dir=None, comment="", purge_step=None, max_queue=10, flush_secs=120,
        filename_suffix="",
    ):  # fmt: skip
        self.log_dir = log_dir if log_dir else _default_folder(comment)
        self.purge_step = purge_step
        self._options = (max_queue, flush_secs, filename_suffix)
        self.file_writer, self._others = None, {}
        self._get_file_writer()

    def _get_file_writer(self):
        """The writer of this folder, a new one after `close`."""
        if self.file_writer is None:
            self.file_writer = FileWriter(self.log_dir, *self._options)
            if self.purge_step is not None:
                for event in (
                    Event(file_version="brain.Event:2"),
                    Event(session_log=SessionLog(status=SessionLog.START)),
                ):
                    self.file_writer.add_event(event, self.purge_step)
                self.purge_step = None
        return self.file_writer

    def _add(self, summary, global_step, walltime):
        self._get_file_writer().add_summary(summary, global_step, walltime)

    def get_logdir(self):
        """The folder."""
        return self.log_dir

    def add_scalar(
        self, tag, scalar_value, global_step=None, walltime=None, new_style=False,
        double_precision=False,
    ):  # fmt: skip
        """A number, also as a tensor of one element."""
        made = summaries.scalar(tag, scalar_value, new_style, double_precision)
        self._add(made, global_step, walltime)

    def add_scalars(self, main_tag, tag_scalar_dict, global_step=None, walltime=None):
        """Several numbers in one picture; each has a folder of its own."""
        for tag, value in tag_scalar_dict.items():
            folder = f"{self.log_dir}/{main_tag.replace('/', '_')}_{tag}"
            if folder not in self._others:
                self._others[folder] = FileWriter(folder, *self._options)
            self._others[folder].add_summary(
                summaries.scalar(main_tag, value), global_step, walltime
            )

    def add_tensor(self, tag, tensor, global_step=None, walltime=None):
        """A tensor of float32 or float64."""
        self._add(summaries.tensor(tag, tensor), global_step, walltime)

    def add_histogram(
        self, tag, values, global_step=None, bins="tensorflow", walltime=None, max_bins=None
    ):
        """How values are distributed. bins: "tensorflow", a method of numpy.histogram, or edges."""
        self._add(summaries.histogram(tag, values, bins, max_bins), global_step, walltime)

    def add_histogram_raw(
        self, tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts, global_step=None,
        walltime=None,
    ):  # fmt: skip
        """A histogram that was counted elsewhere. ValueError for limits and counts of other lengths."""
        if len(bucket_limits) != len(bucket_counts):
            raise ValueError("len(bucket_limits) != len(bucket_counts), see the document.")
        made = plots.raw_histogram(
            tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts
        )
        self._add(made, global_step, walltime)

    def add_pr_curve(self, tag, labels, predictions, global_step=None, num_thresholds=127,
                     weights=None, walltime=None):  # fmt: skip
        """Precision and recall of predictions in [0, 1] against labels, by threshold."""
        made = plots.precision_recall(tag, labels, predictions, num_thresholds, weights)
        self._add(made, global_step, walltime)

    def add_pr_curve_raw(self, tag, true_positive_counts, false_positive_counts, true_negative_counts,
                         false_negative_counts, precision, recall, global_step=None,
                         num_thresholds=127, weights=None, walltime=None):  # fmt: skip
        """As add_pr_curve, from counts."""
        rows = (
            true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts,
            precision, recall,
        )  # fmt: skip
        self._add(plots.raw_precision_recall(tag, rows, num_thresholds), global_step, walltime)

    def add_custom_scalars(self, layout):
        """Charts of several scalars: {category: {title: ["Multiline" or "Margin", tags]}}."""
        self._add(plots.charts(layout), None, None)

    def add_custom_scalars_multilinechart(self, tags, category="default", title="untitled"):
        """One chart with several scalars."""
        self.add_custom_scalars({category: {title: ["Multiline", tags]}})

    def add_custom_scalars_marginchart(self, tags, category="default", title="untitled"):
        """One chart of a scalar between two others: tags (value, lower, upper)."""
        if len(tags) != 3:
            raise AssertionError(f"Expected 3 tags, got {len(tags)}.")
        self.add_custom_scalars({category: {title: ["Margin", tags]}})

    def add_audio(self, tag, snd_tensor, global_step=None, sample_rate=44100, walltime=None):
        """Sound of one channel, values in [-1, 1]."""
        self._add(plots.audio(tag, snd_tensor, sample_rate), global_step, walltime)

    def add_mesh(self, tag, vertices, colors=None, faces=None, config_dict=None, global_step=None,
                 walltime=None):  # fmt: skip
        """Meshes or clouds of points: vertices (N, V, 3), colors (N, V, 3), faces (N, F, 3)."""
        self._add(plots.mesh(tag, vertices, colors, faces, config_dict), global_step, walltime)

    def add_image(self, tag, img_tensor, global_step=None, walltime=None, dataformats="CHW"):
        """An image: floats in [0, 1] or uint8, dimensions in the order of `dataformats`."""
        self._add(summaries.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_images(self, tag, img_tensor, global_step=None, walltime=None, dataformats="NCHW"):
        """Several images side by side, eight a row."""
        self._add(summaries.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_figure(self, tag, figure, global_step=None, close=True, walltime=None):
        """A figure of matplotlib, or a list of figures of one size."""
        pictures, form = summaries.drawn(figure, close)
        self.add_image(tag, pictures, global_step, walltime, dataformats=form)

    def add_text(self, tag, text_string, global_step=None, walltime=None):
        """A text, in Markdown."""
        self._add(summaries.text(tag, text_string), global_step, walltime)

    def add_hparams(
        self, hparam_dict, metric_dict, hparam_domain_discrete=None, run_name=None, global_step=None
    ):
        """Hyperparameters of a run and what it reached, in a folder of its own."""
        if type(hparam_dict) is not dict or type(metric_dict) is not dict:
            raise TypeError("hparam_dict and metric_dict should be dictionary.")
        made = summaries.hyperparameters(hparam_dict, metric_dict, hparam_domain_discrete)
        folder = os.path.join(self.log_dir, run_name or str(time.time()))
        writer = FileWriter(folder, *self._options)
        try:
            for summary in made:
                writer.add_summary(summary, global_step)
            for name, value in metric_dict.items():
                writer.add_summary(summaries.scalar(name, value), global_step)
        finally:
            writer.close()

    def flush(self):
        """Writes what waits, in all folders."""
        for writer in (self.file_writer, *self._others.values()):
            if writer is not None:
                writer.flush()

    def close(self):
        """Writes what waits and closes all files; adding goes on in a new file."""
        for writer in (self.file_writer, *self._others.values()):
            if writer is not None:
                writer.close()
        self.file_writer, self._others = None, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


for _name in ("add_graph add_onnx_graph add_embedding add_video add_image_with_boxes").split():
    setattr(
        SummaryWriter,
        _name,
        unavailable.function(f"torch.utils.tensorboard.SummaryWriter.{_name}"),
    )
