"""R07: a run that is killed anywhere is gone on with, and the case is the same as that of one that was not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import forensics
from forensics import report
from forensics.case import _build
from tests._small_evidence import small_evidence

SLOW = os.environ.get("FORENSICS_SLOW") == "1"
IMAGES = """
import os, shutil, sys
import forensics
from forensics import report
from forensics.case import _build
from forensics.store import _draft

_build.versions = dict
evidence, out, images, step = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
_draft.COMMIT_S = 0
place = os.path.dirname(out)
WRITES = {"os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.utime"}
count, copying = 0, False

def watch(event, arguments):
    global count, copying
    if copying or not (event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR) or event in WRITES):
        return
    name = arguments[0]
    if isinstance(name, (str, os.PathLike)) and not os.fspath(name).startswith(place):
        return
    count += 1
    if count % step == step - 1:
        copying = True
        shutil.copytree(place, f"{images}/{count:04d}")
        copying = False

sys.addaudithook(watch)
forensics.open_case(evidence, out=out, workers=1, finish=report.pages)
print(count)
"""
"""Copies what there is before a write: that is what `kill -9` leaves there."""
KILLED = """
import sys
import forensics
from forensics.case import _build
from forensics.store import _draft

_build.versions = dict
_draft.COMMIT_S = 0
print("ready", flush=True)
forensics.open_case(sys.argv[1], out=sys.argv[2], workers=int(sys.argv[3]))
"""


def tree(case: Path) -> dict[str, bytes]:
    files = (path for path in case.rglob("*") if path.is_file() and path.name != "evidence.path")
    return {path.relative_to(case).as_posix(): path.read_bytes() for path in files}


def triaged(evidence: Path, out: Path) -> tuple[Path, list[tuple[int, int]]]:
    kept: list[tuple[int, int]] = []
    case = forensics.open_case(
        evidence, out=out, finish=report.pages, kept=lambda some, all_: kept.append((some, all_))
    )
    return case.path, kept


@pytest.fixture(autouse=True, scope="module")
def _as_one_version() -> Iterator[None]:
    """Whoever edits the code while the tests run makes another version of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_build, "versions", dict)
        yield


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_evidence(tmp_path_factory.mktemp("evidence") / "evidence")


@pytest.fixture(scope="module")
def wanted(evidence: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return tree(triaged(evidence, tmp_path_factory.mktemp("whole") / "x.case")[0])


def test_killed_before_the_nth_write(evidence: Path, wanted: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "images").mkdir()
    given = [str(evidence), str(tmp_path / "place" / "x.case"), str(tmp_path / "images"), "1" if SLOW else "29"]
    done = subprocess.run([sys.executable, "-P", "-c", IMAGES, *given], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 60
    assert tree(tmp_path / "place" / "x.case") == wanted
    most = 0
    for place in sorted((tmp_path / "images").iterdir()):
        case, kept = triaged(evidence, place / "x.case")
        most = max([most, *(some for some, _ in kept)])
        assert tree(case) == wanted, place.name
        assert [path.name for path in place.iterdir()] == ["x.case"], place.name
        before = {path: path.stat().st_mtime_ns for path in (*place.rglob("*"), place)}
        triaged(evidence, place / "x.case")
        assert {path: path.stat().st_mtime_ns for path in (*place.rglob("*"), place)} == before, place.name
    assert most == 5
