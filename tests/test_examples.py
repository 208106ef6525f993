"""The examples run as they are, on the simulated shop, without a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import polars as pl
import pytest

from userops import grids

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
LAST_DAY = "2025-12-31"

pytestmark = pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small shop in it, and programs named ``userops`` and ``python3``."""
    folder = tmp_path_factory.mktemp("shop")
    programs = folder / "bin"
    programs.mkdir()
    for name, words in (("userops", "-m userops"), ("python3", "")):
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        script.chmod(0o755)
    run(folder, "userops", "demo", "--out", ".", "--customers", "1000", "-q")
    (folder / "userops.toml").unlink()  # each example brings its own settings
    return folder


def run(folder: Path, *command: str | Path, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    words = [str(folder / "bin" / "userops") if word == "userops" else str(word) for word in command]
    ended = subprocess.run(
        words, capture_output=True, text=True, cwd=folder, env={**os.environ, "PATH": path, **environment}, check=False
    )
    assert ended.returncode == code, ended.stderr
    return ended


def test_every_example_is_listed_and_tested() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    tested = Path(__file__).read_text(encoding="utf-8")
    for example in EXAMPLES.iterdir():
        if example.is_file() and example.name != "README.md":
            assert f"[{example.name}]({example.name})" in listed
            assert example.name in tested


def test_nightly(shop: Path) -> None:
    def night() -> tuple[Path, str]:
        return shop / "out", run(shop, EXAMPLES / "nightly.sh", "orders.parquet", "out", AS_OF=LAST_DAY).stderr

    out, said = night()
    cuts = (out / "cuts.json").read_bytes()
    first = pl.read_parquet(out / "customers.parquet")
    assert "Moved from" not in (out / "tiers.html").read_text(encoding="utf-8")
    assert all(json.loads(line)["level"] in ("note", "warning") for line in said.splitlines())

    night()
    assert (out / "cuts.json").read_bytes() == cuts
    assert pl.read_parquet(out / "customers.parquet").equals(first)
    assert "Moved from" in (out / "tiers.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in out.iterdir()) == ["customers.parquet", "cuts.json", "tiers.html"]


def test_nightly_carries_the_exit_code_through(shop: Path) -> None:
    pl.read_parquet(shop / "orders.parquet").head(50).write_parquet(shop / "few.parquet")
    run(shop, EXAMPLES / "nightly.sh", "few.parquet", "few", code=4, AS_OF=LAST_DAY)
    before = (shop / "few" / "customers.parquet").read_bytes()
    (shop / "few.parquet").write_bytes(b"PAR1 is not enough")
    run(shop, EXAMPLES / "nightly.sh", "few.parquet", "few", code=3, AS_OF=LAST_DAY)
    assert (shop / "few" / "customers.parquet").read_bytes() == before
    run(shop, EXAMPLES / "nightly.sh", "gone.parquet", "few", code=3, AS_OF=LAST_DAY)


def test_pipes(shop: Path) -> None:
    said = run(shop, EXAMPLES / "pipes.sh", "orders.parquet").stdout
    parts = [part.splitlines()[1:] for part in said.split("# ")[1:]]
    customers, rate, tiers, at_risk, kind = parts
    assert customers[0].startswith("user_id,last_order,recency_days")
    assert len(customers) == 4
    assert 0 < float(rate[0]) < 1
    assert [line.split()[1] for line in tiers] == ["高价值用户", "潜力用户", "普通用户", "沉默用户"]
    assert len(at_risk) == 3
    assert kind == ["orders"]


def test_python_api(shop: Path) -> None:
    said = run(shop, sys.executable, EXAMPLES / "python_api.py").stdout
    assert "Champions" in said
    assert "customers changed their segment by doing nothing" in said
    assert "Missed regulars" in said
    assert said.splitlines()[-1].startswith("E_COLUMN_MISSING: no column for amount")


def test_settings(shop: Path) -> None:
    config = EXAMPLES / "userops.toml"
    answer = json.loads(run(shop, "userops", "rfm", "orders.parquet", "--config", config, "--json", "-q").stdout)
    in_force = answer["meta"]["settings"]
    assert answer["meta"]["tz"] == "Asia/Shanghai"
    assert (in_force["segments"], in_force["cn8_threshold"], in_force["where"]) == ("cn8", "median", ["amount >= 0"])
    rows = json.loads(run(shop, "userops", "config", "show", "--config", config, "--json").stdout)["rows"]
    from_file = {(row["command"], row["option"]) for row in rows if row["source"] == str(config)}
    assert {("rfm", "--tz"), ("rfm", "--segments"), ("rfm", "--fail-if"), ("inspect", "--lang")} <= from_file


def test_segments(shop: Path) -> None:
    grid = grids.parse(tomllib.loads((EXAMPLES / "segments.toml").read_text(encoding="utf-8")), "segments.toml")
    command = ("userops", "rfm", "orders.parquet", "--segments", EXAMPLES / "segments.toml")
    rows = json.loads(run(shop, *command, "--json", "-q").stdout)["rows"]
    assert [row["segment"] for row in rows] == [segment.name for segment in grid.segments]
    assert all(row["users"] > 0 for row in rows)
    assert "流失常客" in run(shop, *command, "--lang", "zh", "-q").stdout
