"""What is measured: each workload as userops does it and as DuckDB's best SQL does it, and what both must answer.

A workload is one entry of :data:`WORKLOADS`. A side of it is either a ``call`` (made once with file and threads, after
all imports; what it returns is timed) or a ``command`` (file and threads to an argument list; the whole process is
timed). Every side gives its answer in one form, plain lists and dicts, and the first side's answer must equal the
others' before anything is timed.

Run as a program, this file is the worker of one ``call``: a line on stdin is one timed run, its figures go to stdout.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

Answer = Any
Call = Callable[[str, int], Callable[[], Answer]]
Command = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class Side:
    """One way of doing a workload; ``read`` turns what a command prints into the answer."""

    name: str
    call: Call | None = None
    command: Command | None = None
    read: Callable[[str], Answer] = json.loads


@dataclass(frozen=True)
class Workload:
    """``form`` of the file (orders as ``parquet`` or ``csv``, ``events``; None: needs none), the ``sides``, the first of which is ours; ``same`` compares answers."""

    name: str
    title: str
    form: str | None
    sides: tuple[Side, ...]
    same: Callable[[Answer, Answer], bool] = lambda ours, theirs: bool(ours == theirs)


# --- userops ------------------------------------------------------------------------------------------------------


def _told(rows: list[dict[str, Any]], rejected: dict[str, int], gaps: list[int]) -> Answer:
    """RFM as every side tells it: tiers that hold customers, rejects by reason, median and 80 % gap in days."""
    columns = ("segment", "users", "mean_recency_days", "mean_orders", "mean_monetary", "revenue")
    tiers = sorted([row[c] for c in columns] for row in rows if row["users"])
    return {"tiers": tiers, "rejected": {k: n for k, n in sorted(rejected.items()) if n}, "gaps": gaps}


def _rfm_of_frame(file: str, threads: int) -> Callable[[], Answer]:
    import polars as pl

    from userops import frames, rfm

    return lambda: _rfm_answer(rfm.analyse(frames.orders(pl.scan_parquet(file))))


def _rfm_of_file(file: str, threads: int) -> Callable[[], Answer]:
    from userops import rfm

    return lambda: _rfm_answer(rfm.analyse(_opened(file)))


def _rfm_answer(result: Any) -> Answer:
    gaps = [result.summary["median_gap_days"], result.summary["p80_gap_days"]]
    return _told(result.rows.to_dicts(), result.provenance.inputs[0].rejected, gaps)


def _opened(file: str) -> Any:
    from userops.inputs.loading import Scratch, open_tables
    from userops.inputs.mapping import ReadOptions
    from userops.inputs.orders import to_orders

    return to_orders(open_tables([file], scratch=Scratch()), ReadOptions())


def _csv_scan(file: str, threads: int) -> Callable[[], Answer]:
    import polars as pl

    from userops.inputs import loading, orders  # noqa: F401

    sizes = [pl.col(name).str.len_bytes().cast(pl.Int64).sum() for name in ("order_id", "user_id")]
    values = [pl.col("ordered_at").max().dt.to_string("%F %T%.6f"), pl.col("amount").sum()]
    return lambda: list(_opened(file).rows.select(*sizes, *values).collect().row(0))


def _rfm_command(file: str, threads: int) -> list[str]:
    return [sys.executable, "-m", "userops", "rfm", file, "--json", "-q"]


def _read_json(text: str) -> Answer:
    found = json.loads(text)
    summary = found["summary"]
    gaps = [summary["median_gap_days"], summary["p80_gap_days"]]
    return _told(found["rows"], found["meta"]["inputs"][0]["rejected"], gaps)


def _of_orders(analyse: Callable[[Any], Answer]) -> Call:
    """A call of an analysis of the orders of a file; what it answers is told by ``analyse``."""

    def call(file: str, threads: int) -> Callable[[], Answer]:
        from userops import activity, funnel, growth, paths, retention  # noqa: F401

        return lambda: analyse(_opened(file))

    return call


def _of_events(analyse: Callable[[Any], Answer]) -> Call:
    """The same with events."""

    def call(file: str, threads: int) -> Callable[[], Answer]:
        from userops import activity, funnel, growth, paths, retention  # noqa: F401
        from userops.inputs.events import to_events
        from userops.inputs.loading import Scratch, open_tables
        from userops.inputs.mapping import ReadOptions

        return lambda: analyse(to_events(open_tables([file], scratch=Scratch()), ReadOptions()))

    return call


def _cohorts(grain: str) -> Callable[[Any], Answer]:
    def analyse(table: Any) -> Answer:
        from userops import retention

        rows = retention.analyse(table, period=grain, periods=100).rows
        return [[str(c), n, users] for c, n, users in rows.select("cohort", "period", "users").iter_rows() if users]

    return analyse


def _growth(table: Any) -> Answer:
    from userops import growth

    columns = ("period_start", "new", "retained", "resurrected", "churned")
    rows = growth.analyse(table, period="week").rows.select(columns).iter_rows()
    return [[str(start), *(n or 0 for n in counts)] for start, *counts in rows]


def _funnel(table: Any) -> Answer:
    from userops import funnel

    rows = funnel.analyse(table, steps=STEPS, within="7d").rows
    return rows["users"].to_list()


def _paths(table: Any) -> Answer:
    from userops import paths

    rows = paths.analyse(table).rows.select("source", "target", "transitions", "users").iter_rows()
    return sorted(list(row) for row in rows)


def _activity(table: Any) -> Answer:
    from userops import activity

    rows = activity.analyse(table).rows.select("date", "dau", "wau", "mau").iter_rows()
    return [[str(day), *counts] for day, *counts in rows]


def _check_up(table: Any) -> Answer:
    """The event tables of a check-up: names, hours, user-days with events and steps, new users, newcomers who stay."""
    import polars as pl

    from userops.checkup import goals, measures

    business = goals.Business(steps=STEPS, activation_event=STEPS[-1])
    found = measures.measure(measures.Given(events=table), business, measures.Settings())
    assert found.days is not None
    assert found.newcomers is not None
    days = found.days.of(None).filter(pl.col("users") > 0)
    events = sorted(name for name in days.columns if name.startswith("did "))
    newcomers = found.newcomers.of(None).filter(pl.col("newcomers") > 0)
    return {
        "rows": found.books["events"].rows_used,
        "days": [list(row) for row in days.select("day", "users", *events).iter_rows()],
        "steps": [list(row) for row in days.select("day", *(f"both {step}" for step in STEPS[1:])).iter_rows()],
        "new": [list(row) for row in days.filter(pl.col("new") > 0).select("day", "new").iter_rows()],
        "stay": [list(row) for row in newcomers.select("day", "newcomers", "activated", "d1", "d7", "d30").iter_rows()],
    }


# --- DuckDB -------------------------------------------------------------------------------------------------------

USERS = """
users AS MATERIALIZED (
    SELECT user_id, max(ordered_at) FILTER (steps >= 0) AS last, count(*) FILTER (steps >= 0) AS orders,
           sum(steps)::BIGINT AS monetary, max(ordered_at) AS seen, count(*) AS n
    FROM (SELECT user_id, ordered_at, round(amount * 10000)::BIGINT AS steps FROM {source}) GROUP BY user_id)"""
"""One row per user id, unusable ids included: they are told apart afterwards, which costs next to nothing."""

TIERS = """
judged AS MATERIALIZED (SELECT last, orders, monetary, seen, n, CASE WHEN user_id IS NULL OR trim(user_id) = '' THEN 'missing_user_id'
                          WHEN trim(user_id) IN ({placeholders}) THEN 'placeholder_user_id' END AS reject FROM users),
