"""What somebody typed at a prompt and what it printed: each output is read as the document or log that it is."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import polars as pl

from forensics import escape
from forensics.evidence import Stream, stream_of
from forensics.loaders._reader import Batch, Origin, Reader, Stretch
from forensics.loaders._registry import pick, readers
from forensics.loaders.documents._document import head_of, lines_of
from forensics.loaders.documents._instants import instant_of
from forensics.records import Record, ShellCommand

MOST_BYTES = 64 << 20
_LONGEST_PROMPT = 2_000
_STAMP = r"(?:\[?(?P<stamp>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[Z+-][\d:]*)?)\]? )?(?:\([\w.-]+\) ?)?"
_PROMPTS = tuple(
    re.compile(rf"^{_STAMP}{form}$")
    for form in (
        r"(?P<user>[\w.-]+)@(?P<host>[\w.-]+):(?P<folder>[^#$\s]*)\s?[#$>%](?:\s+(?P<command>.*))?",
        r"\[(?P<user>[\w.-]+)@(?P<host>[\w.-]+) (?P<folder>[^\]]+?)\](?: ?\([^)]*\))?\s?[#$%](?:\s+(?P<command>.*))?",
        r"(?P<host>[\w.-]+)\((?P<user>[\w-]+)\)[#>] ?(?P<command>\S.*)",
        # switches; `mysql> show …` has a blank behind its mark, and is no switch
        r"(?P<host>[A-Za-z][\w.-]{1,63})(?P<user>(?!))?(?:# ?|>)(?P<command>sh(?:ow)?\s\S.*)",
    )
)
_BARE = re.compile(r"^[$%] (?P<command>\S.*)$")
_BARE_EMPTY = re.compile(r"^\$\s*$")
_BARE_ROOT = re.compile(r"^# (?P<command>\S.*)$")
_KNOWN = re.compile(
    r"^(?:sudo |time |\w+=\S+ )*(?:\S*/)?(?:ip|ifconfig|brctl|bridge|ovs-\w+|cat|grep|zgrep|ls|du|wc|find|stat|df|ps|"
    r"free|vmstat|sar|top|date|nova|neutron|openstack|cinder|glance|keystone|nova-manage|virsh|qemu-img|mysql|mariadb|psql|"
    r"rabbitmqctl|lldpctl|lldpcli|ethtool|tail|head|journalctl|dmesg|hostname|uname|uptime|docker|ssh)\b"
)
_SQL = re.compile(r"^(?:mysql|MariaDB \[[^\]]*\])> \S")
_SQL_CLIENT = re.compile(r"^(?:mysql|mariadb|psql)\b")
_WRAPPER = re.compile(
    r"^(?:sudo(?: -\w+(?: (?!-)\w+)?)*|time|nice(?: -n ?-?\d+)?|env|watch(?: -\w+(?: \d+)?)*"
    r"|[A-Z_][A-Z0-9_]*=\S*) +(?=\S)"
)
_SSH = re.compile(
    r"^ssh (?:-\w+(?: (?!-)\S+)? )*(?:[\w.-]+@)?(?P<host>[\w.-]+) +(?P<quote>['\"]?)(?P<command>.+?)(?P=quote)$"
)
_WHEN_OR_WHERE = re.compile(r"(?:date|hostname|uptime|uname|whoami|pwd|echo|cd|clear|exit)\b")
_NOTHING = re.compile(r"^\s*(?:\.{3,}|…|\[\.\.\.\]|\[…\]|<snip>|--+)?\s*$")
_UTC = re.compile(r"\s(?:-\w*u\w*|--utc|--universal)\b")


@dataclass(frozen=True, slots=True)
class _Prompt:
    command: str | None
    user: str | None = None
    host: str | None = None
    folder: str | None = None
    stamp: str | None = None
    typed: bool = True
    """Whether the line with the prompt is there."""


@dataclass(frozen=True, slots=True)
class _Section:
    """One prompt with what was printed below it, as indices of lines; ``prompt`` is None before the first one."""

    prompt: _Prompt | None
    start: int
    output: int
    end: int


def _prompt(line: str) -> _Prompt | None:
    """The prompt that a line is; ``# `` alone, which also begins a comment, counts before a command that is known."""
    if len(line) > _LONGEST_PROMPT:
        return None
    for form in _PROMPTS:
        if found := form.match(line):
            parts = found.groupdict()
            return _Prompt(parts["command"] or None, parts["user"], parts["host"], parts.get("folder"), parts["stamp"])
    if found := _BARE.match(line):
        return _Prompt(found["command"])
    if _BARE_EMPTY.match(line):
        return _Prompt(None)
    found = _BARE_ROOT.match(line)
    return _Prompt(found["command"]) if found and _KNOWN.match(found["command"]) else None


