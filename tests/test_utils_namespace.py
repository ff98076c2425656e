"""Small modules of torch.utils and beside it: weak dictionaries, groups of tensors, events, the environment."""

import datetime
import gc

import pytest
import torch.utils._foreach_utils
import torch.utils.weak  # noqa: F401 (loaded for both)
from agreement import agree

import lampas


@pytest.mark.parametrize("kind", ["WeakTensorKeyDictionary", "WeakIdKeyDictionary"])
def test_weak_dictionary(kind):
    def run(t):
        make = getattr(t.utils.weak, kind)
        a, b, c = t.ones(2), t.ones(2), t.zeros(1)
        d = make({a: 1})
        d[b] = 2
        d.setdefault(c, 3)
        seen = [
            len(d),
            a in d,
            t.ones(2) in d,
            3 in d,
            d[b],
            d.get(t.ones(2)),
            [k is a for k in d],
            sorted(d.values()),
        ]
        copy, both = d.copy(), d | {a: 9}
        del d[c]
        seen += [
            len(copy),
            both[a],
            d == copy,
            d == d.copy(),
            copy.pop(a),
            len(copy),
            d.pop(c, "none"),
        ]
        del b, copy, both
        gc.collect()
        return [*seen, len(d), [k() is a for k in d.keyrefs()]]

    agree(run)
    agree(lambda t: getattr(t.utils.weak, kind)()[3])


def test_groups_of_tensors():
    def run(t):
        a, b = t.ones(2), t.ones(2, dtype=t.float64)
        group = t.utils._foreach_utils._group_tensors_by_device_and_dtype
        found = group([[a, b, a], [b, a, None]], True), group([[b, a], []])
        return [
            {str(k): v for k, v in sorted(one.items(), key=lambda kv: str(kv[0]))} for one in found
        ]

    agree(run)


def test_events():
    def run(t):
        seen, monitor = [], t.monitor
        handle = monitor.register_event_handler(
            lambda event: seen.append((event.name, sorted(event.data.items())))
        )
        event = monitor.Event(
            name="step", timestamp=datetime.datetime(2026, 1, 1), data={"loss": 0.5, "n": 3}
        )
        monitor.log_event(event)
        monitor.unregister_event_handler(handle)
        monitor.log_event(event)
        return seen, event.timestamp.year

    agree(run)


def test_environment_and_absent_names():
    text = lampas.utils.collect_env.get_pretty_env_info()
    assert "PyTorch version: " in text and "Is CUDA available: " in text and "numpy" in text
    with pytest.raises(NotImplementedError, match="torch.package.PackageExporter is not available"):
        lampas.package.PackageExporter("x")
    with pytest.raises(NotImplementedError, match="torch.monitor.Stat is not available"):
        lampas.monitor.Stat("x")
