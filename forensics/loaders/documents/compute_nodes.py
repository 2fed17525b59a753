"""The file in which compute nodes that share their instances' folder say when they last looked after it."""

import re

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.records import ServiceState

_PAIR = re.compile(
    r'\s*"(?P<host>(?:[^"\\]|\\.){1,255})"\s*:\s*(?P<s>1\d{9})(?:\.(?P<fraction>\d{1,20}))?\s*(?P<end>[,}]|$)'
)
_NAME = re.compile(r"(?:^|[/ ])compute_nodes(?:\.json|\.txt)?$")
_MOST = 4096


def _recognise(head: Head) -> float:
    """A JSON object that maps names to seconds since 1970, and nothing else, as far as can be seen."""
    text = "\n".join(head.lines)[:_MOST].lstrip()
    if not text.startswith("{"):
        return 0.0
    at, pairs = 1, 0
    while found := _PAIR.match(text, at):
        at, pairs = found.end(), pairs + 1
        if found["end"] != ",":
            break
    seen = text[at:].strip() == "" or len(text) == _MOST
    named = _NAME.search(head.command or head.name) is not None
    if not pairs:
        return 0.95 if named and text.strip() == "{}" else 0.0
    return (1.0 if named else 0.9) if seen else 0.0


def _read(document: Document) -> None:
    """One row for each node: up at the instant that it wrote there."""
    for line, text in enumerate(document.lines):
        bare = text.strip()
        if bare in ("{", "}", "{}"):
            document.skip(line)
            continue
        at = text.find("{") + 1 if bare.startswith("{") else 0
        while found := _PAIR.match(text, at):
            at = found.end()
            seen_at = int(found["s"]) * 10**9 + int((found["fraction"] or "0").ljust(9, "0")[:9])
            document.add(
                ServiceState,
                line,
                ts=seen_at,
                ts_basis="stated",
                seen_at=seen_at,
                service="nova-compute",
                service_host=re.sub(r"\\(.)", r"\1", found["host"]),
                state="up",
                told_by="compute_nodes",
                message=found[0].strip().rstrip(",}").rstrip(),
            )


READERS = (
    DocumentFormat(
        name="compute-nodes",
        records=(ServiceState,),
        reference="openstack/nova nova/virt/storage_users.py, register_storage_use(), 2013.1 to 2025.1",
        recognise=_recognise,
        read=_read,
    ),
)
