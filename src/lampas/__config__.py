"""`torch.__config__`: how this Lampas was built and runs, as text."""

import platform

import lampas


def show():
    """The version, the instruction set and the BLAS library."""
    return (
        f"Lampas {lampas.__version__} built with:\n"
        f"  - Python {platform.python_version()}, {platform.machine()}\n"
        f"  - CPU capability usage: {lampas.backends.cpu.get_cpu_capability()}\n"
        "  - BLAS and LAPACK: OpenBLAS\n"
    )


def parallel_info():
    """How many threads compute."""
    return f"lampas.get_num_threads() : {lampas.get_num_threads()}\n"
