"""The log that libvirt keeps of each domain: started, shut down, and what qemu itself had to say."""

import polars as pl

from forensics.loaders._message_format import MessageFormat, Sample
from forensics.loaders.messages._domains import MISSING, domain_columns, told_uuid, verbose
from forensics.records import InstanceEvent

_REASONS = {"failed": "start_failed", "crashed": "crashed", "migrated": "migrating"}
_ERROR = r"(?:^|\n)(?:\S+ )?(?:qemu-kvm|qemu-system-\w+|qemu|kvm): ([^\n]*(?:No such file|ould not open)[^\n]*)"


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """A start whose lines end in a file that could not be opened is no start; the file's name is the domain's."""
    message, said = pl.col("message"), pl.col("word")
    missing = message.str.contains(MISSING)
    reason = pl.col("reason") if "reason" in rows.columns else pl.lit(None, pl.String)
    shut = reason.replace_strict(_REASONS, default="stopped")
    event = (
        pl.when(missing).then(pl.lit("missing_file"))
        .when(said == "starting up").then(pl.lit("started"))
        .when(said == "shutting down").then(shut)
        .otherwise(pl.lit("stopped"))
    )  # fmt: skip
    first = message.str.extract(r"^([^\n]*)", 1)
    return rows.with_columns(
        **domain_columns(message, pl.col("source")),
        event=event,
        instance=told_uuid(message),
        error=pl.when(missing).then(pl.coalesce(message.str.extract(_ERROR, 1), first)),
    ).filter(said.ne_missing("terminating") | pl.col("instance_name").is_not_null())


_BASE = "/var/lib/nova/instances/_base/7b4783508212f5d242cbf9ff56fb8d33b4ce6166"
_I = "a18a5824-4215-4e24-bcfc-cb9f89f6bcbd"
_DISK = f"/var/lib/nova/instances/{_I}/disk"
_OPEN = f"-drive file={_DISK},if=none,id=drive-virtio-disk0"
_LINE = f"LC_ALL=C PATH=/sbin:/bin /usr/bin/kvm -S -M pc-1.2 -name instance-00000e05 -uuid {_I} -nodefconfig {_OPEN}"

FORMATS = (
    MessageFormat(
        name="qemu-domain",
        record=InstanceEvent,
        framing=r"(?:^|\+)libvirt$",
        said_by="libvirt",
        reference="libvirt src/qemu/qemu_process.c, START_POSTFIX, SHUTDOWN_POSTFIX, since 0.9; a reason since 3.0",
        whole=True,
        pattern=r"""
            ^(?:(?P<word>starting\x20up|shutting\x20down)(?:,\x20reason=(?P<reason>\w+)|\x20libvirt\x20version:[^\n]*)?(?:\n|$)
            |(?P<word__2>terminating)\x20on\x20signal\x20\d+)
        """,
        shape=_shape,
        samples=(
            Sample(
                f"starting up\n{_LINE}\nchar device redirected to /dev/pts/1",
                {"event": "started", "instance": _I, "instance_name": "instance-00000e05", "path": None, "error": None},
            ),
            Sample(
                f"starting up libvirt version: 4.0.0, qemu version: 2.11.1, hostname: cc12\nLC_ALL=C /usr/bin/qemu-kvm "
                f"-name guest=instance-00000e05,debug-threads=on -uuid {_I}",
                {"event": "started", "instance": _I, "instance_name": "instance-00000e05"},
            ),
            Sample(
                f"starting up\n{_LINE}\nqemu-kvm: {_OPEN}: could not open disk image {_DISK}: No such file or "
                "directory",
                {
                    "event": "missing_file",
                    "instance": _I,
                    "path": _DISK,
                    "base_file": None,
                    "error": f"{_OPEN}: could not open disk image {_DISK}: No such file or directory",
                },
            ),
            Sample(
                f"starting up\n{_LINE}\nqemu-system-x86_64: {_OPEN}: Could not open backing file: Could not open "
                f"'{_BASE}': No such file or directory",
                {"event": "missing_file", "path": _DISK, "base_file": _BASE, "image_hash": _BASE[-40:]},
            ),
            Sample("shutting down", {"event": "stopped", "instance": None}),
            Sample("shutting down, reason=shutdown", {"event": "stopped"}),
            Sample("shutting down, reason=failed", {"event": "start_failed"}),
            Sample("shutting down, reason=crashed", {"event": "crashed"}),
        ),
    ),
    MessageFormat(
        name="qemu",
        record=InstanceEvent,
        program=r"^(?:qemu-kvm|qemu-system-[a-z0-9_]+|qemu|kvm)$",
        said_by="qemu-system-x86_64",
        reference="qemu vl.c, block.c, ui/…: error_report() with -msg timestamp=on; the file's name is the domain's",
        whole=True,
        pattern=rf"^(?:(?P<word>terminating)\x20on\x20signal\x20\d+|-[^\n]*?(?:{verbose(MISSING)}))",
        shape=_shape,
        samples=(
            Sample(
                f"{_OPEN}: Could not open backing file: Could not open '{_BASE}': No such file or directory",
                {"event": "missing_file", "base_file": _BASE, "path": _DISK, "instance": _I},
            ),
            Sample(
                f'-blockdev {{"driver":"file","filename":"{_BASE}","node-name":"libvirt-2-storage"}}: Could not open '
                f"'{_BASE}': No such file or directory",
                {"event": "missing_file", "base_file": _BASE, "path": None, "image_hash": _BASE[-40:]},
            ),
        ),
    ),
)
