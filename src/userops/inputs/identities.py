"""Which ids are one person: anonymous ids joined with the ids that people are known by later."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from userops.collecting import collect
from userops.errors import InputError
from userops.inputs import layouts, values
from userops.inputs.mapping import Group
from userops.results import Text

if TYPE_CHECKING:
    from userops.inputs.raw import RawTable
    from userops.inputs.values import Reading

ANONYMOUS = ("anonymous_id", "alias", "previous_id", "first_id", "distinct_id", "amplitude_id")
KNOWN = ("user_id", "second_id", "person_id", "identified_id", "merged_amplitude_id")
"""What the two columns may be called; the first name of each is ours and always wins."""

_KEY, _FOUND = "\x1fid", "\x1fknown id"


@dataclass(frozen=True, slots=True)
class Identities:
    """Ids and whose they are: ``pairs`` (``anonymous_id, user_id``, text), one row per id, chains followed to the end."""

    pairs: pl.DataFrame
    notes: tuple[Text, ...]
    warnings: tuple[Text, ...] = ()

    def joined(self, rows: pl.LazyFrame, user: Reading) -> tuple[pl.LazyFrame, Reading]:
        """The rows with one more column, and the user read from it: whom an id is known as, else the id itself."""
        known = self.pairs.lazy().rename({"anonymous_id": _KEY, "user_id": _FOUND})
        rows = rows.with_columns(user.value.cast(pl.String).alias(_KEY))
        rows = rows.join(known, on=_KEY, how="left", maintain_order="left")
        return rows, replace(user, value=pl.coalesce(_FOUND, _KEY), dtype=pl.String())

    def known(self, ids: pl.Series) -> pl.Series:
        """The ids that these are known by, each once."""
        return ids.replace(self.pairs["anonymous_id"], self.pairs["user_id"]).unique()


def read_identities(table: RawTable) -> Identities:
    """The identities of a file with an anonymous and a known id per row.

    Rows without one of them say nothing. An id that is said to be several users is left alone, and told of. Raises
    InputError where the columns are unclear, and where ids lead round in a circle.
    """
    names = [_column(table, side) for side in (ANONYMOUS, KNOWN)]
    what = layouts.Recognition(None, "identities", {})
    group = Group((table,), what, table.rows, table.head)
    readings = [values.read_user([group.column(name)]) for name in names]
    rows = table.rows.with_columns(step for reading in readings for step in reading.first)
    somebody = ~values.any_of(flaw for reading in readings for flaw in reading.flaws.values())
    ids = [
        reading.value.cast(pl.String).alias(side[0]) for reading, side in zip(readings, (ANONYMOUS, KNOWN), strict=True)
    ]
    said = collect(rows.filter(somebody).select(ids).unique(), table.name)
    said = said.filter(pl.col("anonymous_id") != pl.col("user_id"))
    torn = pl.col("anonymous_id").is_duplicated()
    pairs = _ends(said.filter(~torn), table.name)
    left_alone = said.filter(torn)["anonymous_id"].n_unique()
    n, users = pairs.height, pairs["user_id"].n_unique()
    note = Text(f"{table.name}: {n:,} ids stand for {users:,} users", f"{table.name}:{n:,} 个ID归并为 {users:,} 个用户")
    warning = Text(
        f"{table.name}: {left_alone:,} ids stand for several users each; they are left as they are",
        f"{table.name}:{left_alone:,} 个ID对应多个用户,保持原样",
    )
    return Identities(pairs.sort("anonymous_id"), (note,), (warning,) if left_alone else ())


def _column(table: RawTable, names: tuple[str, ...]) -> str:
    """The column of one side; InputError where none or several could be it."""
    spelled = {layouts.normalised(column): column for column in reversed(list(table.schema))}
    there = [spelled[name] for name in map(layouts.normalised, names) if name in spelled]
    ours = layouts.normalised(names[0]) in spelled
    if not there or (len(there) > 1 and not ours):
        raise InputError.identities_unclear(table.name, list(table.schema))
    return there[0]


def _ends(pairs: pl.DataFrame, name: str) -> pl.DataFrame:
    """Every id with the id at the end of its chain; InputError where a chain has no end.

    Each round doubles how far every id sees, so that there are few however long the chains are.
    """
    for _ in range(pairs.height.bit_length()):
        on = pairs.rename({"anonymous_id": "user_id", "user_id": "further"})
        ahead = pairs.join(on, on="user_id", how="left")
        if ahead["further"].null_count() == ahead.height:
            return pairs
        pairs = ahead.select("anonymous_id", user_id=pl.coalesce("further", "user_id"))
    unended = pairs.join(pairs.select(user_id="anonymous_id"), on="user_id", how="semi")
    if not unended.is_empty():
        raise InputError.identities_circular(name, str(unended["user_id"].min()))
    return pairs
