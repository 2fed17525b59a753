"""Why a lost lease had none of the other causes, where something shows that."""

from __future__ import annotations

from forensics.analysis._lease_messages import Message, citations
from forensics.analysis._lease_scene import Scene, View
from forensics.analysis._lease_verdict import Verdict


def resumed(view: View, scene: Scene) -> bool:
    """Whether frames reached the client again while it was still trying to keep its lease."""
    if view.resumed is None:
        return False
    requests = [message for message in scene.attempt.asked if message.kind == "REQUEST"]
    return view.resumed[0] <= requests[-1].at if requests else True


def rule_out(found: Verdict, scene: Scene, requests: list[Message], acks: list[Message]) -> None:
    """Say of every other cause why it is not the one, where something shows that."""
    near = scene.near
    reached = [message for message in requests if message.at_points("server")]
    reached = reached or [
        message for message in requests if scene.far and scene.far.point in message.at_points("capture")
    ]
    if acks:
        found.ruled_out["server-silent"] = (f"the server answered {len(acks)} times", citations(acks[:3]))
        found.ruled_out["request-not-delivered"] = ("the server answered, so it had been asked", citations(acks[:1]))
    else:
        if reached:
            found.ruled_out["request-not-delivered"] = ("the request is where the server is", citations(reached[:3]))
        if found.cause in ("server-silent", "request-not-delivered"):
            asked = citations(reached[:1] or requests[:1])
            for cause in ("reply-not-delivered", "client-deaf"):
                found.ruled_out[cause] = ("there is no answer that could have been lost or ignored", asked)
            if reached:
                why = "a dead link to the client keeps no server from answering a request that it has"
                found.ruled_out["link-dead-before-dhcp"] = (why, asked)
    here = scene.seen_at(near, acks)
    if near and near.resumed and resumed(near, scene):
        told = f"other frames still reached it at {near.point}"
        if near.at_client or found.cause != "client-deaf":
            found.ruled_out["link-dead-before-dhcp"] = (told, (near.resumed[1],))
    if scene.heard_after and near and not near.at_client:
        told = f"it still sent an answer to other traffic ({scene.heard_after[2]})"
        found.ruled_out["link-dead-before-dhcp"] = (told, (scene.heard_after[1],))
    if near and near.at_client:
        if acks and here:
            found.ruled_out["reply-not-delivered"] = (
                f"the answer is in the capture at {near.point}",
                citations(here[:2]),
            )
        elif not here:
            found.ruled_out["client-deaf"] = (f"no answer reached it at {near.point}", citations(requests[:1]))
    elif near and not here and not near.at_server:
        found.ruled_out["client-deaf"] = (f"no answer came as far as {near.point}", citations(requests[:1]))
    if found.cause == "link-dead-before-dhcp" and found.confidence == "proven" and near and near.last:
        found.ruled_out["reply-not-delivered"] = (
            "not the answer alone was lost: no frame of any kind reached it any more",
            (near.last[1],),
        )
    if requests:
        found.ruled_out["client-gone"] = ("it still asked", citations(requests[-1:]))
    if scene.attempt.until:
        found.open["refused"] = "its log names no reason, and no message shows one"
    else:
        found.ruled_out["refused"] = ("nobody told it no", ())
    for cause in (found.cause, *found.open):
        found.ruled_out.pop(cause, None)
