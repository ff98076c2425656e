"""Hints for dtypes that do not fit, and for arguments that are no tensors."""

from lampas.hints.table import hint

_CODE = {
    "Double": "float64", "double": "float64", "Float": "float32", "float": "float32",
    "Half": "float16", "c10::Half": "float16", "BFloat16": "bfloat16", "c10::BFloat16": "bfloat16",
    "Long": "int64", "long int": "int64", "Int": "int32", "int": "int32", "Byte": "uint8",
    "unsigned char": "uint8", "Bool": "bool", "bool": "bool",
}  # fmt: skip


def _dtype(name):
    """`Double`, `double`, `torch.DoubleTensor`, `CPUDoubleType` or `torch.float64` as float64."""
    bare = name.removeprefix("torch.").removesuffix("Tensor")
    if bare.startswith("CPU"):
        bare = bare[3:].removesuffix("Type")
    return _CODE.get(bare, bare)


def _mixed(given, wanted, place):
    """`given`: of the data; `wanted`: of the model, or of the other tensor."""
    given, wanted = _dtype(given), _dtype(wanted)
    owner = ("the model", "模型") if place else ("the other tensor", "另一个张量")
    cast = "x.float()" if wanted == "float32" else f"x.to(torch.{wanted})"
    en = f"the data are {given}, {owner[0]} is {wanted}. Convert the data: {cast}"
    zh = f"数据是 {given}，{owner[1]}是 {wanted}。请转换数据：{cast}"
    if given == "float64":
        en += "; NumPy's floats are float64: torch.from_numpy(a).float()"
        zh += "；NumPy 的浮点数是 float64：torch.from_numpy(a).float()"
    elif given == "uint8":
        en += "; for images x.float() / 255"
        zh += "；图像写 x.float() / 255"
    return en, zh


@hint(RuntimeError, r"mat1 and mat2 must have the same dtype, but got (\w+) and (\w+)")
def product_dtypes(match, place):
    return _mixed(match[1], match[2], place)


@hint(RuntimeError, r"expected m1 and m2 to have the same dtype, but got: (.+?) != (.+)\Z")
def matmul_dtypes(match, place):
    return _mixed(match[1], match[2], place)


@hint(RuntimeError, r"Input type \((.+?)\) and (?:bias|weight) type \((.+?)\) should be the same")
def convolution_dtypes(match, place):
    return _mixed(match[1], match[2], place)


@hint(ValueError, r"RNN input dtype \((.+?)\) does not match weight dtype \((.+?)\)")
def recurrent_dtypes(match, place):
    return _mixed(match[1], match[2], place)


@hint(RuntimeError, r"expected target dtype to be Long or Byte, but got (\w+)")
def class_labels(match, place):
    return (
        f"labels are class numbers, int64: target.long(); these are {_dtype(match[1])}. For yes or no "
        "use BCEWithLogitsLoss with float labels, to predict numbers MSELoss",
        f"标签是类别编号，应为 int64：target.long()；现在是 {_dtype(match[1])}。二分类请用 "
        "BCEWithLogitsLoss 和浮点标签，预测数值请用 MSELoss",
    )


@hint(
    RuntimeError,
    r"(?:Found dtype (\w+) but expected (?:Float|Double|Half|BFloat16)\b"
    r"|result type \w+ can't be cast to the desired output type (\w+))",
)
def float_labels(match, place):
    found = _dtype(match[1] or match[2])
    if match[2] and place is None:
        return (
            f"the result has fractions, {found} has none: convert first, x.float()",
            f"结果带小数，{found} 存不下：请先转换，x.float()",
        )
    return (
        f"the target is {found}, this loss wants the dtype of the input: target.float()",
        f"目标是 {found}，这个损失函数要求它与输入类型相同：target.float()",
    )


@hint(RuntimeError, r"expected scalar type (\w+) but found (\w+)")
def scalar_types(match, place):
    first, second = match.groups()
    if place is not None and not place.is_a("_Loss"):
        return _mixed(first, second, place)
    first, second = _dtype(first), _dtype(second)
    return (
        f"{first} and {second} meet here: data are x.float(), labels of classes target.long()",
        f"这里同时出现了 {first} 和 {second}：数据写 x.float()，类别标签写 target.long()",
    )


@hint(RuntimeError, r"mixed dtype \(CPU\)")
def norm_dtypes(match, place):
    return (
        "input and model have different dtypes: x.float() for a float32 model, or model.double()",
        "输入和模型的类型不同：模型是 float32 时写 x.float()，或者 model.double()",
    )


@hint(RuntimeError, r"Expected tensor for argument #1 'indices' to have one of the following")
def embedding_indices(match, place):
    return (
        "an embedding looks rows up by whole numbers: x.long()",
        "词嵌入按整数下标查表：x.long()",
    )


@hint(IndexError, r"tensors used as indices must be long, int, byte or bool tensors")
def index_dtype(match, place):
    return "indices are whole numbers: index.long()", "下标必须是整数：index.long()"


@hint(RuntimeError, r"one_hot is only applicable to index tensor")
def one_hot(match, place):
    return "classes are whole numbers: labels.long()", "类别必须是整数：labels.long()"


@hint(RuntimeError, r"mean\(\): could not infer output dtype\. .* Got: (\w+)")
def mean_of_integers(match, place):
    return (
        "the mean of whole numbers has fractions: x.float().mean()",
        "整数的平均值带小数：x.float().mean()",
    )


@hint(
    RuntimeError, r"[Oo]nly Tensors of floating point (?:and complex )?dtype can require gradients"
)
def integer_gradient(match, place):
    return (
        "write torch.tensor([1.0, 2.0]) with decimal points, or x.float(): integers have no gradient",
        "请写带小数点的 torch.tensor([1.0, 2.0])，或 x.float()：整数没有梯度",
    )


_NO_TENSOR = {
    "tuple": (
        "a tuple came instead of a tensor. LSTM and GRU return (output, state): out, _ = lstm(x)",
        "这里得到的是 tuple，不是张量。LSTM 和 GRU 返回 (output, state)：out, _ = lstm(x)",
    ),
    "numpy.ndarray": (
        "convert the array first: torch.from_numpy(a).float()",
        "请先把数组变成张量：torch.from_numpy(a).float()",
    ),
    "list": (
        "convert the list first: torch.tensor(a), or torch.stack(a) for a list of tensors",
        "请先把列表变成张量：torch.tensor(a)；由张量组成的列表用 torch.stack(a)",
    ),
    "NoneType": (
        "None came instead of a tensor: does a forward above end without `return`?",
        "这里得到的是 None，不是张量：前面某个 forward 是不是忘了 return？",
    ),
}


@hint(TypeError, r"\w+\(\): argument '\w+' \(position \d+\) must be Tensor, not ([\w.]+)")
def no_tensor(match, place):
    return _NO_TENSOR.get(match[1])
