"""What all made-up incidents share: machines, names, addresses, clocks, and how the evidence is laid out."""

from __future__ import annotations

import gzip
import os
import random
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

from data.synth._frames import Seen, pcap, pcapng

SECOND, MINUTE, HOUR = 10**9, 60 * 10**9, 3600 * 10**9
SNAPLENS = (68, 96, 128, 65535)
ZONES = ("UTC", "America/Edmonton", "Europe/Vienna", "Asia/Tokyo", "America/Vancouver")
FIRST, LAST = datetime(2012, 3, 1, tzinfo=UTC), datetime(2024, 11, 1, tzinfo=UTC)
VENDORS = ("00:25:90", "90:e2:ba", "00:1b:21", "ac:1f:6b", "3c:fd:fe")
SWITCHES = {"arista": "00:1c:73", "ios": "00:1e:f7", "nxos": "00:2a:6a", "junos": "3c:8a:b0"}


class Draw(random.Random):
    """Chance that a number decides, and the question: the same for ever, whatever else is drawn elsewhere."""

    def __new__(cls, question: str, seed: int) -> Self:  # noqa: ARG004
        """Python 3.11 hands all arguments on."""
        return super().__new__(cls)

    def __init__(self, question: str, seed: int) -> None:
        super().__init__(f"{question}/{seed}")

    def often(self, share: float) -> bool:
        """True in that share of all cases."""
        return self.random() < share

    def uuid(self) -> str:
        """An id as uuid4 gives it."""
        return str(uuid.UUID(int=self.getrandbits(128), version=4))

    def hex_id(self) -> str:
        """An id of keystone."""
        return f"{self.getrandbits(128):032x}"

    def mac(self, prefix: str = "fa:16:3e") -> str:
        """An address below a prefix; `fa:16:3e` is OpenStack's."""
        return prefix + "".join(f":{self.randrange(1, 255):02x}" for _ in range(3))

    def start(self) -> int:
        """An instant at which an incident may begin, never so near to New Year's that stamps without year mislead."""
        days = (LAST - FIRST).days
        while True:
            moment = datetime.fromtimestamp(FIRST.timestamp() + 86400 * self.randrange(days), UTC)
            if 10 <= moment.timetuple().tm_yday <= 350 and (moment.month, moment.day) not in ((2, 28), (2, 29)):
                return int(moment.timestamp()) * SECOND + self.randrange(20 * HOUR)


