"""Hints for sizes and indices that do not fit."""

from lampas.hints.table import hint


def _numbers(text):
    return [int(n) for n in text.split(",") if n.strip()]


@hint(
    RuntimeError,
    r"Given (groups=\d+|transposed=1), weight of size \[([\d, ]+)\], expected input\[([\d, ]+)\] "
    r"to have (\d+) channels, but got (\d+) channels instead",
)
def convolution_channels(match, place):
    weight, sizes = _numbers(match[2]), _numbers(match[3])
    wanted, given = int(match[4]), int(match[5])
    name = place.name if place and place.is_a("_ConvNd") else f"conv{len(weight) - 2}d"
    en = f"this {name} takes {wanted} channels but is given {given}"
    zh = f"这个 {name} 的输入应有 {wanted} 个通道，得到的是 {given} 个"
    if sizes[-1] == wanted:
        unbatched = place is not None and len(place.shape() or sizes) < len(sizes)
        order = (2, 0, 1) if unbatched else (0, len(sizes) - 1, *range(1, len(sizes) - 1))
        if len(order) == 3 and len(sizes) == 3:
            order = (0, 2, 1)
        return (
            f"{en}. Channels come first here and seem to be last in your data: "
            f"x.permute({str(order)[1:-1]})",
            f"{zh}。这里通道排在前面，而数据里通道好像在最后：x.permute({str(order)[1:-1]})",
        )
    if place is None or not place.is_a("_ConvNd"):
        return f"{en}; the weight's sizes must fit the input", f"{zh}；权重的形状要与输入相配"
    fix = f"{name}({given}, {place.module.out_channels}, ...)"
    return (
        f"{en}. Write {fix} here, or give it {wanted} channels",
        f"{zh}。请改成 {fix}，或者给它 {wanted} 个通道",
    )


@hint(RuntimeError, r"mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)")
def matrix_product(match, place):
    rows, given, wanted, columns = map(int, match.groups())
    if place is None or not place.is_a("Linear"):
        return (
            f"a product (m, k) @ (k, n) needs the same k: {given} is not {wanted}. Does one matrix "
            "have to be transposed (x.T), or is a layer's number of inputs wrong?",
            f"矩阵乘法 (m, k) @ (k, n) 中两个 k 必须相等：{given} 不等于 {wanted}。是不是有一个矩阵要转置（x.T），"
            "或者某层的输入个数写错了？",
        )
    sizes = place.shape() or (rows, given)
    features = 1
    for n in sizes[1:]:
        features *= n
    en = f"this Linear takes {wanted} features but is given {given}"
    zh = f"这个 Linear 的输入应有 {wanted} 个特征，得到的是 {given} 个"
    if len(sizes) > 2 and features == wanted:
        return (
            f"{en}: the input {sizes} has not been flattened. Put nn.Flatten() before it, or "
            "x = x.flatten(1)",
            f"{zh}：输入 {sizes} 还没有展平。请在前面加 nn.Flatten()，或写 x = x.flatten(1)",
        )
    return (
        f"{en}, the last dimension of its input {sizes}. Write Linear({given}, {columns}) here, or "
        f"give it {wanted} features",
        f"{zh}（输入 {sizes} 的最后一维）。请改成 Linear({given}, {columns})，或者给它 {wanted} 个特征",
    )


@hint(
    RuntimeError,
    r"Expected size for first two dimensions of batch2 tensor to be: \[(\d+), (\d+)\] but got: "
    r"\[(\d+), (\d+)\]",
)
def batched_product(match, place):
    return (
        "a batched product is (B, m, k) @ (B, k, n), with the same B and the same k. Does the second "
        "tensor have to be transposed: b.transpose(-2, -1)?",
        "批量矩阵乘法是 (B, m, k) @ (B, k, n)，B 和 k 都要相同。第二个张量是不是要转置：b.transpose(-2, -1)？",
    )


@hint(
    RuntimeError,
    r"The size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton "
    r"dimension (\d+)",
)
def broadcasting(match, place):
    a, b, dim = match.groups()
    return (
        f"print both shapes: in dimension {dim} one has {a}, the other {b}. Sizes must be equal or 1, "
        "counted from the last dimension; unsqueeze(dim) adds a 1, and a skip connection needs the "
        "same shape on both sides",
        f"先打印两边的 shape：第 {dim} 维一个是 {a}，一个是 {b}。从最后一维数起，大小要么相等，要么是 1；"
        "unsqueeze(dim) 可以加一个 1；残差连接两边的形状必须相同",
    )


