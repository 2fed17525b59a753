"""What a command ends with: an exit code, and a message with a hint instead of a traceback."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import typer

from forensics.cli import _show as show
from forensics.errors import ForensicsError, StoppedError, StoreDamagedError

UNDERSTOOD, INTERNAL, USAGE, GAPS, STOPPED, MISMATCH, FOUND = 0, 1, 2, 3, 4, 5, 6

F = TypeVar("F", bound=Callable[..., Any])


def guarded(command: F) -> F:
    """Errors of ours become a message, a hint and an exit code; nothing becomes a traceback."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            code = command(*args, **options) or UNDERSTOOD
            sys.stdout.flush()
        except StoreDamagedError as error:
            code = _fail(error, MISMATCH)
        except StoppedError as error:
            code = _fail(error, STOPPED)
        except ForensicsError as error:
            code = _fail(error, USAGE)
        except KeyboardInterrupt:
            show.say("forensics: stopped; run it again: what was finished is kept, and it goes on from there")
            code = STOPPED
        except BrokenPipeError:  # whoever read the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = UNDERSTOOD
        except OSError as error:
            where = show.safe(str(error.filename)) + ": " if error.filename is not None else ""
            show.say(f"forensics: {where}{error.strerror or show.safe(str(error))}")
            gone = "the current folder may have been removed; change to another" if not where else ""
            show.say(f"Hint: {gone or 'check that the place exists, may be used, and has room; then run it again'}")
            code = STOPPED
        except (typer.Exit, typer.Abort, SystemExit):
            raise
        except BaseException as error:
            if type(error).__module__.startswith(("click", "typer")):  # wrong use: typer says what is wrong
                raise
            if os.environ.get("FORENSICS_DEBUG"):
                raise
            show.say(f"forensics: internal error: {type(error).__name__}: {show.safe(str(error))[:500]}")
            show.say("Hint: FORENSICS_DEBUG=1 shows where; please report it with the command that you ran")
            code = INTERNAL
        raise typer.Exit(code)

    return run  # type: ignore[return-value]


def _fail(error: ForensicsError, code: int) -> int:
    place = f"{show.safe(error.where)}: " if error.where else ""
    show.say(f"forensics: {place}{show.safe(error.what)}")
    if error.hint:
        show.say(f"Hint: {show.safe(error.hint)}")
    return code
