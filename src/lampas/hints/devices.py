"""Hints for devices."""

from lampas.hints.table import hint


@hint(
    (RuntimeError, AssertionError),
    r"(?:Found no NVIDIA driver on your system|Torch not compiled with CUDA enabled)",
)
def no_cuda(match, place):
    return (
        'write scripts for both: device = "cuda" if torch.cuda.is_available() else "cpu", then '
        'x.to(device) and model.to(device); files: torch.load(path, map_location="cpu")',
        '让脚本两种情况都能跑：device = "cuda" if torch.cuda.is_available() else "cpu"，再写 x.to(device)、'
        'model.to(device)；文件用 torch.load(path, map_location="cpu")',
    )


@hint(
    RuntimeError,
    r"(?:Expected all tensors to be on the same device|Tensor on device \S+ is not on the expected)"
    r"(.*)",
)
def mixed_devices(match, place):
    if "meta" in match[0]:
        return (
            'tensors on `meta` have no values: model.to_empty(device="cpu") makes room, then load '
            "a state dict",
            'meta 上的张量没有数值：先用 model.to_empty(device="cpu") 分配内存，再加载 state dict',
        )
    return (
        "move both to one device: model.to(device) once, and x = x.to(device) for every batch; "
        "tensors made in forward need device=x.device",
        "请把两者放到同一设备：模型一次 model.to(device)，每批数据 x = x.to(device)；forward 里新建的张量要写 device=x.device",
    )


@hint(RuntimeError, r"Tensor\.item\(\) cannot be called on meta tensors")
def no_values(match, place):
    return (
        "tensors on `meta` have shapes and no values: make them on the cpu",
        "meta 上的张量只有形状，没有数值：请在 cpu 上创建",
    )


@hint(RuntimeError, r"Expected one of cpu, cuda, .* device type at start of device string: (\w+)")
def device_name(match, place):
    if match[1] == "gpu":
        return 'the name of a GPU is "cuda"', '显卡的名字是 "cuda"'
    return (
        f'devices here are "cpu" and "meta"; {match[1]!r} is none of them',
        f'这里的设备是 "cpu" 和 "meta"；没有 {match[1]!r}',
    )
