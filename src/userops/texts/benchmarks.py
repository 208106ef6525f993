"""Benchmarks as data: what others report for a line of business, where they say so, and how far to trust it.

Published figures for one and the same thing differ by more than two times, so every one stands with its source and
date, and none is shown unless the line of business is named.
"""

from __future__ import annotations

from typing import NamedTuple

from userops.texts import Text


class Benchmark(NamedTuple):
    """One published figure: ``low`` to ``high`` (the same: a single one; None: no such end), of a ``metric``.

    ``seen``: the year the source gives, or the month in which it was looked up.
    """

    vertical: str
    metric: str
    low: float | None
    high: float | None
    meaning: Text
    source: str
    seen: str


_MEDIAN = Text("median", "中位数")
_TYPICAL = Text("typical, weak source", "典型值(来源较弱)")
_ADJUST = "Adjust, quoted by lovable.dev"
_MWM = "MWM US app catalogue, mwm.ai"
_UNSTAR = "unstar.app"
_SKOK = "D. Skok, SaaS Metrics 2.0"
_LOOKED_UP = "looked up 2026-11"


def _days(vertical: str, d1: float, d7: float, d30: float, meaning: Text, source: str, seen: str) -> list[Benchmark]:
    shares = {"d1": d1, "d7": d7, "d30": d30}
    return [Benchmark(vertical, metric, share, share, meaning, source, seen) for metric, share in shares.items()]


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark("e-commerce", "d1", 0.20, 0.30, _TYPICAL, "clicksflyer", _LOOKED_UP),
    Benchmark("e-commerce", "d7", 0.10, 0.15, _TYPICAL, "clicksflyer", _LOOKED_UP),
    Benchmark("e-commerce", "d30", 0.05, 0.08, _TYPICAL, "clicksflyer", _LOOKED_UP),
    *_days("e-commerce", 0.40, 0.22, 0.12, _TYPICAL, f"{_UNSTAR} (shopping)", "2026"),
    *_days("mobile-app", 0.26, 0.13, 0.07, _MEDIAN, _ADJUST, _LOOKED_UP),
    *_days("mobile-app", 0.273, 0.092, 0.039, _MEDIAN, _MWM, _LOOKED_UP),
    Benchmark("mobile-app", "d30", 0.109, None, Text("top tenth", "前 10%"), _MWM, _LOOKED_UP),
    *_days("social", 0.48, 0.28, 0.14, _TYPICAL, _UNSTAR, "2026"),
    *_days("casual-games", 0.35, 0.12, 0.04, _TYPICAL, _UNSTAR, "2026"),
    *_days("finance", 0.58, 0.42, 0.28, _TYPICAL, _UNSTAR, "2026"),
    *_days("travel", 0.30, 0.12, 0.05, _TYPICAL, _UNSTAR, "2026"),
    Benchmark("saas", "ltv_cac", 3.0, None, Text("healthy, of gross margin", "健康(按毛利)"), _SKOK, _LOOKED_UP),
    Benchmark("saas", "payback_days", None, 365.0, Text("healthy, of gross margin", "健康(按毛利)"), _SKOK, _LOOKED_UP),
)
"""Every figure there is, with no judgement of ours."""

VERTICALS: tuple[str, ...] = tuple(dict.fromkeys(benchmark.vertical for benchmark in BENCHMARKS))
"""The lines of business somebody has published figures for."""


def of(vertical: str | None) -> tuple[Benchmark, ...]:
    """The figures for a line of business (in any case, spaces or hyphens); none when it is not named or not known."""
    wanted = (vertical or "").strip().casefold().replace(" ", "-").replace("_", "-")
    wanted = {"ecommerce": "e-commerce", "电商": "e-commerce", "游戏": "casual-games"}.get(wanted, wanted)
    return tuple(benchmark for benchmark in BENCHMARKS if benchmark.vertical == wanted)
