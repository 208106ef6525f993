"""A parent that outlives the work: whatever a hostile file does to the reader, the user gets one clear line.

A crafted Parquet file can abort the whole process, a huge one can have it killed; neither can be caught from inside.
So the work runs in a forked child. The parent holds nothing but the list of temporary files: if the child dies it
removes them and says what happened; on Ctrl-C it ends the child at once. Native code that talks to file descriptor 2
(panics, backtraces) is kept away from the user. Where there is no ``fork`` the work runs in this process.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from userops.cli_support.diagnostics import Talk
from userops.cli_support.exits import Exit
from userops.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_to_parent: int | None = None
_remembered: list[str] = []


def remember(path: str) -> None:
    """Tell the guarding parent about a temporary file or folder it has to remove should this process die."""
    if _to_parent is not None:
        _remembered.append(path)
        with suppress(OSError):
            os.write(_to_parent, f"{path}\0".encode())


def guarded(work: Callable[[], int], talk: Talk) -> int:
    """The exit code of ``work``, run in a child process; a child that dies is exit 3 and one line."""
    if not hasattr(os, "fork"):
        return work()
    temporary_out, temporary_in = os.pipe()
    alive_out, alive_in = os.pipe()
    sys.stdout.flush()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _stops())  # until both know what to do with one
    child = os.fork()
    if child == 0:
        os.close(temporary_out)
        os.close(alive_in)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process, whatever native code is doing
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _be_the_child(work, temporary_in, alive_out)
    os.close(temporary_in)
    os.close(alive_out)
    stopped = _forward_stops_to(child)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    _remove_all(temporary_out)
    if stopped:
        if stopped[0] == signal.SIGINT:
            if sys.stderr.isatty():
                sys.stderr.write("\r\x1b[K")  # the line of progress, if there was one
            return Exit.INTERRUPTED
        signal.signal(stopped[0], signal.SIG_DFL)
        os.kill(os.getpid(), stopped[0])
    died = signal.Signals(os.WTERMSIG(status))
    error = InputError.reader_died(died.name, by_memory=died in (signal.SIGKILL, signal.SIGABRT))
    talk.error(error, Exit.INPUT)
    return Exit.INPUT


def open_standard_streams() -> None:
    """Give a process started with ``>&-`` its descriptors 0 to 2, lest a file of ours becomes one of them.

    They lead nowhere: nothing to read, talk is lost, and a closed stdout cannot be written to, which is found out.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "r"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            access = os.O_WRONLY if mode == "w" else os.O_RDONLY
            nowhere = os.open(os.devnull, access)  # the lowest free descriptor, which is this one
            setattr(sys, name, os.fdopen(nowhere, mode, encoding="utf-8", closefd=False))


def _be_the_child(work: Callable[[], int], temporary_in: int, alive_out: int) -> None:
    """Do the work and leave without teardown; leave at once when the parent is gone."""
    global _to_parent
    _to_parent = temporary_in
    threading.Thread(target=_leave_with_the_parent, args=(alive_out,), daemon=True).start()
    talk = os.dup(2)
    with suppress(OSError):
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 2)
        os.close(silent)
    sys.stderr = os.fdopen(talk, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    code: int = Exit.BUG
    try:
        code = work()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else Exit.BUG
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def leave(code: int) -> None:
    """End this process at once, without what it left unfinished."""
    _remove(_remembered)
    os._exit(code)


def _leave_with_the_parent(alive_out: int) -> None:
    """Block until the parent's end of the pipe closes, which it does when the parent dies; then do its duty."""
    os.read(alive_out, 1)
    leave(Exit.BUG)


def _stops() -> tuple[signal.Signals, ...]:
    return signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def _forward_stops_to(child: int) -> list[signal.Signals]:
    """End the child on a stop signal; the list says which came."""
    came: list[signal.Signals] = []

    def stop(number: int, _frame: object) -> None:
        came.append(signal.Signals(number))
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    for number in _stops():
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, stop)
    return came


def _remove_all(temporary_out: int) -> None:
    """Remove what the dead child left behind; names still on their way are in the pipe."""
    with os.fdopen(temporary_out, "rb") as names:
        _remove(os.fsdecode(name) for name in names.read().split(b"\0") if name)


def _remove(paths: Iterable[str]) -> None:
    for path in paths:
        with suppress(OSError):
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
