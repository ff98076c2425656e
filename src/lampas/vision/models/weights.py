"""Trained weights: their names, their files, and the images they expect.

Files lie where PyTorch keeps them (`hub.get_dir()`, by default in `~/.cache/torch`),
so what one of them downloaded the other finds. They are read as data only, never run.
"""

import enum
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import lampas
from lampas import hub
from lampas.vision.datasets.download import DownloadError, download_url
from lampas.vision.transforms.presets import ImageClassification

_SITE = "https://download.pytorch.org/models/"


@dataclass
class Weights:
    """Where weights are, what makes their input (`transforms()`), and facts about them."""

    url: str
    transforms: Any
    meta: Mapping = field(default_factory=dict)


class WeightsEnum(enum.Enum):
    """The weights of one model; each member's value is a `Weights`, and so are its attributes."""

    @classmethod
    def verify(cls, value):
        """The member that `value` (a member, its name, or None) stands for."""
        if value is None:
            return None
        if isinstance(value, str):
            return cls[value.replace(cls.__name__ + ".", "")]
        if not isinstance(value, cls):
            raise TypeError(
                f"Invalid Weight class provided; expected {cls.__name__} but received "
                f"{type(value).__name__}."
            )
        return value

    @property
    def url(self):
        return self.value.url

    @property
    def transforms(self):
        return self.value.transforms

    @property
    def meta(self):
        return self.value.meta

    def get_state_dict(self, progress=True, check_hash=False):
        """The tensors by name. RuntimeError tells where to put the file if it cannot be had."""
        path = weights_file(self.url, progress)
        return lampas.load(path, map_location="cpu", weights_only=True)

    def __repr__(self):
        return f"{type(self).__name__}.{self._name_}"


def weights_file(url, progress=True):
    """The path of the file of `url`, downloaded unless it is there.

    A name `model-0123abcd.pth` carries the first digits of the file's SHA-256, which are checked.
    """
    name, folder = url.rpartition("/")[2], os.path.join(hub.get_dir(), "checkpoints")
    path = os.path.join(folder, name)
    if os.path.isfile(path):
        return path
    digits = re.search(r"-([0-9a-f]{8,})\.", name)
    try:
        download_url(url, folder, name, sha256=digits and digits.group(1), progress=progress)
    except DownloadError as error:
        raise RuntimeError(
            f"The weights are not here and cannot be downloaded ({error}). "
            f"Put the file of {url} at {path}, or build the model with weights=None."
        ) from None
    return path


def imagenet(name, num_params, files, default=None, **image):
    """The `WeightsEnum` called `name` of a classifier of the 1000 classes of ImageNet.

    `files` maps versions to files, or to pairs of a file and how to change the expected images.
    """
    members = {}
    for version, entry in files.items():
        file, changes = entry if isinstance(entry, tuple) else (entry, {})
        preset = partial(ImageClassification, **{"crop_size": 224, **image, **changes})
        members[version] = Weights(_SITE + file, preset, {"num_params": num_params})
    members["DEFAULT"] = members[default or list(files)[-1]]
    return WeightsEnum(name, members, module=__name__)
