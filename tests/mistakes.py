"""Mistakes that learners make: short programs that fail, the same under PyTorch and Lampas.

`docs/errors.md` shows them with what is printed (`tools/errors.py`); `test_hints.py` compares their
errors with PyTorch's. Each program sees `torch`, `nn`, `F` and `np`.
"""

import importlib
import textwrap
import warnings
from typing import NamedTuple


class Mistake(NamedTuple):
    title: str  # in English
    chinese: str  # the title, in Chinese
    code: str
    module: str = ""  # what the hint says before its text: the path of the module
    differs: str = ""  # why the text is not PyTorch's, where it is not


class Outcome(NamedTuple):
    kind: str
    text: str
    notes: list
    error: BaseException


def names(library):
    """What a program sees: the library's name is `torch` or `lampas`."""
    import numpy

    def load(path):
        return importlib.import_module(f"{library}{path}")

    load(".utils.data")
    load(".optim")
    return {
        "torch": load(""), "nn": load(".nn"), "F": load(".nn.functional"), "np": numpy,
        "__name__": "mistake",
    }  # fmt: skip


def outcome(code, library):
    """The error that a program ends with, or the warning that it gives."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        try:
            exec(textwrap.dedent(code), names(library))
        except Exception as error:
            notes = list(getattr(error, "__notes__", ()))
            return Outcome(type(error).__name__, str(error), notes, error)
    assert given, "the program runs"
    shown, category = given[0].message, given[0].category
    printed = warnings.formatwarning(shown, category, "mistake.py", 1)
    notes = printed.splitlines()[len(str(shown).splitlines()) :]
    return Outcome(category.__name__, str(shown), notes, shown)


_SHAPES = [
    Mistake(
        "A convolution after a convolution, with the wrong number of channels",
        "卷积层的通道数与上一层不符",
        """
        class DoubleConv(nn.Module):
            def __init__(self, inputs, outputs):
                super().__init__()
                self.double_conv = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 3),
                    nn.BatchNorm2d(outputs),
                    nn.ReLU(),
                    nn.Conv2d(inputs, outputs, 3),
                    nn.BatchNorm2d(outputs),
                    nn.ReLU(),
                )

            def forward(self, x):
                return self.double_conv(x)


        DoubleConv(3, 64)(torch.zeros(4, 3, 160, 160))
        """,
        "double_conv.3 (Conv2d(3, 64, kernel_size=(3, 3), stride=(1, 1)))",
    ),
    Mistake(
        "Images with their channels last",
        "图像的通道放在了最后",
        "nn.Conv2d(3, 8, 3)(torch.zeros(1, 28, 28, 3))",
        "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))",
    ),
    Mistake(
        "A Linear layer of the wrong size",
        "Linear 层的输入个数不对",
        """
        model = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(128, 10))
        model(torch.zeros(32, 784))
        """,
        "2 (Linear(in_features=128, out_features=10, bias=True))",
    ),
    Mistake(
        "Images that have not been flattened",
        "图像没有展平就进 Linear",
        """
        model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Linear(4 * 26 * 26, 10))
        model(torch.zeros(32, 1, 28, 28))
        """,
        "2 (Linear(in_features=2704, out_features=10, bias=True))",
    ),
    Mistake(
        "A matrix product of shapes that do not fit",
        "矩阵乘法的形状不配",
        "torch.zeros(2, 3) @ torch.zeros(2, 3)",
    ),
    Mistake(
        "A batched product of shapes that do not fit",
        "批量矩阵乘法的形状不配",
        "torch.zeros(8, 5, 4) @ torch.zeros(8, 5, 4)",
    ),
    Mistake(
        "Adding tensors that do not broadcast",
        "相加的张量不能广播",
        "torch.zeros(4, 3) + torch.zeros(4)",
    ),
    Mistake(
        "BatchNorm without a batch dimension",
        "BatchNorm 缺少批量维",
        "nn.BatchNorm2d(3)(torch.zeros(3, 28, 28))",
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)",
    ),
    Mistake(
        "The BatchNorm of another dimension",
        "BatchNorm 的维数用错了",
        "nn.BatchNorm1d(3)(torch.zeros(2, 3, 28, 28))",
        "BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)",
    ),
    Mistake(
        "BatchNorm of the wrong number of channels",
        "BatchNorm 的通道数不对",
        "nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(16))(torch.zeros(2, 1, 28, 28))",
        "1 (BatchNorm2d(16, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True))",
    ),
    Mistake(
        "BatchNorm in training, with one value per channel",
        "训练时 BatchNorm 的每个通道只有一个数",
        "nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8))(torch.zeros(1, 4))",
        "1 (BatchNorm1d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True))",
    ),
    Mistake(
        "A convolution without a channel dimension",
        "卷积的输入缺少通道维",
        "nn.Conv2d(1, 8, 3)(torch.zeros(28, 28))",
        "Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1))",
    ),
    Mistake(
        "An image that became too small",
        "图像缩得太小",
        """
        pools = nn.Sequential(nn.MaxPool2d(4), nn.MaxPool2d(4), nn.MaxPool2d(4))
        pools(torch.zeros(1, 3, 28, 28))
        """,
        "2 (MaxPool2d(kernel_size=4, stride=4, padding=0, dilation=1, ceil_mode=False))",
    ),
    Mistake(
        "LayerNorm of the wrong size",
        "LayerNorm 的大小不对",
        "nn.LayerNorm(10)(torch.zeros(4, 20))",
        "LayerNorm((10,), eps=1e-05, elementwise_affine=True, bias=True)",
    ),
    Mistake(
        "A view of the wrong size",
        "view 的元素个数不对",
        "torch.zeros(32, 8, 5, 5).view(-1, 300)",
    ),
    Mistake(
        "A view of a transposed tensor",
        "对转置后的张量用 view",
        "torch.zeros(3, 4).t().view(12)",
    ),
    Mistake(
        "An LSTM of the wrong input size",
        "LSTM 的输入大小不对",
        "nn.LSTM(16, 32, batch_first=True)(torch.zeros(8, 20, 10))",
        "LSTM(16, 32, batch_first=True)",
    ),
    Mistake(
        "A first state of an LSTM with batch and time exchanged",
        "LSTM 初始状态的批量和时间颠倒了",
        "nn.LSTM(3, 4)(torch.zeros(5, 2, 3), (torch.zeros(1, 5, 4), torch.zeros(1, 5, 4)))",
        "LSTM(3, 4)",
    ),
    Mistake(
        "Attention over the wrong number of features",
        "注意力层的特征数不对",
        """
        x = torch.zeros(2, 3, 10)
        nn.MultiheadAttention(12, 3)(x, x, x)
        """,
        "MultiheadAttention",
    ),
    Mistake(
        "Concatenating images of different sizes",
        "拼接大小不同的图像",
        "torch.cat([torch.zeros(1, 8, 56, 56), torch.zeros(1, 8, 57, 57)], dim=1)",
    ),
    Mistake(
        "item() of many elements",
        "对多个元素用 item()",
        "torch.zeros(10).item()",
    ),
    Mistake(
        "float() of many elements",
        "对多个元素用 float()",
        "float(torch.zeros(10))",
    ),
    Mistake(
        "A layer called while it is made",
        "创建层的时候就调用",
        "nn.ReLU(torch.zeros(3))(torch.zeros(3))",
        "ReLU",
    ),
    Mistake(
        "A word that is not in the vocabulary",
        "词的编号超出词表",
        "nn.Embedding(100, 8)(torch.tensor([5, 100]))",
        "Embedding(100, 8)",
    ),
    Mistake(
        "An index out of range",
        "下标越界",
        "torch.zeros(3)[5]",
    ),
    Mistake(
        "A dimension that is not there",
        "没有这一维",
        "torch.zeros(3).sum(1)",
    ),
]

_TYPES = [
    Mistake(
        "NumPy's float64 into a float32 model",
        "把 NumPy 的 float64 数据送进 float32 模型",
        "nn.Linear(10, 5)(torch.from_numpy(np.ones((4, 10))))",
        "Linear(in_features=10, out_features=5, bias=True)",
    ),
    Mistake(
        "The same, for a layer without bias",
        "同上，没有偏置的层",
        "nn.Linear(10, 5, bias=False)(torch.zeros(4, 10, dtype=torch.float64))",
        "Linear(in_features=10, out_features=5, bias=False)",
    ),
    Mistake(
        "Images of bytes into a convolution",
        "把字节图像直接送进卷积",
        "nn.Conv2d(3, 8, 3)(torch.zeros(1, 3, 28, 28, dtype=torch.uint8))",
        "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))",
    ),
    Mistake(
        "The same, for a convolution without bias",
        "同上，没有偏置的卷积",
        "nn.Conv2d(3, 8, 3, bias=False)(torch.zeros(1, 3, 28, 28, dtype=torch.uint8))",
        "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), bias=False)",
    ),
    Mistake(
        "float64 data into BatchNorm",
        "把 float64 数据送进 BatchNorm",
        "nn.BatchNorm1d(3)(torch.zeros(4, 3, dtype=torch.float64))",
        "BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)",
    ),
    Mistake(
        "float64 data into an LSTM",
        "把 float64 数据送进 LSTM",
        "nn.LSTM(3, 4)(torch.zeros(5, 2, 3, dtype=torch.float64))",
        "LSTM(3, 4)",
    ),
    Mistake(
        "Class labels that are floats",
        "类别标签是浮点数",
        "F.cross_entropy(torch.zeros(4, 5), torch.ones(4))",
    ),
    Mistake(
        "Yes-or-no labels that are integers",
        "二分类标签是整数",
        "nn.BCELoss()(torch.full((4,), 0.5), torch.tensor([0, 1, 1, 0]))",
        "BCELoss()",
    ),
    Mistake(
        "The same, with logits",
        "同上，用 logits",
        "nn.BCEWithLogitsLoss()(torch.zeros(4), torch.tensor([0, 1, 1, 0]))",
        "BCEWithLogitsLoss()",
    ),
    Mistake(
        "Indices that are floats",
        "下标是浮点数",
        "nn.Embedding(100, 8)(torch.tensor([5.0]))",
        "Embedding(100, 8)",
    ),
    Mistake(
        "A float tensor as an index",
        "用浮点张量作下标",
        "torch.zeros(3)[torch.tensor([1.0])]",
    ),
    Mistake(
        "One-hot of floats",
        "对浮点数做 one-hot",
        "F.one_hot(torch.tensor([3.0]), 4)",
    ),
    Mistake(
        "The mean of integers",
        "对整数求平均",
        "torch.tensor([1, 2, 3]).mean()",
    ),
    Mistake(
        "A gradient of integers",
        "对整数求梯度",
        "torch.tensor([1, 2, 3], requires_grad=True)",
    ),
    Mistake(
        "An array instead of a tensor",
        "传了数组，不是张量",
        "nn.Linear(3, 2)(np.ones((4, 3)))",
        "Linear(in_features=3, out_features=2, bias=True)",
    ),
    Mistake(
        "An LSTM in a Sequential",
        "把 LSTM 放进 Sequential",
        "nn.Sequential(nn.LSTM(3, 4), nn.Linear(4, 2))(torch.zeros(5, 2, 3))",
        "1 (Linear(in_features=4, out_features=2, bias=True))",
    ),
]

_GRADIENTS = [
    Mistake(
        "backward() twice",
        "两次 backward()",
        """
        w = torch.ones(3, requires_grad=True)
        loss = (w * w).sum()
        loss.backward()
        loss.backward()
        """,
    ),
    Mistake(
        "A needed tensor changed in place",
        "反向传播还要用的张量被就地修改",
        """
        w = torch.ones(3, requires_grad=True)
        y = w.exp()
        y += 1
        y.sum().backward()
        """,
    ),
    Mistake(
        "A step of the optimizer between two passes backward",
        "两次反向传播之间更新了参数",
        """
        net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        loss = net(torch.ones(2, 4)).sum()
        loss.backward(retain_graph=True)
        optimizer.step()
        loss.backward()
        """,
    ),
    Mistake(
        "A parameter changed in place",
        "就地修改参数",
        """
        w = torch.ones(3, requires_grad=True)
        w -= 0.1
        """,
    ),
    Mistake(
        "An element of a parameter changed in place",
        "就地修改参数的一个元素",
        """
        w = torch.ones(3, requires_grad=True)
        w[0] = 1
        """,
    ),
    Mistake(
        "numpy() of a tensor that requires grad",
        "对需要梯度的张量用 numpy()",
        "torch.ones(3, requires_grad=True).numpy()",
    ),
    Mistake(
        "backward() of many numbers",
        "对多个数 backward()",
        "(torch.ones(3, requires_grad=True) * 2).backward()",
    ),
    Mistake(
        "backward() of a loss without history",
        "loss 没有计算历史",
        "torch.ones(3).sum().backward()",
    ),
]

_TRAINING = [
    Mistake(
        "A label that is out of range",
        "标签超出类别数",
        "nn.CrossEntropyLoss()(torch.zeros(4, 10), torch.tensor([1, 2, 10, 3]))",
        "CrossEntropyLoss()",
    ),
    Mistake(
        "Inputs and labels of different batch sizes",
        "输入和标签的批量不同",
        """
        scores = torch.zeros(32, 20).view(-1, 10)
        F.cross_entropy(scores, torch.zeros(32, dtype=torch.int64))
        """,
    ),
    Mistake(
        "Labels in a column",
        "标签是一列",
        "F.cross_entropy(torch.zeros(4, 5), torch.zeros(4, 1, dtype=torch.int64))",
    ),
    Mistake(
        "Predictions and targets that broadcast (a warning)",
        "预测和目标被广播（警告）",
        "F.mse_loss(torch.zeros(4, 1), torch.zeros(4))",
    ),
    Mistake(
        "Predictions and targets of different shapes",
        "预测和目标的形状不同",
        "nn.BCEWithLogitsLoss()(torch.zeros(4, 1), torch.zeros(4))",
        "BCEWithLogitsLoss()",
    ),
    Mistake(
        "The same, with probabilities",
        "同上，用概率",
        "F.binary_cross_entropy(torch.full((4, 1), 0.5), torch.zeros(4))",
    ),
    Mistake(
        "BCELoss without a sigmoid",
        "BCELoss 前没有 sigmoid",
        "nn.BCELoss()(torch.tensor([2.5, -1.0]), torch.tensor([1.0, 0.0]))",
        "BCELoss()",
    ),
    Mistake(
        "An optimizer without parameters",
        "优化器没有参数",
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = [nn.Linear(3, 3), nn.Linear(3, 3)]


        torch.optim.SGD(Net().parameters(), lr=0.1)
        """,
    ),
    Mistake(
        "An optimizer of one tensor",
        "给优化器一个张量",
        "torch.optim.SGD(torch.ones(3, requires_grad=True), lr=0.1)",
    ),
    Mistake(
        "An optimizer of a computed tensor",
        "给优化器一个算出来的张量",
        "torch.optim.SGD([torch.ones(3, requires_grad=True) * 0.1], lr=0.1)",
    ),
    Mistake(
        "A batch of samples of unequal sizes",
        "一批样本大小不一",
        """
        images = [torch.zeros(3, 28, 28), torch.zeros(3, 32, 28)]
        for batch in torch.utils.data.DataLoader(images, batch_size=2):
            pass
        """,
    ),
    Mistake(
        "A batch of lists of unequal lengths",
        "一批列表长短不一",
        """
        for batch in torch.utils.data.DataLoader([[1, 2], [1, 2, 3]], batch_size=2):
            pass
        """,
    ),
    Mistake(
        "A dataset that returns nothing",
        "数据集什么也没返回",
        """
        class Images(torch.utils.data.Dataset):
            def __len__(self):
                return 4

            def __getitem__(self, i):
                torch.zeros(3, 28, 28)


        for batch in torch.utils.data.DataLoader(Images(), batch_size=2):
            pass
        """,
    ),
    Mistake(
        "An empty dataset",
        "空的数据集",
        "torch.utils.data.DataLoader([], shuffle=True)",
    ),
]

