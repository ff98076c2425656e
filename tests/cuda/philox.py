"""CUDA PyTorch's random streams in NumPy, from what is published: Philox4x32-10 (J. Salmon et al., SC 2011)
with curand's keys and counters, and how many threads draw. For the tests beside it."""

import numpy as np

MULTIPROCESSORS, THREADS = 4, 2048  # of the fake driver's GPU
LOW = np.uint64(0xFFFFFFFF)


def philox(counter, key):
    """(4, n) words of 32 bits for counters (4, n) and a key of two."""
    c = [np.asarray(part, dtype=np.uint64) for part in counter]
    k = [np.uint64(part) for part in key]
    for _ in range(10):
        left, right = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [
            right >> np.uint64(32) ^ c[1] ^ k[0],
            right & LOW,
            left >> np.uint64(32) ^ c[3] ^ k[1],
            left & LOW,
        ]
        k = [k[0] + np.uint64(0x9E3779B9) & LOW, k[1] + np.uint64(0xBB67AE85) & LOW]
    return np.stack(c)


def draw(seed, streams, offset):
    """Four words of each stream, `offset` (a multiple of 4) words after its beginning."""
    streams = np.asarray(streams, dtype=np.uint64)
    place = np.full_like(streams, offset // 4)
    counter = (place & LOW, place >> np.uint64(32), streams & LOW, streams >> np.uint64(32))
    return philox(counter, (seed & 0xFFFFFFFF, seed >> 32))


def grid(n):
    """How many threads fill n elements."""
    return 256 * min(MULTIPROCESSORS * (THREADS // 256), -(-n // 256))


def words(seed, offset, n, numbers, make):
    """n elements, each thread's draws made into `numbers` of them by `make`; and the offset after it."""
    threads = grid(n)
    draws = (n - 1) // (threads * numbers) + 1
    made = [np.stack(make(draw(seed, np.arange(threads), offset + 4 * i))) for i in range(draws)]
    return np.concatenate(made).reshape(-1)[:n], offset + 4 * draws


def units(w):
    return [(part * 2.0**-32 + 2.0**-33).astype(np.float32) for part in w]


def pairs(w):
    return [w[i] ^ w[i + 1] << np.uint64(21) for i in (0, 2)]


def doubles(w):
    return [part.astype(np.float64) * 2.0**-53 + 2.0**-54 for part in pairs(w)]


def normals(w):
    made = []
    for x, y in ((w[0], w[1]), (w[2], w[3])):
        radius = np.sqrt(-2 * np.log(x * 2.0**-32 + 2.0**-33))
        angle = (y * 2.0**-32 + 2.0**-33) * 2 * np.pi
        made += [radius * np.sin(angle), radius * np.cos(angle)]
    return made


def normal_doubles(w):
    x, y = pairs(w)
    radius = np.sqrt(-2 * np.log(x.astype(np.float64) * 2.0**-53 + 2.0**-54))
    angle = (y.astype(np.float64) * 2.0**-52 + 2.0**-53) * np.pi
    return [radius * np.sin(angle), radius * np.cos(angle)]


def singles(w):
    return list(w)


def wide(w):
    return [w[0] << np.uint64(32) | w[1], w[2] << np.uint64(32) | w[3]]
