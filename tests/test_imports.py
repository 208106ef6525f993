"""What is loaded when: help and completion start at once, an analysis loads Polars and nothing else that is heavy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"polars", "pyarrow", "numpy", "scipy", "sklearn", "pandas", "fastexcel"}

LOOK = """
import sys
from userops import cli
try:
    cli.run(sys.argv[1:])
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""


def loaded(code: str, *arguments: str | Path, **environment: str) -> set[str]:
    """The modules that are loaded once ``code`` has run."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("page", ["--help", "--version", "rfm --help", "inspect -h", "demo --help", "config show --help", "help formats"])
def test_help_loads_nothing_heavy(page: str) -> None:
    modules = loaded(LOOK, *page.split())
    assert "typer" in modules
    assert not modules & (HEAVY | ({"pydantic", "rich"} if "--help" in page or "-h" in page else set()))


@pytest.mark.parametrize("words", ["userops r", "userops rfm --se", "userops rfm --format ", "userops config "])
def test_completion_loads_nothing_heavy(words: str) -> None:
    cursor = str(len(words.split(" ")) - 1)
    modules = loaded(LOOK, _USEROPS_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=cursor)
    assert "typer" in modules
    assert not modules & HEAVY


def test_version_alone_loads_no_typer() -> None:
    code = "import sys, userops.__main__ as m; m._run(['--version']); print(*sys.modules, file=sys.stderr)"
    assert not loaded(code) & (HEAVY | {"typer", "pydantic", "rich"})


@pytest.mark.parametrize("form", ["table", "json", "csv", "parquet", "html"])
def test_rfm_loads_polars_alone(form: str, shop: Path, tmp_path: Path) -> None:
    modules = loaded(LOOK, "rfm", shop / "orders.parquet", "-q", "-f", form, "-o", tmp_path / "out")
    assert modules & HEAVY == {"polars"}


def test_clustering_is_what_loads_scikit_learn(shop: Path, tmp_path: Path) -> None:
    modules = loaded(LOOK, "rfm", shop / "orders.parquet", "-q", "--segments", "kmeans:3", "-o", tmp_path / "out.csv")
    assert "sklearn" in modules


def test_the_package_itself_is_light() -> None:
    code = "import sys, userops; print(*sys.modules, file=sys.stderr)"
    assert not loaded(code) & (HEAVY | {"typer", "pydantic", "rich"})
