"""`forensics triage --follow`: what the evidence says now, and what is new in it while it grows."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forensics import report
from forensics.case import Case
from forensics.case import _follow as growing
from forensics.cli import _show as show
from forensics.cli import _triage as view
from forensics.records import Finding

_DAMAGE = "evidence-damaged"
"""What a file that is being written looks like; so it is told in the end only."""


def follow(evidence: Path, out: Path | None, *, every_s: float, as_json: bool, workers: int) -> int:
    """Show the case, then what each change of the evidence brings; the exit code of the last case.

    The first Ctrl-C reads what there is then and ends; a second one ends at once.
    """
    case: Case | None = None
    held: dict[str, Finding] = {}
    with _until_stopped() as stop:
        for now in growing.follow(evidence, out=out, every_s=every_s, workers=workers, stop=stop, finish=report.pages):
            if case is None:
                _begin(now, as_json=as_json)
            else:
                told = growing.news(case, now)
                _tell([one for one in told if one[1].kind != _DAMAGE], as_json=as_json)
            damage = [one.finding for one in now.findings if one.finding.kind == _DAMAGE]
            held = {} if case is None else {finding.id: finding for finding in damage}
            case = now
    _tell([("new", finding) for finding in held.values()], as_json=as_json)
    if case is None:
        return 0
    if not as_json:
        show.put(f"Report: {show.safe(str(case.path / report.NAME))}")
    return view.exit_code(case)


def _begin(case: Case, *, as_json: bool) -> None:
    if as_json:
        _tell([("new", one.finding) for one in case.findings], as_json=True)
    else:
        view.show_case(case)
        show.put("Following: Ctrl-C ends it")
    show.flush()


def _tell(told: list[tuple[str, Finding]], *, as_json: bool) -> None:
    for number, (word, finding) in enumerate(told, 1):
        if as_json:
            said: dict[str, Any] = {"news": word, "finding": finding.as_dict()}
            show.put(json.dumps(said, separators=(",", ":")))
        elif word == "gone":
            show.put(f"\nno longer: {finding.kind}  {show.safe(finding.title)}")
        else:
            show.heading(f"{word}:")
            view.show_finding(number, finding)
    show.flush()


@contextmanager
def _until_stopped() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second does what it always does."""
    stop = threading.Event()
    before: dict[int, Any] = {}

    def once(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[number])

    for number in map(int, (signal.SIGINT, signal.SIGTERM)):
        before[number] = signal.signal(number, once)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
