"""A result as GitHub-flavoured Markdown: pipe tables, headings, an alert for warnings.

Whatever comes from the data is escaped, so that it reads as it is and neither breaks a table nor becomes markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from userops import flowchart
from userops.outputs import cards, cells, charts, funnels, waterfalls
from userops.outputs.plain import strip_text
from userops.outputs.privacy import terminal_safe
from userops.results import (
    Block,
    CardsBlock,
    ChartBlock,
    FactsBlock,
    FunnelBlock,
    GraphBlock,
    HeatBlock,
    Lang,
    NotesBlock,
    Result,
    StatusBlock,
    TableBlock,
    Text,
    WaterfallBlock,
)

MAX_ROWS = 500
"""Rows of one table; a document with more is read by nobody."""

CHART_WIDTH = 32
"""Characters of a sparkline, and of the longest stacked bar: rendered pages are narrow."""

_STATE, _AREA, _EVIDENCE = Text("State", "状态"), Text("Area", "领域"), Text("Evidence", "依据")
_MARKUP = re.compile(r"([\\`*_{}\[\]|~#!$])")
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_BETWEEN_WORD_CHARACTERS = re.compile(r"(?<=\w)\\_(?=\w)")


def render(result: Result, lang: Lang) -> str:
    """The whole result as one Markdown document, ending in a newline."""
    name, day = cells.headline(result, lang)
    paragraphs = [f"# {escaped(name)}", *([escaped(day)] if day else [])]
    for block in cells.blocks(result):
        paragraphs += ["\n".join(lines) for lines in _drawn(block, lang) if lines]
    return "\n\n".join(paragraphs) + "\n"


def escaped(text: str) -> str:
    """The text as Markdown that reads exactly so: on one line, no markup, no HTML, no column break."""
    marked = _MARKUP.sub(r"\\\1", terminal_safe(text).translate(_HTML))
    return _BETWEEN_WORD_CHARACTERS.sub("_", marked)


def _drawn(block: Block, lang: Lang) -> Iterator[list[str]]:
    match block:
        case TableBlock():
            yield from _table(cells.grid(block, lang, MAX_ROWS), lang)
        case HeatBlock():
            yield from _heat(cells.heat(block, lang), lang)
        case ChartBlock():
            yield from _chart(charts.chart(block, lang), lang)
        case WaterfallBlock():
            yield from _waterfall(waterfalls.waterfall(block, lang), lang)
        case StatusBlock():
            yield from _status(block, lang)
        case CardsBlock():
            yield from _cards(block, lang)
        case FunnelBlock():
            yield from _table(funnels.table(funnels.funnel(block, lang), lang, CHART_WIDTH), lang)
        case GraphBlock():
            yield from _graph(block, lang)
        case FactsBlock():
            yield [_facts(cells.pairs(block.facts, lang))]
        case NotesBlock():
            yield from _notes(block, lang)


def _table(grid: cells.Grid, lang: Lang) -> Iterator[list[str]]:
    yield _heading(grid.title)
    rows = [
        [_picture(cell) if index == grid.drawing else escaped(cell) for index, cell in enumerate(row)]
        for row in grid.rows
    ]
    if grid.total_row:
        rows[-1] = _bold(rows[-1])
    yield _pipes([escaped(header) for header in grid.headers], rows, grid.numeric)
    if not rows:
        yield [cells.NO_ROWS(lang)]
    if grid.hidden:
        yield [cells.more_rows(grid.hidden, lang)]


def _heat(grid: cells.HeatGrid, lang: Lang) -> Iterator[list[str]]:
    yield _heading(grid.title)
    corner = escaped(f"{grid.row_title} ↓ {grid.column_title} →")
    leads = [[escaped(lead)] for lead in grid.lead] or [[] for _ in grid.cells]
    rows = [
        [f"**{escaped(label)}**", *lead, *(escaped(cell) for cell in row)]
        for label, lead, row in zip(grid.row_labels, leads, grid.cells, strict=True)
    ]
    if grid.total_row:
        rows[-1] = [rows[-1][0], *_bold(rows[-1][1:])]
    headers = [corner, *([escaped(grid.lead_title)] if grid.lead else []), *map(escaped, grid.column_labels)]
    yield _pipes(headers, rows, [False, *(True for _ in headers[1:])])
    if grid.any_unfinished:
        yield [escaped(cells.NOT_OVER(lang))]


def _chart(chart: charts.Chart, lang: Lang) -> Iterator[list[str]]:
    yield from _table(charts.table(chart, lang, CHART_WIDTH), lang)
    for line in charts.legend(chart, lang, CHART_WIDTH):
        yield [escaped(line)]


def _waterfall(chart: waterfalls.Waterfall, lang: Lang) -> Iterator[list[str]]:
    yield from _table(waterfalls.table(chart, lang, CHART_WIDTH), lang)
    if chart.note:
        yield [escaped(chart.note)]


def _status(block: StatusBlock, lang: Lang) -> Iterator[list[str]]:
    yield _heading(block.title(lang))
    grade = cards.grade(block, lang)
    if grade:
        yield [f"**{escaped(grade)}**"]
    states = cards.states(block, lang)
    rows = [[f"{state.mark} {escaped(state.said)}", escaped(state.name), escaped(state.evidence)] for state in states]
    yield _pipes([escaped(header(lang)) for header in (_STATE, _AREA, _EVIDENCE)], rows, (False,) * 3)


def _cards(block: CardsBlock, lang: Lang) -> Iterator[list[str]]:
    yield _heading(block.title(lang))
    if not block.cards:
        yield [escaped(cards.NOTHING_FOUND(lang))]
    for card in cards.cards(block, lang):
        yield [f"### {card.mark} {escaped(card.title)}"]
        yield [escaped(" · ".join(filter(None, (card.said, card.badge))))]
        if card.facts:
            yield [_facts(card.facts)]
        if card.chart and card.chart.runs:
            yield [_picture(strip_text(card.chart, CHART_WIDTH).replace("`", "'"))]
        for section in card.sections:
            yield [f"**{escaped(section.heading)}**"]
            if section.lines:
                yield [f"- {escaped(line)}" for line in section.lines]
            if section.code:
                yield _code(section.code)


def _code(command: str) -> list[str]:
    """The command in a fence that it cannot close."""
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", command)), default=0) + 1)
    return [f"{fence}sh", command, fence]


def _graph(block: GraphBlock, lang: Lang) -> Iterator[list[str]]:
    yield _heading(block.title(lang))
    yield ["```mermaid", *flowchart.mermaid(block, lang).splitlines(), "```"] if block.edges else [cells.NO_ROWS(lang)]


def _bold(row: Sequence[str]) -> list[str]:
    return [f"**{cell}**" if cell else "" for cell in row]


def _picture(drawing: str) -> str:
    """A drawing as code, of characters that are all as wide, with spaces that no browser swallows."""
    return f"`{drawing.replace(' ', chr(0xA0))}`" if drawing else ""


def _pipes(headers: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> list[str]:
    """A pipe table whose source lines up too."""
    widths = [max(3, *(cell_len(row[index]) for row in (headers, *rows))) for index in range(len(headers))]
    rule = ["-" * (width - 1) + (":" if right else "-") for width, right in zip(widths, numeric, strict=True)]
    return [_pipe_line(row, widths, numeric) for row in (headers, rule, *rows)]


def _pipe_line(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = []
    for cell, width, right in zip(row, widths, numeric, strict=True):
        space = " " * (width - cell_len(cell))
        padded.append(space + cell if right else cell + space)
    return f"| {' | '.join(padded)} |"


def _facts(pairs: Sequence[tuple[str, str]]) -> str:
    return " · ".join(f"{escaped(label)} **{escaped(value)}**" for label, value in pairs)


def _notes(block: NotesBlock, lang: Lang) -> Iterator[list[str]]:
    notes = [f"- {escaped(note(lang))}" for note in block.notes]
    if block.tone == "warning":
        yield ["> [!WARNING]", f"> **{escaped(block.title(lang))}**", ">", *(f"> {note}" for note in notes)]
    else:
        yield _heading(block.title(lang))
        yield notes


def _heading(title: str) -> list[str]:
    return [f"## {escaped(title)}"] if title else []
