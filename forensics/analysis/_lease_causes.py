"""Which of the seven causes it was: decided by what each source proves, and how sure that is."""

from __future__ import annotations

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._lease_exclusions import resumed, rule_out
from forensics.analysis._lease_messages import Message, citations
from forensics.analysis._lease_scene import Scene, View
from forensics.analysis._lease_verdict import Verdict
from forensics.records.finding import Reference


def verdict(scene: Scene) -> Verdict:
    """Decide the cause of one failed attempt.

    A cause is `proven` only where every link is a cited packet or line; where a link is inferred from rates, from
    what the client answers, or from a log's silence, it is `likely`; where sources are missing, `possible`, and what
    could not be told apart stays open.
    """
    attempt = scene.attempt
    if attempt.gone:
        return _gone(scene)
    requests = [message for message in attempt.asked if message.kind == "REQUEST"]
    acks = [message for message in attempt.answers if message.kind == "ACK"]
    if attempt.refusals and (any(m.kind == "NAK" for m in attempt.answers) or not acks):
        return _refused(scene)
    denied = tuple(
        event["reference"]
        for event in attempt.events
        if event["event"] == "refused" and isinstance(event["reference"], Reference)
    )
    if attempt.until and denied:
        found = Verdict("refused", "likely", "its own log says that a server refused the address", denied)
        found.open["client-deaf"] = "the refusal may have come from a server that is not its own"
        found.next_evidence.append("the DHCP server's log for that time")
        return found
    found = _dead(scene) or _by_capture(scene, requests, acks) or _by_logs(scene, requests, acks)
    rule_out(found, scene, requests, acks)
    if scene.cut:
        found.confidence = "likely" if found.confidence == "proven" else found.confidence
        found.next_evidence.append(
            "captures with whole packets (tcpdump -s 0): these cut off the type of DHCP messages"
        )
    return found


def _gone(scene: Scene) -> Verdict:
    lease = scene.attempt.lease
    exits = [event for event in scene.attempt.events if event["event"] == "exited"]
    seen = [scene.sent_after[1]] if scene.sent_after else []
    seen += [scene.log_goes_on] if scene.log_goes_on else []
    near = scene.near if lease and scene.near and scene.near.point in lease.ack.at_points("capture") else None
    watched = near if near and near.at_client and scene.sent_after and not scene.cut else None
    sure = "proven" if (exits or watched) and seen else "likely"
    refs = tuple(event["reference"] for event in exits if isinstance(event["reference"], Reference))
    because = "the host went on after its lease had ended, and no DHCP message of it was seen any more"
    if watched:
        because = f"all through the lease {watched.point} holds what the host sent, and no DHCP message is among it"
    if exits:
        because = "its own log says that the DHCP client ended, and the host went on without one"
    found = Verdict("client-gone", sure, because, (*(lease.ack.references() if lease else ()), *refs, *seen))
    for cause in ("server-silent", "reply-not-delivered", "client-deaf", "refused"):
        found.ruled_out[cause] = ("there was no request that could have been left without an answer", refs)
    if watched:
        found.ruled_out["request-not-delivered"] = (f"no request left it at {watched.point}", tuple(seen))
    if not scene.attempt.asked and scene.near and not scene.near.at_client and not exits:
        found.open["request-not-delivered"] = f"requests may have been lost before {scene.near.point}"
    if not exits:
        processes = "`ps -C dhclient,dhcpcd,udhcpc` on it"
        missing = "the list of its processes:" if scene.client_log else "the client's own log, and"
        found.next_evidence.append(f"{missing} {processes}")
    return found


def _refused(scene: Scene) -> Verdict:
    refusals = scene.attempt.refusals
    why = sorted({message.refusal for message in refusals if message.refusal})
    said = f" ({'; '.join(why)})" if why else ""
    found = Verdict("refused", "proven", f"the server said no{said}", citations(refusals))
    for cause in ("server-silent", "request-not-delivered"):
        found.ruled_out[cause] = ("the server received the request and answered it with a refusal", citations(refusals))
    anew = citations([message for message in scene.attempt.asked if message.kind == "DISCOVER"][:1])
    for cause in ("reply-not-delivered", "client-deaf", "link-dead-before-dhcp"):
        if anew:
            found.ruled_out[cause] = ("the client heard the refusal: it began anew", anew)
        else:
            found.open[cause] = "nothing shows whether the client heard the refusal"
    found.ruled_out["client-gone"] = ("it still asked", citations(scene.attempt.asked[-1:]))
    return found


