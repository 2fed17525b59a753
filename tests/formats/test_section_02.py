"""Section 2 of the reference: what rsyslog makes of a line on its way."""

import io

import pytest

from forensics.evidence import stream_of
from forensics.loaders._reader import Origin
from forensics.loaders._registry import pick
from forensics.records import BaseFileEvent, DhcpMessage, LogRecord, PortEvent
from tests.formats._met import Line, log, meet, parameters

Y = {"year": 2014}
BASE = "/var/lib/nova/instances/_base/7b4783508212f5d242cbf9ff56fb8d33b4ce6166_10"
IC = "INFO nova.virt.libvirt.imagecache [-] Removing base file: " + BASE
A1 = "dair-ua-c03/nova.log:Dec 19 12:10:59 dair-ua-c03 2012-12-19 12:10:59 " + IC
NOVA = "2014-01-10 09:11:45.072 129745 {} nova.api.ec2"


def tagged(tag: str, **want: object) -> Line:
    """What stands behind the host name, and what must be known of it."""
    return log("2.tag", f"Jan 10 09:11:45 ctl1 {tag}", "x.log", Y, host="ctl1", **want)


LINES = [
    # Grammar of the stock templates
    log("2.template", "Feb  5 01:40:18 cc12 app[7]: x", "x.log", Y, ts="2014-02-05 01:40:18", host="cc12",
        program="app",
        pid=7, message="x", year_basis="declared", zone_basis="assumed"),
    log("2.template", "2014-02-05T01:40:18.123456+01:00 cc12 app[7]: x", ts="2014-02-05 00:40:18.123456", host="cc12",
        program="app", pid=7, zone_basis="stated", year_basis="stated"),
    log("2.template", "<134>1 2013-01-25T13:38:45.123456+08:00 c01 nova-api 7 ID1 [a@1 b=\"c\\\"]\"] hi",
        ts="2013-01-25 05:38:45.123456", host="c01", program="nova-api", pid=7, severity="INFO", message="hi"),
    log("2.template", "<131>Feb  5 01:40:18 cc12 app: x", "x.log", Y, host="cc12", program="app", severity="ERR"),
    log("2.template", "<131>2014-02-05T01:40:18.123456Z cc12 app: x", host="cc12", program="app", message="x"),
    log("2.template", '{"message":"hi","fromhost":"c1","facility":"kern","priority":"warning","timereported":'
        '"2020-11-20T18:14:19.159524+01:00","timegenerated":"2020-11-20T18:14:19.2+01:00"}', host="c1", message="hi",
        ts="2020-11-20 17:14:19.159524"),
    # SYSLOG_3164: each optional part
    log("2.3164", "Dec 19 12:10:59 h a: b", "x.log", Y, ts="2014-12-19 12:10:59"),
    log("2.3164", "Dec  9 2013 12:10:59 h a: b", ts="2013-12-09 12:10:59", year_basis="stated"),
    log("2.3164", "Dec 19 12:10:59.123456 h a: b", "x.log", Y, ts="2014-12-19 12:10:59.123456"),
    log("2.3164", "<13>Dec 19 12:10:59 h b", "x.log", Y, host="h", severity="NOTICE"),
    # SYSLOG_ISO
    *(log("2.iso", f"2014-02-05T01:40:18{rest} h a: b", ts=ts, host="h", program="a")
      for rest, ts in (("Z", "2014-02-05 01:40:18"), ("+0100", "2014-02-05 00:40:18"),
                       (".123456789-07:00", "2014-02-05 08:40:18.123456789"))),
    log("2.iso", "<14>2014-02-05T01:40:18Z h a: b", severity="INFO", program="a"),
    # SYSLOG_5424: nil values, structured data that holds brackets, no message
    log("2.5424", "<134>1 2013-01-25T13:38:45Z c01 nova-api - - - x", pid=None, message="x", ts="2013-01-25 13:38:45"),
    log("2.5424", '<134>1 2013-01-25T13:38:45Z c01 app 7 - [a b="]"][c d="\\""] x', message="x", pid=7),
    log("2.5424", "<134>1 - c01 app 7 - - x", ts=None, host="c01", message="x"),
    log("2.5424", "<134>1 2013-01-25T13:38:45Z c01 app 7 - -", message="", program="app"),
    # The double-stamped line
    log("2.double", A1, ts="2012-12-19 12:10:59", outer_at="2012-12-19 12:10:59", host="dair-ua-c03", program=None,
        pid=None, severity="INFO", year_basis="inner"),
    log("2.double", "Dec 19 12:11:29 dair-ua-c03 2012-12-19 12:10:59 " + IC, ts="2012-12-19 12:10:59",
        outer_at="2012-12-19 12:11:29"),
    log("2.double", "Dec 19 12:10:59 dair-ua-c03 2012-12-19 12:10:59 " + IC, "dair-ua-c03/2012-12-19.log",
        program=None, logger="nova.virt.libvirt.imagecache"),
    # Other tag shapes (TAG)
    tagged("nova-compute 2014-01-10 09:11:45.072 7 INFO nova.x [-] y", program="nova-compute", logger="nova.x"),
    tagged("nova-compute: 2014-01-10 09:11:45.072 7 INFO nova.x [-] y", program="nova-compute", logger="nova.x", pid=7),
    tagged("nova-compute[1234]: INFO nova.x [-] y", program="nova-compute", pid=1234, logger="nova.x", message="y"),
    tagged("python: y", program="python", message="y"),
    tagged("dnsmasq-dhcp[2438]: y", program="dnsmasq-dhcp", pid=2438, message="y"),
    tagged("dhclient: y", program="dhclient", pid=None),
    tagged("dhclient[899]: y", program="dhclient", pid=899),
    tagged("kernel: [12345.678901] y", program="kernel", message="[12345.678901] y"),
    tagged("libvirtd: 2345: error : y", program="libvirtd", pid=2345, severity="ERROR"),
    tagged("libvirtd[2345]: y", program="libvirtd", pid=2345, message="y"),
    tagged("y without a tag", program=None, message="y without a tag"),
    # Escaping and damage
    log("2.escape", "Jan 10 09:11:45 ctl1 app: a#012b#011c#033[01;35md#033[00m #999 #040#015#000", "x.log", Y,
        message="a\nb\tcd #999 #040"),
    log("2.escape", r"Jan 10 09:11:45 ctl1 app: a\x1b[01;35mb", "x.log", Y, message=r"a\x1b[01;35mb"),
    log("2.escape", "Jan 10 09:11:45 ctl1 app: x\0", "x.log", Y, message="x"),
    log("2.escape", f"Jan 10 09:11:45 ctl1 nova-api: {NOVA.format('ERROR')} [-] boom#012{NOVA.format('TRACE')} "
        f"Traceback "
        f"(most recent call last):#012{NOVA.format('TRACE')} ValueError", severity="ERROR", n_lines=1,
        message="boom\nTraceback (most recent call last):\nValueError"),
    log("2.escape", "Jan 10 09:11:45 ctl1 aaaaaaaaaabbbbbbbbbbccccccccccdd: x", "x.log", Y,
        program="aaaaaaaaaabbbbbbbbbbccccccccccdd"),
    # truncation: test_behaviour.py::test_a_traceback_that_was_cut_is_one_record, test_imagecache.py::test_a_list_...
    # Example lines
    Line("2.examples", A1, BaseFileEvent, {"action": "removing", "base_file": BASE, "size_gb": 10}),
    Line("2.examples", "Feb 27 22:01:36 mynode dnsmasq-dhcp[2438]: DHCPDISCOVER(br100) fa:16:3e:56:0b:6f", DhcpMessage,
         {"message_type": "DISCOVER", "host": "mynode", "chaddr": "fa:16:3e:56:0b:6f", "ts": "2014-02-27 22:01:36"},
         "x.log", Y),
    Line("2.examples", "Feb 11 08:51:49 localhost dhclient[2899]: DHCPREQUEST on eth0 to 10.0.2.2 port 67 "
         "(xid=0x5ae19b1a)", DhcpMessage, {"xid": 0x5AE19B1A, "dst": "10.0.2.2", "seen_by": "client"}),
    log("2.examples", "Mar 30 13:07:02 termsvr2 nbd_server[27584]: message repeated 2 times: [ Spawned a child "
        "process]",
        repeats=2, program="nbd_server", pid=27584),
    Line("2.examples", "2020-11-20T18:14:19.159524+01:00 host kernel: [65818.378287] bond0: link status definitely "
        "down "
         "for interface eth0, disabling it", PortEvent, {"interface": "eth0", "ts": "2020-11-20 17:14:19.159524"}),
    log("2.examples", "<134>1 2013-01-25T13:38:45.123456+08:00 c01 nova-api - - - 2013-01-25 13:38:45 INFO nova.api "
        "[-] …",
        ts="2013-01-25 05:38:45", outer_at="2013-01-25 05:38:45.123456", host="c01", program="nova-api"),
    log("2.examples", f"Jan 10 09:11:45 ctl1 nova-api: {NOVA.format('TRACE')} Traceback (most recent call last):#012"
        f"{NOVA.format('TRACE')}   File \"…\"", program="nova-api", pid=129745, ts="2014-01-10 09:11:45.072",
        message='Traceback (most recent call last):\n  File "…"'),
    # REPEAT
    log("2.repeat", "Jan 10 09:11:45 h a:  last message repeated 3 times", "x.log", Y, repeats=3),
    log("2.repeat", "Jan 10 09:11:45 h last message repeated 3 times", "x.log", Y, repeats=3),
    log("2.repeat", "Jan 10 09:11:45 h a: message repeated 4 times: [ cut here", "x.log", Y, repeats=4),
    Line("2.repeat", "Jan 10 09:11:45 h dnsmasq-dhcp[7]: message repeated 2 times: [ DHCPACK(br100) 10.0.0.5 "
         "fa:16:3e:24:e7:22 vm5]", DhcpMessage, {"message_type": "ACK", "yiaddr": "10.0.0.5", "hostname": "vm5"}),
    # Pitfalls: one file, two zones, and a header without its host
    Line("2.pitfalls", "Feb 15 01:40:18 SW-1 Ebra: x\n2013-02-15T01:40:18+01:00 cc12 a: y\n", LogRecord,
         [{"ts": "2013-02-15 08:40:18", "zone_basis": "declared"},
          {"ts": "2013-02-15 00:40:18", "zone_basis": "stated"}], "x.log", {"zone": "-07:00", "year": 2013}),
    log("2.pitfalls", "Feb 15 01:40:18 dnsmasq-dhcp[2438]: x", "x.log", Y, host=None, program="dnsmasq-dhcp", pid=2438),
    # aliases of a host: tests/test_case_hosts.py; the same record in several files: test_section_00.py, 0.5
]  # fmt: skip


