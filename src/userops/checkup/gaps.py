"""Segments against each other: those that always convert otherwise than the rest. No illness, but room."""

from __future__ import annotations

import polars as pl

from userops import stats
from userops.checkup.findings import Finding
from userops.checkup.measures import Measured, Metric
from userops.checkup.suspects import LEAST_ODDS, log_odds
from userops.results import Text

MOST = 3
"""Gaps that are told, the largest."""


def found(measured: Measured) -> tuple[list[Finding], int]:
    """Segments that always convert otherwise than the rest: no change, but room; and how many were compared."""
    cells = measured.days
    if cells is None or len(measured.steps) < 2:
        return [], 0
    whole = Metric(
        "visit_conversion",
        "step",
        "days",
        f"did {measured.steps[-1]}",
        "users",
        "share",
        3,
        event=measured.steps[-1],
        previous="visit",
    )
    compared: list[tuple[float, float, Finding]] = []
    tested = 0
    for dimension in cells.dimensions:
        sums = cells.rows.group_by(value=pl.col(dimension.name)).agg(n=pl.col(whole.top).sum(), d=pl.col("users").sum())
        counts = {str(value): (int(n), int(d)) for value, n, d in sums.iter_rows()}
        total_n, total_d = (sum(pair[i] for pair in counts.values()) for i in (0, 1))
        for value in dimension.values:
            n, d = counts.get(value, (0, 0))
            if d < 100 or total_d - d < 100:
                continue
            tested += 1
            test = stats.two_proportions(n, d, total_n - n, total_d - d)
            mine, rest = n / d, (total_n - n) / (total_d - d)
            if test.p is not None and abs(log_odds(mine) - log_odds(rest)) >= LEAST_ODDS:
                compared.append((test.p, (mine - rest) * d, _gap(whole, dimension.name, value, mine, rest, d, test.p)))
    kept = [(size, gap) for p, size, gap in compared if p * tested <= 0.001]
    kept.sort(key=lambda pair: (-abs(pair[0]), pair[1].id))
    return [gap for _, gap in kept[:MOST]], tested


def _gap(metric: Metric, column: str, value: str, mine: float, rest: float, n: int, p: float) -> Finding:
    segment = f"{column}={value}"
    more, zh = ("more", "更高") if mine > rest else ("less", "更低")
    return Finding(
        id=f"behaviour.{metric.name}.{segment}.gap",
        area="behaviour",
        title=Text(
            f"{segment} always buys {more}: {metric.event} on {mine * 100:.1f} % of its user-days, {rest * 100:.1f} % of the others'",
            f"{segment} 的购买转化一贯{zh}:{metric.event} 用户日占比 {mine * 100:.1f}%,其他为 {rest * 100:.1f}%",
        ),
        severity="info",
        metric=metric.name,
        segment=segment,
        value=mine,
        baseline=rest,
        delta=mine - rest,
        n=n,
        p_value=min(1.0, p),
        kind="share",
    )
