"""A U-Net finds shapes in noisy pictures, pixel by pixel.

    python examples/unet.py            with Lampas
    python examples/unet.py --torch    the same program on PyTorch: the same losses

--data FOLDER takes pictures from FOLDER/images and masks of the same names from FOLDER/masks;
without it they are drawn. Source: O. Ronneberger et al. (2015), with padding and normalization.
"""

import sys
import tempfile
from pathlib import Path

from engine import arguments, torch
from generated_data import write_masks

nn = torch.nn
F = nn.functional
Dataset, DataLoader = torch.utils.data.Dataset, torch.utils.data.DataLoader


class DoubleConv(nn.Module):
    """Twice convolution, normalization and ReLU; the size stays."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class Up(nn.Module):
    """Twice the size, beside what the way down had at that size."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
        self.conv = DoubleConv(in_channels, out_channels)

    def forward(self, x, beside):
        return self.conv(torch.cat([beside, self.up(x)], dim=1))


class UNet(nn.Module):
    """(B, 3, H, W), sides multiples of 8, to scores (B, 1, H, W): positive means shape."""

    def __init__(self, width=8):
        super().__init__()
        self.first = DoubleConv(3, width)
        self.down1 = DoubleConv(width, 2 * width)
        self.down2 = DoubleConv(2 * width, 4 * width)
        self.down3 = DoubleConv(4 * width, 8 * width)
        self.up1 = Up(8 * width, 4 * width)
        self.up2 = Up(4 * width, 2 * width)
        self.up3 = Up(2 * width, width)
        self.last = nn.Conv2d(width, 1, kernel_size=1)

    def forward(self, x):
        full = self.first(x)
        half = self.down1(F.max_pool2d(full, 2))
        quarter = self.down2(F.max_pool2d(half, 2))
        x = self.down3(F.max_pool2d(quarter, 2))
        x = self.up3(self.up2(self.up1(x, quarter), half), full)
        return self.last(x)


class MaskedPictures(Dataset):
    """(picture (3, H, W) in 0..1, mask (1, H, W) of 0 and 1) from two folders of PNG files."""

    def __init__(self, root):
        self.names = sorted(path.name for path in (Path(root) / "images").glob("*.png"))
        self.items = [
            (self.read(root, "images", name), self.read(root, "masks", name).gt(0.5).float())
            for name in self.names
        ]

    @staticmethod
    def read(root, folder, name):
        from lampas.vision.io import read_image

        return torch.tensor(read_image(Path(root) / folder / name).tolist()) / 255

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def dice(scores, masks):
    """Twice the common area over the sum of both areas."""
    found = (scores > 0).float()
    return (2 * (found * masks).sum() / (found.sum() + masks.sum()).clamp(min=1)).item()


def train(net, loader, args):
    optimizer = torch.optim.Adam(net.parameters(), lr=args.learning_rate)
    for epoch in range(1, args.epochs + 1):
        net.train()
        total, overlap = 0.0, 0.0
        for images, masks in loader:
            scores = net(images)
            loss = F.binary_cross_entropy_with_logits(scores, masks)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / len(loader)
            overlap += dice(scores.detach(), masks) / len(loader)
        print(f"epoch {epoch:2}  loss {total:.4f}  overlap {overlap:6.2%}", flush=True)


@torch.no_grad()
def show(net, dataset, path):
    """The overlap on `dataset`; pictures, masks and found shapes in three rows of a file."""
    from lampas import tensor
    from lampas.vision.utils import save_image

    net.eval()
    images, masks = (
        torch.stack(parts) for parts in zip(*(dataset[i] for i in range(len(dataset))))
    )
    scores = net(images)
    first = min(8, len(images))
    rows = [images[:first], masks[:first].repeat(1, 3, 1, 1)]
    rows.append((scores[:first] > 0).float().repeat(1, 3, 1, 1))
    save_image(tensor(torch.cat(rows).tolist()), path, nrow=first)
    return dice(scores, masks)


def main(argv=None):
    args = arguments(
        __doc__, argv, epochs=8, batch_size=6, count=72, width=8, learning_rate=0.005, data=None
    )
    with tempfile.TemporaryDirectory() as folder:
        root = args.data or write_masks(Path(folder), args.count, seed=args.seed)
        dataset = MaskedPictures(root)
    held_out = len(dataset) // 6
    sizes = [len(dataset) - held_out, held_out]
    train_set, test_set = torch.utils.data.random_split(dataset, sizes)
    net = UNet(args.width)
    train(net, DataLoader(train_set, batch_size=args.batch_size, shuffle=True), args)
    overlap = show(net, test_set, args.out / "unet.png")
    print(f"overlap on held-out pictures {overlap:.2%}, drawn in {args.out / 'unet.png'}")
    return overlap


if __name__ == "__main__":
    sys.exit(main() < 0.7)
