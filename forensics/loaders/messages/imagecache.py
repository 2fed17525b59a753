"""What nova's image cache says of base files, in the wording of every release."""

import polars as pl

from forensics.loaders._message_format import MessageFormat, Sample
from forensics.loaders.messages._base_files import DEBUG_SUFFIX, SHA1, image_hash, nova_speaks, size_gb
from forensics.records import BaseFileEvent

_ACTIONS = {
    "checking": "checking",
    "in use: on this node": "in_use",
    "in use on": "in_use",
    "image is in use": "in_use",
    "image is not in use": "not_in_use",
    "image verification failed": "corrupt",
    "image verification skipped, no hash stored": "verified",
    "generating checksum": "verified",
    "warning -- an absent base file is in use!": "absent",
    "Active": "active",
    "Removable": "removable",
    "Corrupt": "corrupt",
    "Unknown": "unknown",
    "too young to remove": "too_young",
    "Removing": "removing",
    "Failed to remove": "remove_failed",
    "it does not exist": "gone",
    "is using a backing file": "in_use",
    "is backed by": "in_use",
    "no back files existing": "absent",
    "yields fingerprint": "fingerprint",
    "Writing stored info to": "verified",
    "Reading image info file": "verified",
    "Error reading image info file": "verified",
}
_KINDS = r"(?:(?i:base|swap|ephemeral)(?:,\x20|\x20or\x20|\x20)){1,3}files?"
_WHOLE_NAME = (
    rf"/(?:{SHA1}(?:_[^/]+|\.[a-z0-9]+)?|[^/]{{40}}|swap_\d+|ephemeral_[^/]+"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
)
"""How a path in a list ends that is not cut: the image cache takes names of 40 characters, with or without a tail."""
_PER_PATH = r"/[^\x20]*(?:\x20+[^\x20/][^\x20]*)*"
"""A list is parted by blanks, and blanks in a path are not escaped; each path begins with a slash."""
# What a relay that cuts messages at 2 or 8 KiB leaves of a line, without the priority and with stamp and host name.
_CUT_LENGTHS = ((2040, 2176), (8080, 8330))


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """One row for each path of a list; names are told apart, nothing is computed."""
    verb, paths = pl.col("verb"), pl.col("paths")
    path = pl.col("base_file")
    length = pl.col("length_bytes")
    may_be_cut = pl.col("framing").str.contains("syslog") & pl.any_horizontal(
        length.is_between(low, high) for low, high in _CUT_LENGTHS
    )
    listed = (
        rows.filter(nova_speaks())
        .with_row_index("_line")
        .with_columns(_each=pl.when(paths.is_not_null()).then(paths.str.extract_all(_PER_PATH)))
        .explode("_each", empty_as_null=True, keep_nulls=True)
        .with_columns(_last=pl.col("_line") != pl.col("_line").shift(-1).fill_null(-1))
    )
    told = listed.with_columns(base_file=pl.coalesce(pl.col("_each").str.strip_chars_end(), path)).with_columns(
        base_file=pl.when(path.is_in(["", "None"]).not_()).then(path)
    )
    ended_early = path.str.contains(_WHOLE_NAME).not_() | may_be_cut
    cut = paths.is_not_null() & pl.col("_last") & ended_early
    names = pl.col("several").fill_null("").str.extract_all(r"[^\x20]+")
    one = pl.concat_list("one")
    kept = verb.is_in(["is backed by"]).not_() | path.is_not_null()
    return told.filter(kept).with_columns(
        action=verb.replace_strict(_ACTIONS, default=None),
        cut=pl.when(cut).then(pl.lit("cut")),
        image_hash=pl.when(cut & path.str.contains(_WHOLE_NAME).not_()).then(None)
        .otherwise(pl.coalesce("image_hash", image_hash(path))),
        size_gb=pl.when(cut.not_()).then(size_gb(path)),
        instances=pl.when(pl.col("one").is_not_null()).then(one)
        .when(pl.col("several").is_not_null()).then(names),
        image=pl.when(pl.col("image") != "").then(pl.col("image")),
    )  # fmt: skip


