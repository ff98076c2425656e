"""Profiles: what is measured, how averages and tables come about (compared with PyTorch's), the files."""

import gzip
import json

import pytest
import torch
import torch.autograd.profiler_util as torch_events
import torch.profiler

import lampas
import lampas.autograd.profiler_util as our_events
import lampas.profiler
from lampas.profiler import profile, record_function

SCHEDULES = [
    {"wait": 1, "warmup": 1, "active": 2, "repeat": 2},
    {"wait": 0, "warmup": 1, "active": 1},
    {"wait": 2, "warmup": 0, "active": 3, "skip_first": 1},
]


def event_list(module, memory=False, flops=False):
    """The same events, made with each library's classes."""
    rows = [
        (1, "outer", 0.0, 4000.0, None, [], 40, 0),
        (2, "aten::linear", 10.5, 1510.75, 1, [[8, 8], [4, 8], [4]], 128, 512),
        (3, "aten::mul", 2000.0, 2100.123, 1, [[8, 4], []], 4096, 2_000_000),
        (4, "aten::mul", 2200.0, 2250.0, 1, [[8, 8], []], -70, 64),
        (5, "a_name_that_is_longer_than_the_fifty_five_columns_of_a_table", 5000.0, 1.2e6, None, [], 0, 0),
        (6, "aten::add", 6000.0, 7000.0, 5, [[8, 4], [8, 4], []], 3 << 30, 32),
    ]  # fmt: skip
    events = {}
    for i, name, start, end, parent, shapes, nbytes, operations in rows:
        event = module.FunctionEvent(
            i, name, 1, start, end, input_shapes=shapes, cpu_memory_usage=nbytes, flops=operations,
            stack=[],
        )  # fmt: skip
        events[i] = event
        if parent:
            event.set_cpu_parent(events[parent])
            events[parent].append_cpu_child(event)
    found = module.EventList(events.values(), profile_memory=memory, with_flops=flops)
    found._tree_built = True
    return found


@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize("flops", [False, True])
@pytest.mark.parametrize("shapes", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sort_by": "cpu_time_total", "row_limit": 3},
        {"sort_by": "self_cpu_time_total", "max_name_column_width": 20, "time_unit": "ms"},
        {"sort_by": "count", "header": "A HEADER", "max_shapes_column_width": 18},
        {"sort_by": "self_cpu_memory_usage", "row_limit": -1},
        {"top_level_events_only": True, "row_limit": 1},
    ],
)
def test_tables_are_laid_out_as_by_pytorch(memory, flops, shapes, options):
    ours, theirs = (
        event_list(m, memory, flops).key_averages(group_by_input_shapes=shapes)
        for m in (our_events, torch_events)
    )
    assert ours.table(**options) == theirs.table(**options)


def test_averages_are_those_of_pytorch():
    ours, theirs = event_list(our_events), event_list(torch_events)
    names = """key count cpu_time cpu_time_total self_cpu_time_total cpu_time_str self_cpu_time_total_str
        cpu_memory_usage self_cpu_memory_usage flops input_shapes device_time_total""".split()
    for a, b in zip(ours.key_averages(), theirs.key_averages(), strict=True):
        assert {n: getattr(a, n) for n in names} == {n: getattr(b, n) for n in names}
        assert repr(a) == repr(b)
    assert repr(ours.total_average()) == repr(theirs.total_average())
    assert ours.self_cpu_time_total == theirs.self_cpu_time_total
    assert [repr(e) for e in ours] == [repr(e) for e in theirs]
    assert str(ours) == str(theirs)


def program(t, profile, record_function):
    x = t.ones(4, 3, requires_grad=True)
    weight = t.ones(2, 3)
    with profile(record_shapes=True, profile_memory=True) as p:
        with record_function("forward"):
            y = t.nn.functional.linear(x, weight)
            z = (y * 2).relu()
        (1 - z).sum().backward()
        a = x.detach() / 2
        a += 1
        a.clamp_(0, 1)
        t.eq(a, 1)
        t.neg(a)
        a = a[0:2]
        t.cat([a, a])
        t.softmax(a, 1)
    return p


