"""A result on a real terminal: the same blocks as :mod:`userops.outputs.plain`, drawn with Rich.

One accent colour, thin rules, no boxes. Meaning is never carried by colour alone: the numbers stand in the bars' and
the grid's cells, warnings have their sign. Tables fit the window: bars shrink first, then sentences wrap, then the
columns continue below with the first one repeated. No cell is cut.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any, Literal

from rich.box import Box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text as Line

from userops.outputs import cells
from userops.outputs.plain import wrapped
from userops.outputs.privacy import terminal_safe
from userops.results import Block, FactsBlock, HeatBlock, Kind, Lang, NotesBlock, Result, TableBlock, Text

ACCENT = Style(color="#14a38f")
DIM = Style(dim=True)
BOLD = Style(bold=True)
WARNING = Style(color="#d08700", bold=True)

MAX_ROWS = 1_000
"""Rows of one table that a person is shown; the last line says how many there are."""

_INDENT = 2
_GAP = 2
_WIDEST_BAR = 16
_NARROWEST_BAR = 4
_NARROWEST_TEXT = 24
_RULES = Box("    \n    \n ── \n    \n ── \n ── \n    \n    \n")
_COLD, _HOT = (24, 38, 46), (45, 212, 191)
_DARK_INK_ABOVE = 0.52
_LIGHT_INK, _DARK_INK = "#f4f8f9", "#001412"


def render(result: Result, lang: Lang, width: int, color: bool, limit: int | None = MAX_ROWS) -> str:
    """The whole result as terminal text, ``width`` cells wide; no escape sequence at all without ``color``."""
    out = StringIO()
    console = Console(
        file=out, width=max(width, 20), height=1000,  # without a height, Rich takes 80 columns where TERM is dumb
        color_system=_color_system() if color else None, no_color=not color, force_terminal=color,
        markup=False, emoji=False, highlight=False, legacy_windows=False,
    )  # fmt: skip
    room = console.width - _INDENT
    name, day = cells.headline(result, lang)
    parts: list[RenderableType] = [Line.assemble((name, BOLD + ACCENT), (f"  {day}", DIM))]
    for block in cells.blocks(result):
        parts += [Line(), *_drawn(block, lang, room, limit)]
    for part in parts:
        console.print(Padding(part, (0, 0, 0, _INDENT)))
    return "".join(line.rstrip(" ") + "\n" for line in out.getvalue().split("\n")[:-1])


def _color_system() -> Literal["256", "truecolor"]:
    """Full colours where the terminal says it has them, else the 256 that every one has."""
    full = os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") or os.name == "nt"
    return "truecolor" if full else "256"


def _drawn(block: Block, lang: Lang, room: int, limit: int | None) -> Iterator[RenderableType]:
    match block:
        case TableBlock():
            yield from _table(cells.grid(block, lang, limit), lang, room)
        case HeatBlock():
            yield from _heat(cells.heat(block, lang), room)
        case FactsBlock():
            yield from _facts(block.facts, lang, room)
        case NotesBlock():
            yield from _notes(block, lang, room)


def _facts(facts: Sequence[tuple[Text, Any, Kind]], lang: Lang, room: int) -> Iterator[RenderableType]:
    """Tiles: each label with its number under it, as many beside each other as fit."""
    tiles = [(terminal_safe(label(lang)), cells.shown(value, kind, lang)) for label, value, kind in facts]
    widths = [max(cell_len(label), cell_len(value)) for label, value in tiles]
    for start, stop in _runs(widths, room, gap=3):
        row = Table.grid(padding=(0, 3, 0, 0))
        row.add_row(*(Line(label, style=DIM) for label, _ in tiles[start:stop]))
        row.add_row(*(Line(value, style=BOLD) for _, value in tiles[start:stop]))
        yield row


def _table(grid: cells.Grid, lang: Lang, room: int) -> Iterator[RenderableType]:
    if grid.title:
        yield Line(grid.title, style=BOLD)
    natural = [_widest(header, *(row[i] for row in grid.rows)) for i, header in enumerate(grid.headers)]
    least = [n if numeric else min(n, _NARROWEST_TEXT) for n, numeric in zip(natural, grid.numeric, strict=True)]
    bars = sum(column is not None for column in grid.bars)
    spare = room - sum(natural) - _GAP * (len(natural) - 1)
    bar_width = min(_WIDEST_BAR, spare // bars - _GAP) if bars else 0
    for number, columns in enumerate(_panels(least, room)):
        if number:
            yield Line()
        yield _panel(grid, columns, bar_width if bar_width >= _NARROWEST_BAR else 0)
    if not grid.rows:
        yield Line(cells.NO_ROWS(lang), style=DIM)
    if grid.hidden:
        yield Line(cells.more_rows(grid.hidden, lang), style=DIM)


def _panel(grid: cells.Grid, columns: Sequence[int], bar_width: int) -> Table:
    """Some columns of the grid, each with a column of bars after it where it has them and there is room."""
    table = Table(
        box=_RULES, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0), header_style=DIM, border_style=DIM
    )  # the box itself draws one space between columns
    drawn: list[list[Line]] = []
    for index in columns:
        numeric, bars = grid.numeric[index], grid.bars[index]
        table.add_column(
            Line(grid.headers[index]), justify="right" if numeric else "left", no_wrap=numeric, overflow="fold"
        )
        drawn.append([Line(row[index]) for row in grid.rows])
        if bars is not None and bar_width:
            table.add_column("", no_wrap=True, width=bar_width, style=ACCENT)
            drawn.append([Line(cells.bar(fraction, bar_width)) for fraction in bars])
    for number, row in enumerate(zip(*drawn, strict=True), start=1):
        total = grid.total_row and number == len(grid.rows)
        if total:
            table.add_section()
        table.add_row(*row, style=BOLD if total else None)
    return table


def _heat(grid: cells.HeatGrid, room: int) -> Iterator[RenderableType]:
    yield Line.assemble((grid.title, BOLD), (f"  {grid.row_title} ↓  {grid.column_title} →", DIM))
    labels = _widest(*grid.row_labels)
    width = _widest(*grid.column_labels, *(cell for row in grid.cells for cell in row)) + 2
    for start, stop in _runs([width] * len(grid.column_labels), room - labels - 1, gap=0):
        table = Table.grid(padding=0)
        table.add_column(no_wrap=True, style=DIM, width=labels + 1)
        for _ in range(start, stop):
            table.add_column(no_wrap=True, width=width)
        table.add_row("", *(_heat_cell(label, None, width) for label in grid.column_labels[start:stop]))
        for label, row, shades in zip(grid.row_labels, grid.cells, grid.shades, strict=True):
            pairs = zip(row[start:stop], shades[start:stop], strict=True)
            table.add_row(Line(label), *(_heat_cell(cell, shade, width) for cell, shade in pairs))
        yield table


def _heat_cell(cell: str, shade: float | None, width: int) -> Line:
    text = " " * (width - 1 - cell_len(cell)) + cell + " "
    if shade is None:
        return Line(text, style=DIM)
    red, green, blue = (round(cold + (hot - cold) * shade) for cold, hot in zip(_COLD, _HOT, strict=True))
    ink = _DARK_INK if shade > _DARK_INK_ABOVE else _LIGHT_INK
    return Line(text, style=Style(color=ink, bgcolor=f"#{red:02x}{green:02x}{blue:02x}"))


def _notes(block: NotesBlock, lang: Lang, room: int) -> Iterator[RenderableType]:
    """Sentences with their marks hanging, so that wrapped lines stay aligned."""
    warning = block.tone == "warning"
    yield Line(terminal_safe(block.title(lang)), style=WARNING if warning else DIM + BOLD)
    mark = Line("⚠ ", style=WARNING) if warning else Line("· ", style=DIM)
    for note in block.notes:
        for number, line in enumerate(wrapped(terminal_safe(note(lang)), room - 2)):
            yield Line.assemble("  " if number else mark, line)


def _widest(*texts: str) -> int:
    return max((cell_len(text) for text in texts), default=0)


def _runs(widths: Sequence[int], room: int, gap: int) -> Iterator[tuple[int, int]]:
    """Start and stop of the stretches of ``widths`` that fit into ``room``, each of at least one."""
    start, used = 0, 0
    for index, width in enumerate(widths):
        if index > start and used + gap + width > room:
            yield start, index
            start, used = index, 0
        used += width + (gap if index > start else 0)
    if widths:
        yield start, len(widths)


def _panels(widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """The columns of each panel: all where they fit, else the first one repeated with as many as fit beside it."""
    if sum(widths) + _GAP * (len(widths) - 1) <= room or len(widths) < 2:
        yield list(range(len(widths)))
        return
    for start, stop in _runs(widths[1:], room - widths[0] - _GAP, gap=_GAP):
        yield [0, *range(start + 1, stop + 1)]
