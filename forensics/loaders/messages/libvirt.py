"""What libvirt's daemons and virsh say of domains that do not start and of files that are not there."""

import polars as pl

from forensics.loaders._message_format import MessageFormat, Sample
from forensics.loaders.messages._domains import MISSING, domain_columns, told_error, told_uuid, verbose
from forensics.records import InstanceEvent

_STAMP = r"\d{4}-\d\d-\d\d\x20\d\d:\d\d:\d\d\.\d{3}\+0000:\x20"
_FROM = r"(?:\w+:\d+\x20:\x20)"
_NOT_FOUND = r"[Dd]omain not found|no domain with matching"
"""nova looks for a domain before it makes one: no error."""


_MISSING = verbose(MISSING)
_CLOSED = verbose(
    r"[Ff]ailed to start domain"
    r"|(?:internal error:? )?(?:[Pp]rocess exited (?:while connecting to monitor|prior to exec)"
    r"|qemu unexpectedly closed the monitor|cannot start domain|early end of file from monitor)"
)
# Anything else at level error counts if it names a domain of nova's or lies in its folders.
_TEXT = (
    rf"(?:(?P<closed>{_CLOSED})|(?P<gone>[^\n]*?(?:{_MISSING}))"
    r"|[^\n]*?(?P<named>instance-[0-9a-f]{8}|/instances/[0-9a-f-]{36}))"
)


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """Which of the two, and what else the message tells; what only says that there is no such domain is left out."""
    message = pl.col("message")
    missing = message.str.contains(MISSING)
    level, pid = pl.col("severity"), pl.col("pid")
    if "level" in rows.columns:
        level = pl.coalesce(pl.col("level").str.to_uppercase(), level)
        pid = pl.coalesce(pl.col("daemon").cast(pl.Int64, strict=False), pid)
    event = (
        pl.when(pl.col("closed").is_not_null()).then(pl.lit("start_failed"))
        .when(missing).then(pl.lit("missing_file"))
        .otherwise(pl.lit("hypervisor_error"))
    )  # fmt: skip
    wrong = (event != "hypervisor_error") | level.is_in(["ERROR", "ERR", "CRIT"])
    said = message.str.extract(r"(?s)^(?:\S+ \S+\+0000: )?(?:\d+: \w+ : )?(?:\w+:\d+ : )?(?:error: )?(.*)$", 1)
    return rows.filter(wrong & message.str.contains(_NOT_FOUND).not_()).with_columns(
        **domain_columns(message),
        event=event,
        instance=told_uuid(message),
        error=pl.coalesce(
            message.str.extract(r"\nerror: ([^\n]+)", 1),
            pl.when(event != "start_failed").then(said.str.extract(r"^([^\n]*)", 1)),
            told_error(said),
        ),
        severity=level,
        pid=pid,
    )


_BASE = "/var/lib/nova/instances/_base/7b4783508212f5d242cbf9ff56fb8d33b4ce6166_10"
_DISK = "/var/lib/nova/instances/instance-00000e05/disk"
_ACCESS = (
    f"Cannot access backing file '{_BASE}' of storage file '{_DISK}' (as uid:107, gid:107): No such file or directory"
)
_OPEN = f"could not open disk image {_DISK}: No such file or directory"
_KNOWN = {"event": "missing_file", "base_file": _BASE, "path": _DISK, "instance_name": "instance-00000e05"}
_HASH = "7b4783508212f5d242cbf9ff56fb8d33b4ce6166"
_CLOSING = f"internal error: process exited while connecting to monitor: kvm: -drive file={_DISK},if=none: {_OPEN}"
_REFERENCE = "libvirt src/util/virlog.c, src/qemu/qemu_process.c, src/storage_file/storage_source.c, since 0.9.8"

FORMATS = (
    MessageFormat(
        name="libvirtd-log",
        record=InstanceEvent,
        framing=r"(?:^|\+)libvirt$",
        said_by="libvirt",
        reference=_REFERENCE,
        whole=True,
        pattern=rf"^{_FROM}{_TEXT}",
        shape=_shape,
        samples=(
            Sample(
                f"virStorageFileReportBrokenChain:423 : {_ACCESS}", _KNOWN | {"error": _ACCESS, "image_hash": _HASH}
            ),
            Sample(
                f"qemuProcessReportLogError:1912 : {_CLOSING}",
                {"event": "start_failed", "path": _DISK, "base_file": None, "instance_name": "instance-00000e05"},
            ),
            Sample(
                f"virSecurityDACSetOwnership:100 : unable to set user and group to '107:107' on '{_BASE}': No such "
                "file or directory",
                {"event": "missing_file", "base_file": _BASE, "path": None},
            ),
        ),
    ),
    MessageFormat(
        name="libvirtd",
        record=InstanceEvent,
        program=r"^(?:libvirtd|virtqemud|virtlogd|virtstoraged)$",
        said_by="libvirtd",
        reference=f"{_REFERENCE}; the same through syslog and journald",
        whole=True,
        pattern=rf"^(?:{_STAMP})?(?:(?P<daemon>\d{{1,10}}):\x20(?P<level>error|warning|info|debug)\x20:\x20)?{_FROM}?{_TEXT}",
        shape=_shape,
        samples=(
            Sample(
                f"2013-02-15 08:40:18.123+0000: 2345: error : virStorageFileGetMetadataRecurse:1 : {_ACCESS}",
                _KNOWN | {"error": _ACCESS, "severity": "ERROR", "pid": 2345},
            ),
            Sample(f"2345: error : virStorageFileGetMetadataRecurse:1 : {_ACCESS}", _KNOWN | {"pid": 2345}),
            Sample(_ACCESS, _KNOWN | {"error": _ACCESS}),
            Sample(
                f"Cannot access storage file '{_DISK}': No such file or directory",
                {"event": "missing_file", "path": _DISK, "base_file": None, "image_hash": None},
            ),
            Sample(
                "2345: error : qemuMonitorIO:1 : internal error: Domain instance-00000e05 broke",
                {"event": "hypervisor_error", "instance_name": "instance-00000e05"},
            ),
        ),
    ),
    MessageFormat(
        name="virsh",
        record=InstanceEvent,
        program=r"^virsh$",
        said_by="virsh",
        alone=(
            "error: Failed to start domain",
            "error: Cannot access backing file",
            "error: Cannot access storage file",
        ),
        reference="libvirt tools/virsh-domain.c, cmdStart(), vshReportError(); quotes around the name since 7.0",
        whole=True,
        pattern=rf"^error:\x20(?:(?P<closed>Failed\x20to\x20start\x20domain)|(?P<gone>{_MISSING}))",
        shape=_shape,
        samples=(
            Sample(
                f"error: Failed to start domain instance-00000e05\nerror: {_ACCESS}",
                _KNOWN | {"event": "start_failed", "error": _ACCESS},
            ),
            Sample(
                "error: Failed to start domain 'instance-00000e05'",
                {"event": "start_failed", "instance_name": "instance-00000e05", "base_file": None, "error": None},
            ),
            Sample(f"error: {_ACCESS}", _KNOWN | {"error": _ACCESS}),
        ),
    ),
)
