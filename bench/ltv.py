"""Who told the holdout of CDNOW best: the models of userops, those of lifetimes, and a naive guess.

    python bench/ltv.py FILE...

Files of orders with customer, date and amount; fitted to what was known on 1997-09-30, judged by the 39 weeks after it.
Needs lifetimes 0.11.3. How long fits take is a workload of ``run.py``.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from datetime import date, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src")]

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from lifetimes import BetaGeoFitter, GammaGammaFitter, ParetoNBDFitter  # noqa: E402

from userops import ltv  # noqa: E402
from userops.models import customer_value  # noqa: E402

END, HELD = date(1997, 9, 30), 273


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
        users = result.per_user().rows
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
    parser.add_argument("files", nargs="+", help="orders of CDNOW")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # of lifetimes
    for path in options.files:
        accuracy(path)


if __name__ == "__main__":
    main()