def _again(line: str, before: _Prompt | None) -> _Prompt | None:
    """The prompt of a switch that has shown something before: with nothing behind it, or any command."""
    if before is None or before.host is None or before.user is not None or len(line) > _LONGEST_PROMPT:
        return None
    rest = line.removeprefix(before.host)
    return replace(before, command=rest[1:].strip() or None) if rest != line and rest[:1] in ("#", ">") else None


def _sections(lines: list[str]) -> list[_Section]:
    found: list[_Section] = []
    prompt, start, output = None, 0, 0
    at = 0
    while at < len(lines):
        new = _prompt(lines[at]) or _again(lines[at], prompt)
        if new is None and _SQL.match(lines[at]) and not _SQL_CLIENT.match((prompt and prompt.command) or ""):
            # a session of the database's client whose start was left out: its reader wants the prompts, too
            found.append(_Section(prompt, start, output, at))
            prompt, start, output = _Prompt("mysql", typed=False), at, at
        if new is None:
            at += 1
            continue
        if at > start:
            found.append(_Section(prompt, start, output, at))
        prompt, start = new, at
        at += 1
        while at < len(lines) and (prompt.command or "").endswith("\\"):  # a command that goes on below
            prompt = replace(prompt, command=(prompt.command or "")[:-1] + re.sub(r"^> ?", "", lines[at]))
            at += 1
        output = at
    found.append(_Section(prompt, start, output, len(lines)))
    return found


def _unwrapped(command: str) -> tuple[str, str | None]:
    """A command without sudo and its like, and the host that ssh runs it on."""
    host = None
    for _ in range(4):
        bare = _WRAPPER.sub("", command)
        if found := _SSH.match(bare):
            host, bare = found["host"], found["command"]
        if bare == command:
            break
        command = bare
    return command, host


class Transcripts:
    """Pastes from a terminal: prompts, commands, and what they printed."""

    name = "transcript"
    record: type[Record] = ShellCommand
    reference = "prompts of bash, zsh and of switches: user@host:folder$, [user@host folder]#, $"

    @property
    def bases(self) -> tuple[type[Record], ...]:
        """Commands, and whatever the outputs are."""
        inner = (record for reader in self._inner() for record in reader.bases)
        return tuple(dict.fromkeys((ShellCommand, *inner)))

    @property
    def yields(self) -> tuple[type[Record], ...]:
        """Commands, and whatever can be read from the outputs."""
        inner = (record for reader in self._inner() for record in reader.yields)
        return tuple(dict.fromkeys((ShellCommand, *inner)))

    def _inner(self) -> tuple[Reader, ...]:
        return tuple(one for one in readers() if one.name not in (self.name, "pcap", "pcapng"))

    def likeness(self, head: bytes, name: str) -> float:
        """High where the first line is a prompt; see `Reader`."""
        found = head_of(head, name)
        if name.startswith("$ ") or not found.lines:
            return 0.0
        first = _prompt(found.first)
        if first is not None and (first.command or first.host):
            return 0.97
        named = any(form.match(line) for line in found.lines if len(line) < _LONGEST_PROMPT for form in _PROMPTS)
        return 0.6 if named else 0.0

    def batches(
        self, stream: Stream, origin: Origin, *, records: Collection[type[Record]] | None = None
    ) -> Iterator[Batch]:
        """Read the whole stream; see `Reader`."""
        octets = stream.read(MOST_BYTES)
        lines, offsets = lines_of(octets, 0)
        here = origin
        for section in _sections(lines):
            here = _moved(here, origin, section.prompt)
            told = _said(section, lines, here.zone)
            if told is not None:
                here = replace(here, taken_ns=told, taken_basis="command")
            command, host = _unwrapped((section.prompt.command if section.prompt else None) or "")
            own = replace(here, command=command or None, host=host or here.host)
            if section.prompt is not None and section.prompt.typed:
                yield _typed(section, own, lines, offsets, records)
            if section.output < section.end:
                yield from self._printed(section, own, lines, octets, offsets, records)
        while rest := stream.read(1 << 24):
            reason = f"behind {MOST_BYTES >> 20} MiB of one transcript"
            yield Batch({}, (Stretch(stream.offset - len(rest), len(rest), "reject", reason),))

    def _printed(
        self,
        section: _Section,
        origin: Origin,
        lines: list[str],
        octets: bytes,
        offsets: list[int],
        records: Collection[type[Record]] | None,
    ) -> Iterator[Batch]:
        start, end = offsets[section.output], offsets[section.end]
        position = section.output + 1
        told = lines[section.output : section.end]
        if all(_NOTHING.match(line) for line in told):
            yield Batch({}, (Stretch(start, end - start, "framing", "left out, or blank", position),))
            return
        if origin.command and re.match(
            r"(?:date|hostname|uptime|uname|whoami|pwd|echo|cd|clear|exit)\b", origin.command
        ):
            yield Batch({}, (Stretch(start, end - start, "framing", "output that says when or where", position),))
            return
        printed = octets[start:end]
        reader = pick(printed[:65_536], f"$ {origin.command or ''}", self._inner())
        if reader is None:
            what = (origin.command or "").split(" ")[0][:40]
            reason = f"output of {what}, in no format that is known" if what else "text between commands"
            yield Batch({}, (Stretch(start, end - start, "reject", reason, position),))
            return
        for batch in reader.batches(stream_of(io.BytesIO(printed), origin.source), origin, records=records):
            yield _shifted(batch, start, section.output)


