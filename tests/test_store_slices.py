"""R07, P5: a large capture or log read slice by slice, by anybody, killed or not: the case is the same octets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import forensics
from forensics.case import _build, _cluster, _load, _pool, _slices
from forensics.case._keep import Reading
from forensics.case._load import SURVEY, Job
from forensics.errors import StoppedError
from forensics.evidence import walk
from forensics.loaders._reader import Origin
from forensics.loaders.captures import amqp as amqp_leaf
from forensics.loaders.captures import dhcp, packets
from forensics.records import BrokerTransfer, DhcpMessage, LogRecord, Packet, Span
from forensics.store import _draft
from tests._captures import Pcapng, pcap
from tests._small_evidence import MODIFIED_S, log
from tests.loaders.captures import test_amqp as amqp
from tests.loaders.captures import test_dhcp as leases
from tests.loaders.captures._damage import Truth, truth
from tests.test_store_resume import tree

NS = MODIFIED_S * 10**9
CUT_BYTES = 6_000


def frames() -> list[bytes]:
    """A connection whose contents run over many packets, and leases with tags and without between them."""
    bodies = (b"{}", b"x" * 9_000, b"y" * 3, b"z" * 9_000)
    stream = amqp.PREAMBLE + b"".join(amqp.publish("nova", f"compute.{n}", body) for n, body in enumerate(bodies))
    found = [amqp.packet(999, b"", 0x02), *amqp.segments(stream)]
    for n in range(20):
        lease = leases.bootp(leases.REQUEST + leases.END, xid=n)
        found.insert(n * 3 % len(found), leases.frame(lease, tags=b"\x81\0\0\x64" if n % 2 else b""))
    return found


def spoilt(file: Truth) -> bytes:
    """Its octets, two records late in it without their headers."""
    data = bytearray(file.octets)
    for n in (-20, -9):
        place, _ = file.records[n]
        data[place : place + 40] = bytes(40)
    return bytes(data)


def evidence_at(folder: Path) -> Path:
    """Captures of several slices each, sound and damaged, and what is not cut."""
    sections = Pcapng()
    for section in range(3):
        sections.section(big_endian=bool(section % 2))
        for number in range(1 + section):
            sections.interface(1, 0, [(2, b"eth%d" % number)])
        for n, frame in enumerate(frames()[section * 9 :: 3]):
            sections.packet(NS // 1000 + n, frame, interface=n % 2)
            if n % 7 == 0:
                sections.statistics(NS // 1000 + n, 0, [(5, (n * 3).to_bytes(8, "little"))])
    files = {
        "case.toml": b'title = "slices"\n',
        "a.pcap": pcap([(NS + n * 10**6, frame) for n, frame in enumerate(frames())]),
        "c.pcap": spoilt(truth("us-nested", 4, 60)),
        "d.pcapng": spoilt(truth("pcapng-be", 4, 60)),
        "e.pcap": truth("ns", 3, 60).octets[:-7],
        "f.pcapng": sections.octets,
        "few.pcap": truth("us", 3, 3).octets,
        "syslog": log(160),
        "syslog2": log(240),
    }
    for name, data in files.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        os.utime(folder / name, (MODIFIED_S, MODIFIED_S))
    return folder


@pytest.fixture(autouse=True, scope="module")
def _small_slices() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_load, "SLICE_BYTES", CUT_BYTES)
        patch.setattr(_slices, "FAIR_SHARE", 1_000)
        patch.setattr(_build, "versions", dict)
        yield


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evidence_at(tmp_path_factory.mktemp("slices") / "evidence")


def read(evidence: Path, out: Path, client: Hands | None = None, workers: int = 1, **told: object) -> dict[str, object]:
    """All that reading alone makes of a case, and what it says of each source."""
    draft = _draft.Draft(out)
    try:
        files = [file for file in walk(evidence) if file.source != "case.toml"]
        jobs = [
            Job(n, one, Origin(one.source, modified_ns=one.modified_ns), draft.path) for n, one in enumerate(files, 1)
        ]
        load = _pool.load_all if client is None else _cluster.Cluster(client, draft.path).load_all
        reading = Reading(draft, files, workers, told.get("advance"), None, load)
        outcomes = reading.last(jobs, reading.first(jobs))
        sealed = tree(draft.seal({"tool": "test"}, None))
    except StoppedError:
        draft._unlock()  # and nothing else: as a kill leaves it
        raise
    return {**sealed, "said": [(one.source, one.problems, one.rows, one.parts) for one in outcomes]}


@pytest.fixture(scope="module")
def plain(evidence: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What one process makes, which reads no file twice."""
    return read(evidence, tmp_path_factory.mktemp("plain") / "x.case")