buyers AS MATERIALIZED (
    SELECT date_diff('day', last::DATE, (SELECT max(seen)::DATE FROM judged WHERE reject IS NULL)) AS recency, orders, monetary
    FROM judged WHERE reject IS NULL AND orders > 0),
cuts AS (SELECT quantile_disc(recency, [0.2, 0.4, 0.6, 0.8]) AS r, quantile_disc(orders, [0.2, 0.4, 0.6, 0.8]) AS f,
                quantile_disc(monetary, [0.2, 0.4, 0.6, 0.8]) AS m FROM buyers),
scored AS (SELECT recency, orders, monetary,
    5 - (recency > r[1])::INT - (recency > r[2])::INT - (recency > r[3])::INT - (recency > r[4])::INT AS rs,
    1 + (orders > f[1])::INT + (orders > f[2])::INT + (orders > f[3])::INT + (orders > f[4])::INT AS fs,
    1 + (monetary > m[1])::INT + (monetary > m[2])::INT + (monetary > m[3])::INT + (monetary > m[4])::INT AS ms
    FROM buyers, cuts),
cells(cell, segment) AS (VALUES {cells}),
summed AS (SELECT rs * 100 + fs * 10 + ms AS cell, count(*) AS n, sum(recency) AS recency, sum(orders) AS orders,
                  sum(monetary) AS monetary FROM scored GROUP BY cell)
