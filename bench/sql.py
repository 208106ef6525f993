"""The SQL that userops is measured against: for every workload the fastest right form found, of DuckDB and of ClickHouse.

A query is a template; :func:`duckdb` and :func:`clickhouse` fill it in for a file. Templates know ``{source}``, and as
expressions ``{day}`` and ``{period}`` of a row, ``{lo}`` and ``{hi}``, the periods of times of that name, ``{on_c}`` and
``{on_p}``, the dates that periods c and p begin with;
``{nobody}``, the hashes of ids that name nobody, ``{missing}`` among them. Users are grouped by the hash of their id,
which costs up to half less than the string. All of it is limited to what the data are: 64 periods fit a word, 31 names
of events a key, ids need no trimming.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Statements = Callable[[str], list[str]]
"""File to statements."""

STEPS = ("event_00", "event_01", "event_02", "event_03")
WITHIN_DAYS = 7
WITHIN = WITHIN_DAYS * 86_400_000_000
PAUSE = 1_800_000_000


def duckdb(*queries: str) -> Statements:
    """The queries for a file, in DuckDB's words."""

    def statements(file: str) -> list[str]:
        week, on_week = "((epoch_us({0}) // 86400000000 + 3) // 7)", "(DATE '1970-01-01' + ({0} * 7 - 3)::INT)::VARCHAR"
        month, on_month = (
            "(year({0}) * 12 + month({0}) - 1)",
            "make_date(({0} // 12)::INT, ({0} % 12 + 1)::INT, 1)::VARCHAR",
        )
        words = _words(file, *((week, on_week) if _of_events(file) else (month, on_month)))
        words["day"] = "(epoch_us(time) // 86400000000)::INT"
        words["source"] = f"read_parquet('{file}')"
        if file.endswith(".csv"):
            words["source"] = f"read_csv('{file}', header = true, auto_detect = false, columns = {CSV_COLUMNS})"
        words["missing"] = "hash(NULL::VARCHAR)"
        words["nobody"] = ", ".join([words["missing"], *(f"hash('{name}')" for name in nobody())])
        words["masks"] = MASKS.format(**words)
        return [query.format(**words) for query in queries]

    return statements


def clickhouse(*queries: str) -> Statements:
    """The queries for a file, in ClickHouse's words: columns hold no nulls, a missing id is an empty one."""

    def statements(file: str) -> list[str]:
        week, on_week = (
            "intDiv(intDiv(toUnixTimestamp64Micro({0}), 86400000000) + 3, 7)",
            "toString(toDate({0} * 7 - 3))",
        )
        month, on_month = (
            "(toYear({0}) * 12 + toMonth({0}) - 1)",
            "toString(makeDate(intDiv({0}, 12), {0} % 12 + 1, 1))",
        )
        words = _words(file, *((week, on_week) if _of_events(file) else (month, on_month)))
        words["day"] = "toInt32(intDiv(toUnixTimestamp64Micro(time), 86400000000))"
        columns = "event String, time DateTime64(6)" if _of_events(file) else "ordered_at DateTime64(6), amount Float64"
        words["source"] = f"file('{file}', Parquet, 'user_id String, {columns}')"
        words["missing"] = "xxh3('')"
        words["nobody"] = ", ".join([words["missing"], *(f"xxh3('{name}')" for name in nobody())])
        words["masks"] = CLICKHOUSE_MASKS.format(**words)
        return [query.format(**words) for query in queries]

    return statements


def _of_events(file: str) -> bool:
    return Path(file).name.startswith("events-")


def nobody() -> tuple[str, ...]:
    """Ids that name nobody, as userops has them."""
    from userops.frames import PLACEHOLDER_IDS

    return tuple(name.replace("\\", "\\\\") for name in PLACEHOLDER_IDS)


