"""Orders and events to measure with: the same bytes for the same number of rows, made once and kept outside the repository.

Customers buy as BG/NBD has it (a gamma-distributed pace, a beta-distributed chance to leave after every order), about
5.4 orders each over two years. Rows lie in no order at all. One row in fifty is a refund, one in a thousand has no user
id, one in a thousand a placeholder. Memory stays bounded by a block of rows and the list of customers.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

BLOCK = 500_000
"""Rows drawn together; also the size of a row group."""

VERSION = 1
"""Part of the file names: another way of drawing is another file."""

DAYS = 730
DAY = 86_400_000_000
START = 1_704_067_200_000_000  # 2024-01-01
EVENT_DAYS = 180
ROWS_A_SESSION = 6
NAMES = tuple(f"event_{number:02}" for number in range(20))
CHANNELS = ("organic", "search_ads", "social", "referral", "email", "direct")


def default_folder() -> Path:
    """Where files are kept unless told otherwise: in the system's folder for temporary files."""
    return Path(tempfile.gettempdir()) / "userops-bench"


def orders(rows: int, form: str = "parquet", folder: Path | None = None) -> Path:
    """The path of ``rows`` orders as ``parquet`` or ``csv``, made when it is not there yet.

    Columns: ``order_id, user_id`` (11 characters each), ``ordered_at`` (microseconds), ``amount`` (two decimals), ``channel``.
    """
    folder = folder or default_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"orders-{VERSION}-{rows}.{form}"
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        if form == "csv":
            source = pl.scan_parquet(orders(rows, "parquet", folder))
            source.sink_csv(unfinished, datetime_format="%Y-%m-%dT%H:%M:%S%.6f", maintain_order=True)
        else:
            _write_parquet(unfinished, _blocks(rows))
        unfinished.replace(path)
    return path


def events(rows: int, folder: Path | None = None) -> Path:
    """The path of ``rows`` events as Parquet, made when it is not there yet: ``user_id, event, time``.

    Sessions of six events within some minutes, over 180 days and in no order at all; some users have many, most few,
    45 events on average. Twenty names, the first far more frequent than the last (Zipf). Ids as those of orders.
    """
    folder = folder or default_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events-{VERSION}-{rows}.parquet"
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        _write_parquet(unfinished, _blocks_of_events(rows))
        unfinished.replace(path)
    return path


def _blocks_of_events(rows: int) -> Iterator[pl.DataFrame]:
    draw = np.random.default_rng(rows)
    sessions, users = rows // ROWS_A_SESSION + 1, rows // 45 + 1
    weight = draw.gamma(0.5, 1.0, users)
    user_of = draw.choice(users, size=sessions, p=weight / weight.sum()).astype(np.int64)
    start_of = START + (draw.random(sessions) * EVENT_DAYS * DAY).astype(np.int64)
    odds = 1 / np.arange(1, len(NAMES) + 1)
    step = _stride(rows)
    for start in range(0, rows, BLOCK):
        draw = np.random.default_rng((rows, start))
        number = np.arange(start, min(start + BLOCK, rows), dtype=np.int64)
        n, order = len(number), number * step % rows
        session, place = order // ROWS_A_SESSION, order % ROWS_A_SESSION
        at = (start_of[session] + place * draw.exponential(60e6, n)).astype(np.int64) // 1000 * 1000
        name = draw.choice(len(NAMES), size=n, p=odds / odds.sum())
        frame = pl.DataFrame({"user": user_of[session], "at": at, "nobody": draw.random(n), "name": name})
        yield (
            frame.lazy()
            .select(
                user_id=_ids(),
                event=pl.lit(pl.Series(NAMES)).gather(pl.col("name")),
                time=pl.col("at").cast(pl.Datetime("us")),
            )
            .collect()
        )


def _ids() -> pl.Expr:
    """Ids of 11 characters; one row in a thousand has none, one in a thousand a placeholder."""
    scattered = "u" + (pl.col("user") * 2_654_435_761 % 10_000_000_000).cast(pl.String).str.zfill(10)
    return pl.when(pl.col("nobody") >= 0.002).then(scattered).when(pl.col("nobody") >= 0.001).then(pl.lit("guest"))


def _write_parquet(path: Path, blocks: Iterator[pl.DataFrame]) -> None:
    writer: pq.ParquetWriter | None = None
    for block in blocks:
        table = block.to_arrow(compat_level=pl.CompatLevel.oldest())
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table, row_group_size=BLOCK)
    if writer is not None:
        writer.close()


def _blocks(rows: int) -> Iterator[pl.DataFrame]:
    """The rows, block by block: row i is order ``i * step mod rows`` of the list of all customers' orders."""
    draw = np.random.default_rng(rows)
    born, life, level, ends = _customers(draw, rows)
    step = _stride(rows)
    for start in range(0, rows, BLOCK):
        draw = np.random.default_rng((rows, start))
        number = np.arange(start, min(start + BLOCK, rows), dtype=np.int64)
        n = len(number)
        order = number * step % rows
        user = np.searchsorted(ends, order, side="right")
        at = START + ((born[user] + life[user] * draw.random(n)) * DAY).astype(np.int64) // 1000 * 1000
        amount = np.round(np.exp(level[user] + 0.5 * draw.standard_normal(n)), 2)
        amount = np.where(draw.random(n) < 0.02, -amount, amount)
        nobody = draw.random(n)
        yield (
            pl.DataFrame(
                {
                    "order": number,
                    "user": user,
                    "at": at,
                    "amount": amount,
                    "nobody": nobody,
                    "channel": draw.integers(0, 6, n),
                }
            )
            .lazy()
            .select(
                order_id="o" + pl.col("order").cast(pl.String).str.zfill(10),
                user_id=_ids(),
                ordered_at=pl.col("at").cast(pl.Datetime("us")),
                amount="amount",
                channel=pl.lit(pl.Series(CHANNELS)).gather(pl.col("channel")),
            )
            .collect()
        )


def _customers(draw: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each customer: first day, days from first to last order, level of spend (log), and the end of the orders."""
    most = rows // 4 + 1_000
    born = draw.random(most) * DAYS * 0.9
    pace = draw.gamma(0.9, 1 / 35, most)
    left = draw.geometric(draw.beta(0.8, 4.5, most)) - 1
    possible = draw.poisson(pace * (DAYS - born))
    repeats = np.minimum(possible, left)
    share = np.where(possible > 0, repeats / np.maximum(possible, 1), 0.0)
    life = (DAYS - born) * share
    level = 3.4 + 0.6 * draw.standard_normal(most)
    ends = np.cumsum(repeats + 1)
    enough = int(np.searchsorted(ends, rows)) + 1
    if enough > most:
        raise AssertionError("too few customers drawn")
    ends = np.minimum(ends[:enough], rows)
    return born[:enough], life[:enough], level[:enough], ends


def _stride(rows: int) -> int:
    """A step near the golden section of ``rows`` that shares no factor with it, so that every order comes once."""
    step = max(1, int(rows * 0.618_033_988_75))
    while np.gcd(step, rows) != 1:
        step += 1
    return step


if __name__ == "__main__":  # in a process of its own, so that the one that measures stays small
    rows, form, folder = sys.argv[1:]
    print(events(int(rows), Path(folder)) if form == "events" else orders(int(rows), form, Path(folder)))
