"""A save that is killed, fails or meets a full disk leaves the old file or the new one, whole.

python tests/serialization/test_interruption.py 1000     # so many kills; tests: LAMPAS_KILLS
"""

import io
import os
import pickle
import random
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

import lampas
from lampas.serialization import safetensors

KILLS = int(os.environ.get("LAMPAS_KILLS", "30"))
COUNT = 200_000
# Saves one number after another, in three formats; says so before each.
SAVER = """
import sys
import lampas
from lampas.serialization import safetensors
folder, first, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
print("ready", flush=True)
for i in range(first, first + 10**6):
    state = {"i": lampas.full((200_000,), float(i)), "j": lampas.full((30,), float(i))}
    if kind == "zip":
        lampas.save(state, folder + "/a.pt")
    elif kind == "old":
        lampas.save(state, folder + "/a.pt", _use_new_zipfile_serialization=False)
    else:
        safetensors.save_file(state, folder + "/a.pt")
    print(i, flush=True)
"""
needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")


def value_of(path, kind):
    """The number in a file; AssertionError where its parts are not of one save."""
    state = safetensors.load_file(path) if kind == "safetensors" else lampas.load(path)
    numbers = {state["i"].min().item(), state["i"].max().item(), state["j"].max().item()}
    assert len(numbers) == 1 and state["i"].shape == (COUNT,) and state["j"].shape == (30,)
    return int(numbers.pop())


def kill_often(folder, times, kind):
    """Kills a saving process so many times; how many saves had ended, in all."""
    chosen, path, saved, total = random.Random(times), folder / "a.pt", 0, 0
    while times:
        arguments = [sys.executable, "-c", SAVER, str(folder), str(saved + 1), kind]
        child = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        assert child.stdout.readline() == b"ready\n"
        time.sleep(chosen.uniform(0, 0.02))
        child.send_signal(signal.SIGKILL)
        said = [int(line) for line in child.communicate()[0].split(b"\n")[:-1]]
        times -= 1
        if path.exists():
            found = value_of(path, kind)
            last = said[-1] if said else saved
            assert last <= found <= last + 1  # the last that was announced, or one more
            total += found - saved
            saved = found
        left = [name for name in os.listdir(folder) if name != "a.pt"]
        assert set(left) <= {".a.pt.part"}  # never more than one
    return total


