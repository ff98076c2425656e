"""Hints for making modules and loading their states."""

import re

from lampas.hints.table import hint


def _keys(text, kind):
    found = re.search(rf"{kind} key\(s\) in state_dict: (.*?)\. (?:\n|\Z)", text, re.S)
    return re.findall(r'"([^"]*)"', found[1]) if found else []


_USUAL_NAMES = ("model_state_dict", "state_dict", "model", "net", "network", "weights")


@hint(RuntimeError, r"Error\(s\) in loading state_dict for ([\w.]+):\n(.*)")
def state_dict_keys(match, place):
    missing, unexpected = _keys(match[2], "Missing"), _keys(match[2], "Unexpected")
    prefixed = [key.removeprefix("module.") for key in unexpected]
    if (
        unexpected
        and all(key.startswith("module.") for key in unexpected)
        and (not missing or set(missing) & set(prefixed))
    ):
        return (
            "the file was saved from DataParallel, which puts `module.` before every name. Take it "
            'off: {k.removeprefix("module."): v for k, v in state.items()}',
            "这个文件是从 DataParallel 保存的，每个名字前都多了 module.。请去掉："
            '{k.removeprefix("module."): v for k, v in state.items()}',
        )
    if missing and all(key.startswith("module.") for key in missing):
        return (
            "the model is wrapped in DataParallel, the file is not: load into model.module",
            "模型套了一层 DataParallel，而文件没有：请用 model.module.load_state_dict(...)",
        )
    inside = [key for key in _USUAL_NAMES if key in unexpected]
    if missing and inside:
        return (
            f"this is a checkpoint with several things in it ({', '.join(unexpected[:4])}): take the "
            f'model\'s part, load_state_dict(checkpoint["{inside[0]}"])',
            f"这是一个检查点，里面有好几样东西（{'、'.join(unexpected[:4])}）：请取出模型那部分，"
            f'load_state_dict(checkpoint["{inside[0]}"])',
        )
    sizes = re.search(
        r"size mismatch for ([\w.]+): .*?torch\.Size\((.*?)\) from checkpoint, the shape in current "
        r"model is torch\.Size\((.*?)\)",
        match[2],
    )
    if sizes and not missing and not unexpected:
        name, saved, own = sizes.groups()
        return (
            f"{name} is {saved} in the file and {own} in the model. Make the model with the same "
            "sizes, or, to train a new last layer, delete its entries and load with strict=False",
            f"{name} 在文件里是 {saved}，在模型里是 {own}。请用相同的尺寸创建模型；如果要训练新的最后一层，"
            "先删掉它的条目，再用 strict=False 加载",
        )
    return (
        f"the model wants {len(missing)} names that the file lacks, the file has {len(unexpected)} "
        "others: was it saved from another model? Compare model.state_dict().keys() with those of "
        "the file; strict=False loads what fits",
        f"模型要的名字文件里缺 {len(missing)} 个，文件里另有 {len(unexpected)} 个：是不是别的模型存的？"
        "请比较 model.state_dict().keys() 和文件的键；strict=False 只加载对得上的",
    )


@hint(TypeError, r"Expected state_dict to be dict-like, got <class '([\w.]+)'>")
def no_state_dict(match, place):
    return (
        f"this is a {match[1].rpartition('.')[2]}, a whole model perhaps: load_state_dict(m.state_dict())",
        f"这是一个 {match[1].rpartition('.')[2]}，也许是整个模型：load_state_dict(m.state_dict())",
    )


@hint(AttributeError, r"cannot assign (\w+) before Module\.__init__\(\) call")
def no_super_init(match, place):
    return (
        "the first line of __init__ must be super().__init__()",
        "__init__ 的第一行必须是 super().__init__()",
    )


@hint(NotImplementedError, r'Module \[(.*)\] is missing the required "forward" function')
def no_forward(match, place):
    return (
        f"define forward(self, x) in {match[1]}: look at the spelling and at the indentation",
        f"请在 {match[1]} 里定义 forward(self, x)：检查拼写和缩进",
    )


@hint(TypeError, r"(.*) is not a Module subclass")
def no_module(match, place):
    return (
        "a container takes layers, not functions or tensors: nn.ReLU() rather than F.relu, "
        "nn.Linear(3, 3) rather than its class or result",
        "容器里要放层，不能放函数或张量：用 nn.ReLU() 而不是 F.relu，用 nn.Linear(3, 3) 而不是它的类或结果",
    )


@hint(AssertionError, r"embed_dim must be divisible by num_heads")
def heads(match, place):
    return (
        "each head takes an equal part of the features: MultiheadAttention(12, 3), 4 each",
        "各个头平分特征：例如 MultiheadAttention(12, 3)，每个头 4 个",
    )


@hint(ValueError, r"num_channels \((\d+)\) must be divisible by num_groups \((\d+)\)")
def groups(match, place):
    return (
        f"each group takes an equal part of the channels: choose a number of groups that divides {match[1]}",
        f"各组平分通道：组数要能整除 {match[1]}",
    )
