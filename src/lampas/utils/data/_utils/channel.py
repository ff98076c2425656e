"""Messages between the DataLoader's process and one worker: a kind, a body, file descriptors.

A stream socket carries them. Its end is noticed at once on the other side, whatever ended it.
What the messages mean is in `worker` and `crew`.
"""

import collections
import contextlib
import errno
import os
import socket
import struct
import weakref

_HEADER = struct.Struct("=BBQ")  # kind, number of file descriptors, bytes of the body
_PIECE = 1 << 16
MOST_FDS = 64  # of one message; the system's own limit is 253

# Ends that belong to a DataLoader's process. A forked worker inherits and closes them: a worker
# sees the end of its channel only when nobody else holds the other side.
_owned = weakref.WeakSet()


def pair():
    """The two ends of a new channel: (of the DataLoader's process, socket of the worker)."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    channel = Channel(ours)
    _owned.add(channel)
    return channel, theirs


def close_inherited():
    """In a new worker: closes the copies of all ends that belong to its parent."""
    for channel in list(_owned):
        channel.close()


class Channel:
    """One end. The worker's blocks (`send`, `receive`), the loader's never does (`post`, `read`)."""

    def __init__(self, sock):
        self.socket = sock
        self.fds = collections.deque()  # received, not yet taken
        self._incoming = bytearray()
        self._outgoing = bytearray()

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.socket.close()
        while self.fds:
            os.close(self.fds.popleft())

    # --- the worker's side ---
    def send(self, kind, body=b"", fds=()):
        """Sends a message; waits where the other side does not read."""
        data = _HEADER.pack(kind, len(fds), len(body)) + body
        if fds:
            data = data[socket.send_fds(self.socket, [data], fds) :]
        self.socket.sendall(data)

    def receive(self):
        """The next message, (kind, body). EOFError where the other side is gone."""
        while (message := self.take()) is None:
            if not self._read_piece():
                raise EOFError
        return message

    # --- the loader's side ---
    def post(self, kind, body=b""):
        """Queues a message, and sends what the socket takes now."""
        self._outgoing += _HEADER.pack(kind, 0, len(body)) + body
        self.flush()

    def flush(self):
        """Sends more of what is queued. True when nothing is left."""
        with contextlib.suppress(BlockingIOError):
            while self._outgoing:
                sent = self.socket.send(memoryview(self._outgoing)[: 4 * _PIECE])
                del self._outgoing[:sent]
        return not self._outgoing

    def read(self):
        """Reads what has arrived. False where the other side is gone."""
        with contextlib.suppress(BlockingIOError):
            return self._read_piece()
        return True

    def take(self):
        """The next complete message that was read, (kind, body), or None.

        Its file descriptors are the next ones in `fds`.
        """
        if len(self._incoming) < _HEADER.size:
            return None
        kind, fds, size = _HEADER.unpack_from(self._incoming)
        end = _HEADER.size + size
        if len(self._incoming) < end:
            return None
        if len(self.fds) < fds:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        body = bytes(self._incoming[_HEADER.size : end])
        del self._incoming[:end]
        return kind, body

    def _read_piece(self):
        flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        try:
            data, fds, _, _ = socket.recv_fds(self.socket, _PIECE, MOST_FDS, flags)
        except ConnectionResetError:
            return False
        self._incoming += data
        self.fds.extend(fds)
        return bool(data)
