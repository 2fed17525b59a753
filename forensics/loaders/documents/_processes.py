"""Processes as listings print them: names, command lines without secrets, times in the forms of ps and top."""

from __future__ import annotations

import posixpath
import re
from datetime import UTC, datetime, timedelta

from forensics.escape import masked_command
from forensics.loaders.documents._wall import NS, local_ns

_INTERPRETER = re.compile(r"^(?:python[\d.]*|ruby[\d.]*|perl[\d.]*|bash|sh|dash|uwsgi-python\d?)$")
_DURATION = re.compile(
    r"^(?:(?P<days>\d{1,6})-)?(?:(?P<hours>\d{1,9}):)?(?P<minutes>\d{1,9}):(?P<seconds>\d\d)(?:[.,](?P<part>\d\d?))?$"
)
_DAY = re.compile(r"^(?P<month>[A-Z][a-z]{2}) ?(?P<day>\d\d?)$")
_CLOCK = re.compile(r"^(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d))?$")
_LONG = re.compile(
    r"^[A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2})\s+(?P<day>\d\d?) (?P<clock>\d\d:\d\d:\d\d) (?P<year>\d{4})$"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TREE = re.compile(r"^(?:[ |]*\\_ |[ │├└─`|+-]+(?=\S))")
_PASSWORD = re.compile(
    r"(?i)((?:--?|[A-Z_]*)[\w-]*(?:password|passwd|token|secret|api-key)(?:=|\s+)|(?:^|\s)-p(?=\S))(?!-)([^\s,;]{1,512})"
)


def command_line(text: str) -> str:
    r"""A command line as it may be kept: without the branches that `ps f` draws, and without secrets.

    Examples:
        >>> command_line("mysqldump -uroot -ps3cret nova"), command_line(" \\_ /usr/sbin/dnsmasq --port=53")
        ('mysqldump -uroot -p••• nova', '/usr/sbin/dnsmasq --port=53')
    """
    plain = _TREE.sub("", text, count=1).strip()
    said = masked_command(plain)
    if plain.startswith(("mysql", "mariadb")) or "/mysql" in plain[:80]:
        return _PASSWORD.sub(r"\1•••", said)
    return _PASSWORD.sub(lambda found: found[0] if found[1].strip() == "-p" else f"{found[1]}•••", said)


def program(command: str) -> str | None:
    """Name of the program that a command line runs; of a script, the script's.

    Examples:
        >>> program("/usr/bin/python2 -s /usr/bin/nova-api --config-file=/etc/nova/nova.conf"), program("[kswapd0]")
        ('nova-api', 'kswapd0')
        >>> program("nova-conductor: worker"), program("-bash"), program("/usr/sbin/dnsmasq --strict-order")
        ('nova-conductor', 'bash', 'dnsmasq')
    """
    words = command.split(None, 8)
    if not words:
        return None
    if words[0][0] in "[(":
        return command.strip("[]()").split()[0] if command.strip("[]() ") else None
    name = posixpath.basename(words[0].lstrip("-").rstrip(":"))
    if _INTERPRETER.match(name):
        script = next((word for word in words[1:] if not word.startswith("-")), None)
        if script and not script.isdigit() and "-m" not in words[1:3] and "-c" not in words[1:3]:
            return posixpath.basename(script) or name
        if "-m" in words[1:3] and script:
            return script
    return name or None


def duration_s(text: str) -> float | None:
    """A span of time as ps and top print it.

    Examples:
        >>> duration_s("1-02:03:04"), duration_s("138:59"), duration_s("0:05.25"), duration_s("-")
        (93784.0, 8339.0, 5.25, None)
    """
    found = _DURATION.match(text)
    if not found:
        return None
    whole = (int(found["days"] or 0) * 24 + int(found["hours"] or 0)) * 60 + int(found["minutes"])
    return whole * 60 + int(found["seconds"]) + (int(found["part"].ljust(2, "0")) / 100 if found["part"] else 0.0)


def started(text: str, now_ns: int | None) -> int | None:
    """When a process started on the host's wall clock, from the column START; nanoseconds since 1970.

    ``15:40`` is within the last day, ``Feb14`` within the last year; a year alone tells too little.

    Args:
        text: The column.
        now_ns: The wall clock when the listing was taken.
    """
    if found := _LONG.match(text):
        hour, minute, second = (int(part) for part in found["clock"].split(":"))
        return local_ns(int(found["year"]), _month(found["month"]), int(found["day"]), hour, minute, second)
    if now_ns is None:
        return None
    now = datetime.fromtimestamp(now_ns // NS, UTC)
    if found := _CLOCK.match(text):
        if int(found["hour"]) > 23 or int(found["minute"]) > 59:
            return None
        at = now.replace(
            hour=int(found["hour"]), minute=int(found["minute"]), second=min(int(found["second"] or 0), 59)
        )
        at -= timedelta(days=1) if at > now else timedelta(0)
        return int(at.timestamp()) * NS
    if found := _DAY.match(text):
        for year in (now.year, now.year - 1):
            day = local_ns(year, _month(found["month"]), int(found["day"]))
            if day is not None and day <= now_ns:
                return day
    return None


def _month(name: str) -> int:
    return _MONTHS.index(name) + 1 if name in _MONTHS else 0
