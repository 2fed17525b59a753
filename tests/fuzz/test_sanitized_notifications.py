"""The kernel for notifications reads and writes nothing that is not its own."""

import subprocess
import sys

import pytest

from tests.fuzz import _sanitized_packets


@pytest.mark.slow
@pytest.mark.skipif(_sanitized_packets.runtime() is None, reason="no compiler with AddressSanitizer is here")
def test_no_notification_reaches_beyond_its_buffer() -> None:
    command = [sys.executable, "-m", "tests.fuzz._sanitized_notifications", "--seconds", "20"]
    done = subprocess.run(command, cwd=_sanitized_packets.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing found" in done.stdout