SELECT segment, sum(n), sum(recency) / sum(n), sum(orders) / sum(n), sum(monetary) / (sum(n) * 10000),
       sum(monetary) / 10000 FROM summed JOIN cells USING (cell) GROUP BY segment
UNION ALL SELECT reject, sum(n), NULL, NULL, NULL, NULL FROM judged WHERE reject IS NOT NULL GROUP BY reject"""

GAPS = """
SELECT quantile_disc(gap, [0.5, 0.8]) FROM (
    SELECT date_diff('day', lag(day) OVER (PARTITION BY user_id ORDER BY day), day) AS gap FROM (
        SELECT DISTINCT user_id, ordered_at::DATE AS day FROM {source} WHERE amount >= 0 AND user_id IS NOT NULL
        AND trim(user_id) NOT IN ({placeholders}) {sample})) WHERE gap IS NOT NULL"""

COLUMNS = (
    "{'order_id': 'VARCHAR', 'user_id': 'VARCHAR', 'ordered_at': 'TIMESTAMP', 'amount': 'DOUBLE', 'channel': 'VARCHAR'}"
)

CSV_SCAN = """
SELECT sum(strlen(order_id))::BIGINT, sum(strlen(user_id))::BIGINT, strftime(max(ordered_at), '%Y-%m-%d %H:%M:%S.%f'),
       sum(round(amount * 10000)::BIGINT)::BIGINT FROM {source}"""


def _source(file: str) -> str:
    if file.endswith(".csv"):
        return f"read_csv('{file}', header = true, auto_detect = false, columns = {COLUMNS})"
    return f"read_parquet('{file}')"


def _statements(file: str, gaps: str) -> list[str]:
    """The SQL of RFM; ``gaps``: ``none``, ``exact`` (every customer) or ``sampled`` (the share that userops takes)."""
    from userops import grids, rfm
    from userops.frames import PLACEHOLDER_IDS

    grid = grids.built_in("champions11")
    cells = [111 + i // 25 * 100 + i // 5 % 5 * 10 + i % 5 for i in range(125)]
    named = ", ".join(
        f"({cell}, '{grid.segments[i].name.replace(chr(39), chr(39) * 2)}')"
        for cell, i in zip(cells, grid.cells, strict=True)
    )
    words = {
        "source": _source(file),
        "cells": named,
        "placeholders": ", ".join(f"'{name}'" for name in PLACEHOLDER_IDS),
        "sample": "",
    }
    statements = [f"WITH {USERS}, {TIERS}".format(**words)]
    if gaps == "sampled":
        rows = int(file.rsplit("-", 1)[1].split(".", maxsplit=1)[0])
        one_in = rfm.GAPS_ONE_USER_IN if rows > rfm.EXACT_GAPS_UP_TO else 1
        words["sample"] = f"AND hash(user_id) % {one_in} = 0"
    return statements if gaps == "none" else [*statements, GAPS.format(**words)]


def _read_rows(answers: list[list[list[Any]]]) -> Answer:
    """The answer in rows of :data:`TIERS`, and of :data:`GAPS` when asked."""
    tiers, *gaps = answers
    names = ("segment", "users", "mean_recency_days", "mean_orders", "mean_monetary", "revenue")
    rows = [dict(zip(names, (row[0], int(row[1]), *row[2:]), strict=True)) for row in tiers if row[2] is not None]
    return _told(rows, {row[0]: int(row[1]) for row in tiers if row[2] is None}, list(gaps[0][0][0]) if gaps else [])


def _duck(statements: Callable[[str], list[str]], read: Callable[[Any], Answer]) -> Call:
    def call(file: str, threads: int) -> Callable[[], Answer]:
        import duckdb

        duckdb.execute(
            f"SET threads = {threads}; SET preserve_insertion_order = false; SET enable_progress_bar = false"
        )
        texts = statements(file)
        return lambda: read([duckdb.execute(text).fetchall() for text in texts])

    return call


def _duck_command(statements: Callable[[str], list[str]]) -> Command:
    def command(file: str, threads: int) -> list[str]:
        program = (
            "import duckdb, json\n"
            f"duckdb.execute('SET threads = {threads}; SET preserve_insertion_order = false; SET enable_progress_bar = false')\n"
            f"print(json.dumps([duckdb.execute(text).fetchall() for text in {statements(file)!r}]))"
        )
        return [sys.executable, "-c", program]

    return command


def _rfm_sql(gaps: str) -> Callable[[str], list[str]]:
    return lambda file: _statements(file, gaps)


WEEK, DAY = "((epoch_us(time) // 86400000000 + 3) // 7)", "(epoch_us(time) // 86400000000)::INT"
MONTH = "(year(ordered_at) * 12 + month(ordered_at) - 1)"
ON_WEEK = "(DATE '1970-01-01' + ({} * 7 - 3)::INT)::VARCHAR"
ON_MONTH = "make_date(({0} // 12)::INT, ({0} % 12 + 1)::INT, 1)::VARCHAR"

MASKS = """
masks AS MATERIALIZED (SELECT hash(user_id) AS id, bit_or(1::UBIGINT << ({period} % 64)::UBIGINT) AS b
    FROM {source} {where} GROUP BY id),
