"""What the logs of DHCP servers and clients say, in public evidence and in lines made here."""

import io
import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from forensics.evidence import stream_of
from forensics.loaders._message_format import MessageReader, leaves
from forensics.loaders._reader import Origin
from forensics.loaders.log_files import READERS
from forensics.records import DhcpClientEvent, DhcpMessage, LogRecord, Record
from tests._evidence import evidence_root
from tests.loaders.messages.test_samples import log_records

LINE = re.compile(
    r"^\w{3} [ \d]\d [\d:]{8} (?P<host>\S+) (?P<program>[^\s:\[]+)(?:\[(?P<pid>\d+)\])?: ?(?P<message>.*)$"
)


def split_lines(path: Path) -> pl.DataFrame:
    """Log records of a traditional syslog file, with just enough in them."""
    found = [LINE.match(line) for line in path.read_text(errors="replace").split("\n")]
    blank = log_records("x")
    rows = [
        {"host": m["host"], "program": m["program"], "pid": m["pid"] and int(m["pid"]),
         "message": m["message"],
         "position": n}
        for n, m in enumerate(found, 1) if m
    ]  # fmt: skip
    return blank.drop("host", "program", "pid", "message", "position").join(
        pl.DataFrame(rows, schema_overrides={"pid": pl.Int64}), how="cross"
    ).select(blank.columns)  # fmt: skip


def test_dnsmasq_of_a_devstack_node() -> None:
    found = leaves(split_lines(evidence_root() / "logs/syslog/os-loganalyze/syslog.txt"))
    rows = DhcpMessage.validate(found[DhcpMessage])
    counts = {"RELEASE": 207, "DISCOVER": 62, "OFFER": 61, "REQUEST": 61, "ACK": 61}
    assert Counter(rows["message_type"]) == Counter(counts)
    assert rows["chaddr"].n_unique() == 206
    assert rows.drop_nulls("refusal").filter(pl.col("refusal") == "no address available").height == 1
    assert set(rows["seen_by"]) == {"server"}


def test_dhclient_of_a_guest() -> None:
    found = leaves(split_lines(evidence_root() / "logs/syslog/lnav/logfile_partitions.0"))
    rows, events = DhcpMessage.validate(found[DhcpMessage]), DhcpClientEvent.validate(found[DhcpClientEvent])
    assert Counter(rows["message_type"]) == Counter({"REQUEST": 10, "ACK": 8, "NAK": 2, "DISCOVER": 2, "OFFER": 2})
    assert Counter(events["event"]) == Counter({"bound": 8})
    assert set(rows["seen_by"]) == {"client"}
    assert events["renewal_s"].null_count() == 0
    assert rows["chaddr"].null_count() == rows.height, "this log never names the hardware address"


def test_a_renewal_that_nobody_answers() -> None:
    found = leaves(
        log_records(
            "DHCPREQUEST of 10.0.0.5 on eth0 to 10.0.0.1 port 67 (xid=0x2e786ba6)",
            "DHCPREQUEST of 10.0.0.5 on eth0 to 255.255.255.255 port 67 (xid=0x2e786ba6)",
            "DHCPDISCOVER on eth0 to 255.255.255.255 port 67 interval 3 (xid=0xa66b782e)",
            "5 bad udp checksums in 5 packets",
            "No DHCPOFFERS received.",
            "Unable to obtain a lease on first try.  Exiting.",
            program="dhclient",
        )
    )
    assert found[DhcpMessage]["message_type"].to_list() == ["REQUEST", "REQUEST", "DISCOVER"]
    assert found[DhcpMessage]["xid"].to_list() == [0x2E786BA6, 0x2E786BA6, 0xA66B782E]
    assert found[DhcpClientEvent]["event"].to_list() == ["no_offers", "exited"]
    assert found[DhcpClientEvent]["position"].to_list() == [5, 6]


