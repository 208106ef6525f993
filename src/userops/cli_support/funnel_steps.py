"""The steps of a funnel as people write them: ``view``, ``search|browse``, ``'view where platform=ios and price>10'``.

Commas part steps and ``|`` parts events, except within quotes and parentheses; a list of values goes in parentheses:
``'view where platform in (ios,android)'``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from userops.collecting import collect
from userops.errors import InputError, UsageError
from userops.funnel_rules import Step
from userops.inputs import filters
from userops.inputs.raw import HEAD_ROWS

if TYPE_CHECKING:
    import polars as pl

    from userops.cli_support.running import Run
    from userops.frames import Events, Orders, Table

_WHERE = re.compile(r"(?P<events>.+?)\s+where\s+(?P<conditions>.+)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Written:
    """A step as it was written: its conditions wait for the table, whose columns tell how values compare."""

    step: Step
    conditions: tuple[filters.Condition, ...]


def parse(texts: Sequence[str]) -> tuple[Written, ...]:
    """The steps of ``--steps``, given once or several times; UsageError where one cannot be read."""
    return tuple(_step(text) for entry in texts for text in _parts(entry, ","))


def _step(text: str) -> Written:
    whole = " ".join(text.split())
    found = _WHERE.fullmatch(text.strip())
    events = tuple(_unquoted(name) for name in _parts(found["events"] if found else text, "|"))
    if not all(events):
        raise UsageError.bad_value("--steps", text, "names of events, such as view,add_to_cart,buy")
    conditions = []
    for condition in re.split(r"\s+and\s+", found["conditions"], flags=re.IGNORECASE) if found else []:
        in_parentheses = re.fullmatch(r"(.+?\sin\s*)\((.*)\)\s*", condition, re.IGNORECASE | re.DOTALL)
        plain = f"{in_parentheses[1]} {in_parentheses[2]}" if in_parentheses else condition
        with suppress(UsageError):
            conditions.append(filters.parse(plain))
            continue
        raise UsageError.bad_value("--steps", text, "conditions such as 'view where platform=ios and price>10'")
    return Written(Step(whole, events), tuple(conditions))


def _parts(text: str, mark: str) -> Iterator[str]:
    """The parts between the marks that are neither quoted nor in parentheses."""
    part, quote, depth = "", "", 0
    for char in text:
        if quote or char in "'\"":
            quote = "" if char == quote else quote or char
        elif char in "()":
            depth += 1 if char == "(" else -1
        if char == mark and not quote and depth <= 0:
            yield part.strip()
            part = ""
        else:
            part += char
    yield part.strip()


def _unquoted(name: str) -> str:
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"" else name


def columns(written: Sequence[Written]) -> list[str]:
    """The columns that conditions speak of."""
    return [condition.column for one in written for condition in one.conditions]


def bound(written: Sequence[Written], table: Table) -> tuple[Step, ...]:
    """The steps with their conditions as expressions on the columns of a table."""
    schema = table.rows.collect_schema()

    def met(condition: filters.Condition) -> pl.Expr:
        import polars as pl

        if condition.column not in schema:
            raise InputError.column_unknown(condition.column, table.name, schema.names())
        head = collect(table.rows.select(condition.column).head(HEAD_ROWS), table.name).to_series()
        return filters.matches(condition, pl.col(condition.column), schema[condition.column], head)

    def where(conditions: Sequence[filters.Condition]) -> pl.Expr | None:
        import polars as pl

        return pl.all_horizontal([met(condition) for condition in conditions]) if conditions else None

    return tuple(replace(one.step, where=where(one.conditions)) for one in written)


def table_of(run: Run, files: Sequence[str] | None, wanted: Sequence[str], *, sessions: bool) -> Events | Orders:
    """The inputs with the columns that are wanted, those of ``--users-table`` among them; ``session_id`` if there is one."""
    import polars as pl

    names = list(dict.fromkeys(name for name in wanted if name not in ("user_id", "event", "time")))
    try:
        table, users = run.acts(files, [*names, *(["session_id"] if sessions else [])])
    except InputError as problem:
        if not sessions or "session_id" not in problem.message:
            raise
        table, users = run.acts(files, names)
    if users is None:
        return table
    schema = table.rows.collect_schema()
    known = [name for name in users.columns if name in names and name not in schema]
    if not known:
        return table
    ids = pl.col("user_id").cast(schema["user_id"], strict=False)
    attributes = users.lazy().select(ids, *known).filter(pl.col("user_id").is_not_null()).unique("user_id")
    return replace(table, rows=table.rows.join(attributes, on="user_id", how="left"))