known AS (SELECT b, count(*) AS n FROM masks WHERE id NOT IN ({nobody}) GROUP BY b),
span AS (SELECT min({period}) AS lo, max({period}) AS hi FROM {source} {where}),
seen AS MATERIALIZED (SELECT b, n, p FROM known, (SELECT unnest(range(lo, hi + 1)) AS p FROM span)
    WHERE (b >> (p % 64)::UBIGINT) & 1 = 1)"""
"""Periods of a user as bits of one word (64 periods at most, as here), equal words counted, users by the hash of their
id: the fastest form found. Unusable ids are told apart per user, not per row."""

COHORTS = """
WITH {masks}
SELECT {label}, (p - c)::INT AS n, sum(n)::BIGINT FROM (SELECT p, n, min(p) OVER (PARTITION BY b) AS c FROM seen)
GROUP BY c, p ORDER BY c, p"""

GROWTH = """
WITH {masks},
steps AS (SELECT p, n, lag(p) OVER (PARTITION BY b ORDER BY p) AS before, lead(p) OVER (PARTITION BY b ORDER BY p) AS after FROM seen),
here AS (SELECT p, sum(n) FILTER (before IS NULL) AS new, sum(n) FILTER (before = p - 1) AS retained,
                sum(n) FILTER (before < p - 1) AS resurrected FROM steps GROUP BY p),
gone AS (SELECT p + 1 AS p, sum(n) AS churned FROM steps WHERE after IS NULL OR after > p + 1 GROUP BY p)
SELECT {label}, coalesce(new, 0)::BIGINT, coalesce(retained, 0)::BIGINT, coalesce(resurrected, 0)::BIGINT, coalesce(churned, 0)::BIGINT
FROM here LEFT JOIN gone USING (p) ORDER BY p"""

ACTIVE = """
WITH days AS (SELECT DISTINCT hash(user_id) AS id, {day} AS d FROM {source}),
pairs AS (SELECT d, lead(d, 1, 1000000) OVER (PARTITION BY id ORDER BY d) AS after FROM days WHERE id NOT IN ({nobody})),
steps AS (
    SELECT d, count(*) AS dau, count(*) AS w, count(*) AS m FROM pairs GROUP BY d
    UNION ALL SELECT least(d + 7, after), 0, -count(*), 0 FROM pairs GROUP BY 1
    UNION ALL SELECT least(d + 28, after), 0, 0, -count(*) FROM pairs GROUP BY 1),
daily AS (SELECT d, sum(dau) AS dau, sum(sum(w)) OVER (ORDER BY d) AS wau, sum(sum(m)) OVER (ORDER BY d) AS mau FROM steps GROUP BY d),
span AS (SELECT min(d) AS lo, max(d) AS hi FROM pairs)
SELECT (DATE '1970-01-01' + d)::VARCHAR, dau::BIGINT, CASE WHEN d >= lo + 6 THEN wau::BIGINT END, CASE WHEN d >= lo + 27 THEN mau::BIGINT END
FROM daily, span WHERE d <= hi ORDER BY d"""


STEPS = ("event_00", "event_01", "event_02", "event_03")
WITHIN = 7 * 86_400_000_000

FUNNEL = """
WITH e AS (SELECT hash(user_id) AS u, epoch_us(time) AS t,
                  CASE event WHEN 'event_00' THEN 0 WHEN 'event_01' THEN 1 WHEN 'event_02' THEN 2 ELSE 3 END AS s
           FROM {source} WHERE event IN ('event_00', 'event_01', 'event_02', 'event_03')),
