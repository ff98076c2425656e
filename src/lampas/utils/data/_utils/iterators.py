"""The iterators of a DataLoader: without workers, and with worker processes.

How the processes are run and heard is in `crew`; what a worker does in `worker`.
"""

import functools
import itertools
import warnings

import lampas
from lampas.utils.data._utils import batched, fetch
from lampas.utils.data._utils import pin_memory as pinning


class _DatasetKind:
    Map = 0
    Iterable = 1

    @staticmethod
    def create_fetcher(kind, dataset, auto_collation, collate_fn, drop_last):
        """What makes the items of a loader of entries of the index sampler."""
        name = "iterable" if kind == _DatasetKind.Iterable else "map"
        return fetch.create_fetcher(name, dataset, auto_collation, collate_fn, drop_last)


class _BaseDataLoaderIter:
    """What both kinds of iterator share: the stream of indices, the seed, counting."""

    def __init__(self, loader):
        self._dataset = loader.dataset
        self._dataset_kind = loader._dataset_kind
        self._index_sampler = loader._index_sampler
        self._auto_collation = loader._auto_collation
        self._collate_fn = loader.collate_fn
        self._drop_last = loader.drop_last
        self._pin_memory = loader.pin_memory
        self._num_workers = loader.num_workers
        self._num_yielded = 0
        self._IterableDataset_len_called = loader._IterableDataset_len_called
        if loader.pin_memory:
            pinning.warn_without_device(loader.pin_memory_device)
        # Drawn before the sampler's own seed, with workers or without: the order depends on it.
        self._base_seed = (
            lampas.empty((), dtype=lampas.int64).random_(generator=loader.generator).item()
        )
        self._sampler_iter = iter(self._index_sampler)

    def __iter__(self):
        return self

    def __next__(self):
        if not lampas._core._profiling():
            return self._next()
        from lampas.autograd.profiler import record_function

        with record_function(f"enumerate(DataLoader)#{type(self).__name__}.__next__"):
            return self._next()

    def _next(self):
        data = self._next_data()
        self._num_yielded += 1
        self._check_length()
        return data

    def __len__(self):
        return len(self._index_sampler)

    def __getstate__(self):
        raise NotImplementedError("{} cannot be pickled", self.__class__.__name__)

    def _reset(self, loader):
        """Back to the start, for another epoch."""
        self._sampler_iter = iter(self._index_sampler)
        self._num_yielded = 0
        self._IterableDataset_len_called = loader._IterableDataset_len_called

    def _next_index(self):
        return next(self._sampler_iter)

    def _next_data(self):
        raise NotImplementedError

    def _pinned(self, data):
        return pinning.pin_memory(data) if self._pin_memory else data

    def _check_length(self):
        called = self._IterableDataset_len_called
        if self._dataset_kind != _DatasetKind.Iterable or called is None:
            return
        if self._num_yielded <= called:
            return
        message = (
            f"Length of IterableDataset {self._dataset} was reported to be {called}"
            f"(when accessing len(dataloader)), but {self._num_yielded} samples have been fetched. "
        )
        if self._num_workers > 0:
            message += (
                "For multiprocessing data-loading, this could be caused by not properly "
                "configuring the IterableDataset replica at each worker. Each worker should "
                "handle its own part of the stream, see get_worker_info."
            )
        warnings.warn(message, stacklevel=3)


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    def __init__(self, loader):
        super().__init__(loader)
        if loader.timeout != 0:
            raise AssertionError("timeout must be 0 when num_workers is 0")
        self._dataset_fetcher = _DatasetKind.create_fetcher(
            self._dataset_kind,
            self._dataset,
            self._auto_collation,
            self._collate_fn,
            self._drop_last,
        )
        self._batches = self._whole_batches()

    def _whole_batches(self):
        """The epoch's batches as an iterator that asks no sampler in between; None where each batch
        must be asked for."""
        reader = getattr(self._dataset_fetcher, "reader", None)
        if reader is None:
            return None
        rows = batched.index_batches(self._index_sampler, self._dataset)
        return None if rows is None else map(reader, rows)

    def _next_data(self):
        if self._batches is not None:
            return self._pinned(next(self._batches))
        return self._pinned(self._dataset_fetcher.fetch(self._next_index()))


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Batches from worker processes, `prefetch_factor` of them asked for ahead for each worker.

    The workers take turns; batches come in the order of the sampler, or, with `in_order=False`, as
    they get ready.
    """

    _crew = None

    def __init__(self, loader):
        super().__init__(loader)
        if loader.num_workers <= 0 or loader.prefetch_factor <= 0:
            name = "num_workers" if loader.num_workers <= 0 else "prefetch_factor"
            raise AssertionError(f"{name} must be greater than 0 for MultiProcessingDataLoaderIter")
        self._timeout = loader.timeout
        self._in_order = loader.in_order
        self._prefetch_factor = loader.prefetch_factor
        self._persistent_workers = loader.persistent_workers
        self._send_idx = 0  # the number of the next task; tasks of former epochs have lower ones
        self._crew = self._hire(loader)
        self._workers = [member.process for member in self._crew.members]
        self._begin()

    def _hire(self, loader):
        from lampas.utils.data._utils.crew import Crew

        make_fetcher = functools.partial(
            _DatasetKind.create_fetcher,
            self._dataset_kind,
            self._dataset,
            self._auto_collation,
            self._collate_fn,
            self._drop_last,
        )
        infos = [
            {
                "id": i,
                "num_workers": self._num_workers,
                "seed": self._base_seed + i,
                "dataset": self._dataset,
            }
            for i in range(self._num_workers)
        ]
        context = loader.multiprocessing_context
        if context is None:
            import lampas.multiprocessing as context
        return Crew(context, infos, make_fetcher, loader.worker_init_fn)

    def _reset(self, loader):
        super()._reset(loader)
        self._forget_tasks()
        self._crew.resume()
        self._begin()

    def _begin(self):
        """Starts an epoch: every worker gets its first tasks."""
        self._active = [True] * self._num_workers  # False: its stream ended
        self._tasks = {}  # number -> worker, in order
        self._results = {}  # number -> (worker, kind, body)
        self._turns = itertools.cycle(range(self._num_workers))
        for _ in range(self._prefetch_factor * self._num_workers):
            self._ask()

    def _ask(self):
        """Gives the sampler's next entry to the worker whose turn it is."""
        if len(self._tasks) >= self._prefetch_factor * self._num_workers:
            return
        worker_id = self._next_worker()
        if worker_id is None:
            return
        try:
            index = self._next_index()
        except StopIteration:
            return
        self._crew.fetch(worker_id, self._send_idx, index)
        self._tasks[self._send_idx] = worker_id
        self._send_idx += 1

    def _next_worker(self):
        turns = [i for i in itertools.islice(self._turns, self._num_workers) if self._active[i]]
        if not turns:
            return None
        chosen = turns[0]
        if not self._in_order:
            load = [0] * self._num_workers
            for worker_id in self._tasks.values():
                load[worker_id] += 1
            chosen = min(turns, key=load.__getitem__)
        while next(self._turns) != chosen:
            pass
        return chosen

    def _next_data(self):
        if self._shutdown:
            raise self._crew.failure or StopIteration
        while self._tasks:
            task = self._ready_task()
            if task is None:
                self._listen()
                continue
            return self._deliver(task)
        if not self._persistent_workers:
            self._shutdown_workers()
        raise StopIteration

    def _ready_task(self):
        """A task whose result may be delivered now, or None."""
        if not self._in_order and self._results:
            return next(iter(self._results))
        task = next(iter(self._tasks))
        return task if task in self._results else None

    def _deliver(self, task):
        from lampas.utils.data._utils.worker import FAILURE

        worker_id, kind, body = self._results.pop(task)
        del self._tasks[task]
        data = body if kind == FAILURE else self._crew.open(worker_id, body)
        self._ask()
        if kind == FAILURE:
            data.reraise()
        return self._pinned(data)

    def _listen(self):
        """Waits until a worker has something to say."""
        from lampas.utils.data._utils.worker import BATCH, ENDED

        if not self._crew.events:
            expected = {owner for task, owner in self._tasks.items() if task not in self._results}
            self._crew.wait(self._timeout, expected)
        while self._crew.events:
            kind, task, worker_id, body = self._crew.events.popleft()
            if task not in self._tasks:
                if kind == BATCH:
                    self._crew.discard(worker_id, body)
            elif kind == ENDED:
                self._end_stream(worker_id)
            else:
                self._results[task] = worker_id, kind, body

    def _end_stream(self, worker_id):
        """A worker's stream is over: its further tasks have no answer, others get its turns."""
        self._active[worker_id] = False
        if not self._persistent_workers:
            self._crew.dismiss(worker_id)
        for task, owner in list(self._tasks.items()):
            if owner == worker_id and task not in self._results:
                del self._tasks[task]
                self._ask()

    def _forget_tasks(self):
        from lampas.utils.data._utils.worker import BATCH

        for worker_id, kind, body in self._results.values():
            if kind == BATCH:
                self._crew.discard(worker_id, body)
        self._results.clear()

    @property
    def _shutdown(self):
        return self._crew is None or self._crew.ended

    def _shutdown_workers(self):
        """Ends the worker processes. What was delivered stays valid."""
        if not self._shutdown:
            self._crew.end()

    def __del__(self):
        self._shutdown_workers()
