"""A folder of evidence is listed whole, read exactly, and left as it was."""

import errno
import gzip
import os
import random
import resource
import shutil
import socket
import stat
import subprocess
import sys
import time
import unicodedata
from contextlib import suppress

import pytest

from forensics.errors import EvidenceError
from forensics.evidence import EvidenceFile, label_of, name_of, open_stream, walk
from forensics.evidence import _files as files

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX file names and kinds of files")


def contents(root) -> dict[str, bytes]:
    found = {}
    for file in walk(root):
        assert file.refusal is None, file
        with open_stream(file) as stream:
            assert file.source not in found
            found[file.source] = stream.read()
    return found


def in_python(program: str, *arguments, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, **options)


READ_ALL = """
import sys
from forensics.evidence import open_stream, walk
count = octets = 0
for file in walk(sys.argv[1]):
    count += 1
    if file.refusal is None:
        with open_stream(file, digest=True) as stream:
            octets += len(stream.read())
            assert stream.finish().changed is None, file
print(count, octets)
"""


UNSAFE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def hostile_names() -> list[bytes]:
    """R22: 500 names, each of them legal on Linux."""
    fixed = [
        b"*", b"?", b"a[1].csv", b"a1.csv", b"[!a]", b"{a,b}", b"**", b"~", b"~root", b"$HOME", b"`id`", b"$(id)",
        b"k=v", b"year=2013", b"http:", b"http:x.org", b"file:%2Fetc", b"s3:bucket", b"a\nb", b"\n", b"a\rb",
        b"\x1b[31mred\x1b[0m", b"\x07", b"\x7f", b"-rf", b"--help", b"-", b"- ", b" ", b"  a", b"a  ", b"...",
        b".hidden", b"\xff", b"\xfe\xff", b"caf\xe9", b"caf\xc3\xa9",
        unicodedata.normalize("NFD", "café").encode(), b"CAFE", b"Cafe", b"cafe", b"a" * 255, b"\xc3\xa9" * 127,
        b"\xff" * 255, b"CON", b"NUL.txt", b"aux", b"COM1", b"a.", b"a:b", b"a|b", b"<a>", b'"', b"'", b"\\",
        b"\\\\", b"\\x41", b"A", b"\\xff", b"\\n", b"a\\", b"\\u202e", "\u202egpj.exe".encode(),
        "\u2066a\u2069".encode(), "a\u200bb".encode(), b"ab", "\u2028".encode(), "\ufeffbom".encode(), b"bom",
        "\x85".encode(), b"\x85", "\U000e0041".encode(), b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"%00",
        b"%2e%2e", b"..a", b"a;b", b"a&b", b"a b", b"#a", b"!a", b"@a", b"=1+1", b"+1", b"desktop.ini", b"html.py",
        b"a\tb", b"nova.log\xe2\x80\xae", "日本語".encode(), "日本語".encode("shift-jis"), b"\xe2\x82", b"<script>",
        b"{{7*7}}",
    ]  # fmt: skip
    source = random.Random(22)
    names = dict.fromkeys(fixed)
    while len(names) < 500:
        name = source.randbytes(source.randrange(1, 40)).replace(b"/", b"").replace(b"\0", b"")
        if name not in (b"", b".", b".."):
            names[name] = None
    return list(names)


@posix
def test_r22_hostile_names(tmp_path):
    root = os.fsencode(tmp_path)
    names = hostile_names()
    folder = b"\xff \n[*]"
    os.mkdir(os.path.join(root, folder))
    for number, name in enumerate(names):
        for place in (root, os.path.join(root, folder)):
            with open(os.path.join(place, name), "wb") as file:
                file.write(b"%d" % number)
    found = contents(tmp_path)
    assert len(found) == 2 * len(names) == 1000
    for number, name in enumerate(names):
        assert found[label_of(name)] == found[label_of(folder + b"/" + name)] == b"%d" % number
    for label in found:
        assert not UNSAFE.intersection(map(unicodedata.category, label))
        assert os.path.exists(os.path.join(root, name_of(label)))


def test_labels_are_reversible():
    source = random.Random(23)
    pieces = [
        b"\\",
        b"x",
        b"u",
        b"U",
        b"0",
        b"41",
        b"\xff",
        b"\n",
        "é".encode(),
        "\u202e".encode(),
        "\U000e0041".encode(),
    ]
    seen = {}
    for _ in range(20_000):
        name = b"".join(source.choices(pieces, k=source.randrange(8)))
        label = label_of(name)
        assert name_of(label) == name
        assert seen.setdefault(label, name) == name
        assert not UNSAFE.intersection(map(unicodedata.category, label))


