"""The README is true: the output it shows is what the commands print, its Python runs, its commands parse."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
SHOWN = re.compile(
    r"<!-- output: userops (?P<command>[^\n]+?)(?P<part>, first (?P<first>\d+) paragraphs)? -->\n"
    r"```text\n(?P<output>.*?)```\n",
    re.DOTALL,
)
"""A command and its output, or as many of its paragraphs as are shown."""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shop the README makes."""
    folder = tmp_path_factory.mktemp("readme")
    userops(["demo", "--out", "shop"], folder)
    return folder


def userops(arguments: list[str], folder: Path) -> str:
    command = [sys.executable, "-m", "userops", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def shown(match: re.Match[str], folder: Path) -> str:
    """What the README is to show of a command."""
    output = userops(match["command"].split(), folder)
    return output if match["first"] is None else "\n\n".join(output.split("\n\n")[: int(match["first"])]) + "\n"


def test_the_output_shown_is_what_comes_out(workplace: Path) -> None:
    found = list(SHOWN.finditer(TEXT))
    assert found
    if os.environ.get("USEROPS_UPDATE_GOLDEN"):
        fresh = SHOWN.sub(
            lambda m: f"<!-- output: userops {m['command']}{m['part'] or ''} -->\n```text\n{shown(m, workplace)}```\n",
            TEXT,
        )
        README.write_text(fresh, encoding="utf-8")
        return
    for match in found:
        assert shown(match, workplace) == match["output"]


def test_the_python_shown_runs(workplace: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    shown = re.search(r'\{"users": (\d+), "repeat_rate": ([\d.]+)', block)
    assert shown
    check = (
        f"\nassert result.summary['users'] == {shown[1]}\nassert round(result.summary['repeat_rate'], 3) == {shown[2]}"
    )
    subprocess.run([sys.executable, "-c", block + check], cwd=workplace, check=True)


def test_the_two_commands_are_there() -> None:
    """One line each; .ci/run runs the second as it stands."""
    for mark in ("run", "test"):
        (line,) = re.findall(rf"<!-- {mark} -->\n```sh\n(.*?)\n```", TEXT, re.DOTALL)
        assert "\n" not in line
        assert line.startswith("python3 -m venv .venv && ")
