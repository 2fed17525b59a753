"""R24: what one file does to the process that reads it costs that file; R09: a system that refuses stops the run."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import forensics
from forensics.case import _build, _load, _pool, _slices
from forensics.case._load import Job
from forensics.errors import StoppedError
from forensics.evidence import open_stream, unfolded, walk
from forensics.loaders._reader import Origin
from forensics.store import _draft
from tests._small_evidence import log, small_evidence
from tests.test_store_resume import SLOW, tree

FATAL = {
    "segfault": "os.kill(os.getpid(), 11)",
    "killed": "os._exit(137)",
    "abort": "os.abort()",
    "hang": "signal.alarm(1); time.sleep(60)",
}
WORKER = """
import os, signal, time
from forensics.case import _load

picked = _load.pick

def pick(head, source):
    if b"EVIL" in head:
        {deed}
    return picked(head, source)

_load.pick = pick
from forensics.case._pool import _work

def work(unit):
    return _work(unit)
"""


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes workers do something fatal to themselves when they meet one file."""

    def make(deed: str) -> None:
        (tmp_path / "lethal").mkdir(exist_ok=True)
        (tmp_path / "lethal" / "lethal.py").write_text(WORKER.format(deed=deed))
        monkeypatch.syspath_prepend(tmp_path / "lethal")
        monkeypatch.setattr(_load, "pick", _load.pick)
        import lethal

        monkeypatch.setattr(_pool, "_work", lethal.work)

    yield make
    sys.modules.pop("lethal", None)


def folder_with_evil(folder: Path, files: int = 6) -> Path:
    folder.mkdir()
    for n in range(files):
        (folder / f"{n}.log").write_bytes(log(30 + n) if n != 3 else b"EVIL\n" + log(33))
        os.utime(folder / f"{n}.log", (1_360_900_000, 1_360_900_000))
    return folder


@pytest.mark.parametrize("deed", FATAL if SLOW else ["segfault"])
def test_a_file_that_kills_its_reader(deadly, tmp_path: Path, deed: str) -> None:
    evidence = folder_with_evil(tmp_path / "evidence", 1000 if SLOW else 6)
    deadly(FATAL[deed])
    case = forensics.open_case(evidence, out=tmp_path / "x.case", workers=2)
    assert case.problems.select("source", "type", "count").rows() == [("3.log", "poison", 1)]
    assert case.sources.filter(source="3.log").select("status", "rows").row(0) == ("damaged", 0)
    (evidence / "3.log").unlink()
    alone = forensics.open_case(evidence, out=tmp_path / "y.case", workers=1)
    assert case.log_records.collect().equals(alone.log_records.collect())
    assert case.spans.collect().equals(alone.spans.collect())


def test_workers_may_not_take_all_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {resource.RLIMIT_DATA: (resource.RLIM_INFINITY,) * 2, resource.RLIMIT_CORE: (0, 0)}
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits[which])
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    _pool._confine(2)
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert limits[resource.RLIMIT_DATA][0] == max(physical * 3 // 8, 2 << 30)
    limits[resource.RLIMIT_DATA] = (1 << 30, 1 << 30)
    _pool._confine(2)
    assert limits[resource.RLIMIT_DATA] == (1 << 30, 1 << 30)  # whoever set less meant it


def test_members_of_a_solid_archive_are_read_by_one(tmp_path: Path) -> None:
    import tarfile

    with tarfile.open(tmp_path / "all.tar.gz", "w:gz") as tar:
        for path in sorted(folder_with_evil(tmp_path / "evidence").iterdir()):
            tar.add(path, path.name)
    files = list(unfolded(walk(tmp_path / "all.tar.gz")))
    jobs = [Job(n, file, Origin(file.source), tmp_path) for n, file in enumerate(files, 1)]
    assert [len(unit) for unit in _slices.units(jobs)] in ([6, 1], [1, 6])


def stopped_by(run: Callable[[], object]) -> StoppedError | None:
    try:
        run()
    except StoppedError as error:
        return error
    return None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS] if SLOW else [errno.EIO])
def test_a_refused_sync_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """From the nth on, all fail; what was made is resumed to the same case."""
    evidence = folder_with_evil(tmp_path / "evidence")
    monkeypatch.setattr(_build, "versions", dict)
    monkeypatch.setattr(_draft, "COMMIT_S", 0)
    wanted = tree(forensics.open_case(evidence, out=tmp_path / "w.case").path)
    calls = [0]
    sync = os.fsync

    def refuse(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] > at:
            raise OSError(code, os.strerror(code))
        sync(descriptor)

    kept: list[int] = []
    for at in range(70) if SLOW else (9, 34):
        calls[0] = 0
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refuse)
            told = stopped_by(lambda: forensics.open_case(evidence, out=tmp_path / "x.case", again=True))
        assert (told is None) == (calls[0] <= at)
        if told is not None:
            assert errno.errorcode[code] in told.what
            assert str(tmp_path) in str(told.where)
        case = forensics.open_case(evidence, out=tmp_path / "x.case", kept=lambda some, _: kept.append(some))
        assert tree(case.path) == wanted
        assert sorted(path.name for path in tmp_path.iterdir()) == ["evidence", "w.case", "x.case"]
        shutil.rmtree(case.path)
    assert kept


FULL = """
import resource, signal, sys
import forensics.cli
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
sys.exit(forensics.cli.main())
"""


def test_no_room_is_exit_4(tmp_path: Path) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    command = [sys.executable, "-P", "-c", FULL, "6000", "triage", str(evidence), "--out", str(tmp_path / "x.case")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 4, done.stderr
    assert "(EFBIG)" in done.stderr
    assert "x.case" in done.stderr
    assert "Hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.case").exists()


def test_no_descriptors_is_nothing_that_the_evidence_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = folder_with_evil(tmp_path / "evidence")
    (file,) = walk(evidence / "3.log")
    opened = os.open

    def refuse(path: object, *given: object, **more: object) -> int:
        if str(path).endswith("3.log"):
            raise OSError(errno.EMFILE, "Too many open files")
        return opened(path, *given, **more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoppedError, match="EMFILE"):
        open_stream(file)
    with pytest.raises(StoppedError, match="EMFILE"):
        forensics.open_case(evidence, out=tmp_path / "x.case")
    assert not (tmp_path / "x.case").exists()