@hint(ValueError, r"expected (\dD(?: or \dD)?) input \(got (\d)D input\)")
def norm_dimensions(match, place):
    wanted, given = match[1], int(match[2])
    least = int(wanted[0])
    name = place.name if place else "the layer"
    if given == least - 1:
        return (
            f"a batch dimension is missing: {name} takes {wanted} input. For a single sample write "
            "x.unsqueeze(0)",
            f"缺少批量维：{name} 的输入应是 {wanted}。只有一个样本时写 x.unsqueeze(0)",
        )
    fit = {2: "BatchNorm1d", 3: "BatchNorm1d", 4: "BatchNorm2d", 5: "BatchNorm3d"}.get(given)
    if place and place.is_a("_BatchNorm") and fit:
        return (
            f"the input has {given} dimensions: {fit} takes those, or reshape the input",
            f"输入有 {given} 维：这样的输入用 {fit}，或者先改变输入的形状",
        )
    return (
        f"the input has {given} dimensions, {name} takes {wanted}: (N, C, ...), batch first",
        f"输入有 {given} 维，而 {name} 需要 {wanted}：(N, C, ...)，批量在最前",
    )


@hint(
    RuntimeError,
    r"Expected (\d)D \(unbatched\) or (\d)D \(batched\) input to (\w+), but got input of size: "
    r"\[([\d, ]*)\]",
)
def convolution_dimensions(match, place):
    unbatched, sizes = int(match[1]), _numbers(match[4])
    if len(sizes) == unbatched - 1:
        return (
            f"the channel dimension is missing: the input {tuple(sizes)} should be (C, ...) or "
            "(N, C, ...). x.unsqueeze(0) adds a channel of a single sample, x.unsqueeze(1) that of "
            "a batch",
            f"缺少通道维：输入 {tuple(sizes)} 应是 (C, ...) 或 (N, C, ...)。单个样本用 x.unsqueeze(0) "
            "加上通道，一批样本用 x.unsqueeze(1)",
        )
    return (
        f"the input {tuple(sizes)} has {len(sizes)} dimensions; reshape it to (N, C, ...), "
        f"{match[2]} dimensions in all",
        f"输入 {tuple(sizes)} 有 {len(sizes)} 维；请变成 (N, C, ...)，共 {match[2]} 维",
    )


@hint(RuntimeError, r"running_mean should contain (\d+) elements not (\d+)")
def norm_channels(match, place):
    given, wanted = match.groups()
    name = place.name if place else "BatchNorm2d"
    return (
        f"this layer is made for {wanted} channels but is given {given} (dimension 1 of the input). "
        f"Write {name}({given}), the number of outputs of the layer before it",
        f"这一层是为 {wanted} 个通道建的，得到的是 {given} 个（输入的第 1 维）。请写 {name}({given})，"
        "即前一层的输出个数",
    )


@hint(ValueError, r"Expected more than 1 value per channel when training, got input size (.*)\Z")
def one_value(match, place):
    return (
        "the mean of a single value tells nothing. Train with batches of 2 or more "
        "(DataLoader(..., drop_last=True) drops a last batch of 1), or call model.eval() to predict",
        "只有一个数，算不出均值和方差。训练时一批至少 2 个样本（DataLoader(..., drop_last=True) 会丢掉"
        "最后只剩 1 个的那一批）；预测时先调用 model.eval()",
    )


@hint(
    RuntimeError,
    r"Given normalized_shape=\[([\d, ]+)\], expected input with shape \[.*\], but got input of "
    r"size\[([\d, ]*)\]",
)
def layer_norm(match, place):
    wanted, sizes = _numbers(match[1]), _numbers(match[2])
    last = sizes[-len(wanted) :]
    fit = str(last[0] if len(last) == 1 else last)
    return (
        f"LayerNorm normalizes the last dimensions, here {last}, but is made for {wanted}. Write "
        f"LayerNorm({fit}), or move the dimension to the end",
        f"LayerNorm 在最后几维上归一化，这里是 {last}，而它是为 {wanted} 建的。请写 LayerNorm({fit})，"
        "或把那一维移到最后",
    )


