"""AlexNet, in the form with one column. Source: A. Krizhevsky (2014), arXiv 1404.5997."""

from lampas import nn
from lampas.vision.models.builder import builder
from lampas.vision.models.weights import imagenet

AlexNet_Weights = imagenet(
    "AlexNet_Weights", 61100840, {"IMAGENET1K_V1": "alexnet-owt-7be5be79.pth"}
)


class AlexNet(nn.Module):
    """(B, 3, H, W), at least 63 x 63 and made for 224 x 224, to scores (B, num_classes)."""

    def __init__(self, num_classes=1000, dropout=0.5):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(192, 384, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x):
        x = self.avgpool(self.features(x))  # (B, 256, 6, 6)
        return self.classifier(x.flatten(1))


@builder(AlexNet_Weights)
def alexnet(**kwargs):
    """AlexNet. `kwargs`: `num_classes`, `dropout`."""
    return AlexNet(**kwargs)
