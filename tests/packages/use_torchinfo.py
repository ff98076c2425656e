"""torchinfo: tables of a CNN, an LSTM and a transformer layer."""

import torch
from torch import nn
from torchinfo import summary


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 10, 5), nn.BatchNorm2d(10), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(10, 20, 5), nn.Dropout2d(), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)
        self.fc2.weight.requires_grad = False

    def forward(self, x):
        x = self.features(x).view(-1, 320)
        return nn.functional.log_softmax(self.fc2(nn.functional.relu(self.fc1(x))), dim=1)


columns = ("input_size", "output_size", "num_params", "kernel_size", "mult_adds", "trainable")
found = summary(Net(), (4, 1, 28, 28), depth=3, col_names=columns, verbose=0)
print(found)
print(found.total_params, found.trainable_params, found.total_mult_adds)
summary(nn.LSTM(5, 6, 2, batch_first=True), input_data=torch.zeros(2, 3, 5))
layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
summary(layer, (2, 4, 8), dtypes=[torch.float32])
print(summary(Net(), verbose=0))
