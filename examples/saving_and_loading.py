"""Six ways of saving and loading models.

Both print the same:

    python examples/saving_and_loading.py            with Lampas
    python examples/saving_and_loading.py --torch    with PyTorch
"""

import tempfile
from pathlib import Path

from engine import arguments, torch

nn = torch.nn
F = torch.nn.functional


class Classifier(nn.Module):
    """Pictures (B, 3, 32, 32) to 10 scores."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc = nn.Linear(16 * 5 * 5, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(x.flatten(1))


class Finetuned(Classifier):
    """The same body with one more layer."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(10, 2)

    def forward(self, x):
        return self.head(F.relu(super().forward(x)))


def batch():
    return torch.randn(8, 3, 32, 32), torch.randint(0, 10, (8,))


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


def train(model, optimizer, steps):
    """The last loss of some steps on random pictures."""
    for _ in range(steps):
        images, labels = batch()
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss


def same(model, other):
    images = torch.ones(2, 3, 32, 32)
    with torch.no_grad():
        return torch.equal(model(images), other(images))


def state_dict(folder, model):
    """Parameters alone, into a model that the program builds."""
    torch.save(model.state_dict(), folder / "state.pt")
    loaded = Classifier()
    print("keys:", loaded.load_state_dict(torch.load(folder / "state.pt")))
    loaded.eval()
    print("same scores:", same(model, loaded))


def whole_model(folder, model):
    """The object itself: needs its class, and trust in the file, for it can run code."""
    torch.save(model, folder / "model.pt")
    try:
        torch.load(folder / "model.pt")
    except Exception as error:
        print("refused by default:", type(error).__name__)
    loaded = torch.load(folder / "model.pt", weights_only=False)
    print("same scores:", same(model, loaded), type(loaded).__name__)


def checkpoint(folder, model):
    """Model, optimizer and whatever else: training goes on as if it had not stopped."""
    optimizer = sgd(model)
    loss = train(model, optimizer, 3)
    content = {
        "epoch": 3,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "loss": loss.detach(),
        "rng_state": torch.get_rng_state(),
    }
    torch.save(content, folder / "checkpoint.tar")
    without_stop = train(model, optimizer, 3).item()

    resumed = Classifier()
    resumed_optimizer = sgd(resumed)
    content = torch.load(folder / "checkpoint.tar")
    resumed.load_state_dict(content["model_state_dict"])
    resumed_optimizer.load_state_dict(content["optimizer_state_dict"])
    torch.set_rng_state(content["rng_state"])
    resumed.train()
    print(f"epoch {content['epoch']}, loss {content['loss'].item():.4f}")
    after = train(resumed, resumed_optimizer, 3).item()
    print(f"three steps on: {without_stop:.4f}; from the file: equal {after == without_stop}")


def several_models(folder, model):
    """Two models in one file."""
    other = Finetuned()
    content = {"model": model.state_dict(), "other": other.state_dict()}
    torch.save(content, folder / "both.tar")
    content = torch.load(folder / "both.tar")
    loaded, loaded_other = Classifier(), Finetuned()
    loaded.load_state_dict(content["model"])
    loaded_other.load_state_dict(content["other"])
    print("same scores:", same(model, loaded), same(other, loaded_other))


def warm_start(folder, model):
    """A larger model takes over the layers that the file has."""
    torch.save(model.state_dict(), folder / "body.pt")
    larger = Finetuned()
    try:
        larger.load_state_dict(torch.load(folder / "body.pt"))
    except RuntimeError as error:
        print(*(line.strip() for line in str(error).splitlines()))
    found = larger.load_state_dict(torch.load(folder / "body.pt"), strict=False)
    print("missing:", found.missing_keys, "unexpected:", found.unexpected_keys)
    print("body taken over:", torch.equal(larger.fc.weight, model.fc.weight))


def devices(folder, model):
    """From any device to any other, and out of DataParallel's wrapper."""
    wrapped = nn.DataParallel(model)
    print("wrapped:", next(iter(wrapped.state_dict())))
    torch.save(wrapped.module.state_dict(), folder / "any.pt")
    target = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    loaded = Classifier().to(target)
    loaded.load_state_dict(torch.load(folder / "any.pt", map_location=target))
    print(
        "on the chosen device:", {parameter.device for parameter in loaded.parameters()} == {target}
    )
    print("same scores:", same(model, loaded.cpu()))


WAYS = (state_dict, whole_model, checkpoint, several_models, warm_start, devices)


def main(argv=None):
    arguments(__doc__, argv, writes=False)
    model = Classifier()
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            print(f"-- {way.__name__}: {way.__doc__}")
            way(Path(folder), model)


if __name__ == "__main__":
    main()
