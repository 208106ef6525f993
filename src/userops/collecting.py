from __future__ import annotations
import polars as pl
def collect_all(lazies, what): return pl.collect_all(lazies)
def collect(lazy, what): return lazy.collect()
