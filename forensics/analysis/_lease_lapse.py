"""What the end of a lease proves: who begins anew just then has taken none of the answers since it was granted."""

from __future__ import annotations

from bisect import bisect_left

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._lease_messages import Message


def unheard(messages: list[Message], hint_s: float | None) -> frozenset[int]:
    """Times of acknowledgements that the client cannot have taken.

    A client whose lease runs out goes back to INIT (RFC 2131 section 4.4.5) and sends DISCOVERs. Where that happens
    exactly one lease time after an earlier answer, and the offers, too, are left without a REQUEST, it has lived on
    that answer: whatever was sent to it since then did not get through. A client that merely boots anew takes the
    first offer, and does not wait for the end of a lease.

    Args:
        messages: Of one client, each once, in order.
        hint_s: Lease time from the server's own log, where no message tells it.
    """
    told = [message for message in messages if message.by_client]
    times, acks = [message.at for message in messages], [message for message in messages if message.kind == "ACK"]
    lost: set[int] = set()
    for place, first in enumerate(told):
        burst = told[place : place + 2]
        if len(burst) < 2 or any(message.kind != "DISCOVER" for message in burst):
            continue
        if place and told[place - 1].kind != "REQUEST":
            continue
        between = messages[bisect_left(times, first.at) : bisect_left(times, burst[1].at)]
        if not any(message.kind == "OFFER" for message in between):
            continue
        granted = [m for m in acks if m.at < first.at and _ends_at(m, first, hint_s)]
        if granted:
            lost |= {m.at for m in acks if granted[-1].at < m.at < first.at}
    return frozenset(lost)


def _ends_at(ack: Message, discover: Message, hint_s: float | None) -> bool:
    lease_s = ack.lease_s or hint_s
    if not lease_s:
        return False
    slack = 2 * SECOND_NS + round(0.02 * lease_s * SECOND_NS) + ack.half + discover.half
    return abs(discover.at - ack.at - round(lease_s * SECOND_NS)) <= slack
