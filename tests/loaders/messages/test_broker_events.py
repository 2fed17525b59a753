"""What brokers and their clients say, in all layouts of their logs: formats.md 8.1, 8.2, 8.4, 8.6; Appendix C12."""

import io
from collections import Counter

import polars as pl
import pytest

from forensics.evidence import stream_of
from forensics.loaders._message_format import leaves
from forensics.loaders._reader import Origin
from forensics.loaders.log_files import READERS
from forensics.records import BrokerEvent
from tests._evidence import evidence_root
from tests.loaders.messages.test_samples import log_records

ENDS = "10.0.0.1:41240 -> 10.0.0.2:5672"
NAME = "nova-compute:7:dc749d8b-15ea-4ae3-b524-22b29b810880"
BLOCK = [
    "",
    "**********************************************************",
    "*** Publishers will be blocked until this alarm clears ***",
    "**********************************************************",
]


def events(text: str, source: str = "cc12/rabbit@cc12.log") -> pl.DataFrame:
    """Broker events of a log, in the order of its lines."""
    stream = stream_of(io.BytesIO(text.encode()), "x")
    found = [batch.rows for batch in READERS[0].batches(stream, Origin(source), records=[BrokerEvent])]
    return BrokerEvent.validate(pl.concat([rows[BrokerEvent] for rows in found if BrokerEvent in rows] or
                                          [BrokerEvent.empty()]))  # fmt: skip


def test_reports_of_3_6_and_before() -> None:
    """formats.md 8.4, as it stands there, and a report of sasl."""
    text = f"""
=INFO REPORT==== 7-Dec-2016::03:49:15 ===
Connection <0.6042.0> (10.0.0.1:41240 -> 10.0.0.1:5672) has a client-provided name: neutron-server:25:317888f2-4539-4451-b2f9-3c26fdcb1c5c

=WARNING REPORT==== 7-Dec-2016::03:49:18 ===
closing AMQP connection <0.5006.0> (10.0.0.1:40004 -> 10.0.0.1:5672 - {NAME}):
client unexpectedly closed TCP connection

=INFO REPORT==== 12-Apr-2016::20:29:10 ===
vm_memory_high_watermark set. Memory used:2554570744 allowed:2510541619

=WARNING REPORT==== 12-Apr-2016::20:29:10 ===
memory resource limit alarm set on node 'rabbit@ZL-RabbitMQ-Cluster2'.

**********************************************************
*** Publishers will be blocked until this alarm clears ***
**********************************************************

=SUPERVISOR REPORT==== 12-Apr-2016::20:29:11 ===
     Supervisor: {{<0.6042.0>,rabbit_channel_sup_sup}}
     Context:    shutdown_error
     Reason:     noproc

=CRASH REPORT==== 12-Apr-2016::20:29:11.123456 ===
  crasher:
    initial call: rabbit_reader:init/4

=PROGRESS REPORT==== 12-Apr-2016::20:29:12 ===
          supervisor: {{local,sasl_safe_sup}}
"""  # noqa: E501
    rows = events(text)
    assert rows["kind"].to_list() == ["conn_name", "conn_abort", "memory_mark", "alarm", "crash", "crash"]
    assert rows["position"].to_list() == [2, 5, 9, 12, 19, 24]
    name, abort, mark, alarm, supervisor, _ = rows.iter_rows(named=True)
    assert (name["client_name"][:18], name["connection_id"][:8]) == ("neutron-server:25:", "317888f2")
    assert abort["reason"] == "client unexpectedly closed TCP connection"
    assert (abort["client_name"], abort["severity"]) == (NAME, "WARNING")
    assert (mark["state"], mark["used_bytes"], mark["limit_bytes"]) == ("set", 2554570744, 2510541619)
    assert (alarm["state"], alarm["resource"], alarm["node"]) == ("set", "memory", "rabbit@ZL-RabbitMQ-Cluster2")
    assert rows["node"].to_list()[:3] == ["rabbit@cc12"] * 3
    assert "shutdown_error" in supervisor["reason"]
    assert str(abort["ts"]) == "2016-12-07 03:49:18+00:00"


SAID = [
    ("info", [f"accepting AMQP connection <0.684.0> ({ENDS})"]),
    ("info", [f"Connection <0.684.0> ({ENDS}) has a client-provided name: {NAME}"]),
    ("info", [f"connection <0.684.0> ({ENDS} - {NAME}): user 'nova' authenticated and granted access to vhost 'os'"]),
    ("warning", [f"closing AMQP connection <0.684.0> ({ENDS} - {NAME}, vhost: 'os', user: 'nova'):",
                 "client unexpectedly closed TCP connection"]),
    ("warning", ["memory resource limit alarm set on node 'rabbit@cc13'.", *BLOCK]),
    ("info", ["Mirrored queue 'compute.cc12' in vhost '/': Promoting slave <rabbit@cc12.1.2.3> to master"]),
    ("error", ["Partial partition detected:", " * We saw DOWN from rabbit@b",
               " * We can still see rabbit@c which can see rabbit@b", "pause_minority mode enabled"]),
    ("info", ["rabbit on node rabbit@b down"]),
]  # fmt: skip
KINDS = ["conn_open", "conn_name", "conn_auth", "conn_abort", "alarm", "promoted", "partition", "node_down"]


