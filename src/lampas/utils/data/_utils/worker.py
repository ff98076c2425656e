"""A worker process: what it does, and what code inside a dataset can learn about it.

The other side is `crew`, the messages' way is `channel`, their content `transport`.
"""

import functools
import os
import pickle
import random
import signal
import sys

import lampas
from lampas._exceptions import ExceptionWrapper
from lampas.utils.data._utils import channel

# Kinds of messages to a worker: (task, index, numbers of free segments); a new epoch; the end.
FETCH, RESUME, STOP = range(3)
# ... and from it: segments and their descriptors; numbers of segments to forget; a batch; an
# exception instead of one; the end of a stream.
SEGMENTS, FORGET, BATCH, FAILURE, ENDED = range(10, 15)

_worker_info = None


class WorkerInfo:
    """`id`, `num_workers`, `seed` and `dataset` of a worker process."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def __setattr__(self, name, value):
        raise RuntimeError(f"Cannot assign attributes to {type(self).__name__} objects")

    def __repr__(self):
        fields = ", ".join(f"{name}={value}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"


def get_worker_info():
    """The `WorkerInfo` of this worker process; None in the main process."""
    return _worker_info


def run(sock, info, make_fetcher, init_fn):
    """The body of a worker process. Returns when its DataLoader is through with it, or is gone.

    info: the fields of its `WorkerInfo`. make_fetcher: called for every epoch.
    """
    from lampas.multiprocessing.orphans import on_parent_death

    try:
        channel.close_inherited()
        # A handler that the parent installed for itself must not keep a worker from ending.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        on_parent_death(functools.partial(os._exit, 1))
        _Worker(channel.Channel(sock), info, make_fetcher, init_fn).serve()
    except (KeyboardInterrupt, EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the main process is interrupted too, or gone: nothing to tell anybody


class _Worker:
    def __init__(self, channel, info, make_fetcher, init_fn):
        from lampas.utils.data._utils import transport

        global _worker_info
        self.transport = transport
        self.channel = channel
        self.lender = transport.start_lending()
        self.make_fetcher = make_fetcher
        self.fetcher = None  # None: the stream ended, or there is nothing to fetch from
        self.where = f"in DataLoader worker process {info['id']}"
        self.init_failure = None
        lampas.set_num_threads(1)
        _seed(info["seed"], info["id"])
        _worker_info = WorkerInfo(**info)
        try:
            if init_fn is not None:
                init_fn(info["id"])
            self.fetcher = make_fetcher()
        except Exception:
            self.init_failure = ExceptionWrapper(where=self.where)

    def serve(self):
        while True:
            kind, body = self.channel.receive()
            if kind == STOP:
                return
            if kind == RESUME:
                self._resume()
                continue
            task, index, free = pickle.loads(body)
            self.lender.take_back(free)
            self._answer(task, index)

    def _resume(self):
        self.init_failure = None
        try:
            self.fetcher = self.make_fetcher()
        except Exception:
            self.init_failure = ExceptionWrapper(where=self.where)

    def _answer(self, task, index):
        if self.init_failure is not None:
            return self._fail(task, self.init_failure)
        if self.fetcher is None:
            return None
        try:
            data = self.fetcher.fetch(index)
        except StopIteration:
            if self.fetcher.is_stream:
                self.fetcher = None
                return self.channel.send(ENDED, pickle.dumps(task))
            return self._fail(task, ExceptionWrapper(where=self.where))
        except Exception:
            return self._fail(task, ExceptionWrapper(where=self.where))
        return self._send(task, data)

    def _send(self, task, data):
        body = None
        try:
            body, size = self.transport.pack(task, data, self.lender)
            self._announce()
        except ConnectionError:
            raise
        except Exception:
            if body is not None:
                self.lender.take_back(self.transport.task_of(body)[1])
            return self._fail(task, ExceptionWrapper(where=self.where))
        self.channel.send(BATCH, body)
        del data  # the segments of the batch are free as soon as the other side says so
        self.lender.sent(size)

    def _announce(self):
        """Tells of segments that the other side cannot know, and of those it should forget."""
        if self.lender.dropped:
            self.channel.send(FORGET, pickle.dumps(self.lender.dropped))
            self.lender.dropped = []
        while self.lender.new:
            numbers = self.lender.new[: channel.MOST_FDS]
            self.channel.send(SEGMENTS, *self.lender.descriptors(numbers))
            self.lender.announced(numbers)
            del self.lender.new[: len(numbers)]

    def _fail(self, task, failure):
        self.channel.send(FAILURE, pickle.dumps((task, failure.portable())))


def _seed(seed, worker_id):
    """Every generator of the process, in the state PyTorch gives it.

    NumPy's only where the program has loaded NumPy: a dataset that loads it later draws unseeded.
    """
    lampas.manual_seed(seed)
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        base = seed - worker_id
        entropy = [worker_id, base & 0xFFFFFFFF, base >> 32, 0]
        numpy.random.seed(numpy.random.SeedSequence(entropy).generate_state(4))