class Hands:
    """A client that does each task here, as often as asked, until it has done so many."""

    def __init__(self, times: int = 1, most: int = 1_000_000) -> None:
        self.times, self.most = times, most
        self.jobs: list[Job] = []

    def nthreads(self) -> dict[str, int]:
        return {"here": 2}

    def done(self, job: Job) -> None:
        """What happens before a task."""

    def submit(self, task, unit, place, **_: object) -> Future:
        future: Future = Future()
        try:
            if len(self.jobs) >= self.most:
                raise OSError("connection lost")
            self.jobs += unit
            self.done(unit[0])
            future.set_result([task(unit, place) for _ in range(self.times)][-1])
        except Exception as error:
            future.set_exception(error)
        return future

    def cancel(self, futures, force: bool) -> None:
        """Nothing is left to cancel."""

    @property
    def cuts(self) -> list[int]:
        """The slices that were read."""
        return [job.share.cut for job in self.jobs if job.share is not None and job.share.cut != SURVEY]


def test_slices_hold_what_the_whole_holds(
    evidence: Path, plain: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Hands(times=2)
    case = forensics.open_case(evidence, out=tmp_path / "x.case", client=client)
    assert len(client.cuts) > 10
    assert max(client.cuts) >= 3
    one = forensics.open_case(evidence, out=tmp_path / "one.case", workers=1)
    assert tree(one.path) == tree(case.path)
    assert {"records/Packet/000001.parquet", "records/Packet/000001_000001.parquet"} <= tree(case.path).keys()
    logs = [name for name in tree(case.path) if "/LogRecord/" in name and "_" in name]
    assert len({name.partition("_")[0] for name in logs}) == 2
    repeated = case.records(LogRecord).filter(pl.col("duplicate_of").is_not_null()).collect()
    assert repeated["source"].unique().to_list() == ["syslog2"]
    assert repeated["offset_bytes"].max() > CUT_BYTES
    assert [name for name in tree(case.path) if "/BrokerTransfer/" in name] == ["records/BrokerTransfer/000001.parquet"]
    monkeypatch.setattr(_load, "SLICE_BYTES", 1 << 30)
    monkeypatch.setattr(packets, "CHUNK_BYTES", CUT_BYTES)  # as for slices of this size
    whole = forensics.open_case(evidence, out=tmp_path / "whole.case", workers=1)
    assert not [name for name in tree(whole.path) if "_00000" in name]
    for record in (Packet, DhcpMessage, BrokerTransfer, LogRecord, Span):
        assert_frame_equal(case.records(record).collect(), whole.records(record).collect())
    assert_frame_equal(case.sources, whole.sources)
    assert_frame_equal(case.problems, whole.problems)
    assert set(case.problems["source"]) >= {"c.pcap", "d.pcapng", "e.pcap"}


@pytest.mark.parametrize(("workers", "cut"), [(1, set()), (2, {"syslog", "syslog2"}), (3, {"syslog", "a.pcap"})])
def test_only_what_gains_is_cut(evidence: Path, workers: int, cut: set[str]) -> None:
    files = [file for file in walk(evidence) if file.source != "case.toml"]
    jobs = [Job(number, file, Origin(file.source), evidence) for number, file in enumerate(files, 1)]
    waiting = _slices.Work(jobs, workers, cores=_pool._cores).waiting
    surveyed = {unit[0].file.source for unit in waiting if unit[0].share is not None}
    assert surveyed >= cut
    assert surveyed == cut or workers > 2


def test_processes_of_this_machine(evidence: Path, plain: dict[str, object], tmp_path: Path) -> None:
    seen: list[int] = []
    assert read(evidence, tmp_path / "x.case", workers=3, advance=seen.append) == plain
    assert sum(seen) == sum(path.stat().st_size for path in evidence.iterdir() if path.name != "case.toml")


@pytest.mark.parametrize("most", [pytest.param(1, marks=pytest.mark.slow), 12])
def test_finished_slices_are_kept(
    evidence: Path, plain: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(_draft, "COMMIT_S", 0)
    with pytest.raises(StoppedError):
        read(evidence, tmp_path / "x.case", Hands(most=most))
    then, every = Hands(), Hands()
    assert read(evidence, tmp_path / "x.case", then) == plain
    assert read(evidence, tmp_path / "y.case", every) == plain
    assert len(then.jobs) <= len(every.jobs) - most + 3  # as many as may be handed out were not taken in yet


@pytest.mark.slow
@pytest.mark.parametrize("slice_bytes", [CUT_BYTES, CUT_BYTES * 2])
def test_slices_of_a_file_that_is_read_whole_then(
    evidence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slice_bytes: int
) -> None:
    with pytest.raises(StoppedError):
        read(evidence, tmp_path / "x.case", Hands(most=9))
    monkeypatch.setattr(_load, "SLICE_BYTES", slice_bytes)
    assert read(evidence, tmp_path / "x.case") == read(evidence, tmp_path / "y.case")


def test_a_file_that_changed_after_its_slices(evidence: Path, tmp_path: Path) -> None:
    own = evidence_at(tmp_path / evidence.name)
    with pytest.raises(StoppedError):
        read(own, tmp_path / "x.case", Hands(most=9))
    largest = max(own.iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[-1] ^= 1
    largest.write_bytes(data)
    os.utime(largest, (MODIFIED_S, MODIFIED_S))
    assert read(own, tmp_path / "x.case", Hands()) == read(own, tmp_path / "y.case")


def test_a_slice_that_cannot_be_read_so(
    evidence: Path, plain: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_slice = _load._load_slice

    def failing(job: Job, share: _load.Share, *rest: object) -> _load.Outcome:
        outcome = load_slice(job, share, *rest)
        outcome.failed = share.cut == 2
        return outcome

    monkeypatch.setattr(_load, "_load_slice", failing)
    client = Hands()
    assert read(evidence, tmp_path / "x.case", client) == plain
    assert {job.file.source for job in client.jobs if job.share is None} >= {"c.pcap"}


@pytest.mark.parametrize("owner", [dhcp, pytest.param(amqp_leaf.Memory, marks=pytest.mark.slow)])
def test_a_reader_that_fails(evidence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object) -> None:
    count = [0]

    def failing(*arguments: object) -> pl.DataFrame:
        given = arguments[-1]
        assert isinstance(given, pl.DataFrame)
        if given["position"].max() > 25:
            count[0] += 1
            raise ValueError("no")
        return own(*arguments)

    own = owner.read
    monkeypatch.setattr(owner, "read", failing)
    alone = read(evidence, tmp_path / "x.case")
    assert count[0]
    assert any(problem["type"] == "the reader failed" for _, problems, _, _ in alone["said"] for problem in problems)
    assert read(evidence, tmp_path / "y.case", Hands()) == alone


def test_a_slice_that_kills_all_who_read_it(evidence: Path, plain: dict[str, object], tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")

    class Deadly(Hands):
        def done(self, job: Job) -> None:
            if job.file.source == "c.pcap" and job.share is not None and job.share.cut == 2:
                raise distributed.KilledWorker("task", "worker", 3)

    found = read(evidence, tmp_path / "x.case", Deadly())
    assert [
        source["source"] for source, problems, _, _ in found["said"] if problems and problems[0]["type"] == "poison"
    ]
    others = {name for name in plain if name.startswith("records/") and "/000002" not in name}
    assert {name for name in found if name.startswith("records/")} == others
    assert {name: found[name] for name in others} == {name: plain[name] for name in others}
