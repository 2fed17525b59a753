"""Section 8 of the reference: logs of RabbitMQ in their three layouts, its clients, and AMQP on the wire."""

import struct
from collections.abc import Iterator

import pytest

from forensics.records import BrokerEvent, BrokerTransfer, LogRecord
from tests._captures import pcap
from tests.formats._met import Line, Wanted, meet, parameters
from tests.loaders.captures.test_amqp import HEARTBEAT, PREAMBLE, deliver, frame, publish, segments, short

NAME = {"name": "log/rabbit@ctl.log", "known": {"zone": "UTC"}}
ENDS = {"src": "10.0.0.1", "src_port": 41240, "dst": "10.0.0.1", "dst_port": 5672}
C = "(10.0.0.1:41240 -> 10.0.0.1:5672"
ID = "317888f2-4539-4451-b2f9-3c26fdcb1c5c"
MQ = "queue 'x' in vhost '/'"
NOT_FOUND = "{amqp_error,not_found,\"no exchange 'reply_ab' in vhost '/'\",'exchange.declare'}"
PARTITION = "** ERROR ** mnesia_event got {inconsistent_database, running_partitioned_network, 'rabbit@b'}"
STARS = "*" * 58
BLOCKED = "*** Publishers will be blocked until this alarm clears ***"
OPENED = ENDS | {"kind": "conn_open", "connection": "<0.6042.0>"}
PROMOTED = {"kind": "promoted", "queue": "x", "vhost": "/", "node": "rabbit@n"}
ABORTED = ENDS | {"kind": "conn_abort"}

