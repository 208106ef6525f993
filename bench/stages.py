"""Where the time of an analysis goes, stage upon stage, beside what its goal allows.

    python bench/stages.py [--rows 10M] [--runs 5] [--save]

Each stage holds those before it: the columns decoded; every row judged, whether it counts and why not; the account taken
of all rows, by hour and reason; the analysis's own scan in passing; the whole. A goal is a share of the time of DuckDB's
SQL. ``--save`` writes the table into README.md.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]
os.environ.setdefault("POLARS_MAX_THREADS", "2")

import sql  # noqa: E402
from run import generated, machine  # noqa: E402
from table import count, named  # noqa: E402

STAGES = ("decode", "judge", "account", "scan", "whole")
BLOCK = re.compile(r"(?<=<!-- stages -->\n).*?(?=<!-- /stages -->)", re.DOTALL)

Run = Callable[[], Any]
"""What is timed."""


Step = tuple[str, float, str, str, tuple[Run, ...]]
"""A workload: its name, its goal, the SQL the goal is a share of, the file, and its stages."""


def workloads(orders: Any, events: Any) -> list[Step]:
    """The workloads that have a goal, from orders and events as userops has opened them."""
    import polars as pl

    from userops import account, activity, frames, funnel, paths, retention, rfm, tables
    from userops.funnel_rules import Settings, decide
    from userops.funnel_scan import Scan

    def step(
        name: str, goal: float, query: str, table: Any, scan: Callable[[pl.LazyFrame], pl.LazyFrame], whole: Run
    ) -> Step:
        file = table.sources[0].name
        columns = ["user_id", table.time, "event" if table is events else "amount"]
        account_of = account.reduce(table).of

        def decoded(rows: pl.LazyFrame, columns: list[str]) -> pl.LazyFrame:
            schema = rows.collect_schema()
            found = {name: pl.col(name) for name in columns}
            return rows.select(x.str.len_bytes().sum() if schema[n] == pl.String else x.max() for n, x in found.items())

        stages = (
            decoded(pl.scan_parquet(file), columns).collect,
            decoded(table.rows, [*columns, "reject"]).collect,
            account_of(table.rows).collect,
            lambda: pl.collect_all([account_of(table.rows), scan(table.rows)]),
            whole,
        )
        return name, goal, query, file, stages

    steps = {"steps": sql.STEPS, "within": f"{sql.WITHIN_DAYS}d"}
    funnel_scan = Scan(events, decide(Settings(**steps), events))
    hashed = [pl.col("user_id").hash(), pl.col("time"), pl.col("event").hash()]
    return [
        step(
            "rfm", 0.70, sql.TIERS, orders,
            lambda rows: tables.user_summary(tables.order_rows(rows, within=(), lines=False), with_ids=False),
            lambda: rfm.analyse(orders),
        ),
        step(
            "cohorts of orders", 0.45, sql.COHORTS, orders,
            lambda rows: tables.visit_masks(tables.acts(orders, rows), "month", "monday"),
            lambda: retention.analyse(orders, period="month", periods=100),
        ),
        step(
            "activity", 0.85, sql.ACTIVE, events,
            lambda rows: tables.each_visit(tables.acts(events, rows), "day", "monday"),
            lambda: activity.analyse(events),
        ),
        step("funnel", 0.28, sql.FUNNEL, events, funnel_scan.rows, lambda: funnel.analyse(events, **steps)),
        step(
            "paths", 0.40, sql.PATHS, events,
            lambda rows: frames.good(rows).select(hashed),
            lambda: paths.analyse(events),
        ),
    ]  # fmt: skip


def seconds(run: Run, runs: int) -> float:
    """CPU seconds, the median of some runs after one that is not counted."""
    run()
    taken = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_SELF)
        run()
        after = resource.getrusage(resource.RUSAGE_SELF)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(taken)


def table(orders: str, events: str, runs: int) -> list[str]:
    """The lines of the table in Markdown."""
    import duckdb

    from userops.inputs.events import to_events
    from userops.inputs.loading import Scratch, open_tables
    from userops.inputs.mapping import ReadOptions
    from userops.inputs.orders import to_orders

    threads = os.environ["POLARS_MAX_THREADS"]
    duckdb.execute(f"SET threads = {threads}; SET preserve_insertion_order = false; SET enable_progress_bar = false")
    read = [
        door(open_tables([file], scratch=Scratch()), ReadOptions())
        for door, file in ((to_orders, orders), (to_events, events))
    ]
    lines = [
        f"| CPU s | {' | '.join(STAGES)} | DuckDB | of it | goal | goal allows |",
        "| --- " * (len(STAGES) + 5) + "|",
    ]
    for name, goal, query, file, stages in workloads(*read):
        (statement,) = sql.duckdb(query)(file)
        ours = [seconds(stage, runs) for stage in stages]
        theirs = seconds(lambda s=statement: duckdb.execute(s).fetchall(), runs)  # type: ignore[misc] # bound now
        figures = [*ours, theirs, ours[-1] / theirs, goal, goal * theirs]
        lines.append(f"| {name} | {' | '.join(f'{x:.2f}' for x in figures)} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default="10M")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--data", default=str(Path(tempfile.gettempdir()) / "userops-bench"))
    parser.add_argument("--save", action="store_true", help="write the table into README.md")
    options = parser.parse_args()
    rows = count(options.rows)
    where = f"{named(rows)} rows. {machine(int(os.environ['POLARS_MAX_THREADS']))}; {time.strftime('%Y-%m-%d')}."
    print(where)
    files = [generated(rows, form, options.data) for form in ("parquet", "events")]
    block = "\n".join(["", where, "", *table(*files, options.runs), "", ""])
    if options.save:
        path = HERE / "README.md"
        text, n = BLOCK.subn(lambda _: block, path.read_text(encoding="utf-8"))
        assert n == 1, f"{path} has no place for the table"
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