def test_the_operators_of_a_program():
    ours = program(lampas, profile, record_function)
    theirs = program(torch, torch.profiler.profile, torch.profiler.record_function)
    outer = [e for e in theirs.events() if e.cpu_parent is None or e.cpu_parent.name == "forward"]
    ran = {e.name for e in ours.events()}
    known = {"aten::ones_like", "[memory]"}  # no operators here
    assert {e.name for e in outer} - known <= ran
    shapes = {e.name: e.input_shapes for e in ours.events()}
    for event in outer:
        if event.name in ("aten::linear", "aten::mul", "aten::relu", "aten::add_", "aten::cat"):
            shown = [s for s in event.input_shapes if s]
            assert [s for s in shapes[event.name] if s] == shown
    assert {"SumBackward0", "ReluBackward0", "MulBackward0"} <= ran
    assert "autograd::engine::evaluate_function: torch::autograd::AccumulateGrad" in ran


def test_events_nest_in_time():
    p = program(lampas, profile, record_function)
    assert len({e.id for e in p.events()}) == len(p.events())
    for event in p.events():
        assert 0 <= event.time_range.start <= event.time_range.end
        parent = event.cpu_parent
        if parent is not None:
            assert event in parent.cpu_children
            assert parent.time_range.start <= event.time_range.start
            assert event.time_range.end <= parent.time_range.end
    (label,) = [e for e in p.events() if e.name == "forward"]
    assert [c.name for c in label.cpu_children] == ["aten::linear", "aten::mul", "aten::relu"]
    assert label.is_user_annotation and label.self_cpu_time_total <= label.cpu_time_total


def test_memory_is_counted_as_asked_for():
    with profile(profile_memory=True) as p:
        kept = lampas.empty(1000)
        lampas.empty(500)
    assert [e.cpu_memory_usage for e in p.events()] == [4000, 2000]
    assert kept.numel() == 1000
    with profile() as p:
        lampas.empty(1000)
    assert p.events()[0].cpu_memory_usage == 0


@pytest.mark.parametrize("options", SCHEDULES, ids=str)
def test_schedules(options):
    def steps(t, profiler):
        seen = []

        def ready(p):
            averages = {e.key: e.count for e in p.key_averages()}
            seen.append((p.step_num, averages.get("ProfilerStep*"), averages.get("aten::neg")))

        chosen = profiler.schedule(**options)
        with profiler.profile(schedule=chosen, on_trace_ready=ready) as p:
            for _ in range(9):
                t.ones(2).neg()
                p.step()
        return seen, p.step_num

    assert steps(lampas, lampas.profiler) == steps(torch, torch.profiler)


def test_order_of_calls():
    p = profile()
    for call in (p.events, p.key_averages, p.stop, lambda: p.export_chrome_trace("x")):
        with pytest.raises(AssertionError, match="Profiler must be initialized before"):
            call()
    with pytest.raises(AssertionError, match="No valid profiler activities found"):
        profile(activities=[])
    with profile() as p:
        assert lampas.autograd._profiler_enabled()
        with pytest.raises(RuntimeError, match="already enabled"):
            lampas.autograd.profiler.profile().__enter__()
    assert not lampas.autograd._profiler_enabled()
    with pytest.raises(AssertionError, match="requires with_stack=True"):
        p.export_stacks("x")
    with pytest.raises(RuntimeError, match="not reentrant"):
        with p.profiler:
            pass


def test_a_profile_ends_with_an_exception():
    with pytest.raises(ZeroDivisionError):
        with profile() as p, record_function("block"):
            lampas.ones(2)
            raise ZeroDivisionError
    assert [e.name for e in p.events()] == ["block", "aten::ones"]
    with pytest.raises(RuntimeError), profile() as p:
        lampas.ones(2) @ lampas.ones(3)
    assert [e.name for e in p.events()][-1] == "aten::matmul"


