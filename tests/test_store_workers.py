"""R24: what one file does to the process that reads it costs that file; R09: a system that refuses stops the run."""

import errno
import os
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl
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

DEEDS = {
    "segfault": "os.kill(os.getpid(), 11)",
    "killed": "os._exit(137)",
    "abort": "os.abort()",
    "hang": "signal.alarm(1); time.sleep(60)",
    "memory": "bytearray(1 << 45)",
    "raise": "raise RuntimeError('no')",
    "panic": "raise BaseException('no')",
    "eio": "pass",
    "denied": "pass",
}
"""What a file makes its reader do. The system refuses to read or to open the last two."""
FATAL = ("segfault", "killed", "abort", "hang")
WORKER = """
import errno, os, signal, time
from forensics.case import _load

picked, opened, read = _load.pick, os.open, os.readv

def pick(head, source):
    word = head[:20].partition(b" ")[2].split(b"\\n")[0].decode() if head.startswith(b"EVIL") else ""
    {deeds}
    return picked(head, source)

def refuse(path, *given, **more):
    if str(path).endswith("denied.log"):
        raise PermissionError(errno.EACCES, "Permission denied")
    return opened(path, *given, **more)

def fail(descriptor, into):
    if os.readlink(f"/proc/self/fd/{{descriptor}}").endswith("eio.log"):
        raise OSError(errno.EIO, "Input/output error")
    return read(descriptor, into)

_load.pick, os.open, os.readv = pick, refuse, fail
from forensics.case._pool import _work

def work(unit):
    return _work(unit)
"""


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes workers do to themselves what they read in a file."""
    (tmp_path / "lethal").mkdir()
    deeds = "\n    ".join(f"if word == {word!r}: {deed}" for word, deed in DEEDS.items())
    (tmp_path / "lethal" / "lethal.py").write_text(WORKER.format(deeds=deeds))
    monkeypatch.syspath_prepend(tmp_path / "lethal")
    with monkeypatch.context() as patch:
        patch.setattr(_load, "pick", _load.pick)
        patch.setattr(os, "open", os.open)
        patch.setattr(os, "readv", os.readv)
        import lethal

        work = lethal.work
    monkeypatch.setattr(_pool, "_work", work)
    yield
    sys.modules.pop("lethal", None)


def folder_with(folder: Path, deeds: Sequence[str], files: int) -> Path:
    """Logs, and as many more as there are deeds, somewhere among them."""
    folder.mkdir()
    at = random.Random(24).sample(range(files), len(deeds))
    named = [(f"{n:04d}.log", log(3 + n % 30)) for n in range(files)]
    named += [(f"{n:04d}-{deed}.log", f"EVIL {deed}\n".encode() + log(33)) for n, deed in zip(at, deeds, strict=True)]
    for name, octets in named:
        (folder / name).write_bytes(octets)
        os.utime(folder / name, (1_360_900_000, 1_360_900_000))
    return folder


def test_a_file_that_kills_its_reader(deadly: None, tmp_path: Path) -> None:
    """R24: of some files, or of a thousand, the others are read as if it were not there."""
    deeds = list(DEEDS) if SLOW else ["segfault"]
    evidence = folder_with(tmp_path / "evidence", deeds, 1000 if SLOW else 2)
    case = forensics.open_case(evidence, out=tmp_path / "x.case", workers=2)
    evil = {path.name.partition("-")[2].removesuffix(".log"): path for path in evidence.glob("*-*")}
    told = {source: kind for source, kind, _ in case.problems.select("source", "type", "count").rows()}
    status = dict(case.sources.select("source", "status").rows())
    for deed in deeds:
        name = evil[deed].name
        assert (told[name] == "poison") == (deed in FATAL), (deed, told[name])
        assert status[name] == ("not opened" if deed == "denied" else "damaged"), (deed, status[name])
        evil[deed].unlink()
    assert set(told) == {path.name for path in evil.values()}
    alone = forensics.open_case(evidence, out=tmp_path / "y.case", workers=1)
    mine = pl.col("source").is_in(list(told)).not_()
    assert case.log_records.filter(mine).collect().equals(alone.log_records.collect())
    assert case.spans.filter(mine).collect().equals(alone.spans.collect())


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
        for path in sorted(folder_with(tmp_path / "evidence", ["none"], 5).iterdir()):
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
    evidence = folder_with(tmp_path / "evidence", ["none"], 5)
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
    evidence = folder_with(tmp_path / "evidence", ["none"], 5)
    (file,) = walk(evidence / "0003.log")
    opened = os.open

    def refuse(path: object, *given: object, **more: object) -> int:
        if str(path).endswith("0003.log"):
            raise OSError(errno.EMFILE, "Too many open files")
        return opened(path, *given, **more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoppedError, match="EMFILE"):
        open_stream(file)
    with pytest.raises(StoppedError, match="EMFILE"):
        forensics.open_case(evidence, out=tmp_path / "x.case")
    assert not (tmp_path / "x.case").exists()
