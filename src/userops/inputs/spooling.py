"""Temporary files that go away by themselves, and streams laid down in them.

What cannot be read twice (standard input, a pipe) is written to a temporary file first, because recognising a file
means reading its beginning before all of it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from userops.collecting import guarded
from userops.errors import InputError

BLOCK = 1 << 20
_WAIT_FOR_WRITER = 10.0


class Scratch:
    """The temporary files of one run: a folder made when first needed, removed on leaving the block."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._count = 0

    def path(self, suffix: str = "") -> Path:
        """A fresh path (no file yet), ending in ``suffix``."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="userops-"))
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
    """Standard input as a file."""
    return _spooled(sys.stdin.buffer, "stdin", scratch)


def spooled_stream(path: Path, scratch: Scratch) -> Path:
    """A pipe or device as a file. Raises InputError when nobody writes to the pipe, or when it has no end in sight."""
    with guarded(str(path)):
        if path.is_fifo():
            _await_writer(path)
        with path.open("rb") as stream:
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


def _await_writer(path: Path) -> None:
    """Return once some process has the pipe open for writing; give up after ten seconds without one."""
    deadline = time.monotonic() + _WAIT_FOR_WRITER
    while time.monotonic() < deadline:
        if _has_writer(path):
            return
        time.sleep(0.05)
    raise InputError.unreadable(str(path), "nobody writes to this pipe", "start the program that writes to it first")


def _has_writer(path: Path) -> bool:
    if not Path("/proc/self/fd").exists():  # only Linux tells without consuming anything
        return True
    import select

    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN | select.POLLHUP)
        return bool(poll.poll(50))
    finally:
        os.close(descriptor)