@dataclass(frozen=True)
class Clock:
    """A machine's clock: how far it is ahead, how fast it runs away, and its zone."""

    offset_ns: int = 0
    drift_ppb: int = 0
    zone: str = "UTC"
    start: int = 0

    def reads(self, at: int) -> int:
        """What it reads at an instant."""
        return at + self.offset_ns + (at - self.start) * self.drift_ppb // 10**9

    def local(self, at: int) -> datetime:
        """The same on its wall, in whole microseconds."""
        read = self.reads(at)
        return datetime.fromtimestamp(read // SECOND, ZoneInfo(self.zone)).replace(microsecond=read % SECOND // 1000)

    def told(self, zone: bool = True) -> dict[str, object]:
        """Its entry in the truth; `zone` is False for a file whose stamps have none."""
        entry: dict[str, object] = {"offset_s": self.offset_ns / SECOND, "zone": self.zone if zone else "UTC"}
        if self.drift_ppb:
            entry |= {"drift_ppm": self.drift_ppb / 1000, "drift_from": iso(self.start)}
        return entry


def a_clock(draw: Draw, start: int, zone: str = "UTC", largest_s: float = 40) -> Clock:
    """Most clocks agree to milliseconds; some are seconds off, some run away."""
    kind = draw.choice(("true", "near", "off", "off", "drifts"))
    if kind == "true":
        return Clock(0, 0, zone, start)
    reach = 0.02 if kind == "near" else largest_s
    offset = round(draw.uniform(-reach, reach), 6)
    return Clock(round(offset * SECOND), draw.randrange(-40_000, 40_000) if kind == "drifts" else 0, zone, start)


@dataclass(frozen=True)
class Names:
    """How a site calls its machines."""

    outside: str
    controller: str
    compute: str
    instance: str
    switch: str

    def computes(self, count: int, first: int) -> list[str]:
        """So many compute hosts, numbered."""
        return [self.compute.format(first + n) for n in range(count)]

    def switches(self, count: int) -> list[str]:
        """So many switches, in pairs."""
        return [self.switch.format(n=n + 1, pair=n // 2 + 1, side="ab"[n % 2]) for n in range(count)]


SITES = (
    Names("outside", "controller", "compute{}", "web-1", "SW-{n}"),
    Names("monitor01", "ctl1", "cc{}", "db-2", "tor{pair}{side}"),
    Names("probe", "dair-ua-cc", "dair-ua-c{:02d}", "shop", "sw{n:02d}"),
    Names("ext1", "network-node", "node-{:03d}", "i-000003a7", "leaf{pair}-{side}"),
    Names("gw.example.net", "cloud1.example.net", "nova{}.example.net", "build-7", "rack{pair}{side}-mgmt"),
)

LAYOUTS = ("{host}/{name}", "{host}/pcap/{name}", "captures/{host}/{name}", "captures/{host}-{name}", "{host}-{name}")
"""Where a capture lies. Its point is this path without folders that say nothing."""


def point_name(layout: str, host: str, name: str) -> str:
    """A capture point as findings name it."""
    path = layout.format(host=host, name=name)
    return "/".join(part for part in path.split("/") if part not in ("pcap", "captures"))


@dataclass
class Folder:
    """The folder of evidence that grows: the same octets each time, and modification times that fit."""

    root: Path
    modified_ns: int
    clocks: dict[str, dict[str, object]] = field(default_factory=dict)

    def text(self, name: str, text: str) -> None:
        """A text file."""
        self.octets(name, text.encode())

    def octets(self, name: str, data: bytes, modified_ns: int | None = None) -> None:
        """A file; a name that ends in `.gz` gets what gzip makes of it."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(data, 1, mtime=0) if name.endswith(".gz") else data)
        changed = self.modified_ns if modified_ns is None else modified_ns
        os.utime(path, ns=(changed, changed))

    def case_file(self, title: str, sources: Sequence[tuple[str, str]] = ()) -> None:
        """case.toml: a title, and lines that declare something of files."""
        text = f'title = "{title}"\n'
        text += "".join(f'\n[[source]]\nmatch = "{match}"\n{line}\n' for match, line in sources)
        self.text("case.toml", text)


@dataclass(frozen=True)
class Recorder:
    """How one machine captures: format, resolution, cut, compression, clock."""

    form: str = "pcap"
    nano: bool = False
    snap_bytes: int = 65535
    packed: bool = False
    big_endian: bool = False
    pieces: int = 1
    clock: Clock = Clock()

    @classmethod
    def drawn(cls, draw: Draw, clock: Clock) -> Recorder:
        """Any that may be met."""
        form = draw.choice(("pcap", "pcap", "pcapng"))
        return cls(
            form, draw.often(0.3), draw.choice(SNAPLENS), draw.often(0.4), form == "pcap" and draw.often(0.1),
            draw.choice((1, 1, 1, 2, 3)) if form == "pcap" else 1, clock,
        )  # fmt: skip

    def write(self, folder: Folder, path: str, interfaces: Sequence[str], seen: Sequence[Seen]) -> None:
        """Write the capture; tcpdump's rotation (-C) numbers what follows the first file."""
        stamped = sorted((Seen(self.clock.reads(s.at), s.octets, s.interface) for s in seen), key=lambda s: s.at)
        size = max(1, -(-len(stamped) // self.pieces))
        for number in range(max(1, -(-len(stamped) // size))):
            part = stamped[number * size : (number + 1) * size]
            name = f"{path}.{self.form}" + (str(number) if number else "") + (".gz" if self.packed else "")
            if self.form == "pcapng":
                data = pcapng(part, interfaces, nano=self.nano, snap_bytes=self.snap_bytes)
            else:
                data = pcap(part, nano=self.nano, snap_bytes=self.snap_bytes, big_endian=self.big_endian)
            last = max((s.at for s in part), default=self.clock.start)
            folder.octets(name, data, last + SECOND)
            folder.clocks[name] = self.clock.told(zone=False)


def iso(at: int | None) -> str | None:
    """ISO 8601 in UTC, to the nanosecond."""
    if at is None:
        return None
    return f"{datetime.fromtimestamp(at // SECOND, UTC):%Y-%m-%dT%H:%M:%S}.{at % SECOND:09d}Z"


def utc(at: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A stamp as nova's database has it."""
    return datetime.fromtimestamp(at // SECOND, UTC).replace(microsecond=at % SECOND // 1000).strftime(form)


def digest(root: Path) -> int:
    """One number for all names, octets and modification times below a folder."""
    total = 0
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        head = f"{path.relative_to(root).as_posix()} {path.stat().st_mtime_ns}\n"
        total = zlib.crc32(path.read_bytes(), zlib.crc32(head.encode(), total))
    return total
