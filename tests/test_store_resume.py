"""R07: a run that is killed anywhere is gone on with, and the case is the same as that of one that was not."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import forensics
from forensics import report
from forensics.case import _build
from forensics.store._journal import Entry, Journal
from tests._slow import SLOW
from tests._small_evidence import log, small_evidence

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


@pytest.mark.slow
@pytest.mark.timeout(14_400)
def test_killed_at_any_time(tmp_path: Path) -> None:
    """Two hundred times, up to nine times in a row, with readers in processes of their own."""
    rng = random.Random(200)
    evidence = small_evidence(tmp_path / "evidence")
    for n in range(60):
        (evidence / "node2" / f"{n}.log").write_bytes(log(2000 + n))
        os.utime(evidence / "node2" / f"{n}.log", (1_360_900_000, 1_360_900_000))
    begun = time.monotonic()
    wanted = tree(triaged(evidence, tmp_path / "w.case")[0])
    most_s = time.monotonic() - begun
    kills = n = 0
    while kills < 200:
        n += 1
        place = tmp_path / str(n)
        place.mkdir()
        for _ in range(rng.randint(1, 9)):
            command = [sys.executable, "-P", "-c", KILLED, str(evidence), str(place / "x.case"), str(n % 3)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as child:
                assert child.stdout is not None
                child.stdout.readline()
                time.sleep(rng.uniform(0, most_s))
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)
                    kills += 1
        case = forensics.open_case(evidence, out=place / "x.case", again=n % 5 == 4, finish=report.pages)
        if not (case.path / report.NAME).is_file():  # the run that was to be killed came to its end
            case = forensics.open_case(evidence, out=place / "x.case", again=True, finish=report.pages)
        assert tree(case.path) == wanted
        assert [path.name for path in place.iterdir()] == ["x.case"]
        shutil.rmtree(place)


def test_a_journal_that_was_cut_or_altered_tells_nothing_wrong(tmp_path: Path) -> None:
    """R08, R10: whatever is lost or altered, what is left is what was written, from its beginning."""
    said, parts = {"rows": {"LogRecord": 1}}, {"LogRecord": "ff" * 32}
    entries = [Entry(f"key{n}", f"{n}.log", n, "00" * 32, said, parts) for n in range(4)]
    journal = Journal(tmp_path / "journal", {"tool": "test"})
    assert journal.entries() is None
    journal.write(entries[:2])
    journal.append(entries[2:])
    assert journal.entries() == entries
    assert Journal(tmp_path / "journal", {"tool": "later"}).entries() is None
    good = (tmp_path / "journal").read_bytes()
    rng = random.Random(8)
    for at in range(0, len(good), 1 if SLOW else 7):
        bad = bytearray(good)
        bad[at] ^= 1 << rng.randrange(8)
        for damaged in (good[:at], bytes(bad), good[:at] + bytes(len(good) - at)):
            (tmp_path / "journal").write_bytes(damaged)
            left = journal.entries()
            assert left is None or (left == entries[: len(left)] and len(left) < 4)
