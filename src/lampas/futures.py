"""`torch.futures`: a value that somebody sets later, with callbacks."""

import threading

__all__ = ["Future", "collect_all", "wait_all"]


class Future:
    """Holds a result or an error, once. `devices` is accepted; values are on the CPU."""

    def __init__(self, *, devices=None):
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._callbacks = []
        self._value = self._error = None

    def __class_getitem__(cls, kind):
        return cls

    def done(self):
        """Whether the result or the error is there."""
        return self._ready.is_set()

    def wait(self):
        """The result, once it is there; raises the error when it is one."""
        self._ready.wait()
        return self.value()

    def value(self):
        """The result, which must be there; raises the error when it is one."""
        if not self.done():
            raise RuntimeError("This Future is not completed yet; call wait()")
        if self._error is not None:
            raise self._error
        return self._value

    def set_result(self, result):
        """Sets the result, wakes who waits, runs the callbacks. RuntimeError the second time."""
        self._finish(result, None)

    def set_exception(self, result):
        """Sets an error, which `wait` raises."""
        if not isinstance(result, Exception):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._finish(None, result)

    def _finish(self, value, error):
        with self._lock:
            if self.done():
                raise RuntimeError(
                    "Attempting to mark a completed Future as complete again. Note that a Future "
                    "can only be marked completed once."
                )
            self._value, self._error = value, error
            self._ready.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def add_done_callback(self, callback):
        """Calls `callback(self)` when done, at once if it is."""
        with self._lock:
            if not self.done():
                self._callbacks.append(callback)
                return
        callback(self)

    def then(self, callback):
        """A Future of `callback(self)`, called when this one is done."""
        following = Future()

        def go_on(done):
            try:
                result = callback(done)
            except Exception as error:
                following.set_exception(error)
            else:
                following.set_result(result)

        self.add_done_callback(go_on)
        return following


def collect_all(futures):
    """A Future of the list of futures, done when all of them are."""
    futures = list(futures)
    together, lock, left = Future(), threading.Lock(), [len(futures)]

    def one_more(_):
        with lock:
            left[0] -= 1
            last = not left[0]
        if last:
            together.set_result(futures)

    if not futures:
        together.set_result(futures)
    for future in futures:
        future.add_done_callback(one_more)
    return together


def wait_all(futures):
    """The results of all futures, once they are there; raises the first error in order."""
    return [future.wait() for future in collect_all(futures).wait()]
