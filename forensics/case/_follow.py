"""A folder of evidence that still grows, as one case after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from forensics.case import Case, Path_, open_case
from forensics.case._build import Finish, Kept
from forensics.errors import EvidenceError
from forensics.evidence import EvidenceFile, walk
from forensics.records import Finding


def follow(
    path: Path_,
    *,
    out: Path_ | None = None,
    every_s: float = 2.0,
    workers: int = 0,
    stop: threading.Event | None = None,
    kept: Kept | None = None,
    finish: Finish | None = None,
) -> Iterator[Case]:
    """Watch a folder of evidence: logs that grow, captures that rotate.

    Each time something has changed there, only what is new or has grown is read, and the case is made anew from it and
    from what was read before. The case on disk is always whole, and always what a fresh triage of the folder as it was
    would have made: lines of a log that was renamed stand under its new name, and what a ring of captures has
    overwritten is gone. A line or packet that is not written to its end yet is whole in the next case.

    Args:
        path: Folder of evidence, or one file.
        out: Folder of the case, as for `forensics.open_case`.
        every_s: Seconds from one look to the next.
        workers: Processes that read at a time; 0 to choose.
        stop: Once it is set, a last case follows if anything has changed, and then no more. Endless where None.
        kept: Called with the number of sources that are taken over, and of all, each time.
        finish: Makes further files of the case.

    Yields:
        The first case at once, then one for each change.

    Raises:
        EvidenceError: If there is nothing there in the beginning.
        CaseError: If ``case.toml`` makes no sense, or the case cannot be written.
        StoppedError: If the system refuses what the case needs.

    Examples:
        ``for case in fx.follow("/var/log"): print(case.findings)``
    """
    stopped = threading.Event() if stop is None else stop
    seen: list[tuple[object, ...]] | None = None
    while True:
        last = stopped.is_set()
        now = _state(Path(path), first=seen is None)
        if now and now != seen:
            seen = now
            yield open_case(path, out=out, workers=workers, kept=kept, finish=finish)
        if last:
            return
        stopped.wait(every_s)


def _state(path: Path, *, first: bool) -> list[tuple[object, ...]]:
    """What there is, as far as a look at the folder tells; nothing where it is gone for a moment."""
    try:
        return [_look(file) for file in walk(path)]
    except EvidenceError:
        if first:
            raise
        return []


def _look(file: EvidenceFile) -> tuple[object, ...]:
    try:
        inode = file.path.lstat().st_ino
    except OSError:
        inode = 0
    return (file.source, file.size_bytes, file.modified_ns, file.refusal, inode)


def news(before: Case, now: Case) -> list[tuple[str, Finding]]:
    """What a case concludes that the one before did not.

    Returns:
        A word and a finding: ``new``, ``changed`` or ``gone``; worst first, those that are gone last.
    """
    old = {one.finding.id: _told(one.finding) for one in before.findings}
    found = [one.finding for one in now.findings]
    told = [
        ("new" if finding.id not in old else "changed", finding)
        for finding in found
        if finding.id not in old or old[finding.id] != _told(finding)
    ]
    there = {finding.id for finding in found}
    return told + [("gone", one.finding) for one in before.findings if one.finding.id not in there]


def _told(finding: Finding) -> tuple[object, ...]:
    """What makes it news: a story that is longer by one more of the same is none."""
    return (finding.severity, finding.confidence, finding.title, finding.remedy)
