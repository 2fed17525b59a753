"""A case: every file accounted for, rows that can be cited, and one bad file that costs only itself."""

import json
import os
import shutil
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import forensics
from forensics.case import _load, default_target, open_case, verify
from forensics.case._findings import NOT_YET
from forensics.errors import CaseError, EvidenceError, StoreDamagedError
from forensics.evidence import open_stream, walk
from forensics.records import Clock, DhcpMessage, Finding, LogRecord, Packet, Reference, Source
from forensics.store import Draft, _sink
from tests._evidence import REPOSITORY
from tests._small_evidence import capture, log, small_evidence

LOST = REPOSITORY / "data" / "lost_lease"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> forensics.Case:
    folder = tmp_path_factory.mktemp("small")
    return open_case(small_evidence(folder / "evidence"), out=folder / "small.case")


def status(case: forensics.Case) -> dict[str, str]:
    return dict(case.sources.select("source", "status").iter_rows())


def test_every_source_ends_in_the_table(small: forensics.Case) -> None:
    assert status(small) == {
        "case.toml": "configuration",
        "node1/br100.pcap": "read",
        "node1/syslog": "read",
        "node1/syslog.1.gz": "read",
        "node2/blob.bin": "not understood",
        "node2/empty.log": "read",
    }
    assert small.title == "A small incident"
    rows = dict(small.sources.select("source", "rows").iter_rows())
    assert (rows["node1/syslog"], rows["node1/syslog.1.gz"], rows["node1/br100.pcap"]) == (30, 12, 20)
    assert small.sources["sha256"].drop_nulls().len() == 6
    assert Source.validate(small.sources) is not None


def test_rows_and_spans_cover_each_source_exactly(small: forensics.Case) -> None:
    files = {file.source: file for file in walk(small.path.parent / "evidence")}
    base = pl.concat(
        [small.records(record).select("source", "offset_bytes", "length_bytes") for record in (Packet, LogRecord)]
        + [small.spans.select("source", "offset_bytes", "length_bytes")]
    ).collect()
    for source, state in status(small).items():
        if state == "configuration":
            continue
        with open_stream(files[source]) as stream:
            size = len(stream.read())
        covered = 0
        for offset, length in (
            base.filter(source=source).sort("offset_bytes", "length_bytes").select(pl.exclude("source")).rows()
        ):
            assert offset == covered, source
            covered += length
        assert covered == size, source


def test_cited_rows_are_the_original_octets(small: forensics.Case) -> None:
    rows = small.log_records.filter(pl.col("program") == "kernel").collect()
    cited = small.cite(rows)
    assert cited.height == rows.height > 3
    assert all(b"kernel: [ 1234.567890]" in raw for raw in cited["raw"])
    assert cited["length_bytes"].to_list() == [len(raw) for raw in cited["raw"]]
    packets = small.cite(small.packets.tail(3).collect())
    assert [raw[-20:] for raw in packets["raw"]] == [bytes(20)] * 3
    again = small.cite(pl.concat([rows, rows]).sample(fraction=1.0, shuffle=True, seed=1))
    assert again.height == 2 * rows.height
    assert set(again["raw"]) == set(cited["raw"])
    one = small.cite(Reference("node1/syslog", "line:2"))
    assert one["text"].to_list() == [log().decode().splitlines(keepends=True)[1]]
    assert small.cite([Reference("node1/br100.pcap", "frame:1"), Reference("node1/syslog", "line:1")]).height == 2
    with pytest.raises(CaseError, match="offset_bytes"):
        small.cite(rows.select("source", "position"))
    with pytest.raises(CaseError, match="cannot be cited"):
        small.cite(12)  # type: ignore[arg-type]


def test_opened_again_without_reading(small: forensics.Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def unwanted(*_: object, **__: object) -> None:
        raise AssertionError("read again")

    with monkeypatch.context() as patch:
        patch.setattr(forensics.case, "build", unwanted)
        evidence = small.path.parent / "evidence"
        for case in (open_case(small.path), open_case(evidence, out=small.path)):
            assert_frame_equal(case.sources, small.sources)
            assert case.cite(case.log_records.head(1).collect())["raw"][0].startswith(b"Feb 15")


def test_read_again_when_something_changed(tmp_path: Path) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    open_case(evidence, out=tmp_path / "x.case")
    (evidence / "node2" / "new.log").write_bytes(log(3))
    case = open_case(evidence, out=tmp_path / "x.case")
    assert "node2/new.log" in status(case)
    os.utime(evidence / "node2" / "new.log", (1, 1))
    again = open_case(evidence, out=tmp_path / "x.case")
    assert again.sources.filter(source="node2/new.log")["modified_at"][0].timestamp() == 1


def test_damaged_case_is_not_shown_but_made_again_from_evidence(tmp_path: Path) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    case = open_case(evidence, out=tmp_path / "x.case")
    part = next(iter((case.path / "records" / "LogRecord").iterdir()))
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreDamagedError, match="differs"):
        open_case(case.path)
    assert [what for _, what in verify(case.path)] == ["differs from its digest in the manifest"]
    assert open_case(evidence, out=tmp_path / "x.case").log_records.collect().height == 42
    assert verify(case.path) == []


