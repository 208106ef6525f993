"""What is measured: each workload as userops does it and as the best found of other tools does it.

A workload is one entry of :data:`WORKLOADS`. A side of it is a tool of ``tools.py``, which is measured in two ways: in
a process that stays alive, and from start to exit of a fresh one; ours is from start to exit the command that people
type. Every side answers with named tables; what two sides both tell must be the same before anything is timed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sql

HERE = Path(__file__).resolve().parent
TOOLS = str(HERE / "tools.py")

Answer = dict[str, Any]
Arguments = Callable[[str, int], list[str]]
"""A file and a number of threads to a command."""

WAYS = INSIDE, WHOLE = "in process", "start to exit"
OURS, FLOOR = "userops", "scan floor"


@dataclass(frozen=True)
class Side:
    """One way of doing a workload: its command in each way, and how its JSON is read as the answer (None: it has none).

    ``up_to``: files of more rows are not for it.
    """

    name: str
    commands: Mapping[str, Arguments]
    read: Callable[[Any], Answer] | None = None
    up_to: float = math.inf


@dataclass(frozen=True)
class Workload:
    """``form`` of the file: orders as ``parquet`` or ``csv``, ``events``; empty: it needs none. The first side is ours.

    ``close``: tables that may differ a little, and how they are compared.
    """

    name: str
    title: str
    form: str
    sides: tuple[Side, ...]
    close: Mapping[str, Callable[[Any, Any], bool]] = field(default_factory=dict)

    def same(self, ours: Answer, theirs: Answer) -> bool:
        """Whether two answers agree in all that both tell, which must be something."""
        both = ours.keys() & theirs.keys()
        return bool(both) and all(self.close.get(name, _equal)(ours[name], theirs[name]) for name in both)


def _equal(ours: Any, theirs: Any) -> bool:
    return bool(ours == theirs)


def _within_a_day(ours: list[int], theirs: list[int]) -> bool:
    return all(abs(a - b) <= 1 for a, b in zip(ours, theirs, strict=True))


def _nearly(ours: list[float], theirs: list[float]) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(ours, theirs, strict=True))


# --- how sides are run ----------------------------------------------------------------------------------------------


def _tool(name: str, tool: str, arguments: Arguments, read: Callable[[Any], Answer] | None, **more: Any) -> Side:
    """A side that is a tool, the same in both ways."""

    def way(how: str) -> Arguments:
        return lambda file, threads: [sys.executable, TOOLS, how, tool, *arguments(file, threads)]

    return Side(name, {INSIDE: way("serve"), WHOLE: way("once")}, read, **more)


def _ours(read: Callable[[Any], Answer], analysis: str, command: str, *options: str) -> Side:
    """Userops: the analysis as Python calls it, and the command."""
    commands = {
        INSIDE: lambda file, threads: [sys.executable, TOOLS, "serve", "userops", analysis, file],
        WHOLE: lambda file, threads: [sys.executable, "-m", "userops", command, file, *options, "--json", "-q"],
    }
    return Side(OURS, commands, read)


def _duckdb(read: Callable[[Any], Answer], *queries: str, name: str = "DuckDB") -> Side:
    statements = sql.duckdb(*queries)
    return _tool(name, "duckdb", lambda file, threads: [str(threads), *statements(file)], read)


def _chdb(read: Callable[[Any], Answer], *queries: str) -> tuple[Side, ...]:
    """ClickHouse, where chdb is installed."""
    statements = sql.clickhouse(*queries)
    side = _tool("chdb", "chdb", lambda file, threads: [str(threads), *statements(file)], read)
    return (side,) if find_spec("chdb") else ()


def _lifetimes() -> tuple[Side, ...]:
    """BG/NBD by lifetimes, where it is installed: its own way, and the best that can be made of it."""
    if not find_spec("lifetimes"):
        return ()
    summary = sql.duckdb(sql.REPEATS)
    return (
        _tool(
            "DuckDB + lifetimes", "duckdb_lifetimes", lambda file, threads: [str(threads), *summary(file)], _ltv,
            up_to=2_000_000,
        ),
        _tool("lifetimes", "lifetimes", lambda file, threads: [file, *sql.nobody()], _ltv, up_to=2_000_000),
    )  # fmt: skip


def _floor(*columns: str) -> Side:
    """The columns a workload needs, decoded by Polars, and a cheap aggregate of each."""
    return _tool(FLOOR, "polars", lambda file, threads: [file, *columns], None)


# --- how answers are read -------------------------------------------------------------------------------------------
# Ours are told as --json has them, in both ways; others are lists of the rows of each statement.


def _only(table: str) -> Callable[[Any], Answer]:
    """The rows of one statement, as a table of this name."""
    return lambda answers: {table: answers[0]}


def _only_row(told: list[Any]) -> Answer:
    return {"row": [told]}


def _rfm(told: Any) -> Answer:
    columns = ("segment", "users", "mean_recency_days", "mean_orders", "mean_monetary", "revenue")
    return {
        "tiers": sorted([row[column] for column in columns] for row in told["rows"] if row["users"]),
        "rejected": {reason: n for reason, n in sorted(told["meta"]["inputs"][0]["rejected"].items()) if n},
        "gaps": [told["summary"]["median_gap_days"], told["summary"]["p80_gap_days"]],
    }


def _rfm_rows(answers: Any) -> Answer:
    tiers, *gaps = answers
    answer: Answer = {
        "tiers": sorted([row[0], int(row[1]), *row[2:]] for row in tiers if row[2] is not None),
        "rejected": {row[0]: int(row[1]) for row in sorted(tiers) if row[2] is None},
    }
    return answer | {"gaps": gaps[0][0][0]} if gaps else answer


def _cohorts(told: Any) -> Answer:
    return {"cohorts": [[row["cohort"], row["period"], row["users"]] for row in told["rows"] if row["users"]]}


def _growth(told: Any) -> Answer:
    counts = ("new", "retained", "resurrected", "churned")
    return {"growth": [[row["period_start"], *(row[count] or 0 for count in counts)] for row in told["rows"]]}


def _activity(told: Any) -> Answer:
    columns = ("date", "dau", "wau", "mau")
    return {"activity": [[row[column] for column in columns] for row in told["rows"]]}


def _funnel(told: Any) -> Answer:
    return {"steps": [[row["users"] for row in told["rows"]]]}


def _paths(told: Any) -> Answer:
    columns = ("source", "target", "transitions", "users")
    return {"paths": sorted([row[column] for column in columns] for row in told["rows"])}


def _check_up(told: Any) -> Answer:
    """All event tables in process; of ``userops diagnose``, which does far more, what its JSON has of them."""
    if "summary" in told:
        return {"rows": told["meta"]["inputs"][0]["rows_used"], "last day": told["summary"]["last_day_active_users"]}
    return {**told, "last day": told["days"][-1][1]}


def _check_up_rows(answers: Any) -> Answer:
    rows, _, *tables = answers  # the second makes the temporary table
    return _five_tables([rows, *tables])


def _five_tables(answers: Any) -> Answer:
    rows, days, steps, new, stay = answers
    return {"rows": rows[0][0], "days": days, "steps": steps, "new": new, "stay": stay, "last day": days[-1][1]}


def _ltv(told: Any) -> Answer:
    """BG/NBD; ``userops ltv`` models spend too, and has limits of everything."""
    if "summary" in told:
        told = {"parameters": told["summary"]["parameters"], "expected": told["summary"]["expected_orders"]}
    return {"model": [*(value for _, value in sorted(told["parameters"].items())), told["expected"]]}


# --- the list -------------------------------------------------------------------------------------------------------


def _start(name: str) -> Workload:
    """A command that does nothing yet, beside what Python and Typer take alone."""
    starts = {OURS: ["-m", *name.split()], "import typer": ["-c", "import typer"], "python pass": ["-c", "pass"]}
    return Workload(name, "start-up", "", tuple(_python(side, arguments) for side, arguments in starts.items()))


def _python(name: str, arguments: list[str]) -> Side:
    return Side(name, {WHOLE: lambda file, threads: [sys.executable, *arguments]})


def _inside(side: Side) -> Side:
    """A side in process alone: no command does that."""
    return replace(side, commands={INSIDE: side.commands[INSIDE]})


MONEY, TIMES, EVENTS = ("user_id", "ordered_at", "amount"), ("user_id", "time"), ("user_id", "event", "time")

WORKLOADS = (
    Workload(
        "rfm", "tiers, rejects and days between orders", "parquet",
        (_ours(_rfm, "rfm", "rfm"), _duckdb(_rfm_rows, sql.TIERS, sql.GAPS),
         *_chdb(_rfm_rows, sql.CLICKHOUSE_TIERS, sql.CLICKHOUSE_GAPS),
         _inside(_duckdb(_rfm_rows, sql.TIERS, name="DuckDB, tiers alone")), _floor(*MONEY)),
        close={"gaps": _within_a_day},
    ),
    Workload(
        "rfm csv", "the same from CSV", "csv",
        (_ours(_rfm, "rfm", "rfm"), _duckdb(_rfm_rows, sql.TIERS, sql.GAPS), _floor(*MONEY)),
        close={"gaps": _within_a_day},
    ),
    Workload(
        "csv scan", "typed columns of a CSV, and a cheap aggregate of each", "csv",
        (_inside(_ours(_only_row, "scan", "")), _inside(_duckdb(_only("row"), sql.CSV_SCAN)),
         _inside(_floor("order_id", *MONEY))),
    ),
    Workload(
        "cohorts of orders", "monthly cohorts, first orders and all returns", "parquet",
        (_ours(_cohorts, "monthly cohorts", "retention", "--period", "month", "--periods", "100"),
         _duckdb(_only("cohorts"), sql.COHORTS),
         *_chdb(_only("cohorts"), sql.CLICKHOUSE_COHORTS), _floor(*MONEY)),
    ),
    Workload(
        "cohorts of events", "weekly cohorts", "events",
        (_ours(_cohorts, "weekly cohorts", "retention", "--period", "week", "--periods", "100"),
         _duckdb(_only("cohorts"), sql.COHORTS),
         *_chdb(_only("cohorts"), sql.CLICKHOUSE_COHORTS), _floor(*TIMES)),
    ),
    Workload(
        "growth", "weekly growth accounting", "events",
        (_ours(_growth, "growth", "growth", "--period", "week"), _duckdb(_only("growth"), sql.GROWTH),
         *_chdb(_only("growth"), sql.CLICKHOUSE_GROWTH), _floor(*TIMES)),
    ),
    Workload(
        "activity", "DAU, WAU and MAU of every day, exact", "events",
        (_ours(_activity, "activity", "activity"),
         _duckdb(_only("activity"), sql.ACTIVE), *_chdb(_only("activity"), sql.CLICKHOUSE_ACTIVE), _floor(*TIMES)),
    ),
    Workload(
        "funnel", "four steps within seven days, any entry", "events",
        (_ours(_funnel, "funnel", "funnel", "--steps", ",".join(sql.STEPS), "--within", f"{sql.WITHIN_DAYS}d"),
         _duckdb(_only("steps"), sql.FUNNEL), *_chdb(_only("steps"), sql.CLICKHOUSE_FUNNEL),
         _inside(_duckdb(_only("steps"), sql.FUNNEL_BY_WINDOWS, name="DuckDB, windows")), _floor(*EVENTS)),
    ),
    Workload(
        "paths", "sessions and transitions, with users", "events",
        (_ours(_paths, "paths", "paths"), _duckdb(_only("paths"), sql.PATHS),
         *_chdb(_only("paths"), sql.CLICKHOUSE_PATHS), _floor(*EVENTS)),
    ),
    Workload(
        "check-up", "the event tables of a check-up; from start to exit all of userops diagnose", "events",
        (_ours(_check_up, "check-up", "diagnose", "--goals", str(HERE / "goals.toml")),
         _duckdb(_check_up_rows, *sql.CHECK_UP),
         _inside(_duckdb(_five_tables, *sql.CHECK_UP_BY_QUERIES, name="DuckDB, five queries")), _floor(*EVENTS)),
    ),
    Workload(
        "ltv", "BG/NBD: summary of the customers, fit, expected orders; from start to exit all of userops ltv", "parquet",
        (_ours(_ltv, "ltv", "ltv", "--model", "bg-nbd", "--backtest", "none"), *_lifetimes(), _floor(*MONEY)),
        close={"model": _nearly},
    ),
    _start("userops --version"), _start("userops --help"), _start("userops rfm --help"),
)  # fmt: skip


def find(name: str) -> list[Workload]:
    """The workloads whose name is ``name`` or begins with it."""
    exact = [w for w in WORKLOADS if w.name == name]
    return exact or [w for w in WORKLOADS if w.name.startswith(name)]
