"""R09: whichever call is refused while a case is written, the run stops, says where, and can be gone on with."""

import errno
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests._slow import SLOW
from tests._small_evidence import small_evidence

REFUSING = """
import errno, os, pathlib, sys
import forensics
from forensics import report
from forensics.case import _build
from forensics.errors import CaseError, StoppedError
from forensics.store import _draft
from tests.test_store_resume import tree

_build.versions = dict
_draft.COMMIT_S = 0
evidence, place, start, step = sys.argv[1], pathlib.Path(sys.argv[2]), *map(int, sys.argv[3:5])
codes = [*map(int, sys.argv[5:])]
WRITES = {"os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.utime"}
count, last = 0, None

def refuse(event, arguments):
    global count
    if last is None:
        return
    if not (event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR) or event in WRITES):
        return
    name = arguments[0]
    if isinstance(name, (str, os.PathLike)) and not os.fspath(name).startswith(str(place)):
        return
    count += 1
    if count > last:
        raise OSError(code, os.strerror(code), name)

def run(out, again=False):
    return tree(forensics.open_case(evidence, out=out, workers=1, again=again, finish=report.pages).path)

wanted = run(place / "w.case")
sys.addaudithook(refuse)
out, stopped, at = place / "x.case", 0, start
while True:
    code = codes[(at - start) // step % len(codes)]
    count, last = 0, at
    try:
        run(out, again=True)
    except (StoppedError, CaseError) as error:
        stopped += 1
        assert errno.errorcode[code] in str(error) or os.strerror(code) in str(error), (at, error)
        assert str(place) in str(error), (at, error)
    refused = count > at
    last = None
    assert run(out) == wanted, at
    assert sorted(path.name for path in place.iterdir()) == ["w.case", "x.case"], (at, list(place.iterdir()))
    if not refused:
        break
    at += step
print(at, stopped)
"""


CODES = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("codes", [(code,) for code in CODES] if SLOW else [CODES], ids=str)
def test_every_refused_call_stops_the_run(tmp_path: Path, codes: Sequence[int]) -> None:
    """From the nth call on all that make, open or move a file fail, for some reason or for each."""
    evidence = small_evidence(tmp_path / "evidence")
    (tmp_path / "place").mkdir()
    given = [str(evidence), str(tmp_path / "place"), *(("0", "1") if SLOW else ("7", "25")), *map(str, codes)]
    done = subprocess.run([sys.executable, "-c", REFUSING, *given], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    calls, stopped = map(int, done.stdout.split())
    assert calls > 50
    assert stopped > 2
