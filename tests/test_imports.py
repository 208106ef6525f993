"""What is loaded when: help and completion start at once, an analysis loads Polars and nothing else that is heavy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"polars", "pyarrow", "numpy", "scipy", "sklearn", "pandas", "fastexcel"}
FRAMEWORKS = {"typer", "pydantic", "rich"}

LOOK = """
import sys
from userops import cli
for line in sys.argv[1:]:
    try:
        cli.run(line.split())
    except SystemExit:  # how completion ends
        pass
print(*sys.modules, file=sys.stderr)
"""


def loaded(code: str, *arguments: str, **environment: str) -> set[str]:
    """The modules that are loaded once ``code`` has run."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=True)
    return set(done.stderr.split())


def test_help_loads_nothing_heavy() -> None:
    modules = loaded(LOOK, "--help", "rfm --help", "inspect -h", "demo --help", "config --help", "config show --help")
    assert modules & (HEAVY | FRAMEWORKS) == {"typer"}


def test_topics_load_nothing_heavy() -> None:
    assert not loaded(LOOK, "--version", "help", "help formats", "help exit-codes", "help environment") & HEAVY


@pytest.mark.parametrize("words", ["userops r", "userops rfm --format "])
def test_completion_loads_nothing_heavy(words: str) -> None:
    cursor = str(len(words.split(" ")) - 1)
    modules = loaded(LOOK, "", _USEROPS_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=cursor)
    assert "typer" in modules
    assert not modules & HEAVY


def test_version_alone_loads_no_typer() -> None:
    code = "import sys, userops.__main__ as m; m._run(['--version']); print(*sys.modules, file=sys.stderr)"
    assert not loaded(code) & (HEAVY | FRAMEWORKS)


def test_rfm_on_parquet_loads_polars_alone(shop: Path, tmp_path: Path) -> None:
    suffixes = ("csv", "txt", "json", "ndjson", "parquet", "arrow", "md", "html")
    runs = [f"rfm {shop / 'orders.parquet'} -q --per-user -o {tmp_path / 'out'}.{suffix}" for suffix in suffixes]
    assert loaded(LOOK, *runs) & HEAVY == {"polars"}
    assert len(list(tmp_path.iterdir())) == len(suffixes)


def test_the_package_itself_is_light() -> None:
    assert not loaded("import sys, userops; print(*sys.modules, file=sys.stderr)") & (HEAVY | FRAMEWORKS)
