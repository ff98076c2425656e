"""Names of types for annotations."""

import os
from typing import IO, Union

import lampas

Number = Union[int, float, bool]
Device = Union[lampas.device, str, int, None]
FileLike = Union[str, os.PathLike, IO[bytes]]
Tensor = lampas.Tensor
Size = lampas.Size
Storage = lampas.UntypedStorage
BoolLikeType, IntLikeType, FloatLikeType = bool, int, float

__all__ = ["Device", "FileLike", "Number", "Size", "Storage"]
