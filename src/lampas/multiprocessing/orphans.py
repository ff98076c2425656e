"""A child process that notices the death of its parent, however the parent died."""

import multiprocessing
import os
import select
import threading


def on_parent_death(action):
    """Calls `action()` from a thread of its own as soon as the parent process is gone."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    threading.Thread(target=_watch, args=(parent, action), daemon=True).start()


def _watch(parent, action):
    descriptor = None
    try:
        # The pipe that `parent.join` waits for may be held open by other children of the parent;
        # the kernel's own notice cannot.
        descriptor = os.pidfd_open(parent.pid)
    except ProcessLookupError:
        return action()
    except (AttributeError, OSError):  # not Linux, or forbidden
        pass
    if descriptor is None:
        parent.join()
    elif parent.is_alive():  # the number was not given to another process meanwhile
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        poller.poll()
    action()