_BASE = "/var/lib/nova/instances/_base"
_HASH = "a489c868f0c37da93b76227c91bb03908ac0e742"
_ID = "0673dd71-34c5-4fbb-86c4-40623fbe45b4"
_TALE = "7b4783508212f5d242cbf9ff56fb8d33b4ce6166"
_FILE = f"{_BASE}/{_HASH}"
_DEBUG = " from (pid=2931) _handle_base_image /usr/lib/python2.7/dist-packages/nova/virt/libvirt/imagecache.py:404"
_LIST = f"{_BASE}/{_TALE} {_BASE}/{_TALE}_20"

FORMAT = MessageFormat(
    name="imagecache",
    record=BaseFileEvent,
    logger=r"(?:^|\.)virt\.(?:libvirt\.)?imagecache$",
    said_by="nova.virt.libvirt.imagecache",
    alone=(
        *("base file", "or swap file", "ephemeral file", "ephemeral image", "swap image", "yields fingerprint"),
        *("): checking", "): in use", "): image is", "): image verif", "): generating checksum", "is backed by"),
        *("Failed to remove /", "Cannot remove /", "a backing file", "image info file", "stored info to"),
    ),
    reference="openstack/nova nova/virt/libvirt/imagecache.py @ 2012.1 to 2025.1; nova/virt/imagecache.py",
    whole=True,
    # An image whose file is missing is `None`; a line wrapped for print is broken before its path and its context.
    pattern=rf"""
        ^\s*(?:(?:DEBUG|INFO|WARNING|ERROR)\x20)?(?:[\w.]*imagecache\s)?(?:\[[^\]\n]*\]\s)?
        (?:
          (?:image\x20)?(?P<image>[^\x20\n]*)\x20(?:at\x20)?\((?P<base_file>[^\n]*?)\):\x20(?:
            (?P<verb>checking|image\x20is\x20(?:not\x20)?in\x20use|image\x20verification\x20failed
              |image\x20verification\x20skipped,\x20no\x20hash\x20stored|generating\x20checksum)
            |(?P<verb__2>in\x20use:\x20on\x20this\x20node)\x20(?P<local>\d+)\x20local,\x20(?P<remote>\d+)\x20on\x20other\x20nodes
              (?:\x20sharing\x20this\x20instance\x20storage)?
            |(?P<verb__3>in\x20use\x20on)\x20\((?P<remote__2>\d+)\x20on\x20other\x20nodes\)
            |(?P<verb__4>warning\x20--\x20an\x20absent\x20base\x20file\x20is\x20in\x20use!)\x20
              instances:\x20?(?P<several>[^\n]*?)
          )
          |(?P<verb__5>Active|Removable|Corrupt)\x20base\x20files:\s+(?P<paths>/[^\n]*?)
          |(?P<verb__6>Unknown)\x20base\x20file:\s+(?P<base_file__2>/[^\n]*?)
          |{_KINDS}\x20(?P<verb__7>too\x20young\x20to\x20remove):\s+(?P<base_file__3>/[^\n]*?)
          |(?P<verb__8>Removing)\x20{_KINDS}:\s+(?P<base_file__4>/[^\n]*?)
          |(?P<verb__9>Failed\x20to\x20remove)\x20(?P<base_file__5>/[^\n]*?),\x20error\x20was\x20(?P<error>[^\n]*?)
          |Cannot\x20remove\x20(?P<base_file__6>/[^\n]*?),\x20(?P<verb__10>it\x20does\x20not\x20exist)
          |Instance\x20(?P<one>[^\x20\n]+)\x20(?P<verb__11>is\x20using\x20a\x20backing\x20file)\x20
            (?P<base_file__7>[^\n]+?)\x20which\x20does\x20not\x20appear\x20in\x20the\x20image\x20service
          |Instance\x20(?P<one__2>[^\x20\n]+)\x20(?P<verb__12>is\x20backed\x20by)\x20(?P<base_file__8>[^\n]+?)
          |(?P<base_file__9>[^\x20\n]+)\x20(?:swap|ephemeral)\x20image\x20was\x20used\x20by\x20instance\x20but\x20
            (?P<verb__13>no\x20back\x20files\x20existing)!
          |Image\x20id\x20(?P<image__2>[^\x20\n]+)\x20(?P<verb__14>yields\x20fingerprint)\x20(?P<image_hash>{SHA1})
          |(?P<verb__15>Writing\x20stored\x20info\x20to)\x20(?P<base_file__10>/[^\n]*?)
          |(?P<verb__16>Reading\x20image\x20info\x20file):\x20(?P<base_file__11>/[^\n]*?)
          |(?P<verb__17>Error\x20reading\x20image\x20info\x20file)\x20(?P<base_file__12>/[^\n]*?):\x20(?P<error__2>[^\n]*?)
        )
        {DEBUG_SUFFIX}[\x20\r]*(?:\n(?s:.*))?$
    """,
    shape=_shape,
    samples=(
        Sample(
            f"{_ID} ({_FILE}): checking",
            {"action": "checking", "image": _ID, "base_file": _FILE, "image_hash": _HASH, "size_gb": None},
        ),
        Sample(f"image {_ID} at ({_FILE}): checking", {"action": "checking", "image": _ID, "instances": None}),
        Sample(f"image  at ({_FILE}_20): checking", {"image": None, "image_hash": _HASH, "size_gb": 20}),
        Sample(
            f"{_ID} ({_FILE}): in use: on this node 1 local, 2 on other nodes{_DEBUG}",
            {"action": "in_use", "local": 1, "remote": 2, "base_file": _FILE},
        ),
        Sample(
            f"{_ID} ({_FILE}): in use on (3 on other nodes){_DEBUG}", {"action": "in_use", "local": None, "remote": 3}
        ),
        Sample(
            f"image {_ID} at ({_FILE}): in use: on this node 1 local, 0 on other nodes sharing this instance storage",
            {"action": "in_use", "image": _ID, "local": 1, "remote": 0, "image_hash": _HASH},
        ),
        Sample(f"{_ID} ({_FILE}_10): image is not in use{_DEBUG}", {"action": "not_in_use", "size_gb": 10}),
        Sample(
            f"image {_ID} at ({_FILE}): image is in use _mark_in_use /usr/lib/python3/nova/virt/imagecache.py:301",
            {"action": "in_use", "base_file": _FILE},
        ),
        Sample(f"image {_ID} at ({_FILE}): image is in use {{{{(pid=7) f /x/imagecache.py:1}}}}", {"action": "in_use"}),
        Sample(f"image {_ID} at ({_FILE}): image verification failed", {"action": "corrupt", "image_hash": _HASH}),
        Sample(f"{_ID} ({_FILE}): image verification skipped, no hash stored", {"action": "verified"}),
        Sample(f"{_ID} ({_FILE}): generating checksum", {"action": "verified", "image": _ID}),
        Sample(
            f"{_ID} (None): warning -- an absent base file is in use! instances: instance-00000e05 instance-00000e06",
            {"action": "absent", "base_file": None, "instances": ["instance-00000e05", "instance-00000e06"]},
        ),
        Sample(
            f"Active base files: {_LIST}",
            {"action": "active", "base_file": f"{_BASE}/{_TALE}", "image_hash": _TALE, "cut": None},
            rows=2,
        ),
        Sample(f"Removable base files: {_FILE}", {"action": "removable", "base_file": _FILE, "cut": None}),
        Sample(f"Corrupt base files: {_FILE}_sm", {"action": "corrupt", "image_hash": _HASH, "size_gb": None}),
        Sample(f"Removable base files: {_BASE}/7b478350", {"cut": "cut", "image_hash": None, "size_gb": None}),
        Sample(
            f"Active base files: /srv/my cloud/_base/{_HASH} /srv/my cloud/_base/{_TALE}_10",
            {"base_file": f"/srv/my cloud/_base/{_HASH}", "image_hash": _HASH, "cut": None},
            rows=2,
        ),
        Sample(f"Unknown base file: {_BASE}/{_TALE}_20", {"action": "unknown", "size_gb": 20, "image": None}),
        Sample(f"Base file too young to remove: {_FILE}", {"action": "too_young", "base_file": _FILE}),
        Sample(f"Base or swap file too young to remove: {_BASE}/swap_512", {"action": "too_young", "image_hash": None}),
        Sample(
            f"Base, swap or ephemeral file too young to remove: {_BASE}/ephemeral_20_0706d66",
            {"action": "too_young", "base_file": f"{_BASE}/ephemeral_20_0706d66", "image_hash": None, "size_gb": None},
        ),
        Sample(
            f"Removing base file: {_BASE}/{_TALE}_10",
            {"action": "removing", "base_file": f"{_BASE}/{_TALE}_10", "image_hash": _TALE, "size_gb": 10},
        ),
        Sample(f"Removing base file:\n{_BASE}/{_TALE}_10", {"action": "removing", "image_hash": _TALE}),
        Sample(f"\n[-] Removing base file:\n{_BASE}/{_TALE}_10", {"action": "removing", "size_gb": 10}),
        Sample(f"Removing base or swap file: {_FILE}", {"action": "removing", "image_hash": _HASH, "size_gb": None}),
        Sample(f"Removing base, swap or ephemeral file: {_FILE}", {"action": "removing", "base_file": _FILE}),
        Sample(f"Removing base file: /mnt/nfs one/_base/{_HASH}", {"base_file": f"/mnt/nfs one/_base/{_HASH}"}),
        Sample(
            f"Failed to remove {_FILE}, error was [Errno 13] Permission denied: '{_FILE}'",
            {
                "action": "remove_failed",
                "base_file": _FILE,
                "image_hash": _HASH,
                "error": f"[Errno 13] Permission denied: '{_FILE}'",
            },
        ),
        Sample(
            f"Cannot remove {_FILE}, it does not exist _get_age_of_file /usr/lib/python2.7/nova/virt/imagecache.py:1",
            {"action": "gone", "base_file": _FILE},
        ),
        Sample(
            f"Instance instance-00000e05 is using a backing file {_TALE}_10 which does not appear in the image service",
            {"action": "in_use", "base_file": f"{_TALE}_10", "size_gb": 10, "instances": ["instance-00000e05"]},
        ),
        Sample(
            f"Instance {_ID} is backed by {_TALE}_10{_DEBUG}", {"base_file": f"{_TALE}_10", "instances": [_ID]}
        ),
        Sample(
            "swap_1024 swap image was used by instance but no back files existing!",
            {"action": "absent", "base_file": "swap_1024", "image_hash": None},
        ),
        Sample("ephemeral_1_0706d66 ephemeral image was used by instance but no back files existing!", {"image": None}),
        Sample(
            f"Image id {_ID} yields fingerprint {_HASH}{_DEBUG}",
            {"action": "fingerprint", "image": _ID, "image_hash": _HASH, "base_file": None},
        ),
        Sample(f"Writing stored info to {_FILE}.info", {"action": "verified", "image_hash": _HASH}),
        Sample(f"Reading image info file: {_FILE}.info read_file /x/imagecache.py:1", {"base_file": f"{_FILE}.info"}),
        Sample(
            f"Error reading image info file {_FILE}.info: No JSON object could be decoded",
            {"action": "verified", "error": "No JSON object could be decoded", "image_hash": _HASH},
        ),
    ),
)  # fmt: skip
