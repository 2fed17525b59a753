"""What happens to lines on their way into a file, and what is made of it."""

import gzip
import io
from datetime import UTC, datetime

import polars as pl
import pytest

from forensics.errors import NotUnderstoodError, UnknownColumnError
from forensics.evidence import stream_of
from forensics.loaders._reader import Origin
from forensics.loaders.lines._losses import LOSSES, losses
from forensics.loaders.log_files import READERS, mark_duplicates, scan_logs
from forensics.records import DhcpMessage, LogRecord
from tests.loaders.lines._reading import read, whole

REQ = "req-ccac9790-3357-4aa8-84bd-cdaab1aa394e"
OSLO = "2013-01-25 13:38:45.123 77 {} nova.api [{}] {}"
BASE = "/var/lib/nova/instances/_base/7b4783508212f5d242cbf9ff56fb8d33b4ce6166_10"


def test_the_line_of_a_grep_over_a_log_server() -> None:
    """formats.md, Appendix A1."""
    line = "dair-ua-c03/nova.log:Dec 19 12:10:59 dair-ua-c03 2012-12-19 12:10:59 INFO nova.virt.libvirt.imagecache [-] "
    line += f"Removing base file: {BASE}"
    row = read(line).row(0, named=True)
    assert row["host"] == "dair-ua-c03"
    assert (row["program"], row["pid"], row["severity"], row["request_id"]) == (None, None, "INFO", None)
    assert row["ts"] == row["outer_at"] == datetime(2012, 12, 19, 12, 10, 59, tzinfo=UTC)
    assert row["framing"] == "syslog-traditional+oslo-essex"
    assert row["message"] == f"Removing base file: {BASE}"
    assert (row["offset_bytes"], row["length_bytes"]) == (0, len(line))


@pytest.mark.parametrize(
    ("prefix", "context"),
    [
        ("x.log:", "x.log-"),
        ("x.log:12:", "x.log-13-"),
        ("n/nova-api.log-20130101.gz:", "n/nova-api.log-20130101.gz-"),
        ("", ""),
    ],
)
def test_prefixes_of_grep_go_and_its_separators_part_records(prefix: str, context: str) -> None:
    """formats.md 0.4, Appendix C6."""
    lines = [
        prefix + OSLO.format("ERROR", "-", "boom"),
        context + "Traceback (most recent call last):",
        context + '  File "x.py"',
        "--",
        context + "of another record",
        prefix + OSLO.format("INFO", "-", "next"),
    ]
    frame, found = whole("\n".join(lines) + "\n")
    assert frame["message"].to_list() == ['boom\nTraceback (most recent call last):\n  File "x.py"', "next"]
    assert frame["n_lines"].to_list() == [3, 1]
    reasons = [(s.kind, s.reason) for batch in found for s in batch.stretches]
    assert reasons == [("reject", "separator between matches of grep"), ("reject", "line in no known framing")]


def test_names_of_collected_files_go() -> None:
    """formats.md 0.4, Loghub."""
    row = read("nova-api.log.1.2017-05-16_13:53:08 " + OSLO.format("INFO", "-", "x")).row(0, named=True)
    assert (row["framing"], row["message"]) == ("oslo-havana", "x")


def test_prefixed_tracebacks_join_the_record_of_their_process() -> None:
    """formats.md 1, Appendix C3."""
    lines = [
        OSLO.format("ERROR", REQ + " u p", "boom"),
        "2013-01-25 13:38:45.123 77 TRACE nova.api Traceback (most recent call last):",
        '2013-01-25 13:38:45.123 77 TRACE nova.api   File "x.py"',
        "a line that the exception's own text has",
        "2013-01-25 13:38:45.123 77 TRACE nova.api ValueError",
        "2013-01-25 13:38:45.123 78 TRACE nova.api of another process",
        "2013-01-25 13:38:45.123 78 TRACE nova.api and its second line",
        OSLO.format("INFO", "-", "next").replace("nova.api", "nova.other"),
        "2013-01-25 13:38:45.123 77 TRACE nova.api late",
    ]
    frame = read("\n".join(lines))
    assert frame["n_lines"].to_list() == [5, 2, 1, 1]
    assert frame["message"][0].split("\n") == [
        "boom",
        "Traceback (most recent call last):",
        '  File "x.py"',
        "a line that the exception's own text has",
        "ValueError",
    ]
    assert frame["message"][1] == "of another process\nand its second line"