# formats.md 8.2: body, what it says; RMQ_CONN, RMQ_MEM, RMQ_ALARM and RMQ_PROMOTE in each of their alternatives
SAID: list[tuple[str, Wanted | None]] = [
    ("starting TCP connection <0.1.0> from 10.0.0.1:41240", {"kind": "conn_open", "src_port": 41240, "dst": None}),
    ("closing TCP connection <0.1.0> from 10.0.0.1:41240", {"kind": "conn_close", "connection": "<0.1.0>"}),
    (f"accepting AMQP connection <0.6042.0> {C})", OPENED),
    (f"accepting AMQP connection {C} - nova-compute:7:{ID})",
     ENDS | {"kind": "conn_open", "client_name": f"nova-compute:7:{ID}"}),
    (f"connection <0.6042.0> {C}): user 'openstack' authenticated and granted access to vhost '/'",
     ENDS | {"kind": "conn_auth", "user": "openstack", "vhost": "/"}),
    (f"Connection <0.6042.0> {C}) has a client-provided name: nova-compute:7:{ID}",
     ENDS | {"kind": "conn_name", "client_name": f"nova-compute:7:{ID}", "connection_id": ID}),
    (f"closing AMQP connection <0.6042.0> {C})", ENDS | {"kind": "conn_close", "reason": None, "user": None}),
    (f"closing AMQP connection <0.6042.0> {C}, vhost: '/', user: 'x')",
     ENDS | {"kind": "conn_close", "vhost": "/", "user": "x", "client_name": None}),
    (f"closing AMQP connection <0.6042.0> {C} - n:7:u, vhost: '/', user: 'x', duration: '5M, 3s')",
     ENDS | {"kind": "conn_close", "client_name": "n:7:u", "vhost": "/", "user": "x", "duration_s": 303.0}),
    *((f"closing AMQP connection <0.6042.0> {C}):\n{reason}", ABORTED | {"reason": reason}) for reason in (
        "connection_closed_abruptly", "client unexpectedly closed TCP connection",
        "missed heartbeats from client, timeout: 60s", "{heartbeat_timeout,running}", "{inet_error,etimedout}",
        "{writer,send_failed,{error,timeout}}")),
    (f"AMQP connection <0.6042.0> (running), channel 1 - error:\n{NOT_FOUND}",
     {"kind": "channel_error", "connection": "<0.6042.0>", "reason": NOT_FOUND}),
    ("Memory limit set to 787MB of 7872MB total.", {"kind": "memory_limit", "limit_bytes": 787 << 20}),
    ("Memory alarm changed to set, 123456 bytes.", {"kind": "memory_mark", "state": "set"}),
    ("vm_memory_high_watermark set. Memory used:2554570744 allowed:2510541619",
     {"kind": "memory_mark", "state": "set", "used_bytes": 2554570744, "limit_bytes": 2510541619}),
    ("vm_memory_high_watermark clear. Memory used: 1554570744 allowed: 2510541619",
     {"kind": "memory_mark", "state": "clear", "used_bytes": 1554570744, "limit_bytes": 2510541619}),
    (f"memory resource limit alarm set on node 'rabbit@x'.\n\n{STARS}\n{BLOCKED}\n{STARS}",
     {"kind": "alarm", "resource": "memory", "state": "set", "node": "rabbit@x"}),
    ("memory resource limit alarm cleared on node rabbit@x", {"kind": "alarm", "state": "clear", "node": "rabbit@x"}),
    ("disk resource limit alarm set on node 'rabbit@x.example.org'.",
     {"kind": "alarm", "resource": "disk", "state": "set", "node": "rabbit@x.example.org"}),
    ("memory resource limit alarm cleared across the cluster",
     {"kind": "alarm", "resource": "memory", "state": "clear", "node": "rabbit@ctl"}),
    ("Disk free limit set to 50MB", {"kind": "disk_limit", "limit_bytes": 50_000_000}),
    ("Disk free space insufficient. Free bytes:40000 Limit:50000",
     {"kind": "disk_low", "state": "set", "used_bytes": 40000, "limit_bytes": 50000}),
    (f"Mirrored-queue ({MQ}): Promoting slave <rabbit@n.1.2.3> to master", PROMOTED),
    (f"Mirrored queue ({MQ}): Promoting slave <rabbit@n.1.2.3> to master", PROMOTED),
    (f"Mirrored {MQ}: Promoting slave <rabbit@n.1.2.3> to master", PROMOTED),
    ("Mirrored queue 'x': Promoting slave <rabbit@n.1.2.3> to master", PROMOTED | {"vhost": None}),
    (f"Mirrored {MQ}: Promoting mirror <rabbit@n.1.2.3> to leader", PROMOTED),
    ("Promoting slave <rabbit@n.1.2.3> to master", {"kind": "promoted", "queue": None, "node": "rabbit@n"}),
    (f"Mirrored-queue ({MQ}): Master <rabbit@n.1.2.3> saw deaths of mirrors <rabbit@m.1.2.3>",
     {"kind": "mirror_died", "queue": "x", "node": "rabbit@n", "peer": "rabbit@m", "reason": None}),
    ("rabbit on node rabbit@x down", {"kind": "node_down", "node": "rabbit@x", "reason": None}),
    ("rabbit on node rabbit@x up", {"kind": "node_up", "node": "rabbit@x"}),
    ("node rabbit@x down: connection_closed", {"kind": "node_down", "reason": "connection_closed"}),
    ("node rabbit@x down: net_tick_timeout", {"kind": "node_down", "reason": "net_tick_timeout"}),
    (f"Mnesia('rabbit@a'): {PARTITION}",
     {"kind": "partition", "node": "rabbit@a", "peer": "rabbit@b", "reason": "running_partitioned_network"}),
    ("Cluster minority status detected", {"kind": "minority", "reason": None}),
    ("Partial partition detected:\n * We saw DOWN from rabbit@b\n * We can still see rabbit@c",
     {"kind": "partition", "peer": "rabbit@b", "reason": "* We can still see rabbit@c"}),
    ("** Generic server <0.1.0> terminating\n** Last message in was foo\n** Reason for termination ==\n** {badarg,[]}",
     {"kind": "crash"}),
    ("Starting RabbitMQ 3.5.1 on Erlang 17.3", {"kind": "startup", "version": "3.5.1"}),
    ("Server startup complete; 6 plugins started.", {"kind": "ready"}),
    ("Management plugin started. Port: 15672", None),
]  # fmt: skip


