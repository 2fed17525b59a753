"""What services leave behind, written by a seed: log lines by release, layouts of log folders, dumps, notifications."""

import gzip
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Truth = dict[str, Any]

RELEASES = {
    "essex": 2012, "folsom": 2012, "folsom-1": 2013, "grizzly": 2013, "havana": 2014, "icehouse": 2014, "juno": 2015,
    "kilo": 2015, "mitaka": 2016, "pike": 2018, "train": 2020, "wallaby": 2021, "zed": 2023, "2025.1": 2025,
}  # fmt: skip
"""Releases whose lines differ, oldest first (`folsom-1` is 2012.2.1 and later), and a year in which they ran."""
ZONES = ("America/Edmonton", "Europe/Berlin", "Asia/Taipei", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Brisbane")
STEADY_ZONES = ("Asia/Taipei", "Asia/Kolkata", "America/Phoenix", "Asia/Tokyo")
"""Without summer time, for evidence of many months."""
HOSTS = ("cc{:02d}", "compute{:d}", "dair-ua-c{:02d}", "nova-{:03d}", "c{:d}.cloud.example.org", "node-{:d}")


def is_from(release: str, first: str) -> bool:
    """Whether a release is `first` or later."""
    order = list(RELEASES)
    return order.index(release) >= order.index(first)


def uuid(random: Random) -> str:
    """A uuid."""
    return str(UUID(int=random.getrandbits(128), version=4))


def hexadecimal(random: Random) -> str:
    """An id as keystone makes them."""
    return uuid(random).replace("-", "")


def utc(*parts: int) -> datetime:
    """An instant."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def instant(at: datetime) -> str:
    """ISO 8601 in UTC, to the nanosecond, as findings have it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}000Z"


class Who(NamedTuple):
    """Context of a request; nobody's where a periodic task runs in one."""

    request: str
    user: str | None = None
    project: str | None = None

    @classmethod
    def asks(cls, random: Random, user: str | None = None, project: str | None = None) -> "Who":
        """A new request."""
        return cls(f"req-{uuid(random)}", user, project)


class Clock(NamedTuple):
    """A host's clock: its zone, and how far it is ahead."""

    zone: str = "UTC"
    ahead_s: float = 0.0

    def local(self, at: datetime) -> datetime:
        """What it shows."""
        return (at + timedelta(seconds=self.ahead_s)).astimezone(ZoneInfo(self.zone))

    def told(self) -> dict[str, Any]:
        """As truth files have it."""
        return {"offset_s": self.ahead_s, "zone": self.zone}


class Line(NamedTuple):
    """What one program said once."""

    at: datetime
    release: str
    level: str
    logger: str
    message: str
    who: Who | None = None
    instance: str | None = None
    trace: tuple[str, ...] = ()
    blank: bool = False
    """Whether a blank line follows, as after access lines up to Havana."""


