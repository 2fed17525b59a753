"""Names of base files: which image they were made of, and how large the copy is."""

import polars as pl

SHA1 = r"[0-9a-f]{40}"
"""The name of a base file begins with the SHA-1 of the image's id."""
NAME = rf"(?:^|/)({SHA1})(?:_\d+|_sm)?(?:\.(?:part|converted|sha1|info|lock|tmp|raw))?$"
"""Image as fetched, resized copy (`_NN`, in GiB), small copy (`_sm`, to Diablo), and what lies beside them.

References:
    openstack/nova nova/virt/libvirt/imagebackend.py @ 2012.1 to 2012.2 (`_NN`), nova/virt/libvirt/connection.py @
    2011.3 (`_sm`), nova/virt/libvirt/imagecache.py @ 2012.1 to 2025.1; nova/virt/images.py (`.part`, `.converted`).
"""
DEBUG_SUFFIX = r"(?:\x20(?:from\x20\(pid=\d+\)\x20)?[\w.<>]+\x20[^\x20\n]*\.pyc?:\d+|\x20\{\{[^\n]*\}\})?"
"""Function, file and line that oslo.log puts behind a message of level DEBUG, in the verbose syntax of patterns."""


def image_hash(path: pl.Expr) -> pl.Expr:
    """SHA-1 of the image's id, from the path or name of a base file; null where the name tells none."""
    return path.str.extract(NAME, 1)


def size_gb(path: pl.Expr) -> pl.Expr:
    """GiB of a resized copy, from its path or name; null for others."""
    return path.str.extract(rf"(?:^|/){SHA1}_(\d{{1,9}})(?:\.[a-z0-9]+)?$", 1).cast(pl.UInt32, strict=False)


def nova_speaks() -> pl.Expr:
    """Whether a line without a logger's name can be nova's: it names no program, nova's, or a date in its place."""
    named = pl.col("program").str.contains(r"nova|^\d{4}-\d\d-\d\d")
    return pl.col("logger").is_not_null() | named.fill_null(True)
