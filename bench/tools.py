"""One run of a tool: an analysis of userops, SQL of DuckDB or ClickHouse, a fit of lifetimes, a bare scan of Polars.

    python bench/tools.py once TOOL ARGUMENT...     print the answer and end: a whole process is timed
    python bench/tools.py serve TOOL ARGUMENT...    a line on stdin is one timed run; its figures and answer go to stdout

A tool takes its arguments, does its imports, and returns what is timed. Answers are JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from sql import STEPS, WITHIN_DAYS

Run = Callable[[], Any]
HORIZON_DAYS = 365


# --- userops ------------------------------------------------------------------------------------------------------


def userops(analysis: str, file: str) -> Run:
    """An analysis as Python calls it, the reading of the file included."""
    from userops import activity, funnel, growth, paths, retention, rfm
    from userops.inputs.events import to_events
    from userops.inputs.loading import Scratch, open_tables
    from userops.inputs.mapping import ReadOptions
    from userops.inputs.orders import to_orders

    read = to_events if "events-" in file else to_orders
    analyses: dict[str, Callable[[Any], Any]] = {
        "activity": activity.analyse,
        "check-up": _check_up,
        "funnel": lambda table: funnel.analyse(table, steps=STEPS, within=f"{WITHIN_DAYS}d"),
        "growth": lambda table: growth.analyse(table, period="week"),
        "ltv": _ltv,
        "monthly cohorts": lambda table: retention.analyse(table, period="month", periods=100),
        "paths": paths.analyse,
        "rfm": rfm.analyse,
        "scan": _columns,
        "weekly cohorts": lambda table: retention.analyse(table, period="week", periods=100),
    }
    analyse = analyses[analysis]
    return lambda: analyse(read(open_tables([file], scratch=Scratch()), ReadOptions()))


def _columns(orders: Any) -> list[Any]:
    """A cheap aggregate of every column of orders."""
    import polars as pl

    sizes = [pl.col(name).str.len_bytes().cast(pl.Int64).sum() for name in ("order_id", "user_id")]
    values = [pl.col("ordered_at").max().dt.to_string("%F %T%.6f"), pl.col("amount").sum()]
    return list(orders.rows.select(*sizes, *values).collect().row(0))


def _check_up(events: Any) -> dict[str, Any]:
    """The event tables of a check-up: names, hours, user-days with events and steps, new users, newcomers who stay."""
    import polars as pl

    from userops.checkup import goals, measures

    business = goals.Business(steps=STEPS, activation_event=STEPS[-1])
    found = measures.measure(measures.Given(events=events), business, measures.Settings())
    assert found.days is not None
    assert found.newcomers is not None
    days = found.days.of(None).filter(pl.col("users") > 0)
    names = sorted(name for name in days.columns if name.startswith("did "))
    newcomers = found.newcomers.of(None).filter(pl.col("newcomers") > 0)
    return {
        "rows": found.books["events"].rows_used,
        "days": days.select("day", "users", *names).rows(),
        "steps": days.select("day", *(f"both {step}" for step in STEPS[1:])).rows(),
        "new": days.filter(pl.col("new") > 0).select("day", "new").rows(),
        "stay": newcomers.select("day", "newcomers", "activated", "d1", "d7", "d30").rows(),
    }


def _ltv(orders: Any) -> dict[str, Any]:
    """BG/NBD and no more: summary of the customers, fit, expected orders."""
    from userops.lifetime_value.customers import Settings, at_end_of, counted
    from userops.lifetime_value.fitting import Groups
    from userops.models.bg_nbd import BgNbd

    settings = Settings(model="bg-nbd", backtest=None)
    found = counted(orders, settings, partitions=1)
    histories = Groups.of(at_end_of(found.users, found.today, ""), settings.unit).histories
    fit = BgNbd.fit(histories)
    expected = fit.model.expected_orders(HORIZON_DAYS, histories) * histories.weight
    return {"parameters": fit.parameters, "expected": float(expected.sum())}


# --- others -------------------------------------------------------------------------------------------------------


def duckdb(threads: str, *statements: str) -> Run:
    """Rows of each statement."""
    import duckdb

    duckdb.execute(f"SET threads = {threads}; SET preserve_insertion_order = false; SET enable_progress_bar = false")
    return lambda: [duckdb.execute(statement).fetchall() for statement in statements]


def chdb(threads: str, *statements: str) -> Run:
    """Rows of each statement, by ClickHouse in this process."""
    import chdb

    settings = {"max_threads": threads, "enable_materialized_cte": 1, "output_format_json_quote_64bit_integers": 0}
    said = ", ".join(f"{name} = {value}" for name, value in settings.items()) + ", session_timezone = 'UTC'"

    def rows(statement: str) -> list[Any]:
        text = str(chdb.query(f"{statement} SETTINGS {said}", "JSONCompactEachRow"))  # type: ignore[no-untyped-call]
        return [json.loads(line) for line in text.splitlines()]

    return lambda: [rows(statement) for statement in statements]


def lifetimes(file: str, *nobody: str) -> Run:
    """BG/NBD by lifetimes as its documentation does it: pandas, its summary of transactions, its fit, expected orders."""
    import pandas as pd
    from lifetimes.utils import summary_data_from_transaction_data as summary

    warnings.simplefilter("ignore")

    def run() -> Any:
        rows = pd.read_parquet(file, columns=["user_id", "ordered_at", "amount"])
        rows = rows[rows.user_id.notna() & ~rows.user_id.isin(nobody)]
        end = rows.ordered_at.max().normalize()
        found = summary(rows[rows.amount >= 0], "user_id", "ordered_at", observation_period_end=end)
        return _expected(found["frequency"], found["recency"], found["T"], None)

    return run


def duckdb_lifetimes(threads: str, statement: str) -> Run:
    """BG/NBD by lifetimes from DuckDB's summary, in which customers that are alike are one row with a weight."""
    import duckdb
    from lifetimes import BetaGeoFitter  # noqa: F401 - imports are not timed in process

    warnings.simplefilter("ignore")
    duckdb.execute(f"SET threads = {threads}; SET preserve_insertion_order = false; SET enable_progress_bar = false")

    def run() -> Any:
        found = duckdb.execute(statement).fetchnumpy()
        return _expected(found["x"], found["t_x"], found["T"], found["n"])

    return run