@pytest.mark.parametrize("line", parameters(LINES))
def test_section_2(line: Line) -> None:
    meet(line)


LOSSES = [
    # formats.md 2, rate limiting: what is admitted, and how much
    ("rsyslogd-2177: imuxsock lost 12 messages from pid 99 due to rate-limiting", 12),
    ("rsyslogd-2177: imuxsock begins to drop messages from pid 99 due to rate-limiting", None),
    ("rsyslogd: imuxsock[pid: 99]: 12 messages lost due to rate-limiting", 12),
    ("rsyslogd: imuxsock: 12 messages lost due to rate-limiting (200 allowed within 5 seconds)", 12),
    ("rsyslogd: nova-api from <nova-api:99>: begin to drop messages due to rate-limiting", None),
    ("rsyslogd: imjournal: 12 messages lost due to rate-limiting", 12),
    ("systemd-journald[1]: Suppressed 12 messages from /system.slice/nova.service", 12),
]


@pytest.mark.parametrize(("said", "count"), LOSSES)
def test_section_2_losses(said: str, count: int | None) -> None:
    octets = f"Jan 10 09:11:45 h {said}\n".encode()
    reader = pick(octets, "h/syslog")
    assert reader is not None
    (batch,) = reader.batches(stream_of(io.BytesIO(octets), "x"), Origin("h/syslog", year=2014))
    ((_, position, kind, lost),) = batch.losses
    assert (position, lost) == (1, count)
    assert "rate limit" in kind or "suppressed" in kind