def _said(section: _Section, lines: list[str], zone: str | None) -> int | None:
    """The instant that the output of `date` tells, where that was typed."""
    command = _unwrapped((section.prompt and section.prompt.command) or "")[0]
    if not re.match(r"date\b", command):
        return None
    told = (instant_of(line, zone, utc=bool(_UTC.search(command))) for line in lines[section.output : section.end])
    return next((at for at in told if at is not None), None)


def _moved(here: Origin, origin: Origin, prompt: _Prompt | None) -> Origin:
    """What is known at a prompt: it may name the host, the folder and the time."""
    if prompt is None:
        return here
    folder = prompt.folder
    if folder is not None and folder.startswith("~"):
        home = "/root" if prompt.user == "root" else f"/home/{prompt.user}"
        folder = home + folder[1:]
    elif folder is not None and not folder.startswith("/"):
        folder = None  # [user@host nova]$ tells the last part alone
    stamp = instant_of(prompt.stamp, origin.zone) if prompt.stamp else None
    return replace(
        here,
        host=prompt.host or origin.host,  # a prompt without a name says nothing of the host before
        directory=folder,
        taken_ns=stamp if stamp is not None else here.taken_ns,
        taken_basis="stated" if stamp is not None else here.taken_basis,
    )


def _typed(
    section: _Section, origin: Origin, lines: list[str], offsets: list[int], records: Collection[type[Record]] | None
) -> Batch:
    """The row of a command; an empty prompt is none."""
    assert section.prompt is not None
    start, end = offsets[section.start], offsets[section.output]
    if section.prompt.command is None or (records is not None and ShellCommand not in records):
        return Batch({}, (Stretch(start, end - start, "framing", "prompt", section.start + 1),))
    printed = [line for line in lines[section.output : section.end] if line.strip()]
    n_lines = 0 if all(map(_NOTHING.match, printed)) else len(printed)
    ts, basis = origin.taken()
    row = {
        "ts": ts, "host": origin.host, "source": origin.source, "position": section.start + 1,
        "offset_bytes": start, "length_bytes": end - start, "ts_basis": basis, "user": section.prompt.user,
        "directory": origin.directory, "shell": "shell", "command": escape.masked_command(section.prompt.command),
        "affected": None, "n_lines": n_lines,
    }  # fmt: skip
    schema = ShellCommand.polars_schema()
    loose = {name: pl.Int64() if name == "ts" else kind for name, kind in schema.items()}
    return Batch({ShellCommand: pl.DataFrame([row], schema=loose).cast(schema)})


def _below(position: int | None, lines: int) -> int | None:
    return None if position is None else position + lines


def _shifted(batch: Batch, offset: int, lines: int) -> Batch:
    """Places inside an output as places of the whole file."""
    rows = {
        record: frame.with_columns(pl.col("position") + lines, pl.col("offset_bytes") + offset)
        for record, frame in batch.rows.items()
    }
    stretches = tuple(
        replace(one, offset_bytes=one.offset_bytes + offset, position=_below(one.position, lines))
        for one in batch.stretches
    )
    losses = tuple((at, _below(place, lines), kind, count) for at, place, kind, count in batch.losses)
    return Batch(rows, stretches, losses, {name: text for name, text in batch.facts.items() if name == "note"})


READERS: tuple[Reader, ...] = (Transcripts(),)  # type: ignore[assignment]  # `bases` and `yields` are only read
