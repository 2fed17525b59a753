"""Pastes from a terminal: who typed what where and when, and each output read as what it is."""

import io
from datetime import UTC, datetime

import polars as pl
import pytest

from forensics.evidence import stream_of
from forensics.loaders._reader import Batch, Origin
from forensics.loaders._registry import pick
from forensics.loaders.documents._instants import instant_of
from forensics.records import ConfigOption, FileSize, HostInterface, LogRecord, Record, ShellCommand

EDMONTON = datetime(2013, 2, 15, 8, 40, 18, tzinfo=UTC)


def read(text: str, **origin: object) -> tuple[dict[type[Record], pl.DataFrame], list[Batch]]:
    octets = text.encode()
    reader = pick(octets, "notes.txt")
    assert reader is not None
    assert reader.name == "transcript"
    batches = list(reader.batches(stream_of(io.BytesIO(octets), "notes.txt"), Origin("notes.txt", **origin)))  # type: ignore[arg-type]
    rows: dict[type[Record], pl.DataFrame] = {}
    for batch in batches:
        for record, frame in batch.rows.items():
            record.validate(frame)
            rows[record] = pl.concat([rows[record], frame]) if record in rows else frame
    covered = bytearray(len(octets))
    for frame in rows.values():
        for offset, length in frame.select("offset_bytes", "length_bytes").iter_rows():
            covered[offset : offset + length] = b"\1" * length
    for batch in batches:
        for one in batch.stretches:
            stretch = slice(one.offset_bytes, one.offset_bytes + one.length_bytes)
            assert not any(covered[stretch]), one
            covered[stretch] = b"\1" * one.length_bytes
    assert all(covered), octets[covered.index(0) :][:80]
    return rows, batches


def test_who_typed_what_where_and_when() -> None:
    """formats.md 9.2: a prompt gives host and folder; a `date` typed before gives the time."""
    rows, _ = read(
        "adm@cc12:/var/lib/nova/instances/instance-00000e05# date -u\n"
        "Fri Feb 15 08:40:18 UTC 2013\n"
        "adm@cc12:/var/lib/nova/instances/instance-00000e05# wc -l console.log\n"
        "92890453 console.log\n"
        "adm@cc12:/var/lib/nova/instances/instance-00000e05# ls -sh console.log\n"
        "5.5G console.log\n"
    )
    typed = rows[ShellCommand]
    assert typed.select("host", "user", "command", "n_lines", "position").rows() == [
        ("cc12", "adm", "date -u", 1, 1),
        ("cc12", "adm", "wc -l console.log", 1, 3),
        ("cc12", "adm", "ls -sh console.log", 1, 5),
    ]
    assert set(typed["directory"]) == {"/var/lib/nova/instances/instance-00000e05"}
    assert set(typed["ts"]) == {EDMONTON}
    assert set(typed["ts_basis"]) == {"command"}
    sizes = rows[FileSize].sort("position")
    path = "/var/lib/nova/instances/instance-00000e05/console.log"
    assert sizes.select("path", "host", "lines", "position").rows() == [
        (path, "cc12", 92_890_453, 4),
        (path, "cc12", None, 6),
    ]
    assert set(sizes["instance_name"]) == {"instance-00000e05"}
    low, high = sizes.select("low_bytes", "high_bytes").row(1)
    assert 5.4 * 2**30 < low <= 5.4 * 2**30 + 1
    assert high == int(5.5 * 2**30)
    assert set(sizes["ts"]) == {EDMONTON}


def test_bare_prompts_and_what_was_left_out() -> None:
    """formats.md, appendix A10, A11, A15, A16."""
    rows, batches = read(
        "$ ip a\n…\n"
        "10: vlan100@vlan20: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master br100 state UP\n…\n"
        "$ grep vlan_interface /etc/nova/nova.conf\nvlan_interface=vlan20\n$ nova service-list\n",
        host="cc1",
    )
    interface = rows[HostInterface].row(0, named=True)
    assert (interface["interface"], interface["parent"], interface["master"]) == ("vlan100", "vlan20", "br100")
    assert (interface["mtu_bytes"], interface["index"], interface["host"]) == (1500, 10, "cc1")
    option = rows[ConfigOption].row(0, named=True)
    assert (option["key"], option["value"], option["file"]) == ("vlan_interface", "vlan20", "/etc/nova/nova.conf")
    assert rows[ShellCommand]["command"].to_list()[-1] == "nova service-list"
    assert rows[ShellCommand]["n_lines"].to_list()[-1] == 0
    assert not [one for batch in batches for one in batch.stretches if one.kind == "reject"]


