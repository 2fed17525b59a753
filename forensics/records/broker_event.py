"""BrokerEvent: what RabbitMQ, or a client of it, says of connections, memory, queues and nodes."""

from __future__ import annotations

from forensics.records._record import Observed, address, choice, number, seconds, size, text


class BrokerEvent(Observed):
    """One message of a broker's log (or of an OpenStack service about its broker)."""

    kind = choice(
        "what happened",
        "startup",
        "ready",
        "shutdown",
        "conn_open",
        "conn_auth",
        "conn_name",  # a client said its own name
        "conn_close",
        "conn_abort",  # closed without goodbye, or for a reason that `reason` gives
        "channel_error",
        "memory_limit",  # the limit, as announced
        "memory_mark",  # the high watermark was crossed; `state` says which way
        "alarm",  # a resource alarm was set or cleared, see `resource` and `state`
        "disk_limit",
        "disk_low",
        "promoted",  # a mirror became the leader
        "mirror_died",
        "node_down",
        "node_up",
        "partition",
        "minority",
        "client_connected",  # told by a client
        "client_unreachable",
        "client_reconnecting",
        "client_blocked",  # the broker makes it wait (or no longer, see `state`)
        "crash",  # a supervisor's or process's report
        "other",
    )
    state = choice("for marks and alarms", "set", "clear", nullable=True)
    resource = text("memory, disk, or another resource of an alarm", nullable=True)
    node = text("node that the line names, or whose log it is", nullable=True)
    peer = text("the other node", nullable=True)
    connection = text("Erlang process of the connection", nullable=True)
    src = address("client's address")
    src_port = number("client's port", bits=16, nullable=True)
    dst = address("broker's address")
    dst_port = number("broker's port", bits=16, nullable=True)
    client_name = text("name that the client gave: nova-compute:7:…", nullable=True)
    vhost = text("virtual host", nullable=True)
    user = text("broker's user", nullable=True)
    queue = text("queue that the line names", nullable=True)
    reason = text("why, as the line words it", nullable=True)
    used_bytes = size("memory in use, or disk that is free for `disk_low`", nullable=True)
    limit_bytes = size("limit", nullable=True)
    duration_s = seconds("how long the connection lasted, or the wait before the next try", nullable=True)
    version = text("version of the broker", nullable=True)
    severity = text("level word of the line", nullable=True)
    message = text("the line's message")
    connection_id = text("uuid of an OpenStack client's connection: both sides name it", nullable=True)