PID = "<0.684.0>"
LAYOUTS = (
    ("=INFO REPORT==== 7-Dec-2016::03:49:15 ===\n{}\n\n", "2016-12-07 03:49:15"),
    ("\n=INFO REPORT==== 12-Dec-2016::03:49:15.123456 ===\n{}\n", "2016-12-12 03:49:15.123456"),
    (f"2019-09-21 22:14:55.123 [info] {PID} {{}}\n", "2019-09-21 22:14:55.123"),
    (f"2024-01-01 02:00:00.000000+02:00 [info] {PID} {{}}\n", "2024-01-01 00:00:00"),
)  # fmt: skip


def said() -> Iterator[Line]:
    """Every message in each layout of 8.1 (RMQ_OLD, RMQ_NEW); the newest repeats its head and drops blanks at ends."""
    for layout, ts in LAYOUTS:
        repeated = layout.replace("{}\n", "") if "+02:00" in layout else None
        text = ""
        for number, (body, _) in enumerate(SAID):
            one = layout.replace(PID, f"<0.684.{number}>")
            if repeated is not None:
                body = ("\n" + repeated.replace(PID, f"<0.684.{number}>")).join(body.split("\n"))
            text += "\n".join(line.rstrip(" ") for line in one.replace("{}", body).split("\n"))
        wanted = [want | {"ts": ts, "severity": "INFO"} for _, want in SAID if want]
        yield Line("8.2", text, BrokerEvent, wanted, **NAME)


def client(text: str, **want: object) -> Line:
    at = "2013-02-15 01:41:20.123 7 INFO nova.openstack.common.rpc.impl_kombu [-] "
    return Line("8.2", at + text, BrokerEvent, {"dst": "10.0.0.1", "dst_port": 5672, **want}, "ctl/nova-api.log")


def wire(stream: bytes, *want: Wanted) -> Line:
    packets = segments(stream)
    return Line("8.3", pcap([(n * 1_000_000, one) for n, one in enumerate(packets)]), BrokerTransfer, want)


def content(number: int, arguments: bytes, size: int) -> bytes:
    """A method of class 60 and the header of what follows it; the body is left out."""
    method = struct.pack(">HH", 60, number) + arguments
    return frame(1, method) + frame(2, struct.pack(">HHQH", 60, 0, size, 0))