def rounded(at: datetime, release: str) -> datetime:
    """As precise as the release's stamps: seconds up to Folsom, then milliseconds."""
    step = 1000 if is_from(release, "grizzly") else 1_000_000
    return at.replace(microsecond=at.microsecond // step * step)


def oslo(line: Line, clock: Clock, pid: int) -> list[str]:
    """A record in the default format of its release; the lines of a traceback have no context."""
    local = clock.local(line.at)
    millis = f".{local.microsecond // 1000:03d}" if is_from(line.release, "grizzly") else ""
    stamp = f"{local:%Y-%m-%d %H:%M:%S}{millis}"
    always, bare = is_from(line.release, "havana"), is_from(line.release, "folsom-1")
    known = line.who is not None and line.who.user is not None
    numbered = f"{pid} " if always or (bare and not line.who) else ""
    instance = f"[instance: {line.instance}] " if line.instance else ""
    if line.who is None:
        context = "-"
    elif line.release == "juno":
        context = f"{line.who.request} None"
    elif is_from(line.release, "zed"):
        context = f"None {line.who.request} " + (
            f"{line.who.user} {line.who.project} - - default default" if known else "- - - - - -"
        )
    elif is_from(line.release, "kilo"):
        domains = "default default" if is_from(line.release, "pike") else "- -"
        context = f"{line.who.request} " + (f"{line.who.user} {line.who.project} - {domains}" if known else "- - - - -")
    else:
        context = f"{line.who.request} {line.who.user} {line.who.project}"
    first, *rest = f"{stamp} {numbered}{line.level} {line.logger} [{context}] {instance}{line.message}".split("\n")
    failing = "ERROR" if is_from(line.release, "mitaka") else "TRACE"
    behind = f"{pid} " if bare else ""
    return [first, *rest, *(f"{stamp} {behind}{failing} {line.logger} {instance}{text}" for text in line.trace)]


def framed(line: Line, clock: Clock, pid: int, host: str, program: str, layout: str) -> str:
    """A record as the layout stores it, with its line feeds."""
    told = oslo(line, clock, pid)
    if "rsyslog" not in layout:
        return "\n".join(told) + ("\n\n" if line.blank else "\n")
    local = clock.local(line.at)
    off = f"{local:%z}"
    stamp = f"{local:%b} {local.day:>2} {local:%H:%M:%S}"
    if layout == "rsyslog-iso":
        stamp = f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond:06d}{off[:3]}:{off[3:]}"
    tag = f"{program}: " if is_from(line.release, "kilo") else ""
    return f"{stamp} {host.split('.')[0]} {tag}{'#012'.join(told)}\n"


