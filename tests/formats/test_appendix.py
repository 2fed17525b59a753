"""Appendices A, B and C of the reference: seed lines, keys that join sources, and edge cases."""

import gzip
import hashlib
import io
import re
from pathlib import Path

import pytest

import forensics
from forensics.evidence import stream_of
from forensics.records import (
    ApiRequest,
    BaseFileEvent,
    Bpdu,
    BrokerEvent,
    BrokerTransfer,
    ConfigOption,
    ConsoleRequest,
    DhcpMessage,
    FileSize,
    HostInterface,
    Instance,
    InstanceEvent,
    InstancePort,
    LogRecord,
    Notification,
    PortEvent,
    Record,
    ServiceState,
    ShellCommand,
)
from tests._captures import pcap
from tests.formats._met import Line, meet, parameters, rows_of
from tests.formats.test_section_12 import bpdu
from tests.loaders.captures.test_amqp import publish, segments

ROOT = Path(__file__).parents[2]
BASE = "/var/lib/nova/instances/_base/7b4783508212f5d242cbf9ff56fb8d33b4ce6166_10"
U, P = "0c6e7dba03c24c6a9bce299747499e8a", "7052bd6714e7460caeb16242e68124f9"
FOLDER = "/var/lib/nova/instances/instance-00000e05"
DELETE = "delete from nova.instances where deleted=1 and terminated_at < (NOW() - INTERVAL 1 YEAR);"
DAIR = "dair-ua-c03/nova.log:Dec 19 12:10:59 dair-ua-c03 2012-12-19 12:10:59 INFO nova.virt.libvirt.imagecache [-] "
EC2 = "GET /services/Cloud?AWSAccessKeyId=[something]&Action=RunInstances&ClientToken=[something]&ImageId=ami-"
SLOW = (
    f"2014-01-10 09:11:45.072 129745 INFO nova.ec2.wsgi.server [req-84d16d16-3808-426b-b7af-3b90a11b83b0 {U} {P}] "
    f'117.103.103.29 "{EC2}00000001&InstanceInitiatedShutdownBehavior=terminate... HTTP/1.1" status: 200 len: 1109 '
    "time: 138.5970151"
)
QUICK = (
    "2014-01-08 11:15:15.704 INFO nova.ec2.wsgi.server [req-ccac9790-3357-4aa8-84bd-cdaab1aa394e "
    "ebbd729575cb404081a45c9ada0849b7 8175953c209044358ab5e0ec19d52c37] 117.103.103.29 "
    f'"{EC2}00000007&InstanceInitiatedShutdownBehavior=terminate... HTTP/1.1" status: 200 len: 931 time: 3.9426181'
)
VALENTINE = """\
Feb 15 01:40:18 SW-1 Stp: %SPANTREE-4-BLOCK_BPDUGUARD: Received BPDU packet on Port-Channel35 with BPDU guard enabled. \
Disabling interface. (source mac fa:16:3e:24:e7:22)
Feb 15 01:40:18 SW-1 Ebra: %ETH-4-ERRDISABLE: bpduguard error detected on Port-Channel35.
Feb 15 01:40:18 SW-1 Mlag: %MLAG-4-INTF_INACTIVE_LOCAL: Local interface Port-Channel35 is link down. MLAG 35 is \
inactive.
Feb 15 01:40:18 SW-1 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Port-Channel35 (Server35), changed state to \
down
Feb 15 01:40:19 SW-1 Stp: %SPANTREE-6-INTERFACE_DEL: Interface Port-Channel35 has been removed from instance MST0
Feb 15 01:40:19 SW-1 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet35 (Server35), changed state to down
"""
DOWN = [
    {"interface": "Port-Channel35", "level": 4, "cause": "bpduguard", "mac": "fa:16:3e:24:e7:22", "agent": "Stp"},
    {"interface": "Port-Channel35", "level": 4, "cause": "bpduguard", "mac": None, "agent": "Ebra"},
    {"interface": "Port-Channel35", "level": 4, "master": "MLAG 35", "state": "inactive"},
    {"interface": "Port-Channel35", "level": 5, "description": "Server35", "state": "down"},
    {"interface": "Port-Channel35", "level": 6, "vlan": "MST0", "event": "stp_removed"},
    {"interface": "Ethernet35", "level": 5, "description": "Server35", "state": "down"},
]
LINES = [
    Line("A1", DAIR + f"Removing base file: {BASE}", LogRecord,
         {"host": "dair-ua-c03", "program": None, "pid": None, "severity": "INFO", "request_id": None,
          "ts": "2012-12-19 12:10:59", "outer_at": "2012-12-19 12:10:59", "framing": "syslog-traditional+oslo-essex"}),
    Line("A1", DAIR + f"Removing base file: {BASE}", BaseFileEvent,
         {"action": "removing", "size_gb": 10, "image_hash": "7b4783508212f5d242cbf9ff56fb8d33b4ce6166"}),
    Line("A2", SLOW, ApiRequest, {"request_id": "req-84d16d16-3808-426b-b7af-3b90a11b83b0", "user_id": U,
         "project_id": P, "client": "117.103.103.29", "operation": "RunInstances", "image": "ami-00000001",
         "status": 200, "response_bytes": 1109, "duration_s": 138.5970151, "started_at": "2014-01-10"
         " 09:09:26.4749849"}),
    Line("A2", SLOW, LogRecord, {"pid": 129745, "framing": "oslo-havana"}),
    Line("A3", QUICK, ApiRequest, {"image": "ami-00000007", "duration_s": 3.9426181, "response_bytes": 931}),
    Line("A3", QUICK, LogRecord, {"pid": None, "framing": "oslo-grizzly"}),
    Line("A4-A9", VALENTINE, PortEvent,
         [{"ts": f"2013-02-15 01:40:{18 if number < 4 else 19}", "host": "SW-1", **one}
          for number, one in enumerate(DOWN)], "sw.log", {"year": 2013}),
    Line("A10", "10: vlan100@vlan20: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master br100 state UP",
         HostInterface, {"index": 10, "parent": "vlan20", "master": "br100", "mtu_bytes": 1500, "vlan_id": 100}),
    Line("A11", "$ grep vlan_interface /etc/nova/nova.conf\nvlan_interface=vlan20\n", ConfigOption,
         {"key": "vlan_interface", "value": "vlan20", "file": "/etc/nova/nova.conf"}),
    Line("A12", f"adm@cc12:{FOLDER}# wc -l console.log\n92890453 console.log\n", FileSize,
         {"host": "cc12", "path": f"{FOLDER}/console.log", "instance_name": f"instance-{3589:08x}", "lines": 92890453}),
    Line("A13", f"adm@cc12:{FOLDER}# ls -sh console.log\n5.5G console.log\n", FileSize,
         {"low_bytes": 54 * (1 << 30) // 10 + 1, "high_bytes": 55 * (1 << 30) // 10, "size_bytes": None}),
    Line("A14", f"mysql> {DELETE}\n", ShellCommand, {"shell": "mysql", "command": DELETE}),
    Line("A15", "$ nova service-list\n", ServiceState, []),
    Line("A15", "$ nova service-list\n", ShellCommand, {"command": "nova service-list", "n_lines": 0}),
    Line("A16", "$ nova service-list\n$ \n…\n\n$ \n", ShellCommand, {"command": "nova service-list", "n_lines": 0}),
    # Appendix C, where no other test has the case as the reference words it
    Line("C2", "Dec 31 23:59:58 h a: one\nJan  1 00:00:02 h a: two\n", LogRecord,
         [{"ts": "2012-12-31 23:59:58"}, {"ts": "2013-01-01 00:00:02"}], "x.log", {"year": 2012}),
    Line("C2", "Feb 29 12:00:00 h a: one\n", LogRecord, {"ts": "2012-02-29 12:00:00"}, "x.log", {"year": 2012}),
    Line("C2", "".join(f"2013-11-03 01:{m}:00.000 7 INFO nova.x [-] y\n" for m in (10, 50, 10, 50)), LogRecord,
         [{"ts": f"2013-11-03 0{hour}:{minute}:00"} for hour in (7, 8) for minute in (10, 50)], "x.log",
         {"zone": "America/Edmonton"}),
    Line("C4", "Feb 15 01:40:18 h a: one\nFeb 15 01:40:19 h a: message repeated 3 times: [ one]\nFeb 15 01:40:20 h"
         " last "
         "message repeated 3 times\n", LogRecord,
         [{"message": "one", "repeats": None}, {"repeats": 3}, {"repeats": 3}], "x.log", {"year": 2013}),
    Line("C5", "Feb 15 01:40:18 h 2013-02-15 01:40:18 7 INFO nova.x [-] y\nFeb 15 01:40:18 h nova-api y\nFeb 15 "
         "01:40:18 h nova-api[77]: y\n", LogRecord,
         [{"program": None, "logger": "nova.x"}, {"host": "h"}, {"program": "nova-api", "pid": 77}], "x.log",
         {"year": 2013}),
    Line("C12", "2019-09-21 22:14:55.123 [error] <0.684.0> closing AMQP connection <0.684.0> (10.0.0.1:1 -> 10.0.0.2:2)"
         ":\nmissed heartbeats from client, timeout: 60s\n", BrokerEvent,
         {"kind": "conn_abort", "reason": "missed heartbeats from client, timeout: 60s"}),
    Line("C15", "Feb 15 01:40:18 h a: caf\xe9\r\nFeb 15 01:40:19 h a: b\r\n".encode("latin-1"), LogRecord,
         [{"message": "caf\\xe9"}, {"message": "b"}], "x.log", {"year": 2013}),
]  # fmt: skip

KNOWN = {
    "C1": "tests/loaders/lines/test_behaviour.py::test_a_folsom_file_with_process_ids_on_some_lines_and_blank_lines",
    "C3": "tests/loaders/lines/test_behaviour.py::test_a_traceback_that_was_cut_is_one_record",
    "C3,"
    " interleaved": "tests/loaders/lines/test_behaviour.py::test_prefixed_tracebacks_join_the_record_of_their_process",
    "C4, gaps": "tests/loaders/lines/test_behaviour.py::test_losses_are_found_with_their_counts",
    "C6": "tests/loaders/lines/test_behaviour.py::test_prefixes_of_grep_go_and_its_separators_part_records",
    "C7": "tests/loaders/messages/test_api_requests.py::test_request_lines_however_they_look",
    "C7, clients": "tests/loaders/messages/test_api_requests.py::test_clients_with_and_without_proxies",
    "C7, TLS": "tests/loaders/messages/test_api_requests.py::test_octets_that_are_no_http_count_once",
    "C7, no"
    " length": "tests/loaders/messages/test_api_requests.py::test_requestlog_has_neither_version_nor_always_a_length",
    "C7,"
    " POST": "tests/loaders/messages/test_api_requests.py::test_a_post_gets_its_action_from_the_filter_and_counts_once",
    "C8": "tests/loaders/documents/test_notification_rows.py::test_every_envelope_is_opened",
    "C8, names": "tests/loaders/documents/test_notification_rows.py::test_names_of_all_peoples_and_odd_json",
    "C8, versioned": "tests/loaders/documents/test_notification_rows.py::test_a_versioned_notification_in_full",
    "C9": "tests/loaders/documents/test_mysqldump.py::test_line_of_more_than_16_mib_with_escaped_json",
    "C9, TSV": "tests/loaders/documents/test_tables.py::test_batch_output",
    "C10": "tests/loaders/messages/test_imagecache.py::test_a_removal_in_the_words_of_each_release",
    "C10, two nodes": "tests/loaders/messages/test_imagecache.py::test_two_nodes_remove_one_file",
    "C11": "tests/loaders/messages/test_dhcp_logs.py::test_a_renewal_that_nobody_answers",
    "C12": "tests/loaders/messages/test_broker_events.py::test_the_same_events_in_every_later_layout",
    "C13": "tests/formats/test_section_11.py::test_section_11",
    "C14": "tests/loaders/captures/test_container.py::test_all_magics",
    "C14, AMQP": "tests/loaders/captures/test_amqp.py::test_a_capture_that_begins_in_the_middle",
    "C14, retransmission": "tests/loaders/captures/test_amqp.py::test_sent_again_out_of_order_and_over_the_wrap",
    "C14, snaplen": "tests/loaders/captures/test_amqp.py::test_a_short_snap_length_loses_no_content",
    "C15, empty": "tests/loaders/lines/test_behaviour.py::test_an_empty_file_has_no_records",
    "C15, NUL": "tests/loaders/lines/test_behaviour.py::test_runs_of_nul_are_gaps_and_losses",
    "C15, one line": "tests/loaders/lines/test_accounting.py::test_a_line_beyond_memory_is_one_row",
    "C15, gzip": "tests/test_evidence_stream.py::test_damage_in_one_member_leaves_the_others",
}  # fmt: skip


@pytest.mark.parametrize("line", parameters(LINES))
def test_appendix(line: Line) -> None:
    meet(line)


def test_appendix_a3_ratio() -> None:
    slow, quick = (rows_of(Line("A", text, ApiRequest, {}))["duration_s"][0] for text in (SLOW, QUICK))
    assert round(slow / quick, 2) == 35.15


def test_appendix_c15_gzip_with_rubbish_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "nova.log.1.gz"
    path.write_bytes(gzip.compress(b"2014-01-10 09:11:45.072 7 INFO nova.x [-] y\n") + b"rubbish")
    assert forensics.scan_records(path, LogRecord).select("pid", "message").collect().rows()[0] == (7, "y")


def test_appendix_references_lead_somewhere() -> None:
    """Each test that a table of this folder refers to exists."""
    texts = [path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("test_*.py"))]
    named = {found for text in texts for found in re.findall(r"(tests/[\w/]+\.py)::(test_\w+)\b(?!\.)", text)}
    assert len(named) > 25
    homes = {path: (ROOT / path).read_text("utf-8") for path, _ in named}
    missing = [(path, name) for path, name in named if not re.search(rf"^def {name}", homes[path], re.MULTILINE)]
    assert not missing


# Appendix B: what one source says of a key is, to the letter, what the others say
REQ = "req-9a1b2c3d-0000-4000-8000-000000000001"
UUID = "871e24ab-fc79-4dc9-8071-7b5dc1b50cd0"
MAC = "fa:16:3e:24:e7:22"
MSG = "317888f245394451b2f93c26fdcb1c5c"
IMAGE = "0c3ff1d0-fc79-4dc9-8071-7b5dc1b50cd0"
NOTE = (
    f'{{"event_type": "compute.instance.create.end", "message_id": "{UUID}", "publisher_id": "compute.cc12", '
    f'"priority": "INFO", "timestamp": "2013-02-15 01:40:18", "_context_request_id": "{REQ}", "payload": {{'
    f'"instance_id": "{UUID}", "image_ref_url": "http://glance:9292/images/{IMAGE}", '
    f'"fixed_ips": [{{"address": "10.0.0.5", "vif_mac": "{MAC}"}}], "host": "cc12"}}}}'
)
OSLO = f"2013-03-02 10:15:01.123 7 INFO nova.compute.manager [{REQ} u p] [instance: {UUID}] "
DUMP = (
    "-- MySQL dump 10.13  Distrib 5.5.35\nCREATE TABLE `instances` (\n  `id` int,\n  `uuid` varchar(36),\n "
    " `image_ref` "
    "varchar(255),\n  `host` varchar(255),\n  `vm_state` varchar(9)\n);\nINSERT INTO `instances` VALUES "
    f"(3589,'{UUID}','{IMAGE}','cc12','active');\n"
)
DOMAIN = (
    f"<domain type='kvm'>\n<name>instance-00000e05</name>\n<uuid>{UUID}</uuid>\n<devices>\n<interface type='bridge'>\n"
    f"<mac address='{MAC}'/>\n<target dev='vnet0'/>\n</interface>\n</devices>\n</domain>\n"
)
CALL = f'{{"method": "get_console_output", "_msg_id": "{MSG}", "_context_request_id": "{REQ}", "args": {{}}}}'
WIRE = pcap([(n, one, len(one)) for n, one in enumerate(segments(publish("nova", "compute.cc12", CALL.encode())))])
RECEIVED = (
    f"2013-03-02 10:15:00 DEBUG nova.rpc.amqp [-] received {{u'_msg_id': u'{MSG}', u'_context_request_id': u'{REQ}', "
    f"u'args': {{u'instance_uuid': u'{UUID}'}}, u'method': u'get_console_output'}} _safe_log /x.py:1"
)
CACHE = (
    f"2013-03-02 10:15:01 INFO nova.virt.libvirt.imagecache [-] Removing base file: /var/lib/nova/instances/_base/"
    f"{hashlib.sha1(IMAGE.encode(), usedforsecurity=False).hexdigest()}"
)
ACCESS = f"2013-03-02 10:15:01.123 7 INFO nova.osapi_compute.wsgi.server [{REQ} u p] 10.0.0.5 "
ACCESS += f'"GET /v2/p/servers/{UUID} HTTP/1.1" status: 200 len: 1 time: 1.5'
ACCEPT = "\n=INFO REPORT==== 7-Dec-2016::03:49:15 ===\n{} (10.0.0.5:40004 -> 10.0.0.9:5672){}\n"
KEYS: dict[str, list[tuple[type[Record], str | bytes, str]]] = {
    "request id": [(LogRecord, OSLO + "x", "request_id"), (ApiRequest, ACCESS, "request_id"),
                   (Notification, NOTE, "request_id"), (ConsoleRequest, RECEIVED, "request_id"),
                   (BrokerTransfer, WIRE, "request_id")],
    "instance uuid": [(LogRecord, OSLO + "x", "instance"), (InstanceEvent, OSLO + "VM Started (Lifecycle Event)",
                       "instance"), (Instance, DUMP, "instance"), (Notification, NOTE, "instance"),
                      (InstancePort, DOMAIN, "instance"), (ApiRequest, ACCESS, "instance")],
    "instance integer id": [(Instance, DUMP, "instance_name"), (Instance, DOMAIN, "instance_name"),
                            (FileSize, f"adm@cc12:{FOLDER}# wc -l console.log\n1 console.log\n", "instance_name")],
    "image uuid": [(Instance, DUMP, "image"), (Notification, NOTE, "image")],
    "sha1 of the image": [(Instance, DUMP, "image_hash"), (BaseFileEvent, CACHE, "image_hash")],
    "MAC": [(PortEvent, VALENTINE, "mac"), (InstancePort, DOMAIN, "mac"),
            (Bpdu, pcap([(0, bpdu(0, 0))]), "eth_src"),
            (DhcpMessage, f"Feb 27 22:01:36 n dnsmasq-dhcp[2438]: DHCPDISCOVER(br100) {MAC}", "chaddr")],
    "IP": [(DhcpMessage, f"Feb 27 22:01:36 n dnsmasq-dhcp[2438]: DHCPACK(br100) 10.0.0.5 {MAC}", "yiaddr"),
           (ApiRequest, ACCESS, "client"), (BrokerEvent, ACCEPT.format("accepting AMQP connection <0.1.0>", ""), "src"),
           (BrokerTransfer, WIRE, "src")],
    "host name": [(Notification, NOTE, "compute_host"), (Instance, DUMP, "compute_host"),
                  (FileSize, "adm@cc12:/x# wc -l console.log\n1 console.log\n", "host"),
                  (LogRecord, "Feb 27 22:01:36 cc12 a: b", "host")],
    "src port": [(BrokerEvent, ACCEPT.format("accepting AMQP connection <0.1.0>", ""), "src_port"),
                 (BrokerEvent, ACCEPT.format("closing AMQP connection <0.1.0>", ""), "src_port"),
                 (BrokerEvent, ACCEPT.format("Connection <0.1.0>", " has a client-provided name: nova-compute:7:x"),
                  "src_port"), (BrokerTransfer, WIRE, "src_port")],
    "msg_id": [(ConsoleRequest, RECEIVED, "msg_id"), (BrokerTransfer, WIRE, "msg_id")],
    "xid": [(DhcpMessage, "Feb 27 22:01:36 n dnsmasq-dhcp[2438]: 2792060974 DHCPACK(br100) 10.0.0.5 " + MAC, "xid"),
            (DhcpMessage, "Feb 27 22:01:36 vm5 dhclient[899]: DHCPACK from 10.0.0.1 (xid=0xa66b782e)", "xid")],
}  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_appendix_b_keys_join(key: str) -> None:
    told = [rows_of(Line("B", text, record, {}))[column][0] for record, text, column in KEYS[key]]
    assert told[0] is not None
    assert set(told) == {told[0]}


def test_appendix_c15_nothing_but_nul_has_no_record() -> None:
    """A file of zeros after copytruncate is gaps and no line."""
    assert stream_of(io.BytesIO(b"\0" * 100), "x").read(10) == b"\0" * 10
    assert rows_of(Line("C15", b"\0" * 4096 + b"Feb 15 01:40:18 h a: one\n", LogRecord, {}, "x.log")).height == 1