def _expected(x: Any, t_x: Any, T: Any, n: Any) -> dict[str, Any]:  # noqa: N803 - the names of the literature
    from lifetimes import BetaGeoFitter

    fitter = BetaGeoFitter().fit(x, t_x, T, weights=n)
    orders = fitter.conditional_expected_number_of_purchases_up_to_time(HORIZON_DAYS, x, t_x, T)
    return {"parameters": dict(fitter.params_), "expected": float((orders if n is None else orders * n).sum())}


def polars(file: str, *columns: str) -> Run:
    """The floor: the columns decoded, and of each the cheapest aggregate there is."""
    import userops  # noqa: F401, I001 - first, so that Polars has the allocator it has there
    import polars as pl

    scan = pl.scan_csv if file.endswith(".csv") else pl.scan_parquet

    def cheapest(name: str, kind: pl.DataType) -> pl.Expr:
        column = pl.col(name)
        return (
            column.str.len_bytes().sum() if kind == pl.String else column.max() if kind.is_temporal() else column.sum()
        )

    def run() -> Any:
        rows = scan(file)
        schema = rows.collect_schema()
        return rows.select(cheapest(name, schema[name]) for name in columns).collect().row(0)

    return run


# --- the program --------------------------------------------------------------------------------------------------

TOOLS: dict[str, Callable[..., Run]] = {
    tool.__name__: tool for tool in (userops, duckdb, chdb, lifetimes, duckdb_lifetimes, polars)
}


def told(value: Any) -> Any:
    """What JSON has no word for; a result of userops looks as ``--json`` has it."""
    if hasattr(value, "provenance"):
        inputs = [{"rejected": dict(source.rejected)} for source in value.provenance.inputs]
        return {"meta": {"inputs": inputs}, "summary": dict(value.summary), "rows": value.rows.to_dicts()}
    return str(value)


def serve(run: Run) -> None:
    """One run per line of stdin, one line of JSON per run on stdout."""
    for _ in sys.stdin:
        before, clock = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        answer = run()
        wall, after = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        figures = {"wall": wall, "cpu": cpu, "peak_mb": after.ru_maxrss / 1024}
        print(json.dumps({**figures, "answer": answer}, default=told), flush=True)


if __name__ == "__main__":
    how, name, *arguments = sys.argv[1:]
    prepared = TOOLS[name](*arguments)
    if how == "serve":
        serve(prepared)
    else:
        print(json.dumps(prepared(), default=told))
