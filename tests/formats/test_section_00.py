"""Section 0 of the reference: clocks, prefixes, names of files, years, and the facts that break loaders."""

import bz2
import gzip
import lzma
from datetime import UTC, datetime

import pytest

import forensics
from forensics.evidence import host_of, series_of
from forensics.records import (
    ApiRequest,
    BaseFileEvent,
    DhcpMessage,
    FileSize,
    Instance,
    InstanceEvent,
    LogRecord,
    Notification,
    PortEvent,
    ProcessMemory,
    ServiceState,
)
from tests.formats._met import Line, log, meet, parameters

R = "req-ccac9790-3357-4aa8-84bd-cdaab1aa394e"
U, P = "ebbd729575cb404081a45c9ada0849b7", "8175953c209044358ab5e0ec19d52c37"
OSLO = f"2014-01-08 11:15:15.704 7 INFO nova.x [{R} {U} {P}] y"
SHA = "7b4783508212f5d242cbf9ff56fb8d33b4ce6166"
BASE = f"/var/lib/nova/instances/_base/{SHA}_10"
A1 = "dair-ua-c03/nova.log:Dec 19 12:10:59 dair-ua-c03 2012-12-19 12:10:59 INFO nova.virt.libvirt.imagecache [-] "
ACCESS = '10.0.0.1 "GET /x HTTP/1.1" status: 200 len: 1 time: 0.5'
FOLSOM = '10.0.0.1 - - [19/Dec/2012 12:10:59] "GET /x HTTP/1.1" 200 1 0.5'
EDMONTON = {"zone": "America/Edmonton"}
WINTER = EDMONTON | {"year": 2013}
BODY = '{"message_id": "m", "publisher_id": "compute.c1", "event_type": "compute.instance.update", "priority": "INFO", '
BODY += '"timestamp": "2012-12-19 19:10:59.123456", "payload": {"instance_id": "4cb5cc5f-7299-478f-b8d9-ec3973dfaaa6"}}'
SERVICES = """+--------------+------+------+---------+-------+----------------------------+
| Binary       | Host | Zone | Status  | State | Updated_at                 |
+--------------+------+------+---------+-------+----------------------------+
| nova-compute | cc12 | nova | enabled | up    | 2012-12-19T19:10:59.000000 |
+--------------+------+------+---------+-------+----------------------------+
"""
INSTANCES = "INSERT INTO `instances` (`id`,`uuid`,`created_at`,`deleted`,`host`,`vm_state`,`launched_at`,`hostname`) "
INSTANCES += "VALUES "
INSTANCES += "(7,'4cb5cc5f-7299-478f-b8d9-ec3973dfaaa6','2012-12-19 19:10:59',0,'cc12','active',NULL,'h');\n"


def clock(text: str, record: type, ts: str, name: str = "x.log", /, **want: object) -> Line:
    """Evidence of a host in Alberta, in winter: seven hours behind UTC where its clock is local."""
    return Line("0.3", text, record, {"ts": ts} | want, name, WINTER)


