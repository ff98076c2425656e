"""What single blocks of the documents need before they can run, and what is not comparable.

Code given here is ours: definitions that the text around a block takes for granted, and lines that
show what a silent block did. Blocks of a document share one namespace, as they do for a reader.
"""

from dataclasses import dataclass, replace

TITLES = {
    1: "notes on autograd and nn (Chinese)",
    2: "PyTorch 60min 教程",
    3: "PyTorch_Note, README of a repository",
    4: "PyTorch 入门 (1)",
    5: "PyTorch Learning Notes",
}

# What the documents name or do, and the program of ours that does it.
PROGRAMS = {
    "3, Pytorch_Basic: gradients, data sets, saving and loading": "autograd_basics",
    "3, Pytorch_linearRegression: a whole training on one line": "linear_regression",
    "3, pytorch_cuda: devices": "cuda_basics",
    "3, Pytorch_logisticRegression": "logistic_regression",
    "3, Pytorch_NNdemo: a 784-500-10 network": "feedforward_mnist",
    "3, Pytorch_CNN": "convnet_mnist",
    "3, LeNet": "digits",
    "3, ResNet": "resnet_cifar",
    "3, the U-Net of its errors": "unet",
    "5, two layers: NumPy, tensors, autograd, own Function, nn, optim, own Module, dynamic depth": (
        "two_layer_net"
    ),
    "5, saving and loading": "saving_and_loading",
    "5, bag of words": "bag_of_words",
    "5, embeddings of a knowledge graph": "knowledge_graph",
}

# Documents whose characters were decoded as Windows-1252 somewhere; lost bytes become U+FFFD.
GARBLED = {3}

# Lines whose inline code is something to type; other inline code only mentions a name.
INLINE = {
    4: {46, 54},
    5: {
        *(15, 19, 23, 27, 31, 35, 37, 41, 47, 49, 59, 63, 65, 103, 105, 107, 114, 116, 401, 403),
        *(1037, 1055, 1140, 1157, 1168, 1179, 1183, 1196),
    },
}

# Transcripts of a console: an expression on a line of its own shows its value.
CONSOLE = {2}

_ELLIPSIS = ("\n    ...\n", "\n", "an ellipsis stands for further entries: removed")

# Block: (old, new, what was wrong).
EDITS = {
    "2.1": [("构建一个5x3", "# 构建一个5x3", "a line of prose in the code: commented")],
    "2.12": [("print(a.requires_grad)\nFalse\n", "print(a.requires_grad)\n", "a result removed")],
    "3.1": [("super.__init__()", "super().__init__()", "`super` was not called")],
    "3.2": [("super.__init__()", "super().__init__()", "`super` was not called")],
    "5.13": [("(转置)", "", "a remark (transposed) removed")],
    "5.64": [_ELLIPSIS],
    "5.66": [_ELLIPSIS],
}

# Blocks that show what the author saw printed, and the block that prints it: compared with ours.
SHOWN = {"1.3": "1.2", "1.5": "1.4", "1.7": "1.6", "4.3": "4.2"}

# Block: why it is no program for either library.
NO_PROGRAM = {
    **{block: f"the output of {source}; Lampas prints the same" for block, source in SHOWN.items()},
    "1.10": "the output of 1.9 for other random numbers, from before gradients started as None",
    "3.28": "a diagram of the network in words",
    "5.48": "names two Python packages",
    "5.54": "is a program for TensorFlow 1, which neither library is",
}


@dataclass(frozen=True)
class Step:
    """How one block runs. All fields may be left out.

    fresh: start with an empty namespace. before, after: code of ours. raises: the exception that
    the block ends with under PyTorch 2.13. rounding: the relative difference allowed between
    numbers, 0 for none. uninitialised: values are whatever was in memory, only their layout is
    compared. state: compare the values that it leaves. console: show bare expressions. differs: a
    pattern that only Lampas prints, where it differs knowingly. why: the reason of `raises`,
    `rounding`, `uninitialised` or `differs`.
    """

    fresh: bool = False
    before: str = ""
    after: str = ""
    raises: str = ""
    rounding: float = 0.0
    uninitialised: bool = False
    state: bool = True
    console: bool = False
    differs: str = ""
    why: str = ""


