"""Devices: what is there, moving tensors and models, timing, memory. Without a GPU on the CPU.

Both print the same:

    python examples/cuda_basics.py            with Lampas
    python examples/cuda_basics.py --torch    with PyTorch
"""

from engine import arguments, torch

nn = torch.nn


def choose():
    """The first GPU, or the CPU, and what one can know about it."""
    count = torch.cuda.device_count()
    print(f"CUDA available: {torch.cuda.is_available()}, devices: {count}")
    if not torch.cuda.is_available():
        print("there is no CUDA device here: everything below runs on the CPU")
        return torch.device("cpu")
    for index in range(count):
        print(f"  {index}: {torch.cuda.get_device_name(index)}")
    print(f"current device: {torch.cuda.current_device()}")
    return torch.device("cuda:0")


def move_tensors(device):
    """Tensors made on a device, moved to it and away; operands must be on one device."""
    made = torch.ones(2, 3, device=device)
    moved = torch.arange(6.0).view(2, 3).to(device)
    total = made + moved
    print("sum:", total.cpu().tolist(), "on", total.device)
    print("already there, so not copied:", moved.to(device) is moved)
    print("to the CPU and to double:", total.to("cpu", torch.double).dtype)
    if device.type == "cuda":
        try:
            made + moved.cpu()
        except RuntimeError as error:
            print("mixed devices:", str(error).splitlines()[0])


def move_model(device):
    """`Module.to` moves parameters and buffers in place; the data has to follow."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
    x, labels = torch.randn(32, 8), torch.randint(0, 2, (32,))
    net.to(device)
    x, labels = x.to(device), labels.to(device)
    print("every parameter and buffer moved:", {str(t.device) for t in net.state_dict().values()})
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    for step in range(1, 31):
        loss = nn.functional.cross_entropy(net(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            print(f"step {step}: loss {loss.item():.4f}")


def streams_and_memory(device):
    """Kernels run behind the program's back: events time them, `synchronize` waits for them."""
    if device.type != "cuda":
        print("streams, events and device memory belong to CUDA: skipped")
        return
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    a = torch.randn(2048, 2048, device=device)
    start.record()
    b = a @ a
    end.record()
    torch.cuda.synchronize()
    print(f"a product of 2048 x 2048 matrices: {start.elapsed_time(end):.2f} ms")
    held = torch.cuda.memory_allocated()
    del a, b
    print(f"memory: {held:,} bytes held, {torch.cuda.memory_allocated():,} after letting go")


def main(argv=None):
    arguments(__doc__, argv, writes=False)
    device = choose()
    move_tensors(device)
    move_model(device)
    streams_and_memory(device)


if __name__ == "__main__":
    main()
