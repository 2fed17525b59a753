"""A client's leases by RFC 2131 section 4.4.5: the first renewal without effect, and whether the lease was lost."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._lease_lapse import unheard
from forensics.analysis._lease_messages import Message

FOREVER_S = 0xFFFF_FFFF
SOON_NS = 10 * SECOND_NS


@dataclass(slots=True)
class Lease:
    """A lease that the client took: the acknowledgement, and how long it holds."""

    ack: Message
    lease_s: float | None
    t1_s: float | None
    t2_s: float | None

    @property
    def ends(self) -> int | None:
        """When it runs out, nanoseconds."""
        if self.lease_s is None or self.lease_s >= FOREVER_S:
            return None
        return self.ack.at + round(self.lease_s * SECOND_NS)


@dataclass(slots=True)
class Attempt:
    """One failed attempt of a client to keep its lease."""

    lease: Lease | None
    asked: list[Message] = field(default_factory=list)
    """What the client sent in vain: REQUESTs, and DISCOVERs after them."""
    answers: list[Message] = field(default_factory=list)
    """What servers sent in the same time."""
    recovered: Message | None = None
    """The acknowledgement that gave it an address again."""
    gone: bool = False
    """The client fell silent with a lease to renew."""
    expired: bool = True
    """The lease ran out inside the evidence."""
    renewals: int = 0
    """How often it had renewed before."""
    usual_s: float | None = None
    """Its usual time between renewals."""
    events: list[dict[str, object]] = field(default_factory=list)
    until: int = 0
    """When the client itself says that the lease was lost, where only that is known (ns)."""

    @property
    def first(self) -> Message | None:
        """The first renewal without effect."""
        return self.asked[0] if self.asked else None

    @property
    def ends(self) -> int:
        """The client's last message of the attempt or the end of its lease, whichever is later (ns)."""
        last = max((message.surest for message in self.asked), default=0)
        return max(last, (self.lease and self.lease.ends) or 0, self.until)

    @property
    def refusals(self) -> list[Message]:
        """Every no that it was given."""
        refused = [message for message in self.asked if message.refusal]
        return [message for message in self.answers if message.kind == "NAK"] + refused


def state_of(request: Message, before: list[Message]) -> str:
    """Which state a REQUEST was sent in (RFC 2131 table 4): selecting, rebooting, renewing, rebinding or unknown."""
    offered = any(message.kind == "OFFER" and 0 <= request.at - message.at <= SOON_NS for message in before[-4:])
    captured = bool(request.at_points("capture"))
    if captured and not request.ciaddr:
        return "selecting" if request.names_server or offered else "rebooting"
    if offered:
        return "selecting"
    if request.unicast:
        return "renewing"
    if request.unicast is False and (captured or any(message.unicast for message in before[-6:])):
        return "rebinding"
    return "unknown"