@needs_kill
@pytest.mark.parametrize("kind", ["zip", "old", "safetensors"])
def test_killed_at_random(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(lampas.__file__).parent.parent))
    assert kill_often(tmp_path, max(KILLS // 3, 1), kind) > 0


KILLED_AT = """
import os, sys
import lampas
path, step = sys.argv[1], int(sys.argv[2])
calls = 0

def die_at(function):
    def counted(*arguments, **options):
        global calls
        calls += 1
        if calls == step:
            os.kill(os.getpid(), 9)
        return function(*arguments, **options)
    return counted

from lampas.serialization import atomic
for name in ("open", "replace", "unlink", "fchmod"):
    setattr(os, name, die_at(getattr(os, name)))
real = os.fdopen

class Dying:
    def __init__(self, *arguments):
        self._file = real(*arguments)
    def __enter__(self):
        return self
    def __exit__(self, *exception):
        die_at(self._file.close)()
    def __getattr__(self, name):
        return die_at(getattr(self._file, name))

os.fdopen = Dying
lampas.save({"new": lampas.ones(1000), "b": [lampas.zeros(5), 3]}, path)
print(calls)
"""


@needs_kill
def test_killed_at_every_step(tmp_path):
    """The process dies before each of its system calls in turn."""
    path = tmp_path / "a.pt"
    env = {**os.environ, "PYTHONPATH": str(Path(lampas.__file__).parent.parent)}
    seen = set()
    for step in range(1, 200):
        lampas.save({"old": lampas.ones(3)}, path)
        arguments = [sys.executable, "-c", KILLED_AT, str(path), str(step)]
        done = subprocess.run(arguments, capture_output=True, env=env)
        seen.add(next(iter(lampas.load(path))))
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert step > 10 and seen == {"old", "new"}
    assert os.listdir(tmp_path) == ["a.pt"]  # the last save took over what the others left


class Full(io.BytesIO):
    """A file object on a disk with so many bytes left."""

    def __init__(self, left):
        super().__init__()
        self.left = left

    def write(self, data):
        self.left -= len(data)
        if self.left < 0:
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_failing_file_objects():
    state = {"a": lampas.ones(1000)}
    size = 5000
    for left in range(0, size, 500):
        for new in (True, False):
            with pytest.raises(OSError, match="No space left"):
                lampas.save(state, Full(min(left, 3500)), _use_new_zipfile_serialization=new)


class Short(io.RawIOBase):
    """An unbuffered file that takes 1000 bytes at a time, and cannot be searched."""

    def __init__(self):
        self.content = b""

    def writable(self):
        return True

    def write(self, data):
        self.content += bytes(data[:1000])
        return min(len(data), 1000)


def test_short_writes(torch):
    file = Short()
    lampas.save({"a": lampas.arange(5000)}, file)
    assert torch.load(io.BytesIO(file.content))["a"].tolist() == list(range(5000))


LIMITED = """
import resource, sys
import lampas
from lampas.serialization import safetensors
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for name, save in (("zip", lampas.save), ("safetensors", safetensors.save_file)):
    try:
        save({"a": lampas.ones(100_000)}, sys.argv[1])
    except OSError as error:
        print(name, type(error).__mro__[1:3], error)
"""


@pytest.mark.skipif(os.name == "nt", reason="limits of file sizes are Unix's")
def test_disk_full(tmp_path, python):
    path = tmp_path / "a.pt"
    lampas.save([1], path)
    env = {"PYTHONPATH": str(Path(lampas.__file__).parent.parent)}
    out = python(LIMITED, str(path), env=env).splitlines()
    assert len(out) == 2 and all("File too large" in line for line in out)
    assert "RuntimeError" in out[0]  # what PyTorch raises
    assert lampas.load(path) == [1] and os.listdir(tmp_path) == ["a.pt"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_device_full(torch):
    for t in (torch, lampas):
        with pytest.raises(RuntimeError):
            t.save(t.ones(100_000), "/dev/full")
    with pytest.raises(OSError, match="No space left"):
        lampas.save(lampas.ones(100_000), "/dev/full")


def test_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.pt"
    lampas.save([1], path)
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        for bad in (lambda: 1, [object, lampas.ones(2), lambda: 1]):
            with pytest.raises((AttributeError, pickle.PicklingError)):
                lampas.save(bad, path, **options)
    assert lampas.load(path) == [1] and os.listdir(tmp_path) == ["a.pt"]


@pytest.mark.skipif(os.name == "nt", reason="permissions are Unix's")
def test_permissions(tmp_path):
    path, mask = tmp_path / "a.pt", os.umask(0o027)
    try:
        lampas.save([1], path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640  # as for any new file
        for mode in (0o600, 0o644, 0o666, 0o755):
            path.chmod(mode)
            lampas.save([mode], path)
            assert stat.S_IMODE(path.stat().st_mode) == mode and lampas.load(path) == [mode]
    finally:
        os.umask(mask)


AS_NOBODY = """
import os, sys
import lampas
lampas.save  # loaded before the rights go
lampas.save([0], "/dev/null")
os.setgid(65534), os.setuid(65534)
for path in sys.argv[1:]:
    try:
        lampas.save([2], path)
        print("saved")
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can become another")
def test_rights_are_respected(python):
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "open").mkdir()
        (folder / "open").chmod(0o777)
        for path, mode in (("read.pt", 0o444), ("write.pt", 0o666), ("open/read.pt", 0o444)):
            lampas.save([1], folder / path)
            (folder / path).chmod(mode)
        paths = [
            str(folder / each)
            for each in ("read.pt", "new.pt", "write.pt", "open/read.pt", "open/new.pt")
        ]
        env = {"PYTHONPATH": str(Path(lampas.__file__).parent.parent)}
        out = python(AS_NOBODY, *paths, env=env).split()
        assert out == ["WriteError"] * 2 + ["saved", "WriteError", "saved"]
        assert lampas.load(folder / "read.pt") == [1] and lampas.load(folder / "write.pt") == [2]
        assert (folder / "write.pt").stat().st_uid == 0


def test_links(tmp_path):
    target, link, again = (tmp_path / name for name in ("real.pt", "link.pt", "again.pt"))
    target.write_bytes(b"old")
    link.symlink_to(target)
    again.symlink_to(link)
    lampas.save([3], again)
    assert link.is_symlink() and again.is_symlink() and lampas.load(target) == [3]
    dangling = tmp_path / "dangling.pt"
    dangling.symlink_to(tmp_path / "made.pt")
    lampas.save([4], dangling)
    assert dangling.is_symlink() and lampas.load(tmp_path / "made.pt") == [4]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_pipes_and_devices(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    received = []
    reader = threading.Thread(target=lambda: received.append(path.read_bytes()))
    reader.start()
    lampas.save({"a": lampas.arange(3)}, path)
    reader.join()
    assert lampas.load(io.BytesIO(received[0]))["a"].tolist() == [0, 1, 2]
    lampas.save([3], os.devnull)
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_targets_that_cannot_be(torch, tmp_path):
    for bad in (tmp_path, f"{tmp_path}/x/", "", tmp_path / "missing" / "a.pt"):
        with pytest.raises(RuntimeError):
            torch.save([1], bad)
        with pytest.raises(RuntimeError):
            lampas.save([1], bad)
    assert os.listdir(tmp_path) == []
    long = tmp_path / ("n" * 240 + ".pt")
    lampas.save([1], long)
    assert lampas.load(long) == [1]


def test_left_overs_of_others_are_left_alone(tmp_path):
    """A `.part` that is a link, a folder or locked is nobody's left-over."""
    path, part = tmp_path / "a.pt", tmp_path / ".a.pt.part"
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    part.symlink_to(victim)
    lampas.save([1], path)
    assert victim.read_bytes() == b"precious" and lampas.load(path) == [1]
    part.unlink()
    part.mkdir()
    lampas.save([2], path)
    assert lampas.load(path) == [2] and part.is_dir()


def test_two_threads_save_to_one_path(tmp_path):
    path = tmp_path / "a.pt"

    def save(number):
        for _ in range(20):
            lampas.save([lampas.full((1000,), number)] * 2, path)

    threads = [threading.Thread(target=save, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = lampas.load(path)
    assert first.min() == first.max() == second.min() and os.listdir(tmp_path) == ["a.pt"]


def test_fsync_where_it_is_asked_for(tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(handle), real(handle)))
    lampas.save([1], tmp_path / "a.pt")
    assert not synced
    monkeypatch.setenv("LAMPAS_FSYNC", "1")
    lampas.save([2], tmp_path / "a.pt")
    assert len(synced) == (1 if os.name == "nt" else 2)  # the file, then its folder
    assert lampas.load(tmp_path / "a.pt") == [2]


if __name__ == "__main__":
    for kind in ("zip", "old", "safetensors"):
        with tempfile.TemporaryDirectory() as name:
            kills = int(sys.argv[1]) // 3 + 1
            print(kind, kills, "kills,", kill_often(Path(name), kills, kind), "saves: all whole")
