"""`python -m lampas.utils.collect_env`: what to tell about the machine when something goes wrong."""

import os
import platform
import sys

import lampas


def get_env_info():
    """(what, value) of library, system, Python, processor and packages."""
    return [
        ("PyTorch version", f"{lampas.__version__} (Lampas)"),
        ("OS", platform.platform()),
        ("Libc version", "-".join(platform.libc_ver()) or "N/A"),
        ("Python version", f"{sys.version} ({sys.maxsize.bit_length() + 1}-bit runtime)"),
        ("Is CUDA available", lampas.cuda.is_available()),
        ("CPU", platform.processor() or platform.machine()),
        ("CPU(s)", os.cpu_count()),
        ("Threads", lampas.get_num_threads()),
        *((f"[pip3] {name}", version) for name, version in _packages()),
    ]


def _packages():
    from importlib import metadata

    for name in ("numpy", "scipy", "scipy-openblas32", "safetensors", "tensorboard", "torch"):
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def get_pretty_env_info():
    """`get_env_info` as text, a line each."""
    return "\n".join(f"{what}: {value}" for what, value in get_env_info())


def main():
    """Prints it."""
    print("Collecting environment information...")
    print(get_pretty_env_info())


if __name__ == "__main__":
    main()
