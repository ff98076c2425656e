"""`torch.utils.cpp_extension`: names only. Extensions are built against PyTorch's C++, which is not here."""

from lampas import unavailable

CUDA_HOME = ROCM_HOME = None
globals().update(
    unavailable.names(
        "torch.utils.cpp_extension",
        "load load_inline CppExtension CUDAExtension include_paths library_paths",
        "BuildExtension",
        "extensions are built against PyTorch's C++ headers",
    )
)
is_ninja_available = unavailable.answering("torch.utils.cpp_extension.is_ninja_available", False)
