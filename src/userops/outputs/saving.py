"""A file that is whole or untouched: what was there before, or the complete new result, never a part of it.

The result goes to a hidden file beside the target (``.NAME.<random>.userops-tmp``), is flushed to the disk, and then
takes the target's place in one step. Devices, pipes and the process's own streams (``/dev/null``, a FIFO,
``/dev/stdout``) cannot be replaced: they are written through. A symbolic link stays; the file it leads to is replaced.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from userops.errors import OutputError

Writer = Callable[[BinaryIO], None]
"""Writes a whole result to a binary handle."""

SUFFIX = ".userops-tmp"
"""The end of the name of every unfinished file."""

STALE_SECONDS = 24 * 60 * 60
"""An unfinished file this old belongs to a run that died; the next run on the same target removes it."""

_LONGEST_NAME = 200
_OWN_STREAM = re.compile(r"/dev/(?:(stdout)|(stderr)|fd/(\d+))|/proc/self/fd/(\d+)")

_announce: Callable[[Path], None] | None = None


def watch(callback: Callable[[Path], None] | None) -> None:
    """Have ``callback`` told the path of every unfinished file just before it is made (None: nobody).

    A process that outlives a killed run can so remove what the run left behind.
    """
    global _announce  # one process has one guardian
    _announce = callback


def write_atomically(path: str | Path, writer: Writer, *, private: bool = False) -> None:
    """Put what ``writer`` writes at ``path``, all of it or nothing.

    A replaced file keeps its mode; a new one gets 0600 when ``private``, else what the umask leaves. OutputError when
    the destination cannot take it; whatever the writer raises passes through. Either way the old file is intact and
    no temporary one is left. A reader that went away from a FIFO is a BrokenPipeError, as on stdout.
    """
    try:
        if is_stream(path):
            with _opened_stream(path) as handle:
                writer(handle)
        else:
            _replace(Path(os.path.realpath(path)), writer, private)
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise refused(str(path), problem) from problem


def is_stream(path: str | Path) -> bool:
    """True where a path leads to a device, a pipe or a stream of this process, not to a file to be replaced."""
    if _OWN_STREAM.fullmatch(str(path)):
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def refused(path: str, problem: OSError) -> OutputError:
    """The one clear line for an operating system's refusal, with what to do about it."""
    code = problem.errno or 0
    reason = (os.strerror(code) if code else str(problem)) or "unknown reason"
    return OutputError.not_written(path, reason[0].lower() + reason[1:], _hint(path, code))


def _hint(path: str, code: int) -> str | None:
    folder = os.path.dirname(path) or "."
    match code:
        case errno.ENOENT:
            return f"there is no folder {folder}; make it first: mkdir -p '{folder}'"
        case errno.ENOTDIR:
            return "a part of the path is a file, not a folder"
        case errno.EISDIR:
            return f"name a file in it, such as {os.path.join(path, 'result.csv')}"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"choose a place you may write to, or change the permissions of {folder}"
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return "make room or choose another disk; a file that was there is unchanged"
        case errno.ENAMETOOLONG:
            return "choose a shorter name"
        case _:
            return None


def _opened_stream(path: str | Path) -> BinaryIO:
    own = _OWN_STREAM.fullmatch(str(path))
    if not own:
        return open(path, "wb")
    stdout, stderr, *numbers = own.groups()
    number = 1 if stdout else 2 if stderr else int(next(n for n in numbers if n))
    return open(os.dup(number), "wb")


def _replace(target: Path, writer: Writer, private: bool) -> None:
    old = _status(target)
    if old and stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if old and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    _sweep(target)
    unfinished = target.with_name(f"{_prefix(target)}{secrets.token_hex(8)}{SUFFIX}")
    if _announce:
        _announce(unfinished)
    try:
        with open(_created(unfinished, 0o600 if private or old else 0o666), "wb") as handle:
            writer(handle)
            handle.flush()
            if old:
                _take_over(handle.fileno(), old)
            os.fsync(handle.fileno())
        os.replace(unfinished, target)
    except BaseException:  # Ctrl-C too: nothing half-made may stay
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
    _sync_folder(target.parent)


def _status(target: Path) -> os.stat_result | None:
    try:
        return os.stat(target)
    except FileNotFoundError:
        return None


def _created(path: Path, mode: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    return os.open(path, flags, mode)


def _take_over(handle: int, old: os.stat_result) -> None:
    """Give the new file the old one's owner (where allowed) and mode."""
    if hasattr(os, "fchown"):
        with contextlib.suppress(OSError):
            os.fchown(handle, old.st_uid, old.st_gid)
    if hasattr(os, "fchmod"):
        os.fchmod(handle, stat.S_IMODE(old.st_mode))


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut, where the system can; the file is already in place."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _prefix(target: Path) -> str:
    return f".{os.fsdecode(os.fsencode(target.name)[:_LONGEST_NAME])}."


def _sweep(target: Path) -> None:
    """Remove what dead runs on the same target left behind a day ago or earlier."""
    name = re.compile(re.escape(_prefix(target)) + "[0-9a-f]{16}" + re.escape(SUFFIX))
    oldest = time.time() - STALE_SECONDS
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            if name.fullmatch(entry.name) and entry.stat(follow_symlinks=False).st_mtime < oldest:
                os.unlink(entry.path)
