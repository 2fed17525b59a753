"""Image caches on a shared folder, by a seed: files that a silent host still needed are removed, or only others are.

A small simulation goes by nova's own rules (nova/virt/libvirt/imagecache.py): each host's pass touches the files that
it takes to be in use and removes what nobody has touched for an hour (`_NN`) or for a day. Up to Folsom only a host's
own instances count; later those of all hosts that passed within a day do. What was removed, by whom and who needed it
is what the simulation did, so the truth follows from the rules and not from the lines.
"""

import hashlib
import heapq
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from data.synth import _nova_words as words
from data.synth import _services as services
from data.synth._services import Evidence, Table, Truth, Who, instant, is_from, utc

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

BASE = "/var/lib/nova/instances/_base"
CACHE, MANAGER = "nova.virt.libvirt.imagecache", words.MANAGER
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TITLES = {"guilty": "An instance does not find its disk", "healthy": "A look at the image cache"}
INNOCENT = ("unused", "removal-failed", "image-deleted", "silent-but-shared", "other-failure")


def guilty(seed: int, folder: Path) -> Truth:
    """Hosts are silent while others remove what their instances need."""
    return _Story(seed, folder, "guilty").truth()


def healthy(seed: int, folder: Path) -> Truth:
    """Files are removed, hosts are silent, reboots fail: each, but not because of the other."""
    return _Story(seed, folder, "healthy").truth()


def cases() -> "SearchStrategy[services.Made]":
    """Both halves, any seed."""
    return services.strategy(guilty, healthy)


class _Instance:
    def __init__(
        self, random: Random, number: int, image: str, host: str, root_gb: int, owner: tuple[str, str]
    ) -> None:
        self.number, self.image, self.host, self.root_gb = number, image, host, root_gb
        self.uuid, (self.user, self.project) = services.uuid(random), owner
        self.deleted_at: datetime | None = None
        self.created_at = utc(2000, 1, 1)
        self.file = ""
        self.failed = False

    @property
    def name(self) -> str:
        return f"instance-{self.number:08x}"


