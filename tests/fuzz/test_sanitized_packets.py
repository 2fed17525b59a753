"""The kernel reads and writes nothing that is not its own, and says what the reference says."""

import pytest

from tests.fuzz import _sanitized_packets


@pytest.mark.slow
@pytest.mark.skipif(_sanitized_packets.runtime() is None, reason="no compiler with AddressSanitizer is here")
def test_no_input_reaches_beyond_its_buffer() -> None:
    done = _sanitized_packets.run(20, "suite")
    assert done.returncode == 0, done.stdout + done.stderr
