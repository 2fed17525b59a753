"""Lists of notifications as StackTach shows them, in JSON or as tables: headings, rows, and what to know of them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from forensics.loaders.documents._notification import READABLE, notification_rows, places_of_table
from forensics.loaders.documents._notification_text import dumps

REFERENCE = "rackerlabs/stacktach stacktach/stacky_server.py, rackerlabs/stacky stacky.py, 2012 to 2015"
OF_HEADING = {
    "#": "id", "?": "mark", "When": "when", "Deployment": "deployment", "Event": "event", "Host": "host",
    "State": "state", "State'": "old_state", "Task'": "old_task", "Task": "old_task", "Status": "state",
    "Category": "routing_key", "Publisher": "publisher", "Service": "service", "UUID": "instance",
    "Req ID": "request_id",
}  # fmt: skip
_OTHERS = frozenset([
    ("#", "Name"), ("Event Name",), ("Host Name",), ("?", "Event", "Time (secs)"), ("Event", "N", "Min", "Max", "Avg"),
    ("Event", "Time", "UUID", "Deployment"), ("Id", "Start", "End", "Created", "Name", "Version"), ("Error", "Message"),
])  # fmt: skip
SHOW = ("Key", "Value")
_COLUMNS = (*dict.fromkeys(OF_HEADING.values()), "text", "uuid")
_LIMITS = (50, 1000)
_EVENT = re.compile(r"^[a-z_]+(?:\.[a-z_0-9]+)+$")
_UUID = re.compile(r"(?<![\da-f])[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}(?![\da-f-])")


@dataclass(slots=True)
class Found:
    """Rows of lists of notifications, and what there is to say of the lists."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    def note(self) -> str | None:
        """What whoever counts the rows should know."""
        told = [f"{size:,} rows are a limit of StackTach's: there were probably more" for size in self.sizes
                if size in _LIMITS]  # fmt: skip
        told += [f"{count:,} rows of {what} are no notifications" for what, count in self.others.items()]
        return "; ".join(dict.fromkeys(told)) or None

    def frame(self, places: pl.DataFrame) -> pl.DataFrame:
        """Rows of `Notification`, as many as there are places."""
        texts = {name: pl.Series([_text(row.get(name)) for row in self.rows], dtype=pl.String) for name in _COLUMNS}
        columns = pl.DataFrame(texts)
        known = pl.concat([places_of_table(columns), places], how="horizontal")
        rows = notification_rows(columns["text"], known).drop(READABLE)
        failed = columns["mark"].str.strip_chars() == "E"
        return rows.with_columns(priority=pl.when(pl.lit(failed) & pl.col("priority").is_null())
                                 .then(pl.lit("ERROR")).otherwise("priority"))  # fmt: skip


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else dumps(value)


def is_list(titles: tuple[Any, ...]) -> bool:
    return titles[:3] == ("#", "?", "When") and len(titles) in (7, 9)


def is_other(titles: tuple[Any, ...]) -> bool:
    named = len(titles) == 2 and titles[1] == "Time" and _EVENT.match(str(titles[0])) is not None
    return titles in _OTHERS or named


def what_of(titles: tuple[Any, ...]) -> str:
    of = {SHOW: "a row", ("#", "Name"): "deployments", ("Event Name",): "names", ("Host Name",): "names",
          ("Event", "Time", "UUID", "Deployment"): "response times", ("Error", "Message"): "errors"}  # fmt: skip
    return of.get(titles, "reports" if "Version" in titles else "timings")


def asked_for(text: str) -> dict[str, str]:
    """The instance (or image) and the request that a list was asked for: the rows do not repeat it.

    Examples:
        >>> asked_for("stacky request req-a7517402-6192-4d0a-85a1-e14051790d5a")
        {'request_id': 'req-a7517402-6192-4d0a-85a1-e14051790d5a'}
    """
    found = _UUID.findall(text.rpartition("/")[2] if text.count("/") and "?" not in text else text)
    if len(set(found)) != 1:
        return {}
    return {"request_id": f"req-{found[0]}"} if f"req-{found[0]}" in text else {"uuid": found[0]}


def row_of(titles: tuple[Any, ...], cells: list[Any], asked: dict[str, str]) -> dict[str, Any]:
    told = zip(map(str, titles), cells, strict=True)
    row = {OF_HEADING[title]: cell for title, cell in told if title in OF_HEADING}
    row |= {name: value for name, value in asked.items() if name != "uuid"}
    if "uuid" in asked:
        row["uuid" if "Status" in titles else "instance"] = asked["uuid"]
    return row
