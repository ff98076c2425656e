"""The helpers under the module name that torchvision gives them."""

from lampas.vision.datasets.archive import extract_archive
from lampas.vision.datasets.download import (
    calculate_md5,
    check_integrity,
    check_md5,
    download_and_extract_archive,
    download_url,
)

__all__ = [
    "calculate_md5",
    "check_integrity",
    "check_md5",
    "download_and_extract_archive",
    "download_url",
    "extract_archive",
]
