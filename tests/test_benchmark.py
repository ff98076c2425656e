"""torch.utils.benchmark: statistics and texts of measurements as PyTorch's; Timer runs what it should."""

import random

import pytest
import torch.utils.benchmark
from agreement import agree, difference, plain
from expressions import cases

import lampas

CASES = """
M([1e-4]) | M([1e-4, 1.1e-4]) | M([1e-3, 1.001e-3, 0.99e-3, 1.002e-3, 1.01e-3]) | M([i * 1e-6 for i in range(1, 12)]) | M([2.0, 2.1, 2.05])
M([1e-4] * 4, setup="x=3") | M([1e-4] * 4, "x\\ny", setup="a\\nb") | M([1e-4] * 4, "x\\ny", label="L", sub_label="S") | M([3e-9] * 4, sub_label="S")
M([1e-4, 2e-4], description="D", env="E", num_threads=3) | M([1.0, 1.1, 1.2, 1.3, 1.4]) | M([1.0, 1.3, 1.4, 1.8]) | M([1e-4] * 4, "x\\ny", sub_label="S", description="D")
"""


def measurement(module):
    benchmark = module.utils.benchmark

    def make(times, stmt="x+1", setup="pass", **labels):
        return benchmark.Measurement(10, times, benchmark.TaskSpec(stmt, setup, **labels))

    return make


def described(m):
    text = repr(m).split("\n", 1)[1]
    numbers = (
        m.times,
        m.median,
        m.mean,
        m.iqr,
        m.significant_figures,
        m.has_warnings,
        m.meets_confidence(),
    )
    return text, numbers, m.title, m.as_row_name, m.stmt, m.num_threads


@pytest.mark.parametrize("case", cases(CASES))
def test_texts(case):
    agree(lambda t: described(eval(case, {"M": measurement(t)})))


def test_statistics_of_random_times():
    numbers = random.Random(0)
    for _ in range(300):
        spread = 10 ** numbers.uniform(-5, -0.5)
        times = [abs(numbers.gauss(1, spread)) * 1e-5 for _ in range(numbers.randint(1, 40))]
        mine, theirs = measurement(lampas)(times), measurement(torch)(times)
        got, expected = (plain(described(one)[1:]) for one in (mine, theirs))
        assert difference(got, expected, 1e-9, 0) is None
        assert mine.significant_figures == theirs.significant_figures


def test_merge_and_helpers():
    def merged(t):
        make, b = measurement(t), t.utils.benchmark
        found = b.Measurement.merge([make([1e-4]), make([2e-4]), make([3e-4], label="other")])
        helpers = (
            [b.select_unit(x) for x in (1e-12, 1e-6, 0.5, 30)],
            b.unit_to_english("ms"),
            b.ordered_unique([2, 1, 2]),
        )
        return (
            [described(one) for one in found],
            helpers,
            [b.trim_sigfig(x, 2) for x in (123.4, 0.25, 1.0)],
        )

    agree(merged)


def test_timer_runs_setup_once_and_the_statement_often():
    calls = []
    timer = lampas.utils.benchmark.Timer(
        "calls.append(1)", "calls.append('setup')", globals={"calls": calls}, num_threads=2
    )
    threads = lampas.get_num_threads()
    measured = timer.timeit(50)
    assert calls.count("setup") == 2 and calls.count(1) >= 52 and len(measured.times) == 1
    assert (
        measured.number_per_run == 50
        and measured.median > 0
        and lampas.get_num_threads() == threads
    )
    seen = []
    measured = timer.blocked_autorange(lambda number, time: seen.append(number), min_run_time=0.01)
    assert sum(measured.raw_times) >= 0.01 and set(seen) == {measured.number_per_run}
    assert timer.adaptive_autorange(max_run_time=0.1).number_per_run >= 1


def test_timer_refuses():
    agree(lambda t: t.utils.benchmark.Timer(3))
    agree(lambda t: t.utils.benchmark.Timer("x + 1").timeit(3))
    agree(lambda t: t.utils.benchmark.Timer("1").repeat())
    with pytest.raises(NotImplementedError, match="only Python"):
        lampas.utils.benchmark.Timer("1", language="c++")
    with pytest.raises(NotImplementedError, match="Compare is not available"):
        lampas.utils.benchmark.Compare([])