def test_program_names_in_all_their_forms() -> None:
    said = "DHCPACK of 10.0.0.5 from 10.0.0.1"
    for program in ("dhclient", "dhclient3", "dhclient-eth0", "dhclient.eth0", "/sbin/dhclient", None):
        assert leaves(log_records(said, program=program))[DhcpMessage]["seen_by"].to_list() == ["client"], program
    served = "DHCPACK(br100) 10.0.0.5 fa:16:3e:24:e7:22"
    for program in ("dnsmasq", "dnsmasq-dhcp", "/usr/sbin/dnsmasq", None):
        assert leaves(log_records(served, program=program))[DhcpMessage]["seen_by"].to_list() == ["server"], program
    for program in ("nova-compute", "dhclient-script", "sshd"):
        assert leaves(log_records(served, program=program)) == {}


def test_lines_without_a_program_may_keep_its_tag_in_the_message() -> None:
    rows = leaves(log_records("dnsmasq-dhcp[2438]: DHCPNAK(br100) 10.0.0.5 fa:16:3e:24:e7:22 lease not found"))
    assert rows[DhcpMessage]["refusal"].to_list() == ["lease not found"]


def test_what_is_no_dhcp_message_is_left() -> None:
    others = [
        "RTR-ADVERT(eth0) fd00::", "DHCPSOLICIT(eth0) 00:01:00:01", "DHCPREPLY(eth0) fd00::5 00:01",
        "BOOTP(eth0) 10.0.0.5",
        "read /etc/hosts - 2 addresses", "DHCP, IP range 10.0.0.2 -- 10.0.0.254, lease time 2m", "",
        "3744951815 requested options: 1:netmask, 28:broadcast", "DHCPACK(br100) 10.0.0.999 fa:16:3e:24:e7:22",
        "no address range available for DHCP request via br100",
    ]  # fmt: skip
    found = leaves(log_records(*others, program="dnsmasq-dhcp"))
    assert (
        found.get(DhcpMessage, DhcpMessage.empty())["requested_ip"].null_count()
        == found.get(DhcpMessage, DhcpMessage.empty()).height
    )
    assert DhcpClientEvent not in found


def test_an_xid_beyond_32_bits_costs_the_xid_and_not_the_message() -> None:
    rows = leaves(log_records("99999999999 DHCPACK(br0) 10.0.0.5 fa:16:3e:24:e7:22", program="dnsmasq-dhcp"))[
        DhcpMessage
    ]
    assert rows.select("xid", "yiaddr").row(0) == (None, "10.0.0.5")


def test_continuation_lines_do_not_hide_a_message() -> None:
    text = "DHCPACK(br0) 10.0.0.5 fa:16:3e:24:e7:22 web\nsomething that is no line of its own"
    assert leaves(log_records(text, program="dnsmasq-dhcp"))[DhcpMessage]["hostname"].to_list() == ["web"]


MADE = (
    (101, "Listening on LPF/eth0/fa:16:3e:00:00:01"),
    (101, "Sending on   LPF/eth0/fa:16:3e:00:00:01"),
    (101, "DHCPDISCOVER on eth0 to 255.255.255.255 port 67 interval 3"),
    (101, "DHCPOFFER from 10.0.0.1"),
    (202, "DHCPREQUEST on eth0 to 10.0.0.1 port 67"),  # gone into the background: another process id
    (202, "DHCPACK from 10.0.0.1"),
    (303, "Listening on LPF/eth1/fa:16:3e:00:00:02"),
    (303, "Listening on LPF/eth0/fa:16:3e:00:00:03"),
    (303, "DHCPREQUEST on eth1 to 10.0.0.1 port 67"),
    (303, "DHCPACK from 10.0.0.1"),  # eth0's or eth1's: nobody can tell
    (202, "DHCPACK from 10.0.0.1"),  # the place has a new address by now
    (404, "DHCPREQUEST on eth9 to 10.0.0.1 port 67"),
    (404, "DHCPACK from 10.0.0.1"),
)
WANTED = ["1", "1", "1", "1", "2", None, "3", None, None]


