"""Random images with random labels, for trying a program without data."""

import lampas
from lampas.vision.datasets.vision import VisionDataset


class FakeData(VisionDataset):
    """`size` random images of `image_size` (C, H, W); item i is the same at each access."""

    def __init__(
        self,
        size=1000,
        image_size=(3, 224, 224),
        num_classes=10,
        transform=None,
        target_transform=None,
        random_offset=0,
    ):
        super().__init__(None, transform=transform, target_transform=target_transform)
        self.size = size
        self.num_classes = num_classes
        self.image_size = image_size
        self.random_offset = random_offset

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        from lampas.vision.transforms.functional import to_pil_image

        state = lampas.get_rng_state()
        lampas.manual_seed(index + self.random_offset)
        image = lampas.randn(*self.image_size)
        target = lampas.randint(0, self.num_classes, size=(1,), dtype=lampas.long)[0]
        lampas.set_rng_state(state)
        return self._transformed(to_pil_image(image), int(target))

    def __len__(self):
        return self.size
