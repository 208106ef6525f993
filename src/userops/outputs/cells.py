"""How values read to people: the cells, bars and shades that every drawing of a result shares.

A renderer asks for the blocks of a result, turns each table into a :class:`Grid` of finished text, each heat block
into a :class:`HeatGrid`, and only decides where the characters go and how they look.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from userops.outputs.privacy import terminal_safe
from userops.results import Block, Column, HeatBlock, Kind, Lang, NotesBlock, Result, TableBlock, Text

NOTHING = "–"
"""How null reads."""

AS_OF = Text("as of", "截至")
FEWER = Text("cells under {least} users hidden", "不足 {least} 人的单元格已隐去")
NO_ROWS = Text("no rows", "无数据")
MARK = "*"
"""What stands behind a number whose period is not over."""

NOT_OVER = Text("* period not over", "* 周期未结束")
WARNINGS = Text("Warnings", "警告")

_IN_PERCENT = Text("{title} (%)", "{title}(%)")
_BLOCKS = " ▏▎▍▌▋▊▉█"
_YES, _NO = Text("yes", "是"), Text("no", "否")
_MORE = Text(
    "{hidden} more rows: all of them with --format csv or -o FILE",
    "另有 {hidden} 行:用 --format csv 或 -o FILE 查看全部",
)


@dataclass(frozen=True, slots=True)
class Grid:
    """A table ready to be drawn: text cells by row, which columns are numbers, how long each bar is.

    ``bars[column]`` is None, or one fraction of 1 per row (None where there is no bar). ``hidden`` rows were left out.
    ``drawing`` is the column, if any, whose text is a picture made of characters: its spaces count.
    """

    title: str
    headers: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    bars: tuple[tuple[float | None, ...] | None, ...]
    total_row: bool
    hidden: int
    drawing: int | None = None


@dataclass(frozen=True, slots=True)
class HeatGrid:
    """A shaded grid ready to be drawn: ``shades`` are 0 to 1, None for a cell that is not shaded.

    ``cells`` of unfinished periods end in the mark. ``lead`` stands before the cells, empty where there is none.
    The unit of shares is in the title, so that many columns fit.
    """

    title: str
    row_title: str
    column_title: str
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    shades: tuple[tuple[float | None, ...], ...]
    unfinished: tuple[tuple[bool, ...], ...]
    lead_title: str
    lead: tuple[str, ...]
    total_row: bool
    shade_from: int

    @property
    def any_unfinished(self) -> bool:
        """True where the mark needs its legend."""
        return any(map(any, self.unfinished))


def blocks(result: Result) -> tuple[Block, ...]:
    """What to draw: the result's views (its main table when it has none), and any warning they leave unsaid."""
    views = result.views or (whole(result),)
    warnings = unsaid(result, result.provenance.warnings)
    return (*views, NotesBlock(WARNINGS, warnings, tone="warning")) if warnings else views


def unsaid(result: Result, notes: Sequence[Text]) -> tuple[Text, ...]:
    """Those of the notes that no view of the result says."""
    said = {note for view in result.views if isinstance(view, NotesBlock) for note in view.notes}
    return tuple(note for note in notes if note not in said)


def headline(result: Result, lang: Lang) -> tuple[str, str]:
    """The result's name and the day it stands for: ``("userops rfm", "as of 2026-11-01 · UTC")``; none: empty."""
    of = result.provenance
    day = f"{AS_OF(lang)} {of.as_of} · {of.tz}" if of.as_of else (of.tz if of.inputs else "")
    least = of.facts.get("min_cell")
    told = FEWER(lang).format(least=least) if least is not None else ""
    return f"userops {result.command.replace('-', ' ')}", terminal_safe(" · ".join(filter(None, (day, told))))


def pairs(facts: Sequence[tuple[Text, Any, Kind]], lang: Lang) -> tuple[tuple[str, str], ...]:
    """Labels and values as people read them."""
    return tuple((terminal_safe(label(lang)), shown(value, kind, lang)) for label, value, kind in facts)


