"""Matrix products, attention and recurrent networks, Lampas beside PyTorch, turn by turn in one process.

    python benchmarks/products.py [--rounds 9] [--threads 1] [--only lstm] [--json out.json]

A row is the median over the rounds, the ratio the median of the rounds' own ratios. In a product's
name, a letter behind a size says that the operand lies transposed in memory. PyTorch's OpenMP
threads keep spinning after a call, so with two threads or more Lampas is measured after a pause.
"""

import argparse
import json
import statistics
import time

PRODUCTS = [
    (64, 1000, 100, "nn"), (1000, 64, 100, "tn"), (64, 100, 10, "nn"), (128, 784, 512, "nn"),
    (512, 512, 512, "nn"), (1024, 1024, 1024, "nn"), (1024, 1024, 1024, "nt"),
    (2048, 2048, 2048, "nn"), (1, 4096, 4096, "nn"), (1, 4096, 4096, "nt"), (4096, 4096, 1, "nn"),
    (4, 1024, 1024, "nn"), (4, 1024, 1024, "nt"), (64, 768, 2304, "nt"), (2048, 384, 1152, "nt"),
    (1152, 2048, 384, "tn"), (256, 64, 3136, "nn"), (32, 32, 32, "nn"),
]  # fmt: skip
SECONDS = 0.05  # of one sample


def cases():
    """name -> (floating-point operations or None, function of a library that makes the step)."""
    found = {}
    for dtype in ("float32", "float64"):
        for m, k, n, layout in PRODUCTS:
            name = f"mm.{m}x{k}{'t' * (layout[0] == 't')}x{n}{'t' * (layout[1] == 't')}.{dtype}"
            found[name] = (2 * m * k * n, lambda t, s=(m, k, n, layout, dtype): product(t, *s))
    for causal in (False, True):
        for shape in ((8, 6, 256, 64), (1, 8, 2048, 64)):
            name = f"attention.{'x'.join(map(str, shape))}{'.causal' * causal}"
            found[name + ".forward"] = (
                None,
                lambda t, s=shape, c=causal: attention(t, s, c, False),
            )
            found[name + ".both"] = (None, lambda t, s=shape, c=causal: attention(t, s, c, True))
    for kind in ("LSTM", "GRU", "RNN"):
        found[f"{kind.lower()}.256x2.seq64.batch16"] = (None, lambda t, k=kind: recurrent(t, k))
    return found


def product(t, m, k, n, layout, dtype):
    t.manual_seed(0)
    a = t.randn(*((m, k) if layout[0] == "n" else (k, m)), dtype=getattr(t, dtype))
    b = t.randn(*((k, n) if layout[1] == "n" else (n, k)), dtype=getattr(t, dtype))
    a, b = a if layout[0] == "n" else a.t(), b if layout[1] == "n" else b.t()
    return lambda: t.mm(a, b)


def attention(t, shape, causal, backward):
    t.manual_seed(0)
    q, k, v = (t.randn(*shape, requires_grad=backward) for _ in range(3))
    g = t.ones(*shape)

    def step():
        y = t.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        if backward:
            t.autograd.grad(y, (q, k, v), g)

    return step


def recurrent(t, kind):
    t.manual_seed(0)
    net, x = getattr(t.nn, kind)(256, 256, 2), t.randn(64, 16, 256)

    def step():
        net.zero_grad()
        net(x)[0].pow(2).mean().backward()

    return step


def sample(step):
    """Seconds of one step, from about SECONDS of them."""
    start = time.perf_counter()
    step()
    count = max(1, int(SECONDS / max(time.perf_counter() - start, 1e-7)))
    start = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - start) / count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--json", default="", help="write the numbers to this file")
    given = parser.parse_args()

    import torch

    import lampas

    libraries = (lampas, torch)
    for library in libraries:
        library.set_num_threads(given.threads)
    rows = {}
    print("| row | Lampas, us | PyTorch, us | ratio | GFLOP/s |")
    print("|---|---:|---:|---:|---:|")
    for name, (operations, make) in cases().items():
        if given.only not in name:
            continue
        steps = [make(library) for library in libraries]
        times = []
        for _ in range(given.rounds):
            if given.threads > 1:
                time.sleep(0.3)
            times.append([sample(step) for step in steps])
        ours, theirs = (statistics.median(t[i] for t in times) for i in range(2))
        ratio = statistics.median(t[0] / t[1] for t in times)
        speed = f"{operations / ours / 1e9:.0f}" if operations else ""
        print(
            f"| {name} | {ours * 1e6:.1f} | {theirs * 1e6:.1f} | {ratio:.2f} | {speed} |",
            flush=True,
        )
        rows[name] = {"lampas_us": ours * 1e6, "torch_us": theirs * 1e6, "ratio": ratio}
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump({"threads": given.threads, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
