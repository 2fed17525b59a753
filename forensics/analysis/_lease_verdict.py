"""What is said of the cause of a lost lease: which of the seven it was, how sure that is, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field

from forensics.records.finding import Reference

CAUSES = {
    "link-dead-before-dhcp": "nothing reached the client any more before it tried to renew",
    "reply-not-delivered": "the answer was lost between the server and the client",
    "client-deaf": "the client did not take the answer that reached it",
    "server-silent": "the server did not answer",
    "request-not-delivered": "the request never reached the server",
    "refused": "the server refused the address",
    "client-gone": "no client renewed the lease any more",
}


@dataclass(slots=True)
class Verdict:
    """A cause, how sure it is, and what that rests on."""

    cause: str
    confidence: str
    because: str
    evidence: tuple[Reference, ...] = ()
    silence: tuple[int, Reference] | None = None
    ruled_out: dict[str, tuple[str, tuple[Reference, ...]]] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    next_evidence: list[str] = field(default_factory=list)
