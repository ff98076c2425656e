"""However a worker or its program ends: one clear error, and no process is left behind."""

import faulthandler
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lampas
import lampas.utils.data as D
from lampas.utils.data._utils import crew

PATIENCE = 60  # seconds after which something is called hung; far above what is ever needed

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")

HEAD = """
import os, signal, sys, time
import lampas as torch
from torch_data import *
def stuck(i):
    os.write(1, b"%d\\n" % os.getpid())  # in one piece
    time.sleep(1000)
"""


def session_of(pid):
    """(state, session) of a process; None where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[3])


def running(session):
    """Processes of the session that still run (zombies wait only for their parent's notice)."""
    found = ((pid, session_of(pid)) for pid in os.listdir("/proc") if pid.isdigit())
    return [pid for pid, place in found if place and place[1] == session and place[0] != "Z"]


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def program(tmp_path):
    """Starts source text as a program in a session of its own; ends what is left of it."""
    started = []

    def start(body, prefix=()):
        (tmp_path / "torch_data.py").write_text("from lampas.utils.data import *\n")
        (tmp_path / "program.py").write_text(HEAD + body)
        process = subprocess.Popen(
            [*prefix, sys.executable, str(tmp_path / "program.py")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        for pid in running(process.pid):
            os.kill(int(pid), signal.SIGKILL)
        process.communicate()


def finish(process):
    """(exit status, standard output, error output) of a program that leaves no process behind."""
    out, err = process.communicate(timeout=PATIENCE)
    wait_until(lambda: not running(process.pid))
    return process.returncode, out, err


class Made(D.Dataset):
    """A dataset of n samples `make(i)`."""

    def __init__(self, make, n=8):
        self.make, self.n = make, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return self.make(i)


# --- a worker ends -------------------------------------------------------------------------------
def die(number):
    faulthandler.disable()  # pytest's, which would tell at length
    os.kill(os.getpid(), number)


DEATHS = {
    "SIGKILL": (lambda: die(signal.SIGKILL), "is killed by signal: Killed"),
    "SIGSEGV": (lambda: die(signal.SIGSEGV), "by signal: Segmentation fault"),
    "SIGBUS": (lambda: die(signal.SIGBUS), "out of shared memory"),
    "_exit": (lambda: os._exit(3), "exited unexpectedly with exit code 3"),
    "sys.exit": (lambda: sys.exit(4), "exited unexpectedly with exit code 4"),
}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("death", DEATHS)
def test_dead_worker(death, workers):
    end, reason = DEATHS[death]
    iterator = iter(D.DataLoader(Made(lambda i: end() if i == 3 else i), num_workers=workers))
    processes = iterator._workers
    with pytest.raises(RuntimeError) as raised:
        while True:
            next(iterator)
    guilty = processes[3 % workers].pid
    assert f"DataLoader worker (pid(s) {guilty}) exited unexpectedly" in str(raised.value)
    assert reason in str(raised.value.__cause__)
    assert f"hint: worker {3 % workers} " in str(raised.value)
    assert not any(process.is_alive() for process in processes)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        next(iterator)  # not the end of the epoch, where somebody goes on


def test_death_between_epochs():
    loader = D.DataLoader(Made(float), num_workers=2, persistent_workers=True)
    assert len(list(loader)) == 8
    victim = loader._iterator._workers[1]
    victim.kill()
    victim.join()
    with pytest.raises(RuntimeError, match=rf"\(pid\(s\) {victim.pid}\) exited unexpectedly"):
        list(loader)
    assert len(list(loader)) == 8  # with new workers


def test_stopped_worker_is_ended(monkeypatch):
    """A worker that does not react to anything must not keep the program from going on."""
    monkeypatch.setattr(crew, "_END_SECONDS", 0.2)
    iterator = iter(D.DataLoader(Made(float), num_workers=1))
    (worker,) = iterator._workers
    os.kill(worker.pid, signal.SIGSTOP)
    del iterator
    assert worker.exitcode == -signal.SIGKILL


def test_worker_ignores_handlers_of_the_program(monkeypatch):
    """A program that handles SIGTERM for itself must still be able to end a busy worker."""
    monkeypatch.setattr(crew, "_END_SECONDS", 0.2)
    former = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        iterator = iter(D.DataLoader(Made(lambda i: time.sleep(1000)), num_workers=1))
        (worker,) = iterator._workers
        del iterator
    finally:
        signal.signal(signal.SIGTERM, former)
    assert worker.exitcode == -signal.SIGTERM


# --- the program ends ----------------------------------------------------------------------------
LOADERS = {
    "idle": "loader = DataLoader(range(100), num_workers=2)",
    "persistent": "loader = DataLoader(range(100), num_workers=2, persistent_workers=True)",
}
ENDS = {
    "end": ("", 0),
    "exit": ("sys.exit(5)", 5),
    "error": ("raise ValueError('of the program')", 1),
    "_exit": ("os._exit(6)", 6),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
}


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("end", ENDS)
def test_program_ends_in_the_middle_of_an_epoch(program, loader, end):
    code, status = ENDS[end]
    body = f"{LOADERS[loader]}\niterator = iter(loader)\nnext(iterator)\n{code}\n"
    got, _, err = finish(program(body))
    assert got == status
    assert "ValueError: of the program" in err if end == "error" else err == ""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_program_is_killed_while_workers_are_busy(program, method):
    process = program(f"""
class Stuck(Dataset):
    def __len__(self): return 9
    def __getitem__(self, i): stuck(i)
if __name__ == "__main__":
    iterator = iter(DataLoader(Stuck(), num_workers=2, multiprocessing_context="{method}"))
    if os.fork() == 0:
        time.sleep(1000)  # a sibling, which holds copies of whatever the program had open
    next(iterator)
""")
    workers = [process.stdout.readline().strip() for _ in range(2)]
    assert set(workers) <= set(running(process.pid))
    process.kill()
    wait_until(lambda: not set(workers) & set(running(process.pid)))


def test_interrupt_from_the_keyboard(program):
    """SIGINT to all processes, as the terminal sends it: one traceback, the program's own."""
    process = program("""
class Made(Dataset):
    def __len__(self): return 9
    def __getitem__(self, i): stuck(i)
for batch in DataLoader(Made(), num_workers=2): pass
""")
    for _ in range(2):
        assert process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    status, _, err = finish(process)
    assert status == -signal.SIGINT
    assert err.count("Traceback") == 1 and err.endswith("KeyboardInterrupt\n")


def test_interrupt_of_the_program_alone(program):
    """As a notebook sends it. The loop goes on afterwards, with the batch that was under way."""
    process = program("""
class Made(Dataset):
    def __len__(self): return 4
    def __getitem__(self, i):
        if i == 1:
            print("ready", flush=True)
            while not os.path.exists(sys.argv[0] + ".go"): time.sleep(0.01)
        return i
iterator = iter(DataLoader(Made(), num_workers=2))
seen = []
while len(seen) < 4:
    try:
        seen.append(next(iterator).item())
    except KeyboardInterrupt:
        open(sys.argv[0] + ".go", "w").close()
print(seen)
""")
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)  # mostly enough for the program to wait in next(); if not, nothing differs
    os.kill(process.pid, signal.SIGINT)
    assert finish(process) == (0, "[0, 1, 2, 3]\n", "")


# --- no memory -----------------------------------------------------------------------------------
BATCHES = """
import lampas.multiprocessing as mp
mp.set_sharing_strategy("{strategy}")
loader = DataLoader(torch.zeros(64, 40000), batch_size=16, num_workers=2)
print(sum(len(batch) for batch in loader))
"""


def small_shm(size):
    """A command that runs another one where /dev/shm is of this size."""
    script = f'mount -t tmpfs -o size={size} none /dev/shm && exec "$0" "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"]).returncode:
        pytest.skip("needs the right to mount a small /dev/shm")
    return command


def test_full_shared_memory(program):
    process = program(BATCHES.format(strategy="file_system"), prefix=small_shm("1m"))
    status, out, err = finish(process)
    assert status == 1 and out == ""
    assert "RuntimeError: Caught RuntimeError in DataLoader worker process" in err
    assert "unable to allocate shared memory(shm) for file </dev/shm>: No space left" in err
    assert "hint: 2560000 bytes" in err or "hint: 2564096 bytes" in err


def test_size_of_shared_memory_does_not_matter_by_default(program):
    process = program(BATCHES.format(strategy="file_descriptor"), prefix=small_shm("1m"))
    assert finish(process) == (0, "64\n", "")


def test_refused_shared_memory(program):
    """The default kind of memory, refused by a real limit of the system."""
    body = BATCHES.format(strategy="file_descriptor").replace(
        "num_workers=2",
        """num_workers=2,
    worker_init_fn=lambda _: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))""",
    )
    status, out, err = finish(program("import resource\n" + body))
    assert status == 1 and out == ""
    assert "unable to allocate shared memory(shm) for file <memfd>: File too large" in err


def test_loader_goes_on_after_refused_memory(monkeypatch):
    """One batch fails; the next ones, for which there is memory again, arrive."""
    from lampas.multiprocessing import memory

    create = memory.create

    def refuse(size):
        if size > 100_000:
            raise RuntimeError("unable to allocate shared memory(shm)")
        return create(size)

    monkeypatch.setattr(memory, "create", refuse)  # workers inherit it
    sizes = [5000, 50_000, 5000]
    iterator = iter(D.DataLoader(Made(lambda i: lampas.ones(sizes[i]), 3), num_workers=1))
    assert next(iterator).shape == (1, 5000)
    with pytest.raises(RuntimeError, match="unable to allocate shared memory"):
        next(iterator)
    assert next(iterator).shape == (1, 5000)