def _dead(scene: Scene) -> Verdict | None:
    """Whether nothing at all reached the client any more since before its first unanswered renewal."""
    near, first = scene.near, scene.attempt.first
    if first is None:
        return None
    start = first.stated
    lost = [event for event in scene.attempt.events if event["event"] == "carrier_lost"]
    if near and near.last and not resumed(near, scene):
        silence = scene.attempt.asked[-1].at - near.last[0]
        lead = start - near.last[0]
        if scene.attempt.lease and scene.attempt.lease.ends:
            silence = max(silence, min(scene.attempt.lease.ends, scene.attempt.ends) - near.last[0])
        expected = near.arrivals_before >= 10 and silence > 3 * near.longest_gap_ns + SECOND_NS
        missed = [probe for probe in scene.probes_lost if probe[0] > near.last[0] + 2 * near.bound]
        missed = [probe for probe in missed if probe[1].source != near.last[1].source]
        before = [probe for probe in missed if probe[0] < start - 2 * near.bound]
        if expected or len(missed) >= 3:
            surely = bool(before) or (near.arrivals_before >= 20 and lead > 2 * near.longest_gap_ns)
            shown = tuple(probe[1] for probe in (before or missed)[:3])
            refs = (near.last[1], *first.references(), *shown)
            because = (
                f"the last frame that reached it at {near.point} came {lead / 1e9:.3f} s before the first renewal "
                "that was left without an answer, and none came afterwards"
            )
            found = Verdict("link-dead-before-dhcp", "proven" if surely else "likely", because, refs, near.last)
            if not surely:
                found.open["reply-not-delivered"] = (
                    "frames reached it too rarely to say that the link died before the request and not just after it"
                )
                found.next_evidence.append("a capture on the next hop at the same time, to see what was sent to it")
            return found
    if scene.heard_last and not scene.heard_after and scene.heard_before >= 3 and len(scene.probes_lost) >= 3:
        if near and near.at_client:
            return None  # what reached its own capture has reached it
        at, ref, what = scene.heard_last
        because = (
            f"its last {what} came {(start - at) / 1e9:.3f} s before that renewal, and nothing that was sent to it "
            f"since then was answered ({len(scene.probes_lost)} questions and segments)"
        )
        refs = (ref, *first.references(), *(probe[1] for probe in scene.probes_lost[:3]))
        sure = "likely" if scene.probes_before or start - at < 30 * SECOND_NS else "possible"
        found = Verdict("link-dead-before-dhcp", sure, because, refs, (at, ref))
        found.open["reply-not-delivered"] = "no capture on the client's own side shows what reached it"
        found.open["client-deaf"] = "the client itself may ignore what reaches it: only a capture inside it tells"
        if not scene.probes_before:
            found.open["reply-not-delivered"] += ", and nothing asked it for an answer just before that renewal"
        found.next_evidence.append(
            "a capture inside the client, or on its tap device and inside it, until it happens again"
        )
        return found
    if lost and int(str(lost[0]["at"])) <= start + SECOND_NS:
        said = tuple(event["reference"] for event in lost[:1] if isinstance(event["reference"], Reference))
        found = Verdict("link-dead-before-dhcp", "likely", "its own log says that the carrier was lost before", said)
        found.open["reply-not-delivered"] = "no capture shows what still reached it"
        return found
    return None