def headed(stamp: str, *, every: bool) -> list[str]:
    """Lines of lager, or of its successor, which has the header on each line."""
    lines = []
    for number, (level, said) in enumerate(SAID):
        head = f"{stamp.format(number)} [{level}] <0.684.0> "
        lines += [(head if every or not n else "") + one for n, one in enumerate(said)]
    return [line.rstrip() for line in lines]


def json_lines() -> list[str]:
    return [
        pl.DataFrame({
            "time": f"2024-01-01 00:00:0{n}.000000+00:00", "level": level, "msg": "\n".join(said), "line": 1,
            "pid": "<0.684.0>", "domain": "rabbitmq",
        }).write_ndjson().strip()
        for n, (level, said) in enumerate(SAID)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "framing"),
    [
        (headed("2019-09-21 22:14:5{}.123", every=False), "rabbitmq-lager"),
        (headed("2024-01-01 00:00:0{}.000000+00:00", every=True), "rabbitmq"),
        (json_lines(), "rabbitmq-json"),
        (["2024-01-31T20:51:05.956123456Z stdout F " + line
          for line in headed("2024-01-01 00:00:0{}.000000+00:00", every=True)], "container+rabbitmq"),
        (["Jan  1 00:00:00 cc12 rabbitmq-server[99]: " + line
          for line in headed("2024-01-01 00:00:0{}.000000+00:00", every=True)], "syslog-traditional+rabbitmq"),
    ],
    ids=["lager", "3.9", "json", "container", "syslog"],
)  # fmt: skip
def test_the_same_events_in_every_later_layout(lines: list[str], framing: str) -> None:
    """formats.md 8.1: lager's continuation lines are bare, from 3.9 on each line has the header; JSON."""
    rows = events("\n".join(lines) + "\n")
    assert rows["kind"].to_list() == KINDS, framing
    first, name, auth, abort, alarm, promoted, partition, down = rows.iter_rows(named=True)
    assert (first["src"], first["src_port"], first["dst"], first["dst_port"]) == ("10.0.0.1", 41240, "10.0.0.2", 5672)
    assert {first["connection"], auth["connection"], abort["connection"]} == {"<0.684.0>"}
    assert name["connection_id"] == abort["connection_id"] == "dc749d8b-15ea-4ae3-b524-22b29b810880"
    assert (abort["vhost"], abort["user"]) == ("os", "nova")
    assert abort["reason"] == "client unexpectedly closed TCP connection"
    assert (alarm["node"], alarm["state"], alarm["severity"]) == ("rabbit@cc13", "set", "WARNING")
    assert promoted["queue"] == "compute.cc12"
    assert (partition["peer"], down["node"]) == ("rabbit@b", "rabbit@b")


def test_lines_without_their_framing_are_known_by_the_program() -> None:
    """formats.md 8.1: rsyslog and the journal of old brokers, Kolla's export; nobody else's lines are taken."""
    said = f"accepting AMQP connection <0.684.0> ({ENDS})"
    for program in ("rabbitmq", "rabbitmq-server", "beam.smp", "/usr/lib/erlang/bin/beam.smp"):
        assert leaves(log_records(said, program=program))[BrokerEvent]["kind"].to_list() == ["conn_open"], program
    assert leaves(log_records(f"[info] <0.1.0> {said}", program="rabbitmq"))[BrokerEvent].height == 1
    for program in ("nova-compute", "rabbitmq-exporter", None):
        assert BrokerEvent not in leaves(log_records(said, program=program))
    exported = (
        '{"Timestamp":"2024-01-01 00:00:00.000001+00:00","log_level":"info","Payload":"<0.684.0> ' + said
        + '","Hostname":"c1","programname":"rabbitmq"}\n'
    )  # fmt: skip
    assert events(exported).select("kind", "host", "connection").rows() == [("conn_open", "c1", "<0.684.0>")]


def test_one_line_gives_one_event_where_framing_and_program_both_name_the_broker() -> None:
    rows = leaves(log_records("rabbit on node rabbit@b up", program="rabbitmq-server", framing="rabbitmq-lager"))
    assert rows[BrokerEvent]["kind"].to_list() == ["node_up"]


def test_the_node_is_told_by_the_name_of_the_file() -> None:
    """formats.md 8.1: rabbit@host.log, its sasl and upgrade logs, and what logrotate makes of them."""
    line = "=INFO REPORT==== 7-Dec-2016::03:49:15 ===\nDisk free limit set to 50MB\n"
    for name in (
        "rabbit@cc12.log", "a/rabbit@cc12-sasl.log", "rabbit@cc12.log.1", "rabbit@cc12.log-20130217",
        "rabbit@cc12_upgrade.log",
    ):  # fmt: skip
        assert events(line, name)["node"].to_list() == ["rabbit@cc12"], name
    assert events(line, "rabbit@cc12.dair.ca.log")["node"].to_list() == ["rabbit@cc12.dair.ca"]
    assert events(line, "rabbitmq/startup_log")["node"].to_list() == [None]