def test_verify_looks_at_the_evidence(tmp_path: Path) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    case = open_case(evidence, out=tmp_path / "x.case")
    (evidence / "node1" / "syslog").write_bytes(b"edited")
    (evidence / "node2" / "blob.bin").unlink()
    (evidence / "late.txt").write_bytes(b"x")
    assert dict(verify(case.path)) == {
        "node1/syslog": "differs from its digest in the case",
        "node2/blob.bin": "is missing",
        "late.txt": "is new since the case was made",
    }
    shutil.move(evidence, tmp_path / "moved")
    small_evidence(tmp_path / "moved")
    (tmp_path / "moved" / "late.txt").unlink()
    assert verify(case.path, evidence=tmp_path / "moved") == []
    assert len(verify(case.path)) == 6


def test_never_inside_the_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    monkeypatch.chdir(tmp_path)
    assert default_target(Path("evidence")) == tmp_path / "evidence.case"
    monkeypatch.chdir(evidence / "node1")
    assert default_target(evidence) == tmp_path / "evidence.case"
    monkeypatch.chdir(evidence)
    assert default_target(Path()) == tmp_path / "evidence.case"
    with pytest.raises(CaseError, match="inside the evidence"):
        open_case(evidence, out=evidence / "x.case")
    assert sorted(path.name for path in evidence.iterdir()) == ["case.toml", "node1", "node2"]


@pytest.mark.parametrize(
    "failure", [ValueError("boom"), MemoryError(), pl.exceptions.ComputeError("x"), BaseException("panic")]
)
def test_a_reader_that_raises_costs_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: forensics.Case, failure: BaseException
) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    (evidence / "node3.log").write_bytes(log(9))
    real = _load.pick

    def pick(head: bytes, name: str) -> object:
        reader = real(head, name)

        class Failing:
            name, record, bases, yields, reference = "failing", LogRecord, (LogRecord,), (LogRecord,), ""

            def batches(self, stream: object, origin: object, *, records: object = None) -> object:
                yield from reader.batches(stream, origin)  # type: ignore[union-attr]
                raise failure

        return Failing() if name == "node3.log" else reader

    monkeypatch.setattr(_load, "pick", pick)
    case = open_case(evidence, out=tmp_path / "x.case", workers=1)
    assert status(case)["node3.log"] == "damaged"
    problem = case.problems.filter(source="node3.log").row(0, named=True)
    assert problem["type"] == "the reader failed"
    assert type(failure).__name__ in problem["example"]
    others = case.log_records.filter(pl.col("source") != "node3.log").collect()
    assert_frame_equal(others, small.log_records.collect())
    assert case.log_records.filter(pl.col("source") == "node3.log").collect().height == 9


