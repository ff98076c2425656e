"""Several processes that run one function: `spawn`, and what reports how they ended."""

import multiprocessing
import os
import signal
import time
import traceback
import warnings
from multiprocessing import connection

from lampas.multiprocessing.orphans import on_parent_death

__all__ = [
    "ProcessContext",
    "ProcessException",
    "ProcessExitedException",
    "ProcessRaisedException",
    "SpawnContext",
    "spawn",
    "start_processes",
]


class ProcessException(Exception):
    """A process failed: `error_index` is its number, `error_pid` its process id."""

    def __init__(self, msg, error_index, pid):
        super().__init__(msg)
        self.msg = msg
        self.error_index = error_index
        self.error_pid = pid

    @property
    def pid(self):
        return self.error_pid

    def __reduce__(self):
        return type(self), (self.msg, self.error_index, self.error_pid)


class ProcessRaisedException(ProcessException):
    """A process ended with an exception; the text holds its traceback."""

    def __init__(self, msg, error_index, error_pid):
        super().__init__(msg, error_index, error_pid)


class ProcessExitedException(ProcessException):
    """A process ended by a signal (`signal_name`) or with another `exit_code` than 0."""

    def __init__(self, msg, error_index, error_pid, exit_code, signal_name=None):
        super().__init__(msg, error_index, error_pid)
        self.exit_code = exit_code
        self.signal_name = signal_name

    def __reduce__(self):
        fields = (self.msg, self.error_index, self.error_pid, self.exit_code, self.signal_name)
        return type(self), fields


def _interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def _run(fn, i, args, report):
    """The body of a process: `fn(i, *args)`, a traceback goes into `report`."""
    on_parent_death(_interrupt)
    try:
        fn(i, *args)
    except KeyboardInterrupt:
        pass  # the parent tells the user
    except Exception:
        report.send(traceback.format_exc())
        raise SystemExit(1) from None


class ProcessContext:
    """Processes started together. `join` waits for them and raises what went wrong."""

    def __init__(self, processes, reports):
        self.processes = processes
        self.sentinels = {process.sentinel: i for i, process in enumerate(processes)}
        self._reports = reports  # where each process writes its traceback
        self._texts = {}

    def pids(self):
        return [process.pid for process in self.processes]

    def join(self, timeout=None, grace_period=None):
        """Waits until a process ends, `timeout` seconds at most.

        True when all have ended well, False when some still run. When one failed the others are
        ended (SIGTERM; SIGKILL where that does not help within `grace_period` seconds) and
        ProcessRaisedException or ProcessExitedException is raised.
        """
        if not self.sentinels:
            return True
        ended = self._wait(timeout)
        failed = None
        for sentinel in ended:
            i = self.sentinels.pop(sentinel)
            self.processes[i].join()
            self._read(i)
            if self.processes[i].exitcode:
                failed = i
                break
        if failed is None:
            return not self.sentinels
        self._end_others(grace_period)
        self._fail(failed)

    def _wait(self, timeout):
        """The sentinels of processes that ended; tracebacks are read on the way."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(deadline - time.monotonic(), 0)
            open_reports = {report: i for i, report in self._reports.items()}
            ready = connection.wait([*self.sentinels, *open_reports], left)
            for item in ready:
                if item in open_reports:
                    self._read(open_reports[item])
            ended = [item for item in ready if item in self.sentinels]
            if ended or not ready:
                return ended

    def _read(self, i):
        report = self._reports.get(i)
        if report is None or not report.poll():
            return
        try:
            self._texts[i] = report.recv()
        except EOFError:
            pass
        report.close()
        del self._reports[i]

    def _end_others(self, grace_period):
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        deadline = time.monotonic() + (30 if grace_period is None else grace_period)
        for process in self.processes:
            process.join(max(deadline - time.monotonic(), 0))
            if process.is_alive():
                process.kill()
                process.join()

    def _fail(self, i):
        process = self.processes[i]
        if i in self._texts:
            text = f"\n\n-- Process {i} terminated with the following error:\n{self._texts[i]}"
            raise ProcessRaisedException(text, i, process.pid)
        code = process.exitcode
        if code >= 0:
            text = f"process {i} terminated with exit code {code}"
            raise ProcessExitedException(text, i, process.pid, code)
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"<Unknown signal {-code}>"
        text = f"process {i} terminated with signal {name}"
        raise ProcessExitedException(text, i, process.pid, code, name)


class SpawnContext(ProcessContext):
    """What `spawn(..., join=False)` returned in older programs."""


def start_processes(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """Runs `fn(i, *args)` in `nprocs` processes, i from 0.

    With `join` waits for all of them, raises as `ProcessContext.join` does, and returns None;
    otherwise returns the `ProcessContext`.
    """
    context = multiprocessing.get_context(start_method)
    processes, reports = [], {}
    for i in range(nprocs):
        reports[i], writer = context.Pipe(duplex=False)
        process = context.Process(target=_run, args=(fn, i, args, writer), daemon=daemon)
        process.start()
        writer.close()
        processes.append(process)
    running = ProcessContext(processes, reports)
    if not join:
        return running
    while not running.join():
        pass


def spawn(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """`start_processes` with the start method "spawn"; `fn` must be importable by name."""
    if start_method != "spawn":
        warnings.warn(
            f"This method only supports start_method=spawn (got: {start_method}).\n"
            "To use a different start_method use:\n\t\t torch.multiprocessing.start_processes(...)",
            FutureWarning,
            stacklevel=2,
        )
    return start_processes(fn, args, nprocs, join, daemon, start_method="spawn")
