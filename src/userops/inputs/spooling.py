"""Temporary files that go away by themselves, and streams laid down in them.

What cannot be read twice (standard input, a pipe) is written to a temporary file first, because recognising a file
means reading its beginning before all of it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from userops.collecting import guarded
from userops.errors import InputError

BLOCK = 1 << 20
_WAIT_FOR_WRITER = 10


class Scratch:
    """The temporary files of one run: a folder made when first needed, removed on leaving the block.

    ``announce`` is told the folder's path, so that a process that outlives this one can remove it.
    """

    def __init__(self, announce: Callable[[str], None] | None = None) -> None:
        self._announce = announce
        self._folder: Path | None = None
        self._count = 0
        self.stdin: Path | None = None  # where standard input lies, once spooled: it cannot be read twice

    def path(self, suffix: str = "") -> Path:
        """A fresh path (no file yet), ending in ``suffix``."""
        if self._folder is None:
            self._folder = Path(tempfile.gettempdir(), f"userops-{secrets.token_hex(8)}")
            if self._announce:  # first: this process may end at any moment
                self._announce(str(self._folder))
            self._folder.mkdir(0o700)
        self._count += 1
        return self._folder / f"{self._count}{suffix}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def spooled_stdin(scratch: Scratch) -> Path:
    """Standard input as a file, the same one when asked again."""
    if scratch.stdin is None:
        scratch.stdin = _spooled(sys.stdin.buffer, "stdin", scratch)
    return scratch.stdin


def spooled_stream(path: Path, scratch: Scratch) -> Path:
    """A pipe or device as a file. Raises InputError when nobody writes to the pipe, or it holds zero bytes only."""
    with guarded(str(path)), _written_to(path) if path.is_fifo() else path.open("rb") as stream:
        return _spooled(stream, str(path), scratch)


def _spooled(stream: BinaryIO, name: str, scratch: Scratch) -> Path:
    target = scratch.path()
    with guarded(name), target.open("wb") as out:
        first = stream.read(BLOCK)
        if len(first) == BLOCK and not first.strip(b"\0"):
            raise InputError.not_a_table(name, "nothing but zero bytes", "give a file with rows")
        out.write(first)
        shutil.copyfileobj(stream, out, BLOCK)
    return target


def _written_to(pipe: Path) -> BinaryIO:
    """A named pipe opened for reading, once some process writes to it; ten seconds without one are an error."""
    import select

    descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    if not poll.poll(_WAIT_FOR_WRITER * 1000) and not _has_writer(descriptor):
        os.close(descriptor)
        raise InputError.unreadable(
            str(pipe), "nobody writes to this pipe", "start the program that writes to it first"
        )
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "rb")


def _has_writer(descriptor: int) -> bool:
    """Whether an empty pipe is open for writing: reading would have to wait, and is not simply at an end."""
    try:
        os.read(descriptor, 1)
    except BlockingIOError:
        return True
    return False
