"""Evidence that grows: only what has changed is read, and the case is what a fresh one would be."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import forensics
from forensics.case import _build, _keep
from forensics.case._follow import follow, news
from forensics.store import _draft
from tests._small_evidence import MODIFIED_S, capture, log, small_evidence
from tests.test_store_resume import SLOW, tree


@pytest.fixture(autouse=True)
def _as_one_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever edits the code while the tests run makes another version of it."""
    monkeypatch.setattr(_build, "versions", dict)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read, as they are."""
    found: list[str] = []
    load = _build.load_all

    def watched(jobs, *given, **more):
        found.extend(job.file.source for job in jobs)
        return load(jobs, *given, **more)

    monkeypatch.setattr(_build, "load_all", watched)
    return found


def put(path: Path, data: bytes, modified_s: int = MODIFIED_S) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (modified_s, modified_s))


def test_only_what_changed_is_read(tmp_path: Path, read: list[str]) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    out = tmp_path / "x.case"
    forensics.open_case(evidence, out=out, workers=1)
    steps = (
        ("a new file before all others", lambda: put(evidence / "node0/syslog", log(9)), ["node0/syslog"]),
        ("a log has grown", lambda: put(evidence / "node1/syslog", log(31)), ["node1/syslog"]),
        ("another content, the same look", lambda: put(evidence / "node2/blob.bin", bytes(2048)), ["node2/blob.bin"]),
        ("a copy, whose lines are duplicates", lambda: put(evidence / "node1/z.log", log(30)), ["node1/z.log"]),
        ("the copy is gone again", (evidence / "node1/z.log").unlink, []),
        ("rotated", lambda: (evidence / "node1/syslog").rename(evidence / "node1/syslog.2"), ["node1/syslog.2"]),
        ("a zone for all", lambda: put(evidence / "case.toml", b"[[source]]\nmatch='*'\nzone='+01:00'\n"), None),
    )
    for number, (what, change, wanted) in enumerate(steps):
        read.clear()
        change()
        case = forensics.open_case(evidence, out=out, workers=1)
        assert wanted is None or read == wanted, what
        if SLOW or number in (2, 3, 4, 6):
            fresh = forensics.open_case(evidence, out=tmp_path / f"{number}.case", workers=1)
            assert tree(case.path) == tree(fresh.path), what
        read.clear()
        assert forensics.open_case(evidence, out=out, workers=1).path == out
        assert not read, what


def test_damage_of_the_earlier_case_is_not_taken_over(tmp_path: Path, read: list[str]) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    out = tmp_path / "x.case"
    whole = tree(forensics.open_case(evidence, out=out, workers=1).path)
    part = next((out / "records" / "Packet").iterdir())
    part.write_bytes(part.read_bytes()[:-1])
    read.clear()
    assert tree(forensics.open_case(evidence, out=out, workers=1).path) == whole
    assert read == ["node1/br100.pcap"]
    journal = (out / "journal").read_bytes()
    (out / "journal").write_bytes(journal[: len(journal) // 2])
    assert tree(forensics.open_case(evidence, out=out, workers=1).path) == whole


def test_follow(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    stop = threading.Event()
    lines = log(40).splitlines(keepends=True)
    packets = capture(20)

    def torn() -> None:
        put(evidence / "syslog", b"".join(lines[:20]) + lines[20][:17])
        put(evidence / "ring0.pcap", packets[: 24 + 10 * 86 + 7])

    def rotated() -> None:
        put(evidence / "syslog", b"".join(lines[:30]))
        (evidence / "syslog").rename(evidence / "syslog.1")
        put(evidence / "syslog", b"".join(lines[30:]))
        put(evidence / "ring0.pcap", packets)
        put(evidence / "ring1.pcap", capture(3))

    def overwritten() -> None:
        put(evidence / "ring0.pcap", capture(5))
        stop.set()

    torn()
    changes = iter((rotated, overwritten, lambda: None))
    counts = []
    cases = []
    for case in follow(evidence, out=tmp_path / "x.case", every_s=0.01, workers=1, stop=stop):
        counts.append([rows.collect().height for rows in (case.log_records, case.packets)])
        cases.append(case)
        next(changes)()
    assert counts[1:] == [[40, 23], [40, 8]]
    assert counts[0][1] == 10
    assert not news(cases[-1], cases[-1])
    fresh = forensics.open_case(evidence, out=tmp_path / "y.case", workers=1)
    assert tree(tmp_path / "x.case") == tree(fresh.path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evidence", "x.case", "y.case"]


def test_follow_ends_with_a_whole_case(tmp_path: Path) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    command = [sys.executable, "-P", "-m", "forensics", "triage", str(evidence), "--follow", "--every", "0.1"]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path / "x.case")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert any(line.startswith("Following") for line in child.stdout)
        put(evidence / "node1/late.log", log(7))
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=120)
    assert child.returncode == 3, err
    assert "Traceback" not in err
    assert "Report: " in out
    case = forensics.open_case(tmp_path / "x.case")
    assert case.sources.filter(source="node1/late.log")["rows"].to_list() == [7]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evidence", "x.case"]


def test_a_file_that_is_read_twice_is_not_waited_for_under_its_first_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    evidence = tmp_path / "evidence"
    dated = "2013-02-15 01:{:02}:18 INFO nova.compute.manager [-] m\n"
    put(evidence / "node1/nova.log", "".join(dated.format(n) for n in range(60)).encode())
    for name in ("a", "b"):
        put(evidence / f"node1/{name}/syslog", log(30), 1_700_000_000)  # copied years later
    wanted = tree(forensics.open_case(evidence, out=tmp_path / "x.case", workers=1).path)
    assert len(read) == 5
    last = _keep.Reading.last

    def slowly(*given):
        monkeypatch.setattr(_draft, "COMMIT_S", 0)  # whatever is finished from here on goes into the journal at once
        return last(*given)

    monkeypatch.setattr(_draft, "COMMIT_S", 1e9)
    monkeypatch.setattr(_keep.Reading, "last", slowly)
    assert tree(forensics.open_case(evidence, out=tmp_path / "y.case", workers=1).path) == wanted