@hint(
    RuntimeError,
    r"(Calculated padded input size per channel: \(([\dx ]+)\)\. Kernel size: \(([\dx ]+)\)"
    r"|Given input size: \(([\dx]+)\)\. Calculated output size: .* Output size is too small)",
)
def too_small(match, place):
    size = (match[2] or match[4]).replace(" ", "")
    return (
        f"the image has shrunk to {size} here: use larger images, fewer poolings or strides, or "
        "padding",
        f"到这里图像只剩 {size}：请用更大的图像、少做几次池化或跨步，或者加 padding",
    )


@hint(RuntimeError, r"shape '\[([-\d, ]*)\]' is invalid for input of size (\d+)")
def view_size(match, place):
    sizes, n = _numbers(match[1]), int(match[2])
    known = 1
    for size in sizes:
        known *= size if size != -1 else 1
    have = f"{n} elements do not fill {tuple(sizes)}"
    fills = f"{n} 个元素填不满 {tuple(sizes)}"
    if -1 in sizes:
        have += f": {n} is no multiple of {known}"
        fills += f"：{n} 不是 {known} 的倍数"
    return (
        f"{have}. To flatten all but the batch: x.flatten(1), or x.view(x.size(0), -1)",
        f"{fills}。除批量外全部展平：x.flatten(1) 或 x.view(x.size(0), -1)",
    )


@hint(RuntimeError, r"view size is not compatible with input tensor's size and stride")
def view_strides(match, place):
    return (
        "after transpose, permute or slicing the elements do not lie in order, and view never "
        "copies. Use x.reshape(...), which copies if it must, or x.contiguous().view(...)",
        "转置、permute 或切片之后，元素在内存里不再按顺序，而 view 从不复制。请用 x.reshape(...)（必要时复制），"
        "或 x.contiguous().view(...)",
    )


@hint(RuntimeError, r"input\.size\(-1\) must be equal to input_size\. Expected (\d+), got (\d+)")
def recurrent_input(match, place):
    wanted, given = match.groups()
    name = place.name if place else "LSTM"
    sizes = place.shape() if place else None
    en = f"this {name} takes {wanted} features a step but is given {given}"
    zh = f"这个 {name} 每一步的输入应有 {wanted} 个特征，得到的是 {given} 个"
    if sizes and int(wanted) in sizes[:-1]:
        return (
            f"{en}: the features come last, {sizes} has them elsewhere. Use x.permute(...) or "
            "x.transpose(...)",
            f"{zh}：特征应在最后一维，{sizes} 中却在别处。请用 x.permute(...) 或 x.transpose(...)",
        )
    hidden = place.module.hidden_size if place and hasattr(place.module, "hidden_size") else "..."
    return (
        f"{en}. Write {name}({given}, {hidden}, ...), or give it {wanted} features",
        f"{zh}。请写 {name}({given}, {hidden}, ...)，或者给它 {wanted} 个特征",
    )


@hint(RuntimeError, r"Expected hidden(?:\[\d\])? size \(([\d, ]+)\), got \[([\d, ]+)\]")
def recurrent_state(match, place):
    return (
        f"the first state must be ({match[1]}): layers (x 2 if bidirectional), batch, hidden size. "
        "Without batch_first=True dimension 0 of the input is time and dimension 1 the batch",
        f"初始状态应是 ({match[1]})：层数（双向则乘 2）、批量、隐藏单元数。没有 batch_first=True 时，"
        "输入的第 0 维是时间，第 1 维才是批量",
    )


@hint(AssertionError, r"was expecting embedding dimension of (\d+), but got (\d+)")
def attention_width(match, place):
    return (
        f"query, key and value have {match[2]} features, the layer is made for {match[1]}. Write "
        f"MultiheadAttention({match[2]}, ...); the features come last",
        f"query、key、value 有 {match[2]} 个特征，而这一层是为 {match[1]} 个建的。请写 "
        f"MultiheadAttention({match[2]}, ...)；特征在最后一维",
    )