def _by_capture(scene: Scene, requests: list[Message], acks: list[Message]) -> Verdict | None:
    near, far = scene.near, scene.far
    if near is None:
        return None
    if here := scene.seen_at(near, acks):
        return _answer_is_there(scene, near, here, requests)
    first = citations(requests[:3])
    other = (near.resumed[1],) if near.resumed else ()
    if acks:
        because = f"the server answered {len(acks)} times, and no answer passed {near.point}"
        found = Verdict(
            "reply-not-delivered", "proven" if other else "likely", because, (*first, *citations(acks[:3]), *other)
        )
        if (near.at_server or near.shared) and not near.at_client:
            found.confidence = "likely"
        if not other:
            found.confidence = "possible"
            found.open["link-dead-before-dhcp"] = (
                "nothing else was due to reach it in that time, so the link may have been dead"
            )
            found.next_evidence.append(
                "a steady ping to the client while it is captured: it tells a dead link from a lost answer"
            )
        return found
    if scene.port_closed:
        because = "the server's host answered that nobody listens on its DHCP port"
        return Verdict("server-silent", "proven", because, (*first, scene.port_closed[1]))
    at_far = scene.seen_at(far, requests)
    logged = [message for message in requests if message.at_points("server")]
    reached = logged or at_far or (scene.seen_at(near, requests) if near.at_server or near.shared else [])
    sure = bool(logged) or near.at_server or bool(far and far.at_server)
    if reached and (sure or not scene.server_log):
        because = "the request reached the server and no answer left it"
        found = Verdict("server-silent", "proven" if sure else "likely", because, citations(reached[:3]))
        if not sure:
            found.open["request-not-delivered"] = f"{(far or near).point} may not be the last hop before the server"
            found.next_evidence.append("the DHCP server's log, or a capture on its host")
        return found
    if far and not at_far:
        because = f"the request was seen at {near.point} and never at {far.point}"
        if not scene.seen_at(near, requests):
            because = f"the client says that it asked, and no request passed {near.point}"
        return Verdict("request-not-delivered", "proven", because, first)
    if scene.server_log:
        return _down(scene, first) or _unlogged(scene, first, (far if at_far else near) or near, requests)
    if not scene.seen_at(near, requests) and not near.at_client and scene.seen_at(near, scene.messages):
        because = f"the client says that it asked, and no request passed {near.point}, which holds earlier ones"
        found = Verdict("request-not-delivered", "likely", because, (*first, *citations(scene.messages[:1])))
        found.open["link-dead-before-dhcp"] = f"nothing shows what still reached the client behind {near.point}"
        found.next_evidence.append("a capture on the client's tap device, to see whether the requests leave it")
        return found
    return _only_asked(scene, requests, f"{near.point} holds the requests and no answer")


def _down(scene: Scene, refs: tuple[Reference, ...]) -> Verdict | None:
    """Whether the server's log shows that it served nobody any more."""
    if scene.server_stopped:
        because = "the server's own log says that it ended before, and it was not started again"
        return Verdict("server-silent", "likely", because, (*refs, scene.server_stopped[1]))
    if not scene.served_before or scene.served_others:
        return None
    found = Verdict(
        "server-silent", "likely", "the server's log goes on, and it has no answer to anybody any more", refs
    )
    found.open["request-not-delivered"] = "the log shows no request either: the whole network may be cut off from it"
    found.next_evidence.append("a capture on the DHCP server's host while it happens")
    return found


def _unlogged(scene: Scene, refs: tuple[Reference, ...], last: View, requests: list[Message]) -> Verdict:
    """A server that serves others has no line of a request: what it receives it logs before it answers."""
    because = f"the request was seen at {last.point} and never in the server's log"
    if not scene.seen_at(last, requests):
        because = f"the client says that it asked, and no request passed {last.point}"
    others = (scene.served_others,) if scene.served_others else ()
    found = Verdict("request-not-delivered", "likely" if others else "possible", because, (*refs, *others))
    if not others:
        found.open["server-silent"] = (
            "the log shows no answer to anybody else in that time: the server may have been down"
        )
    found.next_evidence.append("a capture on the DHCP server's host while it happens")
    return found