LINES = [
    # 0.3 clock model: 19:10:59 UTC in each source
    clock("2012-12-19 12:10:59 INFO nova.x [-] y", LogRecord, "2012-12-19 19:10:59", zone_basis="declared"),
    clock("2012-12-19 12:10:59.123 7 INFO nova.x [-] y", LogRecord, "2012-12-19 19:10:59.123"),
    clock("2012-12-19 12:10:59,123 INFO nova.x [-] y", LogRecord, "2012-12-19 19:10:59.123"),
    clock(f"2012-12-19 12:10:59 INFO nova.osapi_compute.wsgi.server [{R} {U} {P}] {FOLSOM}", ApiRequest,
          "2012-12-19 19:10:59", stamped="end", started_at="2012-12-19 19:10:58.5"),
    clock("Dec 19 12:10:59 h a: b", LogRecord, "2013-12-19 19:10:59", year_basis="declared"),
    clock("2012-12-19T12:10:59.123456-07:00 h a: b", LogRecord, "2012-12-19 19:10:59.123456", zone_basis="stated"),
    clock("<13>1 2012-12-19T12:10:59.123456-07:00 h a - - - b", LogRecord, "2012-12-19 19:10:59.123456"),
    clock('10.0.0.1 - - [19/Dec/2012:12:10:59 -0700] "GET /x HTTP/1.1" 200 1', ApiRequest, "2012-12-19 19:10:59"),
    clock("[pid: 7|app: 0|req: 1/1] 10.0.0.1 () {62 vars in 1256 bytes} [Wed Dec 19 12:10:59 2012] GET /x => "
        "generated 9 "
          "bytes in 2 msecs (HTTP/1.1 200) 9 headers in 403 bytes (1 switches on core 0)", ApiRequest,
          "2012-12-19 19:10:59", stamped="start"),
    clock(BODY + "\n", Notification, "2012-12-19 19:10:59.123456", "n.json"),
    clock("INSERT INTO `stacktach_rawdata` (`id`,`json`,`when`,`routing_key`) VALUES (1,'[]',1355944259.123456,'');\n",
          Notification, "2012-12-19 19:10:59.123456", "dump.sql"),
    Line("0.3", INSTANCES, Instance, {"created_at": "2012-12-19 19:10:59"}, "dump.sql", WINTER),
    Line("0.3", SERVICES, ServiceState, {"seen_at": "2012-12-19 19:10:59", "service_host": "cc12"}, "x.txt",
         WINTER | {"command": "nova service-list"}),
    clock("=INFO REPORT==== 19-Dec-2012::12:10:59 ===\naccepting AMQP connection\n", LogRecord, "2012-12-19 19:10:59"),
    clock("2012-12-19 12:10:59.123 [info] <0.7.0> x\n", LogRecord, "2012-12-19 19:10:59.123", "rabbit@c1.log"),
    clock("2022-12-19 12:10:59.123456-07:00 [info] <0.7.0> x\n", LogRecord, "2022-12-19 19:10:59.123456"),
    clock("Feb 15 01:40:18 SW-1 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet35, changed state to "
        "down",
          PortEvent, "2013-02-15 08:40:18"),
    clock('{"cc12": 1355944259.123456}', ServiceState, "2012-12-19 19:10:59.123456", "nfs/compute_nodes"),
    clock("[1355944259] SERVICE ALERT: cc12;nova-compute;CRITICAL;HARD;3;down", LogRecord, "2012-12-19 19:10:59"),
    Line("0.3", "epoch,value\n1355944259.123,1048576\n", ProcessMemory, {"ts": "2012-12-19 19:10:59.123"},
         "collectd/c1/memory/memory-used-2012-12-19", WINTER),
    Line("0.3", "# hostname;interval;timestamp;kbmemfree;kbmemused;%memused;kbbuffers;kbcached\n"
         "cc12;600;2012-12-19 19:10:59 UTC;100;200;66.7;1;2\n", ProcessMemory, {"ts": "2012-12-19 19:10:59"},
         "sadf.txt",
         WINTER),
    # dates without a zone are local also in the hour that comes twice (appendix C2)
    Line("0.3", "".join(f"2013-11-03 01:{m:02}:00 INFO nova.x [-] y\n" for m in (10, 50, 10, 50)), LogRecord,
         [{"ts": f"2013-11-03 {hour}:{m}:00"} for hour, m in (("07", 10), ("07", 50), ("08", 10), ("08", 50))], "x.log",
         EDMONTON),
    # 0.4 prefixes: all shapes with and without a context in tests/loaders/lines/test_generic.py::test_prefixes_of_0_4
    *(log("0.4", prefix + OSLO, message="y", request_id=R, pid=7, ts="2014-01-08 11:15:15.704", logger="nova.x")
      for prefix in (
          "nova-api.log:", "nova-api.log:12:", "nova-api.log-", "nova-api.log-20130101.gz-12-", "a/nova-api.log.1:",
          "nova-api.log.1.2017-05-16_13:53:08 ", "2014-01-08T11:15:15.817Z [nova_api] ",
          "2014-01-08T11:15:15.817Z stdout F ", "2014-01-08T11:15:15.817Z stderr F ",
          "[Wed Jan 08 11:15:15.123456 2014] [wsgi:error] [pid 1234:tid 1399] ", "2014-01-08 11:15:15.817458 ",
          "2014-01-08T11:15:15.9Z [keystone] 2014-01-08 11:15:15.817458 ")),
    log("0.4", f"Jan 08 11:15:15 cc12 nova-api[7]: {OSLO}\r", message="y", host="cc12", program="nova-api"),
    log("0.4", f"\x1b[01;36m{OSLO}\x1b[00m\0", message="y", request_id=R),
    log("0.4", f"x.log:<134>Jan  8 11:15:15 cc12 {OSLO}", message="y", host="cc12"),
    log("0.4", f"x.log:Jan  8 11:15:15 cc12 {OSLO}", message="y", host="cc12"),
    Line("0.4", f"x.log:1:{OSLO}\nx.log-2-a\n--\nx.log:9:{OSLO}\n", LogRecord, [{"message": "y\na"}, {"message": "y"}]),
    Line("0.4", "note: 7 apples\n", LogRecord, []),
    # 0.4 hard-wrapped text, as the tales have it
    Line("0.4", A1 + f"Removing base file:\n{BASE}\n", BaseFileEvent, {"base_file": BASE, "host": "dair-ua-c03"}),
    Line("0.4", f"2014-01-10 09:11:45.072 129745 INFO nova.ec2.wsgi.server\n[{R} {U}\n{P}] 117.103.103.29 \"GET "
        f"/services/"
         "Cloud?AWSAccessKeyId=[something]&Action=RunInstances&\nClientToken=[something]&ImageId=ami-00000001 "
         "HTTP/1.1\" "
         "status: 200 len: 1109 time:\n138.5970151\n", ApiRequest,
         {"duration_s": 138.5970151, "operation": "RunInstances", "status": 200, "response_bytes": 1109,
          "image": "ami-00000001"}),
    Line("0.4", "2014-01-10 09:11:45.072 129745 INFO "
        "nova.ec2.wsgi.server\n[req-84d16d16-3808-426b-b7af-3b90a11b83b0\n0c6e7db"
         "a03c24c6a9bce299747499e8a 7052bd6714e7460caeb16242e68124f9]\nA message\nof two lines\n\n" + OSLO, LogRecord,
         [{"message": "A message of two lines", "user_id": "0c6e7dba03c24c6a9bce299747499e8a", "pid": 129745,
           "framing": "oslo-havana", "n_lines": 6}, {"message": "y", "request_id": R}]),
    # 0.5: test_behaviour.py::test_the_same_record_in_three_files_is_marked_twice
    # 0.6: a file that begins in the middle of a line, or with NUL
    log("0.6", b"\0" * 64 + OSLO.encode(), message="y"),
    log("0.6", f"dle of a line\n{OSLO}\n", message="y"),
    # 0.7 the year: inner stamp, rotation, neighbours, parameter; files' times in tests/test_clocks_years.py
    log("0.7", A1 + "x", ts="2012-12-19 12:10:59", year_basis="inner"),
    log("0.7", "Dec 31 23:59:59 h a: b", "h/messages-20130101", ts="2012-12-31 23:59:59", year_basis="file-name"),
    log("0.7", "Jan  1 00:00:01 h a: b", "h/messages-20130101", ts="2013-01-01 00:00:01"),
    log("0.7", "Dec 31 23:59:59 h a: b\n", "x.log", {"modified_ns": 1357000000 * 10**9}, ts="2012-12-31 23:59:59",
        year_basis="modified"),
    Line("0.7", "Dec 31 23:59:59 h a: b\nJan  1 00:00:01 h a: c\n", LogRecord,
         [{"ts": "2012-12-31 23:59:59"}, {"ts": "2013-01-01 00:00:01"}], "x.log", {"modified_ns": 1357100000 * 10**9}),
    log("0.7", "Feb 29 01:40:18 h a: b", "x.log", {"year": 2012}, ts="2012-02-29 01:40:18", year_basis="declared"),
    log("0.7", "Feb 29 01:40:18 h a: b", "x.log", {"year": 2013}, ts=None, message="b"),
    log("0.7", "Feb 30 01:40:18 h a: b", "x.log", {"year": 2013}, ts=None, message="b"),
    # 0.8 facts most likely to break a loader; 11 and 12 in sections 10 and 8
    log("0.8", "Dec 19 12:10:59 h 2012-12-19 12:10:59 INFO nova.x [-] y", program=None, logger="nova.x"),  # 1
    Line("0.8", "2013-02-25 20:26:33 7 INFO nova.x [-] y\n2013-02-25 20:26:33 INFO nova.x [-] y\n", LogRecord,
         [{"pid": 7}, {"pid": None}]),  # 2
    log("0.8", "2013-02-25 20:26:33 7 TRACE nova.x y", severity="TRACE", request_id=None),  # 3; 4 in test_section_01.py
    log("0.8", f"2013-02-25 20:26:33.7 7 INFO nova.x [{R} {U} {P}] y", ts="2013-02-25 20:26:33.007"),
    Line("0.8", f"2014-01-10 09:11:45.072 7 INFO nova.api.ec2 [{R} {U} {P}] 0.94826s 10.0.0.9 GET /services/Cloud/ "
        f"C:D 200 "
         "[b] a b", ApiRequest, {"duration_s": 0.094826}),  # 6; 5 is 0.3
    Line("0.8", f"2014-01-10 09:11:45.072 7 INFO neutron.wsgi [{R} {U} {P}] {ACCESS.replace(' len', '  len')}",
        ApiRequest,
         {"response_bytes": 1}),  # 7
    Line("0.8", f'["monitor.info", {BODY}]\n', Notification, {"routing_key": "monitor.info"}),  # 8
    Line("0.8", f"2012-12-19 12:10:59 DEBUG nova.virt.libvirt.imagecache [-] i ({BASE}): in use: on this node 1 "
        f"local, 0 on "
         "other nodes", BaseFileEvent, {"action": "in_use", "size_gb": 10}),  # 9
    Line("0.8", "Feb 27 22:01:36 h dhclient: DHCPDISCOVER on eth0 to 255.255.255.255 port 67 interval 3 "
        "(xid=0xbf4c49c)\n",
         DhcpMessage, {"xid": 0x0BF4C49C}),  # 10
    Line("0.8", "5.5G console.log\n", FileSize, {"size_bytes": None, "high_bytes": 5_905_580_032,
         "instance_name": "instance-00000e05"}, "x.txt",
         {"command": "ls -sh console.log", "directory": "/x/instance-00000e05"}),  # 13
    log("0.8", "Feb 27 22:01:36 h a: message repeated 3 times: [ b]", repeats=3),  # 14; losses in test_section_02.py
    Line("0.8", f"2013-02-25 20:26:33 7 ERROR nova.compute.manager [-] [instance: {R[4:]}] Cannot reboot instance: x",
         InstanceEvent, {"event": "start_failed", "instance": R[4:]}),
    # appendix A1 as a record of the log
    log("0.A1", A1 + f"Removing base file: {BASE}", ts="2012-12-19 12:10:59", outer_at="2012-12-19 12:10:59", pid=None,
        host="dair-ua-c03", program=None, severity="INFO", request_id=None, framing="syslog-traditional+oslo-essex"),
]  # fmt: skip


