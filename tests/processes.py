"""``userops`` as its users meet it: a real process, with limits set and everything it leaves behind at hand."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

GB = 1 << 30
NATIVE = re.compile(r"Traceback|panicked|RUST_BACKTRACE|memory allocation|stack backtrace|core dumped|Segmentation")
"""What only a program that lost control would say."""

_LIMITED = """
import os, resource, sys
for limit, value in ((resource.RLIMIT_AS, sys.argv[1]), (resource.RLIMIT_FSIZE, sys.argv[2])):
    if value != "none":
        resource.setrlimit(limit, (int(value), int(value)))
os.execv(sys.executable, [sys.executable, "-m", "userops", *sys.argv[3:]])
"""
"""Sets limits, then becomes the program."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended; ``code`` is negative for a signal, None when time ran out."""

    code: int | None
    out: bytes
    err: str
    seconds: float


def command(*arguments: str | Path, memory: int = 8 * GB, largest_file: int | None = None) -> list[str]:
    """The command line of a run under limits, in bytes."""
    limits = [str(memory), "none" if largest_file is None else str(largest_file)]
    return [sys.executable, "-ISc", _LIMITED, *limits, *map(str, arguments)]


def environment(temporary: Path, **more: str) -> dict[str, str]:
    """The environment of a run whose temporary files are to be looked at."""
    return os.environ | {"TMPDIR": str(temporary), "PYTHONWARNINGS": "ignore"} | more


def started(
    arguments: Sequence[str | Path],
    temporary: Path,
    *,
    stdin: int | BinaryIO = subprocess.DEVNULL,
    stdout: int | BinaryIO = subprocess.PIPE,
    **limits: int,
) -> subprocess.Popen[bytes]:
    """A run under way, in a session of its own."""
    return subprocess.Popen(
        command(*arguments, **limits),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment(temporary),
        start_new_session=True,
    )


def ended(process: subprocess.Popen[bytes], timeout: float = 20) -> Ended:
    """A run that was waited for; one that takes longer than ``timeout`` seconds is killed, children and all."""
    since = time.monotonic()
    try:
        out, err = process.communicate(timeout=timeout)
        code: int | None = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        code = None
    return Ended(code, out, err.decode(errors="replace"), time.monotonic() - since)


def userops(
    *arguments: str | Path, temporary: Path, data: bytes | None = None, timeout: float = 20, **limits: int
) -> Ended:
    """One run from start to end."""
    if data is None:
        return ended(started(arguments, temporary, **limits), timeout)
    process = started(arguments, temporary, stdin=subprocess.PIPE, **limits)
    since = time.monotonic()
    out, err = process.communicate(data, timeout)
    return Ended(process.returncode, out, err.decode(errors="replace"), time.monotonic() - since)


def complaints(run: Ended, temporary: Path, *, codes: Sequence[int] = (0, 2, 3)) -> list[str]:
    """What is wrong with the way a run ended; nothing, when it kept its promises."""
    found = []
    if run.code is None:
        found.append("ran out of time")
    elif run.code not in codes:
        found.append(f"exit code {run.code}")
    if NATIVE.search(run.err):
        found.append("lost control")
    if strange := [line for line in run.err.splitlines() if not line.startswith(("userops: ", "  hint: "))]:
        found.append(f"strange on stderr: {strange[0][:200]!r}")
    if run.code == 0 and not run.out:
        found.append("success without a word")
    if run.code in (2, 3) and run.out:
        found.append("failure with output")
    if run.code in (2, 3) and run.err.count("userops: error: ") != 1:
        found.append("not one error")
    if any(not c.isprintable() for c in run.err.replace("\n", "") + run.out.decode(errors="replace").replace("\n", "")):
        found.append("control characters")
    if left := leavings(temporary):
        found.append(f"left behind: {left}")
    return found


def leavings(*folders: Path) -> list[str]:
    """Temporary files of ours in folders."""
    return [
        str(path)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.name.endswith(".userops-tmp") or path.name.startswith("userops-")
    ]


def told(run: Ended) -> dict[str, str]:
    """The one error of a run with ``--log-format json``: its code, message and hint."""
    entries = [json.loads(line) for line in run.err.splitlines()]
    (error,) = [entry for entry in entries if entry["level"] == "error"]
    return error
