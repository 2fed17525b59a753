"""API logs and row counts, by a seed: requests slow down with the rows of a table, or with anything but rows.

Guilty stories: `growth` (an operation's latency grows with a table), `upgrade` (it is slower from one moment on) and
`deployments` (it grows in one of two folders); a process's memory may grow with them. The innocent ones have latency
that follows load or the answers' size, rows that grow in vain, one slow request, or too few requests to say anything.

Figures of the truth are reckoned from what was written: rows as of each request (the last count before it, or the rows
that a dump's times tell), Theil's and Sen's slope with Sen's interval, Spearman's rank correlation.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from data.synth import _services as services
from data.synth._services import Evidence, Table, Truth, Who, instant, is_from, utc

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

TITLES = {"guilty": "The API is slower than it was", "healthy": "A look at the API"}
INNOCENT = ("load", "response-size", "rows-in-vain", "outlier", "few")
STORIES = ("growth", "growth", "upgrade", "deployments")
YEAR = timedelta(days=365)
TABLES = ("instances", "instance_system_metadata")
IDLE = "fixed_ips"


def guilty(seed: int, folder: Path) -> Truth:
    """An operation slows down, and rows, or a new release, are why."""
    return _Story(seed, folder, "guilty").truth()


def healthy(seed: int, folder: Path) -> Truth:
    """Latency and rows both vary, but not together."""
    return _Story(seed, folder, "healthy").truth()


def cases() -> "SearchStrategy[services.Made]":
    """Both halves, any seed."""
    return services.strategy(guilty, healthy)


class _Request(NamedTuple):
    at: datetime  # as the line's stamp tells it
    duration_s: float
    length: int


def ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1, middle ones for ties."""
    order = sorted(values)
    return [(bisect_right(order, v) + order.index(v) + 1) / 2 for v in values]


def spearman(points: Sequence[tuple[float, float]]) -> float | None:
    """Rank correlation; None where one side does not vary."""
    xs, ys = (ranks([point[at] for point in points]) for at in (0, 1))
    middle = (len(points) + 1) / 2
    spread = (sum((x - middle) ** 2 for x in xs) * sum((y - middle) ** 2 for y in ys)) ** 0.5
    return sum((x - middle) * (y - middle) for x, y in zip(xs, ys, strict=True)) / spread if spread else None