@dataclass
class Evidence:
    """A folder of evidence in the making: programs say things, `finish` writes them down as the layout has it.

    Instants that `say` gives back are those that the stamps tell once zone and offset are taken out: it is true of
    the evidence, to the last digit that the release prints.
    """

    folder: Path
    random: Random
    release: str
    clocks: dict[str, Clock]
    layout: str
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: dict[tuple[str, str], list[Line]] = field(default_factory=dict)
    pids: dict[tuple[str, str], int] = field(default_factory=dict)

    @classmethod
    def begin(
        cls,
        folder: Path,
        random: Random,
        release: str,
        hosts: Sequence[str],
        *,
        steady: bool = False,
        merge: bool = True,
    ) -> "Evidence":
        """Choose zones, offsets and a layout; `steady` wants zones without summer time."""
        layouts = ["files", "var-log", "rsyslog", "rsyslog-iso"]
        if merge:
            layouts.append("rsyslog-one")
        if is_from(release, "pike"):
            layouts += ["kolla", "kolla"]
        layout = random.choice(layouts)
        zones = STEADY_ZONES if steady else ZONES
        common = random.choice(("UTC", random.choice(zones)))
        clocks = dict.fromkeys(hosts, Clock(common))
        if layout != "rsyslog-one":
            if random.random() < 0.3:
                clocks[random.choice(hosts)] = Clock(random.choice(zones))
            if random.random() < 0.5:
                odd = random.choice(hosts)
                clocks[odd] = Clock(clocks[odd].zone, random.choice((-1, 1)) * random.randrange(2, 24) / 2)
        return cls(folder, random, release, clocks, layout)

    def say(
        self, host: str, program: str, at: datetime, level: str, logger: str, message: str, who: Who | None = None,
        instance: str | None = None, trace: Iterable[str] = (), *, blank: bool = False, release: str | None = None,
    ) -> datetime:  # fmt: skip
        """Let a program log something; the instant as its stamp tells it."""
        release = release or self.release
        if level == "AUDIT" and is_from(release, "mitaka"):
            level = "INFO"
        ahead = timedelta(seconds=self.clocks[host].ahead_s)
        at = rounded(at + ahead, release) - ahead
        self.lines.setdefault((host, program), []).append(
            Line(at, release, level, logger, message, who, instance, tuple(trace), blank)
        )
        return at

    def signs(self, host: str) -> list[datetime]:
        """When a host said something."""
        return sorted(line.at for (at, _), lines in self.lines.items() if at == host for line in lines)

    def put(
        self, name: str, text: str, clock: Clock | None = None, at: datetime | None = None, *, squeeze: bool = False
    ) -> None:
        """Write a file, last touched at an instant; its clock is told where it has one."""
        name += ".gz" if squeeze else ""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode(), 6, mtime=0) if squeeze else text.encode())
        if at is not None:
            os.utime(path, ns=(int(at.timestamp()) * 10**9,) * 2)
        if clock is not None:
            self.told[name] = clock.told()

    def restart(self, host: str, program: str, at: datetime) -> None:
        """From here on the program has another process."""
        self.pids[host, f"{program} {at.timestamp():.6f}"] = self.random.randrange(1000, 32000)

    def pid(self, host: str, program: str, at: datetime) -> int:
        """Its process at an instant."""
        starts = [float(key.split()[1]) for h, key in self.pids if h == host and key.startswith(f"{program} ")]
        last = max((start for start in starts if start <= at.timestamp()), default=None)
        if last is not None:
            return self.pids[host, f"{program} {last:.6f}"]
        small = self.layout == "kolla"
        if (host, program) not in self.pids:
            self.pids[host, program] = self.random.randrange(7, 30) if small else self.random.randrange(1000, 32000)
        return self.pids[host, program]

    def _place(self, host: str, program: str) -> str:
        project = program.split("-")[0]
        return {
            "files": f"{host}/{program}.log",
            "var-log": f"{host}/var/log/{project}/{program}.log",
            "kolla": f"{host}/var/log/kolla/{project}/{program}.log",
            "rsyslog": f"rsyslog/{host}/{project}.log",
            "rsyslog-iso": f"{host}/syslog",
            "rsyslog-one": "rsyslog/nova.log",
        }[self.layout]

    def finish(self, title: str) -> dict[str, dict[str, Any]]:
        """Write the logs, whole or rotated, and what tells the hosts' zones; the clocks by source."""
        files: dict[str, list[tuple[datetime, int, str, Clock]]] = {}
        for (host, program), lines in self.lines.items():
            clock, into = self.clocks[host], files.setdefault(self._place(host, program), [])
            for number, line in enumerate(lines):
                pid = self.pid(host, program, line.at)
                into.append((line.at, number, framed(line, clock, pid, host, program, self.layout), clock))
        for name, records in files.items():
            records.sort(key=lambda record: record[0])
            self._write(name, [(record[0], record[2]) for record in records], records[0][3])
        last = max((line.at for lines in self.lines.values() for line in lines), default=None)
        for host, clock in self.clocks.items():
            if clock.zone != "UTC":
                self.put(f"{host}/etc/timezone", f"{clock.zone}\n", None, last)
        self.put("case.toml", f'title = "{title}"\n', None, last)
        return dict(sorted(self.told.items()))

    def _write(self, name: str, records: list[tuple[datetime, str]], clock: Clock) -> None:
        parts = self.random.choice((1, 1, 1, 2, 3)) if len(records) > 40 else 1
        cuts = [0, *sorted(self.random.sample(range(1, len(records)), parts - 1)), len(records)]
        for back, (start, end) in enumerate(zip(reversed(cuts[:-1]), reversed(cuts[1:]), strict=True)):
            suffix = f".{back}" if back else ""
            squeeze = back > 1 or (back == 1 and self.random.random() < 0.4)
            some = records[start:end]
            self.put(f"{name}{suffix}", "".join(text for _, text in some), clock, some[-1][0], squeeze=squeeze)


def hosts(random: Random, count: int) -> list[str]:
    """Names of hosts of one cloud."""
    pattern, first = random.choice(HOSTS), random.randrange(1, 40)
    return [pattern.format(first + at) for at in range(count)]


class Table(NamedTuple):
    """A table as a dump has it."""

    name: str
    columns: Mapping[str, str]
    rows: Sequence[Sequence[Any]]


