"""The worker processes of one iterator, seen from the DataLoader: started, fed, heard, ended.

Which batch goes to whom is decided in `iterators`. The other side is `worker`.
"""

import collections
import contextlib
import math
import os
import pickle
import select
import signal
import time

from lampas.utils.data._utils import channel, transport, worker
from lampas.utils.data._utils.segments import Borrower

_CHECK_SECONDS = 5.0  # how often a silent worker is looked at
_END_SECONDS = 5.0  # how long a worker may take to finish its batch before it is ended


class _Member:
    """One worker process, its channel and the memory borrowed from it."""

    def __init__(self, context, info, make_fetcher, init_fn):
        self.id = info["id"]
        self.gone = False  # its end of the channel is closed
        self.borrower = Borrower()
        self.channel, theirs = channel.pair()
        self.process = context.Process(
            target=worker.run, args=(theirs, info, make_fetcher, init_fn), daemon=True
        )
        try:
            self.process.start()
        except BaseException:
            self.channel.close()
            raise
        finally:
            theirs.close()


class Crew:
    """All workers of an iterator.

    `events`: what they answered and nobody has taken yet, (kind, task, worker_id, body).
    `ended`: whether the processes are gone. `failure`: the error that ended them, or None.
    """

    def __init__(self, context, infos, make_fetcher, init_fn):
        self.members = []
        self.events = collections.deque()  # kept here, so that an interrupt loses none
        self.ended = False
        self.failure = None
        self._owner = os.getpid()
        self._poller = select.poll()
        self._by_fd = {}
        try:
            for info in infos:
                member = _Member(context, info, make_fetcher, init_fn)
                self.members.append(member)
                self._by_fd[member.channel.fileno()] = member
                self._poller.register(member.channel, select.POLLIN)
        except BaseException:
            self.end()
            raise

    # --- to the workers ---
    def fetch(self, worker_id, task, index):
        """Asks a worker for a batch."""
        member = self.members[worker_id]
        self._post(member, worker.FETCH, pickle.dumps((task, index, member.borrower.take_free())))

    def resume(self):
        """Starts a new epoch in every worker."""
        for member in self.members:
            self._post(member, worker.RESUME)

    def dismiss(self, worker_id):
        """Lets one worker go before the others: its stream ended."""
        self._post(self.members[worker_id], worker.STOP)

    def _post(self, member, kind, body=b""):
        try:
            member.channel.post(kind, body)
            self._watch(member)
        except OSError:
            self._fail([member])

    def _watch(self, member):
        waiting = not member.channel.flush()
        self._poller.modify(member.channel, select.POLLIN | (select.POLLOUT if waiting else 0))

    # --- from the workers ---
    def wait(self, timeout, expected):
        """Waits until there are `events`, `timeout` seconds at most (0: for ever).

        expected: ids of the workers that may not end. RuntimeError when one of them does.
        """
        deadline = time.monotonic() + timeout if timeout else math.inf
        while not self.events:
            if gone := [m for m in self.members if m.gone and m.id in expected]:
                self._fail(gone)
            left = deadline - time.monotonic()
            if left <= 0:
                raise RuntimeError(f"DataLoader timed out after {timeout} seconds")
            ready = self._poller.poll(min(left, _CHECK_SECONDS) * 1000)
            for fd, flags in ready:
                self._serve(self._by_fd[fd], flags)
            if not ready:
                self._look(expected)

    def _serve(self, member, flags):
        if flags & select.POLLOUT:
            with contextlib.suppress(OSError):  # what it sent before its end is still to be read
                self._watch(member)
        alive = member.channel.read() if flags & ~select.POLLOUT else True
        while (message := member.channel.take()) is not None:
            self._hear(member, *message)
        if not alive:
            member.gone = True
            self._poller.unregister(member.channel)

    def _hear(self, member, kind, body):
        if kind == worker.SEGMENTS:
            member.borrower.attach(body, member.channel.fds)
        elif kind == worker.FORGET:
            member.borrower.forget(pickle.loads(body))
        elif kind == worker.BATCH:
            self.events.append((kind, transport.task_of(body)[0], member.id, body))
        elif kind == worker.FAILURE:
            task, failure = pickle.loads(body)
            self.events.append((kind, task, member.id, failure))
        else:
            self.events.append((kind, pickle.loads(body), member.id, None))

    def open(self, worker_id, body):
        """The batch in the body of a BATCH."""
        return transport.unpack(body, self.members[worker_id].borrower)

    def discard(self, worker_id, body):
        """Gives back the memory of a BATCH that nobody wants."""
        self.members[worker_id].borrower.discard(transport.task_of(body)[1])

    # --- the end ---
    def _look(self, expected):
        dead = [m for m in self.members if m.id in expected and not m.process.is_alive()]
        if dead:
            self._fail(dead)

    def _fail(self, members):
        for member in members:
            member.process.join(_END_SECONDS)  # its exit code comes a moment after its silence
        cause = RuntimeError(_account(members[0]))
        pids = ", ".join(str(member.process.pid) for member in members)
        hints = "; ".join(_hint(member) for member in members)
        self.end()
        text = f"DataLoader worker (pid(s) {pids}) exited unexpectedly\nhint: {hints}"
        self.failure = RuntimeError(text)
        raise self.failure from cause

    def end(self):
        """Ends all workers: politely, after some seconds by SIGTERM, then by SIGKILL."""
        if self.ended or os.getpid() != self._owner:
            return
        self.ended = True
        for member in self.members:
            try:
                member.channel.post(worker.STOP)
            except OSError:
                pass
            member.channel.close()
        for force, seconds in ((None, _END_SECONDS), ("terminate", 1.0), ("kill", _END_SECONDS)):
            if force:
                for member in self.members:
                    getattr(member.process, force)()
            deadline = time.monotonic() + seconds
            for member in self.members:
                member.process.join(max(deadline - time.monotonic(), 0))
            if not any(member.process.is_alive() for member in self.members):
                break
        for member in self.members:
            member.borrower.close()


def _account(member):
    """PyTorch's sentence on how a worker ended."""
    code, pid = member.process.exitcode, member.process.pid
    if code is not None and code < 0:
        text = f"DataLoader worker (pid {pid}) is killed by signal: {_signal_name(-code)}. "
        if -code == signal.SIGBUS:
            text += (
                "It is possible that dataloader's workers are out of shared memory. Please try to "
                "raise your shared memory limit."
            )
        return text
    return (
        f"DataLoader worker (pid {pid}) exited unexpectedly with exit code {code}. Details are "
        "lost due to multiprocessing. Rerunning with num_workers=0 may give better error trace."
    )


def _hint(member):
    code = member.process.exitcode
    if code is None:
        return f"worker {member.id} closed its connection"
    if code >= 0:
        return (
            f"worker {member.id} ended with exit code {code} (os._exit or sys.exit in a dataset?)"
        )
    text = f"worker {member.id} was ended by signal {-code} ({_signal_name(-code)})"
    if -code == signal.SIGKILL:
        text += ", as the system does when memory runs out"
    elif -code in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL):
        text += "; num_workers=0 shows where"
    return text


def _signal_name(number):
    return signal.strsignal(number) or str(number)
