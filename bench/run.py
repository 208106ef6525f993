"""Measure userops against other tools: sides in turn (A B A B), each answer checked first, medians out.

    python bench/run.py [--rows 1M,10M] [--runs 3] [--only NAME]... [--threads 2] [--save [FILE]]

Ratios are ours / theirs: below 1 we are faster. Only figures of one group, a workload at one size, may be compared.
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
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol, Self

import table
from workloads import INSIDE, OURS, WAYS, WORKLOADS, Side, Workload, find

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src")]

# A child's peak never reads lower than its parent's, so data is made elsewhere and nothing is computed in this process.


class Runner(Protocol):
    """One side in one way, ready to run: figures of one run and the answer, as JSON has it."""

    def run(self) -> dict[str, Any]: ...


class Process:
    """A whole process, timed from start to exit."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.arguments, self.environment = arguments, environment

    def run(self) -> dict[str, Any]:
        with tempfile.TemporaryFile("w+") as out:
            clock = time.perf_counter()
            child = subprocess.Popen(self.arguments, stdout=out, env=self.environment)
            _, status, used = os.wait4(child.pid, 0)
            wall = time.perf_counter() - clock
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode:
                raise SystemExit(f"{self.arguments} ended with {child.returncode}")
            out.seek(0)
            text = out.read()
        answer = json.loads(text) if text.startswith(("{", "[")) else None
        return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024, "answer": answer}


class Worker:
    """A process that stays alive, so that imports are not counted; its peak is that of all its runs."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
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


def measure(workload: Workload, file: str, rows: int, runs: int, threads: int) -> list[dict[str, Any]]:
    """Figures per way and side, ours first, after one warm-up in which all answers were equal."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # as installed
    environment = kept | {
        "POLARS_MAX_THREADS": str(threads),
        "PYTHONPATH": os.pathsep.join([str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    }
    sides = [side for side in workload.sides if rows <= side.up_to]
    turns = [(side, way) for way in WAYS for side in sides if way in side.commands]
    with ExitStack() as stack:
        runners: list[Runner] = []
        for side, way in turns:
            arguments = side.commands[way](file, threads)
            runner = Worker(arguments, environment) if way == INSIDE else Process(arguments, environment)
            runners.append(stack.enter_context(runner) if isinstance(runner, Worker) else runner)
        check(
            workload, [(side, way, runner.run()["answer"]) for (side, way), runner in zip(turns, runners, strict=True)]
        )
        taken = [[runner.run() for runner in runners] for _ in range(runs)]
    return [{"side": side.name, "way": way} | _figures([t[i] for t in taken]) for i, (side, way) in enumerate(turns)]


def check(workload: Workload, told: list[tuple[Side, str, Any]]) -> None:
    """Stop where an answer differs from the first, which is ours."""
    answers = [(f"{side.name} ({way})", side.read(answer)) for side, way, answer in told if side.read]
    for name, answer in answers[1:]:
        if not workload.same(answers[0][1], answer):
            raise SystemExit(f"{workload.name}: {name} answers otherwise\n{OURS}: {answers[0][1]}\n{name}: {answer}")


def _figures(runs: list[dict[str, Any]]) -> dict[str, float]:
    return {
        "wall": round(statistics.median(run["wall"] for run in runs), 4),
        "wall_min": round(min(run["wall"] for run in runs), 4),
        "cpu": round(statistics.median(run["cpu"] for run in runs), 4),
        "peak_mb": round(max(run["peak_mb"] for run in runs)),
    }


def machine(threads: int) -> str:
    """Where and with what this is measured."""
    packages = [f"{name} {found}" for name in ("polars", "duckdb", "chdb", "lifetimes") if (found := _version(name))]
    return f"Python {platform.python_version()}, {', '.join(packages)}; {os.cpu_count()} cores, {threads} threads"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def generated(rows: int, form: str, folder: str) -> str:
    """The path of the data, made by another process when it is not there."""
    arguments = [sys.executable, str(HERE / "data.py"), str(rows), form, folder]
    return subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default="1M,10M", help="how many orders or events, such as 1M,10M,50M")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", action="append", help="a workload, or the beginning of its name (repeatable)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--data", default=str(Path(tempfile.gettempdir()) / "userops-bench"), help="folder for generated data"
    )
    parser.add_argument("--save", type=Path, nargs="?", const=table.RESULTS, help="keep the groups in results.json")
    options = parser.parse_args(arguments)
    known = ", ".join(workload.name for workload in WORKLOADS)
    found = [
        find(name) or parser.error(f"no workload is called {name!r}; known: {known}") for name in options.only or [""]
    ]
    chosen = [workload for each in found for workload in each]
    where, begun = machine(options.threads), time.strftime("%Y-%m-%dT%H:%M:%S")
    sizes = [table.count(size) for size in options.rows.split(",")]
    print(where, table.as_line(table.HEAD), sep="\n")
    for rows in sizes:
        for workload in chosen:
            if not workload.form and rows != sizes[0]:
                continue
            file = generated(rows, workload.form, options.data) if workload.form else ""
            load = os.getloadavg()[0]
            figures = measure(workload, file, rows, options.runs, options.threads)
            group = {
                "workload": workload.name,
                "rows": rows if workload.form else 0,
                "run": begun,
                "machine": where,
                "load": round(max(load, os.getloadavg()[0]), 1),
                "runs": options.runs,
                "figures": figures,
            }
            print(f"{workload.name}: {workload.title}", *table.lines(group), sep="\n", flush=True)
            if options.save:
                table.save(group, options.save)


if __name__ == "__main__":
    main()