def test_a_folsom_file_with_process_ids_on_some_lines_and_blank_lines() -> None:
    """formats.md, Appendix C1."""
    lines = [
        "2013-01-25 13:38:45 77 INFO nova.api [-] start",
        f'2013-01-25 13:38:46 INFO nova.api [{REQ} u p] 10.0.0.1 "GET /" status: 200 len: 1 time: 0.1',
        "",
        "2013-01-25 13:38:47 ERROR nova.api [-] boom".replace("ERROR", "77 ERROR"),
        "2013-01-25 13:38:47 77 TRACE nova.api Traceback",
    ]
    frame = read("\n".join(lines) + "\n")
    assert frame["pid"].to_list() == [77, None, 77]
    assert frame["n_lines"].to_list() == [1, 2, 2]
    assert frame["framing"].to_list() == ["oslo-folsom", "oslo-essex", "oslo-folsom"]
    assert frame["message"][1].endswith("time: 0.1"), "the blank line counts, but says nothing"


def test_octal_escapes_are_undone_in_syslog_only() -> None:
    """formats.md 2, escaping: only #000 to #037 and #177."""
    sent = "Jan 10 09:11:45 ctl1 app: one#012#011two #999 #12 #040 #033[00;36mblue#033[00m#015#000"
    assert read(sent)["message"][0] == "one\n\ttwo #999 #12 #040 blue"
    assert read(OSLO.format("INFO", "-", "a#012b"))["message"][0] == "a#012b"


@pytest.mark.parametrize("cut", [2048, 8096])
def test_a_traceback_that_was_cut_is_one_record(cut: int) -> None:
    """formats.md, Appendix C3: syslog's limits."""
    part = '#0122014-01-10 09:11:45.072 7 TRACE nova.api.ec2   File "x.py", line 1, in y'
    line = ("Jan 10 09:11:45 ctl1 nova-api: 2014-01-10 09:11:45.072 7 TRACE nova.api.ec2 Traceback:" + part * 200)[:cut]
    row = read(line).row(0, named=True)
    assert row["message"].startswith('Traceback:\n  File "x.py", line 1, in y\n  File')
    assert (row["n_lines"], row["length_bytes"]) == (1, cut)


def test_line_ends_and_marks_of_other_systems() -> None:
    """reliability.md R27."""
    crlf = read("\ufeffFeb  5 01:40:18 h a: one\r\nFeb  5 01:40:18 h a: two\r\n\tmore\r\n".encode())
    assert crlf["message"].to_list() == ["one", "two\n\tmore"]
    lone = read(b"Feb  5 01:40:18 h a: one\rtwo\n")
    assert lone["message"].to_list() == ["one\rtwo"], "only a line feed ends a line"
    assert read(b"Feb  5 01:40:18 h a: caf\xe9 \xc3\xa9\n")["message"].to_list() == ["caf\\xe9 é"]


def test_text_in_utf16_is_refused_with_a_reason() -> None:
    data = "Feb  5 01:40:18 h a: one\n".encode("utf-16")
    frame, found = whole(data)
    assert frame.height == 0
    assert [(s.kind, s.reason, s.length_bytes) for b in found for s in b.stretches] == [
        ("reject", "text in UTF-16", len(data))
    ]
    assert READERS[0].likeness(data, "x.log") > 0.5


def test_runs_of_nul_are_gaps_and_losses() -> None:
    """formats.md 0.6 (copytruncate) and reliability.md P11."""
    line = b"Feb  5 01:40:18 h a: one\n"
    frame, found = whole(b"\0" * 5000 + line + b"Feb  5 01:40:19 h a: tw" + b"\0" * 100 + line + b"\tmore\n")
    assert frame["message"].to_list() == ["one", "tw", "one\n\tmore"]
    gaps = [(s.offset_bytes, s.length_bytes) for batch in found for s in batch.stretches if s.kind == "gap"]
    assert gaps == [(0, 5000), (5048, 100)]
    assert [loss[3] for batch in found for loss in batch.losses] == [5000, 100]
    only, found = whole(b"\0" * 70_000, chunk_bytes=4096)
    assert only.height == 0
    assert sum(s.length_bytes for batch in found for s in batch.stretches) == 70_000


def test_an_empty_file_has_no_records() -> None:
    assert read(b"").height == 0
    assert READERS[0].likeness(b"", "x") == 0


def test_prompts_dots_and_blank_lines_are_no_records() -> None:
    """formats.md, Appendix A15 and A16."""
    frame, found = whole("$ nova service-list\n\n…\n" + OSLO.format("INFO", "-", "x") + "\nadm@cc12:/var/log# tail x\n")
    assert frame["message"].to_list() == ["x"]
    kinds = [(s.kind, s.reason) for batch in found for s in batch.stretches]
    assert kinds == [
        ("reject", "prompt of a shell"),
        ("padding", "blank line"),
        ("reject", "line in no known framing"),
        ("reject", "prompt of a shell"),
    ]