def _words(file: str, period: str, on: str) -> dict[str, str]:
    """What both say alike: periods, the cells of the grid, ids that name nobody, the share of users whose gaps are taken."""
    from userops import grids, rfm

    grid = grids.built_in("champions11")
    cells = [111 + i // 25 * 100 + i // 5 % 5 * 10 + i % 5 for i in range(125)]
    named = [(cell, grid.segments[i].name.replace("'", "''")) for cell, i in zip(cells, grid.cells, strict=True)]
    rows = int(Path(file).stem.rsplit("-", 1)[1])
    time = "time" if _of_events(file) else "ordered_at"
    return {
        "time": time,
        "period": period.format(time),
        "lo": period.format("lo"),
        "hi": period.format("hi"),
        "on_c": on.format("c"),
        "on_p": on.format("p"),
        "where": "" if _of_events(file) else "WHERE amount >= 0",
        "cells": ", ".join(f"({cell}, '{name}')" for cell, name in named),
        "placeholders": ", ".join(f"'{name}'" for name in nobody()),
        "one_in": str(rfm.GAPS_ONE_USER_IN if rows > rfm.EXACT_GAPS_UP_TO else 1),
        "within": str(WITHIN),
        "pause": str(PAUSE),
    }


CSV_COLUMNS = (
    "{'order_id': 'VARCHAR', 'user_id': 'VARCHAR', 'ordered_at': 'TIMESTAMP', 'amount': 'DOUBLE', 'channel': 'VARCHAR'}"
)

CSV_SCAN = """
SELECT sum(strlen(order_id))::BIGINT, sum(strlen(user_id))::BIGINT, strftime(max(ordered_at), '%Y-%m-%d %H:%M:%S.%f'),
       sum(round(amount * 10000)::BIGINT)::BIGINT FROM {source}"""


# --- RFM ----------------------------------------------------------------------------------------------------------

TIERS = """
WITH users AS MATERIALIZED (
    SELECT u, max(ordered_at) FILTER (steps >= 0) AS last, count(*) FILTER (steps >= 0) AS orders,
           sum(steps)::BIGINT AS monetary, max(ordered_at) AS seen, count(*) AS n
    FROM (SELECT hash(user_id) AS u, ordered_at, round(amount * 10000)::BIGINT AS steps FROM {source}) GROUP BY u),
judged AS MATERIALIZED (
    SELECT last, orders, monetary, seen, n, CASE WHEN u = {missing} THEN 'missing_user_id'
           WHEN u IN ({nobody}) THEN 'placeholder_user_id' END AS reject FROM users),
buyers AS MATERIALIZED (
    SELECT date_diff('day', last::DATE, (SELECT max(seen)::DATE FROM judged WHERE reject IS NULL)) AS recency,
           orders, monetary FROM judged WHERE reject IS NULL AND orders > 0),
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
"""One row per user, those who are nobody included: they are told apart afterwards, which costs next to nothing; scores
are summed per cell before cells are named. Without MATERIALIZED it takes twice as long."""

GAPS = """
SELECT quantile_disc(gap, [0.5, 0.8]) FROM (
    SELECT d - lag(d) OVER (PARTITION BY u ORDER BY d) AS gap FROM (
        SELECT DISTINCT hash(user_id) AS u, (epoch_us(ordered_at) // 86400000000)::INT AS d FROM {source}
        WHERE amount >= 0 AND hash(user_id) % {one_in} = 0) WHERE u NOT IN ({nobody})) WHERE gap IS NOT NULL"""
"""Of the share of the customers that userops takes, too."""

CLICKHOUSE_TIERS = """
WITH users AS MATERIALIZED (
    SELECT u, maxIf(ordered_at, steps >= 0) AS last, countIf(steps >= 0) AS orders, sum(steps) AS monetary,
           max(ordered_at) AS seen, count() AS n
    FROM (SELECT xxh3(user_id) AS u, ordered_at, toInt64(round(amount * 10000)) AS steps FROM {source}) GROUP BY u),
judged AS MATERIALIZED (
    SELECT last, orders, monetary, seen, n,
           multiIf(u = {missing}, 'missing_user_id', u IN ({nobody}), 'placeholder_user_id', '') AS reject FROM users),
buyers AS MATERIALIZED (
    SELECT dateDiff('day', last, (SELECT max(seen) FROM judged WHERE reject = '')) AS recency, orders, monetary
    FROM judged WHERE reject = '' AND orders > 0),
(SELECT (quantilesExactWeighted(0.2, 0.4, 0.6, 0.8)(recency, 1), quantilesExactWeighted(0.2, 0.4, 0.6, 0.8)(orders, 1),
         quantilesExactWeighted(0.2, 0.4, 0.6, 0.8)(monetary, 1)) FROM buyers) AS cuts,
cells AS (SELECT * FROM VALUES('cell UInt16, segment String', {cells})),
summed AS (
    SELECT 100 * (5 - arrayCount(cut -> recency > cut, cuts.1)) + 10 * (1 + arrayCount(cut -> orders > cut, cuts.2))
           + 1 + arrayCount(cut -> monetary > cut, cuts.3) AS cell,
           count() AS users, sum(recency) AS days, sum(orders) AS times, sum(monetary) AS money FROM buyers GROUP BY cell)
SELECT segment, sum(users) AS n, sum(days) / n, sum(times) / n, sum(money) / (n * 10000), sum(money) / 10000
FROM summed JOIN cells USING (cell) GROUP BY segment
UNION ALL SELECT reject, sum(n), NULL, NULL, NULL, NULL FROM judged WHERE reject != '' GROUP BY reject"""

CLICKHOUSE_GAPS = """
SELECT quantilesExactWeighted(0.5, 0.8)(gap, 1) FROM (
    SELECT xxh3(user_id) AS u,
           arrayJoin(arrayPopFront(arrayDifference(arraySort(groupUniqArray(toInt32(toDate(ordered_at))))))) AS gap
    FROM {source} WHERE amount >= 0 AND u % {one_in} = 0 GROUP BY u HAVING u NOT IN ({nobody}))"""


# --- periods ------------------------------------------------------------------------------------------------------

MASKS = """
masks AS MATERIALIZED (SELECT hash(user_id) AS id, bit_or(1::UBIGINT << ({period} % 64)::UBIGINT) AS b
    FROM {source} {where} GROUP BY id),
known AS (SELECT b, count(*) AS n FROM masks WHERE id NOT IN ({nobody}) GROUP BY b),
span AS (SELECT {lo} AS lo, {hi} AS hi FROM (SELECT min({time}) AS lo, max({time}) AS hi FROM {source})),
seen AS MATERIALIZED (SELECT b, n, p FROM known, (SELECT unnest(range(lo, hi + 1)) AS p FROM span)
    WHERE (b >> (p % 64)::UBIGINT) & 1 = 1)"""
"""Periods of a user as bits of one word, equal words counted. Unusable ids are told apart per user, not per row."""

CLICKHOUSE_MASKS = """
(SELECT {lo} FROM (SELECT min({time}) AS lo FROM {source})) AS lo,
known AS (
    SELECT b, count() AS n FROM (
        SELECT xxh3(user_id) AS u, groupBitOr(bitShiftLeft(toUInt64(1), {period} % 64)) AS b
        FROM {source} {where} GROUP BY u)
    WHERE u NOT IN ({nobody}) GROUP BY b),
seen AS MATERIALIZED (
    SELECT toInt64(n) AS n, arraySort(arrayMap(bit -> toInt64(lo + positiveModulo(bit - lo, 64)), bitPositionsToArray(b))) AS ps
    FROM known)"""
"""The same; ``ps``: the periods of all users of a word, in order."""

COHORTS = """
WITH {masks}
SELECT {on_c}, (p - c)::INT AS n, sum(n)::BIGINT FROM (SELECT p, n, min(p) OVER (PARTITION BY b) AS c FROM seen)
GROUP BY c, p ORDER BY c, p"""

CLICKHOUSE_COHORTS = """
WITH {masks}
SELECT {on_c}, p - c, sum(n) FROM (SELECT n, ps[1] AS c, arrayJoin(ps) AS p FROM seen) GROUP BY c, p ORDER BY c, p"""

GROWTH = """
WITH {masks},
steps AS (SELECT p, n, lag(p) OVER (PARTITION BY b ORDER BY p) AS before, lead(p) OVER (PARTITION BY b ORDER BY p) AS after FROM seen),
here AS (SELECT p, sum(n) FILTER (before IS NULL) AS new, sum(n) FILTER (before = p - 1) AS retained,
                sum(n) FILTER (before < p - 1) AS resurrected FROM steps GROUP BY p),
gone AS (SELECT p + 1 AS p, sum(n) AS churned FROM steps WHERE after IS NULL OR after > p + 1 GROUP BY p)
SELECT {on_p}, coalesce(new, 0)::BIGINT, coalesce(retained, 0)::BIGINT, coalesce(resurrected, 0)::BIGINT, coalesce(churned, 0)::BIGINT
FROM here LEFT JOIN gone USING (p) ORDER BY p"""

CLICKHOUSE_GROWTH = """
WITH {masks},
steps AS (
    SELECT n, arrayJoin(arrayZip(ps, arrayPushFront(arrayPopBack(ps), -1), arrayPushBack(arrayPopFront(ps), -1))) AS step,
           step.1 AS p, step.2 AS before, step.3 AS after FROM seen),
moves AS (
    SELECT p, if(before = -1, n, 0) AS new, if(before = p - 1, n, 0) AS retained,
           if(before != -1 AND before < p - 1, n, 0) AS resurrected, 0 AS churned FROM steps
    UNION ALL SELECT p + 1, 0, 0, 0, n FROM steps WHERE after != p + 1)
SELECT {on_p}, sum(new), sum(retained), sum(resurrected), sum(churned) FROM moves
WHERE p <= (SELECT max(arrayMax(ps)) FROM seen) GROUP BY p ORDER BY p"""

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
"""A day counts until the window ends or the user's next day begins: differences, summed up. Day masks in words of 64
bits cost more."""

CLICKHOUSE_ACTIVE = """
WITH pairs AS MATERIALIZED (
    SELECT d, after, toInt64(count()) AS n FROM (
        SELECT arrayJoin(arrayZip(ds, arrayPushBack(arrayPopFront(ds), 1000000))) AS pair, pair.1 AS d, pair.2 AS after FROM (
            SELECT arraySort(groupUniqArray({day})) AS ds FROM {source} GROUP BY xxh3(user_id) AS u HAVING u NOT IN ({nobody})))
    GROUP BY d, after),
(SELECT (min(d), max(d)) FROM pairs) AS span,
steps AS (
    SELECT d, n AS dau, n AS w, n AS m FROM pairs
    UNION ALL SELECT least(d + 7, after), 0, -n, 0 FROM pairs
    UNION ALL SELECT least(d + 28, after), 0, 0, -n FROM pairs),
daily AS (SELECT d, sum(dau) AS dau, sum(sum(w)) OVER (ORDER BY d) AS wau, sum(sum(m)) OVER (ORDER BY d) AS mau FROM steps GROUP BY d)
SELECT toString(toDate(d)), dau, if(d >= span.1 + 6, wau, NULL), if(d >= span.1 + 27, mau, NULL)
FROM daily WHERE d <= span.2 ORDER BY d"""


# --- funnel and paths ---------------------------------------------------------------------------------------------

FUNNEL = """
WITH e AS (SELECT hash(user_id) AS u, event, epoch_us(time) AS t FROM {source}
           WHERE event IN ('event_00', 'event_01', 'event_02', 'event_03')),
a AS (SELECT u, t, t AS start FROM e WHERE event = 'event_00'),
b AS (SELECT e.u, e.t, start FROM e ASOF JOIN a ON e.u = a.u AND e.t >= a.t WHERE event = 'event_01' AND e.t - start <= {within}),
c AS (SELECT e.u, e.t, start FROM e ASOF JOIN b ON e.u = b.u AND e.t >= b.t WHERE event = 'event_02' AND e.t - start <= {within}),
d AS (SELECT e.u, e.t, start FROM e ASOF JOIN c ON e.u = c.u AND e.t >= c.t WHERE event = 'event_03' AND e.t - start <= {within})
SELECT (SELECT count(DISTINCT u) FROM a WHERE u NOT IN ({nobody})), (SELECT count(DISTINCT u) FROM b WHERE u NOT IN ({nobody})),
       (SELECT count(DISTINCT u) FROM c WHERE u NOT IN ({nobody})), (SELECT count(DISTINCT u) FROM d WHERE u NOT IN ({nobody}))"""
"""To each step the last of the step before, which carries the latest start that reaches it: right for every entry. Three
window functions are slower (:data:`FUNNEL_BY_WINDOWS`), and the usual join of first events loses one user in ten."""

FUNNEL_BY_WINDOWS = """
WITH e AS (SELECT hash(user_id) AS u, epoch_us(time) AS t,
                  CASE event WHEN 'event_00' THEN 0 WHEN 'event_01' THEN 1 WHEN 'event_02' THEN 2 ELSE 3 END AS s
           FROM {source} WHERE event IN ('event_00', 'event_01', 'event_02', 'event_03')),
a AS (SELECT u, t, s, max(CASE WHEN s = 0 THEN t END) OVER w AS c FROM e WINDOW w AS (PARTITION BY u ORDER BY t, s)),
b AS (SELECT u, t, s, c, max(CASE WHEN s = 1 AND t - c <= {within} THEN c END) OVER w AS d
      FROM a WINDOW w AS (PARTITION BY u ORDER BY t, s)),
f AS (SELECT u, t, s, c, d, max(CASE WHEN s = 2 AND t - d <= {within} THEN d END) OVER w AS g
      FROM b WINDOW w AS (PARTITION BY u ORDER BY t, s)),
levels AS (SELECT u, max(CASE WHEN s = 3 AND t - g <= {within} THEN 4 WHEN s = 2 AND t - d <= {within} THEN 3
                             WHEN s = 1 AND t - c <= {within} THEN 2 WHEN s = 0 THEN 1 ELSE 0 END) AS level FROM f GROUP BY u)
SELECT count(*) FILTER (level >= 1), count(*) FILTER (level >= 2), count(*) FILTER (level >= 3), count(*) FILTER (level >= 4)
FROM levels WHERE u NOT IN ({nobody})"""
"""Of each step the latest start that reaches it, carried forward, as people write it."""

CLICKHOUSE_FUNNEL = """
SELECT countIf(level >= 1), countIf(level >= 2), countIf(level >= 3), countIf(level >= 4) FROM (
    SELECT windowFunnel(604800000)(toUInt64(toUnixTimestamp64Milli(time)),
        event = 'event_00', event = 'event_01', event = 'event_02', event = 'event_03') AS level
    FROM {source} GROUP BY user_id HAVING user_id != '' AND user_id NOT IN ({placeholders}))"""

PATHS = """
WITH names AS (SELECT list_sort(list(DISTINCT event)) AS l FROM {source}),
e AS (SELECT hash(user_id) AS u, epoch_us(time) * 32 + list_position((SELECT l FROM names), event) AS k FROM {source}),
steps AS (SELECT u, k, lag(k) OVER w AS before, lead(k) OVER w AS after FROM e WINDOW w AS (PARTITION BY u ORDER BY k)),
coded AS (SELECT u, CASE WHEN k // 32 - before // 32 <= {pause} THEN before % 32 ELSE 0 END * 32 + k % 32 AS move,
                 CASE WHEN after IS NULL OR after // 32 - k // 32 > {pause} THEN k % 32 * 32 END AS leave FROM steps),
moves AS (SELECT u, move, count(*) AS n FROM coded GROUP BY u, move
          UNION ALL SELECT u, leave, count(*) FROM coded WHERE leave IS NOT NULL GROUP BY u, leave)
SELECT coalesce(l[move // 32], '(start)') AS source, coalesce(l[move % 32], '(exit)') AS target, sum(n)::BIGINT AS transitions,
       count(*) AS users FROM moves, names WHERE u NOT IN ({nobody}) GROUP BY ALL ORDER BY source, target"""
"""Time and event in one sorted key, moves as pairs of codes (0: begin or end), counted per user first."""

CLICKHOUSE_PATHS = """
WITH (SELECT arraySort(groupUniqArray(event)) FROM {source}) AS names,
users AS (
    SELECT arraySort(groupArray(toUnixTimestamp64Micro(time) * 32 + indexOf(names, event))) AS k,
           arrayPushFront(arrayPopBack(k), -1000000000000000000) AS before,
           arrayPushBack(arrayPopFront(k), 9000000000000000000) AS after
    FROM {source} GROUP BY xxh3(user_id) AS u HAVING u NOT IN ({nobody})),
moves AS (SELECT arraySort(arrayConcat(
    arrayMap((x, y) -> if(intDiv(x, 32) - intDiv(y, 32) <= {pause}, y % 32, 0) * 32 + x % 32, k, before),
    arrayFilter(leave -> leave > 0, arrayMap((x, y) -> if(intDiv(y, 32) - intDiv(x, 32) > {pause}, x % 32 * 32, 0), k, after))))
    AS ms FROM users),
counted AS (
    SELECT pair.1 AS m, count() AS transitions, sum(pair.2) AS users FROM (
        SELECT arrayJoin(arrayMap((m, y) -> (m, m != y), ms, arrayPushFront(arrayPopBack(ms), -1))) AS pair FROM moves)
    GROUP BY m)
SELECT if(intDiv(m, 32) = 0, '(start)', names[intDiv(m, 32)]) AS source, if(m % 32 = 0, '(exit)', names[m % 32]) AS target,
       transitions, users FROM counted ORDER BY source, target"""


# --- the check-up -------------------------------------------------------------------------------------------------

CHECK_UP = (
    """SELECT sum(n)::BIGINT FROM (
        SELECT epoch_us(time) // 3600000000 AS hour, hash(user_id) IN ({nobody}) AS rejected, count(*) AS n, min(time), max(time)
        FROM {source} GROUP BY 1, 2) WHERE NOT rejected""",
    """CREATE OR REPLACE TEMP TABLE days AS SELECT * FROM (
        SELECT hash(user_id) AS u, {day} AS d, bit_or(1 << substr(event, 7)::INT) AS m FROM {source} GROUP BY 1, 2)
       WHERE u NOT IN ({nobody})""",
    "SELECT d, count(*), " + ", ".join(f"sum((m >> {n}) & 1)::BIGINT" for n in range(20)) + " FROM days GROUP BY d ORDER BY d",
    "SELECT d, " + ", ".join(f"count(*) FILTER ((m >> {n}) & 3 = 3)" for n in range(3)) + " FROM days GROUP BY d ORDER BY d",
    "SELECT d, count(*) FROM (SELECT min(d) AS d FROM days GROUP BY u) GROUP BY d ORDER BY d",
    """WITH s AS (SELECT u, d, m, min(d) OVER (PARTITION BY u) AS s FROM days),
    p AS (SELECT u, s, bool_or((m >> 3) & 1 = 1 AND d - s <= 7) AS a, bool_or(d - s = 1) AS d1, bool_or(d - s = 7) AS d7,
                 bool_or(d - s = 30) AS d30 FROM s GROUP BY u, s)
    SELECT s, count(*), count(*) FILTER (a), count(*) FILTER (d1), count(*) FILTER (d7), count(*) FILTER (d30)
    FROM p GROUP BY s ORDER BY s""",
)  # fmt: skip
"""Rows by hour; users and days with a bit per event (their names end in a number), kept for the tables that follow:
events by day, steps, new users, who stays. Each from the file takes more than twice as long (:data:`CHECK_UP_BY_QUERIES`)."""

_DAYS = """WITH days AS (
    SELECT hash(user_id) AS u, {day} AS d, bit_or(1 << substr(event, 7)::INT) AS m FROM {source} GROUP BY 1, 2
    HAVING u NOT IN ({nobody})) """

CHECK_UP_BY_QUERIES = (
    CHECK_UP[0],
    _DAYS + CHECK_UP[2],
    _DAYS + CHECK_UP[3],
    """SELECT d, count(*) FROM (SELECT hash(user_id) AS u, min({day}) AS d FROM {source} GROUP BY u)
       WHERE u NOT IN ({nobody}) GROUP BY d ORDER BY d""",
    _DAYS + CHECK_UP[5].replace("WITH", ",", 1),
)
"""The same five tables, each by a query of its own."""


# --- lifetime value -----------------------------------------------------------------------------------------------

REPEATS = """
WITH days AS (SELECT hash(user_id) AS u, epoch_us(ordered_at) // 86400000000 AS d, bool_or(amount >= 0) AS bought
              FROM {source} GROUP BY u, d),
customers AS MATERIALIZED (
    SELECT count(*) FILTER (bought) - 1 AS x, min(d) FILTER (bought) AS first, max(d) FILTER (bought) AS last, max(d) AS seen
    FROM days WHERE u NOT IN ({nobody}) GROUP BY u)
SELECT x, last - first AS t_x, (SELECT max(seen) FROM customers) - first AS T, count(*) AS n
FROM customers WHERE x >= 0 GROUP BY ALL"""
"""What BG/NBD is fitted to: repeat days, day of the last, days seen, and how many customers are alike."""
