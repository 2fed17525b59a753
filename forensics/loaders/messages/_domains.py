"""What a message of nova, libvirt or qemu tells of a domain: its name, its uuid, the file that could not be opened."""

import polars as pl

from forensics.loaders.messages._base_files import NAME, image_hash

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_DOMAIN = r"instance-[0-9a-f]{8}"
_QUOTED = r"\\?'([^'\\\n]+)\\?'"
_BACKING = (
    rf"Cannot access backing file {_QUOTED}",
    rf"[Cc]ould not open backing file: (?:[^\n]*: )?Could not open {_QUOTED}",
    rf"[Bb]acking file {_QUOTED}",
)
_DISK = (
    rf"of storage file {_QUOTED}",
    rf"Cannot access storage file {_QUOTED}",
    r"could not open disk image ([^:\n]+): ",
    rf"(?:cannot open|Failed to open|unable to (?:open|stat|access)) file {_QUOTED}",
    rf"unable to set (?:user and group to|security context) '[^'\n]*' on {_QUOTED}",
    rf"No such file or directory: u?{_QUOTED}",
    rf"Could not open {_QUOTED}",
    r"No disk at (/[^\n]+)",
)
_DRIVE = r"-drive (?:\S+,)?file=([^,\n]+)"
MISSING = (
    r"Cannot access (?:backing|storage) file|ould not open (?:disk image|backing file)|Could not open \\?'/"
    r"|unable to set (?:user and group|security context)[^\n]*: No such file or directory"
    r"|(?:cannot open|Failed to open|unable to (?:open|stat|access)) file \\?'/|No disk at /"
    r"|No such file or directory: u?\\?'/[^'\n]*/(?:_base/|disk|[0-9a-f]{40})"
)
"""Whether a disk, or what it is backed by, could not be opened; plain syntax, anywhere in a message.

References:
    libvirt src/storage_file (`Cannot access backing file`, since 1.2.1), src/security/security_dac.c; qemu block.c from
    2.0 (`Could not open backing file`), vl.c to 1.7 (`could not open disk image`); nova nova/virt/libvirt/utils.py.
"""
_TRACEBACK = "Traceback (most recent call last)"
_EXCEPTION = r"(?:^|\n)(?:\[instance: [^\]]*\] ?)?((?:\w+\.)*[A-Z]\w+: [^\n]+)\s*$"


def verbose(plain: str) -> str:
    """A pattern in the verbose syntax, where a blank must be spelt."""
    return plain.replace(" ", r"\x20").replace("#", r"\#")


def domain_columns(message: pl.Expr, source: pl.Expr | None = None) -> dict[str, pl.Expr]:
    """Columns of `InstanceEvent` that a message tells: who, and which file is missing.

    Args:
        message: The whole message.
        source: Path of the log, where its name is that of the domain.
    """
    missing = message.str.contains(MISSING)
    backing = pl.coalesce(message.str.extract(each, 1) for each in _BACKING)
    disk = pl.coalesce(message.str.extract(each, 1) for each in _DISK)
    drive = message.str.extract(_DRIVE, 1)
    disk_is_base = disk.str.contains(NAME)
    base_file = pl.coalesce(backing, pl.when(disk_is_base).then(disk))
    path = pl.coalesce(pl.when(disk_is_base.not_() & (disk != backing).fill_null(True)).then(disk), drive)
    names = [message.str.extract(rf"\b({_DOMAIN})\b", 1)]
    if source is not None:
        named = [source.str.extract(rf"({_DOMAIN})[^/]*$", 1), source.str.extract(r"qemu/([^/]+?)\.log[^/]*$", 1)]
        names = [*named, message.str.extract(r"-name (?:guest=)?([^,\s]+)", 1), *names]
    return {
        "base_file": pl.when(missing).then(base_file),
        "path": pl.when(missing).then(path),
        "image_hash": pl.when(missing).then(image_hash(base_file)),
        "instance_name": pl.coalesce(names),
    }


def told_uuid(message: pl.Expr) -> pl.Expr:
    """The uuid that a message gives an instance: named as one, in its folder's path, or on qemu's command line."""
    return pl.coalesce(
        message.str.extract(rf"(?i)\b(?:instance|VM|domain|server|uuid)(?:[ :=]|\(s\)|_uuid)*[\\'\"(\[]*({UUID})\b", 1),
        message.str.extract(rf"/instances/({UUID})(?:_del|_resize)?(?:/|\b)", 1),
        message.str.extract(rf"-uuid ({UUID})\b", 1),
    )


def told_error(message: pl.Expr) -> pl.Expr:
    """What went wrong: libvirt's own words, else the last line of a traceback, else what follows the first colon."""
    first = message.str.extract(r"^([^\n]*)", 1)
    return pl.coalesce(
        message.str.extract(r"libvirtError: ([^\n]+)", 1),
        pl.when(message.str.contains(_TRACEBACK, literal=True)).then(message.str.extract(_EXCEPTION, 1)),
        first.str.extract(r"^(.+)\. Setting instance vm_state to ERROR", 1),
        first.str.extract(r"^[^:]+: ([^<].*)$", 1),
    ).str.strip_chars()
