"""Finding: a conclusion, and the lines and packets that support it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

SEVERITIES = ("critical", "high", "medium", "low", "info")
CONFIDENCES = ("proven", "likely", "possible")
ENTITIES = (
    *("hosts", "instances", "macs", "ips", "images", "users", "projects", "switches", "interfaces"),
    *("requests", "capture_points"),
)
KINDS = (
    *("stacked-vlan", "size-dependent-loss", "vlan-leak", "dhcp-renewal-failure", "base-file-removed-in-use"),
    *("bpdu-guard-cutoff", "console-log-flood", "latency-grows-with-rows", "latency-regression", "memory-growth"),
    *("clock-skew", "host-silent", "link-down", "broker-alarm", "duplicate-ip", "rogue-dhcp-server"),
    "evidence-damaged",
)
"""Every conclusion there is a name for. A kind is added, never renamed."""


def iso(nanoseconds: int | None) -> str | None:
    """ISO 8601 in UTC, to the nanosecond where there is one.

    Examples:
        >>> iso(1_355_919_059_000_000_000), iso(1_355_919_059_123_456_000), iso(None)
        ('2012-12-19T12:10:59Z', '2012-12-19T12:10:59.123456Z', None)
    """
    if nanoseconds is None:
        return None
    from datetime import UTC, datetime

    whole, fraction = divmod(nanoseconds, 1_000_000_000)
    second = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f"{fraction:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{second}.{digits}Z" if digits else f"{second}Z"


def in_order(instant: str | None) -> str:
    """What `iso` gives as text that sorts by time: with the zone, a whole second would sort behind its fractions."""
    return (instant or "").removesuffix("Z")


@dataclass(frozen=True, slots=True)
class Reference:
    """Where something is written: ``line:N``, ``frame:N`` (as Wireshark counts) or ``row:N`` of a source."""

    source: str
    locator: str
    at: str | None = None
    excerpt: str | None = None
    """The line itself, or one line that says what the packet is; a case fills it in where it is missing."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values in the order of findings.json."""
        return {"source": self.source, "locator": self.locator, "at": self.at, "excerpt": self.excerpt}

    def __str__(self) -> str:
        return f"{self.source}:{self.locator.partition(':')[2]}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the story."""

    at: str | None
    text: str
    evidence: tuple[Reference, ...] = ()

    @property
    def when(self) -> str:
        """Its instant as text that sorts by time, empty without one.

        Examples:
            >>> Step("2013-02-15T01:40:18Z", "").when < Step("2013-02-15T01:40:18.500Z", "").when
            True
        """
        return in_order(self.at)

    def as_dict(self) -> dict[str, Any]:
        """Plain values in the order of findings.json."""
        return {"at": self.at, "text": self.text, "evidence": [ref.as_dict() for ref in self.evidence]}


@dataclass(frozen=True, slots=True)
class Alternative:
    """What else could explain it, and why it does or does not."""

    hypothesis: str
    verdict: str
    because: str
    evidence: tuple[Reference, ...] = ()

    def __post_init__(self) -> None:
        if self.verdict not in ("ruled out", "open"):
            raise ValueError(f"verdict is 'ruled out' or 'open', not {self.verdict!r}")

    def as_dict(self) -> dict[str, Any]:
        """Plain values in the order of findings.json."""
        return {
            "hypothesis": self.hypothesis,
            "verdict": self.verdict,
            "because": self.because,
            "evidence": [ref.as_dict() for ref in self.evidence],
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """One conclusion with its proof. ``findings.json`` is a list of these.

    Instants are ISO 8601 text in UTC, as they appear in the file. ``id`` follows
    from kind and entities alone, so the same fact in tomorrow's run has the same id.
    """

    kind: str
    title: str
    severity: str
    confidence: str
    start: str | None
    end: str | None
    entities: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, Any]
    story: tuple[Step, ...] = ()
    evidence: tuple[Reference, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    remedy: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
    next_evidence: tuple[str, ...] = ()
    id: str = field(default="")

    def __post_init__(self) -> None:
        for value, known in ((self.kind, KINDS), (self.severity, SEVERITIES), (self.confidence, CONFIDENCES)):
            if value not in known:
                raise ValueError(f"{value!r} is none of {', '.join(known)}")
        if strangers := set(self.entities) - set(ENTITIES):
            raise ValueError(f"unknown entities {sorted(strangers)}; there are {', '.join(ENTITIES)}")
        said = {key: tuple(self.entities[key]) for key in ENTITIES if self.entities.get(key)}
        object.__setattr__(self, "entities", said)
        if not self.id:
            object.__setattr__(self, "id", identity(self.kind, said))

    def order(self) -> tuple[int, str, str]:
        """Sort key: most severe first, then by start, then by id."""
        return (SEVERITIES.index(self.severity), in_order(self.start), self.id)

    def references(self) -> tuple[Reference, ...]:
        """Every reference in it, each once, in the order of first use."""
        told = (ref for step in self.story for ref in step.evidence)
        argued = (ref for other in self.alternatives for ref in other.evidence)
        return tuple(dict.fromkeys((*self.evidence, *told, *argued)))

    def with_excerpts(self, excerpts: Mapping[tuple[str, str], str]) -> Finding:
        """The same finding with excerpts filled in, by ``(source, locator)``, where a reference has none."""

        def filled(refs: Iterable[Reference]) -> tuple[Reference, ...]:
            return tuple(
                replace(ref, excerpt=excerpts.get((ref.source, ref.locator))) if ref.excerpt is None else ref
                for ref in refs
            )

        return replace(
            self,
            evidence=filled(self.evidence),
            story=tuple(replace(step, evidence=filled(step.evidence)) for step in self.story),
            alternatives=tuple(replace(other, evidence=filled(other.evidence)) for other in self.alternatives),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, keys in the order of findings.json."""
        return {
            "id": self.id,
            "kind": self.kind,
            "title": self.title,
            "severity": self.severity,
            "confidence": self.confidence,
            "start": self.start,
            "end": self.end,
            "entities": {key: list(values) for key, values in self.entities.items()},
            "facts": dict(self.facts),
            "story": [step.as_dict() for step in self.story],
            "evidence": [ref.as_dict() for ref in self.evidence],
            "alternatives": [other.as_dict() for other in self.alternatives],
            "remedy": list(self.remedy),
            "explains": list(self.explains),
            "next_evidence": list(self.next_evidence),
        }


def identity(kind: str, entities: Mapping[str, Iterable[str]]) -> str:
    """A short stable name for a fact: twelve hexadecimal digits of a digest over kind and entities."""
    what = json.dumps([kind, {key: sorted(set(entities[key])) for key in sorted(entities)}], ensure_ascii=False)
    return hashlib.sha256(what.encode("utf-8", "surrogateescape")).hexdigest()[:12]