def test_reports_of_later_brokers_say_error() -> None:
    """formats.md 8.2: supervisor and crash reports after sasl's own log was given up."""
    said = [
        "crasher:\n    initial call: rabbit_reader:init/3",
        "supervisor: {<0.1.0>,x}\n  errorContext: child_terminated",
    ]
    assert (
        leaves(log_records(*said, framing="rabbitmq", severity="ERROR"))[BrokerEvent]["kind"].to_list() == ["crash"] * 2
    )
    assert BrokerEvent not in leaves(log_records(*said, framing="rabbitmq", severity="INFO"))


def test_what_is_no_event_is_left() -> None:
    others = [
        "Running boot step rabbit_alarm defined by app rabbit", "Feature flags: list of feature flags found:",
        "connection", "started TCP listener on [::]:5672", "Making sure data directory '/x' for vhost '/' exists",
        "Enabling free disk space monitoring", "Starting message stores for vhost '/'", "",
    ]  # fmt: skip
    assert BrokerEvent not in leaves(log_records(*others, framing="rabbitmq-lager"))
    progress = log_records("supervisor: {local,sasl_safe_sup}", framing="rabbitmq-report", severity="PROGRESS")
    assert BrokerEvent not in leaves(progress)


def test_a_long_hostile_line_takes_linear_time() -> None:
    hostile = "closing AMQP connection <0.1.0> (" + "1:1 -> " * 100_000
    assert BrokerEvent not in leaves(log_records(hostile, framing="rabbitmq-lager"))


@pytest.mark.parametrize(
    "logger",
    ["nova.rpc.common", "nova.openstack.common.rpc.common", "neutron.openstack.common.rpc.common",
     "oslo.messaging._drivers.impl_rabbit", "oslo_messaging._drivers.impl_rabbit", "nova.rpc.impl_kombu"],
)  # fmt: skip
def test_clients_of_every_generation(logger: str) -> None:
    """formats.md 8.2, client side; the first line is of formats.md 1."""
    said = "AMQP server on localhost:5672 is unreachable: [Errno 111] ECONNREFUSED. Trying again in 23 seconds."
    trace = '\nTraceback (most recent call last):\n  File "x.py"'
    rows = events(
        f"2013-02-25 20:26:33 6619 ERROR {logger} [-] {said}{trace}\n"
        f"2013-02-25 20:26:56 6619 INFO {logger} [-] Reconnecting to AMQP server on 10.0.0.1:5672\n"
        f"2013-02-25 20:26:57 6619 INFO {logger} [-] Connected to AMQP server on 10.0.0.1:5672\n",
        "nova-api.log",
    )
    assert rows["kind"].to_list() == ["client_unreachable", "client_reconnecting", "client_connected"]
    assert rows["dst"].to_list() == [None, "10.0.0.1", "10.0.0.1"]
    assert rows.select("node", "reason", "duration_s").row(0) == ("localhost", "[Errno 111] ECONNREFUSED", 23.0)


def test_other_loggers_do_not_speak_of_brokers() -> None:
    assert BrokerEvent not in leaves(log_records("Connected to AMQP server on 10.0.0.1:5672", logger="nova.compute"))


def test_a_broker_of_a_public_cloud() -> None:
    """MANIFEST: 1409 accepting, 1280 closing of which 1246 unexpected; memory high watermark 409 MiB."""
    name = "logs/rabbitmq/rabbit@juju-04f1e3-1-lxd-5.log"
    rows = events((evidence_root() / name).read_text(), name)
    counts = Counter(rows["kind"])
    assert counts["conn_open"] == 1409
    assert (counts["conn_abort"], counts["conn_abort"] + counts["conn_close"]) == (1246, 1280)
    assert (counts["startup"], counts["ready"], counts["memory_limit"]) == (3, 3, 3)
    assert set(rows.filter(kind="memory_limit")["limit_bytes"]) == {429496729}
    assert set(rows.filter(kind="startup")["version"]) == {"3.8.2"}
    assert set(rows.filter(kind="conn_abort")["reason"]) == {"client unexpectedly closed TCP connection"}
    assert set(rows["node"]) == {"rabbit@juju-04f1e3-1-lxd-5"}
    connections = rows.filter(pl.col("kind").str.starts_with("conn_"))
    assert connections.select("src", "src_port", "dst", "dst_port", "connection").null_count().row(0) == (0,) * 5
    named = rows.filter(kind="conn_name")
    assert named["connection_id"].null_count() == 0
    assert named["client_name"].str.contains(r"^[a-z0-9-]+:\d+:[0-9a-f-]{36}$").all()
    assert str(rows["ts"].max()) < "2022-02-10 05:01:52"
