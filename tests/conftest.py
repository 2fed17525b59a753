"""What all tests share: a missing system package skips a test by name, and fails it where it should be there."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import _bundled
from tests._bundled import Bundled
from tests._slow import SLOW

collect_ignore_glob = ["golden/*"]  # scripts that write the inputs, not tests


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, unless it is asked for: ``FORENSICS_SLOW=1 make test``."""
    if not SLOW:
        late = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if item not in late]
        config.hook.pytest_deselected(items=late)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Turn a skip for want of a system package into a failure where `make system-deps` has run (CI)."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and os.environ.get("CI") == "true" and "Debian package" in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"skipped although `make system-deps` should have prevented it: {report.longrepr[2]}"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process: exit code, standard output, standard error."""
    from forensics import cli

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["forensics", *map(str, arguments)])
        code = cli.main()
        out, err = capsys.readouterr()
        return code, out, err

    return command


@pytest.fixture(scope="session")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Bundled:
    """The case of a bundled half: see `Bundled`."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "bundled"
    folder.mkdir(exist_ok=True)
    return lambda name, half="guilty": _bundled.made(name, half, folder)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small case, loaded once a module."""
    from forensics.case import open_case
    from tests._small_evidence import small_evidence

    folder = tmp_path_factory.mktemp("cli")
    return open_case(small_evidence(folder / "evidence"), out=folder / "small.case").path