def sql(value: Any) -> str:
    """A value as mysqldump writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return f"'{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}'"
    if isinstance(value, int | float):
        return str(int(value) if isinstance(value, bool) else value)
    for raw, escaped in (("\\", "\\\\"), ("'", "\\'"), ('"', '\\"'), ("\n", "\\n")):
        value = value.replace(raw, escaped)
    return f"'{value}'"


def dump(databases: Mapping[str, Sequence[Table]], completed: datetime) -> str:
    """A dump as mysqldump writes it, `completed` as the server's host shows it."""
    out = [
        "-- MySQL dump 10.13  Distrib 5.5.29, for debian-linux-gnu (x86_64)",
        "--",
        "-- Host: localhost    Database: nova",
    ]
    out += ["-- ------------------------------------------------------", "-- Server version\t5.5.29", ""]
    for database, tables in databases.items():
        out += [f"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{database}` /*!40100 DEFAULT CHARACTER SET utf8 */;", ""]
        out += [f"USE `{database}`;", ""]
        for table in tables:
            out += ["--", f"-- Table structure for table `{table.name}`", "--", ""]
            out += [f"DROP TABLE IF EXISTS `{table.name}`;", f"CREATE TABLE `{table.name}` ("]
            out += [f"  `{name}` {kind} DEFAULT NULL," for name, kind in table.columns.items()]
            key = "uuid" if "id" not in table.columns else "id"
            out += [f"  KEY `{key}_idx` (`{key}`)", ") ENGINE=InnoDB DEFAULT CHARSET=utf8;", ""]
            out += [f"LOCK TABLES `{table.name}` WRITE;"]
            for start in range(0, len(table.rows), 400):
                some = (f"({','.join(map(sql, row))})" for row in table.rows[start : start + 400])
                out.append(f"INSERT INTO `{table.name}` VALUES {','.join(some)};")
            out += ["UNLOCK TABLES;", ""]
    return "\n".join([*out, f"-- Dump completed on {completed:%Y-%m-%d} {completed.hour:>2}:{completed:%M:%S}", ""])


INSTANCES = {
    "created_at": "datetime", "updated_at": "datetime", "deleted_at": "datetime", "deleted": "int(11)",
    "id": "int(11)", "user_id": "varchar(255)", "project_id": "varchar(255)", "image_ref": "varchar(255)",
    "hostname": "varchar(255)", "host": "varchar(255)", "vm_state": "varchar(255)", "task_state": "varchar(255)",
    "power_state": "int(11)", "memory_mb": "int(11)", "vcpus": "int(11)", "root_gb": "int(11)",
    "ephemeral_gb": "int(11)", "launched_at": "datetime", "terminated_at": "datetime", "display_name": "varchar(255)",
    "uuid": "varchar(36)",
}  # fmt: skip
"""Columns of nova's `instances` that every release has."""


def notification(
    random: Random, at: datetime, host: str, event: str, payload: Mapping[str, Any], user: str, project: str
) -> dict[str, Any]:
    """An unversioned notification, `at` as the publisher's clock has it."""
    return {
        "_context_request_id": f"req-{uuid(random)}", "_context_user_id": user, "_context_project_id": project,
        "event_type": event, "message_id": uuid(random), "payload": dict(payload), "priority": "INFO",
        "publisher_id": f"compute.{host}", "timestamp": f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}",
    }  # fmt: skip


def kept(notifications: Sequence[Mapping[str, Any]], form: str) -> str:
    """Notifications as they are handed over: plain, in oslo's envelope, or with the routing key before them."""
    wrap: Callable[[Any], Any] = {
        "plain": lambda body: body,
        "envelope": lambda body: {"oslo.version": "2.0", "oslo.message": json.dumps(body)},
        "routed": lambda body: ["monitor.info", body],
    }[form]
    return "".join(json.dumps(wrap(one)) + "\n" for one in notifications)


@dataclass(frozen=True)
class Made:
    """A case that a strategy chose; `write` makes its folder and gives its truth."""

    half: str
    seed: int
    maker: Callable[[int, Path], Truth] = field(repr=False)

    def write(self, folder: Path) -> Truth:
        """Make the folder."""
        return self.maker(self.seed, folder)


def strategy(guilty: Callable[[int, Path], Truth], healthy: Callable[[int, Path], Truth]) -> "SearchStrategy[Made]":
    """Cases of both halves, for Hypothesis."""
    from hypothesis import strategies as st

    makers = {"guilty": guilty, "healthy": healthy}
    return st.builds(
        lambda half, seed: Made(half, seed, makers[half]), st.sampled_from(sorted(makers)), st.integers(0, 2**32 - 1)
    )
