"""Timelines of Timesketch and plaso: instants exact, quotes and line feeds kept apart, nothing lost."""

import io

import polars as pl
import pytest

from forensics.evidence import stream_of
from forensics.loaders._reader import Batch, Origin
from forensics.loaders._registry import pick, readers
from forensics.loaders.documents import _ledger
from forensics.records import LogRecord

HEADER = "message,timestamp,datetime,timestamp_desc,data_type,site\n"
DYNAMIC = "datetime,timestamp_desc,source,source_long,message,parser,display_name,tag\n"
L2T = "date,time,timezone,MACB,source,sourcetype,type,user,host,short,desc,version,filename,inode,notes,format,extra\n"


def read(text: str, name: str = "timeline.csv") -> tuple[pl.DataFrame, list[Batch]]:
    """Rows of a text, by the format that its head is picked for."""
    octets = text.encode()
    reader = pick(octets[:65536], name)
    assert reader is not None
    batches = list(reader.batches(stream_of(io.BytesIO(octets), name), Origin(name, modified_ns=7)))
    rows = pl.concat(batch.rows[LogRecord] for batch in batches)
    LogRecord.validate(rows)
    covered = rows["length_bytes"].sum() + sum(one.length_bytes for batch in batches for one in batch.stretches)
    assert covered == len(octets)
    return rows, batches


def rejects(batches: list[Batch]) -> int:
    return int(batches[-1].facts.get("rejects", 0))


def test_a_row_of_csv_is_told_whole() -> None:
    rows, _ = read(
        HEADER + '"two\nlines, ""said""",1331698658123456,2012-03-14T04:17:38+00:00,Time Logged,x:y,Edmonton\n'
    )
    row = rows.row(0, named=True)
    assert row["message"] == 'two\nlines, "said"\ntimestamp_desc="Time Logged" site=Edmonton'
    assert (row["program"], row["n_lines"], row["position"], row["framing"]) == ("x:y", 2, 2, "timesketch-csv")
    assert rows["ts"].dt.epoch("ns").to_list() == [1331698658123456000]  # datetime, and the fraction of timestamp


@pytest.mark.parametrize(
    ("timestamp", "datetime", "expected", "basis"),
    [
        ("", "2012-03-14T04:17:38.000000001Z", 1331698658000000001, "stated"),
        ("123456789", "2012-03-14T04:17:38+0000", 1331698658000000000, "stated"),
        ("", "2012-03-14 04:17:38", 1331698658000000000, "utc-by-definition"),
        ("1331698658", "", 1331698658000000000, "utc-by-definition"),
        ("1331698658123", "", 1331698658123000000, "utc-by-definition"),
        ("1331698658123456", "2022-11-10T05-07-28+00:00", 1331698658123456000, "utc-by-definition"),
        ("", "1723474994349345", 1723474994349345000, "utc-by-definition"),
        ("0", "0000-00-00T00:00:00.000000+00:00", None, "none"),
        ("", "", None, "none"),
    ],
)
def test_instants(timestamp: str, datetime: str, expected: int | None, basis: str) -> None:
    rows, _ = read(f"{HEADER}m,{timestamp},{datetime},w,d,\n")
    assert rows["ts"].dt.epoch("ns").to_list() == [expected]
    assert rows["zone_basis"].to_list() == [basis]


def test_quotes_that_nobody_closes_cost_their_line_alone() -> None:
    good = "m,1331698658,,w,d,\n"
    rows, batches = read(
        HEADER + good + '"never closed,1,,w,d,\n' + good * 40 + 'in the "middle,1331698658,,w,d,\n' + good
    )
    assert rows.height == 43
    assert rejects(batches) == 1
    rows, batches = read(HEADER + 'x"y,"z,1,,w,d\n' * 3000)  # each line leaves the next one open
    assert rows.height + rejects(batches) <= 3000