def test_years_turn_and_leap_days_stand() -> None:
    """formats.md 0.7, Appendix C2."""
    mtime = int(datetime(2013, 1, 2, tzinfo=UTC).timestamp()) * 10**9
    frame = read("Dec 31 23:59:59 h a: x\nJan  1 00:00:00 h a: y\n", modified_ns=mtime)
    assert frame["ts"].dt.year().to_list() == [2012, 2013]
    assert set(frame["year_basis"]) == {"modified"}
    leap = read("Feb 29 00:00:00 h a: x\n", year=2013)
    assert (leap["ts"][0], leap["year_basis"][0], leap.height) == (None, "none", 1)
    unknown = read("Feb  5 01:40:18 h a: x\n", modified_ns=None)
    assert (unknown["ts"][0], unknown["year_basis"][0]) == (None, "none")


def test_a_line_without_inner_stamp_takes_the_year_of_its_neighbours() -> None:
    lines = "Dec 19 12:10:59 h 2012-12-19 12:10:59 INFO nova [-] x\nDec 19 12:11:00 h kernel: y\n"
    frame = read(lines, modified_ns=None)
    assert [str(ts)[:10] for ts in frame["ts"]] == ["2012-12-19"] * 2
    assert frame["year_basis"].to_list() == ["inner", "neighbour"]


def test_zones() -> None:
    """formats.md 0.3: declared, else told by the outer stamp, else assumed."""
    line = OSLO.format("INFO", "-", "x")
    assert read(line)["zone_basis"][0] == "assumed"
    declared = read(line, zone="America/Edmonton", zone_basis="declared").row(0, named=True)
    assert (str(declared["ts"])[:19], declared["zone_basis"]) == ("2013-01-25 20:38:45", "declared")
    pair = read("2013-01-25T13:38:46.5-07:00 h " + line).row(0, named=True)
    assert (str(pair["ts"])[:19], pair["zone_basis"]) == ("2013-01-25 20:38:45", "inner")
    impossible = read(OSLO.format("INFO", "-", "x").replace("01-25", "02-30"))
    assert (impossible["ts"][0], impossible["zone_basis"][0], impossible.height) == (None, "none", 1)


SAID = [
    ("imuxsock lost 48 messages from pid 1234 due to rate-limiting", 48),
    ("imuxsock begins to drop messages from pid 1234 due to rate-limiting", None),
    ("imuxsock[pid: 1234, name: nova]: 7 messages lost due to rate-limiting", 7),
    ("imuxsock[pid: 1, name: x] from <nova-api:77>: begin to drop messages due to rate-limiting", None),
    ("imjournal: 1200 messages lost due to rate-limiting (20000 allowed within 600 seconds)", 1200),
    ("imjournal: begin to drop messages due to rate-limiting", None),
    ("ratelimiter from <x:1>: 12 messages lost due to rate-limiting", 12),
    ("main Q: 300 messages discarded", 300),
    ("message too long (9000) with configured size 8096, begin of message is: x", None),
    ("action 'action-8-builtin:omfwd' suspended (module 'builtin:omfwd'), retry 0.", None),
    ("Suppressed 512 messages from /system.slice/nova.service", 512),
    ("Missed 3 kernel messages", 3),
    ("Forwarding to syslog missed 17 messages.", 17),
    ("File /var/log/journal/x/system.journal corrupted or uncleanly shut down, renaming and replacing.", None),
    ("[12345.678901] net_ratelimit: 30 callbacks suppressed", 30),
    ("[12345.678901] printk: 14 messages suppressed.", 14),
    ("** 2221 printk messages dropped ** [ 1.0] x", 2221),
    ("[12345.678901] ** 5 printk messages dropped **", 5),
    ("[1.000000] nf_conntrack: table full, dropping packet", None),
    ("[1.000000] neighbour: arp_cache: neighbor table overflow!", None),
    ("[1.000000] audit: audit_lost=6 audit_rate_limit=0 audit_backlog_limit=64", 6),
    ("[1.000000] audit: backlog limit exceeded", None),
    ("Destination queue full, dropping messages; queue_len='10000', dropped='5'", 5),
    ("Number of messages dropped: 40", 40),
    ("11 packets dropped by kernel", 11),
    ("2 packets dropped by interface", 2),
    ("overflow: 9 log entries lost", 9),
    ("lager_file_backend dropped 19 messages in the last second that exceeded the limit", 19),
    ("lager_error_logger_h dropped 75 messages in the last second", 75),
]