a AS (SELECT u, t, s, max(CASE WHEN s = 0 THEN t END) OVER w AS c FROM e WINDOW w AS (PARTITION BY u ORDER BY t, s)),
b AS (SELECT u, t, s, c, max(CASE WHEN s = 1 AND t - c <= {within} THEN c END) OVER w AS d FROM a WINDOW w AS (PARTITION BY u ORDER BY t, s)),
f AS (SELECT u, t, s, c, d, max(CASE WHEN s = 2 AND t - d <= {within} THEN d END) OVER w AS g FROM b WINDOW w AS (PARTITION BY u ORDER BY t, s)),
levels AS (SELECT u, max(CASE WHEN s = 3 AND t - g <= {within} THEN 4 WHEN s = 2 AND t - d <= {within} THEN 3
                             WHEN s = 1 AND t - c <= {within} THEN 2 WHEN s = 0 THEN 1 ELSE 0 END) AS level FROM f GROUP BY u)
SELECT count(*) FILTER (level >= 1), count(*) FILTER (level >= 2), count(*) FILTER (level >= 3), count(*) FILTER (level >= 4)
FROM levels WHERE u NOT IN ({nobody})"""
"""Of each step the latest start that reaches it, carried forward: right for every entry. The usual join of first events
is twice as fast and loses one user in ten."""

WINDOW_FUNNEL = """
SELECT countIf(level >= 1), countIf(level >= 2), countIf(level >= 3), countIf(level >= 4) FROM (
    SELECT user_id, windowFunnel(604800000)(toUInt64(toUnixTimestamp64Milli(time)),
        event = 'event_00', event = 'event_01', event = 'event_02', event = 'event_03') AS level
    FROM file('{file}', Parquet) WHERE user_id IS NOT NULL AND user_id NOT IN ({placeholders}) GROUP BY user_id)"""

PATHS = """
WITH e AS (SELECT hash(user_id) AS u, event, epoch_us(time) AS t FROM {source} WHERE user_id IS NOT NULL),
steps AS (SELECT u, event, t - lag(t) OVER w AS pause, lag(event) OVER w AS before, lead(t) OVER w - t AS ahead FROM e
          WINDOW w AS (PARTITION BY u ORDER BY t, event)),
moves AS (SELECT u, CASE WHEN pause <= 1800000000 THEN before ELSE '(start)' END AS source, event AS target FROM steps WHERE u NOT IN ({nobody})
          UNION ALL SELECT u, event, '(exit)' FROM steps WHERE (ahead IS NULL OR ahead > 1800000000) AND u NOT IN ({nobody}))
