"""How far a case is read, shown in a notebook while it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Told = Callable[[int], None]
_EVERY_S = 0.25


@contextmanager
def watched(begin: Told | None, advance: Told | None) -> Iterator[tuple[Told | None, Told | None]]:
    """The callbacks as they are given; in a notebook, where none are, those of a bar that is gone in the end."""
    display = _display() if begin is None and advance is None else None
    if display is None:
        yield begin, advance
        return
    bar = Bar(display)
    try:
        yield bar.begin, bar.advance
    finally:
        bar.close()


def _display() -> Callable[..., Any] | None:
    """What shows something in a notebook; None elsewhere. Nothing is imported that is not there already."""
    asked = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    shown = getattr(sys.modules.get("IPython.display"), "display", None)
    return shown if getattr(asked, "kernel", None) is not None else None


class Bar:
    """Octets read of those that there are, with rate and estimate."""

    def __init__(self, display: Callable[..., Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._display, self._clock = display, clock
        self._handle: Any = None
        self._total = self._done = 0
        self._started = self._said = 0.0

    def begin(self, total: int) -> None:
        """Show it."""
        self._total, self._started = total, self._clock()
        self._said = self._started
        self._handle = self._display(self._bundle(), raw=True, display_id=True)

    def advance(self, octets: int) -> None:
        """So many more were read."""
        self._done += octets
        now = self._clock()
        if self._handle is not None and now - self._said >= _EVERY_S:
            self._said = now
            self._handle.update(self._bundle(), raw=True)

    def close(self) -> None:
        """Leave nothing behind: the same evidence gives the same notebook."""
        if self._handle is not None:
            self._handle.update({"text/plain": "", "text/html": ""}, raw=True)

    def _bundle(self) -> dict[str, str]:
        text = self.text()
        share = f"value='{min(self._done, self._total)}' max='{max(self._total, 1)}'"
        return {"text/plain": text, "text/html": f"<progress {share}></progress> {text}"}

    def text(self) -> str:
        """Such as ``reading: 12.5 of 50.0 MB, 5.0 MB/s, 8 s to go``."""
        said = f"reading: {self._done / 1e6:.1f} of {self._total / 1e6:.1f} MB"
        passed = self._clock() - self._started
        if not self._done or passed <= 0:
            return said
        rate = self._done / passed
        return f"{said}, {rate / 1e6:.1f} MB/s, {max(self._total - self._done, 0) / rate:.0f} s to go"