MATMUL = "sums of products are taken in another order: last digits"
STEPS_OF_TRAINING = "sums of products are taken in another order, over hundreds of steps"
# Hundreds of steps carry a difference in the last digit far. With its own kernels of another
# instruction set (MKL_CBWR=COMPATIBLE ATEN_CPU_CAPABILITY=default), PyTorch differs from itself by
# 2 % where the loss falls by ten orders of magnitude, and by 0.3 % in the other long trainings.
# At the end of the former the gradients are rounding errors themselves.
TO_THE_FLOOR = Step(rounding=5e-2, state=False, why=STEPS_OF_TRAINING)
LONG_TRAINING = Step(rounding=1e-2, why=STEPS_OF_TRAINING)
NO_GPU = "there is no CUDA device: both raise the same error"
NO_CUDA = Step(
    raises="AssertionError",
    differs=r"^RuntimeError: (Found no NVIDIA driver|No CUDA GPUs are available)",
    why="without a GPU Lampas says what PyTorch's CUDA builds say, its CPU build names the build",
)
ONE_NODE = "in the graph a linear layer is one node here, whose first input is the layer's input"

_MSE_NET = """
net = Net()
input = torch.randn(1, 1, 32, 32)
target = torch.randn(1, 10)
criterion = nn.MSELoss()
loss = criterion(net(input), target)
"""
_WEIGHT = "weight, learning_rate, gradient = torch.randn(3), 0.1, torch.ones(3)\n"
_CIFAR = """
from torchvision import datasets, transforms
transform = transforms.Compose([transforms.Grayscale(), transforms.ToTensor()])
trainset = datasets.CIFAR10('.', train=True, transform=transform)
testset = datasets.CIFAR10('.', train=False, transform=transform)
classes = trainset.classes
"""
_MNIST = """
from torch.utils.data import DataLoader, Dataset
class Digits(Dataset):
    def __init__(self):
        self.source = datasets.MNIST('.', train=False, transform=transforms.ToTensor())
    def __len__(self):
        return len(self.source)
    def __getitem__(self, i):
        return self.source[i]
XXX_dataset = Digits()
"""
_SHOW_BATCHES = """
for images, labels in dataloader:
    print(images.shape, images.mul(255).round().long().sum().item(), labels)
"""
_CHECKPOINT = """
def TheOptimizerClass(*args, **kwargs):
    return torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
loss = model(torch.ones(1, 3, 32, 32)).sum()
loss.backward()
optimizer.step()
epoch, loss = 3, loss.detach()
"""
_TWO_MODELS = """
class TheModelAClass(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)
class TheModelBClass(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.head = nn.Linear(2, 2)
def TheOptimizerAClass(*args, **kwargs):
    return torch.optim.SGD(modelA.parameters(), lr=0.1)
def TheOptimizerBClass(*args, **kwargs):
    return torch.optim.Adam(modelB.parameters(), lr=0.2)
modelA, modelB = TheModelAClass(), TheModelBClass()
optimizerA, optimizerB = TheOptimizerAClass(), TheOptimizerBClass()
"""
_BOTH_IN_3_1 = """
try:
    DoubleConv(3, 64)(torch.ones(4, 3, 160, 160))
except RuntimeError as error:
    print(error)
"""
_WHOLE_MODEL = """
model = torch.load(PATH, weights_only=False)
model.eval()
print(model)
"""
_CURVE = """
x = torch.unsqueeze(torch.linspace(-1, 1, 100), dim=1)
y = x.pow(2) + 0.2 * torch.rand(x.size())
"""
_LOSS = "print(loss.item())\n"