SELECT source, target, count(*) AS transitions, count(DISTINCT u) AS users FROM moves GROUP BY ALL ORDER BY ALL"""


MASKED_DAYS = """
WITH d AS (SELECT hash(user_id) AS u, {day} AS d, bit_or(1::BIGINT << substr(event, 7)::INT) AS m FROM {source} GROUP BY 1, 2)"""
"""Users and days with a bit per event; the names of the events of the benchmark end in their number."""

CHECK_UP = (
    """SELECT sum(n)::BIGINT FROM (
        SELECT epoch_us(time) // 3600000000 AS hour, hash(user_id) IN ({nobody}) AS rejected, count(*) AS n, min(time), max(time)
        FROM {source} GROUP BY 1, 2) WHERE NOT rejected""",
    MASKED_DAYS + " SELECT d::INT, count(*), " + ", ".join(f"sum((m >> {n}) & 1)::BIGINT" for n in range(20))
    + " FROM d WHERE u NOT IN ({nobody}) GROUP BY d ORDER BY d",
    MASKED_DAYS + " SELECT d::INT, " + ", ".join(f"count(*) FILTER ((m >> {n}) & 3 = 3)" for n in range(3))
    + " FROM d WHERE u NOT IN ({nobody}) GROUP BY d ORDER BY d",
    """SELECT d::INT, count(*) FROM (SELECT hash(user_id) AS u, min({day}) AS d FROM {source} GROUP BY 1)
       WHERE u NOT IN ({nobody}) GROUP BY d ORDER BY d""",
    MASKED_DAYS + """, s AS (SELECT u, d, m, min(d) OVER (PARTITION BY u) AS s FROM d),
    p AS (SELECT u, s, bool_or((m >> 3) & 1 = 1 AND d - s <= 7) AS a, bool_or(d - s = 1) AS d1, bool_or(d - s = 7) AS d7,
                 bool_or(d - s = 30) AS d30 FROM s GROUP BY u, s)
    SELECT s::INT, count(*), count(*) FILTER (a), count(*) FILTER (d1), count(*) FILTER (d7), count(*) FILTER (d30)
    FROM p WHERE u NOT IN ({nobody}) GROUP BY s ORDER BY s""",
)  # fmt: skip
"""The same tables by five queries, one after the other: rows by hour, events and steps by user-day, new users, who stays."""


def _check_up_sql(file: str) -> list[str]:
    return [_periods_sql(query)(file)[0] for query in CHECK_UP]


def _read_check_up(answers: list[list[list[Any]]]) -> Answer:
    names = ("days", "steps", "new", "stay")
    tables = {name: [list(row) for row in rows] for name, rows in zip(names, answers[1:], strict=True)}
    return {"rows": answers[0][0][0], **tables}


def _window_funnel(file: str, threads: int) -> Callable[[], Answer]:
    import chdb

    from userops.frames import PLACEHOLDER_IDS

    nobody = ", ".join("'" + name.replace("\\", "\\\\") + "'" for name in PLACEHOLDER_IDS)
    sql = WINDOW_FUNNEL.format(file=file, placeholders=nobody) + f" SETTINGS max_threads = {threads}"
    return lambda: [int(n) for n in str(chdb.query(sql, "CSV")).strip().split(",")]


def _periods_sql(query: str) -> Callable[[str], list[str]]:
    """One of the queries above for a file, by the columns it has."""

    def statements(file: str) -> list[str]:
        from userops.frames import PLACEHOLDER_IDS

        of_events = "events-" in file
        period, label = (WEEK, ON_WEEK) if of_events else (MONTH, ON_MONTH)
        words = {
            "source": _source(file),
            "period": period,
            "day": DAY,
            "where": "" if of_events else "WHERE amount >= 0",
        }
        words["nobody"] = ", ".join(["hash(NULL::VARCHAR)", *(f"hash('{name}')" for name in PLACEHOLDER_IDS)])
        words["within"] = str(WITHIN)
        words["label"] = label.format("c" if "AS c " in query else "p")
        return [query.format(masks=MASKS.format(**words), **words)]

    return statements


def _rows(answers: list[list[Any]]) -> Answer:
    return [list(row) for row in answers[0]]


def _one_row(answers: list[list[Any]]) -> Answer:
    return list(answers[0][0])


def _where_installed(package: str, *sides: Side) -> tuple[Side, ...]:
    """The sides that need a package, or none where it is not installed."""
    return sides if find_spec(package) else ()


# --- what is the same ---------------------------------------------------------------------------------------------


def same_tiers(ours: Answer, theirs: Answer) -> bool:
    """Equal tiers and rejects, to the last digit."""
    return bool(ours["tiers"] == theirs["tiers"] and ours["rejected"] == theirs["rejected"])


def same_rfm(ours: Answer, theirs: Answer) -> bool:
    """Equal tiers and rejects, and gaps that differ by a day at most (they come from a sample beyond 2M rows)."""
    close = all(abs(a - b) <= 1 for a, b in zip(ours["gaps"], theirs["gaps"], strict=True))
    return same_tiers(ours, theirs) and close


# --- the list -----------------------------------------------------------------------------------------------------


def _python(program: str) -> Command:
    return lambda file, threads: [sys.executable, "-c", program]


def _userops(*arguments: str) -> Command:
    return lambda file, threads: [sys.executable, "-m", "userops", *arguments]


def _start(name: str) -> Workload:
    sides = (
        Side("userops", command=_userops(*name.split()[1:]), read=lambda text: None),
        Side("import typer", command=_python("import typer"), read=lambda text: None),
        Side("python pass", command=_python("pass"), read=lambda text: None),
    )
    return Workload(name, f"start-up: {name}", None, sides)


EXACT, SAMPLED, NO_GAPS = _rfm_sql("exact"), _rfm_sql("sampled"), _rfm_sql("none")

WORKLOADS = (
    Workload(
        "rfm tiers", "userops: its whole answer; SQL: the tiers alone, no gaps", "parquet",
        (Side("userops", call=_rfm_of_frame), Side("DuckDB", call=_duck(NO_GAPS, _read_rows))), same_tiers,
    ),
    Workload(
        "rfm whole answer", "tiers and days between orders", "parquet",
        (Side("userops", call=_rfm_of_frame), Side("DuckDB", call=_duck(EXACT, _read_rows)),
         Side("DuckDB, gaps sampled", call=_duck(SAMPLED, _read_rows))), same_rfm,
    ),
    Workload(
        "rfm process", "the same from start to exit, userops rfm FILE --json", "parquet",
        (Side("userops", command=_rfm_command, read=_read_json),
         Side("DuckDB", command=_duck_command(EXACT), read=lambda t: _read_rows(json.loads(t))),
         Side("DuckDB, gaps sampled", command=_duck_command(SAMPLED), read=lambda t: _read_rows(json.loads(t)))), same_rfm,
    ),
    Workload(
        "rfm csv", "in process, from CSV", "csv",
        (Side("userops", call=_rfm_of_file), Side("DuckDB", call=_duck(EXACT, _read_rows)),
         Side("DuckDB, gaps sampled", call=_duck(SAMPLED, _read_rows))), same_rfm,
    ),
    Workload(
        "rfm csv process", "from start to exit, from CSV", "csv",
        (Side("userops", command=_rfm_command, read=_read_json),
         Side("DuckDB", command=_duck_command(EXACT), read=lambda t: _read_rows(json.loads(t)))), same_rfm,
    ),
    Workload(
        "csv scan", "typed columns of a CSV and a cheap aggregate of each", "csv",
        (Side("userops", call=_csv_scan), Side("DuckDB", call=_duck(lambda f: [CSV_SCAN.format(source=_source(f))], lambda a: list(a[0][0])))),
    ),
    Workload(
        "cohorts of orders", "monthly cohorts, first orders and all returns", "parquet",
        (Side("userops", call=_of_orders(_cohorts("month"))), Side("DuckDB", call=_duck(_periods_sql(COHORTS), _rows))),
    ),
    Workload(
        "cohorts of events", "weekly cohorts", "events",
        (Side("userops", call=_of_events(_cohorts("week"))), Side("DuckDB", call=_duck(_periods_sql(COHORTS), _rows))),
    ),
    Workload(
        "growth", "weekly growth accounting", "events",
        (Side("userops", call=_of_events(_growth)), Side("DuckDB", call=_duck(_periods_sql(GROWTH), _rows))),
    ),
    Workload(
        "activity", "DAU, WAU and MAU of every day, exact", "events",
        (Side("userops", call=_of_events(_activity)), Side("DuckDB", call=_duck(_periods_sql(ACTIVE), _rows))),
    ),
    Workload(
        "funnel", "four steps within seven days, any entry", "events",
        (Side("userops", call=_of_events(_funnel)), Side("DuckDB", call=_duck(_periods_sql(FUNNEL), _one_row)),
         *_where_installed("chdb", Side("chdb", call=_window_funnel))),
    ),
    Workload(
        "paths", "sessions and transitions, with users", "events",
        (Side("userops", call=_of_events(_paths)), Side("DuckDB", call=_duck(_periods_sql(PATHS), _rows))),
    ),
    Workload(
        "check-up", "the event tables of a check-up, in one shared pass; DuckDB's five queries", "events",
        (Side("userops", call=_of_events(_check_up)), Side("DuckDB", call=_duck(_check_up_sql, _read_check_up))),
    ),
    _start("userops --version"), _start("userops --help"), _start("userops rfm --help"),
)  # fmt: skip


def find(name: str) -> list[Workload]:
    """The workloads whose name is ``name`` or begins with it."""
    exact = [w for w in WORKLOADS if w.name == name]
    return exact or [w for w in WORKLOADS if w.name.startswith(name)]


def work(name: str, side: str, file: str, threads: int) -> None:
    """Serve one side of one workload: one run per line of stdin, one line of JSON per run on stdout."""
    import resource
    import time

    (workload,) = find(name)
    chosen = next(s for s in workload.sides if s.name == side)
    if chosen.call is None:
        raise SystemExit(f"{side} is no call")
    run = chosen.call(file, threads)
    for _ in sys.stdin:
        before, clock = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        answer = run()
        wall, after = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(json.dumps({"wall": wall, "cpu": cpu, "peak_mb": after.ru_maxrss / 1024, "answer": answer}), flush=True)


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
