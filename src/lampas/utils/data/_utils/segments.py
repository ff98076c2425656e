"""Shared memory that goes back and forth between a worker and its DataLoader.

Fresh pages cost more than the copy into them (20 times, measured), so a segment is mapped once on
either side and used again: the worker's `Lender` numbers segments and fills them, the loader's
`Borrower` tells which numbers are free again once the tensors over them are dead.
"""

import collections
import os
import struct
import weakref

from lampas.multiprocessing import memory

_NUMBER_SIZE = struct.Struct("=QQ")
MOST_NEW = 128  # new segments of one message: each is a file descriptor until it is announced


class Lender:
    """The worker's side."""

    def __init__(self):
        self._segments = {}  # number -> Segment, least recently used first
        self._numbers = {}  # address -> number
        self._abroad = collections.Counter()  # number -> how many uses by the loader are not over
        self._last = 0
        self._largest_message = 0
        self.new = []  # numbers that the loader does not know yet
        self.dropped = []  # numbers that it should forget

    def acquire(self, size):
        """A segment of at least `size` bytes that nobody uses; None where a message has too many.

        RuntimeError where there is no memory.
        """
        fitting = [
            (segment.size, number)
            for number, segment in self._segments.items()
            if size <= segment.size <= 2 * size + 4096 and self._is_free(number)
        ]
        if fitting:
            number = min(fitting)[1]
            segment = self._segments[number] = self._segments.pop(number)
            return segment
        if len(self.new) >= MOST_NEW:
            return None
        try:
            segment = memory.create(size)
        except RuntimeError:
            self._drop_free(0)  # what is kept for later may be what is missing now
            segment = memory.create(size)
        segment.on_release = _keep
        self._last += 1
        self._segments[self._last] = segment
        self._numbers[segment.address] = self._last
        self.new.append(self._last)
        return segment

    def number_of(self, address):
        """The number of the segment at this address, or None."""
        return self._numbers.get(address)

    def lend(self, number):
        """Notes that the message in progress uses the segment."""
        self._abroad[number] += 1

    def take_back(self, numbers):
        """What the loader says: used no longer; as -1 - number, never to be used again."""
        for number in numbers:
            spoiled, number = number < 0, max(number, -1 - number)
            self._abroad[number] -= 1
            if spoiled and number in self._segments:
                # Another process may still look at it: its number and memory are not used again.
                self._forget(number, tell=False)

    def sent(self, size):
        """After a message over `size` bytes of segments: keeps the free ones within a bound."""
        self._largest_message = max(self._largest_message, size)
        self._drop_free(4 * self._largest_message)

    def descriptors(self, numbers):
        """The file descriptors of new segments, and the body that announces them."""
        segments = [self._segments[number] for number in numbers]
        body = b"".join(_NUMBER_SIZE.pack(n, s.size) for n, s in zip(numbers, segments))
        return body, [segment.fd for segment in segments]

    def announced(self, numbers):
        for number in numbers:
            self._segments[number].close_fd()

    def _is_free(self, number):
        return self._abroad[number] <= 0 and not self._segments[number].used

    def _drop_free(self, bound):
        free = [number for number in self._segments if self._is_free(number)]
        total = sum(self._segments[number].size for number in free)
        for number in free:
            if total <= bound:
                return
            total -= self._segments[number].size
            self._forget(number)

    def _forget(self, number, tell=True):
        segment = self._segments.pop(number)
        del self._numbers[segment.address], self._abroad[number]
        if number in self.new:
            self.new.remove(number)
        elif tell:
            self.dropped.append(number)
        if segment.used:
            segment.on_release = None  # it goes with its last buffer
        else:
            segment.unmap()


def _keep(segment):
    """A buffer over a segment died: `acquire` will see it."""


class Borrower:
    """The loader's side, for one worker."""

    def __init__(self):
        self._segments = {}  # number -> Segment
        self._spoiled = set()  # numbers that a forked process may still look at
        self._free = collections.deque()  # numbers to give back; filled by dying buffers
        self._process = os.getpid()
        _borrowers.add(self)

    def attach(self, body, fds):
        """Maps the segments of an announcement. Takes their file descriptors from `fds`."""
        for number, size in _NUMBER_SIZE.iter_unpack(body):
            segment = memory.attach(fds.popleft(), size)
            segment.close_fd()  # batches that are kept must not use up the descriptors
            segment.on_release = _Return(number, weakref.ref(self))
            self._segments[number] = segment

    def buffer(self, number, size):
        """A buffer over a segment of a message; its death gives the segment back."""
        return self._segments[number].buffer(size)

    def discard(self, numbers):
        """Gives segments back whose message nobody reads."""
        self._free.extend(numbers)

    def take_free(self):
        """The numbers to tell the worker."""
        numbers = []
        while self._free:
            number = self._free.popleft()
            if number in self._spoiled and not self._segments[number].used:
                self._spoiled.discard(number)
                self._segments.pop(number).unmap()
                number = -1 - number
            numbers.append(number)
        return numbers

    def forget(self, numbers):
        """Unmaps segments that the worker will not use again."""
        for number in numbers:
            segment = self._segments.pop(number, None)
            if segment is not None:
                _unmap_when_unused(segment)

    def close(self):
        """The worker is gone: every segment goes with its last buffer."""
        self.forget(list(self._segments))

    def released(self, number, segment):
        """A buffer died; called at any time, see `Segment`."""
        if os.getpid() == self._process:
            self._free.append(number)

    def spoil(self):
        """Before a fork: what is in use now may be in use there for as long as that process lives,
        so its memory must not be filled again."""
        self._spoiled.update(n for n, segment in list(self._segments.items()) if segment.used)


class _Return:
    """What a segment calls when a buffer over it dies. Does not keep the borrower alive."""

    def __init__(self, number, borrower):
        self.number = number
        self.borrower = borrower

    def __call__(self, segment):
        borrower = self.borrower()
        if borrower is None:
            _unmap_when_unused(segment)
        else:
            borrower.released(self.number, segment)


def _unmap_when_unused(segment):
    segment.on_release = None
    if not segment.used:
        segment.unmap()


_borrowers = weakref.WeakSet()


def _before_fork():
    for borrower in list(_borrowers):
        borrower.spoil()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)
