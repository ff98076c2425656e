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
_device, _dtype, _layout = lampas.device, lampas.dtype, lampas.layout
_int, _float, _bool, _complex = int, float, bool, complex
_size = Union[lampas.Size, list, tuple]
_TensorOrTensors = Union[lampas.Tensor, tuple]
BoolLikeType, IntLikeType, FloatLikeType = bool, int, float

__all__ = ["Device", "FileLike", "Number", "Size", "Storage"]
