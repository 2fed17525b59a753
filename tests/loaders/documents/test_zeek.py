"""Logs of Zeek: every line a row or accounted for, instants exact, columns that nobody knows kept."""

import io
import json

import polars as pl
import pytest

from forensics.evidence import stream_of
from forensics.loaders._reader import Batch, Origin
from forensics.loaders._registry import pick, readers
from forensics.loaders.documents import _ledger
from forensics.loaders.documents.zeek import stream_of_file
from forensics.records import LogRecord
from tests._evidence import evidence_root

HEADER = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdhcp\n"
    "#open\t2014-04-01-00-00-00\n"
    "#fields\tts\tuids\tmac\tserver_message\tmsg_types\tsite\n#types\ttime\tset[string]\tstring\tstring\tvector[string]\tstring\n"
)
ROW = "1396310400.123456\tC1,C2\t00:16:3e:00:00:01\taddress not available\tREQUEST,NAK\t-\n"


def read(text: str, name: str = "sensor/dhcp.log", host: str | None = None) -> tuple[pl.DataFrame, list[Batch]]:
    """Rows of a text, by the format that its head is picked for."""
    octets = text.encode()
    reader = pick(octets[:65536], name)
    assert reader is not None
    batches = list(reader.batches(stream_of(io.BytesIO(octets), name), Origin(name, host=host)))
    rows = pl.concat(batch.rows[LogRecord] for batch in batches)
    LogRecord.validate(rows)
    covered = rows["length_bytes"].sum() + sum(one.length_bytes for batch in batches for one in batch.stretches)
    assert covered == len(octets)
    return rows, batches


def rejects(batches: list[Batch]) -> int:
    return int(batches[-1].facts.get("rejects", 0))


def test_a_row_is_told_whole() -> None:
    rows, batches = read(HEADER + ROW + "#close\t2014-04-01-01-00-00\n", host="sensor")
    row = rows.row(0, named=True)
    assert (row["program"], row["host"], row["framing"], row["position"]) == ("zeek-dhcp", "sensor", "zeek", 9)
    assert rows["ts"].dt.epoch("ns").to_list() == [1396310400123456000]
    assert row["message"] == (
        'uids=C1,C2 mac=00:16:3e:00:00:01 server_message="address not available" msg_types=REQUEST,NAK'
    )
    assert (row["zone_basis"], row["year_basis"]) == ("utc-by-definition", "stated")
    assert rejects(batches) == 0


def test_no_instant_passes_through_a_float() -> None:
    stamps = ["1720000000.999999999", "1.000001", "0.100000", "9007199254.740993"]
    rows, _ = read(HEADER + "".join(ROW.replace("1396310400.123456", stamp) for stamp in stamps))
    assert rows["ts"].dt.epoch("ns").to_list() == [
        1720000000999999999, 1000001000, 100000000, 9007199254740993000,
    ]  # fmt: skip
    lines = "".join(
        f'{{"ts":{stamp},"uid":"C1","id.orig_h":"10.0.0.1"}}\n'
        for stamp in ["1591367999.305988", "1720000000.999999999"]
    )
    rows, _ = read(lines, "conn.log")
    assert rows["ts"].dt.epoch("ns").to_list() == [1591367999305988000, 1720000000999999999]


def test_what_is_no_row_is_counted() -> None:
    rows, batches = read(HEADER + ROW + "torn\tline\n\n" + ROW + "x\t" * 9 + "\n")
    assert rows.height == 2
    assert rejects(batches) == 2
    assert {one.kind for batch in batches for one in batch.stretches} == {"framing", "reject", "padding"}


def test_logs_behind_one_another_have_their_own_fields() -> None:
    other = "#separator \\x7c\n#path|weird\n#fields|ts|name\n1396310402.5|truncated_IP\n"
    rows, _ = read(HEADER + ROW + "#close\t2014-04-01-01-00-00\n" + other + HEADER + ROW)
    assert rows["program"].to_list() == ["zeek-dhcp", "zeek-weird", "zeek-dhcp"]
    assert rows["message"][1] == "name=truncated_IP"