def usual_gap_s(messages: list[Message]) -> float | None:
    """The usual time between renewals, where nobody tells how long a lease is: half of all time lies in longer gaps."""
    requests = [message for message in messages if message.kind == "REQUEST"]
    anew = [later for former, later in pairwise(requests) if later.xkey is not None and later.xkey != former.xkey]
    # A repeated transaction id is a retry, as long as the client changes its ids at all.
    asked = [message.at for message in (anew if len(anew) >= 4 else requests)]
    gaps = sorted((b - a) / SECOND_NS for a, b in pairwise(asked) if b - a >= SECOND_NS)
    if len(gaps) < 3:
        return None
    most = 4 * median(gaps[-max(3, len(gaps) // 2) :])  # hours of absence are no renewal interval
    capped = [min(gap, most) for gap in gaps]
    half, passed = sum(capped) / 2, 0.0
    for gap in capped:
        passed += gap
        if passed >= half:
            return gap
    return gaps[-1]


def attempts(
    messages: list[Message], events: list[dict[str, object]], horizon: int, lease_hint_s: float | None
) -> list[Attempt]:
    """Walk through a client's messages and return the attempts in which it lost its lease.

    A renewal had an effect if the client behaves so: after an acknowledgement it rests until about T1. A client that
    asks again much earlier did not take the answer. One that has an effect before the lease ends costs nobody anything.

    Args:
        messages: Of one client, each once, in order.
        events: What its own log says beside messages, with ``at`` (ns) and ``event``.
        horizon: Until when the evidence that shows this client goes on (ns).
        lease_hint_s: Lease time from the server's own log, where no message tells it.

    Returns:
        Attempts in order of time. None for a client that kept or gave back its lease.
    """
    usual = usual_gap_s(messages)
    told = [message for message in messages if message.kind in ("DISCOVER", "REQUEST", "RELEASE", "DECLINE")]
    visible = _answers_visible(messages)
    times = [message.at for message in messages]
    logged = any(seen.seen_by == "client" for message in told for seen in message.sightings)
    bound_at = sorted(int(str(event["at"])) for event in events if event["event"] == "bound")
    lost_acks = unheard(messages, lease_hint_s)
    failed: list[Attempt] = []
    lease: Lease | None = None
    open_attempt: Attempt | None = None
    renewals, bound_before = 0, False
    for place, message in enumerate(told):
        following = told[place + 1] if place + 1 < len(told) else None
        until = following.at if following else horizon + SECOND_NS
        here = bisect_left(times, message.at)
        soon = messages[here : bisect_left(times, min(until, message.at + 60 * SECOND_NS))] if visible else []
        answers = [m for m in soon if not m.by_client]
        before = messages[max(here - 6, 0) : here]
        if open_attempt and message.kind == "REQUEST" and (kept := _kept(open_attempt, message)):
            open_attempt.recovered = kept
            failed.append(open_attempt)
            renewals += 1
            lease, open_attempt = _lease(kept, lease, lease_hint_s), None
        if message.kind == "RELEASE":
            open_attempt, lease = None, None
            continue
        if message.kind == "DISCOVER":
            if open_attempt:
                offered = any(m.kind == "OFFER" for m in answers)
                if not (offered and following and following.kind == "REQUEST" and following.at - message.at < SOON_NS):
                    open_attempt.asked.append(message)
                open_attempt.answers += answers
            elif bound_before and lease and _lapsed(lease, message.at):
                lease = None  # it was away: the lease ran out while nobody was there to renew it
            continue
        if message.kind != "REQUEST":
            continue
        state = state_of(message, before)
        acks = [
            m
            for m in answers
            if m.kind == "ACK" and (m.lease_s is not None or m.cut or not m.at_points("capture"))
            if m.at not in lost_acks or _was_heard(m)
        ]
        naks = [m for m in answers if m.kind == "NAK"]
        taken = next((ack for ack in acks if _was_heard(ack)), None)
        if (
            acks
            and not taken
            and _took(message, acks[0], following, open_attempt, lease, usual, logged, bound_at, lease_hint_s)
        ):
            taken = acks[0]
        if taken is None and not acks and not naks and _rests(message, following, lease, usual, lease_hint_s):
            taken = message if visible is False else None
        if taken:
            if open_attempt:
                open_attempt.recovered = taken
                failed.append(open_attempt)
                open_attempt = None
            renews = state in ("renewing", "rebinding") or (state == "unknown" and lease)
            renewals = renewals + 1 if renews else 0
            lease, bound_before = _lease(taken, lease, lease_hint_s), True
            continue
        bound = bool(lease) or state in ("renewing", "rebinding")
        if open_attempt is None and not (bound and visible is not None):
            continue
        if open_attempt is None:
            if state in ("selecting", "rebooting") and not naks:
                continue  # a boot, however it goes on, is no renewal
            open_attempt = Attempt(lease=lease, renewals=renewals)
        open_attempt.asked.append(message)
        open_attempt.answers += answers
    if open_attempt:
        failed.append(open_attempt)
    for attempt in failed:
        _settle(attempt, messages, horizon)
        ends = max(attempt.ends, attempt.recovered.at if attempt.recovered else horizon)
        start = attempt.asked[0].at - SECOND_NS
        attempt.events = [event for event in events if start <= int(str(event["at"])) <= ends]
        attempt.usual_s = usual
        said = {event["event"] for event in attempt.events} & {"expired", "no_offers"}
        attempt.expired = attempt.expired or bool(said) or any(m.kind == "DISCOVER" for m in attempt.asked)
    lost = [attempt for attempt in failed if _is_lost(attempt, usual, horizon)]
    gone = _gone(lease, told, renewals, usual, horizon) if not open_attempt else None
    return lost + ([gone] if gone else [])


def _answers_visible(messages: list[Message]) -> bool | None:
    """Whether answers to this client would be seen: None where only its broadcasts are, as at any third host."""
    if any(not message.by_client for message in messages):
        return True
    if any(message.at_points("client") or message.at_points("server") for message in messages):
        return True
    return True if any(message.unicast for message in messages) else None


def _was_heard(ack: Message) -> bool:
    """Whether the client's own log says that the answer came."""
    return bool(ack.at_points("client"))


def _lease(taken: Message, before: Lease | None, hint_s: float | None) -> Lease:
    lease_s = taken.lease_s or (before.lease_s if before else None) or hint_s
    t1, t2 = lease_s and lease_s * 0.5, lease_s and lease_s * 0.875
    if lease_s and taken.rebinding_s and 0 < taken.rebinding_s <= lease_s:
        t2 = taken.rebinding_s
    if taken.at_points("capture") and taken.renewal_s and 0 < taken.renewal_s <= (t2 or FOREVER_S):
        t1 = taken.renewal_s  # times that contradict each other are not the client's either
    return Lease(taken, lease_s, t1, t2)


def _kept(attempt: Attempt, request: Message) -> Message | None:
    """The answer that a client must have taken: it still asks the server alone when it had to ask everybody by now.

    Whoever renews much earlier than the server says looks as if it did not hear the answers, until T2 comes and it
    does not rebind (RFC 2131 section 4.4.5).
    """
    acks = [message for message in attempt.answers if message.kind == "ACK" and message.at < request.at]
    lease = attempt.lease
    if not acks or lease is None or lease.lease_s is None or lease.t2_s is None or request.unicast is not True:
        return None
    late_s = max(2.0, 0.03 * lease.lease_s) + request.half / SECOND_NS
    due = lease.ack.at + round((min(lease.t2_s, lease.lease_s) + late_s) * SECOND_NS)
    patient = any(message.unicast is False or message.kind == "DISCOVER" for message in attempt.asked)
    return acks[-1] if request.at > due and not patient else None


def _is_habit(attempt: Attempt) -> bool:
    """Whether a client that is answered each time asks at an even pace, as one that renews early."""
    asked = [message.at for message in attempt.asked]
    acks = sum(message.kind == "ACK" for message in attempt.answers)
    gaps = [(b - a) / SECOND_NS for a, b in pairwise(asked)]
    lease_s = attempt.lease.lease_s if attempt.lease else None
    even = len(gaps) >= 2 and max(gaps) <= 1.7 * min(gaps)
    return even and acks >= len(asked) and min(gaps) >= min(0.05 * lease_s if lease_s else 30.0, 60.0)


def _is_early(attempt: Attempt) -> bool:
    """Whether an answered client asked long before T1, which no client in need does: it renews when it likes."""
    lease = attempt.lease
    if lease is None or not lease.t1_s or not any(message.kind == "ACK" for message in attempt.answers):
        return False
    return attempt.asked[0].at - lease.ack.at < 0.4 * lease.t1_s * SECOND_NS


def _lapsed(lease: Lease, at: int) -> bool:
    return lease.ends is not None and at > lease.ends


def _took(
    request: Message,
    ack: Message,
    following: Message | None,
    attempt: Attempt | None,
    lease: Lease | None,
    usual: float | None,
    logged: bool,
    bound_at: list[int],
    hint_s: float | None,
) -> bool:
    """Whether the client took an answer, by what it did next, and by its own log where there is one."""
    first = bisect_left(bound_at, ack.at - SECOND_NS)
    if first < len(bound_at) and bound_at[first] <= ack.at + 3 * SECOND_NS:
        return True
    if logged and request.at_points("client"):
        return False  # its log tells of the question and of no answer
    if following is None:
        # Who asks for what it was offered has heard the offer, and hears the answer too.
        return attempt is None or state_of(request, attempt.asked + attempt.answers) == "selecting"
    gap_s = (following.at - request.at) / SECOND_NS
    lease_s = ack.lease_s or (lease.lease_s if lease else None) or hint_s
    if following.kind in ("RELEASE", "DECLINE"):
        return True
    if following.kind == "DISCOVER":
        if attempt is not None:
            return gap_s > (0.3 * lease_s if lease_s else usual or 30)
        ends = lease.ends if lease else None
        return not (ends and abs(following.at - ends) < max(2 * SECOND_NS, int((lease_s or 0) * 0.02 * SECOND_NS)))
    next_state = state_of(following, [])
    if next_state in ("selecting", "rebooting"):
        return True
    if following.ciaddr and not request.ciaddr and request.at_points("capture"):
        return True  # only who has taken an address writes it there (RFC 2131 table 5)
    if next_state == "rebinding" and request.unicast and usual and not lease_s:
        return gap_s > 1.2 * usual
    if next_state == "rebinding" and lease_s:
        # Some clients ask everybody from T1 on (udhcpc with short leases); others only at T2 of what they hold.
        t2_at = lease.ack.at + round(lease.t2_s * SECOND_NS) if lease and lease.t2_s else None
        if t2_at is None:
            return gap_s >= 0.42 * lease_s
        near_s = (0.03 * lease_s + 1) * SECOND_NS
        # Who renews by unicast asks everybody at the first retry after T2, which may be much later than T2.
        at_t2 = following.at >= t2_at - near_s if request.unicast else abs(following.at - t2_at) <= near_s
        if state_of(request, attempt.asked + attempt.answers if attempt else []) == "selecting":
            return gap_s >= 0.3 * lease_s
        return gap_s >= (0.8 if at_t2 else 0.45 if attempt else 0.3) * lease_s
    if ack.renewal_s and ack.renewal_s <= (lease_s or FOREVER_S):
        return gap_s >= 0.6 * ack.renewal_s
    if lease_s:
        return gap_s >= 0.3 * lease_s
    return gap_s >= 0.5 * usual if usual else gap_s > 5


def _rests(
    request: Message,
    following: Message | None,
    lease: Lease | None,
    usual: float | None,
    hint_s: float | None,
) -> bool:
    """Whether the client rests as one that was answered, though nobody shows the answer."""
    if following is None or not following.unicast:
        return False
    gap_s = (following.at - request.at) / SECOND_NS
    lease_s = (lease.lease_s if lease else None) or hint_s
    return gap_s >= 0.3 * lease_s if lease_s else bool(usual and gap_s >= 0.6 * usual)


def _settle(attempt: Attempt, messages: list[Message], horizon: int) -> None:
    """Take off what belongs to the recovery, and say whether the lease ran out inside the evidence."""
    last = attempt.asked[-1]
    if attempt.recovered and len(attempt.asked) > 1 and last.kind == "DISCOVER":
        offered = any(m.kind == "OFFER" and 0 <= m.at - last.at < SOON_NS for m in messages)
        if offered and attempt.recovered.at - last.at < SOON_NS:
            attempt.asked.pop()
    ends = attempt.lease.ends if attempt.lease else None
    attempt.expired = bool(ends and ends <= (attempt.recovered.at if attempt.recovered else horizon))


def _is_lost(attempt: Attempt, usual: float | None, horizon: int) -> bool:
    """Whether the client was left without its lease."""
    requests = [message for message in attempt.asked if message.kind == "REQUEST"]
    ends = attempt.lease.ends if attempt.lease else None
    first, last = attempt.asked[0], attempt.asked[-1]
    refused = any(m.kind == "NAK" for m in attempt.answers)
    if attempt.recovered:
        if refused and attempt.recovered.at - first.at < SOON_NS:
            return False  # told no, and given an address at once
        if ends is not None:
            return attempt.recovered.at > ends + SECOND_NS + attempt.recovered.half
    elif ends is not None and ends <= horizon:
        return True
    if any(event["event"] in ("expired", "no_offers") for event in attempt.events):
        return True
    if refused and not attempt.recovered:
        return horizon - first.at > SOON_NS
    if any(message.kind == "DISCOVER" for message in attempt.asked):
        since_s = (last.at - attempt.lease.ack.at) / SECOND_NS if attempt.lease else None
        return ends is not None or since_s is None or usual is None or since_s >= 1.6 * usual or not attempt.recovered
    if attempt.recovered:
        return False
    if attempt.asked[-1].unicast is not False and (_is_habit(attempt) or _is_early(attempt)):
        return False
    waited = horizon - last.at >= 2 * SECOND_NS
    rebinding = [message for message in requests if message.unicast is False]
    span_s = (last.at - first.at) / SECOND_NS
    lease_s = attempt.lease.lease_s if attempt.lease else None
    if rebinding and waited:
        return len(requests) > 1
    return waited and len(requests) >= 3 and span_s >= (0.1 * lease_s if lease_s else 20)


def _gone(lease: Lease | None, told: list[Message], renewals: int, usual: float | None, horizon: int) -> Attempt | None:
    """A client that had a lease, had renewed it before, and let it run out without a word."""
    if lease is None or lease.ends is None or lease.lease_s is None:
        return None
    margin = max(5 * SECOND_NS, int(lease.lease_s * 0.05 * SECOND_NS))
    later = [message for message in told if message.at > lease.ack.at + 5 * SECOND_NS]
    due = max(lease.ends + margin, lease.ack.at + round(1.5 * (usual or 0) * SECOND_NS))  # leases shorter than its pace
    if later or horizon < due:
        return None
    return Attempt(lease=lease, gone=True, renewals=renewals)
