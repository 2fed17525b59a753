"""BrokerTransfer: one message that was carried over AMQP 0-9-1."""

from __future__ import annotations

from forensics.records._record import Observed, address, choice, instant, number, size, text


class BrokerTransfer(Observed):
    """One AMQP 0-9-1 content: a publish or a delivery. ``ts`` and position are those of its method frame."""

    method = choice("which", "publish", "deliver", "get-ok", "return")
    src = address("sender")
    src_port = number("sender's port", bits=16, nullable=True)
    dst = address("receiver")
    dst_port = number("receiver's port", bits=16, nullable=True)
    channel = number("channel", bits=16, nullable=True)
    exchange = text("exchange", nullable=True)
    routing_key = text("routing key: topic.host, or reply_… of an RPC answer", nullable=True)
    consumer_tag = text("consumer", nullable=True)
    body_bytes = size("size of the whole content, from its header", nullable=True)
    seen_bytes = size("octets of it that the capture holds", nullable=True)
    carried_bytes = size("octets of the stream from its method frame to the next, by sequence numbers", nullable=True)
    ended_at = instant("last packet of the content", nullable=True)
    correlation_id = text("correlation id", nullable=True)
    reply_to = text("queue for the answer", nullable=True)
    rpc_method = text("method of an OpenStack RPC call, from the body", nullable=True)
    msg_id = text("_msg_id of an OpenStack RPC call", nullable=True)
    request_id = text("request id of an OpenStack RPC call", nullable=True)
    instance = text("instance that the call is about", nullable=True)
    connection = text("address:port pair, client first")
