"""The command line in a shell: pipes, closed and full streams, colour, quiet. Real processes under ``pipefail``."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")

Userops = Callable[..., Any]

ANSI = re.compile(rb"\x1b\[")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Orders of so many customers that their table fills a pipe several times over."""
    path = tmp_path_factory.mktemp("many") / "many.csv"
    lines = (f"user-{number:05},2026-01-{number % 28 + 1:02},{number % 97}" for number in range(6_000))
    path.write_text("user_id,ordered_at,amount\n" + "\n".join(lines) + "\n")
    return path


def shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A line of bash; ``userops`` is the program under test, and any failure in a pipe counts."""
    start = f'set -o pipefail; userops() {{ {shlex.quote(sys.executable)} -m userops "$@"; }}; '
    return subprocess.run(
        ["bash", "-c", start + line], cwd=folder, env=os.environ | environment, capture_output=True, check=False,
        stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip


def said(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    return done.stderr.decode().splitlines()


# --- in and out -----------------------------------------------------------------------------------------------------


def test_standard_input_is_a_file_like_any_other(shop: Path) -> None:
    plain = shell("userops rfm orders.csv -q --csv", shop)
    assert (plain.returncode, plain.stderr) == (0, b"")
    for line in (
        "cat orders.csv | userops rfm - -q --csv",
        "gzip -c orders.csv | userops rfm -q --csv -o -",
        "USEROPS_FORMAT=csv userops rfm -q < orders.parquet",
        "userops rfm -q --csv <(cat orders.csv)",
    ):
        done = shell(line, shop)
        assert (done.returncode, done.stderr) == (0, b""), line
        assert done.stdout == plain.stdout, line


def test_what_one_writes_another_reads(shop: Path, tmp_path: Path) -> None:
    users = tmp_path / "users.parquet"
    line = f"userops rfm orders.parquet -q --per-user -f parquet | tee {users} | userops inspect -q --json"
    done = shell(line, shop)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["summary"]["rows"] > 100
    again = shell(f"userops rfm orders.csv -q --csv --per-user --only-users {users} | wc -l", shop)
    assert int(again.stdout) == json.loads(done.stdout)["summary"]["rows"] + 1


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
def test_a_reader_that_leaves_early_is_no_error(form: str, many: Path) -> None:
    done = shell(f"userops rfm many.csv -q --per-user -f {form} | head -c 20", many.parent)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout) == 20


def test_nor_is_it_for_what_loads_no_data(shop: Path) -> None:
    done = shell(
        "for of in --help --version 'help formats' 'schema rfm' 'config show'; do userops $of | true || exit 9; done",
        shop,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_file_is_finished_before_a_pipe_breaks(many: Path, tmp_path: Path) -> None:
    out = tmp_path / "users.csv"
    done = shell(f"userops rfm many.csv -q --per-user -o {out} | true", many.parent)
    assert done.returncode == 0
    assert len(out.read_text().splitlines()) == 6_001


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "line", ["rfm orders.csv -q", "rfm orders.csv -q -f parquet", "schema rfm", "--help", "--version"]
)
def test_a_full_disk_is_exit_2_and_one_line(line: str, shop: Path) -> None:
    done = shell(f"userops {line} > /dev/full", shop)
    assert done.returncode == 2
    assert said(done)[0] == "userops: error: cannot write stdout: no space left on device"
    assert len(said(done)) == 2


def test_closed_streams(shop: Path, tmp_path: Path) -> None:
    closed = shell("userops rfm orders.csv -q --csv >&-", shop)
    assert closed.returncode == 2
    assert "cannot write stdout" in said(closed)[0]
    assert "-o FILE" in said(closed)[1]
    unheard = shell("userops rfm orders.csv --csv 2>&-", shop)
    assert unheard.returncode == 0
    assert unheard.stdout.startswith(b"segment,")
    assert shell("userops rfm missing.csv 2>/dev/full", shop).returncode == 3
    assert shell("userops rfm <&-", shop).returncode == 2
    out = tmp_path / "tiers.csv"
    assert shell(f"userops rfm orders.csv -q -o {out} <&- >&- 2>&-", shop).returncode == 0
    assert out.read_text().startswith("segment,")


def test_nothing_to_read_says_so(shop: Path) -> None:
    """Under cron standard input is /dev/null: that is no input, not an empty one."""
    done = shell("userops rfm", shop)
    assert done.returncode == 2
    assert "no file given" in said(done)[0]
    assert shell("true | userops rfm -", shop).returncode == 3


def test_exit_codes_reach_the_shell(shop: Path, tmp_path: Path) -> None:
    line = (
        "userops rfm missing.csv; echo $?; userops rfm --nope; echo $?;"
        f" userops rfm orders.csv -q --fail-if 'users > 1' -o {tmp_path}/tiers.csv || echo $?; userops rfm orders.csv -q -o {tmp_path}/t.html; echo $?"
    )
    assert shell(line, shop).stdout.split() == [b"3", b"2", b"4", b"0"]
    assert (tmp_path / "tiers.csv").exists()


# --- what is said, and where ----------------------------------------------------------------------------------------


def test_quiet_is_silent_and_only_data_is_on_stdout(shop: Path, tmp_path: Path) -> None:
    done = shell(f"userops rfm orders.csv -q -o {tmp_path}/tiers.csv", shop)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    loud = shell("userops rfm orders.csv --json", shop)
    assert loud.returncode == 0
    json.loads(loud.stdout)
    assert all(line.startswith(("userops: note: ", "userops: warning: ")) for line in said(loud))


def test_errors_come_after_the_data(shop: Path) -> None:
    done = shell("userops rfm orders.csv --csv --fail-if 'users > 1' 2>&1", shop)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 4
    assert "--fail-if" in lines[-1]
    assert sum(line.startswith("segment,") for line in lines) == 1


@pytest.mark.parametrize(
    ("options", "environment", "coloured"),
    [
        ([], {"TERM": "xterm-256color", "GITHUB_ACTIONS": "true"}, False),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
        ([], {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ([], {"NO_COLOR": "", "FORCE_COLOR": "1"}, True),  # set but empty is not set
        (["--color=always"], {"NO_COLOR": "1"}, True),
        ([], {"CLICOLOR_FORCE": "1"}, True),
        ([], {"USEROPS_COLOR": "always"}, True),
    ],
)
def test_colour(
    options: list[str],
    environment: dict[str, str],
    coloured: bool,
    shop: Path,
    userops: Userops,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for line in (["rfm", shop / "orders.csv"], ["rfm", "missing.csv"], ["rfm", "--nope"], ["rfm", "x", "-f", "x"]):
        ran = userops(*line, *options)
        for stream in filter(None, (ran.out, ran.err)):
            assert ("\x1b[" in stream) is coloured, (line, stream)
    for form in ("csv", "json", "markdown", "html"):
        assert "\x1b[" not in userops("rfm", shop / "orders.csv", "-q", *options, "-f", form).out


def test_a_pipe_is_not_coloured(shop: Path) -> None:
    done = shell("userops rfm orders.csv", shop, TERM="xterm-256color", COLORTERM="truecolor")
    assert done.returncode == 0
    assert not ANSI.search(done.stdout + done.stderr)


# --- terminals ------------------------------------------------------------------------------------------------------


def on_a_terminal(arguments: list[str], folder: Path, **environment: str) -> tuple[int, bytes]:
    """The exit code, and what a terminal of 80 columns was sent (both streams)."""
    pty = pytest.importorskip("pty")
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "userops", *arguments]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | environment,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    return process.wait(10), shown


def test_no_binary_for_a_terminal(shop: Path) -> None:
    code, shown = on_a_terminal(["rfm", "orders.csv", "-f", "parquet"], shop)
    assert code == 2
    assert b"parquet is not for a terminal" in shown
    assert b"use -o FILE or pipe it" in shown
    assert b"rows read" not in shown  # nothing was read for it


def test_a_terminal_waits_for_no_typing(shop: Path) -> None:
    code, shown = on_a_terminal(["rfm"], shop)
    assert code == 2
    assert b"no file given" in shown


def test_the_format_does_not_depend_on_the_terminal(shop: Path) -> None:
    plain = shell("userops rfm orders.csv -q", shop).stdout.decode()
    code, shown = on_a_terminal(["rfm", "orders.csv", "-q"], shop, TERM="xterm-256color")
    assert code == 0
    assert ANSI.search(shown)
    for word in ("Champions", "Hibernating", "customers"):
        assert word in plain
        assert word.encode() in shown
    code, shown = on_a_terminal(["rfm", "orders.csv", "-q", "--csv"], shop, TERM="xterm-256color")
    assert shown.replace(b"\r\n", b"\n") == shell("userops rfm orders.csv -q --csv", shop).stdout
    assert not ANSI.search(on_a_terminal(["rfm", "orders.csv", "-q"], shop, TERM="xterm", NO_COLOR="1")[1])
