"""What trained classifiers expect: resized, cropped at the centre, normalized as ImageNet is."""

import lampas
from lampas.vision.transforms import functional as F
from lampas.vision.transforms.functional.image import InterpolationMode


class ImageClassification(lampas.nn.Module):
    """PIL image or tensor (..., C, H, W) to a normalized float tensor (..., C, crop, crop)."""

    def __init__(
        self,
        *,
        crop_size,
        resize_size=256,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        interpolation=InterpolationMode.BILINEAR,
        antialias=True,
    ):
        super().__init__()
        self.crop_size = [crop_size]
        self.resize_size = [resize_size]
        self.mean = list(mean)
        self.std = list(std)
        self.interpolation = interpolation
        self.antialias = antialias

    def forward(self, img):
        img = F.resize(img, self.resize_size, self.interpolation, antialias=self.antialias)
        img = F.center_crop(img, self.crop_size)
        if not isinstance(img, lampas.Tensor):
            img = F.pil_to_tensor(img)
        img = F.convert_image_dtype(img, lampas.float32)
        return F.normalize(img, mean=self.mean, std=self.std)

    def __repr__(self):
        lines = ("crop_size", "resize_size", "mean", "std", "interpolation")
        body = "".join(f"\n    {name}={getattr(self, name)}" for name in lines)
        return f"{type(self).__name__}({body}\n)"