def test_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = small_evidence(tmp_path / "evidence")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_load, "pick", stop)
        with pytest.raises(KeyboardInterrupt):
            open_case(evidence, out=tmp_path / "x.case", workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["evidence"]
    assert open_case(evidence, out=tmp_path / "x.case").log_records.collect().height == 42


def test_what_is_no_file_is_listed_and_not_opened(tmp_path: Path) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    (evidence / "link").symlink_to("/etc/passwd")
    os.mkfifo(evidence / "fifo")
    case = open_case(evidence, out=tmp_path / "x.case")
    told = dict(case.sources.filter(status="not opened").select("source", "note").iter_rows())
    assert told == {"link": "symbolic link", "fifo": "FIFO"}
    assert case.problems.filter(type="not opened").height == 2


def test_a_single_file_is_a_case_too(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(capture())
    case = open_case(tmp_path / "a.pcap", out=tmp_path / "x.case")
    assert case.packets.collect().height == 20
    with pytest.raises(EvidenceError, match="no such"):
        open_case(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("titel = 'x'", "unknown key 'titel'"),
        ("[[source]]\nmatch = '*'\nzonne = 'UTC'\nyeer = 1", "unknown keys 'yeer', 'zonne'"),
        ("[[source]]\nzone = 'UTC'", "match is missing"),
        ("[[source]]\nmatch = '*'\nzone = 'Vienna'", "unknown zone 'Vienna'"),
        ("[[source]]\nmatch = '*'\nzone = '../../etc/passwd'", "unknown zone"),
        ("[[source]]\nmatch = '*'\nyear = '2012'", "year must be int"),
        ("[[source]]\nmatch = '*'\nyear = 12", "year must lie"),
        ("[[source]]\nmatch = '*'\nclock_offset_s = nan", "clock_offset_s must"),
        ("[source]\nmatch = '*'", "source must be a list"),
        ("title = 3", "title must be text"),
        ("title = ", "no valid TOML"),
        ("\ufffe", "no valid TOML"),
    ],
)
def test_mistakes_in_case_toml(tmp_path: Path, text: str, message: str) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    (evidence / "case.toml").write_text(text)
    with pytest.raises(CaseError, match=message):
        open_case(evidence, out=tmp_path / "x.case")
    assert [path.name for path in tmp_path.iterdir()] == ["evidence"]


def test_case_toml_declares(tmp_path: Path) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    (evidence / "case.toml").write_text(
        '[[source]]\nmatch = "node1/syslog*"\nzone = "America/Edmonton"\nyear = 2011\nhost = "cc12"\n'
        '[[source]]\nmatch = "*.pcap"\nclock_offset_s = 3600\n[[source]]\nmatch = "nobody/*"\nyear = 2000\n'
    )
    case = open_case(evidence, out=tmp_path / "x.case")
    source = case.sources.filter(source="node1/syslog").row(0, named=True)
    assert (source["zone"], source["zone_basis"], source["year_basis"]) == ("America/Edmonton", "declared", "declared")
    assert f"{source['started_at']:%F %T}" == "2011-02-15 08:40:00"
    assert case.problems.filter(source="case.toml").row(0, named=True)["example"] == "nobody/*"
    clock = case.clocks.filter(source="node1/br100.pcap").row(0, named=True)
    assert (clock["offset_s"], clock["basis"]) == (3600.0, "declared in case.toml")
    first = case.timeline(entity="10.0.0.1").filter(pl.col("source") == "node1/br100.pcap").row(0, named=True)
    assert (first["ts"] - first["at"]).total_seconds() == 3600


def test_a_host_tells_its_zone(tmp_path: Path) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    (evidence / "case.toml").unlink()
    (evidence / "node1" / "etc").mkdir()
    (evidence / "node1" / "etc" / "timezone").write_text("America/Edmonton\n")
    case = open_case(evidence, out=tmp_path / "x.case")
    assert case.sources.filter(source="node1/syslog")["zone"].to_list() == ["America/Edmonton"]
    told = case.sources.filter(source="node1/etc/timezone").row(0, named=True)
    assert (told["status"], told["format"]) == ("read", "time zone")


def test_zones_that_the_clocks_tell_move_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    (evidence / "case.toml").unlink()

    def clocks(*_: object) -> pl.DataFrame:
        row = {"source": "node1/syslog", "offset_s": -25_193.5, "bound_s": 1.0, "zone_s": -25_200.0, "exchanges": 9}
        return pl.DataFrame([row | {"basis": "a test"}], schema=Clock.polars_schema())

    plain = open_case(evidence, out=tmp_path / "plain.case")
    monkeypatch.setattr("forensics.analysis.clock_alignment.clocks", clocks)
    case = open_case(evidence, out=tmp_path / "x.case")
    for one in (case, open_case(case.path)):
        for record in (LogRecord, DhcpMessage):
            moved = one.records(record).collect()
            before = plain.records(record).collect()
            away = (moved["ts"] - before["ts"]).dt.total_seconds()
            assert set(away.filter(moved["source"] == "node1/syslog")) == {25_200}
            assert set(away.filter(moved["source"] != "node1/syslog")) == {0}
        bases = dict(one.log_records.select("source", "zone_basis").unique().collect().iter_rows())
        assert bases == {"node1/syslog": "matched", "node1/syslog.1.gz": "assumed"}
        source = one.sources.filter(source="node1/syslog").row(0, named=True)
        assert (source["zone"], source["zone_basis"]) == ("-07:00", "matched")
        assert source["started_at"] == one.log_records.filter(pl.col("source") == "node1/syslog").collect()["ts"].min()
        assert one.clocks["offset_s"].to_list() == [6.5]


def test_timeline_and_mentions(small: forensics.Case) -> None:
    rows = small.timeline(entity="fa:16:3e:24:e7:22")
    assert set(rows["record"]) == {"DhcpMessage", "Packet"}
    assert rows["at"].is_sorted()
    assert not rows.select("source", "position").is_duplicated().any()
    near = small.timeline(around="2013-02-15T01:40:05Z", minutes=0.1)
    assert near.height > 0
    assert near["at"].min() >= pl.Series(["2013-02-15T01:39:59Z"]).str.to_datetime(time_zone="UTC")[0]
    told = small.mentions("10.0.0.5")
    assert set(told["source"]) == {"node1/syslog", "node1/syslog.1.gz", "node1/br100.pcap"}
    assert small.mentions("10.0.0").height == 0 or set(told["record"]) >= {"LogRecord"}
    assert small.mentions("FA-16-3E-24-E7-22").equals(small.mentions("fa:16:3e:24:e7:22"))
    assert "10.0.0.5" in small.who("fa16.3e24.e722")["name"].to_list()
    assert small.conflicts.is_empty()
    with pytest.raises(CaseError, match="no instant"):
        small.timeline(around="yesterday")


def test_sql(small: forensics.Case) -> None:
    assert small.sql("select count(*) n from packets where vlan_ids is not null").item() == 20
    assert small.sql("select sum(rows) n from sources").item() == 62
    with pytest.raises(CaseError, match="the query failed"):
        small.sql("select nothing from nowhere")


def test_findings_of_the_bundled_case(tmp_path: Path) -> None:
    guilty = open_case(LOST / "guilty", out=tmp_path / "guilty.case")
    finding = guilty.findings[0]
    assert finding.kind == "dhcp-renewal-failure"
    assert all(ref.excerpt for ref in finding.references())
    assert "10.0.0.5" in repr(guilty.findings)
    assert "<li>" in guilty.findings._repr_html_()
    assert guilty.cite(guilty.findings).height >= len(finding.evidence)
    text = (guilty.path / "findings.json").read_text()
    content = json.loads(text)
    assert list(content) == ["schema", "findings", "not_checked"]
    assert text == json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    assert content["findings"][0] == finding.finding.as_dict()
    assert isinstance(finding.finding, Finding)
    healthy = open_case(LOST / "healthy", out=tmp_path / "healthy.case")
    assert [one.severity for one in healthy.findings if one.severity != "info"] == []


def test_not_checked_says_what_would_be_needed(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "x.txt").write_text("nothing here\n")
    case = open_case(tmp_path / "e", out=tmp_path / "x.case")
    told = dict(case.not_checked.iter_rows())
    assert "DHCP messages" in told["dhcp-renewal-failure"][0]
    assert "memory over time" in told["memory-growth"][0]
    assert NOT_YET not in {missing for wanted in told.values() for missing in wanted}
    assert len(case.findings) == 0
    assert repr(case.findings) == "no findings"


def test_an_analysis_that_fails_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("x")

    monkeypatch.setattr("forensics.analysis.dhcp_leases.findings", fail)
    case = open_case(small_evidence(tmp_path / "evidence"), out=tmp_path / "x.case")
    assert case.problems.filter(type="the analysis failed")["source"].to_list() == ["(analysis dhcp_leases)"]
    assert "failed" in dict(case.not_checked.iter_rows())["dhcp-renewal-failure"][0]


def test_a_target_that_cannot_be_written(tmp_path: Path) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    (tmp_path / "file").write_text("")
    with pytest.raises(CaseError, match="cannot be written"):
        open_case(evidence, out=tmp_path / "file" / "x.case")
    draft = Draft(tmp_path / "x.case")
    with pytest.raises(CaseError, match="is writing this case"):
        open_case(evidence, out=tmp_path / "x.case")
    draft.abandon()


@pytest.mark.parametrize("most", [_sink.MOST_GROUPS, 1])
def test_records_in_two_files_are_marked_and_kept(most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if most == 1:  # each file of the store is full soon, and the next one goes on
        monkeypatch.setattr(_sink, "ROW_GROUP", 2)
        monkeypatch.setattr(_sink, "MOST_GROUPS", 1)
    evidence = tmp_path / "evidence" / "node1"
    evidence.mkdir(parents=True)
    lines = log(9).splitlines(keepends=True)
    for name, own in {"syslog": lines[4:], "syslog.1": lines[:6], "daemon.log": lines[:3]}.items():
        (evidence / name).write_bytes(b"".join(own))
        os.utime(evidence / name, (1_360_900_000, 1_360_900_000))
    case = open_case(tmp_path / "evidence", out=tmp_path / "x.case", workers=1)
    assert len(list((case.path / "records" / "LogRecord").iterdir())) == (3 if most > 1 else 2 + 3 + 3)
    marked = case.log_records.select("source", "position", "duplicate_of").collect()
    assert marked.height == 3 + 5 + 6
    told = marked.drop_nulls().rows()
    assert told == [
        ("node1/syslog", 1, "node1/syslog.1:5"),  # the older piece was written first
        ("node1/syslog", 2, "node1/syslog.1:6"),
        ("node1/syslog.1", 1, "node1/daemon.log:1"),
        ("node1/syslog.1", 2, "node1/daemon.log:2"),
        ("node1/syslog.1", 3, "node1/daemon.log:3"),
    ]
    assert verify(case.path) == []


def test_scans_without_a_case(tmp_path: Path) -> None:
    small_evidence(tmp_path)
    logs = [tmp_path / "node1" / "syslog", tmp_path / "node1" / "syslog.1.gz"]
    messages = forensics.scan_dhcp([*logs, tmp_path / "node1" / "br100.pcap"])
    assert messages.select("message_type").collect()["message_type"].to_list() == ["REQUEST", "ACK"] * 14
    assert messages.filter(pl.col("message_type") == "ACK").head(3).select("chaddr", "position").collect().shape == (
        3,
        2,
    )
    assert forensics.scan_packets(tmp_path / "node1" / "br100.pcap").select(pl.len()).collect().item() == 20
    assert forensics.scan_logs(logs).select(pl.len()).collect().item() == 42
    with pytest.raises(pl.exceptions.PolarsError):
        messages.select("nothing").collect()
    with pytest.raises(Exception, match="in no format that can hold"):
        forensics.scan_dhcp(tmp_path / "node2" / "blob.bin").collect()
    assert set(forensics.__all__) <= set(dir(forensics))
    with pytest.raises(AttributeError, match="no attribute 'scan_nothing'"):
        forensics.scan_nothing  # noqa: B018


def test_a_folder_copied_years_later_keeps_its_years(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "nova.log").write_text("2012-12-31 23:50:01 INFO nova.manager [-] up\n")
    (folder / "switch.log").write_text("Dec 31 23:58:01 sw1 Stp: port down\nJan  1 00:01:02 sw1 Stp: port up\n")
    (folder / "far.log").write_text("Jul  4 10:00:00 sw1 Stp: nothing of that night\n")
    for name in ("nova.log", "switch.log", "far.log"):
        os.utime(folder / name, (1_900_000_000, 1_900_000_000))
    case = open_case(folder, out=tmp_path / "x.case")
    basis = dict(case.sources.select("source", "year_basis").iter_rows())
    assert basis == {"nova.log": "stated", "switch.log": "neighbour", "far.log": "modified"}
    years = case.log_records.filter(pl.col("source") == "switch.log").select(pl.col("ts").dt.year()).collect()
    assert years["ts"].to_list() == [2012, 2013]
    assert case.log_records.collect().height == 4


def test_what_a_client_says_of_itself_is_enough_to_ask_for_more(tmp_path: Path) -> None:
    (tmp_path / "web-3").mkdir()
    (tmp_path / "web-3/syslog").write_text(
        "2023-03-01T10:00:00.000001+00:00 web-3 systemd-networkd[301]: eth0: DHCPv4 address 10.0.0.5/24, "
        "gateway 10.0.0.1 acquired from 10.0.0.1\n"
        "2023-03-01T11:00:00.000001+00:00 web-3 systemd-networkd[301]: eth0: DHCP lease lost\n"
        "2023-03-01T11:20:00.000001+00:00 web-3 cron[9]: (root) CMD (true)\n"
    )
    case = open_case(tmp_path, out=tmp_path.parent / "events.case")
    (finding,) = case.findings
    assert (finding.kind, finding.confidence) == ("dhcp-renewal-failure", "possible")
    assert finding.next_evidence
    assert all(ref.excerpt for ref in finding.evidence)
    assert "dhcp-renewal-failure" not in case.not_checked["kind"].to_list()
    assert finding.chart().data is not None
