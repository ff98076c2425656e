"""Summaries: what one event of TensorBoard holds, made of numbers, tensors, pictures and texts."""

import io

import numpy as np
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

import lampas

_COLUMNS = 8  # images a row


def _array(value):
    return value.detach().cpu().numpy() if isinstance(value, lampas.Tensor) else np.asarray(value)


def _metadata(plugin, content=b""):
    return SummaryMetadata(
        plugin_data=SummaryMetadata.PluginData(plugin_name=plugin, content=content)
    )


def _one(tag, **content):
    return Summary(value=[Summary.Value(tag=tag, **content)])


def scalar(tag, value, new_style=False, double_precision=False):
    """A number. AssertionError for a tensor of more elements, ValueError for what is no number."""
    if isinstance(value, str):
        value = float(value)
    array = _array(value).squeeze()
    if array.ndim:
        raise AssertionError(
            "Tensor should contain one element (0 dimensions).             "
            f"Was given size: {array.size} and {array.ndim} dimensions."
        )
    number = float(array)
    if not new_style:
        return _one(tag, simple_value=number)
    held = (
        TensorProto(double_val=[number], dtype="DT_DOUBLE")
        if double_precision
        else TensorProto(float_val=[number], dtype="DT_FLOAT")
    )
    return _one(tag, tensor=held, metadata=_metadata("scalars"))


def _shape(sizes):
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=n) for n in sizes])


def tensor(tag, value):
    """A tensor of float32 or float64 (half precision is widened)."""
    array = _array(value)
    if array.dtype == np.float64:
        content = {"dtype": "DT_DOUBLE", "double_val": array.reshape(-1).tolist()}
    elif array.dtype in (np.float32, np.float16):
        content = {"dtype": "DT_FLOAT", "float_val": array.reshape(-1).tolist()}
    else:
        raise ValueError(f"{tag}: type {array.dtype} cannot be written as a tensor")
    held = TensorProto(tensor_shape=_shape(array.shape), **content)
    return _one(tag, tensor=held, metadata=_metadata("tensor"))


def text(tag, value):
    """A text."""
    held = TensorProto(
        dtype="DT_STRING", string_val=[str(value).encode()], tensor_shape=_shape((1,))
    )
    return _one(f"{tag}/text_summary", tensor=held, metadata=_metadata("text"))


def _edges():
    """TensorFlow's bins: from 1e-12 to 1e20 in steps of a tenth, and the same below zero."""
    positive, edge = [], 1e-12
    while edge < 1e20:
        positive.append(edge)
        edge *= 1.1
    return [-edge for edge in reversed(positive)] + [0] + positive


def histogram(tag, values, bins="tensorflow", max_bins=None):
    """Counts of values by bins; empty bins at the ends are left out. ValueError without values."""
    array = _array(values).reshape(-1).astype(float)
    if not array.size:
        raise ValueError("The input has no element.")
    counts, edges = np.histogram(array, bins=_edges() if isinstance(bins, str) and bins == "tensorflow" else bins)  # fmt: skip
    if max_bins is not None and len(counts) > max_bins:
        counts, edges = _joined(counts, edges, len(counts) // max_bins)
    filled = np.nonzero(counts)[0]
    if not len(filled):
        raise ValueError("The histogram is empty, please file a bug report.")
    first, last = filled[0], filled[-1]
    held = HistogramProto(
        min=array.min(), max=array.max(), num=len(array), sum=array.sum(),
        sum_squares=array.dot(array),
        bucket_limit=edges[first : last + 2].tolist(),
        bucket=[0, *counts[first : last + 1].tolist()],
    )  # fmt: skip
    return _one(tag, histo=held)


def _joined(counts, edges, width):
    """Bins joined in groups of `width`; the last group may be smaller."""
    rest = -len(counts) % width
    grouped = np.append(counts, [0] * rest).reshape(-1, width).sum(-1)
    joined = edges[:-1:width]
    return grouped, np.append(joined, edges[-1])


def image(tag, value, dataformats):
    """An image, or a row of images, as PNG. Needs Pillow."""
    pixels = _pixels(_array(value), dataformats.upper())
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(file, format="PNG")
    height, width, channels = pixels.shape
    held = Summary.Image(
        height=height, width=width, colorspace=channels, encoded_image_string=file.getvalue()
    )
    return _one(tag, image=held)


def _pixels(array, form):
    """The array as (H, W, C) of uint8, by the letters of its dimensions."""
    if len(set(form)) != len(form) or not set(form) <= set("NCHW"):
        raise AssertionError(
            f"The input shape specified for images is invalid: {form} (letters of N, C, H, W)"
        )
    if array.ndim != len(form):
        raise AssertionError(
            "size of input tensor and input format are different.         "
            f"tensor shape: {array.shape}, input_format: {form}"
        )
    order = [letter for letter in "NHWC" if letter in form]
    array = array.transpose([form.index(letter) for letter in order])
    if "C" not in form:
        array = np.repeat(array[..., None], 3, -1)
    elif array.shape[-1] == 1:
        array = np.repeat(array, 3, -1)
    if "N" in form:
        array = _side_by_side(array)
    factor = 1 if array.dtype == np.uint8 else 255
    return (array.astype(np.float32) * factor).clip(0, 255).astype(np.uint8)


def _side_by_side(images):
    """(N, H, W, C) as one image, eight a row, black where the last row ends."""
    count, height, width, channels = images.shape
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    whole = np.zeros((rows * columns, height, width, channels), images.dtype)
    whole[:count] = images
    whole = whole.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return whole.reshape(rows * height, columns * width, channels)


def drawn(figure, close):
    """The pixels of a figure of matplotlib and their format; of several figures, stacked."""
    from matplotlib import pyplot
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figures = figure if isinstance(figure, list) else [figure]
    found = []
    for one in figures:
        canvas = FigureCanvasAgg(one)
        canvas.draw()
        found.append(np.asarray(canvas.buffer_rgba())[..., :3])
        if close:
            pyplot.close(one)
    return (np.stack(found), "NHWC") if isinstance(figure, list) else (found[0], "HWC")


def hyperparameters(values, metrics, domains=None):
    """The three summaries of a run: the experiment, how it began, how it ended."""
    from tensorboard.plugins.hparams import api_pb2 as api
    from tensorboard.plugins.hparams import plugin_data_pb2 as plugin

    start, infos = plugin.SessionStartInfo(), []
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, lampas.Tensor):
            value = value.item()
        if isinstance(value, str):
            start.hparams[name].string_value, kind = value, api.DATA_TYPE_STRING
        elif isinstance(value, (int, float)):
            start.hparams[name].number_value, kind = float(value), api.DATA_TYPE_FLOAT64
        else:
            raise ValueError("value should be one of int, float, str, bool, or torch.Tensor")
        info = api.HParamInfo(name=name, type=kind)
        if domains and name in domains:
            info.domain_discrete.extend(domains[name])
        infos.append(info)
    found = [api.MetricInfo(name=api.MetricName(tag=name)) for name in metrics]
    experiment = api.Experiment(hparam_infos=infos, metric_infos=found)
    end = plugin.SessionEndInfo(status=api.STATUS_SUCCESS)
    parts = (
        ("experiment", {"experiment": experiment}),
        ("session_start_info", {"session_start_info": start}),
        ("session_end_info", {"session_end_info": end}),
    )
    return [
        _one(
            f"_hparams_/{name}",
            metadata=_metadata("hparams", plugin.HParamsPluginData(**part).SerializeToString()),
        )
        for name, part in parts
    ]
