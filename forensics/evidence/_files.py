"""Finds the files of a folder of evidence and opens them, so that neither a file nor a name can do harm."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from forensics.errors import EvidenceError, StoppedError

_RACY_NS = 20_000_000
"""A kernel stamps files by a clock that ticks every 1 to 10 ms: two changes within a tick look like one."""

_KINDS = (
    (stat.S_ISLNK, "symbolic link"),
    (stat.S_ISFIFO, "FIFO"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)
# fmt: off
_KERNEL_FILE_SYSTEMS = frozenset((
    "autofs", "bpf", "binfmt_misc", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs", "fusectl",
    "mqueue", "nsfs", "pipefs", "proc", "pstore", "securityfs", "selinuxfs", "sockfs", "sysfs", "tracefs",
))
# fmt: on
"""File systems whose files are calls into the kernel: reading one may block, never end, or change something."""

_UNPRINTABLE = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
_ESCAPE = re.compile(r"\\(?:\\|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """One entry of the evidence, as it was when the folder was listed."""

    path: Path
    """Where it lies. Names that are no text are kept as Python keeps them: ``os.fsencode`` gives the bytes back."""
    source: str
    """Its label: the path inside the evidence with ``/`` between names, escaped by `label_of`; unique in the folder."""
    size_bytes: int
    modified_ns: int
    refusal: str | None = None
    """Why it is not opened; None for a regular file."""
    within: Within | None = None
    """Where in an archive it lies; None for a file of its own."""


@dataclass(frozen=True, slots=True)
class Within:
    """Where the octets of an archive's member lie."""

    archive: EvidenceFile
    offset_bytes: int
    """Where they start in the archive, decompressed."""
    stored_bytes: int
    """How many the archive holds."""
    method: str = ""
    """How they are compressed inside it: ``deflate``, ``bzip2``, ``xz``, ``zstd``; empty where they are not."""
    checksum: int | None = None
    """CRC-32 of what they stand for."""
    solid: bool = False
    """Whether the archive itself is compressed, or lies in another one: it can only be read forwards."""


def label_of(name: bytes) -> str:
    r"""Text for a path, made so that `name_of` gives the bytes back.

    Printable text stays as it is. A backslash is doubled, a byte that is no UTF-8 and an ASCII control
    become ``\xNN``, other controls, bidirectional marks, invisible characters and line separators ``\uNNNN``.

    Examples:
        >>> print(label_of(b"nova.log"), label_of(b"a\xff\n\\"), label_of("a\u202eb".encode()))
        nova.log a\xff\x0a\\ a\u202eb
    """
    if name.isascii():
        text = name.decode("ascii")
        if text.isprintable() and "\\" not in text:
            return text
    return "".join(map(_escaped, name.decode("utf-8", "surrogateescape")))


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # PEP 383: the byte 0xNN that was no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(character) not in _UNPRINTABLE:
        return character
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def name_of(label: str) -> bytes:
    r"""The bytes that `label_of` made a label of.

    Examples:
        >>> name_of("a\\xff\\\\b")
        b'a\xff\\b'
    """
    octets = bytearray()
    done = 0
    for match in _ESCAPE.finditer(label):
        octets += label[done : match.start()].encode("utf-8", "surrogateescape")
        byte, short, long = match.groups()
        if byte is not None:
            octets.append(int(byte, 16))
        else:
            octets += chr(int(short or long, 16)).encode() if short or long else b"\\"
        done = match.end()
    return bytes(octets + label[done:].encode("utf-8", "surrogateescape"))


def walk(root: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> Iterator[EvidenceFile]:
    """List a folder of evidence, or a single file, without opening any file.

    Entries come in the order of their names' bytes, folder by folder, whatever order the system
    lists them in. Links are listed and never followed, so a loop of them has no effect; only a
    ``root`` that is itself a link to a folder is followed, because its user named it. What is no
    regular file, and what may not be read, is listed with a `refusal`.

    Raises:
        EvidenceError: If there is nothing at ``root``.
    """
    top = Path(os.fsdecode(root))
    try:
        found = top.lstat()
        if stat.S_ISLNK(found.st_mode) and top.is_dir():
            top = top.resolve()
            found = top.lstat()
    except (OSError, ValueError) as error:
        reason = "no such file or folder" if isinstance(error, FileNotFoundError) else _reason(error)
        raise EvidenceError(
            reason, where=label_of(os.fsencode(root)), hint="give the folder or file that holds the evidence"
        ) from error
    if not stat.S_ISDIR(found.st_mode):
        yield _entry(top, label_of(os.fsencode(top.name)), found)
        return
    pending: list[tuple[Path, str, os.stat_result | str]] = [(top, "", found)]
    while pending:
        path, label, state = pending.pop()
        if isinstance(state, str):
            yield EvidenceFile(path, label, 0, 0, state)
        elif not stat.S_ISDIR(state.st_mode):
            yield _entry(path, label, state)
        elif refusal := _kernel_folder(state.st_dev):
            yield EvidenceFile(path, label or ".", 0, state.st_mtime_ns, refusal)
        else:
            try:
                inside = _listing(path)
            except OSError as error:
                _stop_if_scarce(error, label or ".")
                yield EvidenceFile(path, label or ".", 0, state.st_mtime_ns, f"folder: {_reason(error)}")
                continue
            prefix = f"{label}/" if label else ""
            # Reversed, because the last of the list is taken first.
            for name, below in sorted(inside, key=lambda entry: os.fsencode(entry[0]), reverse=True):
                pending.append((path / name, prefix + label_of(os.fsencode(name)), below))


def _listing(folder: Path) -> list[tuple[str, os.stat_result | str]]:
    """Names of a folder with what ``lstat`` says of each; the folder's access time is kept where that is allowed."""
    entries: list[tuple[str, os.stat_result | str]] = []
    descriptor = None
    if os.scandir in os.supports_fd and os.stat in os.supports_dir_fd:
        descriptor, _ = _opened(folder, getattr(os, "O_DIRECTORY", 0))
    try:
        with os.scandir(folder if descriptor is None else descriptor) as listed:
            for entry in listed:
                try:
                    entries.append((entry.name, entry.stat(follow_symlinks=False)))
                except OSError as error:
                    entries.append((entry.name, _reason(error)))
    finally:
        if descriptor is not None:
            os.close(descriptor)
    return entries


def _entry(path: Path, label: str, state: os.stat_result) -> EvidenceFile:
    refusal = next((kind for test, kind in _KINDS if test(state.st_mode)), None)
    if refusal is None and not stat.S_ISREG(state.st_mode):
        refusal = "no regular file"
    if refusal is None:
        refusal = _kernel_folder(state.st_dev) or _unreadable(path)
    return EvidenceFile(path, label, state.st_size, state.st_mtime_ns, refusal)


def _unreadable(path: Path) -> str | None:
    """Why the file cannot be opened, found without opening it."""
    try:
        return None if os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids) else _DENIED
    except (OSError, ValueError) as error:
        return _reason(error)


