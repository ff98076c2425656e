"""`spawn` and `start_processes`: results, errors and their texts as PyTorch's."""

import os
import signal
import subprocess
import sys
import time

import pytest

import lampas
import lampas.multiprocessing as mp


def succeed(i, shared):
    shared[i] = i + 1


def fail(i, kind):
    if i == 1 and kind == "raise":
        raise ValueError("of process 1")
    if i == 1 and kind == "exit":
        sys.exit(3)
    if i == 1 and kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if i == 1 and kind == "long":
        raise ValueError("x" * 300_000)  # more than a pipe holds
    time.sleep(1000)


def end(i):
    pass


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_shared_results(method):
    shared = lampas.zeros(2).share_memory_()
    assert mp.start_processes(succeed, (shared,), 2, start_method=method) is None
    assert shared.tolist() == [1, 2]


@pytest.mark.parametrize("kind", ["raise", "exit", "kill"])
def test_errors_equal_torch(torch, kind):
    seen = []
    for t in (lampas, torch):
        with pytest.raises(Exception) as raised:
            t.multiprocessing.start_processes(fail, (kind,), 2, start_method="fork")
        error = raised.value
        lines = str(error).strip().splitlines()
        fields = [getattr(error, name, None) for name in ("exit_code", "signal_name")]
        seen.append((type(error).__name__, error.error_index, lines[0], lines[-1], fields))
        assert error.error_pid > 0
    assert seen[0] == seen[1]


def test_long_error():
    with pytest.raises(mp.ProcessRaisedException, match="x" * 300_000):
        mp.start_processes(fail, ("long",), 2, start_method="fork")


def test_context():
    context = mp.spawn(end, nprocs=2, join=False)
    assert isinstance(context, mp.ProcessContext) and len(set(context.pids())) == 2
    while not context.join():
        pass
    assert context.join() and not any(process.is_alive() for process in context.processes)


def test_join_gives_up_in_time():
    context = mp.start_processes(fail, ("none",), 1, join=False, start_method="fork")
    assert context.join(timeout=0) is False
    context.processes[0].kill()
    with pytest.raises(mp.ProcessExitedException, match="process 0 terminated with signal SIGKILL"):
        context.join()


def test_warning_equals_torch(torch):
    texts = []
    for t in (lampas, torch):
        with pytest.warns(FutureWarning) as raised:
            t.multiprocessing.spawn(end, nprocs=0, start_method="fork")
        texts.append(str(raised[0].message))
    assert texts[0] == texts[1]


ORPHANS = """
import os, sys, time
import lampas.multiprocessing as mp
def wait(i):
    os.write(1, b"%d\\n" % os.getpid())  # in one piece
    time.sleep(1000)
mp.start_processes(wait, nprocs=2, start_method="fork")
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_processes_end_with_the_program(number):
    program = subprocess.Popen(
        [sys.executable, "-c", ORPHANS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert all(program.stdout.readline() for _ in range(2))
    if number == signal.SIGINT:
        os.killpg(program.pid, number)  # as the terminal does
    else:
        program.send_signal(number)
    # The output ends only when all who hold it have ended.
    _, err = program.communicate(timeout=60)
    assert program.returncode == -number
    assert err.count("Traceback") == (number == signal.SIGINT)
