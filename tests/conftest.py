"""What all tests share: a missing system package skips a test by name, and fails it where it should be there."""

import os
from collections.abc import Iterator

import pytest

collect_ignore_glob = ["golden/*"]  # scripts that write the inputs, not tests


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Turn a skip for want of a system package into a failure where `make system-deps` has run (CI)."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and os.environ.get("CI") == "true" and "Debian package" in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"skipped although `make system-deps` should have prevented it: {report.longrepr[2]}"
