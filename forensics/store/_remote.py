"""Cases in an object store: copied whole, their seal last, and compared with their digests before a row is shown."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from forensics.errors import CaseError, ForensicsError, StoppedError, StoreDamagedError
from forensics.store._files import checksum_line, digest, sync_folder, whole
from forensics.store._store import MANIFEST, SEAL

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.+)", re.DOTALL)  # a `Path` of a URL has lost a slash
_AT_A_TIME = 8
_ACCESS = "credentials and the endpoint come from the environment, such as AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL"


def url_of(place: str | os.PathLike[str]) -> str | None:
    """The URL that a place is; None for a path, and for whatever lies here under that name.

    Examples:
        >>> url_of("s3://bucket/incident.case"), url_of(Path("s3://bucket/incident.case")), url_of("C:/incident.case")
        ('s3://bucket/incident.case', 's3://bucket/incident.case', None)
    """
    if os.path.lexists(place):  # a folder may have any name
        return None
    found = _URL.fullmatch(place if isinstance(place, str) else Path(place).as_posix())
    root = "/" if found and found[1] == "file" else ""
    return f"{found[1]}://{root}{found[2].rstrip('/')}" if found else None


def place_of(url: str) -> Path:
    """Where on this machine the copy of a case lies: in ``FORENSICS_CACHE``, or the user's folder for such things."""
    own = os.environ.get("FORENSICS_CACHE")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = PurePosixPath(urlsplit(url).path).name or "case"
    return (Path(own) if own else caches / "cloud-forensics") / hashlib.sha256(url.encode()).hexdigest()[:16] / name


