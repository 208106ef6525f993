"""The benchmark runs, and both sides of every workload of orders give the same answers (it stops where they do not)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytest.importorskip("duckdb")


@pytest.mark.slow
def test_every_side_agrees(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    arguments = ["--rows", "10k", "--runs", "1", "--data", str(tmp_path), "--json", str(figures)]
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "run.py"), *arguments],
        check=False,
        env=os.environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(figures.read_text())["rows"]
    assert {row["side"] for row in rows if row["workload"] == "rfm tiers"} == {"userops", "DuckDB"}
    assert all(row["wall"] > 0 and row["ratio"] > 0 for row in rows)


@pytest.mark.slow
def test_a_wrong_answer_stops_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    from dataclasses import replace

    import run
    import workloads

    (workload,) = workloads.find("csv scan")
    file = run.generated(10_000, "csv", str(tmp_path))
    with pytest.raises(SystemExit, match="answers otherwise"):
        run.measure(replace(workload, same=lambda ours, theirs: ours[0] == theirs[0] + 1), file, runs=1, threads=1)


@pytest.mark.slow
def test_models_beside_lifetimes() -> None:
    """Both fit the same parameters (it stops where they do not), and the table is told."""
    pytest.importorskip("lifetimes")
    program = str(ROOT / "bench" / "ltv.py")
    done = subprocess.run(
        [sys.executable, program, "--customers", "2357", "--runs", "1"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "| 2,357 |" in done.stdout
