"""A small cloud on a shared folder, as rows: image caches that pass, one host that falls silent, one file that goes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as made
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from forensics.analysis._base_needs import digest
from forensics.records import Record

START = datetime(2013, 1, 22, 15, 0, tzinfo=UTC)
BASE = "/var/lib/nova/instances/_base"
PRIVATE, PUBLIC = "173cf42f-ff93-4286-95f3-640584958357", "93723177-0771-40fd-ab75-52a05481eb8f"
OWNER, REMOVER, OTHER = "nc02", "nc03", "nc01"
USER, SECOND = "7f02645b-8e87-496f-b462-0803134361f9", "e0de02d3-3cba-422f-8f87-e2722c336c69"
FILE = f"{BASE}/{digest(PRIVATE)}_10"
EVERYBODYS = f"{BASE}/{digest(PUBLIC)}_10"


def at(hours: float) -> datetime:
    """An instant of the story."""
    return START + timedelta(hours=hours)


def table(record: type[Record], rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows of a record with what every row has, and nulls for the rest."""
    schema = record.polars_schema()
    fixed = {"source": "cloud.sql", "position": 1, "offset_bytes": 0, "length_bytes": 1}
    full = [{name: ({**fixed, "position": n + 1} | row).get(name) for name in schema} for n, row in enumerate(rows)]
    return pl.DataFrame(full, schema=schema)


@dataclass
class Cloud:
    """The guilty story: nc02 is silent from 2.0 h to 4.5 h, nc03 removes its file at 3.5 h."""

    hosts: tuple[str, ...] = (OWNER, REMOVER, OTHER)
    silent: tuple[float, float] | None = (2.0, 4.5)
    removed_at: float | None = 3.5
    until: float = 6.0
    shared: bool = True
    failed: str | None = None
    """Action that follows the removal, where it failed."""
    local_word: str = "{image} ({path}): checking"
    path: str = FILE
    again_at: float | None = None
    instances: list[dict[str, Any]] = made(default_factory=list)
    extra: dict[str, list[dict[str, Any]]] = made(default_factory=dict)
    domain: str = ""
    """Domain of the hosts' names in logs."""

    def up(self, host: str, hour: float) -> bool:
        """Whether a host speaks."""
        return not (self.silent and host == OWNER and self.silent[0] < hour < self.silent[1])

    def there(self, host: str, hour: float) -> bool:
        """Whether the file is there, for one host."""
        gone = self.removed_at is not None and not self.failed and hour > self.removed_at
        back = self.again_at is not None and hour >= self.again_at
        mine = self.shared or host == REMOVER
        return not (gone and mine) or back

    def events(self) -> pl.DataFrame:
        """What the image caches said."""
        rows: list[dict[str, Any]] = []
        for number, host in enumerate(self.hosts):
            step, hour = 2 / 3, 0.1 * number
            while hour < self.until:
                if self.up(host, hour):
                    rows += self._pass(host, hour)
                hour += step
        if self.removed_at is not None:
            said = [("checking", self.removed_at - 0.0003), ("removing", self.removed_at)]
            said += [(self.failed, self.removed_at + 0.0003)] if self.failed else []
            rows += [self._line(REMOVER, hour, self.path, action, PRIVATE) for action, hour in said]
        from forensics.records import BaseFileEvent

        return table(BaseFileEvent, sorted([*rows, *self.extra.get("events", [])], key=lambda row: row["ts"]))

    def _pass(self, host: str, hour: float) -> Iterable[dict[str, Any]]:
        yield self._line(host, hour, EVERYBODYS, "checking", PUBLIC)
        yield self._line(host, hour, EVERYBODYS, "active", None)
        if self.there(host, hour):
            yield self._line(host, hour, self.path, "checking", PRIVATE)
            yield self._line(host, hour, self.path, "active" if host == OWNER else "removable", None)

    def _line(self, host: str, hour: float, path: str, action: str, image: str | None) -> dict[str, Any]:
        name = path.rsplit("/", 1)[1]
        size = name.partition("_")[2]
        return {
            "ts": at(hour), "host": host + self.domain, "source": f"rsyslog/{host}/nova.log", "base_file": path,
            "image_hash": name[:40], "size_gb": int(size) if size else None, "action": action, "image": image,
            "message": self.local_word.format(image=image, path=path), "position": 1 + int(hour * 3600),
        }  # fmt: skip

    def logs(self) -> pl.DataFrame:
        """What nova-compute said: a line a minute."""
        from forensics.records import LogRecord

        rows = [
            {"ts": at(minute / 60), "host": host + self.domain, "source": f"rsyslog/{host}/nova.log",
             "position": minute + 1, "logger": "nova.compute.resource_tracker", "message": "Free ram (MB): 82312",
             "framing": "oslo-essex", "n_lines": 1, "year_basis": "stated", "zone_basis": "stated"}
            for host in self.hosts for minute in range(int(self.until * 60)) if self.up(host, minute / 60)
        ]  # fmt: skip
        return table(LogRecord, [*rows, *self.extra.get("logs", [])])

    def frames(self, *without: type[Record]) -> list[pl.LazyFrame]:
        """What `base_files.findings` takes, some records left out."""
        from forensics.analysis.base_files import NEEDS, USES
        from forensics.records import BaseFileEvent, Instance, LogRecord

        made_up = {BaseFileEvent: self.events(), LogRecord: self.logs(), Instance: table(Instance, self.instances)}
        told = {
            record: made_up.get(record, table(record, self.extra.get(record.__name__, [])))
            for record in (*NEEDS, *USES)
        }
        return [(record.empty() if record in without else told[record]).lazy() for record in (*NEEDS, *USES)]


def instance(uuid: str = USER, host: str = OWNER, root_gb: int = 10, **more: Any) -> dict[str, Any]:
    """A row of nova's table."""
    return {
        "ts": at(6), "host": "controller", "instance": uuid, "compute_host": host, "image": PRIVATE,
        "image_hash": digest(PRIVATE), "root_gb": root_gb, "vm_state": "active", "is_deleted": False,
        "instance_name": "instance-00000009" if uuid == USER else "instance-0000000b", "created_at": at(-90),
        "launched_at": at(-90), "ts_basis": "stated", "database": "nova",
    } | more  # fmt: skip


def failure(uuid: str = USER, hour: float = 4.6, **more: Any) -> dict[str, Any]:
    """A start that fails because qemu finds no file."""
    disk = "/var/lib/nova/instances/instance-00000009/disk"
    return {
        "ts": at(hour), "host": OWNER, "source": f"rsyslog/{OWNER}/nova.log", "position": 592, "instance": uuid,
        "event": "start_failed", "path": disk,
        "error": f"qemu-kvm: -drive file={disk}: could not open disk image {disk}: No such file or directory",
    } | more  # fmt: skip