def _answer_is_there(scene: Scene, near: View, here: list[Message], requests: list[Message]) -> Verdict:
    """The answer is in the capture nearest to the client, and the client asks again."""
    refs = citations([*requests[:2], *here[:2], *requests[-1:]])
    because = f"the answer is in the capture at {near.point}, and the client asked again all the same"
    if near.at_client:
        return Verdict("client-deaf", "proven", because, refs)
    heard = (scene.heard_after[1],) if scene.heard_after else ()
    remote = near.side > 0 and not scene.far
    if near.at_server or remote or (near.shared and not scene.far and near.side >= 0):
        told = "it still answered other traffic" if heard else "nothing shows what reached it"
        found = Verdict(
            "reply-not-delivered",
            "likely" if heard else "possible",
            f"answers left {near.point}, {told}, and the client asked again"
            + (f"; {near.side_because}" if remote and not near.at_server else ""),
            (*refs, *heard),
        )
        found.open["client-deaf"] = "no capture on the client's side shows whether the answer reached it"
        if not heard:
            found.open["link-dead-before-dhcp"] = "no other traffic shows whether anything reached the client"
    else:
        because += f"; {near.side_because}" if near.side < 0 else ""
        found = Verdict("client-deaf", "likely", because, (*refs, *heard))
        found.open["reply-not-delivered"] = f"the answer may have been lost between {near.point} and the client"
        if not heard:
            found.open["link-dead-before-dhcp"] = f"nothing shows what still reached the client behind {near.point}"
    found.next_evidence.append("a capture inside the client while it renews")
    return found


def _by_logs(scene: Scene, requests: list[Message], acks: list[Message]) -> Verdict:
    logged = [message for message in requests if message.at_points("server") or message.at_points("capture")]
    refs = citations([*requests[:2], *acks[:2], *requests[-1:]])
    if acks:
        because = f"the server says that it answered {len(acks)} times, and the client asked again"
        found = Verdict("reply-not-delivered", "likely" if scene.client_log else "possible", because, refs)
        found.confidence = "possible" if not scene.client_log else "likely"
        found.open["link-dead-before-dhcp"] = "without a capture nothing shows whether anything reached the client"
        found.open["client-deaf"] = "the client may have ignored an answer that reached it"
        found.next_evidence.append("a capture on the client's tap device, with all its traffic, until it happens again")
        return found
    if logged:
        found = Verdict("server-silent", "proven", "the server's log has the request and no answer", refs)
        if not any(message.at_points("server") for message in logged):
            found.confidence = "likely"
            found.open["request-not-delivered"] = "the request may have been lost behind that capture"
        return found
    if scene.server_log and (down := _down(scene, refs)):
        down.open["link-dead-before-dhcp"] = "without a capture nothing shows whether the client was reachable at all"
        down.next_evidence = ["captures on the client's tap device and on the DHCP server's host"]
        return down
    if scene.server_log:
        because = "the client's log has the request, the server's log, which goes on, does not"
        sure = "likely" if scene.served_others else "possible"
        served = (scene.served_others,) if scene.served_others else ()
        found = Verdict("request-not-delivered", sure, because, (*refs, *served))
        found.open["server-silent"] = "a server that hangs logs nothing either"
        found.open["link-dead-before-dhcp"] = "without a capture nothing shows whether the client was reachable at all"
        found.next_evidence.append("captures on the client's tap device and on the DHCP server's host")
        return found
    return _only_asked(scene, requests, "the client asked and says nothing of an answer")


def _only_asked(scene: Scene, requests: list[Message], because: str) -> Verdict:
    """Only the client's side is there, and no answer in it."""
    refs = citations([*requests[:2], *requests[-1:]])
    said = [event for event in scene.attempt.events if event["event"] in ("expired", "no_offers", "refused")]
    refs += tuple(event["reference"] for event in said if isinstance(event["reference"], Reference) and not refs)
    if not requests:
        because = "its own log says that the lease was lost, and nothing shows why"
    found = Verdict("server-silent", "possible", because, refs)
    found.open["request-not-delivered"] = "nothing shows whether the request reached the server"
    found.open["reply-not-delivered"] = "nothing shows whether the server answered"
    if not (scene.near and scene.near.resumed):
        found.open["link-dead-before-dhcp"] = "nothing shows whether anything else could reach the client"
    if not scene.near:
        found.open["client-deaf"] = "only a capture at the client shows whether an answer came"
    found.next_evidence.append("the DHCP server's log and a capture on its host for that time")
    return found
