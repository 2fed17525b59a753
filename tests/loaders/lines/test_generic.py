"""Logs that nobody described, and the framings of formats.md 0.4 and 1 as they stand there."""

import io
from datetime import UTC, datetime

import pytest

from forensics.evidence import stream_of
from forensics.loaders._reader import Origin
from forensics.loaders._registry import formats, pick
from forensics.loaders.lines._reader import batches, likeness
from forensics.loaders.log_files import READERS
from forensics.records import LogRecord
from tests.loaders.lines._reading import read, whole

U, P = "ebbd729575cb404081a45c9ada0849b7", "8175953c209044358ab5e0ec19d52c37"
REQ = "req-ccac9790-3357-4aa8-84bd-cdaab1aa394e"
WHEN = datetime(2013, 2, 15, 1, 40, 18, tzinfo=UTC)
DAY = int(datetime(2013, 2, 15, tzinfo=UTC).timestamp()) * 10**9
HOUR = 3600 * 10**9


def facts(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for batch in READERS[0].batches(stream_of(io.BytesIO(data), "x"), Origin("x.log"), records=[]):
        found |= batch.facts
    return found


@pytest.mark.parametrize(
    "stamp",
    [
        "2013-02-15 01:40:18", "2013-02-15T01:40:18.000", "[2013-02-15 01:40:18,000]", "2013/02/15 01:40:18",
        "15-Feb-2013 01:40:18", "[15/Feb/2013 01:40:18]", "[15/Feb/2013:01:40:18 +0000]", "15/02/2013 01:40:18",
        "02/15/2013 01:40:18", "20130215 01:40:18", "20130215-014018", "20130215T014018Z", "1360892418",
        "1360892418.000", "1360892418000", "[Fri Feb 15 01:40:18.000000 2013]", "Fri Feb 15 01:40:18 2013",
        "Feb 15, 2013 01:40:18", "Fri, 15 Feb 2013 01:40:18 +0000", "[Feb 15 2013 01:40:18]", "130215  1:40:18",
    ],
)  # fmt: skip
def test_any_stamp_makes_a_record_and_lines_without_one_continue_it(stamp: str) -> None:
    frame = read(f"{stamp} something happened\n  at this place\nand there\n{stamp} again\n")
    assert frame["ts"].to_list() == [WHEN, WHEN]
    assert frame["n_lines"].to_list() == [3, 1]
    assert frame["message"].to_list() == ["something happened\n  at this place\nand there", "again"]


def test_what_an_unknown_but_regular_log_is_called() -> None:
    data = b"".join(b"2013/02/15 01:40:%02d worker 7 did it\n" % n for n in range(50))
    assert facts(data)["format"] == "unrecognised, generic"
    mixed = data + b"".join(b"Feb 15 01:40:%02d cc12 kernel: up\n" % n for n in range(49))
    assert facts(mixed)["format"] == "unrecognised, generic"
    assert facts(mixed + b"Feb 15 01:41:00 cc12 kernel: up\n")["format"] == "generic-slashes"
    assert likeness(data) == pytest.approx(0.4)
    reader = pick(data, "worker.log")
    assert reader is not None
    assert reader.name == "log"


def test_generic_framings_are_listed() -> None:
    named = {one.name for one in formats() if one.tier == "lines"}
    assert {"generic", "generic-ctime", "generic-clock", "generic-epoch", "generic-slashes", "glog", "tcpdump"} <= named


def test_a_day_and_a_month_that_could_change_places_tell_no_time_and_cost_no_line() -> None:
    frame = read("02/03/2013 01:40:18 first\n02/15/2013 01:40:18 second\n15.02.2013 01:40:18 third\n")
    assert frame["ts"].to_list() == [None, WHEN, WHEN]
    assert frame["message"].to_list() == ["02/03/2013 01:40:18 first", "second", "third"]


def test_tables_and_documents_are_no_logs() -> None:
    tables = [
        "epoch,value\n1389315000.123,1.2e+10\n1389315010.123,1.3e+10\n",
        "1389315000 12 14\n1389315010 13 15\n",
        "cc12;600;1389315000;1234567;48123456;97.50\n",
        '{"time": 1389315000}\n', "20130215\n20130216\n", "2013,02,15\n", "10:00:00,1,2\n10:00:10,1,2\n",
        "00:00:00:00:01:02 > ff:ff:ff:ff:ff:ff, ethertype ARP\n", "00:16:30:8b:cf:fa, 10.1.10.100\n",
        "09:10:01 PM  all  3.5\n09:20:01 PM  all  3.6\n", "09:10:01 7 8\n",
        "130215\n130216\n", "[DEFAULT]\nverbose = True\n", "10.0.0.5 cc12\n10.0.0.6 cc13\n", "1360892418000000000000\n",
        "99/99/2013 01:40:18 x\n", "20131345 01:40:18 x\n",
    ]  # fmt: skip
    for table in tables:
        assert read(table).is_empty(), table
        assert likeness(table.encode()) == 0, table


DUMP = [
    "tcpdump: listening on tap2e6d0f35-cb, link-type EN10MB (Ethernet), capture size 65535 bytes",
    "23:59:59.378332 IP 192.168.0.100.68 > 192.168.0.5.67: BOOTP/DHCP, Request from b8:2c:a0:0c:d6:1e, length 548",
    "23:59:59.500000 fa:16:3e:56:0b:6f > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42: Request who-has x",
    "\t0x0000:  0001 0800 0604 0001",
    "00:00:01.000000 IP6 fe80::1 > ff02::1: ICMP6, router advertisement, length 24",
]  # formats.md 11.2


def test_a_dump_of_tcpdump_becomes_records() -> None:
    frame, found = whole("\n".join(DUMP) + "\n", modified_ns=None)
    assert frame["framing"].to_list() == ["tcpdump"] * 3
    assert frame["n_lines"].to_list() == [1, 2, 1]
    assert frame["ts"].null_count() == 3
    assert set(frame["year_basis"]) == {"none"}
    assert [s.kind for batch in found for s in batch.stretches] == ["reject"]
    assert likeness("\n".join(DUMP).encode()) >= 0.7


@pytest.mark.parametrize(
    ("told", "basis", "first"),
    [
        # written until its last line, two seconds before the file was last modified
        ({"modified_ns": DAY + 3 * 10**9}, "modified", DAY - 24 * HOUR),
        # an hour later somebody copied it: the day is not known
        ({"modified_ns": DAY + HOUR}, "none", None),
        # the command was typed at 23:50
        ({"modified_ns": DAY + HOUR, "taken_ns": DAY - HOUR // 6}, "neighbour", DAY - 24 * HOUR),
        # the clock of the host is an hour ahead of UTC
        ({"modified_ns": DAY - HOUR + 3 * 10**9, "zone": "+01:00"}, "modified", DAY - 25 * HOUR),
    ],
)
def test_days_of_times_of_day(told: dict, basis: str, first: int | None) -> None:
    frame = read("\n".join(DUMP) + "\n", **told)
    assert set(frame["year_basis"]) == {basis}
    clock = (23 * 3600 + 59 * 60 + 59) * 10**9
    want = [None] * 3 if first is None else [
        first + clock + 378_332_000, first + clock + 500_000_000, first + 24 * HOUR + 10**9
    ]  # fmt: skip
    assert frame["ts"].dt.epoch("ns").to_list() == want


def test_days_are_not_told_by_part_of_a_file() -> None:
    text = "".join(f"10:00:{n % 60:02d} line {n}\n" for n in range(600))  # steps back of a minute are no midnight
    assert read(text, modified_ns=DAY + 36_060 * 10**9)["ts"].null_count() == 0
    assert read(text, modified_ns=DAY + 36_060 * 10**9, chunk_bytes=4096)["ts"].null_count() == 600


def test_a_time_that_does_not_exist_costs_the_time_and_not_the_line() -> None:
    frame = read("25:00:61 never\n2013/02/30 01:40:18 never\n1e9 x\n")
    assert frame["message"].to_list() == ["never", "never\n1e9 x"]
    assert frame["ts"].null_count() == 2


PREFIXES = [
    # formats.md 0.4
    ("grep", "cc12/nova.log:", "oslo-grizzly"),
    ("grep -n", "nova-api.log-20130101.gz:12:", "oslo-grizzly"),
    ("loghub", "nova-api.log.1.2017-05-16_13:53:08 ", "oslo-grizzly"),
    ("cri", "2014-01-08T11:15:15.817458123Z stdout F ", "container+oslo-grizzly"),
    ("kubectl", "2014-01-08T11:15:15.817458Z [keystone] ", "container+oslo-grizzly"),
    ("mod_wsgi", "[Wed Jan 08 11:15:15.123456 2014] [wsgi:error] [pid 12:tid 1399] ", "apache-error+oslo-grizzly"),
    ("compact", "2014-01-08 11:15:15.817458 ", "apache-compact+oslo-grizzly"),
    ("three stamps", "2014-01-08T11:15:15.9Z [keystone] 2014-01-08 11:15:15.817458 ",
     "container+apache-compact+oslo-grizzly"),
    ("syslog", "Jan  8 11:15:15 cc12 ", "syslog-traditional+oslo-grizzly"),
    ("journalctl", "Jan 08 11:15:15 cc12 nova-api[7]: ", "syslog-traditional+oslo-grizzly"),
]  # fmt: skip


@pytest.mark.parametrize(("prefix", "framing"), [p[1:] for p in PREFIXES], ids=[p[0] for p in PREFIXES])
def test_prefixes_of_0_4(prefix: str, framing: str) -> None:
    line = f"{prefix}2014-01-08 11:15:15.704 INFO nova.ec2.wsgi.server [{REQ} {U} {P}] \x1b[01;35mhello\x1b[00m\r\n"
    row = read(line).row(0, named=True)
    assert (row["framing"], row["message"], row["logger"]) == (framing, "hello", "nova.ec2.wsgi.server")
    assert (row["request_id"], row["user_id"], row["project_id"]) == (REQ, U, P)
    assert row["ts"] == datetime(2014, 1, 8, 11, 15, 15, 704000, tzinfo=UTC)


def test_a_line_of_docker_s_own_log() -> None:
    row = read('{"log":"2014-01-08 11:15:15.704 7 INFO nova.x [-] hi\\n","stream":"stdout","time":'
               '"2014-01-08T11:15:15.9Z"}\n').row(0, named=True)  # fmt: skip
    assert (row["framing"], row["message"], row["pid"]) == ("docker-json+oslo-havana", "hi", 7)


CONTEXTS = [
    # formats.md 1, variants of the bracket: text, framing behind a pid and milliseconds, user, project
    ("-", "oslo-havana", None, None),
    (f"{REQ} {U} {P}", "oslo-havana", U, P),
    (f"{REQ} None {P}", "oslo-havana", None, P),
    (f"{REQ} None", "oslo-juno", None, None),
    (f"{REQ} ", "oslo-juno", None, None),
    (f"{REQ} {U} {P} - - -", "oslo-kilo", U, P),
    (f"{REQ} {U} {P} - default default", "oslo-kilo", U, P),
    (f"{REQ} - - - - -", "oslo-kilo", None, None),
    (f"None {REQ} {U} {P} - - default default", "oslo-zed", U, P),
    (f"None {REQ} - - - - - -", "oslo-zed", None, None),
    (f"req-84d16d16-3808-426b-b7af-3b90a11b83b0 {REQ} {U} {P} - - default default", "oslo-zed", U, P),
    (f"{REQ} admin demo", "oslo-havana", "admin", "demo"),
    (f"None {REQ} demo admin", "oslo-devstack", "admin", "demo"),
    (f"{REQ} {U}{U} 12 - 0c6e7dba03c24c6a9bce299747499e8a default", "oslo-kilo", U + U, "12"),
]


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "patterns"])
@pytest.mark.parametrize(("context", "framing", "user", "project"), CONTEXTS)
def test_brackets_of_1(context: str, framing: str, user: str | None, project: str | None, fast: bool) -> None:
    row = read(f"2017-05-16 00:00:04.500 2931 INFO nova.compute [{context}] x\n", fast=fast).row(0, named=True)
    assert (row["framing"], row["user_id"], row["project_id"], row["message"]) == (framing, user, project, "x")
    assert row["request_id"] == (None if context == "-" else REQ)


@pytest.mark.parametrize(
    ("line", "framing", "logger", "message"),
    [
        # formats.md 1: OLDFMT, NAMED, DIABLO_TRACE, Cactus, Diablo
        ("2012-12-19 12:10:59     INFO [eventlet.wsgi.server] 10.0.0.1 - - […]", "openstack-log-format",
         "eventlet.wsgi.server", "10.0.0.1 - - […]"),
        ("2012-12-19 12:10:59,123 77    DEBUG [keystone.common] x", "openstack-log-format", "keystone.common", "x"),
        ("(keystone.common.wsgi): 2012-12-19 12:10:59,123 WARNING wsgi __call__ Authorization failed",
         "openstack-named", "keystone.common.wsgi", "wsgi __call__ Authorization failed"),
        ("(nova.compute): TRACE: Traceback (most recent call last):", "openstack-diablo-trace", "nova.compute",
         "Traceback (most recent call last):"),
        ("2011-04-22 10:24:13,123 INFO nova.api [UZ5-ABCDEFGHIJKLMNO1 admin demo] x", "oslo-cactus", "nova.api", "x"),
        (f"2011-09-22 10:24:13,123 INFO nova.api [{REQ[4:]} {U} {P}] x", "oslo-diablo", "nova.api", "x"),
        # an unpadded millisecond of trunk in January 2013
        ("2013-01-10 12:10:59.5 INFO nova.api [-] x", "oslo-other", "nova.api", "x"),
        ("2017-01-18 15:54:00.467 32552 ERROR oslo_messaging.rpc.server     res = self.dispatch(message)", "oslo-bare",
         "oslo_messaging.rpc.server", "    res = self.dispatch(message)"),
    ],
)  # fmt: skip
def test_layouts_of_1(line: str, framing: str, logger: str, message: str) -> None:
    row = read(line + "\n").row(0, named=True)
    assert (row["framing"], row["logger"], row["message"]) == (framing, logger, message)


def test_a_folsom_file_has_pids_in_some_lines_and_blank_lines_after_others() -> None:
    """formats.md Appendix C1, and 0.8 item 2."""
    frame = read(
        "2013-02-25 20:26:33 6619 INFO nova.service [-] Starting\n"
        f'2013-02-25 20:26:34 INFO nova.osapi_compute.wsgi.server [{REQ} {U} {P}] 10.0.0.1 - - [x] "GET /" 200 1\n\n'
        "2013-02-25 20:26:35 6619 TRACE nova.service Traceback\n"
    )
    assert frame["pid"].to_list() == [6619, None, 6619]
    assert frame["n_lines"].to_list() == [1, 2, 1]
    assert not frame["message"][1].endswith("\n")


@pytest.mark.parametrize("data", [b"", b"\0" * 4096], ids=["empty", "nul"])
def test_files_without_a_line(data: bytes) -> None:
    """formats.md Appendix C15."""
    assert read(data).is_empty()
    assert likeness(data) == 0


def test_latin_1_and_carriage_returns() -> None:
    """formats.md Appendix C15."""
    row = read(b"2013/02/15 01:40:18 caf\xe9\r\n\0\0\0").row(0, named=True)
    assert row["message"] == "caf\\xe9"
    assert row["ts"] == WHEN


def test_the_kernel_log_without_instants_and_console_text_that_looks_like_it() -> None:
    dmesg = "[    0.000000] Linux version 5.15\n[10368000.223456] bond0: (slave ens1): link status definitely down\n"
    frame = read(dmesg)
    assert frame["framing"].to_list() == ["kernel-uptime"] * 2
    assert frame["ts"].null_count() == 2
    assert likeness(dmesg.encode()) == pytest.approx(1.0)
    assert likeness(dmesg.encode(), "cc12/instances/instance-00000e05/console.log") == 0.0
    logged = "2013-10-20 01:40:01.123 1450 DEBUG nova.compute.manager [-] console:\n" + dmesg
    assert read(logged)["n_lines"].to_list() == [3]
    for size in (80, 200):
        found = batches(stream_of(io.BytesIO(logged.encode() * 20), "x"), Origin("x.log"), chunk_bytes=size)
        assert sum(batch.rows[LogRecord].height for batch in found) == 20


def test_remarks_of_journalctl_are_no_loss() -> None:
    remark = b"-- Logs begin at Mon 2024-02-12 12:00:00 CET, end at Tue 2024-06-11 16:30:00 CEST. --\n"
    data = remark + b"Jun 11 16:00:00 cmp042 systemd[1]: Started x.\n"
    found = list(READERS[0].batches(stream_of(io.BytesIO(data), "x"), Origin("x.log"), records=[]))
    assert [(s.kind, s.reason) for batch in found for s in batch.stretches] == [("framing", "remark of journalctl")]
    assert "rejects" not in facts(data)


def test_mariadb_pads_the_hour_with_a_blank() -> None:
    frame = read("2024-03-05  1:02:03 0 [Note] ready\n2024-03-05 11:02:04 1055 [Warning] Aborted connection 1055\n")
    assert frame["framing"].to_list() == ["mariadb"] * 2
    assert frame["severity"].to_list() == ["NOTE", "WARNING"]
    assert [ts.hour for ts in frame["ts"]] == [1, 11]
