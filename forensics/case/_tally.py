"""What of a source is no row, by reason."""

from __future__ import annotations

from typing import Any

MOST_REASONS = 1_000


class Tally:
    """Counts what is no row, by reason, and remembers where it first was."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: dict[str, dict[str, Any]] = {}
        self.counts = {"reject": 0, "gap": 0}

    def add(self, kind: str, reason: str, offset: int | None, length: int | None, sample: str | None = None) -> None:
        if kind in self.counts:
            self.counts[kind] += 1
        if reason not in self._found and len(self._found) >= MOST_REASONS:
            reason = "of still other kinds"
        row = self._found.setdefault(
            reason,
            {"source": self._source, "type": reason, "offset_bytes": offset, "length_bytes": 0, "count": 0}
            | {"example": sample},
        )
        row["count"] += 1
        row["length_bytes"] = None if length is None or row["length_bytes"] is None else row["length_bytes"] + length

    def illustrate(self, reason: str, sample: str) -> None:
        """Give an example for what was counted."""
        if reason in self._found:
            self._found[reason]["example"] = sample

    def problems(self) -> list[dict[str, Any]]:
        return [self._found[reason] for reason in sorted(self._found)]