STEPS = {
    "1.1": Step(before="import torch\n"),
    "1.9": Step(before=_MSE_NET, rounding=1e-4, why=MATMUL),
    "1.11": Step(before=_WEIGHT, after="print(weight)\n"),
    "1.12": Step(after=_LOSS, rounding=1e-4, why=MATMUL),
    "2.8": NO_CUDA,
    "2.9": Step(before="device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')\n"),
    "2.12": Step(before="a = torch.tensor([[-1.2560, -11.1015], [-2.4457, 1.9479]])\n"),
    "2.13": Step(before="z = y * y * 3\nout = z.mean()\n"),
    "3.1": Step(before="import torch\nimport torch.nn as nn\n", after=_BOTH_IN_3_1),
    "3.2": Step(after="print(DoubleConv(3, 64)(torch.ones(4, 3, 160, 160)).shape)\n"),
    "3.6": Step(uninitialised=True, why="prints uninitialised memory"),
    "3.25": Step(rounding=1e-4, why=MATMUL),
    "3.27": Step(rounding=1e-4, why=MATMUL),
    "3.29": Step(rounding=1e-4, why=MATMUL),
    "3.30": Step(before=_WEIGHT, after="print(weight)\n"),
    "3.31": Step(after=_LOSS, rounding=1e-4, why=MATMUL),
    "4.1": Step(
        before="import torch\nx = torch.ones(2, requires_grad=True)\nout = (x * x).sum()\n",
        after="print(x.grad)\n",
    ),
    "4.4": Step(
        before="x = torch.ones(1, requires_grad=True)\nz = out = x + 2\ngradient = torch.ones(1)\n",
        after="print(x.grad, L, gradient)\n",
    ),
    "4.5": Step(
        before="from torch import unsqueeze\n",
        after="print(unsqueeze(torch.linspace(-1, 1, 100), dim=1).size())\n",
    ),
    "4.6": Step(before="import torch.nn.functional as F\n"),
    "4.7": Step(before="net = Net(1, 10, 1)\n", after="print(optimizer, loss_func)\n"),
    "4.8": Step(before=_CURVE, after=_LOSS, rounding=1e-3, why=STEPS_OF_TRAINING),
    "5.2": Step(
        before="import torch\n",
        after="print(x.size(), x.dtype)\n",
        uninitialised=True,
        why="makes uninitialised memory",
    ),
    "5.9": Step(before="y = torch.rand(5, 3)\n"),
    "5.18": Step(before="a = torch.abs(tensor)\n"),
    "5.19": Step(before="import numpy as np\n", console=True),
    "5.20": Step(before="numbers, data = data, tensor\n", after="data = numbers\n"),
    "5.22": Step(console=True),
    "5.23": Step(before="tensor = torch.FloatTensor([[1, 2], [3, 4]])\n"),
    "5.24": Step(before="tensor = torch.FloatTensor(data)\n"),
    "5.30": Step(
        before="x = torch.randn(3, requires_grad=True)\ny = x * 512\n", after="print(x.grad)\n"
    ),
    "5.32": Step(before="from torch.autograd import Variable\n"),
    "5.35": Step(rounding=1e-4, why=MATMUL),
    "5.36": Step(after="print(net.conv1.bias.grad)\n", rounding=1e-4, why=MATMUL),
    "5.37": Step(rounding=1e-4, why=MATMUL),
    "5.38": Step(differs=r"<ReluBackward0 object", why=ONE_NODE),
    "5.39": Step(rounding=1e-4, why=MATMUL),
    "5.40": Step(after=_LOSS, rounding=1e-4, why=MATMUL),
    "5.41": Step(before=_CIFAR, after="print(len(trainloader))\n"),
    "5.42": Step(
        before="criterion = nn.CrossEntropyLoss()\n",
        after="print(running_loss)\n",
        rounding=1e-3,
        why=MATMUL,
    ),
    "5.43": Step(
        before="testloader = torch.utils.data.DataLoader(testset, batch_size=4, num_workers=2)\n"
    ),
    "5.49": Step(before=_MNIST, after=_SHOW_BATCHES),
    "5.50": Step(fresh=True),
    "5.51": TO_THE_FLOOR,
    "5.52": TO_THE_FLOOR,
    "5.53": TO_THE_FLOOR,
    "5.55": LONG_TRAINING,
    "5.56": LONG_TRAINING,
    "5.57": LONG_TRAINING,
    "5.58": LONG_TRAINING,
    "5.59": Step(fresh=True),
    "5.60": Step(before="PATH, args, kwargs = 'model.pt', (), {}\n"),
    "5.63": Step(
        after=_WHOLE_MODEL,
        raises="UnpicklingError",
        why="PyTorch 2.6 and later load whole models only with `weights_only=False`",
    ),
    "5.64": Step(before=_CHECKPOINT),
    "5.65": Step(after="print(epoch, loss, model.training)\n", rounding=1e-4, why=MATMUL),
    "5.66": Step(before=_TWO_MODELS),
    "5.67": Step(after="print(optimizerB)\n"),
    "5.69": Step(after="print(torch.equal(modelB.linear.weight, modelA.linear.weight))\n"),
    "5.73": NO_CUDA,
    "5.74": replace(NO_CUDA, before="my_tensor = torch.ones(3)\n"),
    "5.76": Step(raises="RuntimeError", why=NO_GPU),
    "5.77": Step(
        before="model = torch.nn.DataParallel(TheModelClass())\n",
        after="print(list(torch.load(PATH)))\n",
    ),
    "5.78": Step(fresh=True),
    "5.94": Step(rounding=1e-3, why=STEPS_OF_TRAINING),
}