def made() -> pl.DataFrame:
    return pl.concat([
        log_records(message, program="dhclient", pid=pid, position=n) for n, (pid, message) in enumerate(MADE, 1)
    ])  # fmt: skip


def test_dhclient_names_its_hardware_address_once() -> None:
    chaddr = leaves(made())[DhcpMessage]["chaddr"]
    assert [mac and mac[-1] for mac in chaddr] == WANTED


def test_it_is_remembered_from_chunk_to_chunk_however_the_source_is_cut() -> None:
    frame = made()
    for size in range(1, frame.height):
        reader = MessageReader()
        parts = [reader.leaves(frame.slice(start, size)) for start in range(0, frame.height, size)]
        rows = pl.concat([part[DhcpMessage] for part in parts if DhcpMessage in part])
        assert rows.equals(leaves(frame)[DhcpMessage]), size


def test_kea_counts_a_message_once_where_packet_and_lease_are_logged() -> None:
    head = "[hwtype=1 02:11:22:33:44:55], cid=[no info], tid=0x1a: "
    found = leaves(
        log_records(
            f"DHCP4_PACKET_RECEIVED {head}DHCPREQUEST (type 3) received from 0.0.0.0 to 10.0.0.1 on interface eth1",
            f"DHCP4_LEASE_ALLOC {head}lease 10.0.0.5 has been allocated for 120 seconds",
            f"DHCP4_PACKET_SEND {head}trying to send packet DHCPACK (type 5) "
            "from 10.0.0.1:67 to 10.0.0.5:68 on interface eth1",
            program="kea-dhcp4",
        )
    )[DhcpMessage]
    assert found.select("message_type", "yiaddr").rows() == [("REQUEST", None), ("ACK", "10.0.0.5")]


def test_only_what_is_wanted_is_read() -> None:
    frame = log_records("bound to 10.0.0.5 -- renewal in 50 seconds.", "DHCPACK from 10.0.0.1", program="dhclient")
    assert set(leaves(frame)) == {DhcpMessage, DhcpClientEvent}
    assert set(leaves(frame, [DhcpClientEvent])) == {DhcpClientEvent}


@pytest.mark.parametrize(
    ("source", "lines", "messages", "events"),
    [("logs/syslog/os-loganalyze/syslog.txt", 25_939, 452, 0), ("logs/syslog/lnav/logfile_partitions.0", 82, 24, 8)],
)
def test_the_same_from_the_bytes_of_the_file(source: str, lines: int, messages: int, events: int) -> None:
    stream = stream_of(io.BytesIO((evidence_root() / source).read_bytes()), source)
    (reader,) = [reader for reader in READERS if LogRecord in reader.yields]
    found: Counter[type[Record]] = Counter()
    for batch in reader.batches(stream, Origin(source, modified_ns=1_402_400_000 * 10**9)):
        found.update({record: rows.height for record, rows in batch.rows.items()})
    assert (found[LogRecord], found[DhcpMessage], found[DhcpClientEvent]) == (lines, messages, events)


def test_a_file_of_dnsmasq_alone_has_no_host() -> None:
    line = b"Feb 27 22:01:36 dnsmasq-dhcp[2438]: DHCPDISCOVER(br100) fa:16:3e:56:0b:6f\n"
    (reader,) = [reader for reader in READERS if LogRecord in reader.yields]
    batches = list(reader.batches(stream_of(io.BytesIO(line * 3), "dnsmasq.log"), Origin("dnsmasq.log", year=2012)))
    rows = pl.concat([batch.rows[DhcpMessage] for batch in batches if DhcpMessage in batch.rows])
    assert rows.select("host", "chaddr", "position").rows() == [(None, "fa:16:3e:56:0b:6f", n) for n in (1, 2, 3)]
    assert rows["ts"].dt.year().to_list() == [2012] * 3
