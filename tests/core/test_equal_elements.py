"""Which of several equal elements is chosen."""

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

from agreement import agree

CHOICES = {
    "mode": lambda x: x.mode(0)[1],
    "median": lambda x: x.median(0)[1],
    "lowest": lambda x: x.kthvalue(1)[1],
    "middle": lambda x: x.kthvalue((len(x) + 1) // 2)[1],
    "highest": lambda x: x.kthvalue(len(x))[1],
    "topk": lambda x: x.topk((len(x) + 1) // 2)[1],
    "sort": lambda x: x.sort()[1],
}


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("dtype", ["float32", "float16", "int64"])
def test_place(choice, dtype):
    def run(t):
        found = []
        for n in (1, 2, 3, 5, 8, 16, 17, 33, 100, 1000, 3000):
            for kinds in (1, 2, 3, 10, 50):
                generator = t.Generator().manual_seed(n * kinds)
                x = t.randint(kinds, (n,), generator=generator).to(getattr(t, dtype))
                if dtype != "int64" and kinds == 10 and choice != "mode":
                    x[n // 2 :: 3] = float("nan")
                found.append(CHOICES[choice](x))
        return found

    agree(run)
