"""One large log, read whole and in slices by two processes: what being cut brings, and what the survey costs."""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from _measure import Command, measure, save, table


def read(path: Path, how: str) -> None:
    """Read it in one of three ways, into a folder that is thrown away; prints wall seconds."""
    from forensics.case import _pool, _slices
    from forensics.case._load import SURVEY, Job, Share, load_one
    from forensics.evidence import walk
    from forensics.loaders._reader import Origin

    (file,) = walk(path)
    with tempfile.TemporaryDirectory(dir=path.parent.parent) as folder:
        job = Job(1, file, Origin(file.source, modified_ns=file.modified_ns), Path(folder))
        began = time.perf_counter()
        if how == "survey":
            load_one(replace(job, share=Share(SURVEY)))
        else:
            if how == "whole":
                _slices.FAIR_SHARE = 0
            _pool.load_all([job], 2, apart=True)
        print(f"{how}: {time.perf_counter() - began:.1f} s", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path, help="a log of 512 MiB or more, alone in its folder")
    parser.add_argument("--how", choices=("survey", "whole", "slices"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--save", type=Path)
    chosen = parser.parse_args()
    if chosen.how:
        read(chosen.log, chosen.how)
        return
    argv = [sys.executable, __file__, str(chosen.log), "--how"]
    alone = {"POLARS_MAX_THREADS": "1"}
    names = ("survey", "whole", "slices")
    figures = measure([Command(name, [*argv, name], env=alone) for name in names], runs=chosen.runs, warm_up=0)
    print(table(figures, against=("whole",)))
    if chosen.save:
        save(figures, chosen.save)


if __name__ == "__main__":
    main()
