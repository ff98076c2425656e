"""Summaries of TensorBoard's plug-ins: precision and recall, charts of one's own, sound, meshes, raw bins."""

import io
import json
import wave

import numpy as np
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto

from lampas.utils.tensorboard.summaries import _array, _metadata, _one, _shape

_MOST_THRESHOLDS = 127
_SMALL = 1e-7  # keeps ratios of empty counts finite


def raw_histogram(tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts):
    """Bins that were counted elsewhere."""
    held = HistogramProto(
        min=min, max=max, num=num, sum=sum, sum_squares=sum_squares, bucket_limit=bucket_limits,
        bucket=bucket_counts,
    )  # fmt: skip
    return _one(tag, histo=held)


def precision_recall(tag, labels, predictions, num_thresholds=127, weights=None):
    """The curve of predictions in [0, 1] against labels of 0 and 1, by thresholds evenly spaced."""
    count = min(num_thresholds, _MOST_THRESHOLDS)
    labels, predictions = _array(labels), _array(predictions)
    weights = 1.0 if weights is None else weights
    bins = np.int32(np.floor(predictions * (count - 1)))
    real = labels.astype(float)
    at_least = []  # how many true and how many false ones lie at each threshold or above
    for part in (real, 1.0 - real):
        counts, _ = np.histogram(bins, bins=count, range=(0, count - 1), weights=part * weights)
        at_least.append(np.cumsum(counts[::-1])[::-1])
    tp, fp = at_least
    tn, fn = fp[0] - fp, tp[0] - tp
    precision, recall = tp / np.maximum(_SMALL, tp + fp), tp / np.maximum(_SMALL, tp + fn)
    return _curve(tag, np.stack((tp, fp, tn, fn, precision, recall)), count)


def raw_precision_recall(tag, rows, num_thresholds=127):
    """The same from its six rows: true and false positives, true and false negatives, precision, recall."""
    return _curve(
        tag, np.stack([_array(row) for row in rows]), min(num_thresholds, _MOST_THRESHOLDS)
    )


def _curve(tag, data, count):
    from tensorboard.plugins.pr_curve.plugin_data_pb2 import PrCurvePluginData

    content = PrCurvePluginData(version=0, num_thresholds=count).SerializeToString()
    held = TensorProto(
        dtype="DT_FLOAT", float_val=data.reshape(-1).tolist(), tensor_shape=_shape(data.shape)
    )
    return _one(tag, tensor=held, metadata=_metadata("pr_curves", content))


def charts(layout):
    """{category: {title: [kind, tags]}}: "Multiline" shows the tags, "Margin" a value between two others."""
    from tensorboard.plugins.custom_scalar import layout_pb2 as proto

    categories = []
    for category, named in layout.items():
        made = []
        for title, (kind, tags) in named.items():
            if kind == "Margin":
                value, lower, upper = tags
                series = proto.MarginChartContent.Series(value=value, lower=lower, upper=upper)
                made.append(
                    proto.Chart(title=title, margin=proto.MarginChartContent(series=[series]))
                )
            else:
                made.append(
                    proto.Chart(title=title, multiline=proto.MultilineChartContent(tag=tags))
                )
        categories.append(proto.Category(title=category, chart=made))
    text = proto.Layout(category=categories).SerializeToString()
    held = TensorProto(dtype="DT_STRING", string_val=[text], tensor_shape=_shape(()))
    return _one("custom_scalars__config__", tensor=held, metadata=_metadata("custom_scalars"))


def audio(tag, sound, sample_rate=44100):
    """One channel of sound in [-1, 1], as 16-bit WAV. AssertionError for several channels."""
    array = _array(sound).squeeze()
    if abs(array).max() > 1:
        print("warning: audio amplitude out of range, auto clipped.")
        array = array.clip(-1, 1)
    if array.ndim != 1:
        raise AssertionError("input tensor should be 1 dimensional.")
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(sample_rate)
        target.writeframes((array * np.iinfo(np.int16).max).astype("<i2").data)
    held = Summary.Audio(
        sample_rate=sample_rate, num_channels=1, length_frames=array.shape[-1],
        encoded_audio_string=file.getvalue(), content_type="audio/wav",
    )  # fmt: skip
    return _one(tag, audio=held)


def mesh(tag, vertices, colors=None, faces=None, config=None):
    """Meshes: vertices (N, V, 3), colours (N, V, 3) from 0 to 255, faces (N, F, 3)."""
    from tensorboard.plugins.mesh import metadata
    from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData

    parts = [
        (vertices, MeshPluginData.VERTEX), (faces, MeshPluginData.FACE), (colors, MeshPluginData.COLOR)
    ]  # fmt: skip
    parts = [(_array(part), kind) for part, kind in parts if part is not None]
    components = metadata.get_components_bitmask([kind for _, kind in parts])
    text = json.dumps(config or {}, sort_keys=True)
    values = []
    for array, kind in parts:
        about = metadata.create_summary_metadata(
            tag, None, kind, components, array.shape, None, json_config=text
        )
        held = TensorProto(
            dtype="DT_FLOAT", float_val=array.reshape(-1).tolist(), tensor_shape=_shape(array.shape)
        )
        name = metadata.get_instance_name(tag, kind)
        values.append(Summary.Value(tag=name, tensor=held, metadata=about))
    return Summary(value=values)