_MODELS = [
    Mistake(
        "Forgetting super().__init__()",
        "忘了 super().__init__()",
        """
        class Net(nn.Module):
            def __init__(self):
                self.fc = nn.Linear(3, 3)


        Net()
        """,
    ),
    Mistake(
        "A misspelt forward",
        "forward 拼错了",
        """
        class Net(nn.Module):
            def froward(self, x):
                return x


        Net()(torch.zeros(3))
        """,
        "Net()",
    ),
    Mistake(
        "A function among layers",
        "把函数放进层里",
        "nn.Sequential(nn.Linear(3, 3), torch.tanh)",
        differs="the type of a built-in function has another name",
    ),
    Mistake(
        "A file of another model",
        "加载了别的模型的文件",
        """
        saved = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3)).state_dict()
        nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)).load_state_dict(saved)
        """,
    ),
    Mistake(
        "A file saved from DataParallel",
        "文件是从 DataParallel 保存的",
        """
        saved = {"module.weight": torch.zeros(3, 3), "module.bias": torch.zeros(3)}
        nn.Linear(3, 3).load_state_dict(saved)
        """,
    ),
    Mistake(
        "A model in DataParallel, a file of a plain one",
        "模型套了 DataParallel，文件没有",
        "nn.DataParallel(nn.Linear(3, 3)).load_state_dict(nn.Linear(3, 3).state_dict())",
    ),
    Mistake(
        "A last layer of another size",
        "最后一层的大小不同",
        "nn.Linear(512, 10).load_state_dict(nn.Linear(512, 1000).state_dict())",
    ),
    Mistake(
        "A whole checkpoint instead of its model",
        "把整个检查点当成模型",
        """
        checkpoint = {"epoch": 3, "model": nn.Linear(3, 3).state_dict()}
        nn.Linear(3, 3).load_state_dict(checkpoint)
        """,
    ),
    Mistake(
        "A model instead of its state",
        "把模型当成它的状态",
        "nn.Linear(3, 3).load_state_dict(nn.Linear(3, 3))",
        differs="the module is named after its package",
    ),
    Mistake(
        "Attention heads that do not divide the features",
        "注意力头数不能整除特征数",
        "nn.MultiheadAttention(10, 3)",
    ),
    Mistake(
        "Groups that do not divide the channels",
        "组数不能整除通道数",
        "nn.GroupNorm(3, 10)",
    ),
]

_DEVICES = [
    Mistake(
        "CUDA on a machine without it",
        "没有 CUDA 的机器上用 CUDA",
        'nn.Linear(3, 3).to("cuda")',
        differs="the text is that of PyTorch's builds with CUDA",
    ),
    Mistake(
        "Tensors on different devices",
        "张量在不同的设备上",
        'torch.zeros(3) + torch.zeros(3, device="meta")',
    ),
    Mistake(
        "A value that a meta tensor has not",
        "meta 张量没有数值",
        'torch.zeros(3, device="meta").sum().item()',
    ),
    Mistake(
        "A device of the wrong name",
        "设备名字写错了",
        'torch.zeros(3).to("gpu")',
    ),
]

CHAPTERS = [
    ("Shapes and indices", "形状与下标", _SHAPES),
    ("Types", "数据类型", _TYPES),
    ("Gradients", "梯度", _GRADIENTS),
    ("Losses, optimizers, data", "损失、优化器、数据", _TRAINING),
    ("Models and their files", "模型与文件", _MODELS),
    ("Devices", "设备", _DEVICES),
]
MISTAKES = [mistake for _, _, chapter in CHAPTERS for mistake in chapter]
