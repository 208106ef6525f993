"""A file is whole or untouched: what a disk, a permission, a signal and a neighbour can do about it."""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from userops.errors import OutputError
from userops.outputs import saving
from userops.outputs.saving import SUFFIX, is_stream, watch, write_atomically

OLD, NEW = b"old\n" * 1000, b"new\n" * 2000


def new(handle) -> None:
    handle.write(NEW)


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "tiers.csv"
    path.write_bytes(OLD)
    return path


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(SUFFIX)]


def test_the_new_content_is_there_and_nothing_else(target):
    write_atomically(target, new)
    assert target.read_bytes() == NEW
    assert os.listdir(target.parent) == ["tiers.csv"]


def test_a_new_file_follows_the_umask_or_is_private(tmp_path):
    old = os.umask(0o027)
    try:
        write_atomically(tmp_path / "report", new)
        write_atomically(tmp_path / "users", new, private=True)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "users").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
def test_a_replaced_file_keeps_its_mode(target, mode):
    target.chmod(mode)
    write_atomically(target, new, private=True)
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_an_unfinished_file_is_never_readable_by_others_when_private(tmp_path):
    modes = []
    watch(lambda path: None)
    try:
        write_atomically(tmp_path / "x", lambda handle: modes.append(os.fstat(handle.fileno()).st_mode), private=True)
    finally:
        watch(None)
    assert stat.S_IMODE(modes[0]) == 0o600


def test_a_link_stays_and_what_it_leads_to_is_replaced(target, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = folder / "latest.csv"
    link.symlink_to("../tiers.csv")
    write_atomically(link, new)
    assert link.is_symlink()
    assert target.read_bytes() == NEW
    dangling = folder / "next.csv"
    dangling.symlink_to("../next.csv")
    write_atomically(dangling, new)
    assert (tmp_path / "next.csv").read_bytes() == NEW
    assert not left_behind(tmp_path) + left_behind(folder)


@pytest.mark.parametrize("name", ["用" * 80 + ".csv", "n" * 251 + ".csv", "with space'\".csv", "-.csv"])
def test_long_and_odd_names(tmp_path, name):
    write_atomically(tmp_path / name, new)
    assert (tmp_path / name).read_bytes() == NEW


# --- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "reason", "hint"),
    [
        ("absent/tiers.csv", "no such file or directory", "mkdir -p"),
        (".", "is a directory", "name a file in it"),
        ("tiers.csv/x.csv", "not a directory", "a part of the path is a file"),
        ("n" * 300, "file name too long", "shorter"),
    ],
)
def test_a_place_that_takes_nothing_is_one_clear_line(target, monkeypatch, path, reason, hint):
    monkeypatch.chdir(target.parent)
    with pytest.raises(OutputError, match=f"cannot write .*: {reason}") as refusal:
        write_atomically(path, new)
    assert hint in (refusal.value.hint or "")
    assert "\n" not in refusal.value.message
    assert target.read_bytes() == OLD
    assert not left_behind(target.parent)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_folder_that_may_not_be_written(target, monkeypatch, code):
    """By hand: modes do not bind the superuser, who may be running this."""

    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(saving.os, "open", refuse)
    with pytest.raises(OutputError, match=r"permission|read-only") as refusal:
        write_atomically(target, new)
    assert "may write" in (refusal.value.hint or "")
    assert target.read_bytes() == OLD


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_file_is_not_replaced(target):
    target.chmod(0o444)
    with pytest.raises(OutputError, match="permission denied"):
        write_atomically(target, new)
    assert target.read_bytes() == OLD


