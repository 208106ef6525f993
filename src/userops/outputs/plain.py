"""A result as plain text: for pipes, files and logs.

Nothing is ever cut: columns are as wide as their longest cell, one thin rule stands under each header, and there are
no colours or escape sequences. ``width`` only wraps sentences; without it each stays on one line, good for grep.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from rich.cells import cell_len

from userops.outputs import cards, cells, charts, funnels, graphs, waterfalls
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
    WaterfallBlock,
)

BAR_WIDTH = 12
"""Characters of a bar of fraction 1."""

CHART_WIDTH = 48
"""Characters of a sparkline, and of the longest stacked bar."""

_GAP = "  "


def render(result: Result, lang: Lang, width: int | None = None) -> str:
    """The whole result as text, each block after an empty line, ending in a newline."""
    name, day = cells.headline(result, lang)
    drawn = [_drawn(block, lang, width) for block in cells.blocks(result)]
    return "\n\n".join([" · ".join(filter(None, (name, day))), *("\n".join(lines) for lines in drawn)]) + "\n"


def _drawn(block: Block, lang: Lang, width: int | None) -> list[str]:
    match block:
        case TableBlock():
            return list(_table(cells.grid(block, lang), lang))
        case HeatBlock():
            return list(_heat(cells.heat(block, lang), lang))
        case ChartBlock():
            return list(_chart(charts.chart(block, lang), lang))
        case WaterfallBlock():
            return list(_waterfall(waterfalls.waterfall(block, lang), lang))
        case StatusBlock():
            return list(_status(block, lang))
        case CardsBlock():
            return list(_cards(block, lang, width))
        case FunnelBlock():
            return list(_funnel(funnels.funnel(block, lang), lang))
        case GraphBlock():
            return list(_graph(graphs.graph(block, lang), lang))
        case FactsBlock():
            return list(_facts(block.facts, lang, width))
        case NotesBlock():
            return list(_notes(block, lang, width))


def _table(grid: cells.Grid, lang: Lang) -> Iterator[str]:
    if grid.title:
        yield grid.title
    columns = [_column(grid, index) for index in range(len(grid.headers))]
    yield from _lines(columns, rule_above_last=grid.total_row)
    if not grid.rows:
        yield cells.NO_ROWS(lang)
    if grid.hidden:
        yield cells.more_rows(grid.hidden, lang)


def _column(grid: cells.Grid, index: int) -> list[str]:
    """Header and cells of one column, padded to one width, with its bars when it has them."""
    lines = padded([grid.headers[index], *(row[index] for row in grid.rows)], flush_right=grid.numeric[index])
    bars = grid.bars[index]
    if bars is None:
        return lines
    return padded(
        [lines[0], *(f"{line} {cells.bar(bar, BAR_WIDTH)}" for line, bar in zip(lines[1:], bars, strict=True))]
    )


def _heat(grid: cells.HeatGrid, lang: Lang) -> Iterator[str]:
    yield grid.title
    yield f"{grid.row_title} ↓  {grid.column_title} →"
    columns = [padded(["", *grid.row_labels])]
    if grid.lead:
        columns.append(padded([grid.lead_title, *grid.lead], flush_right=True))
    for index, label in enumerate(grid.column_labels):
        columns.append(padded(cells.hanging([label, *(row[index] for row in grid.cells)]), flush_right=True))
    yield from _lines(columns, rule_above_last=grid.total_row)
    if grid.any_unfinished:
        yield cells.NOT_OVER(lang)


def _chart(chart: charts.Chart, lang: Lang) -> Iterator[str]:
    yield from _table(charts.table(chart, lang, CHART_WIDTH), lang)
    yield from charts.legend(chart, lang, CHART_WIDTH)


def _funnel(funnel: funnels.Funnel, lang: Lang) -> Iterator[str]:
    yield f"{funnel.title} · {funnel.unit}"
    yield from (f"{head}{_GAP}{picture}".rstrip() for head, picture in funnel_lines(funnel, CHART_WIDTH))
    if not funnel.steps:
        yield cells.NO_ROWS(lang)


def funnel_lines(funnel: funnels.Funnel, width: int) -> Iterator[tuple[str, str]]:
    """Of each step its name and numbers, all as wide, and its bar; between them nothing, and what was lost there."""
    steps = funnel.steps
    if not steps:
        return
    names = padded([f"{step.place:>{len(steps[-1].place)}}{_GAP}{step.label}" for step in steps])
    counts = padded([step.count for step in steps], flush_right=True)
    shares = padded([step.from_start for step in steps], flush_right=True)
    for step, *head in zip(steps, names, counts, shares, strict=True):
        said = _GAP.join(head)
        if step.drop:
            yield " " * cell_len(said), f"└ {step.drop}"
        yield said, cells.bar(step.fraction, width)


def _graph(graph: graphs.Graph, lang: Lang) -> Iterator[str]:
    yield graph.title
    yield from ("".join(parts).rstrip() for parts in arrow_lines(graph))
    if not graph.ways:
        yield cells.NO_ROWS(lang)


def arrow_lines(graph: graphs.Graph) -> Iterator[tuple[str, str]]:
    """A node, and below it the strongest ways from there with their numbers: (what it is called, its numbers)."""
    listed = graphs.arrows(graph)
    ways = [way for _, leaving in listed for way in leaving]
    if not ways:
        return
    names = padded([f"  → {graph.spots[way.target].label}" for way in ways])
    counts = padded([way.count for way in ways], flush_right=True)
    shares = padded([way.share for way in ways], flush_right=True)
    drawn = iter(zip(names, counts, shares, strict=True))
    for spot, leaving in listed:
        yield spot.label, ""
        for name, count, share in islice(drawn, len(leaving)):
            yield name, f"{_GAP}{count}{_GAP}{share}"


def _waterfall(chart: waterfalls.Waterfall, lang: Lang) -> Iterator[str]:
    yield from _table(waterfalls.table(chart, lang, CHART_WIDTH), lang)
    if chart.note:
        yield chart.note


def _status(block: StatusBlock, lang: Lang) -> Iterator[str]:
    yield from filter(None, (terminal_safe(block.title(lang)), cards.grade(block, lang)))
    states = cards.states(block, lang)
    names, said = padded([state.name for state in states]), padded([state.said for state in states])
    for state, *words in zip(states, names, said, strict=True):
        yield _GAP.join((state.mark, *words, state.evidence)).rstrip()


def _cards(block: CardsBlock, lang: Lang, width: int | None) -> Iterator[str]:
    """Everything on every card: a file has room."""
    title = terminal_safe(block.title(lang))
    if title:
        yield title
    if not block.cards:
        yield cards.NOTHING_FOUND(lang)
    room = width - len(_GAP) if width is not None else None
    for place, card in enumerate(cards.cards(block, lang)):
        yield from [""] * (place > 0)
        yield f"{card.mark} {card.title}"
        yield f"{_GAP}{' · '.join(filter(None, (card.said, card.badge)))}"
        for line in _joined([" ".join(fact) for fact in card.facts], room):
            yield _GAP + line
        if card.chart and card.chart.runs:
            yield f"{_GAP}{strip_text(card.chart, CHART_WIDTH)}"
        for section in card.sections:
            yield f"{_GAP}{section.heading}"
            for line in section.lines:
                first, *others = wrapped(line, room - 4 if room is not None else None)
                yield f"{_GAP}  - {first}"
                yield from (f"{_GAP}    {other}" for other in others)
            if section.code:
                yield from (f"{_GAP}    {line}" for line in cards.command_lines(section.code, None))


def strip_text(chart: charts.Chart, width: int) -> str:
    """A chart on one line: its course, what is marked in brackets, and from when to when."""
    before, marked, after = charts.strip(chart, width)
    course = f"{before}[{marked}]{after}" if marked else before
    ends = " → ".join(dict.fromkeys(chart.x_labels[:1] + chart.x_labels[-1:]))
    return "  ".join(filter(None, (course, " · ".join((chart.title, ends, *chart.remarks)))))


def _joined(words: Sequence[str], width: int | None) -> Iterator[str]:
    """The words on as few lines as they fit, a dot between two."""
    line = ""
    for word in words:
        longer = f"{line} · {word}" if line else word
        if width is not None and line and cell_len(longer) > width:
            yield line
            longer = word
        line = longer
    if line:
        yield line


def _lines(columns: Sequence[Sequence[str]], rule_above_last: bool = False) -> Iterator[str]:
    lines = [_GAP.join(parts).rstrip() for parts in zip(*columns, strict=True)]
    rule = "─" * (sum(cell_len(column[0]) for column in columns) + len(_GAP) * (len(columns) - 1))
    yield lines[0]
    yield rule
    yield from lines[1:-1] if rule_above_last else lines[1:]
    if rule_above_last:
        yield rule
        yield lines[-1]


def _facts(facts: Sequence[tuple[Text, Any, Kind]], lang: Lang, width: int | None) -> Iterator[str]:
    yield from _joined([" ".join(pair) for pair in cells.pairs(facts, lang)], width) if facts else [""]


def _notes(block: NotesBlock, lang: Lang, width: int | None) -> Iterator[str]:
    mark = "⚠" if block.tone == "warning" else "-"
    yield terminal_safe(block.title(lang))
    for note in block.notes:
        first, *others = wrapped(terminal_safe(note(lang)), width - 2 if width is not None else None)
        yield f"{mark} {first}"
        yield from (f"  {line}" for line in others)


def wrapped(sentence: str, width: int | None) -> list[str]:
    """The sentence in lines of at most ``width`` cells: broken at spaces, and anywhere between wide characters.

    A single word longer than the width stays whole.
    """
    if width is None or cell_len(sentence) <= width:
        return [sentence]
    lines, line = [], ""
    for word in _words(sentence):
        if line and cell_len(line + word.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += word if line else word.lstrip()
    return [*lines, line.rstrip()]


def _words(sentence: str) -> Iterator[str]:
    """Pieces that may be torn apart: words with the space after them, single wide characters."""
    word = ""
    for character in sentence:
        wide = cell_len(character) > 1
        if word and (wide or word[-1] == " "):
            if character not in _NEVER_FIRST:
                yield word
                word = ""
        elif word and cell_len(word[-1]) > 1 and character not in _NEVER_FIRST:
            yield word
            word = ""
        word += character
    if word:
        yield word


_NEVER_FIRST = " ,。、;:?!)」』】》〉”’％,.;:?!)]}%"


def padded(texts: Sequence[str], flush_right: bool = False) -> list[str]:
    """The texts of one column, filled with spaces to the width of the widest."""
    width = max((cell_len(text) for text in texts), default=0)
    spaces = [" " * (width - cell_len(text)) for text in texts]
    return [space + text if flush_right else text + space for text, space in zip(texts, spaces, strict=True)]