class Remote:
    """A folder of an object store.

    Args:
        url: As fsspec knows them: ``s3://bucket/incident.case``.

    Raises:
        CaseError: If fsspec, or what it needs for such URLs, is not installed; or there is no such protocol.
        StoppedError: From here on, if the store refuses something or does not answer.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        try:
            fsspec = importlib.import_module("fsspec")
            self._fs, root = fsspec.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        except ImportError as error:
            hint = 'pip install "cloud-forensics[cluster]"; for other stores than S3, the library that fsspec names'
            raise CaseError(f"not installed: {error.name or error}", where=self.shown, hint=hint) from error
        except ValueError as error:
            raise CaseError(f"no such kind of store: {error}", where=self.shown, hint="s3://BUCKET/NAME") from error
        self._root: str = root.rstrip("/")

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except ForensicsError:
            raise
        except Exception as error:  # each kind of store has errors of its own
            what = f"the object store refuses: {type(error).__name__}: {error}"
            raise StoppedError(what[:300], where=self.shown, hint=f"{_ACCESS}; then run it again") from error

    def read(self, name: str) -> bytes | None:
        """What is stored under a name; None for nothing."""
        with self._asking():
            try:
                data: bytes = self._fs.cat_file(f"{self._root}/{name}")
            except FileNotFoundError:
                return None
            return data

    def remove(self, name: str = "") -> None:
        """Remove what is stored under a name, and all below it; with none, all of it."""
        place = f"{self._root}/{name}" if name else self._root
        with self._asking(), contextlib.suppress(FileNotFoundError):
            self._fs.rm(place, recursive=True)

    def names(self) -> list[str]:
        """Names of all that is stored, sorted."""
        with self._asking():
            found = self._fs.find(self._root)
        return sorted(place[len(self._root) + 1 :] for place in found)

    def put(self, folder: Path, names: Iterable[str]) -> None:
        """Store files of a folder."""

        def one(name: str) -> None:
            with self._asking():
                self._fs.makedirs(f"{self._root}/{name}".rpartition("/")[0], exist_ok=True)
                self._fs.put_file(str(folder / name), f"{self._root}/{name}")

        _each(one, names)

    def get(self, folder: Path, digests: dict[str, str]) -> None:
        """Fetch files into a folder, each under its name only when it is whole and has its digest.

        Raises:
            StoreDamagedError: If one has another digest, or is missing.
        """

        def one(name: str) -> None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(path.name + ".part")
            try:
                with self._asking():
                    self._fs.get_file(f"{self._root}/{name}", str(part))
                    found = digest(part)
            except StoppedError as error:
                if isinstance(error.__cause__, FileNotFoundError):
                    raise self._damaged(name, "is missing") from error
                raise
            if found != digests[name]:
                part.unlink()
                raise self._damaged(name, "differs from its digest")
            part.replace(path)

        _each(one, digests)

    def manifest(self) -> tuple[bytes, bytes, dict[str, str]] | None:
        """Seal, manifest and digests by name; None where there is no finished case.

        Raises:
            StoreDamagedError: If the manifest does not match its seal.
        """
        seal = self.read(SEAL)
        lines = None if seal is None else self.read(MANIFEST)
        if seal is None or lines is None:
            return None
        if seal != checksum_line(MANIFEST.encode(), hashlib.sha256(lines).hexdigest()):
            raise self._damaged(MANIFEST, "differs from the digest in manifest.sha256")
        return seal, lines, _digests(lines)

    def _damaged(self, name: str, what: str) -> StoreDamagedError:
        hint = (
            "nothing of this case is shown; open it again, or make it again with `forensics triage EVIDENCE --out URL`"
        )
        return StoreDamagedError(what, where=f"{self.shown}/{name}", hint=hint)


def _digests(manifest: bytes) -> dict[str, str]:
    pairs = (line.split("  ", 1) for line in manifest.decode("utf-8").splitlines())
    found = {name: sha256 for sha256, name in pairs}
    for name in found:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith(("/", "\\")) or ".." in parts or ":" in name or "\\" in name:
            raise StoreDamagedError("is no name of a file in a case", where=name)
    return found


def _each(do: Callable[[str], None], names: Iterable[str]) -> None:
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for _ in pool.map(do, sorted(names)):
            pass


def pull(url: str) -> Path:
    """Bring the copy of a case on this machine up to date, if there is a case at the URL; where that copy lies.

    Raises:
        StoreDamagedError: If something is not what the manifest says; nothing is shown then.
        CaseError, StoppedError: As `Remote`.
    """
    remote, place = Remote(url), place_of(url)
    found = remote.manifest()
    if found is None:
        return place
    seal, lines, digests = found
    if (place / SEAL).is_file() and (place / SEAL).read_bytes() == seal:
        return place
    folder = place.with_name(f".{place.name}.fetched-{os.getpid()}")
    earlier = place.with_name(f".{place.name}.replaced-{os.getpid()}")
    try:
        folder.mkdir(parents=True)
        remote.get(folder, digests)
        for name, data in ((MANIFEST, lines), (SEAL, seal)):
            with whole(folder / name) as file:
                file.write(data)
        if place.exists():
            place.rename(earlier)
        folder.rename(place)
        sync_folder(place.parent)
    finally:
        for old in (folder, earlier):
            shutil.rmtree(old, ignore_errors=True)
    return place


def here(place: str | os.PathLike[str]) -> Path:
    """The folder that a place is; of a URL, the copy on this machine of the case that is there now.

    Raises:
        CaseError: If there is no finished case at the URL; else as `pull`.
    """
    url = url_of(place)
    if url is None:
        return Path(place)
    if Remote(url).manifest() is None:
        hint = "cases may lie in an object store; evidence is read from folders that are mounted"
        raise CaseError("no finished case", where=Remote(url).shown, hint=hint)
    return pull(url)


def push(folder: Path, url: str, *, instead_of: bytes | None = None) -> None:
    """Store a case at a URL: what is there already stays, the seal goes first and comes last.

    Args:
        folder: A finished case.
        url: Where to.
        instead_of: The seal that must be there now; any where None.

    Raises:
        CaseError: If there is something else at the URL, or another seal.
        StoppedError: As `Remote`: run it again; until then nobody takes it for a case.
    """
    remote = Remote(url)
    seal, lines = (folder / SEAL).read_bytes(), (folder / MANIFEST).read_bytes()
    before = remote.read(SEAL)
    if instead_of is not None and before != instead_of:
        raise CaseError("somebody has changed the case meanwhile", where=remote.shown, hint="open it again")
    if before == seal:
        return
    names = remote.names()
    _must_be_ours(remote, names)
    old = remote.read(MANIFEST) if before is not None else None
    there = _digests(old) if old is not None else {}
    digests = _digests(lines)
    remote.remove(SEAL)
    remote.put(folder, [name for name, sha256 in digests.items() if there.get(name) != sha256 or name not in names])
    remote.put(folder, [MANIFEST])
    remote.put(folder, [SEAL])
    for name in names:
        if name not in digests and name not in (MANIFEST, SEAL):
            remote.remove(name)


def stored(folder: Path, url: str | None) -> None:
    """Store a case at a URL, if there is one."""
    if url is not None:
        push(folder, url)


def _must_be_ours(remote: Remote, names: list[str]) -> None:
    """Nothing but cases is ever replaced: one that a killed run left without its seal is one, too."""
    if names and not {"case.json", MANIFEST} & set(names) and not all(name.startswith("records/") for name in names):
        hint = "give another --out"
        raise CaseError("there is something else in the place of the case", where=remote.shown, hint=hint)