@hint(
    RuntimeError,
    r"stack expects each tensor to be equal size, but got \[([\d, ]*)\] at entry 0 and "
    r"\[([\d, ]*)\] at entry (\d+)",
)
def stack_sizes(match, place):
    return (
        f"sample 0 is ({match[1]}), sample {match[3]} is ({match[2]}). In a DataLoader: bring images to "
        "one size with transforms.Resize((H, W)), or sequences with a collate_fn that calls "
        "nn.utils.rnn.pad_sequence",
        f"第 0 个样本是 ({match[1]})，第 {match[3]} 个是 ({match[2]})。用 DataLoader 时：图像用 "
        "transforms.Resize((H, W)) 统一大小，序列用调用 nn.utils.rnn.pad_sequence 的 collate_fn 补齐",
    )


@hint(
    RuntimeError,
    r"Sizes of tensors must match except in dimension (\d+)\. Expected size (\d+) but got size "
    r"(\d+) for tensor number (\d+)",
)
def concatenated_sizes(match, place):
    dim, first, other, index = match.groups()
    return (
        f"cat joins along dimension {dim}, all other sizes must agree: tensor {index} has {other} where "
        f"the first has {first}. Is dim={dim} the right one? In a U-Net crop or pad the skip connection",
        f"cat 沿第 {dim} 维拼接，其余各维必须相同：第 {index} 个张量是 {other}，第一个是 {first}。dim={dim} 对吗？"
        "在 U-Net 里，请裁剪或填充跳跃连接",
    )


@hint(
    (RuntimeError, ValueError),
    r"(a Tensor with \d+ elements cannot be converted to Scalar"
    r"|only one element tensors can be converted to Python scalars)",
)
def one_number(match, place):
    return (
        "a number comes from a tensor of one element: reduce first, x.mean().item() or x.sum().item(); "
        "for all elements x.tolist()",
        "只有一个元素的张量才能变成数：先归约，x.mean().item() 或 x.sum().item()；要全部元素用 x.tolist()",
    )


@hint(RuntimeError, r"Boolean value of Tensor with more than one value is ambiguous")
def truth(match, place):
    return (
        "`if`, `and`, `or`, `not` need one truth value: use (x > 0).any() or .all(), and &, |, ~ "
        "element by element. A layer is made first and called then: nn.ReLU()(x), not nn.ReLU(x)",
        "if、and、or、not 需要一个真假值：用 (x > 0).any() 或 .all()，逐元素用 &、|、~。层要先创建再调用："
        "nn.ReLU()(x)，不是 nn.ReLU(x)",
    )


@hint(IndexError, r"index out of range in self")
def embedding_range(match, place):
    rows = (
        place.module.num_embeddings if place and place.is_a("Embedding", "EmbeddingBag") else None
    )
    if rows is None:
        return (
            "an embedding of n rows takes indices from 0 to n - 1: make it larger, or look at x.max()",
            "n 行的词嵌入只接受 0 到 n - 1 的下标：请增大行数，或检查 x.max()",
        )
    width = place.module.embedding_dim
    return (
        f"it has {rows} rows and takes indices from 0 to {rows - 1}; look at x.max() and x.min(). Write "
        f"{place.name}(n, {width}) with n > x.max(): the size of the vocabulary, special tokens included",
        f"它有 {rows} 行，下标只能是 0 到 {rows - 1}；请看 x.max() 和 x.min()。改成 {place.name}(n, {width})，"
        "n 要大于 x.max()：词表的大小，含特殊符号",
    )


@hint(IndexError, r"index (-?\d+) is out of bounds for dimension (\d+) with size (\d+)")
def index_range(match, place):
    index, dim, size = match.groups()
    return (
        f"dimension {dim} has {size} elements, numbered from 0 to {int(size) - 1} (or -{size} to -1)",
        f"第 {dim} 维有 {size} 个元素，下标从 0 到 {int(size) - 1}（或 -{size} 到 -1）",
    )


@hint(
    IndexError,
    r"Dimension out of range \(expected to be in range of \[(-\d+), (\d+)\], but got (-?\d+)\)",
)
def dimension_range(match, place):
    count = int(match[2]) + 1
    return (
        f"the tensor has {count} dimension{'s' * (count > 1)}, so dim is {match[1]} to {match[2]}. Print "
        "x.shape; is the batch dimension missing?",
        f"张量有 {count} 维，dim 只能是 {match[1]} 到 {match[2]}。请打印 x.shape；是不是少了批量维？",
    )
