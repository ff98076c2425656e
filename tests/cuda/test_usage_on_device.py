"""On a real GPU (`make test-cuda`): the calls that many packages make give what they give on the CPU."""

import pytest
import usage_on_device

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("case", usage_on_device.calls())
def test_call(case):
    problem, _ = usage_on_device.play(case)
    assert not problem, problem