def shown(value: Any, kind: Kind, lang: Lang = "en") -> str:
    """One value as people read it; null, NaN and infinities as an en dash.

    ``share`` 0.219 -> ``21.9 %``; ``money`` and ``number`` with thousands commas and 2 decimals; ``count`` with commas;
    ``days`` 1 decimal. Text loses its control characters.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, bool):
        return (_YES if value else _NO)(lang)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, int | float | Decimal) and kind not in ("text", "date"):
        return _number(value, kind)
    if isinstance(value, Text):
        value = value(lang)
    if isinstance(value, Sequence | pl.Series) and not isinstance(value, str):
        return ", ".join(shown(item, "text", lang) for item in value)
    return terminal_safe(str(value))


def is_numeric(kind: Kind) -> bool:
    """True for the kinds that are read in columns of digits, flush right."""
    return kind not in ("text", "date")


def grid(block: TableBlock, lang: Lang, limit: int | None = None) -> Grid:
    """The block as finished text; with ``limit``, its first rows only (and the total)."""
    columns = block.columns_for(lang)
    rows, hidden = _first(block.rows, limit, block.total_row)
    return Grid(
        title=terminal_safe(block.title(lang)),
        headers=tuple(terminal_safe(column.label(lang)) for column in columns),
        numeric=tuple(is_numeric(column.kind) for column in columns),
        rows=_cells(rows, columns, lang),
        bars=tuple(_bars(rows[column.name], column, block.total_row) for column in columns),
        total_row=block.total_row and not rows.is_empty(),
        hidden=hidden,
    )


def heat(block: HeatBlock, lang: Lang) -> HeatGrid:
    """The block as finished text and shades.

    A shade is the square root of the value's share of the largest one: such grids are skewed, and linear shades
    would show the one largest cell and nothing else. Not shaded, and no part of the scale: the columns before
    ``shade_from``, unfinished cells, the total.
    """
    unfinished = tuple(
        tuple(value is not None and _at(block.unfinished, row, column) for column, value in enumerate(values))
        for row, values in enumerate(block.values)
    )
    shaded = [
        [_finite(value) if _is_shaded(block, unfinished, row, column) else None for column, value in enumerate(values)]
        for row, values in enumerate(block.values)
    ]
    largest = max((value for row in shaded for value in row if value is not None), default=0.0)
    title = terminal_safe(block.title(lang))
    return HeatGrid(
        title=_IN_PERCENT(lang).format(title=title) if block.kind == "share" else title,
        row_title=terminal_safe(block.row_title(lang)),
        column_title=terminal_safe(block.column_title(lang)),
        row_labels=tuple(terminal_safe(label(lang)) for label in block.row_labels),
        column_labels=tuple(terminal_safe(label(lang)) for label in block.column_labels),
        cells=tuple(
            tuple(_heat_cell(value, block.kind) + MARK * mark for value, mark in zip(values, marks, strict=True))
            for values, marks in zip(block.values, unfinished, strict=True)
        ),
        shades=tuple(tuple(_shade(value, largest) for value in row) for row in shaded),
        unfinished=unfinished,
        lead_title=terminal_safe(block.lead_title(lang)) if block.lead_title and block.lead else "",
        lead=tuple("" if value is None else shown(value, "count") for value in block.lead),
        total_row=block.total_row and len(block.values) > 1,
        shade_from=block.shade_from,
    )


def hanging(texts: Sequence[str]) -> list[str]:
    """The texts of a column that is flush right, so that marks hang behind the digits and the digits align."""
    if not any(text.endswith(MARK) for text in texts):
        return list(texts)
    return [text if text.endswith(MARK) else f"{text} " for text in texts]


def more_rows(hidden: int, lang: Lang) -> str:
    """The line that says how many rows were left out, and how to see them."""
    return _MORE(lang).format(hidden=f"{hidden:,}")


def bar(fraction: float | None, width: int) -> str:
    """A bar of block characters, ``width`` cells long at fraction 1; anything above zero shows at least a sliver."""
    if not fraction or width < 1:
        return ""
    eighths = max(1, round(fraction * width * 8))
    whole, rest = divmod(eighths, 8)
    return "█" * whole + _BLOCKS[rest].strip()


def _number(value: float | Decimal, kind: Kind) -> str:
    match kind:
        case "share":
            return _unsigned_zero(f"{value * 100:,.1f}") + " %"
        case "number" if 0 < abs(float(value)) < 0.1:  # two decimals would say little of it, or nothing
            return f"{value:.3g}"
        case "money" | "number":
            return _unsigned_zero(f"{value:,.2f}")
        case "days":
            return _unsigned_zero(f"{value:,.1f}")
        case "score":
            return f"{value:g}"
        case _:
            return _unsigned_zero(f"{value:,.0f}")


def _unsigned_zero(digits: str) -> str:
    return digits[1:] if digits.startswith("-") and not any("1" <= digit <= "9" for digit in digits) else digits


def _cells(rows: pl.DataFrame, columns: Sequence[Column], lang: Lang) -> tuple[tuple[str, ...], ...]:
    by_column = [[shown(value, column.kind, lang) for value in rows[column.name]] for column in columns]
    return tuple(zip(*by_column, strict=True))


def _first(rows: pl.DataFrame, limit: int | None, total_row: bool) -> tuple[pl.DataFrame, int]:
    if limit is None or rows.height <= limit:
        return rows, 0
    kept = pl.concat([rows.head(limit - 1), rows.tail(1)]) if total_row else rows.head(limit)
    return kept, rows.height - kept.height


def _bars(values: pl.Series, column: Column, total_row: bool) -> tuple[float | None, ...] | None:
    if not column.bar:
        return None
    numbers = [_finite(value) for value in values]
    if total_row and numbers:
        numbers[-1] = None
    largest = 1.0 if column.kind == "share" else max((n for n in numbers if n is not None), default=0.0)
    return tuple(None if n is None or largest <= 0 else min(max(n / largest, 0.0), 1.0) for n in numbers)


def _finite(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _shade(value: float | None, largest: float) -> float | None:
    if value is None:
        return None
    return math.sqrt(max(value, 0.0) / largest) if largest > 0 else 0.0


def _is_shaded(block: HeatBlock, unfinished: Sequence[Sequence[bool]], row: int, column: int) -> bool:
    total = block.total_row and row == len(block.values) - 1 and row > 0
    return column >= block.shade_from and not unfinished[row][column] and not total


def _heat_cell(value: float | None, kind: Kind) -> str:
    if value is None:
        return ""
    text = shown(value, kind)
    return text.removesuffix(" %") if kind == "share" else text


def _at(flags: Sequence[Sequence[bool]], row: int, column: int) -> bool:
    return row < len(flags) and column < len(flags[row]) and flags[row][column]


def whole(result: Result) -> TableBlock:
    """The main table as it is, under its machine names."""
    columns = tuple(Column(name, Text(name, name), _kind(name, dtype)) for name, dtype in result.rows.schema.items())
    return TableBlock(Text("", ""), columns, result.rows)


def _kind(name: str, dtype: pl.DataType) -> Kind:
    if dtype.is_integer():
        return "text" if name.endswith("id") else "count"
    if dtype.is_numeric():
        return "number"
    return "date" if dtype.is_temporal() else "text"
