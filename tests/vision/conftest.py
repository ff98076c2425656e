"""Fixtures of the vision tests."""

import pytest


@pytest.fixture(autouse=True)
def _one_thread(torch):
    """Threads of the oracle cost more than they bring in networks of this size."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
