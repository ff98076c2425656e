"""What code inside a dataset can learn about the worker process that runs it."""

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