class _Story:
    """One case: a plan, the passes of its hosts, and what came of it."""

    def __init__(self, seed: int, folder: Path, half: str) -> None:
        self.random = random = Random(f"base_files {half} {seed}")
        self.half = half
        self.release = random.choice(list(services.RELEASES))
        self.local_only = not is_from(self.release, "grizzly")
        self.resized = random.random() < (0.75 if self.local_only else 0.3)  # later ones honour what Folsom left
        self.cloud = services.hosts(random, random.randrange(3, 6))
        self.evidence = Evidence.begin(folder, random, self.release, self.cloud)
        self.start = utc(services.RELEASES[self.release], random.choice((1, 2, 6, 7)), random.randrange(2, 22), 5)
        self.start += timedelta(seconds=random.randrange(86400))
        self.cause = "" if half == "guilty" else random.choice(INNOCENT)
        self.interval = timedelta(seconds=2404.4 if self.local_only else random.choice((2400, 3600, 7200)))
        self.sources = {what for what in ("dump", "notifications", "compute_nodes", "listing") if random.random() < 0.6}
        self.instances: list[_Instance] = []
        self.touched: dict[str, datetime] = {}
        self.removed: dict[str, tuple[datetime, list[str]]] = {}
        self.seen: dict[str, datetime] = {}
        self.silent: dict[str, tuple[datetime, datetime]] = {}
        self.queue: list[tuple[datetime, int, str]] = []
        self._plan()
        self._run()

    def _plan(self) -> None:
        random = self.random
        margin = (HOUR if self.resized else DAY) + (timedelta(0) if self.local_only else DAY)
        down = margin * random.uniform(1.05, 1.15) + 2.2 * self.interval + timedelta(minutes=random.randrange(5, 40))
        self.downs = self.cloud[: random.choice((1, 1, 2)) if len(self.cloud) > 3 else 1]
        self.stays = [host for host in self.cloud if host not in self.downs]
        if self.cause in ("unused", "image-deleted"):
            self.downs = []
        self.power = {host: random.random() < 0.6 for host in self.downs}
        if self.half == "guilty" and not self.sources & {"dump", "notifications"}:
            self.power = dict.fromkeys(self.downs, True)  # nothing would tell who else needs a file
        at = self.start + 1.4 * self.interval
        for host in self.downs:
            began = at + timedelta(seconds=random.randrange(1800))
            self.silent[host] = (began, began + down)
        until = max([stop for _, stop in self.silent.values()], default=self.start + 3 * self.interval)
        self.end = until + timedelta(minutes=random.randrange(95, 140))
        people = [(services.hexadecimal(random), services.hexadecimal(random)) for _ in range(4)]
        self.public = [services.uuid(random) for _ in range(random.randrange(2, 6))]
        for image in self.public:  # whatever is down, somebody else has it too
            for host in {random.choice(self.stays), *random.sample(self.cloud, random.randrange(1, len(self.cloud)))}:
                self._instance(image, host, random.choice(people))
        self.private: list[str] = []
        if self.half == "guilty" or self.cause == "removal-failed":
            for _ in range(random.choice((1, 1, 2))):
                image, owner = services.uuid(random), random.choice(people)
                self.private.append(image)
                sizes = [10, random.choice((10, 20, 40))]
                for host in random.sample(self.downs, random.randrange(1, len(self.downs) + 1)):
                    for _ in range(random.randrange(1, 4)):
                        self._instance(image, host, owner, random.choice(sizes))
        self.orphan = services.uuid(random)  # nobody has used it for long
        self.gone = self._instance(services.uuid(random), random.choice(self.stays), random.choice(people))
        self.gone.deleted_at = self.start + 0.5 * self.interval
        for one in self.instances:
            one.file = self._path(one.image, one.root_gb)
        self.together = random.random() < 0.35
        self.first = {host: self.start + self.interval * random.random() for host in self.cloud}
        if self.together and len(self.stays) > 1:
            self.first[self.stays[1]] = self.first[self.stays[0]] + timedelta(seconds=0.4)
        self.seen = {host: at - self.interval for host, at in self.first.items()}
        for one in self.instances:
            for path in (one.file, self._path(one.image, 0)):
                self.touched[path] = max(self.touched.get(path, self.seen[one.host]), self.seen[one.host])
        age = timedelta(hours=1 if self.resized else 24)
        self.touched[self._path(self.orphan, 10)] = self.start - age + 1.5 * self.interval * random.random()

    def _instance(self, image: str, host: str, owner: tuple[str, str], root_gb: int = 10) -> _Instance:
        number = self.instances[-1].number + self.random.randrange(1, 9) if self.instances else 3
        self.instances.append(_Instance(self.random, number, image, host, root_gb, owner))
        self.instances[-1].created_at = self.start - DAY * self.random.uniform(3, 90)
        return self.instances[-1]

    def _path(self, image: str, root_gb: int) -> str:
        suffix = f"_{root_gb}" if self.resized and root_gb else ""
        return f"{BASE}/{hashlib.sha1(image.encode()).hexdigest()}{suffix}"

    def _images(self) -> list[str]:
        return list(dict.fromkeys(one.image for one in self.instances))

    def _up(self, host: str, at: datetime) -> bool:
        began, stop = self.silent.get(host, (at, at))
        return not began <= at < stop

    def _run(self) -> None:
        """Passes and ticks in the order of time; two hosts sometimes pass at once."""
        order = 0
        for host, at in self.first.items():
            began, stop = self.silent.get(host, (self.end, self.end))
            for since, until in ((at, began), (stop + self.interval, self.end)):
                while since < until:
                    heapq.heappush(self.queue, (since, order, host))
                    since += self.interval * (1 if self.together else self.random.uniform(1, 1.004))
                    order += 1
            self._noise(host)
        while self.queue:
            at, _, host = heapq.heappop(self.queue)
            self._pass(host, at)
        for host, (_, stop) in self.silent.items():
            self._back(host, stop)
        if self.cause == "other-failure":
            alive = self._alive(self.end)
            for one in self.random.sample(alive, min(2, len(alive))):
                self._starts(one, self.end - timedelta(minutes=20), self.random.choice(words.OTHER_ERRORS))
        gone = self.gone
        if gone.deleted_at:
            who = Who.asks(self.random, gone.user, gone.project)
            self._say(gone, gone.deleted_at, "AUDIT", MANAGER, "Terminating instance", who)

    def _noise(self, host: str) -> None:
        """The resource tracker's words: signs of life."""
        at, step = self.start, max(timedelta(minutes=10), (self.end - self.start) / 120)
        free = self.random.randrange(4000, 90000)
        while at < self.end:
            if self._up(host, at):
                tracker = "nova.compute.resource_tracker"
                self.evidence.say(host, "nova-compute", at, "AUDIT", tracker, f"Free ram (MB): {free}", self._task())
            at += step * self.random.uniform(0.9, 1.1)

    def _task(self) -> Who | None:
        return Who.asks(self.random) if is_from(self.release, "kilo") else None

    def _alive(self, at: datetime) -> list[_Instance]:
        return [one for one in self.instances if one.deleted_at is None or one.deleted_at > at]

    def _pass(self, host: str, at: datetime) -> None:
        """One host's look at the folder."""
        task, clock = self._task(), at
        self.seen[host] = at

        def say(level: str, message: str) -> datetime:
            nonlocal clock
            clock += timedelta(seconds=0.003)
            return self.evidence.say(host, "nova-compute", clock, level, CACHE, message, task)

        users = {name for name, seen in self.seen.items() if at - seen < DAY}
        active, removable, explained = [], [], set()
        there = sorted(self.touched)
        alive = self._alive(at)
        counted = [one for one in alive if self.local_only or one.host in users]  # storage_users.py
        for image in dict.fromkeys(one.image for one in counted):
            local = sum(one.image == image and one.host == host for one in alive)
            remote = sum(one.image == image and one.host != host and one.host in users for one in alive)
            for path in (p for p in there if p.startswith(self._path(image, 0))):
                explained.add(path)
                called = f"{image} ({path})" if self.local_only else f"image {image} at ({path})"
                say("INFO", f"{called}: checking")
                if not (local if self.local_only else local + remote):
                    removable.append(path)
                    continue
                if not self.local_only and not is_from(self.release, "pike"):
                    where = f"on this node {local} local, {remote} on other nodes sharing this instance storage"
                    say("INFO", f"{called}: in use: {where}")
                active.append(path)
                self.touched[path] = at
        if self.local_only:  # the scan of the disks adds to the list, and protects nothing
            active += [
                path for path in dict.fromkeys(one.file for one in alive) if path in there and path not in active
            ]
        for path in there:
            if path not in explained:
                say("WARNING", f"Unknown base file: {path}")
                removable.append(path)
        for word, paths in (("Active", active), ("Removable", removable)):
            if paths:
                say("INFO", f"{word} base files: {' '.join(paths)}")
        for path in removable:
            self._remove(host, path, at, say)

    def _remove(self, host: str, path: str, at: datetime, say: Any) -> None:
        kind = words.cached(self.release)
        margin = HOUR if "_" in path.rsplit("/", 1)[1] else DAY
        if at - self.touched[path] < margin:
            say("INFO", f"{kind.capitalize()} file too young to remove: {path}")
            return
        told = say("INFO", f"Removing {kind} file: {path}")
        if self.cause == "removal-failed":
            say("ERROR", f"Failed to remove {path}, error was [Errno 13] Permission denied: '{path}'")
            return
        del self.touched[path]
        self.removed[path] = (told, [host])
        if self.together and host in self.stays[:2] and len(self.stays) > 1:  # the other one was as far
            other = self.stays[1 - self.stays.index(host)]
            late = at + timedelta(seconds=0.6)
            task = self._task()
            self.evidence.say(other, "nova-compute", late, "INFO", CACHE, f"Removing {kind} file: {path}", task)
            error = f"Failed to remove {path}, error was [Errno 2] No such file or directory: '{path}'"
            self.evidence.say(other, "nova-compute", late + timedelta(seconds=0.02), "ERROR", CACHE, error, task)

    def _back(self, host: str, stop: datetime) -> None:
        """The host, or its nova-compute alone, is up again; after a loss of power somebody starts its instances."""
        version = "2012.2-LOCALBRANCH:LOCALREVISION" if self.local_only else "2014.1.3-1"
        self.evidence.restart(host, "nova-compute", stop)
        self.evidence.say(
            host, "nova-compute", stop, "AUDIT", "nova.service", f"Starting compute node (version {version})"
        )
        at = stop + timedelta(minutes=7)
        mine = [one for one in self._alive(stop) if one.host == host]
        tried = mine if self.power[host] else mine[: self.random.randrange(2)] if self.half == "guilty" else []
        for one in tried:
            if one.file in self.touched:
                self._starts(one, at)
            else:
                self._starts(one, at, self._missing(one), True)
            at += timedelta(seconds=self.random.randrange(20, 90))

    def _say(
        self, one: _Instance, at: datetime, level: str, logger: str, message: str, who: Who | None, *trace: str
    ) -> None:
        self.evidence.say(one.host, "nova-compute", at, level, logger, message, who, one.uuid, trace)

    def _starts(self, one: _Instance, at: datetime, error: str | None = None, missing: bool = False) -> None:
        """An instance is started, in the words of the release; with an error it fails."""
        who, task = Who.asks(self.random, one.user, one.project), self._task()
        one.failed = missing
        trace = words.traceback(self.release, error or "")
        said = words.restarted()
        if error:
            said = words.failing_start(self.random, self.release, error, one.name, one.uuid)
        for each in said:
            self.evidence.say(
                one.host, "nova-compute", at + timedelta(seconds=each.after_s), each.level, each.logger, each.message,
                who if each.asked else task, one.uuid if each.prefixed else None, trace if each.traced else (),
            )  # fmt: skip

    def _missing(self, one: _Instance) -> str:
        disk = f"/var/lib/nova/instances/{one.name if self.local_only else one.uuid}/disk"
        named = not self.sources & {"dump", "notifications"}  # else other evidence has to tell it
        return words.missing_file(self.random, self.release, one.file, disk, named)

    def truth(self) -> Truth:
        """Write the folder; what is true of it."""
        clocks = self.evidence.clocks
        told = dict(self._other_sources())
        for name, (text, clock, squeeze) in told.items():
            self.evidence.put(name, text, clock, self.end, squeeze=squeeze)
        silences = {}
        for host, (began, stop) in self.silent.items():
            signs = self.evidence.signs(host)
            spoke, again = (
                max(at for at in signs if at < began),
                min(at for at in signs if at >= stop - timedelta(seconds=1)),
            )
            silences[host] = {"host": host, "from": instant(spoke), "to": instant(again)}
        findings = []
        needless = []
        for path, (at, by) in sorted(self.removed.items(), key=lambda item: item[1][0]):
            users = [one for one in self._alive(at) if one.file == path]
            plain = {"base_file": path, "removed_at": instant(at), "removed_by": by}
            if not users:
                needless.append(plain)
                continue
            owners = [silences[host] for host in sorted({one.host for one in users})]
            findings.append({"kind": "base-file-removed-in-use", "facts": {
                "base_file": path, "image": users[0].image, "removed_at": instant(at), "removed_by": by,
                "owners_down": owners, "victims": sorted(one.uuid for one in users if one.failed),
                "at_risk": sorted(one.uuid for one in users if not one.failed)}})  # fmt: skip
        hidden = [{"kind": "host-silent", "facts": silence} for silence in silences.values()]
        if (self.half == "guilty") != bool(findings):
            raise RuntimeError(f"{self.half}: {self.release}, {self.cause}: the rules went another way")
        return {
            "findings": findings + (hidden if self.half == "guilty" else []),
            "around": hidden,
            "removed_by_the_rules": needless,
            "clocks": self.evidence.finish(TITLES[self.half]),
            "in_fact": {
                "release": self.release, "layout": self.evidence.layout, "cause": self.cause,
                "sources": sorted(self.sources), "hosts": {host: clock.told() for host, clock in clocks.items()},
            },
        }  # fmt: skip

    def _glance(self) -> Table:
        """Snapshots that instances ran on are deleted, and what nobody uses, where that is the reason."""
        rows: list[tuple[str, bool, datetime, datetime | None]] = []
        for image in dict.fromkeys([*self.public, *self.private, self.orphan, self.gone.image]):
            public = image in self.public
            deleted = image in self.private or (self.cause == "image-deleted" and not public)
            rows.append((image, public, self.start - 90 * DAY, self.start - 2 * HOUR if deleted else None))
        return words.images(rows)

    def _other_sources(self) -> Iterator[tuple[str, tuple[str, Any, bool]]]:
        random, clock = self.random, services.Clock()
        if "dump" in self.sources:
            rows = [
                (one.created_at, self.end, one.deleted_at,
                 bool(one.deleted_at) * (1 if self.local_only else one.number),
                 one.number, one.user, one.project, one.image, f"vm-{one.number}", one.host,
                 "deleted" if one.deleted_at else "active", None, 0 if one.deleted_at else 1, 2048, 1, one.root_gb, 0,
                 one.created_at, one.deleted_at, f"vm-{one.number}", one.uuid)
                for one in self.instances
            ]  # fmt: skip
            databases = {"nova": [Table("instances", services.INSTANCES, rows)]}
            if random.random() < 0.7:
                databases["glance"] = [self._glance()]
            text = services.dump(databases, self.end)
            yield "controller/nova.sql", (text, clock, random.random() < 0.5)
        if "notifications" in self.sources:
            events = [
                self._event(one, event, at)
                for one in sorted(self.instances, key=lambda one: one.created_at)
                for event, at in (("create.end", one.created_at), ("delete.end", one.deleted_at))
                if at is not None
            ]
            form = random.choice(("plain", "envelope", "routed"))
            yield "notifications.jsonl", (services.kept(events, form), clock, False)
        if "listing" in self.sources:
            prompt = "root@nfs:/var/lib/nova/instances#"
            out = [f"{prompt} date -R", f"{self.end:%a, %d %b %Y %H:%M:%S} +0000"]
            out += [f"{prompt} ls -l --time-style=full-iso _base", f"total {len(self.touched) << 20}"]
            for path, at in sorted(self.touched.items()):
                size = 10 << 30 if path.count("_") > 1 else 2 << 30
                stamp = f"{at:%Y-%m-%d %H:%M:%S.%f}000 +0000"
                out.append(f"-rw-r--r-- 1 nova kvm {size:>11} {stamp} {path.rsplit('/', 1)[1]}")
            yield "nfs/session.txt", ("\n".join([*out, ""]), None, False)
        if "compute_nodes" in self.sources and not self.local_only:
            seen = {host: at.timestamp() + self.evidence.clocks[host].ahead_s for host, at in self.seen.items()}
            yield "nfs/var/lib/nova/instances/compute_nodes", (json.dumps(seen), None, False)

    def _event(self, one: _Instance, event: str, at: datetime) -> dict[str, Any]:
        """A notification of its host's nova-compute, by that host's clock."""
        created, gone = f"{one.created_at:%Y-%m-%d %H:%M:%S}", event == "delete.end"
        payload = {
            "instance_id": one.uuid, "tenant_id": one.project, "user_id": one.user, "host": one.host,
            "display_name": f"vm-{one.number}", "root_gb": one.root_gb, "disk_gb": one.root_gb, "memory_mb": 2048,
            "vcpus": 1, "state": "deleted" if gone else "active", "created_at": created, "launched_at": created,
            "image_ref_url": f"http://10.0.0.10:9292/images/{one.image}", "image_meta": {},
            "deleted_at": f"{at:%Y-%m-%d %H:%M:%S}" if gone else "",
        }  # fmt: skip
        ahead = at + timedelta(seconds=self.evidence.clocks[one.host].ahead_s)
        name = f"compute.instance.{event}"
        return services.notification(self.random, ahead, one.host, name, payload, one.user, one.project)