def test_a_log_below_a_prompt_is_a_log() -> None:
    rows, _ = read(
        "[root@cc12 nova]# grep Removing -r .\n"
        "dair-ua-c03/nova.log:Dec 19 12:10:59 dair-ua-c03 2012-12-19 12:10:59 INFO nova.virt.libvirt.imagecache [-] "
        "Removing base file: /var/lib/nova/instances/_base/7b4783508212f5d242cbf9ff56fb8d33b4ce6166_10\n"
        "[root@cc12 nova]# \n"
    )
    (record,) = rows[LogRecord].iter_rows(named=True)
    assert (record["host"], record["position"], record["severity"]) == ("dair-ua-c03", 2, "INFO")
    assert rows[ShellCommand]["directory"].to_list() == [None], "the prompt tells the last part of the folder alone"


def test_ssh_sudo_and_secrets() -> None:
    rows, batches = read(
        "admin@ctl1:~$ ssh cc12 'sudo cat /etc/timezone'\nAmerica/Edmonton\n"
        "admin@ctl1:~$ sudo mysql -u nova --password=s3cret nova\n"
        "admin@ctl1:~$ frobnicate --all\nodd output\n"
    )
    assert "s3cret" not in rows[ShellCommand].write_json()
    assert rows[ShellCommand]["host"].to_list() == ["cc12", "ctl1", "ctl1"]
    reasons = [one.reason for batch in batches for one in batch.stretches if one.kind == "reject"]
    assert "output of frobnicate, in no format that is known" in reasons


def test_other_hosts_and_times_are_not_carried_over() -> None:
    rows, _ = read(
        "a@h1:~$ date -u\nFri Feb 15 08:40:18 UTC 2013\n$ uname -r\n3.2.0\nb@h2:~$ uname -r\n3.2.0\n", host="f"
    )
    assert rows[ShellCommand]["host"].to_list() == ["h1", "f", "h2"]


def test_prose_without_prompts_is_no_transcript() -> None:
    for text in ("all was well\n# and a comment\n", "price $ 5\n", "key = value\n", "a@b.example wrote:\n> hi\n"):
        reader = pick(text.encode(), "notes.txt")
        assert reader is None or reader.name != "transcript"


@pytest.mark.parametrize(
    ("line", "zone", "utc", "expected"),
    [
        ("Fri Feb 15 08:40:18 UTC 2013", None, False, EDMONTON),
        ("Fri Feb 15 01:40:18 MST 2013", None, False, EDMONTON),
        ("Fri Feb 15 01:40:18 AM MST 2013", None, False, EDMONTON),
        ("Fri 15 Feb 2013 01:40:18 AM MST", None, False, EDMONTON),
        ("Fri, 15 Feb 2013 01:40:18 -0700", None, False, EDMONTON),
        ("2013-02-15T01:40:18-07:00", None, False, EDMONTON),
        ("2013-02-15 01:40:18", "America/Edmonton", False, EDMONTON),
        ("2013-02-15 08:40:18", "America/Edmonton", True, EDMONTON),
        ("1360917618", None, False, EDMONTON),
        ("Fri Feb 15 02:40:18 CST 2013", "America/Winnipeg", False, EDMONTON),
        ("Fri Feb 15 02:40:18 CST 2013", None, False, None),
        ("2013-02-15 01:40:18", None, False, None),
        ("Fri Feb 31 01:40:18 UTC 2013", None, False, None),
        ("no date at all", "UTC", True, None),
    ],
)
def test_the_output_of_date(line: str, zone: str | None, utc: bool, expected: datetime | None) -> None:
    found = instant_of(line, zone, utc=utc)
    assert found == (None if expected is None else int(expected.timestamp()) * 10**9)


def test_a_switch_is_asked_more_than_once() -> None:
    text = (
        "sw1#show mac address-table\n          Mac Address Table\n\nVlan    Mac Address       Type        Ports\n"
        "----    -----------       --------    -----\n 100    fa16.3e11.2233    DYNAMIC     Gi1/0/1\n"
        "sw1#terminal length 0\nsw1#\n"
    )
    frames, batches = read(text)
    assert frames[ShellCommand]["command"].to_list() == ["show mac address-table", "terminal length 0"]
    assert set(frames[ShellCommand]["host"]) == {"sw1"}
    assert not [stretch for batch in batches for stretch in batch.stretches if stretch.kind == "reject"]