_DENIED = "permission denied"


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, PermissionError):
        return _DENIED
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)


def _stop_if_scarce(error: OSError, where: str) -> None:
    """That the system has run out of something is nothing that the evidence says."""
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        name = errno.errorcode[error.errno]
        raise StoppedError(
            f"{error.strerror} ({name})", where=where, hint="end other programs or raise the limit, and run it again"
        ) from error


def _kernel_folder(device: int) -> str | None:
    kind = _kernel_devices().get(device)
    return None if kind is None else f"file of the kernel ({kind})"


@lru_cache(maxsize=1)
def _kernel_devices() -> dict[int, str]:
    """Device numbers of mounted file systems that belong to the kernel (proc(5), ``/proc/PID/mountinfo``)."""
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:  # not Linux, or no /proc: there is none to guard against
        return {}
    devices = {}
    for mount in mounts:
        fields, _, rest = mount.partition(b" - ")
        kind = rest.split(b" ", 1)[0].decode("ascii", "replace")
        if kind in _KERNEL_FILE_SYSTEMS:
            major, _, minor = fields.split(b" ")[2].partition(b":")
            devices[os.makedev(int(major), int(minor))] = kind
    return devices


def _opened(path: Path, more: int = 0) -> tuple[int, bool]:
    """Open for reading: no link, no wait, no inheritance. The flag says whether the access time is kept."""
    flags = os.O_RDONLY | more
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY", "O_NOINHERIT"):
        flags |= getattr(os, name, 0)
    quiet = getattr(os, "O_NOATIME", 0)
    if quiet:
        try:
            return os.open(path, flags | quiet), True
        except PermissionError:  # only the owner and root may ask for it: open(2)
            pass
    return os.open(path, flags), False


def open_regular(file: EvidenceFile) -> tuple[int, os.stat_result, bool]:
    """A descriptor of a regular file, its state when it was opened, and whether its access time is kept.

    Raises:
        EvidenceError: If it is no regular file, is not the one that ``lstat`` saw, or cannot be opened.
    """
    if file.refusal is not None:
        raise EvidenceError(f"not opened: {file.refusal}", where=file.source)
    try:
        seen = file.path.lstat()
        refusal = _entry(file.path, file.source, seen).refusal
        if refusal is not None:
            raise EvidenceError(f"not opened: {refusal}", where=file.source)
        descriptor, quiet = _opened(file.path)
    except OSError as error:
        _stop_if_scarce(error, file.source)
        raise EvidenceError(f"not opened: {_reason(error)}", where=file.source) from error
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or (state.st_dev, state.st_ino) != (seen.st_dev, seen.st_ino):
            raise EvidenceError("not opened: replaced while it was opened", where=file.source)
        if abs(time.time_ns() - state.st_mtime_ns) < _RACY_NS:
            # A change right now would leave the time of modification as it is: let the clock tick first.
            time.sleep(_RACY_NS / 1e9)
            state = os.fstat(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, state, quiet


def change(path: Path, descriptor: int, before: os.stat_result) -> str | None:
    """What happened to an open file since it was opened, as far as size, inode and modification time tell."""
    now = os.fstat(descriptor)
    said = []
    try:
        there = path.lstat()
        if (there.st_dev, there.st_ino) != (before.st_dev, before.st_ino):
            said.append("replaced by another file")
    except OSError:
        said.append("renamed or removed")
    if now.st_size != before.st_size:
        grown = now.st_size - before.st_size
        said.append(f"grown by {grown} octets" if grown > 0 else f"cut by {-grown} octets")
    elif now.st_mtime_ns != before.st_mtime_ns:
        said.append("modified")
    return f"{' and '.join(said)} while it was read" if said else None
