"""A script that says `import torchvision`, started by the launcher."""

import subprocess
import sys

import pytest

pytest.importorskip("PIL.Image", reason="images need Pillow")

SCRIPT = """
import torch
import torch.nn as nn
import torchvision
import torchvision.transforms as transforms
import torchvision.transforms.functional as TF
from torch.utils.data import DataLoader
from torchvision import datasets, models
from torchvision.io import read_image
from torchvision.models import ResNet18_Weights, resnet18
from torchvision.models.resnet import BasicBlock
from torchvision.ops import box_iou
from torchvision.transforms import InterpolationMode, v2
from torchvision.utils import make_grid, save_image

torch.manual_seed(0)
steps = transforms.Compose([
    transforms.RandomCrop(32, padding=4),
    transforms.RandomHorizontalFlip(),
    transforms.ToTensor(),
    transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
])
data = datasets.FakeData(4, (3, 32, 32), num_classes=3, transform=steps)
images, labels = next(iter(DataLoader(data, batch_size=4, shuffle=True)))
model = models.resnet18(weights=None)
model.fc = nn.Linear(model.fc.in_features, 3)
nn.CrossEntropyLoss()(model(images), labels).backward()
print(isinstance(model.layer1[0], BasicBlock), model.conv1.weight.grad.shape)
save_image(make_grid(images, normalize=True), "grid.png")
print(read_image("grid.png").shape, TF.hflip(images).shape, ResNet18_Weights.DEFAULT)
torch.save(model, "model.pt")
print(type(torch.load("model.pt", weights_only=False)).__name__)
"""


def test_script_for_torchvision(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-m", "lampas", "run", "script.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.splitlines() == [
        "True torch.Size([64, 3, 7, 7])",
        "torch.Size([3, 36, 138]) torch.Size([4, 3, 32, 32]) ResNet18_Weights.IMAGENET1K_V1",
        "ResNet",
    ], done.stderr
