"""Kinds of devices as profiles name them."""

import enum


class DeviceType(enum.Enum):
    """Where an event ran; here always CPU."""

    CPU, CUDA, MKLDNN, OPENGL, OPENCL, IDEEP, HIP, FPGA, MAIA, XLA = range(10)
    Vulkan, Metal, XPU, MPS, Meta, HPU, VE, Lazy, IPU, MTIA, PrivateUse1 = range(10, 21)

    def __str__(self):
        return f"DeviceType.{self.name}"