MSG = "317888f245394451b2f93c26fdcb1c5c"
NAMES = short("nova") + short("compute.cc12")
T = {"name": "log/rabbit@ctl.log", "known": {"zone": "America/Edmonton"}}
LINES = [
    # 8.1: zones; an entry of another layout; sasl; JSON
    Line("8.1", "=INFO REPORT==== 12-Feb-2013::01:23:45 ===\nx\n", LogRecord,
         {"ts": "2013-02-12 08:23:45", "message": "x", "severity": "INFO", "zone_basis": "declared"}, **T),
    Line("8.1", "2019-09-21 22:14:55.123 [info] <0.684.0> text\nmore\n", LogRecord,
         {"ts": "2019-09-22 04:14:55.123", "message": "text\nmore", "n_lines": 2}, **T),
    Line("8.1", "2024-01-01 00:00:00.000000+00:00 [info] <0.684.0> text\n", LogRecord,
         {"ts": "2024-01-01 00:00:00", "message": "text", "zone_basis": "stated"}, **T),
    Line("8.1", "2024-01-01T00:00:00.000000Z [warning] <0.684.0> text\n", LogRecord,
         {"ts": "2024-01-01 00:00:00", "severity": "WARNING", "zone_basis": "stated"}, **T),
    Line("8.1", "2019-09-21 22:14:55.123 [error] emulator text\n2019-09-21 22:14:56.123 [info] <0.684.0>\n", LogRecord,
         [{"severity": "ERROR", "message": "text"}, {"ts": "2019-09-22 04:14:56.123"}], **T),
    Line("8.1", '{"time":"2024-01-01 00:00:00.000000+00:00","level":"info","msg":"rabbit on node rabbit@x down",'
         '"meta":{"pid":"<0.684.0>"}}\n', BrokerEvent, {"kind": "node_down", "node": "rabbit@x"}, **NAME),
    Line("8.1", "\n=SUPERVISOR REPORT==== 7-Dec-2016::03:49:15 ===\n     Supervisor: {local,rabbit_sup}\n     Context:"
         "    child_terminated\n\n=CRASH REPORT==== 7-Dec-2016::03:49:16 ===\n  crasher:\n    initial call: x\n",
         BrokerEvent, [{"kind": "crash", "ts": "2016-12-07 03:49:15"}, {"kind": "crash", "ts": "2016-12-07 03:49:16"}],
         "log/rabbit@ctl-sasl.log"),
    *(Line("8.1", "=INFO REPORT==== 12-Feb-2013::01:23:45 ===\nrabbit on node rabbit@x up\n", BrokerEvent,
           {"kind": "node_up"}, f"var/log/rabbitmq/{name}")
      for name in ("rabbit@ctl.log.1", "rabbit@ctl.log-20130217", "rabbit@ctl_upgrade.log", "startup_log")),
    *said(),
    # clients
    client("Connected to AMQP server on 10.0.0.1:5672", kind="client_connected"),
    client("AMQP server on 10.0.0.1:5672 is unreachable: [Errno 111] ECONNREFUSED. Trying again in 30 seconds.",
           kind="client_unreachable", reason="[Errno 111] ECONNREFUSED", duration_s=30.0),
    client("Reconnecting to AMQP server on 10.0.0.1:5672", kind="client_reconnecting"),
    client("Unable to connect to AMQP server on 10.0.0.1:5672 after 3 tries: x", kind="client_unreachable", reason="x"),
    Line("8.2", f"2017-11-15 01:41:20.123 7 ERROR oslo.messaging._drivers.impl_rabbit [-] [{ID}] AMQP server on "
         "10.0.0.1:5672 is unreachable: timed out. Trying again in 1 seconds.", BrokerEvent,
         {"kind": "client_unreachable", "connection_id": ID, "reason": "timed out", "duration_s": 1.0}),
    Line("8.2", "2012-09-15 01:41:20 ERROR nova.rpc.common [-] AMQP server on 10.0.0.1:5672 is unreachable: [Errno 111]"
         " ECONNREFUSED. Trying again in 1 seconds.\n2012-09-15 01:41:20 TRACE nova.rpc.common Traceback (most recent "
         "call last):\n2012-09-15 01:41:20 TRACE nova.rpc.common error: [Errno 111] ECONNREFUSED\n", BrokerEvent,
         {"kind": "client_unreachable", "dst_port": 5672, "reason": "[Errno 111] ECONNREFUSED"}),
    # 8.3; bodies in many frames, RPC envelopes, captures that begin in the middle, lost and repeated segments, short
    # snap lengths: tests/loaders/captures/test_amqp.py
    wire(PREAMBLE + content(40, b"\0\0" + short(MSG) + short(MSG) + b"\0", 5_905_580_032),
         {"method": "publish", "exchange": MSG, "routing_key": MSG, "body_bytes": 5_905_580_032, "seen_bytes": 0}),
    wire(PREAMBLE + deliver("compute.cc12", b"a" * 50), {"method": "deliver", "consumer_tag": "ctag-1", "channel": 3,
         "exchange": "nova", "routing_key": "compute.cc12", "body_bytes": 50, "seen_bytes": 50}),
    wire(PREAMBLE + content(50, struct.pack(">H", 312) + short("NO_ROUTE") + NAMES, 0),
         {"method": "return", "exchange": "nova", "routing_key": "compute.cc12", "body_bytes": 0}),
    wire(PREAMBLE + content(71, struct.pack(">QB", 9, 0) + NAMES + bytes(4), 0),
         {"method": "get-ok", "exchange": "nova", "routing_key": "compute.cc12"}),
    wire(PREAMBLE + publish("compute_fanout", "", b"{}", channel=7), {"exchange": "compute_fanout", "channel": 7,
         "correlation_id": "corr-7", "reply_to": "reply_0123", "src": "10.0.0.5", "src_port": 40004, "dst_port": 5672}),
    *(wire(PREAMBLE + publish("nova", "a", b"{}") + beat + publish("nova", "b", b"{}"), {"routing_key": "a"},
           {"routing_key": "b"}) for beat in (HEARTBEAT, b"\x04" + HEARTBEAT[1:])),
    wire(b"AMQP\x01\x01\x00\x0a" + b"\x0f\x01\x00\x13\x00\x01" + bytes(40)),
    # 8.4
    Line("8.4", f"""\
=INFO REPORT==== 7-Dec-2016::03:49:15 ===
Connection <0.6042.0> (10.0.0.1:41240 -> 10.0.0.1:5672) has a client-provided name: neutron-server:25:{ID}

=WARNING REPORT==== 7-Dec-2016::03:49:18 ===
closing AMQP connection <0.5006.0> (10.0.0.1:40004 -> 10.0.0.1:5672 - nova-compute:7:{ID}):
client unexpectedly closed TCP connection

=INFO REPORT==== 12-Apr-2016::20:29:10 ===
vm_memory_high_watermark set. Memory used:2554570744 allowed:2510541619

=WARNING REPORT==== 12-Apr-2016::20:29:10 ===
memory resource limit alarm set on node 'rabbit@ZL-RabbitMQ-Cluster2'.

{STARS}
{BLOCKED}
{STARS}
""", BrokerEvent, [
        {"ts": "2016-12-07 03:49:15", "kind": "conn_name", "client_name": f"neutron-server:25:{ID}", **ENDS},
        {"ts": "2016-12-07 03:49:18", "kind": "conn_abort", "client_name": f"nova-compute:7:{ID}", "src_port": 40004,
         "severity": "WARNING", "reason": "client unexpectedly closed TCP connection"},
        {"ts": "2016-04-12 20:29:10", "kind": "memory_mark", "state": "set", "used_bytes": 2554570744,
         "limit_bytes": 2510541619},
        {"ts": "2016-04-12 20:29:10", "kind": "alarm", "state": "set", "node": "rabbit@ZL-RabbitMQ-Cluster2"}]),
    # 8.6: no pid, one second: order of the file; long terms wrap; `===` inside a body begins nothing
    Line("8.6", "".join(f"=INFO REPORT==== 7-Dec-2016::03:49:15 ===\nrabbit on node rabbit@{x} up\n" for x in "cab"),
         BrokerEvent, [{"node": f"rabbit@{x}"} for x in "cab"], **NAME),
    Line("8.6", "=ERROR REPORT==== 7-Dec-2016::03:49:15 ===\n** Generic server <0.1.0> terminating\n** Last message in "
         "was {'$gen_cast',\n                         {x,<<\"=== not a header ===\">>}}\n=INFO REPORT without a stamp\n"
         "=INFO REPORT==== 7-Dec-2016::03:49:16 ===\nx\n", LogRecord,
         [{"severity": "ERROR", "n_lines": 5}, {"message": "x", "n_lines": 2}], **NAME),
    # the event in each node's log keeps the node that its file is of
    *(Line("8.6", "\n=INFO REPORT==== 7-Dec-2016::03:49:15 ===\nCluster minority status detected\n", BrokerEvent,
           {"node": node, "kind": "minority"}, f"log/{node}.log") for node in ("rabbit@a", "rabbit@b")),
]  # fmt: skip


@pytest.mark.parametrize("line", parameters(LINES))
def test_section_8(line: Line) -> None:
    meet(line)
