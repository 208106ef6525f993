"""userops from Python: frames in, a result out. Run it: python python_api.py."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import polars as pl

from userops import demo, grids, rfm
from userops.errors import UseropsError

# Any Polars frame, eager or lazy, with user_id, ordered_at and amount (order_id and currency where there are any).
orders: pl.DataFrame = demo.tables(demo.Settings(customers=1_000, days=365)).orders

# Settings are keywords; what is not said has a sensible default.
result = rfm.analyse(orders, as_of=date(2025, 12, 31), per_user=True)
print(result)  # a notebook draws the same as HTML

# The tiers are a frame, the summary a plain dictionary.
best = result.rows.filter(pl.col("segment") == "Champions")
print(f"{best['users'].item()} champions bring {best['revenue_share'].item():.0%} of the revenue")
print(f"{result.summary['repeat_rate']:.0%} bought again, half of them within {result.summary['median_gap_days']} days")

# Customers are a frame too, for whatever comes next.
assert result.users is not None  # made by per_user=True
to_win_back = result.users.filter(pl.col("segment").is_in(["At Risk", "Cannot Lose"])).sort("monetary", descending=True)
print(to_win_back.head(3))

# Score a later month with the cuts of this one, and see who moved.
later = rfm.analyse(orders, as_of=date(2026, 1, 31), cuts=result.cuts, previous=result.users)
print(f"{later.summary['moved_users']} customers changed their segment by doing nothing for a month")

# A grid of your own.
document = tomllib.loads((Path(__file__).parent / "segments.toml").read_text(encoding="utf-8"))
print(
    rfm.analyse(orders, segments=grids.parse(document, "segments.toml")).rows.select("segment", "segment_zh", "users")
)

# What a user can mend is a UseropsError: a stable code, a message, a hint.
try:
    rfm.analyse(orders.rename({"amount": "total"}))
except UseropsError as problem:
    print(f"{problem.code}: {problem.message} ({problem.hint})")