def test_an_unset_instant_is_none_and_empty_is_not_unset() -> None:
    rows, _ = read(HEADER + ROW.replace("1396310400.123456", "-").replace("C1,C2", "(empty)"))
    assert rows["ts"].to_list() == [None]
    assert rows["year_basis"].to_list() == ["none"]
    assert rows["message"][0].startswith('uids="" mac=')


def test_fields_go_on_in_the_next_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ledger, "CHUNK_BYTES", 97)
    rows, batches = read(HEADER + ROW * 50)
    assert rows.height == 50
    assert rows["position"].to_list() == list(range(9, 59))
    assert len(batches) > 5


def test_json_by_its_file_its_path_or_its_keys() -> None:
    line = '{"ts":1591367999.305988,"uid":"C1","id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2",'
    line += '"duration":0.06685185432434082}\n'
    rows, _ = read(line, "a/conn.00:00:00-01:00:00.log")
    assert rows["program"][0] == "zeek-conn"
    assert "duration=0.06685185432434082" in rows["message"][0]
    rows, _ = read(line.replace('{"ts"', '{"_path":"ssl","_system_name":"tap7","ts"'), "x.json")
    assert (rows["program"][0], rows["host"][0]) == ("zeek-ssl", "tap7")
    rows, _ = read('{"ts":"2020-06-05T14:39:59.305988Z","uids":["C1"],"msg_types":["DISCOVER"]}\n', "x.txt")
    assert (rows["program"][0], rows["zone_basis"][0]) == ("zeek-dhcp", "stated")
    assert rows["ts"].dt.epoch("us")[0] == 1591367999305988
    rows, _ = read('{"ts":1591367999305,"uids":["C1"],"msg_types":["DISCOVER"]}\n', "x.txt")
    assert rows["ts"].dt.epoch("ms")[0] == 1591367999305


def test_hostile_json_is_a_reject() -> None:
    good = '{"ts":1591367999.3,"uid":"C\\ud800","id.orig_h":"10.0.0.1"}\n'
    deep = '{"ts":1591367999.3,"uid":"C1","id.orig_h":' + "[" * 900 + "]" * 900 + "}\n"
    rows, batches = read(good + '{"ts":' + "[" * 50_000 + "\n" + '{"ts":"yesterday"}\n[1]\n' + deep, "conn.log")
    assert rows["message"][0] == "uid=C\\ud800 id.orig_h=10.0.0.1"
    assert rows.height + rejects(batches) == 5


def test_files_of_others_are_left_alone() -> None:
    mine = [reader for reader in readers() if reader.name.startswith("zeek")]
    for text in (
        "#separator\n", "# fields\tts\n", "ts\tuid\n1\t2\n", '{"ts":1591367999.3,"level":"info","message":"x"}\n',
        '{"timestamp":"2020-06-05T14:39:59","src_ip":"10.0.0.1","event_type":"dns"}\n', "#!/bin/sh\n", "{}\n",
    ):  # fmt: skip
        assert not any(reader.likeness(text.encode(), "nova-api.log") for reader in mine), text


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("zeek/2024-01-31/conn.00:00:00-01:00:00.log.gz", "conn"),
        ("dns.log", "dns"), ("capture_loss.log", "capture_loss"),
        ("http-20240131.log.gz", "http"), ("conn.log.1", "conn"), ("conn_20240101.csv", None), ("nova-api.log", None),
    ],
)  # fmt: skip
def test_the_stream_that_a_name_tells(name: str, stream: str | None) -> None:
    assert stream_of_file(name) == stream


def test_logs_that_zeek_keeps_as_its_own_right_answers() -> None:
    folder = evidence_root() / "expected" / "upstream"
    found = sorted(folder.glob("zeek__*.log"))
    assert found
    for path in found:
        text = path.read_text()
        rows, batches = read(text, path.name)
        assert rows.height == sum(1 for line in text.splitlines() if not line.startswith("#")), path.name
        assert rejects(batches) == 0
        assert all(json.dumps(message) for message in rows["message"])