def slope(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Theil's and Sen's slope, and the bounds of Sen's 95 % interval."""
    slopes = sorted((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2)
    n = len(points)
    half = 1.96 * (n * (n - 1) * (2 * n + 5) / 18) ** 0.5
    low, high = round((len(slopes) - half) / 2), round((len(slopes) + half) / 2)
    return median(slopes), slopes[max(low, 0)], slopes[min(high, len(slopes) - 1)]


class _Story:
    """One case: a table, an operation, and a log of it."""

    def __init__(self, seed: int, folder: Path, half: str) -> None:
        self.random = random = Random(f"api_latency {half} {seed}")
        self.half = half
        self.opposite: float | None = None
        self.cause = random.choice(STORIES if half == "guilty" else INNOCENT)
        names = list(services.RELEASES)
        late = ("havana", "icehouse", "juno", "mitaka", "pike", "train", "zed", "2025.1")
        self.release = random.choice(late)
        self.uwsgi = is_from(self.release, "pike") and random.random() < 0.6
        self.before = names[names.index(self.release) - 1] if self.cause == "upgrade" else self.release
        self.host = random.choice(("controller", "ctl1", "havana-cloud", "api01"))
        self.other = "grizzly-cloud" if self.cause == "deployments" else None
        hosts = [self.host, *([self.other] if self.other else [])]
        self.evidence = Evidence.begin(folder, random, self.release, hosts, steady=True, merge=False)
        year = services.RELEASES[self.release]
        days = random.randrange(120, 420) if self.cause != "upgrade" else random.randrange(6, 30)
        self.start = utc(year, random.randrange(1, 6), random.randrange(2, 20), 6)
        self.end = self.start + timedelta(days=days)
        self.table = random.choice(TABLES)
        self.form = random.choice(("csv", "wide", "tsv", "session", "dump"))
        if self.form == "dump":
            self.table = "instances"
        ec2 = not is_from(self.release, "mitaka") and random.random() < 0.8 and self.cause != "response-size"
        self.operation = "RunInstances" if ec2 else "GET /v2/{project_id}/servers/detail"
        if is_from(self.release, "pike"):
            self.operation = "GET /v2.1/servers/detail"
        self.people = [(services.hexadecimal(random), services.hexadecimal(random)) for _ in range(4)]
        self.bytes_each = random.randrange(200_000, 3_000_000) if random.random() < 0.5 else None
        if half == "healthy" and self.bytes_each:
            self.bytes_each = 0  # memory is listed, and stays
        if self.cause == "upgrade":
            self.bytes_each = None  # a new process in between
        self.done: dict[str, list[datetime]] = {}
        self.uwsgi_lines: dict[str, list[tuple[datetime, str]]] = {}
        self.listings: list[tuple[datetime, int, int]] = []  # as told: instant, requests served, resident bytes
        self.changed: datetime | None = None
        self._rows()
        self._requests()

    def _rows(self) -> None:
        """Counts of the table, or the rows themselves with their times."""
        random = self.random
        self.births: list[datetime] = []
        self.counts: list[tuple[datetime, int]] = []
        span = self.end - self.start
        if self.form == "dump":
            share = 0.15 if self.cause == "upgrade" else 2
            since = self.start - share * span
            self.births = sorted(
                since + (self.end - since) * random.random() for _ in range(random.randrange(500, 1200))
            )
            self.births = [at.replace(microsecond=0) for at in self.births]
            if self.cause == "upgrade":
                self.births = sorted(
                    (self.start - 2 * YEAR * random.random()).replace(microsecond=0) for _ in self.births
                )
            return
        first = random.randrange(20_000, 400_000)
        grows = 0.0 if self.cause == "upgrade" else random.uniform(0.8, 4)
        rows, every = float(first), max(span / random.randrange(25, 60), timedelta(hours=3))
        at = self.start - every
        while at < self.end:
            self.counts.append((at.replace(microsecond=0), int(rows)))
            rows += first * grows * (every / span) * random.uniform(0.4, 1.6) + random.randrange(3)
            if grows and random.random() < 0.03:
                rows *= random.uniform(0.75, 0.95)  # somebody purged
            at += every

    def rows(self, at: datetime) -> int:
        """As the evidence tells them at an instant."""
        if self.form == "dump":
            return bisect_right(self.births, at)
        place = bisect_right(self.counts, at, key=lambda one: one[0])
        return self.counts[max(place - 1, 0)][1]

    def _requests(self) -> None:
        """Requests, evenly over the time; their latency follows the story."""
        random, span = self.random, self.end - self.start
        few = self.cause == "few"
        many = random.randrange(3, 6) if few else random.randrange(50, 110)
        moments = sorted(self.start + span * random.random() for _ in range(many))
        most = max(self.rows(self.end), 1)
        steep, base = random.uniform(5, 90) / most, random.uniform(0.2, 3)
        ratio = random.uniform(3, 30)
        self.step = step = moments[len(moments) // 2] if self.cause == "upgrade" else None
        slow = random.choice(moments)
        told: list[_Request] = []
        for at in moments:
            length, seconds = random.randrange(700, 1300), base * random.lognormvariate(0, 0.12)
            if self.half == "guilty" and self.cause != "upgrade":
                seconds += steep * self.rows(at) * random.lognormvariate(0, 0.06)
            if step and at >= step:
                seconds *= ratio
            if self.cause == "response-size":
                length = random.randrange(2_000, 900_000)
                seconds += length / 3e4
            if self.cause == "outlier" and at == slow:
                seconds *= 80
            crowd = random.randrange(5, 14) if self.cause == "load" and random.random() < 0.3 else 1
            for _ in range(crowd):  # those that come at once share the process
                came = at + timedelta(seconds=random.random())
                told.append(self._request(self.host, came, seconds * crowd * random.uniform(0.9, 1.1), length))
            if self.cause != "load" and random.random() < 0.5:
                self._noise(self.host, at)
        told.sort()
        self.told = told
        if step:
            self.changed = next(one.at for one in told if one.at > step - timedelta(seconds=1))
            self._started(step - timedelta(seconds=40))
        self.others = []
        for _ in range(random.randrange(20, 60) if self.other else 0):
            came = self.start + span * random.random()
            self.others.append(self._request(str(self.other), came, base * random.lognormvariate(0, 0.12), 931))
        self._listed(moments)

    def _started(self, at: datetime) -> None:
        if self.uwsgi:
            return
        self.evidence.restart(self.host, "nova-api", at)
        pid = self.evidence.pid(self.host, "nova-api", at)
        for api, port in (("ec2", 8773), ("osapi_compute", 8774)):
            text = f"({pid}) wsgi starting up on http://0.0.0.0:{port}/"
            self.evidence.say(self.host, "nova-api", at, "INFO", f"nova.{api}.wsgi.server", text)

    def _request(self, host: str, came: datetime, seconds: float, length: int) -> _Request:
        """One request of the operation, as its line tells it."""
        who = Who.asks(self.random, *self.random.choice(self.people))
        seconds = round(seconds, 3 if self.uwsgi else 7)
        if self.operation == "RunInstances":
            url = "/services/Cloud?AWSAccessKeyId=[something]&Action=RunInstances"
            url += f"&ClientToken={services.uuid(self.random)}"
            url += f"&ImageId=ami-{self.random.randrange(1, 40):08x}&InstanceType=m1.small&MaxCount=1&MinCount=1"
        else:
            url = self.operation.removeprefix("GET ").replace("{project_id}", str(who.project))
        return self._line(host, came, seconds, url, length, who)

    def _line(self, host: str, came: datetime, seconds: float, url: str, length: int, who: Who) -> _Request:
        done = came + timedelta(seconds=seconds)
        self.done.setdefault(host, []).append(done)
        if not self.uwsgi:
            release = self.before if self.step and came < self.step else self.release
            logger = "nova.ec2.wsgi.server" if url.startswith("/services") else "nova.osapi_compute.wsgi.server"
            text = f'10.0.0.9 "GET {url} HTTP/1.1" status: 200 len: {length} time: {seconds:.7f}'
            blank = not is_from(release, "icehouse")
            at = self.evidence.say(host, "nova-api", done, "INFO", logger, text, who, blank=blank, release=release)
            return _Request(at, seconds, length)
        clock = self.evidence.clocks[host]
        ahead = timedelta(seconds=clock.ahead_s)
        at = (came + ahead).replace(microsecond=0) - ahead  # uWSGI's stamp is the start
        local = clock.local(at)
        line = (
            f"10.0.0.9 () {{62 vars in 1256 bytes}} [{local:%a %b} {local.day:>2} {local:%H:%M:%S %Y}] GET {url} => "
            f"generated {length} bytes in {round(seconds * 1000)} msecs (HTTP/1.1 200) 9 headers in 403 bytes "
            "(1 switches on core 0)\n"
        )
        self.uwsgi_lines.setdefault(host, []).append((done, line))
        return _Request(at, seconds, length)

    def _uwsgi(self, host: str) -> str:
        """UWSGI's request log, with its memory report where that is on."""
        text = ""
        for number, (at, line) in enumerate(sorted(self.uwsgi_lines[host]), 1):
            if self.bytes_each is not None:
                rss = self._resident(number) if host == self.host else 90_000_000
                text += f"{{address space usage: {3 * rss} bytes/{3 * rss >> 20}MB}} "
                text += f"{{rss usage: {rss} bytes/{rss >> 20}MB}} "
                if host == self.host:
                    self.listings.append((at, number, rss))
            text += f"[pid: 2931|app: 0|req: {number}/{number}] {line}"
        return text

    def _resident(self, served: int) -> int:
        """Memory of the process after so many requests, in whole KiB."""
        return (90_000_000 + served * (self.bytes_each or 0) + self.random.randrange(60_000)) >> 10 << 10

    def _noise(self, host: str, at: datetime) -> None:
        """Somebody looks at the flavors: quick at all times.

        Each takes as much less than usual as the one before took more: a trend by chance would be a host that is slow.
        """
        who = Who.asks(self.random, *self.random.choice(self.people))
        version = "/v2.1" if is_from(self.release, "pike") else f"/v2/{who.project}"
        later = at + timedelta(minutes=3)
        drawn = self.random.uniform(0.01, 0.05)
        seconds, self.opposite = (drawn, 0.06 - drawn) if self.opposite is None else (self.opposite, None)
        self._line(host, later, seconds, f"{version}/flavors", 1403, who)

    def _listed(self, moments: Sequence[datetime]) -> None:
        """`ps aux` from time to time, each under what `date -R` printed; uWSGI's log tells it itself."""
        if self.bytes_each is None or self.uwsgi:
            return
        clock, text, done = self.evidence.clocks[self.host], [], sorted(self.done[self.host])
        pid = self.evidence.pid(self.host, "nova-api", self.start)
        command = "/usr/bin/python /usr/bin/nova-api --logfile /var/log/nova/nova-api.log"
        since, ahead = f"{self.start - timedelta(days=1):%b%d}", timedelta(seconds=clock.ahead_s)
        for moment in moments[:: self.random.choice((2, 3))]:
            at = (moment + timedelta(minutes=20) + ahead).replace(microsecond=0) - ahead
            served = bisect_right(done, at)
            rss = self._resident(served)
            self.listings.append((at, served, rss))
            text.append(f"{clock.local(at):%a, %d %b %Y %H:%M:%S %z}")
            text.append("USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND")
            share, size = 100 * rss / (48 << 30), f"{3 * rss >> 10:>6} {rss >> 10:>5}"
            text.append(f"nova     {pid:>5}  4.1 {share:>4.1f} {size} ?        Ss   {since}  12:41 {command}")
        self.evidence.put(f"{self.host}/ps-nova-api.txt", "\n".join(text) + "\n", clock, self.end)

    def _counted(self) -> None:
        """The counts in one of the shapes that operators leave."""
        random, noise = self.random, self.random.randrange(200, 900)
        idle = [noise + random.randrange(-20, 20) for _ in self.counts]
        name = f"{self.host}/row-counts"
        stamps = [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at, _ in self.counts]
        both = list(zip(stamps, self.counts, idle, strict=True))
        if self.form in ("csv", "tsv"):
            mark = "," if self.form == "csv" else "\t"
            out = [mark.join(("captured_at", "table_name", "table_rows"))]
            for stamp, (_, rows), few in both:
                out += [mark.join((stamp, self.table, str(rows))), mark.join((stamp, IDLE, str(few)))]
            self.evidence.put(f"{name}.{self.form}", "\n".join(out) + "\n", services.Clock(), self.end)
        elif self.form == "wide":
            out = [f"captured_at,{self.table},{IDLE}", *(f"{stamp},{rows},{few}" for stamp, (_, rows), few in both)]
            self.evidence.put(f"{name}.csv", "\n".join(out) + "\n", services.Clock(), self.end)
        elif self.form == "session":
            out = []
            for _, (at, rows), few in both:
                out += [
                    f"{at:%a, %d %b %Y %H:%M:%S +0000}",
                    "table_name\ttable_rows",
                    f"{self.table}\t{rows}",
                    f"{IDLE}\t{few}",
                ]
            self.evidence.put(f"{name}.txt", "\n".join(out) + "\n", services.Clock(), self.end)

    def _dumped(self) -> int:
        """A dump of instances, most of them deleted soon; how many of them a year ago."""
        random, rows, old = self.random, [], 0
        for number, born in enumerate(self.births, 1):
            dies = born + timedelta(hours=random.randrange(1, 200))
            dead = random.random() < 0.9 and dies < self.end
            old += dead and dies < self.end - YEAR
            user, project = random.choice(self.people)
            gone = dies if dead else None
            rows.append(
                (born, gone or born, gone, number if dead else 0, number, user, project, services.uuid(random),
                 f"vm-{number}", self.host, "deleted" if dead else "active", None, 0 if dead else 1, 2048, 1, 10, 0,
                 born, gone, f"vm-{number}", services.uuid(random))
            )  # fmt: skip
        text = services.dump({"nova": [Table("instances", services.INSTANCES, rows)]}, self.end)
        self.evidence.put(f"{self.host}/nova.sql", text, services.Clock(), self.end, squeeze=random.random() < 0.6)
        return old

    def truth(self) -> Truth:
        """Write what is left to write; what is true of it."""
        old: int | None = None
        if self.form == "dump":
            old = self._dumped()
        else:
            self._counted()
        for host, lines in self.uwsgi_lines.items():
            clock = self.evidence.clocks[host]
            self.evidence.put(f"{host}/nova-api-uwsgi.log", self._uwsgi(host), clock, max(lines)[0])
        points = [(float(self.rows(one.at)), one.duration_s) for one in self.told]
        findings: list[dict[str, Any]] = []
        if self.half == "guilty":
            findings += self._verdicts(points, old)
        operations = {
            "requests": len(points),
            "median_s": median(y for _, y in points),
            "rank_correlation": spearman(points),
        }
        return {
            "findings": findings,
            "clocks": self.evidence.finish(TITLES[self.half]),
            "in_the_logs": {self.operation: operations},
            "in_fact": {
                "release": self.release, "before": self.before,
                "layout": "uwsgi" if self.uwsgi else self.evidence.layout,
                "cause": self.cause, "sources": [self.form], "table": self.table, "deployment": self.host,
                "rows": [self.rows(self.start), self.rows(self.end)], "other_requests": len(self.others),
            },
        }  # fmt: skip

    def _verdicts(self, points: list[tuple[float, float]], old: int | None) -> list[dict[str, Any]]:
        facts: dict[str, Any]
        out = []
        durations = [one.duration_s for one in self.told]
        if self.cause == "upgrade":
            early = [one.duration_s for one in self.told if self.changed and one.at < self.changed]
            late = durations[len(early) :]
            facts = {
                "before_median_s": median(early),
                "after_median_s": median(late),
                "changed_at": instant(self.changed or self.end),
            }
        else:
            steep, low, high = (100_000 * figure for figure in slope(points))
            rest = None if old is None else max(self.rows(self.end) - old, 0)
            level = median(y - x * steep / 100_000 for x, y in points)
            predicted = None if rest is None else level + rest * steep / 100_000
            grows = {
                "operation": self.operation, "table": self.table, "seconds_per_100k_rows": steep, "ci_low": low,
                "ci_high": high, "rank_correlation": spearman(points), "requests": len(points),
                "rows_min": int(min(x for x, _ in points)), "rows_max": int(max(x for x, _ in points)),
                "purgeable_rows": old, "predicted_s_after_purge": predicted,
            }  # fmt: skip
            out.append({"kind": "latency-grows-with-rows", "facts": grows})
            before = [one.duration_s for one in self.others] or [0.0]
            facts = {
                "before_median_s": median(before),
                "after_median_s": median(durations),
                "deployments": [self.other, self.host],
            }
        if self.cause != "growth":
            ratio = facts["after_median_s"] / facts["before_median_s"]
            out.append({"kind": "latency-regression", "facts": {"operation": self.operation, **facts, "ratio": ratio}})
        if self.bytes_each and len(self.listings) > 1:
            per_request = slope([(float(served), float(rss)) for _, served, rss in self.listings])[0]
            out.append({"kind": "memory-growth", "facts": {
                "process": "uwsgi" if self.uwsgi else "nova-api", "host": self.host, "bytes_per_request": per_request,
                "from_bytes": self.listings[0][2],
                "to_bytes": self.listings[-1][2], "exhausted_at": None}})  # fmt: skip
        return out
