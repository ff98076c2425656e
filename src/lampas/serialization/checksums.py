"""CRC-32 of large buffers in a thread of its own, beside the reading or writing of the next one.

zlib releases the GIL while it computes. Small buffers are computed at once: a thread costs more.
"""

import threading
import zlib
from queue import SimpleQueue

LARGE = 1 << 20  # bytes from which on a thread pays


class Checksums:
    """A `with` block in which `start(data)` returns a function that waits for the CRC-32 of `data`.

    A buffer must stay unchanged until its function was called.
    """

    def __init__(self):
        self._tasks = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self._tasks is not None:
            self._tasks.put(None)

    def start(self, data):
        if len(data) < LARGE:
            value = zlib.crc32(data)
            return lambda: value
        if self._tasks is None:
            self._tasks = SimpleQueue()
            threading.Thread(target=_work, args=(self._tasks,), daemon=True).start()
        answer = SimpleQueue()
        self._tasks.put((data, answer))
        return answer.get


def _work(tasks):
    while (task := tasks.get()) is not None:
        data, answer = task
        answer.put(zlib.crc32(data))