@pytest.mark.parametrize("call", ["replace", "fsync", "fchmod"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_failing_disk_leaves_the_old_file(target, monkeypatch, call, code):
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(saving.os, call, fail)
    with pytest.raises(OutputError, match="cannot write"):
        write_atomically(target, new)
    assert target.read_bytes() == OLD
    assert not left_behind(target.parent)


def test_a_folder_that_cannot_be_synced_is_no_failure(target, monkeypatch):
    real = os.fsync

    def only_files(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not here")
        real(handle)

    monkeypatch.setattr(saving.os, "fsync", only_files)
    write_atomically(target, new)
    assert target.read_bytes() == NEW


@pytest.mark.skipif(sys.platform == "win32", reason="needs file size limits")
def test_a_limit_on_file_size_leaves_the_old_file(target):
    program = (
        "import resource, signal, sys; from userops.outputs.saving import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "write_atomically(sys.argv[1], lambda to: to.write(b'x' * 1_000_000))"
    )
    done = subprocess.run([sys.executable, "-c", program, target], capture_output=True, text=True, check=False)
    assert "OutputError" in done.stderr
    assert "file too large" in done.stderr
    assert target.read_bytes() == OLD
    assert not left_behind(target.parent)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, SystemExit, ValueError, MemoryError])
def test_what_stops_the_writer_comes_out_and_leaves_the_old_file(target, failure):
    def stopped(handle) -> None:
        handle.write(NEW)
        raise failure

    with pytest.raises(failure):
        write_atomically(target, stopped)
    assert target.read_bytes() == OLD
    assert not left_behind(target.parent)


# --- streams ----------------------------------------------------------------------------------------------------


def test_devices_and_pipes_are_written_through_and_stay(tmp_path):
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    write_atomically(fifo, new)
    reader.join(10)
    assert read == [NEW]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    write_atomically("/dev/null", new)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert is_stream("/dev/stdout")
    assert not is_stream(tmp_path)
    assert not is_stream(tmp_path / "absent")


def test_a_reader_that_went_away_is_a_broken_pipe(tmp_path):
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    threading.Thread(target=lambda: open(fifo, "rb").close()).start()

    def patient(handle) -> None:
        time.sleep(0.2)
        handle.write(b"x" * 1_000_000)

    with pytest.raises(BrokenPipeError):
        write_atomically(fifo, patient)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_device_is_one_clear_line():
    with pytest.raises(OutputError, match="cannot write /dev/full: no space left on device"):
        write_atomically("/dev/full", new)
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_own_stdout_is_appended_to_not_replaced(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"before\n")
    program = (
        "from userops.outputs.saving import write_atomically\n"
        "write_atomically('/dev/stdout', lambda to: to.write(b'now\\n'))"
    )
    with log.open("ab") as to:
        subprocess.run([sys.executable, "-c", program], stdout=to, check=True)
    assert log.read_bytes() == b"before\nnow\n"


# --- dead runs and neighbours -----------------------------------------------------------------------------------


def test_the_next_run_removes_what_dead_runs_left_a_day_ago(target):
    day_old = time.time() - saving.STALE_SECONDS - 60
    names = {
        f".tiers.csv.{'0' * 16}{SUFFIX}": day_old,  # ours and old: goes
        f".tiers.csv.{'1' * 16}{SUFFIX}": time.time(),  # perhaps of a run that is still writing
        f".tiers.csv.gz.{'2' * 16}{SUFFIX}": day_old,  # of another target
        f".tiers.csv.notes{SUFFIX}": day_old,  # not ours
    }
    for name, age in names.items():
        (target.parent / name).write_bytes(b"half")
        os.utime(target.parent / name, (age, age))
    write_atomically(target, new)
    assert sorted(os.listdir(target.parent)) == sorted([*list(names)[1:], "tiers.csv"])


def test_a_guardian_is_told_of_the_unfinished_file_before_it_exists(target):
    told: list[tuple[Path, bool]] = []
    watch(lambda path: told.append((path, path.exists())))
    try:
        write_atomically(target, new)
    finally:
        watch(None)
    (path, existed), *others = told
    assert not existed
    assert not others
    assert path.parent == target.parent
    assert path.name.startswith(".tiers.csv.")
    assert path.name.endswith(SUFFIX)


def test_two_runs_at_once_never_mix(target):
    contents = [bytes([65 + number]) * 200_000 for number in range(6)]

    def slowly(content: bytes):
        def write(handle) -> None:
            for start in range(0, len(content), 20_000):
                handle.write(content[start : start + 20_000])
                handle.flush()

        return write

    threads = [threading.Thread(target=write_atomically, args=(target, slowly(content))) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert target.read_bytes() in [OLD, *contents]
    assert target.read_bytes() in contents
    assert not left_behind(target.parent)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill")
def test_a_run_killed_at_any_moment_leaves_the_old_file_or_the_new(target):
    program = (
        "import sys; from userops.outputs.saving import write_atomically\n"
        "def write(to):\n    [to.write(b'new\\n' * 20) for _ in range(100)]\n"
        "print('ready', flush=True)\n"
        "while True: write_atomically(sys.argv[1], write)"
    )
    random.seed(7)
    for _ in range(12):
        target.write_bytes(OLD)
        with subprocess.Popen([sys.executable, "-c", program, target], stdout=subprocess.PIPE) as run:
            assert run.stdout is not None
            run.stdout.readline()
            time.sleep(random.uniform(0, 0.03))
            run.kill()
        assert target.read_bytes() in (OLD, NEW)
    assert all(name.startswith(".tiers.csv.") for name in left_behind(target.parent))
