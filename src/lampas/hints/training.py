"""Hints for losses, optimizers and data."""

from lampas.hints.table import hint

_LOSS_SIZES = (
    "the shapes of prediction and target differ: for (N, 1) against (N,) write pred.squeeze(1), or "
    "target.unsqueeze(1)",
    "预测和目标的形状不同：(N, 1) 对 (N,) 时写 pred.squeeze(1)，或 target.unsqueeze(1)",
)


@hint(IndexError, r"Target (-?\d+) is out of bounds\.")
def target_range(match, place):
    label = int(match[1])
    sizes = place.shape() if place else None
    classes = sizes[0 if len(sizes) == 1 else 1] if sizes else None
    if classes is not None:
        en = (
            f"the model gives {classes} classes, so labels go from 0 to {classes - 1}; {label} came"
        )
        zh = f"模型输出 {classes} 类，标签只能是 0 到 {classes - 1}，却出现了 {label}"
    else:
        en = f"with C columns of scores labels go from 0 to C - 1; {label} came"
        zh = f"得分有 C 列时，标签只能是 0 到 C - 1，却出现了 {label}"
    if label < 0:
        return (
            f"{en}. To leave samples out, use ignore_index={label}",
            f"{zh}。要忽略这些样本，请用 ignore_index={label}",
        )
    return (
        f"{en}. Give the last layer {label + 1} outputs or more; labels counted from 1: target - 1",
        f"{zh}。最后一层至少要有 {label + 1} 个输出；如果标签从 1 数起，请用 target - 1",
    )


@hint(ValueError, r"Expected input batch_size \((\d+)\) to match target batch_size \((\d+)\)")
def batch_sizes(match, place):
    given, labels = int(match[1]), int(match[2])
    return (
        f"{given} rows of scores, {labels} labels: one label a row is needed. Flatten with "
        "x.flatten(1), not x.view(-1, n), which can swallow the batch; for sequences scores are "
        "(N, C, T), or both are flattened",
        f"得分有 {given} 行，标签有 {labels} 个：每行要有一个标签。展平用 x.flatten(1)，不要用 x.view(-1, n)，"
        "它可能把批量也并进去；序列的得分应是 (N, C, T)，或者两边都展平",
    )


@hint(RuntimeError, r"0D or 1D target tensor expected, multi-target not supported")
def target_dimensions(match, place):
    return (
        "labels are (N,), one class number a sample: target.squeeze(1) for a column, "
        "target.argmax(1) for one-hot rows of integers",
        "标签应是 (N,)，每个样本一个类别编号：一列的用 target.squeeze(1)，整数 one-hot 用 target.argmax(1)",
    )


@hint(
    ValueError,
    r"(?:Using a target size \(.*\) that is different to the input size"
    r"|Target size \(.*\) must be the same as input size)",
)
def loss_sizes(match, place):
    return _LOSS_SIZES


@hint(UserWarning, r"Using a target size \(.*\) that is different to the input size")
def broadcast_loss(match, place):
    return (
        f"{_LOSS_SIZES[0]}. Otherwise each prediction is compared with every target, and the "
        "model learns their mean",
        f"{_LOSS_SIZES[1]}。否则每个预测都会与所有目标比较，模型学到的只是平均值",
    )


@hint(RuntimeError, r"all elements of input should be between 0 and 1")
def probabilities(match, place):
    return (
        "BCELoss takes probabilities: put a sigmoid before it, or better use BCEWithLogitsLoss "
        "without one. NaN gives this error as well: try a smaller learning rate",
        "BCELoss 的输入是概率：前面加 sigmoid；更好的办法是改用 BCEWithLogitsLoss，不加 sigmoid。"
        "出现 NaN 也会报这个错：试试更小的学习率",
    )


@hint(ValueError, r"optimizer got an empty parameter list")
def no_parameters(match, place):
    return (
        "the model has no parameters: make layers in __init__ as self.fc = nn.Linear(...), and keep "
        "lists of them in nn.ModuleList; layers in a plain list or dict are not found",
        "模型没有参数：在 __init__ 里用 self.fc = nn.Linear(...) 创建层，多个层放进 nn.ModuleList；"
        "放在普通 list 或 dict 里的层找不到",
    )


@hint(
    TypeError,
    r"(?:params argument given to the optimizer should be an iterable of Tensors or dicts"
    r"|optimizer can only optimize Tensors, but one of the params is)",
)
def optimizer_parameters(match, place):
    return (
        "pass model.parameters(), or a list of tensors: [w, b]",
        "请传 model.parameters()，或张量的列表：[w, b]",
    )


@hint(ValueError, r"can't optimize a non-leaf Tensor")
def computed_parameter(match, place):
    return (
        "this tensor was computed from others. Make it in one step - torch.randn(3, "
        "requires_grad=True), nn.Parameter(...) - and call .to(device) before requires_grad_()",
        "这个张量是由别的张量算出来的。请一步创建：torch.randn(3, requires_grad=True) 或 nn.Parameter(...)；"
        ".to(device) 要在 requires_grad_() 之前",
    )


@hint(ValueError, r"num_samples should be a positive integer value, but got num_samples=0")
def no_samples(match, place):
    return (
        "the dataset is empty: look at len(dataset), and at the path and the pattern of the files",
        "数据集是空的：请检查 len(dataset)，以及文件的路径和匹配方式",
    )


@hint(RuntimeError, r"each element in list of batch should be of equal size")
def list_sizes(match, place):
    return (
        "samples are lists of different lengths. Return tensors, and pad them in a collate_fn with "
        "nn.utils.rnn.pad_sequence",
        "各样本是长度不同的列表。请返回张量，并在 collate_fn 里用 nn.utils.rnn.pad_sequence 补齐",
    )


@hint(TypeError, r"default_collate: batch must contain tensors, .* found <class '([\w.]+)'>")
def collated_type(match, place):
    if match[1] == "NoneType":
        return (
            "__getitem__ of the dataset returned None: is a `return` missing?",
            "数据集的 __getitem__ 返回了 None：是不是忘了 return？",
        )
    return (
        f"__getitem__ of the dataset returns {match[1]}: make it a tensor, for images with "
        "transforms.ToTensor(), or give the DataLoader a collate_fn",
        f"数据集的 __getitem__ 返回了 {match[1]}：请变成张量（图像用 transforms.ToTensor()），"
        "或给 DataLoader 一个 collate_fn",
    )
