"""A result on a real terminal: the same blocks as :mod:`userops.outputs.plain`, drawn with Rich.

One accent colour, thin rules, no boxes. Meaning is never carried by colour alone: the numbers stand in the bars' and
the grid's cells, warnings have their sign. Tables fit the window: bars shrink first, then sentences wrap, then the
columns continue below with the first one repeated. No cell is cut. Lines have their names beside them, stacked bars
are filled with characters of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from io import StringIO
from itertools import groupby
from typing import Any, Literal

from rich.box import Box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text as Line

from userops.outputs import cards, cells, charts, funnels, graphs, waterfalls
from userops.outputs.plain import arrow_lines, funnel_lines, padded, wrapped
from userops.outputs.privacy import terminal_safe
from userops.results import (
    Block,
    CardsBlock,
    ChartBlock,
    FactsBlock,
    FunnelBlock,
    GraphBlock,
    HeatBlock,
    Kind,
    Lang,
    NotesBlock,
    Result,
    StatusBlock,
    TableBlock,
    Text,
    Tone,
    WaterfallBlock,
)

ACCENT = Style(color="#14a38f")
DIM = Style(dim=True)
BOLD = Style(bold=True)
_LIT = Style(dim=False)
WARNING = Style(color="#d08700", bold=True)

SERIES = tuple(
    Style(color=color)
    for color in ("#14a38f", "#5b8def", "#d08700", "#c76bb8", "#8a8f3c", "#e0645c", "#7f8b95", "#3aa0d8")
)
"""The series of a chart, in turn: at least 3 : 1 on black, and told apart by those who see few colours."""

TONES: dict[Tone, Style] = {
    "error": Style(color="#e0645c", bold=True),
    "warn": WARNING,
    "info": Style(color="#5b8def"),
    "ok": ACCENT,
    "skipped": DIM,
}
"""Colours of marks, which stand there without colour too."""

_WATERFALL = {"total": Style(color="#7f8b95"), "up": ACCENT, "down": Style(color="#e0645c")}

MAX_ROWS = 1_000
"""Rows of one table that a person is shown; the last line says how many there are."""

Paint = Callable[[int | None, int, str], Line]
"""How a cell looks: its row (None: the header), its column, its text."""

_INDENT = 2
_MARK = 2  # cells of a card's mark
_MOST_SECTIONS, _MOST_LINES = 3, 2  # of a card, of a section, where not everything is asked for
_WIDEST_STRIP, _NARROWEST_STRIP = 48, 30
_GAP = 2
_WIDEST_BAR = 16
_NARROWEST_BAR = 4
_NARROWEST_TEXT = 24
_RULES = Box("    \n    \n ── \n    \n ── \n ── \n    \n    \n")
_PLOT_HEIGHT = 8  # rows, about: the ticks of the scale stand evenly apart
_WIDEST_CHART, _NARROWEST_CHART = 60, 16
_MOST_PLOTTED = 5  # series: more are a tangle
_WIDEST_PLOT, _NARROWEST_PLOT = 90, 24
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
            yield from _heat(cells.heat(block, lang), lang, room)
        case ChartBlock():
            yield from _chart(charts.chart(block, lang), lang, room)
        case WaterfallBlock():
            yield from _waterfall(waterfalls.waterfall(block, lang), lang, room)
        case StatusBlock():
            yield from _status(block, lang, room)
        case CardsBlock():
            yield from _cards(block, lang, room, limit)
        case FunnelBlock():
            yield from _funnel(funnels.funnel(block, lang), lang, room)
        case GraphBlock():
            yield from _graph(graphs.graph(block, lang), lang)
        case FactsBlock():
            yield from _facts(block.facts, lang, room)
        case NotesBlock():
            yield from _notes(block, lang, room)


def _facts(facts: Sequence[tuple[Text, Any, Kind]], lang: Lang, room: int) -> Iterator[RenderableType]:
    """Tiles: each label with its number under it, as many beside each other as fit."""
    tiles = cells.pairs(facts, lang)
    widths = [max(cell_len(label), cell_len(value)) for label, value in tiles]
    for start, stop in _runs(widths, room, gap=3):
        row = Table.grid(padding=(0, 3, 0, 0))
        row.add_row(*(Line(label, style=DIM) for label, _ in tiles[start:stop]))
        row.add_row(*(Line(value, style=BOLD) for _, value in tiles[start:stop]))
        yield row


def _unpainted(row: int | None, column: int, text: str) -> Line:
    return Line(text)


def _table(grid: cells.Grid, lang: Lang, room: int, paint: Paint = _unpainted) -> Iterator[RenderableType]:
    if grid.title:
        yield Line(grid.title, style=BOLD)
    natural = _natural(grid)
    least = [
        n if grid.numeric[index] or index == grid.drawing else min(n, _NARROWEST_TEXT)
        for index, n in enumerate(natural)
    ]
    bars = sum(column is not None for column in grid.bars)
    spare = room - _full(natural)
    bar_width = min(_WIDEST_BAR, spare // bars - _GAP) if bars else 0
    for number, columns in enumerate(_panels(least, room)):
        if number:
            yield Line()
        yield _panel(grid, columns, bar_width if bar_width >= _NARROWEST_BAR else 0, paint)
    if not grid.rows:
        yield Line(cells.NO_ROWS(lang), style=DIM)
    if grid.hidden:
        yield Line(cells.more_rows(grid.hidden, lang), style=DIM)


def _panel(grid: cells.Grid, columns: Sequence[int], bar_width: int, paint: Paint) -> Table:
    """Some columns of the grid, each with a column of bars after it where it has them and there is room."""
    table = Table(
        box=_RULES, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0), header_style=DIM, border_style=DIM
    )  # the box itself draws one space between columns
    drawn: list[list[Line]] = []
    for index in columns:
        numeric, bars = grid.numeric[index], grid.bars[index]
        table.add_column(
            paint(None, index, grid.headers[index]), justify="right" if numeric else "left", no_wrap=numeric,
            overflow="fold",
        )  # fmt: skip
        drawn.append([paint(place, index, row[index]) for place, row in enumerate(grid.rows)])
        if bars is not None and bar_width:
            table.add_column("", no_wrap=True, width=bar_width, style=ACCENT)
            drawn.append([Line(cells.bar(fraction, bar_width)) for fraction in bars])
    for number, row in enumerate(zip(*drawn, strict=True), start=1):
        total = grid.total_row and number == len(grid.rows)
        if total:
            table.add_section()
        table.add_row(*row, style=BOLD if total else None)
    return table


def _heat(grid: cells.HeatGrid, lang: Lang, room: int) -> Iterator[RenderableType]:
    yield Line.assemble((grid.title, BOLD), (f"  {grid.row_title} ↓  {grid.column_title} →", DIM))
    names = _heat_names(grid)
    before = names[0].cell_len
    columns = [
        padded([f"{label} ", *_slotted(row[index] for row in grid.cells)], flush_right=True)
        for index, label in enumerate(grid.column_labels)
    ]
    widths = _heat_widths([cell_len(column[0]) for column in columns], grid.shade_from, room - before)
    for start, stop in _runs(widths, room - before, gap=0):
        if start:
            yield Line()
        for row in range(-1, len(grid.cells)):
            if start and row >= 0 and not any(grid.cells[row][start:stop]):
                continue  # said above, and nothing to add
            if _is_total(grid, row):
                yield Line("─" * (before + sum(widths[start:stop])), style=DIM)
            line = names[row + 1].copy()
            for index in range(start, stop):
                text = columns[index][row + 1]
                line.append(" " * (widths[index] - cell_len(text)) + text, _heat_style(grid, row, index))
            yield line
    if grid.any_unfinished:
        yield Line(cells.NOT_OVER(lang), style=DIM)


def _heat_names(grid: cells.HeatGrid) -> list[Line]:
    """What stands before the cells: of the header, and of each row its name and its number that is not shaded."""
    names = padded(["", *grid.row_labels])
    leads = padded([grid.lead_title, *grid.lead], flush_right=True) if grid.lead else [""] * len(names)
    lines = []
    for row, (name, lead) in enumerate(zip(names, leads, strict=True), start=-1):
        total = _is_total(grid, row)
        lead_style = BOLD if total else DIM if row < 0 else Style.null()
        lines.append(Line.assemble((f"{name} ", BOLD if total else DIM), (f"{lead} " if lead else "", lead_style)))
    return lines


def _is_total(grid: cells.HeatGrid, row: int) -> bool:
    return grid.total_row and row == len(grid.cells) - 1


def _slotted(texts: Iterable[str]) -> list[str]:
    """The texts with a place behind the digits that holds the mark or nothing."""
    return [text if text.endswith(cells.MARK) else f"{text} " for text in texts]


def _heat_widths(widths: Sequence[int], shade_from: int, room: int) -> list[int]:
    """Shaded columns are equally wide; all get a space in front unless they would fit without and not with it."""
    widest = max(widths[shade_from:], default=0)
    even = [width if index < shade_from else widest for index, width in enumerate(widths)]
    tight = sum(even) <= room < sum(even) + len(even)
    return even if tight else [width + 1 for width in even]


def _heat_style(grid: cells.HeatGrid, row: int, column: int) -> Style:
    """How a cell looks; row -1 is the header."""
    if row < 0:
        return DIM
    if _is_total(grid, row):
        return BOLD
    shade = grid.shades[row][column]
    if shade is None:
        return DIM if grid.unfinished[row][column] else Style.null()
    red, green, blue = (round(cold + (hot - cold) * shade) for cold, hot in zip(_COLD, _HOT, strict=True))
    ink = _DARK_INK if shade > _DARK_INK_ABOVE else _LIGHT_INK
    return Style(color=ink, bgcolor=f"#{red:02x}{green:02x}{blue:02x}")


def _chart(chart: charts.Chart, lang: Lang, room: int) -> Iterator[RenderableType]:
    """Lines: a plot, its series in a table below, each with its shape where there are several. Bars: a table."""
    plotted = list(_plot(chart, room)) if chart.shape == "lines" else []
    width = 0 if plotted and len(chart.runs) == 1 else _chart_width(chart, lang, room)
    grid = charts.table(chart, lang, width)
    if plotted:
        yield Line(grid.title, style=BOLD)
        yield from [*plotted, Line()]
        grid = replace(grid, title="", headers=(grid.headers[0], *([""] if width else []), *grid.headers[-4:]))
    elif chart.shape == "stacked" and _full(_natural(grid)) > room:
        yield Line(grid.title, style=BOLD)
        yield _fills(chart)
        grid = replace(grid, title="")
    paint = _bar_paint(chart) if chart.shape == "stacked" else _line_paint(chart, width)
    yield from _table(grid, lang, room, paint)
    yield from (Line(line, style=DIM) for line in charts.legend(chart, lang, width))


def _fills(chart: charts.Chart) -> Line:
    """Which fill is which series, for bars whose numbers stand further below."""
    line = Line()
    for number, (fill, run) in enumerate(zip(charts.fills(len(chart.runs)), chart.runs, strict=True)):
        line.append("   " if number else "").append(fill, _series_style(number)).append(f" {run.label}", DIM)
    return line


def _chart_width(chart: charts.Chart, lang: Lang, room: int) -> int:
    """Cells of the drawings: what the numbers beside them leave; the whole line where that is too little."""
    first, _, *others = _natural(charts.table(chart, lang, 1))
    beside = room - first - sum(others) - _GAP * (len(others) + 1)
    left = beside if beside >= _NARROWEST_CHART else room - first - _GAP
    return min(max(left - len(cells.MARK), _NARROWEST_CHART), _WIDEST_CHART)


def _line_paint(chart: charts.Chart, width: int) -> Paint:
    """Names and sparklines in the colour of their series, the end that is not over dim."""
    still = charts.open_marks(chart, width) + len(cells.MARK) if width and chart.any_unfinished else 0

    def paint(row: int | None, column: int, text: str) -> Line:
        line = Line(text)
        if row is not None and column in (0, 1 if width else 0):
            line.stylize(_series_style(row))
            if column and still:
                line.stylize(DIM, len(text) - still)
        return line

    return paint


def _bar_paint(chart: charts.Chart) -> Paint:
    """Every fill in the colour of its series, in the bars and in the header; periods that are not over dim."""
    styles = {fill: _series_style(number) for number, fill in enumerate(charts.FILLS[: len(chart.runs)])}
    over = chart.over - max(len(chart.x_labels) - charts.MAX_BARS, 0)

    def paint(row: int | None, column: int, text: str) -> Line:
        line = Line(text)
        pictured = len(text) if column == 1 else 1 if row is None and column else 0
        for place, character in enumerate(text[:pictured]):
            line.stylize(styles.get(character, DIM) + _LIT, place, place + 1)
        if row is not None and row >= over:
            line.stylize(DIM)
        return line

    return paint


def _funnel(funnel: funnels.Funnel, lang: Lang, room: int) -> Iterator[RenderableType]:
    """A bar per step, beside its numbers or (where there is no room) below them; what was lost between two."""
    yield Line.assemble((funnel.title, BOLD), (f"  {funnel.unit}", DIM))
    drawn = list(funnel_lines(funnel, 0))
    beside = _widest(*(head for head, _ in drawn)) + _GAP
    width = min(room - beside, _WIDEST_CHART)
    if width >= _widest(*(picture for _, picture in drawn), " " * _NARROWEST_CHART):
        for head, picture in funnel_lines(funnel, width):
            yield Line.assemble(head, " " * _GAP, (picture, ACCENT if head.strip() else DIM))
    else:
        for step in funnel.steps:
            if step.drop:
                yield Line(f"└ {step.drop}", style=DIM)
            yield Line(f"{step.place}  {step.label}  {step.count}  {step.from_start}")
            yield Line(cells.bar(step.fraction, min(room, _WIDEST_CHART)), style=ACCENT)
    if not drawn:
        yield Line(cells.NO_ROWS(lang), style=DIM)


def _graph(graph: graphs.Graph, lang: Lang) -> Iterator[RenderableType]:
    """The strongest ways below the node they leave."""
    yield Line(graph.title, style=BOLD)
    for name, numbers in arrow_lines(graph):
        yield Line.assemble(name, numbers) if numbers else Line(name, style=ACCENT)
    if not graph.ways:
        yield Line(cells.NO_ROWS(lang), style=DIM)


def _plot(chart: charts.Chart, room: int) -> Iterator[Line]:
    """Lines of dots between a scale and their names; nothing where there is no room or nothing to see."""
    ticks = charts.value_ticks(chart, most=5)
    low, high, apart = ticks[0], ticks[-1], max(1, round(_PLOT_HEIGHT / (len(ticks) - 1)))
    height = apart * (len(ticks) - 1) + 1
    texts = [charts.tick_text(tick, ticks[1] - low, chart.kind) for tick in reversed(ticks)]
    before, names = _widest(*texts), _widest(*(run.label for run in chart.runs))
    width = min(room - before - names - 4, _WIDEST_PLOT)
    if width < _NARROWEST_PLOT or len(chart.x_labels) < 2 or len(chart.runs) > _MOST_PLOTTED or not chart.values:
        return
    named = _names(chart, low, high, height)
    across = None if chart.baseline is None else charts.dot_row(chart.baseline, low, high, height) // 4
    for row, dots in enumerate(charts.plot(chart, low, high, width, height)):
        text = "" if row % apart else texts[row // apart]
        line = Line.assemble((f"{' ' * (before - cell_len(text))}{text} {'┤' if text else '│'}", DIM))
        drawn = [(dot.character, _dot_style(dot)) for dot in dots]
        if row == across:
            drawn = [("╌", DIM) if dot.run is None else cell for dot, cell in zip(dots, drawn, strict=True)]
        for style, group in groupby(drawn, key=lambda cell: cell[1]):
            line.append("".join(character for character, _ in group), style)
        if row in named:
            line.append(f" {chart.runs[named[row]].label}", _series_style(named[row]))
        yield line
    yield from _plot_foot(chart, before + 1, width)


def _names(chart: charts.Chart, low: float, high: float, height: int) -> dict[int, int]:
    """Which series is named in which row: beside its end, or as near to it as the others let it."""
    ends = [next((value for value in reversed(run.values) if value is not None), low) for run in chart.runs]
    rows = [charts.dot_row(end, low, high, height) / 4 for end in ends]
    return {int(row): number for number, row in enumerate(charts.spread(rows, 1, 0, height - 1))}


def _plot_foot(chart: charts.Chart, indent: int, width: int) -> Iterator[Line]:
    """The axis below a plot, and the labels it has room for; the mark at the last one where it is not over."""
    labels = [label + cells.MARK * (place >= chart.over) for place, label in enumerate(chart.x_labels)]
    axis, below = ["─"] * width, ""
    if chart.marked:
        first, last = (round(place / max(len(labels) - 1, 1) * (width - 1)) for place in chart.marked)
        axis[first : last + 1] = "━" * (last + 1 - first)
    for place in charts.x_ticks(len(labels), width // (_widest(*labels) + 3)):
        column = round(place / max(len(labels) - 1, 1) * (width - 1))
        label = labels[place]
        start = min(max(column - cell_len(label) // 2, 0), width - cell_len(label))
        axis[column] = "┬"
        below += " " * (start - cell_len(below)) + label
    yield Line(" " * indent + "└" + "".join(axis), style=DIM)
    yield Line(" " * (indent + 1) + below, style=DIM)


def _dot_style(dot: charts.Dots) -> Style:
    if dot.run is None:
        return Style.null()
    return _series_style(dot.run) + (DIM if dot.unfinished else Style.null())


def _series_style(number: int) -> Style:
    return SERIES[number % len(SERIES)]


def _waterfall(chart: waterfalls.Waterfall, lang: Lang, room: int) -> Iterator[RenderableType]:
    grid = waterfalls.table(chart, lang, 0)
    width = min(max(room - _full(_natural(grid)), _NARROWEST_CHART), _WIDEST_CHART)
    tones = [_WATERFALL[bar.tone] for bar in chart.bars]

    def paint(row: int | None, column: int, text: str) -> Line:
        return Line(text, style=tones[row] if row is not None and column == 1 else "")

    yield from _table(waterfalls.table(chart, lang, width), lang, room, paint)
    if chart.note:
        yield Line(chart.note, style=DIM)


def _status(block: StatusBlock, lang: Lang, room: int) -> Iterator[RenderableType]:
    """The grade, and a row per area: mark, name, the state in a word, the evidence."""
    yield Line(terminal_safe(block.title(lang)), style=BOLD)
    grade = cards.grade(block, lang)
    if grade:
        yield Line(grade)
    table = Table.grid(padding=(0, _GAP, 0, 0))
    for state in cards.states(block, lang):
        style = TONES[state.tone]
        table.add_row(Line(state.mark, style=style), state.name, Line(state.said, style=style), Line(state.evidence))
    yield table


def _cards(block: CardsBlock, lang: Lang, room: int, limit: int | None) -> Iterator[RenderableType]:
    """A card in a few lines, or with everything where the block asks for it."""
    title = terminal_safe(block.title(lang))
    if title:
        yield Line(title, style=BOLD)
    if not block.cards:
        yield Line(cards.NOTHING_FOUND(lang), style=DIM)
    drawn = cards.cards(block, lang)
    for place, card in enumerate(drawn[:limit]):
        yield from [Line()] * (place > 0)
        yield from _card(card, lang, room - _MARK, block.whole)
    if limit is not None and len(drawn) > limit:
        yield Line(cards.more_cards(len(drawn) - limit, lang), style=DIM)
    if not block.whole and any(len(card.sections) > _MOST_SECTIONS for card in drawn):
        yield from [Line(), Line(cards.MORE_ON_EACH(lang), style=DIM)]


def _card(card: cards.Drawn, lang: Lang, room: int, whole: bool) -> Iterator[RenderableType]:
    """The sentence, the kind, the numbers, the course, and what belongs to it beside its headings."""
    style = TONES[card.tone]
    for number, line in enumerate(wrapped(card.title, room)):
        yield Line.assemble((" " * _MARK if number else f"{card.mark} ", style), (line, BOLD))
    lines = list(_said_of(card, room))
    parts: list[RenderableType] = [*(lines if whole else lines[:1])]
    if card.chart and card.chart.runs:
        parts.append(_strip(card.chart, room))
    sections = card.sections if whole else [section for section in card.sections if not section.more][:_MOST_SECTIONS]
    if sections:
        parts.append(_sections(sections, room, whole))
    yield from (Padding(part, (0, 0, 0, _MARK)) for part in parts)


def _said_of(card: cards.Drawn, room: int) -> Iterator[Line]:
    """How it is, its kind and its numbers, on as few lines as hold them; none is torn apart."""
    words = [Line(card.said, style=TONES[card.tone])]
    words += [Line(badge, style=DIM) for badge in [card.badge] if badge]
    words += [Line.assemble((f"{label} ", DIM), value) for label, value in card.facts]
    for start, stop in _runs([word.cell_len for word in words], room, gap=3):
        yield Line(" · ", style=DIM).join(words[start:stop])


def _sections(sections: Sequence[cards.Section], room: int, whole: bool) -> Table:
    """Headings with their lines and commands beside them."""
    heading = _widest(*(section.heading for section in sections))
    beside = room - heading - _GAP
    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_column(no_wrap=True, min_width=heading)
    table.add_column(overflow="fold")  # a word of a command may be wider than the room: nothing of it is lost
    for section in sections:
        lines = section.lines if whole else section.lines[:_MOST_LINES]
        told = [Line("\n".join(wrapped(line, beside))) for line in lines]
        if section.code:
            told.append(Line("\n".join(cards.command_lines(section.code, beside)), style=ACCENT))
        for number, line in enumerate(told):
            table.add_row(Line("" if number else section.heading, style=DIM), line)
    return table


def _strip(chart: charts.Chart, room: int) -> Line:
    """The course on one line, what is marked in brackets and in colour; what it is, as far as there is room."""
    words = [chart.title, *chart.remarks]
    while words and cell_len(" · ".join(words)) + _GAP + _NARROWEST_STRIP > room:
        words.pop(0)
    said = " · ".join(words)
    width = min(room - cell_len(said) - _GAP, _WIDEST_STRIP)
    before, marked, after = charts.strip(chart, max(width, _NARROWEST_CHART))
    framed = (f"[{marked}]", WARNING) if marked else ""
    return Line.assemble((before, ACCENT), framed, (after, ACCENT), (f"  {said}" if said else "", DIM))


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


def _natural(grid: cells.Grid) -> list[int]:
    """The width of each column that cuts and wraps nothing."""
    return [_widest(header, *(row[index] for row in grid.rows)) for index, header in enumerate(grid.headers)]


def _full(widths: Sequence[int]) -> int:
    """The width of columns beside each other."""
    return sum(widths) + _GAP * (len(widths) - 1)


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
    if _full(widths) <= room or len(widths) < 2:
        yield list(range(len(widths)))
        return
    for start, stop in _runs(widths[1:], room - widths[0] - _GAP, gap=_GAP):
        yield [0, *range(start + 1, stop + 1)]
