"""LeNet-5 for digits. Source: Y. LeCun et al. (1998), with ReLU and maximum pooling.

torchvision has none, so `get_model` does not list it.
"""

import lampas.nn.functional as F
from lampas import nn


class LeNet(nn.Module):
    """(B, in_channels, 32, 32) to scores (B, num_classes)."""

    def __init__(self, num_classes=10, in_channels=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # (B, 6, 14, 14)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # (B, 16, 5, 5)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc3(F.relu(self.fc2(x)))


def lenet(**kwargs):
    """LeNet-5. `kwargs`: `num_classes`, `in_channels`."""
    return LeNet(**kwargs)