@pytest.mark.parametrize("line", parameters(LINES))
def test_section_0(line: Line) -> None:
    meet(line)


NAMES = [
    # formats.md 0.6: name, rotated on, compressed with
    ("nova-api.log", None, None),
    ("nova-api.log.1", None, None),
    ("nova-api.log.2.gz", None, gzip.compress),
    ("nova-api.log-20130101", "2013-01-01", None),
    ("nova-api.log-20130101.gz", "2013-01-01", gzip.compress),
    ("nova-api.log.2013-01-01", "2013-01-01", None),
    ("nova-api.log.2013-01-01_00-00-00", "2013-01-01", None),
    ("nova-api.log.30", None, None),
    ("nova-api.log.1.2017-05-16_13:53:08", "2017-05-16", None),
    ("nova-api.log.xz", None, lzma.compress),
    ("nova-api.log.bz2", None, bz2.compress),
    ("nova-api.log.3", None, gzip.compress),
    ("nova-api.log.4.gz", None, None),
]


@pytest.mark.parametrize(("name", "day", "compress"), NAMES, ids=[f"0.6-{name}" for name, _, _ in NAMES])
def test_section_0_6(name: str, day: str | None, compress, tmp_path) -> None:
    """Rotated files are one series; compression is told by the octets, whatever the name says."""
    file = tmp_path / "cc12" / name
    file.parent.mkdir()
    octets = f"{OSLO}\n".encode()
    file.write_bytes(compress(octets) if compress else octets)
    rows = forensics.scan_records(file, LogRecord).collect()
    assert rows.select("message", "host").rows() == [("y", "cc12")]
    series = series_of(f"cc12/{name}")
    assert host_of(f"cc12/{name}") == "cc12"
    told = series.rotated_on_ns
    assert (datetime.fromtimestamp(told / 1e9, UTC).date().isoformat() if told else None) == day
    assert series.stem == series_of("cc12/nova-api.log").stem


def test_section_0_2_every_column_of_the_reference_has_its_place() -> None:
    columns = {
        "src_file": "source", "src_line": "position", "n_lines": "n_lines", "ts": "ts", "tz_source": "zone_basis",
        "year_source": "year_basis", "host": "host", "program": "program", "pid": "pid", "format_id": "framing",
        "dup_key": "duplicate_of", "raw": "message", "level": "severity", "logger": "logger", "ts_outer": "outer_at",
        "repeat": "repeats", "request_id": "request_id", "global_request_id": "global_request_id",
        "user_id": "user_id", "project_id": "project_id", "instance_uuid": "instance",
    }  # fmt: skip
    assert set(columns.values()) <= set(LogRecord.columns())