def test_labels():
    @record_function("decorated")
    def double(x):
        return x * 2

    with profile() as p:
        double(lampas.ones(2))
        double(lampas.ones(2))
    found = {e.key: e.count for e in p.key_averages()}
    assert found["decorated"] == 2 and found["aten::mul"] == 2
    assert double(lampas.ones(1)).item() == 2  # and nothing happens without a profile


def test_optimizers_and_loaders_label_themselves():
    model = lampas.nn.Linear(2, 1)
    optimizer = lampas.optim.SGD(model.parameters(), lr=0.1)
    with profile() as p:
        for x in lampas.utils.data.DataLoader([lampas.ones(2)] * 2):
            optimizer.zero_grad()
            model(x).sum().backward()
            optimizer.step()
    found = {e.key: e.count for e in p.key_averages()}
    assert found["Optimizer.step#SGD.step"] == found["Optimizer.zero_grad#SGD.zero_grad"] == 2
    assert found["enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__"] == 3


def test_flops_and_stacks(tmp_path):
    def run(t, profiler):
        x, image = t.ones(4, 5), t.ones(2, 3, 8, 8)
        with profiler.profile(with_flops=True) as p:
            t.mm(x, x.t())
            t.bmm(x[None], x.t()[None])
            t.nn.functional.conv2d(image, t.ones(4, 3, 3, 3), stride=2, padding=1)
            x * 2
            x + x
        return {e.key: e.flops for e in p.key_averages() if e.flops}

    assert run(lampas, lampas.profiler) == run(torch, torch.profiler)
    with profile(with_stack=True) as p:
        lampas.ones(1000).sum()
    (event,) = [e for e in p.events() if e.name == "aten::sum"]
    assert event.stack[0].endswith(": test_flops_and_stacks")
    p.export_stacks(str(tmp_path / "stacks"))
    line = (tmp_path / "stacks").read_text().splitlines()[0]
    assert line.rpartition(";")[2].split(" ")[0].endswith(":_test_flops_and_stacks")
    assert "Source Location" in p.key_averages(group_by_stack_n=2).table()


def test_traces(tmp_path):
    p = program(lampas, profile, record_function)
    p.add_metadata("written by", "a test")
    p.export_chrome_trace(str(tmp_path / "trace.json"))
    p.export_chrome_trace(str(tmp_path / "trace.json.gz"))
    found = json.loads((tmp_path / "trace.json").read_text())
    assert found == json.loads(gzip.decompress((tmp_path / "trace.json.gz").read_bytes()))
    assert found["written by"] == "a test"
    spans = [e for e in found["traceEvents"] if e["ph"] == "X"]
    assert len(spans) == len(p.events())
    assert {e["cat"] for e in spans} == {"cpu_op", "user_annotation"}
    for span, event in zip(spans, p.events()):
        assert (span["name"], span["dur"]) == (event.name, pytest.approx(event.cpu_time, abs=1e-3))
    folder = tmp_path / "runs"
    with profile(on_trace_ready=lampas.profiler.tensorboard_trace_handler(str(folder), "me")):
        lampas.ones(2)
    (written,) = folder.iterdir()
    assert written.name.startswith("me.") and written.name.endswith(".pt.trace.json")


def test_autograd_profile():
    with lampas.autograd.profiler.profile() as p:
        assert str(p) == "<unfinished torch.autograd.profile>"
        lampas.ones(2).sum()
    assert [e.name for e in p.function_events] == ["aten::ones", "aten::sum"]
    assert p.self_cpu_time_total == p.total_average().self_cpu_time_total
    assert "aten::sum" in p.table() and str(p) == p.table()
    with lampas.autograd.profiler.profile(enabled=False) as p:
        lampas.ones(2)
    assert p is None
    with pytest.raises(AssertionError, match="not compiled with CUDA"):
        lampas.autograd.profiler.emit_nvtx().__enter__()


def test_a_subclass_still_takes_calls_over():
    class Shouting(lampas.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            return "taken"

    with profile() as p:
        assert lampas.neg(lampas.ones(2).as_subclass(Shouting)) == "taken"
    assert "aten::neg" not in [e.name for e in p.events()]
