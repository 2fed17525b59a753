"""Lines as nova-api of Grizzly and Havana wrote them, listings of ps, and the figures of the truth."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from statistics import median
from zoneinfo import ZoneInfo


@dataclass
class Request:
    """One request: when it came, what it cost for real, and how long it lasted."""

    operation: str
    at: datetime  # it arrived then, UTC
    project: str
    user: str
    client: str
    request_id: str
    url: str
    cpu_s: float = 0.0
    waiting_s: float = 0.0  # for scheduler, network and keystone, elsewhere
    response_bytes: int = 0
    duration_s: float = 0.0
    rows: int = 0  # of `instances`, at that moment
    pid: int = 0

    @property
    def ended(self) -> datetime:
        """When its line was written."""
        return self.at + timedelta(seconds=self.duration_s)


def share(requests: list[Request], factor: float) -> None:
    """Durations of requests that one process serves: those in progress have equal parts of it.

    Eventlet's green threads share one process; `cpu_s` times `factor` is what each needs of it. What it waits for
    comes afterwards, and takes nothing of the process.
    """
    start = min(request.at for request in requests)
    arrivals = sorted((((r.at - start) / timedelta(seconds=1), n) for n, r in enumerate(requests)), reverse=True)
    left: dict[int, float] = {}
    now = 0.0
    while arrivals or left:
        until = arrivals[-1][0] if arrivals else float("inf")
        if left:
            nearest = min(left, key=lambda n: left[n])
            done = now + left[nearest] * len(left)
            step = (min(done, until) - now) / len(left)
            left = {n: rest - step for n, rest in left.items()}
            now = min(done, until)
            if done <= until:
                one = requests[nearest]
                one.duration_s = round(now - (one.at - start) / timedelta(seconds=1) + one.waiting_s, 7)
                del left[nearest]
                continue
        now, number = arrivals.pop()
        left[number] = requests[number].cpu_s * factor


def access_line(request: Request, release: str, zone: str, ahead_s: float) -> str:
    """The line of eventlet's server inside nova-api (wsgi_log_format), with the blank line that followed it."""
    logger = "nova.ec2" if request.url.startswith("/services/") else "nova.osapi_compute"
    pid = f"{request.pid} " if release == "havana" else ""
    return (
        f"{stamp(request.ended, zone, ahead_s)} {pid}INFO {logger}.wsgi.server [{request.request_id} {request.user} "
        f'{request.project}] {request.client} "GET {request.url} HTTP/1.1" status: 200 len: {request.response_bytes} '
        f"time: {request.duration_s:.7f}\n\n"
    )


def start_lines(pid: int, at: datetime, zone: str, ahead_s: float) -> list[tuple[datetime, str]]:
    """What nova-api says when it starts; both releases name the process where there is no request."""
    shown = stamp(at, zone, ahead_s)
    ports = (("ec2", 8773), ("osapi_compute", 8774))
    return [
        (at, f"{shown} {pid} INFO nova.{name}.wsgi.server [-] ({pid}) wsgi starting up on http://0.0.0.0:{port}/\n\n")
        for name, port in ports
    ]


def stamp(at: datetime, zone: str, ahead_s: float) -> str:
    """Local time with milliseconds, by a clock that is ahead."""
    shown = (at + timedelta(seconds=ahead_s)).astimezone(ZoneInfo(zone))
    return f"{shown:%Y-%m-%d %H:%M:%S}.{shown.microsecond // 1000:03d}"


def date_line(at: datetime, zone: str, ahead_s: float) -> str:
    """As `date -R` prints it."""
    return f"{(at + timedelta(seconds=ahead_s)).astimezone(ZoneInfo(zone)):%a, %d %b %Y %H:%M:%S %z}"


MEMORY_KIB = 48 << 20  # of the hosts, for %MEM
PS_HEADING = "USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND"


def ps_line(pid: int, memory: dict[str, int], started: datetime, now: datetime, cpu_s: float, zone: str) -> str:
    """Nova-api as `ps aux` prints it; `memory` as the kernel says."""
    local, today = started.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone))
    fresh, this_year = now - started < timedelta(days=1), local.year == today.year
    start = f"{local:%H:%M}" if fresh else f"{local:%b%d}" if this_year else f"{local:%Y}"
    vsz, rss = memory["vsz"], memory["rss"]
    busy = 100 * cpu_s / max((now - started) / timedelta(seconds=1), 1)
    command = "/usr/bin/python /usr/bin/nova-api --logfile /var/log/nova/nova-api.log"
    return (
        f"{'nova':<8} {pid:>5} {min(busy, 99.9):>4.1f} {100 * rss / MEMORY_KIB:>4.1f} {vsz:>6} {rss:>5} ?        Ss   "
        f"{start:>5} {int(cpu_s // 60):>3}:{int(cpu_s % 60):02d} {command}"
    )


def slope(points: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Theil and Sen's slope, and the bounds of Sen's 95 % interval."""
    slopes = sorted((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2)
    n = len(points)
    half = 1.96 * (n * (n - 1) * (2 * n + 5) / 18) ** 0.5
    low, high = round((len(slopes) - half) / 2), round((len(slopes) + half) / 2)
    return median(slopes), slopes[max(low, 0)], slopes[min(high, len(slopes) - 1)]


def rank_correlation(points: list[tuple[float, float]]) -> float:
    """Spearman's, with middle ranks for ties."""
    ranks = [_ranks([point[which] for point in points]) for which in (0, 1)]
    middle = (len(points) + 1) / 2
    pairs = [(a - middle, b - middle) for a, b in zip(*ranks, strict=True)]
    spread = (sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs)) ** 0.5
    return sum(a * b for a, b in pairs) / spread if spread else 0.0


def _ranks(values: list[float]) -> list[float]:
    order = sorted(range(len(values)), key=lambda n: values[n])
    ranks, at = [0.0] * len(values), 0
    while at < len(order):
        end = at
        while end < len(order) and values[order[end]] == values[order[at]]:
            end += 1
        for n in order[at:end]:
            ranks[n] = (at + 1 + end) / 2
        at = end
    return ranks


def as_of(counts: list[tuple[datetime, int]], at: datetime) -> int:
    """The last known count."""
    return counts[bisect_right(counts, at, key=lambda one: one[0]) - 1][1]