def test_losses_are_found_with_their_counts() -> None:
    """reliability.md R38; with the runs of NUL and the repeats that other tests look at."""
    lines = [f"Feb  5 01:40:18 h a: {text}" for text, _ in SAID]
    decoys = [
        "lost in thought",
        "no packets were dropped",
        "connection lost",
        "12 messages delivered",
        "dropping privileges",
    ]
    frame, found = whole("\n".join(lines + [f"Feb  5 01:40:18 h a: {text}" for text in decoys]), year=2013)
    told = [loss for batch in found for loss in batch.losses]
    assert [loss[1] for loss in told] == list(range(1, len(SAID) + 1))
    assert [loss[3] for loss in told] == [count for _, count in SAID]
    assert {loss[0] for loss in told} == {frame["ts"].dt.epoch("ns")[0]}
    assert len({kind for kind, _ in LOSSES}) >= 20
    assert losses(frame.head(0)) == ()


def test_the_same_record_in_three_files_is_marked_twice() -> None:
    """formats.md 0.5."""
    inner = "2012-12-19 12:10:59 INFO nova [-] x"
    syslog = read(
        f"Dec 19 12:10:59 c1 {inner}\nDec 19 12:10:59 c1 {inner}\nDec 19 12:11:00 c1 cron: y\n", source="c1/syslog"
    )
    again = read(
        f"Dec 19 12:11:07 c1 {inner}\nDec 19 12:11:07 c1 {inner}\nDec 19 12:11:07 c1 {inner}\n", source="c1/nova.log"
    )
    local = read(inner, source="node/nova.log", host="c1")
    other = read(inner, source="other/nova.log", host="c2")
    marked = mark_duplicates(pl.concat([syslog, again, local, other])).collect()
    assert marked["duplicate_of"].to_list() == [
        *(None, None, None),
        *("c1/syslog:1", "c1/syslog:2", None),
        "c1/syslog:1",
        None,
    ]
    assert marked.columns == LogRecord.polars_schema().names()


def test_scan_makes_only_the_columns_that_are_asked_for(tmp_path) -> None:
    path = tmp_path / "nova.log"
    path.write_text("\n".join(OSLO.format("INFO" if i % 2 else "ERROR", "-", f"m{i}") for i in range(1000)))
    (tmp_path / "nova.log.1.gz").write_bytes(gzip.compress(OSLO.format("INFO", "-", "old").encode()))
    errors = scan_logs(path).filter(pl.col("severity") == "ERROR").select("position", "message").collect()
    assert errors.row(0) == (1, "m0")
    assert errors.height == 500
    assert scan_logs(str(tmp_path / "nova.log*")).select(pl.len()).collect().item() == 1001
    assert scan_logs([path, path]).head(3).collect()["source"].n_unique() == 1
    assert scan_logs(io.BytesIO(path.read_bytes())).select("pid").collect()["pid"].unique().to_list() == [77]
    assert scan_logs(path).collect(engine="streaming").columns == LogRecord.polars_schema().names()
    with pytest.raises(NotUnderstoodError):
        scan_logs(io.BytesIO(b"\x00\x01 no log")).collect()
    with pytest.raises((UnknownColumnError, pl.exceptions.ColumnNotFoundError)):
        scan_logs(path).select("level").collect()


def test_the_reader_finds_dhcp_messages_in_logs() -> None:
    line = b"Feb 27 22:01:36 mynode dnsmasq-dhcp[2438]: DHCPDISCOVER(br100) fa:16:3e:56:0b:6f\n"
    (batch,) = READERS[0].batches(stream_of(io.BytesIO(line), "x"), Origin("x", year=2013))
    assert batch.rows[LogRecord].height == 1
    assert batch.rows[DhcpMessage]["chaddr"].to_list() == ["fa:16:3e:56:0b:6f"]
    assert batch.facts["format"] == "syslog-traditional"
    assert DhcpMessage in READERS[0].yields


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n",
        '{"event_type": "compute.instance.create.start", "timestamp": "2013-01-25 13:38:45"}\n',
        "\x7fELF\x00\x01" * 50,
        "10: vlan100@vlan20: <BROADCAST> mtu 1500\n",
        "INSERT INTO `instances` VALUES ('2013-01-25 13:38:45');\n",
        "[DEFAULT]\nverbose=True\n",
    ],
)
def test_documents_are_not_taken_for_logs(text: str) -> None:
    assert READERS[0].likeness(text.encode("latin-1"), "nova.log") < 0.1