def test_a_record_goes_on_in_the_next_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ledger, "CHUNK_BYTES", 61)
    rows, batches = read(HEADER + '"a\nb\nc, d",1331698658,,w,d,\n' * 30)
    assert rows.height == 30
    assert rows["n_lines"].to_list() == [3] * 30
    assert rows["position"].to_list() == list(range(2, 92, 3))
    assert rejects(batches) == 0


def test_psort_dynamic_quotes_nothing() -> None:
    rows, batches = read(
        DYNAMIC
        + '2012-01-22T07:52:33+00:00,Content Modification Time,LOG,Log File,"[x] half a quote,filestat,-,-\n'
        + "2022-11-13T06:02:03.235228277+00:00,Last Access Time,LOG,Log File,[sshd  pid: 3] No change,syslog,OS:/x,-\n",
        "dynamic.log",
    )
    assert rejects(batches) == 0
    assert rows["ts"].dt.epoch("ns").to_list() == [1327218753000000000, 1668319323235228277]
    assert rows.select("program", "pid").rows() == [("Log File", None), ("sshd", 3)]
    assert rows["message"][1].splitlines()[0] == "[sshd  pid: 3] No change"
    assert 'timestamp_desc="Last Access Time"' in rows["message"][1]


def test_l2tcsv_names_a_zone_on_each_line() -> None:
    row = "{},M...,LOG,Log File,mtime,-,myhost,[client  pid: 30840] INFO...,[client  pid: 30840] INFO No change,2,"
    row += "OS:/x,0,-,syslog,-\n"
    stamps = [
        "01/22/2016,07:52:33,UTC",
        "07/10/2016,19:10:46,Europe/Amsterdam",
        "00/00/0000,--:--:--,UTC",
        "01/22/2016,07:52:33,Nowhere/Else",
    ]
    rows, batches = read(L2T + "".join(row.format(stamp) for stamp in stamps) + "01/22/2016,too short\n")
    assert rows["ts"].dt.epoch("s").to_list() == [1453449153, 1468170646, None, None]
    assert rows.select("program", "pid", "host").row(0) == ("client", 30840, "myhost")
    assert rows["message"][0].startswith("[client  pid: 30840] INFO No change\nMACB=M...")
    assert "short=" not in rows["message"][0]
    assert rejects(batches) == 1


def test_json_lines_of_plaso_and_of_anybody() -> None:
    rows, batches = read(
        '{"__container_type__": "event", "data_type": "syslog:line", "hostname": "c9", "message": "[sshd] Failed", '
        '"pathspec": {"inode": 23, "size": 1.50}, "reporter": "sshd", "pid": 12, "timestamp": 999999999999999, '
        '"timestamp_desc": "Content Modification Time"}\n'
        '{"message": "m", "timestamp": 1331698658123, "timestamp_desc": "w \\ud800"}\n'
        '{"message": "cut\n\n{"message": "no time at all", "timestamp_desc": "w"}\n',
        "t.jsonl",
    )
    assert rows["ts"].dt.epoch("ns").to_list() == [999999999999999000, 1331698658123000000]
    assert rows.select("program", "pid", "host").row(0) == ("sshd", 12, "c9")
    assert 'pathspec={"inode":23,"size":1.50}' in rows["message"][0]
    assert rows["message"][1] == 'm\ntimestamp_desc="w \\\\ud800"' or "\\ud800" in rows["message"][1]
    assert rejects(batches) == 2


def test_files_of_others_are_left_alone() -> None:
    mine = [reader for reader in readers() if reader.name.startswith(("timesketch", "l2t"))]
    for text in (
        "message,datetime\nx,2012-01-01\n", "date,time,timezone\n", '{"message":"x","timestamp":1}\n', "{}\n", "a,b\n",
        "uuid,instance_id,timestamp_desc\n", '2012-01-22T07:52:33+00:00 c1 app: "message" "timestamp_desc"\n',
    ):  # fmt: skip
        assert not any(reader.likeness(text.encode(), "timeline.csv") for reader in mine), text
