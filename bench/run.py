"""Measure userops against DuckDB: sides in turn (A B A B), each answer checked first, medians and ratios out.

    python bench/run.py [--rows 1M,10M,50M] [--runs 5] [--only NAME] [--threads 2] [--markdown FILE] [--json FILE]

Ratios are ours / theirs, of wall time: below 1 we are faster. Only figures of one run of this program may be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, Self

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

from workloads import WORKLOADS, Side, Workload, find  # noqa: E402

# A child's peak never reads lower than its parent's, so data is made elsewhere and nothing is computed in this process.


class Runner(Protocol):
    """One side, ready to run: figures of one run and the answer."""

    def run(self) -> dict[str, Any]: ...


class Process:
    """A side whose whole process is timed, started afresh each time."""

    def __init__(self, side: Side, file: str, threads: int, environment: dict[str, str]) -> None:
        assert side.command is not None
        self.arguments, self.side, self.environment = side.command(file, threads), side, environment

    def run(self) -> dict[str, Any]:
        with tempfile.TemporaryFile("w+") as out:
            clock = time.perf_counter()
            child = subprocess.Popen(self.arguments, stdout=out, env=self.environment)
            _, status, used = os.wait4(child.pid, 0)
            wall = time.perf_counter() - clock
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode:
                raise SystemExit(f"{self.side.name} ended with {child.returncode}")
            out.seek(0)
            answer = self.side.read(out.read())
        return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024, "answer": answer}


class Worker:
    """A side that is called in a process of its own, which stays alive, so that imports are not counted."""

    def __init__(self, workload: Workload, side: Side, file: str, threads: int, environment: dict[str, str]) -> None:
        arguments = [sys.executable, str(HERE / "workloads.py"), workload.name, side.name, file, str(threads)]
        self.child = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.communicate()

    def run(self) -> dict[str, Any]:
        assert self.child.stdin is not None and self.child.stdout is not None
        print("run", file=self.child.stdin, flush=True)
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit(f"{self.child.args!r} died")
        found: dict[str, Any] = json.loads(line)
        return found


def measure(workload: Workload, file: str, runs: int, threads: int) -> list[dict[str, Any]]:
    """One row of figures per side, ours first, after one warm-up in which all answers were equal."""
    environment = os.environ | {
        "POLARS_MAX_THREADS": str(threads),
        "PYTHONPATH": os.pathsep.join([str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    }
    with ExitStack() as stack:
        sides: list[Runner] = []
        for side in workload.sides:
            if side.call is None:
                sides.append(Process(side, file, threads, environment))
            else:
                sides.append(stack.enter_context(Worker(workload, side, file, threads, environment)))
        ours, *others = [side.run()["answer"] for side in sides]
        for side, answer in zip(workload.sides[1:], others, strict=True):
            if not workload.same(ours, answer):
                raise SystemExit(
                    f"{workload.name}: {side.name} answers otherwise\nuserops: {ours}\n{side.name}: {answer}"
                )
        figures = [[side.run() for side in sides] for _ in range(runs)]
    return [_row(side, [f[i] for f in figures], [f[0] for f in figures]) for i, side in enumerate(workload.sides)]


def _row(side: Side, figures: list[dict[str, Any]], ours: list[dict[str, Any]]) -> dict[str, Any]:
    walls, own = [f["wall"] for f in figures], [f["wall"] for f in ours]
    cpus = [f["cpu"] for f in figures]
    return {
        "side": side.name,
        "wall": statistics.median(walls),
        "wall_min": min(walls),
        "cpu": statistics.median(cpus),
        "peak_mb": max(f["peak_mb"] for f in figures),
        "ratio": statistics.median(own) / statistics.median(walls),
        "ratio_min": min(own) / min(walls),
        "cpu_ratio": statistics.median(f["cpu"] for f in ours) / statistics.median(cpus),
    }


def machine(threads: int) -> str:
    """Where and with what this was measured."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("polars", "duckdb", "pyarrow"))
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    return f"Python {platform.python_version()}, {packages}; {os.cpu_count()} cores, {threads} threads; load {load}"


HEAD = ("workload", "rows", "side", "wall s", "min", "CPU s", "peak MB", "ratio", "of min", "of CPU")


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A row of figures as text; the ratios stand beside the side that ours is divided by."""
    ratios = (
        ("", "", "")
        if row["side"] == "userops"
        else tuple(f"{row[k]:.2f}" for k in ("ratio", "ratio_min", "cpu_ratio"))
    )
    times = tuple(f"{row[k]:.3f}" for k in ("wall", "wall_min", "cpu"))
    return (row["workload"], row["rows"], row["side"], *times, f"{row['peak_mb']:.0f}", *ratios)


def as_markdown(rows: list[dict[str, Any]], where: str) -> str:
    """The table in Markdown, under the line that says where it was measured."""
    lines = [HEAD, tuple("---" for _ in HEAD), *(cells(row) for row in rows)]
    return f"{where}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def count(text: str) -> int:
    """``10M`` as a number."""
    scale = {"k": 1_000, "M": 1_000_000}.get(text[-1], 1)
    return int(text.rstrip("kM")) * scale


def generated(rows: int, form: str, folder: str) -> str:
    """The path of the data, made by another process when it is not there."""
    arguments = [sys.executable, str(HERE / "data.py"), str(rows), form, folder]
    return subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default="1M,10M", help="how many orders, such as 1M,10M,50M")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", help="a workload, or the beginning of its name")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--data", default=str(Path(tempfile.gettempdir()) / "userops-bench"), help="folder for generated data"
    )
    parser.add_argument("--markdown", type=Path, help="write the table to this file as well")
    parser.add_argument("--json", type=Path, help="write all figures to this file as well")
    options = parser.parse_args(arguments)
    chosen = find(options.only) if options.only else list(WORKLOADS)
    if not chosen:
        parser.error(f"no such workload; known: {', '.join(w.name for w in WORKLOADS)}")
    where, rows = machine(options.threads), []
    layout = "{:18} {:>5} {:22} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6} {:>6}".format
    print(where, layout(*HEAD), sep="\n")
    for size in options.rows.split(","):
        for workload in chosen:
            if workload.form is None and size != options.rows.split(",")[0]:
                continue
            file = generated(count(size), workload.form, options.data) if workload.form else ""
            for row in measure(workload, file, options.runs, options.threads):
                rows.append({"workload": workload.name, "rows": size if workload.form else "", **row})
                print(layout(*cells(rows[-1])), flush=True)
    where += f" to {os.getloadavg()[0]:.1f}"
    if options.markdown:
        options.markdown.write_text(as_markdown(rows, where), encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps({"machine": where, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