@posix
def test_r31_what_is_no_file_is_listed_and_not_opened(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "nova.log").write_bytes(b"x")
    (tmp_path / "real" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "real" / "dangling").symlink_to("nowhere")
    (tmp_path / "real" / "shadow").symlink_to("/etc/passwd")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        place = os.getcwd()
        os.chdir(tmp_path)  # the name of a socket may have 107 octets
        try:
            listener.bind("socket")
        finally:
            os.chdir(place)
        expected = {
            "a": "symbolic link", "b": "symbolic link", "fifo": "FIFO", "socket": "socket",
            "real/dangling": "symbolic link", "real/loop": "symbolic link", "real/nova.log": None,
            "real/shadow": "symbolic link",
        }  # fmt: skip
        try:
            os.mknod(tmp_path / "device", stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero never ends
        except OSError:  # only root may
            pass
        else:
            expected["device"] = "device"
        start = time.perf_counter()
        listed = list(walk(tmp_path))
        assert time.perf_counter() - start < 5
    assert {file.source: file.refusal for file in listed} == expected
    for file in listed:
        if file.refusal is not None:
            with pytest.raises(EvidenceError, match=file.refusal):
                open_stream(file)
            # even if the listing said otherwise, or the file was replaced after it
            with pytest.raises(EvidenceError, match="not opened"):
                open_stream(EvidenceFile(file.path, file.source, 1, 0))


@posix
@pytest.mark.skipif(not os.path.exists("/proc/self/mountinfo"), reason="there is no /proc")
def test_r31_files_of_the_kernel_are_refused():
    for root in ("/proc/self", "/proc/self/environ", "/sys/kernel"):
        if os.path.exists(root):
            (listed,) = walk(root)
            assert (listed.refusal or "").startswith("file of the kernel"), root


def test_a_root_that_is_a_link_or_nothing(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "nova.log").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("there")
    assert contents(tmp_path / "link") == {"nova.log": b"abc"}
    assert contents(str(tmp_path / "there" / "nova.log")) == {"nova.log": b"abc"}
    for nothing in (tmp_path / "nothing\n", os.fsencode(tmp_path / "nothing"), "\0"):
        with pytest.raises(EvidenceError) as raised:
            list(walk(nothing))
        assert "\n" not in (raised.value.where or "")
    (tmp_path / "there" / "nova.log").unlink()
    assert list(walk(tmp_path / "there")) == []


def test_a_file_that_went_away(tmp_path):
    (tmp_path / "nova.log").write_bytes(b"abc")
    (file,) = walk(tmp_path)
    file.path.unlink()
    with pytest.raises(EvidenceError, match=r"nova\.log: not opened: no such file"):
        open_stream(file)


def test_order_is_that_of_the_bytes(tmp_path, monkeypatch):
    names = ["b", "a", "B", "é", "a-b", "a.b", "z/1", "z/10", "z/2", "z-1", "z.1", "y/y/y"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [file.source for file in walk(tmp_path)]
    assert found == sorted(names, key=lambda name: [part.encode() for part in name.split("/")])
    listing = files._listing
    for turn in (reversed, lambda entries: random.Random(1).sample(entries, len(entries))):
        monkeypatch.setattr(files, "_listing", lambda folder, turn=turn: list(turn(listing(folder))))
        assert [file.source for file in walk(tmp_path)] == found


@posix
def test_folders_and_files_without_permission_are_refusals(tmp_path, monkeypatch):
    """As a subprocess without privileges where the tests run as root."""
    root = tmp_path / "evidence"
    for name in ("closed/nova.log", "open/secret", "open/nova.log", "blind/nova.log"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    (root / "open/secret").chmod(0)
    (root / "closed").chmod(0)
    (root / "blind").chmod(0o444)
    program = """
import os, sys
from forensics.evidence import walk
os.chdir(sys.argv[1])
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
print({file.source: file.refusal for file in walk("evidence")})
"""
    for parent in (tmp_path, *tmp_path.parents):
        if parent.owner() == root.owner() and os.geteuid() == 0 and parent != parent.parent:
            parent.chmod(parent.stat().st_mode | 0o005)
    try:
        said = eval(in_python(program, tmp_path).stdout)
    finally:
        for name in ("closed", "blind"):
            (root / name).chmod(0o755)
    assert said == {
        "blind/nova.log": "permission denied",
        "closed": "folder: permission denied",
        "open/nova.log": None,
        "open/secret": "permission denied",
    }


@posix
def test_r46_many_files_with_few_descriptors(tmp_path):
    for number in range(10_000):
        if number % 500 == 0:
            (tmp_path / f"{number // 500:02d}").mkdir()
        with open(tmp_path / f"{number // 500:02d}" / f"{number}", "wb") as file:
            file.write(b"%d" % number)
    deep = tmp_path.joinpath(*["deep"] * 100)
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(b"")
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))  # noqa: E731
    out = in_python(READ_ALL, tmp_path, preexec_fn=limit).stdout.split()
    assert out == ["10001", str(sum(len(str(number)) for number in range(10_000)))]


def state_of(path) -> tuple:
    """Everything that a reader could change, found without reading a folder or a link: that has an access time too."""
    there = os.lstat(path)
    links = {"follow_symlinks": False}
    extended = {key: os.getxattr(path, key, **links) for key in os.listxattr(path, **links)}
    times = (there.st_mtime_ns, there.st_ctime_ns, there.st_atime_ns)
    return there.st_size, there.st_mode, there.st_uid, there.st_gid, times, extended


WRITES = """
    open openat openat2 creat truncate ftruncate unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat
    mkdir mkdirat rmdir mknod mknodat chmod fchmod fchmodat chown fchown lchown fchownat utime utimes utimensat
    futimesat setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr write pwrite64 writev pwritev pwritev2
    fallocate sendfile copy_file_range mmap
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing: install the Debian package strace")
def test_r12_evidence_is_only_read(tmp_path):
    root = tmp_path / "evidence"
    for name in ("nova.log", "pcap/ens3.pcap", "a/b/c", "k=v/*", "--help"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(os.urandom(100_000))
    (root / "nova.log.1.gz").write_bytes(gzip.compress(os.urandom(50_000)))
    (root / "link").symlink_to("nova.log")
    os.utime(root / "nova.log", ns=(1_360_892_418_123_456_789, 1_360_892_418_987_654_321))
    with suppress(OSError):  # not every file system has them
        os.setxattr(root / "nova.log", "user.origin", b"compute01")
    paths = [root, *sorted(root.rglob("*"))]
    time.sleep(0.05)  # so that a new access time would differ
    before = [state_of(path) for path in paths]
    trace = tmp_path / "trace"
    known = subprocess.run(["strace", "-e", "trace=?openat,?creat", "true"], capture_output=True)
    if known.returncode:
        pytest.skip(f"strace may not trace here: {known.stderr.decode()[:200]}")
    calls = ",".join(f"?{call}" for call in WRITES.split())
    traced = ["strace", "-f", "-y", "-s", "4096", "-o", trace, "-e", f"trace={calls}"]
    command = [*traced, sys.executable, "-P", "-c", READ_ALL, root]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert [state_of(path) for path in paths] == before
    inside = [line for line in trace.read_text().splitlines() if str(root) in line and "execve" not in line]
    opens = [line for line in inside if " open" in line.split("(")[0]]
    assert len(opens) == len(inside) >= 11, [line for line in inside if line not in opens]
    for line in opens:
        assert "O_RDONLY" in line
        assert "O_NOFOLLOW" in line
        assert not any(flag in line for flag in ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND")), line
    assert not any("/link" in line for line in opens)


def test_without_the_flags_of_linux(tmp_path, monkeypatch):
    """Other systems lack them: what is left must do."""
    for name in ("O_NOATIME", "O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_DIRECTORY", "readv", "pread"):
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(os, "supports_fd", set())
    monkeypatch.setattr(os, "supports_effective_ids", set())
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "nova.log").write_bytes(b"abc" * 100_000)
    assert contents(tmp_path) == {"a/nova.log": b"abc" * 100_000}
    with open_stream(*walk(tmp_path)) as stream:
        assert not stream.atime_kept


@posix
def test_access_time_is_given_up_where_it_may_not_be_kept(tmp_path, monkeypatch):
    (tmp_path / "nova.log").write_bytes(b"abc")
    opened = os.open

    def refusing(path, flags, *rest, **more):
        if flags & getattr(os, "O_NOATIME", 0):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        return opened(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refusing)
    with open_stream(*walk(tmp_path)) as stream:
        assert stream.read() == b"abc"
        assert not stream.atime_kept
