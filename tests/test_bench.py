"""The benchmark: its tables are what its results say, all sides of every workload answer the same, and a wrong one stops it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The table's module; run, workloads and tools can be imported beside it."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    import table

    return table


def group(rows: int, cpu: float, run: str = "first", **more: Any) -> dict[str, Any]:
    """A group of three sides in one way: ours, one that takes twice as long, and the floor, a tenth of ours."""
    figures = [
        {"side": side, "way": "in process", "wall": cpu * part, "wall_min": cpu * part, "cpu": cpu * part, "peak_mb": 9}
        for side, part in (("userops", 1.0), ("DuckDB", 2.0), ("scan floor", 0.1))
    ]
    said = {
        "workload": "funnel",
        "rows": rows,
        "run": run,
        "machine": "here",
        "load": 0.1,
        "runs": 3,
        "figures": figures,
    }
    return said | more


def test_the_tables_are_those_of_the_results(bench: ModuleType) -> None:
    """``python bench/table.py`` writes them."""
    for path, text in bench.documents(bench.load()).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is not as results.json has it"


def test_a_ratio_is_ours_to_theirs_and_the_floor_is_one(bench: ModuleType) -> None:
    ours, theirs, floor = group(1_000, 1.0)["figures"]
    told = [bench.ratio(group(1_000, 1.0), figures) for figures in (ours, theirs, floor)]
    assert told == [None, 0.5, None]
    assert [bench.floors(group(1_000, 1.0), figures) for figures in (ours, theirs, floor)] == [10, 20, 1]


def test_an_exponent_is_told_from_the_next_smaller_size(bench: ModuleType) -> None:
    groups = [group(10, 1.0), group(1_000, 3.0), group(100_000, 300.0, "second")]
    told = [bench.exponent(each, each["figures"][0], groups) for each in groups]
    assert told[0] is None
    assert told[1] == (pytest.approx(0.2386, abs=1e-4), True)
    assert told[2] == (pytest.approx(1.0), False)  # tenfold twice, and of two runs


def test_a_later_run_replaces_whole_groups(bench: ModuleType, tmp_path: Path) -> None:
    kept = tmp_path / "results.json"
    for each in (group(1_000, 1.0), group(100, 1.0), group(1_000, 2.0, figures=[]), group(1, 1.0, workload="no more")):
        bench.save(each, kept)
    assert [(each["rows"], len(each["figures"])) for each in bench.load(kept)] == [(100, 3), (1_000, 0)]


def test_sides_agree_in_all_that_both_tell(bench: ModuleType) -> None:
    import workloads

    (rfm,) = workloads.find("rfm")
    assert rfm.same({"tiers": [1], "gaps": [17, 47]}, {"tiers": [1]})
    assert rfm.same({"tiers": [1], "gaps": [17, 47]}, {"tiers": [1], "gaps": [17, 48]})
    assert not rfm.same({"tiers": [1], "gaps": [17, 47]}, {"tiers": [1], "gaps": [17, 49]})
    assert not rfm.same({"tiers": [1]}, {"tiers": [2]})
    assert not rfm.same({"tiers": [1]}, {"gaps": [17, 47]})  # that says nothing


@pytest.mark.parametrize(("text", "rows"), [("7", 7), ("20k", 20_000), ("1500k", 1_500_000), ("10M", 10_000_000)])
def test_sizes_are_read_as_they_are_written(bench: ModuleType, text: str, rows: int) -> None:
    assert bench.count(text) == rows
    assert bench.named(rows) == text


@pytest.mark.slow
def test_every_side_agrees(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    kept = tmp_path / "results.json"
    arguments = ["--rows", "20k", "--runs", "1", "--data", str(tmp_path), "--save", str(kept)]
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "run.py"), *arguments],
        check=False,
        env=os.environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    groups = {each["workload"]: each for each in json.loads(kept.read_text())}
    assert {"rfm", "funnel", "ltv", "userops --help"} <= groups.keys()
    for each in groups.values():
        assert {"userops"} < {figures["side"] for figures in each["figures"]}
        assert all(figures["wall"] > 0 for figures in each["figures"])


@pytest.mark.slow
def test_the_stages_are_told(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    program = [
        sys.executable,
        str(ROOT / "bench" / "stages.py"),
        "--rows",
        "10k",
        "--runs",
        "1",
        "--data",
        str(tmp_path),
    ]
    told = subprocess.run(program, check=True, capture_output=True, text=True).stdout.splitlines()
    lines = {line.split("|")[1].strip(): line for line in told if line.count("|") == 11}
    assert lines.keys() == {"rfm", "cohorts of orders", "activity", "funnel", "paths"}


@pytest.mark.slow
def test_a_wrong_answer_stops_it(bench: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    from dataclasses import replace

    import run
    import workloads

    (workload,) = workloads.find("csv scan")
    ours, duckdb, _ = workload.sides
    wrong = replace(duckdb, read=lambda told: {"row": [told[0][0][1:]]})
    file = run.generated(10_000, "csv", str(tmp_path))
    with pytest.raises(SystemExit, match=r"DuckDB .* answers otherwise"):
        run.measure(replace(workload, sides=(ours, wrong)), file, 10_000, runs=1, threads=1)


@pytest.mark.slow
def test_the_future_of_cdnow_is_told_as_written(shared: Path) -> None:
    """Each line of bench/README.md's table of the sample; models of the same name tell the same."""
    pytest.importorskip("lifetimes")
    arguments = [sys.executable, str(ROOT / "bench" / "ltv.py"), str(shared / "data/orders/cdnow_sample.csv")]
    told = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.splitlines()
    written = (ROOT / "bench" / "README.md").read_text(encoding="utf-8").splitlines()
    lines = {line.split("|")[1].strip(): line for line in told if line.count("|") == 7}
    assert {"userops auto (bg-nbd)", "lifetimes ParetoNBD", "naive: the same rate"} < lines.keys()
    assert [
        line for name, line in lines.items() if name not in {"", "---", "userops bg-nbd"} and line not in written
    ] == []
    assert lines["userops bg-nbd"].split("|")[2:] == lines["lifetimes BetaGeo"].split("|")[2:]
