"""Measure BG/NBD of userops beside lifetimes: time of a fit on raw rows, and who told the holdout of CDNOW best.

    python bench/ltv.py [--customers 2357,100k,1M] [--runs 3] [--cdnow FILE]...

Rows are customers: repeat days, day of the last, days seen. Both sides get all of them (userops groups the equal ones itself),
in turn (A B A B), and must find the same parameters. CPU seconds, medians. ``--cdnow``: files of orders with customer,
date and amount; fitted to what was known on 1997-09-30, judged by the 39 weeks after it. Needs lifetimes 0.11.3.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from lifetimes import BetaGeoFitter, GammaGammaFitter, ParetoNBDFitter  # noqa: E402

from run import count  # noqa: E402
from userops import ltv  # noqa: E402
from userops.models import customer_value  # noqa: E402
from userops.models.bg_nbd import BgNbd  # noqa: E402
from userops.models.histories import Histories  # noqa: E402

END, HELD = date(1997, 9, 30), 273
TRUE = BgNbd(0.5, 30.0, 0.8, 2.5)


def customers(n: int) -> Histories:
    """Simulated customers, in whole days."""
    rng = np.random.default_rng(n)
    h = TRUE.simulate(rng.integers(90, 365, n).astype(float), rng)
    return Histories.of(h.x, np.ceil(h.t_x), h.T)


def ours(h: Histories) -> list[float]:
    return list(BgNbd.fit(Histories.of(h.x, h.t_x, h.T).distinct()).parameters.values())


def theirs(h: Histories) -> list[float]:
    return [float(v) for v in BetaGeoFitter().fit(h.x, h.t_x, h.T).params_]


def timed(work: Callable[[Histories], list[float]], h: Histories) -> tuple[float, list[float]]:
    start = time.process_time()
    found = work(h)
    return time.process_time() - start, found


def speed(sizes: list[int], runs: int) -> None:
    print("| customers | userops CPU s | lifetimes CPU s | times faster |\n| --- | --- | --- | --- |")
    for n in sizes:
        h = customers(n)
        pairs = [(timed(ours, h), timed(theirs, h)) for _ in range(runs if n < 500_000 else 1)]
        (_, a), (_, b) = pairs[0]
        if not np.allclose(a, b, rtol=0.01):
            raise SystemExit(f"the sides differ at {n:,} customers: {a} and {b}")
        us, them = (statistics.median(pair[side][0] for pair in pairs) for side in (0, 1))
        print(f"| {n:,} | {us:.3f} | {them:.2f} | {them / us:.0f} |", flush=True)


def accuracy(path: str) -> None:
    """Orders and spend of the 39 weeks after the calibration, told by each."""
    frame = pl.read_csv(path)
    user = next(name for name in frame.columns if "id" in name)
    rows = frame.select(user_id=pl.col(user).cast(pl.String), ordered_at=pl.col("date").str.to_date(), amount="amount")
    known, after = rows.filter(pl.col("ordered_at") <= END), rows.filter(pl.col("ordered_at") > END)
    came = after.group_by("user_id").agg(
        n=pl.col("ordered_at").n_unique().cast(pl.Float64), worth=pl.col("amount").sum()
    )
    print(f"\n{Path(path).name}: {known['user_id'].n_unique():,} customers\n")
    print("| | MAE | RMSE | total | Gini | Gini of spend |\n| --- | --- | --- | --- | --- | --- |")

    def told(name: str, users: pl.DataFrame) -> None:
        both = users.join(came, on="user_id", how="left").with_columns(pl.col("n", "worth").fill_null(0))
        ones = np.ones(both.height)
        orders, value = (
            customer_value.score(both[said].to_numpy(), both[real].to_numpy(), ones)
            for said, real in (("orders", "n"), ("value", "worth"))
        )
        print(
            f"| {name} | {orders.mae:.3f} | {orders.rmse:.3f} | {100 * (orders.total_error or 0):+.1f} % "
            f"| {orders.gini:.3f} | {value.gini:.3f} |"
        )

    for model in ("auto", "bg-nbd", "mbg-nbd", "pareto-nbd"):
        said: Any = {"as_of": END, "horizon": timedelta(days=HELD), "discount": 0.0, "model": model, "per_user": True}
        result = ltv.analyse(known, time_unit="week", **said)
        users = result.users
        assert users is not None
        name = f"userops auto ({result.summary['model']})" if model == "auto" else f"userops {model}"
        told(name, users.select("user_id", orders="expected_orders", value="ltv"))
    weeks = pl.col("recency", "T").cast(pl.Float64), pl.col("monetary_value").fill_null(0.0)
    table = users.select("user_id", "frequency", *weeks).to_pandas()
    again = table[(table.frequency > 0) & (table.monetary_value > 0)]
    spend = GammaGammaFitter().fit(again.frequency, again.monetary_value)
    worth = spend.conditional_expected_average_profit(table.frequency, table.monetary_value)
    for kind in (BetaGeoFitter, ParetoNBDFitter) if len(table) < 5_000 else (BetaGeoFitter,):
        fitter = kind().fit(table.frequency, table.recency, table["T"])
        orders = fitter.conditional_expected_number_of_purchases_up_to_time(
            HELD / 7, table.frequency, table.recency, table["T"]
        )
        both = {"user_id": table.user_id, "orders": np.asarray(orders), "value": np.asarray(orders * worth)}
        told(f"lifetimes {kind.__name__.removesuffix('Fitter')}", pl.DataFrame(both))
    naive = users.select("user_id", n=pl.col("frequency").cast(pl.Float64), m="monetary_value", t="T")
    rate = naive.select(
        "user_id",
        orders=pl.col("n") / pl.col("t") * HELD / 7,
        value=pl.col("n") * pl.col("m").fill_null(0) / pl.col("t"),
    )
    told("naive: the same rate", rate)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--customers", default="2357,100k,1M", help="how many, such as 2357,100k,1M; empty: no fits are timed"
    )
    parser.add_argument("--runs", type=int, default=3, help="of fits below 500,000 customers")
    parser.add_argument("--cdnow", action="append", default=[], help="orders of CDNOW (repeatable)")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # of lifetimes
    if options.customers:
        speed([count(size) for size in options.customers.split(",")], options.runs)
    for path in options.cdnow:
        accuracy(path)


if __name__ == "__main__":
    main()
