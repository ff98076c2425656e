"""A short run of calls.py: no public function ends the process, whatever it is given."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each function is called in a forked process")
def test_no_call_ends_the_process():
    program = Path(__file__).parent / "calls.py"
    done = subprocess.run(
        [sys.executable, str(program), "--calls", "8", "--seconds", "60"],
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
