"""A result as one HTML file that needs nothing else: no script, no network, no font to fetch.

The page follows the reader's light or dark setting, prints, and fits a phone (wide tables scroll in themselves, their
first column stays). Bars and shades are drawings beside numbers, never instead of them. Everything that comes from the
data is escaped; a content security policy forbids the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import count
from typing import Any

from rich.cells import cell_len

from userops import __version__
from userops.outputs import (
    cells,
    charts,
    funnels,
    graphs,
    svg,
    svg_funnel,
    svg_graph,
    svg_waterfall,
    waterfalls,
    web_cards,
)
from userops.outputs.privacy import terminal_safe
from userops.results import (
    Block,
    CardsBlock,
    ChartBlock,
    FactsBlock,
    FunnelBlock,
    GraphBlock,
    HeatBlock,
    InputReport,
    Kind,
    Lang,
    NotesBlock,
    Result,
    StatusBlock,
    TableBlock,
    Text,
    WaterfallBlock,
)

BUDGET = 500_000
"""Bytes of a page: more opens slowly, and no mail takes it."""


@dataclass(frozen=True, slots=True)
class Detail:
    """How much is drawn: rows of one table, numbers under the pointer, cards of one block, and cards with a chart."""

    rows: int
    titles: bool
    cards: int
    strips: int


DETAILS = (
    Detail(rows=500, titles=True, cards=500, strips=500),
    Detail(rows=500, titles=False, cards=500, strips=100),
    Detail(rows=200, titles=False, cards=200, strips=40),
    Detail(rows=60, titles=False, cards=100, strips=20),
    Detail(rows=20, titles=False, cards=30, strips=10),
)
"""The first that keeps a page within its budget is taken. What is left out is counted; the rest is for a data file."""

_LONG = 24
"""Cells of text in a row's name above which it wraps."""

_MANY = 8
"""Columns of a shaded grid above which its cells stand closer."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_TAGS: dict[Lang, str] = {"en": "en", "zh": "zh-Hans"}
_MADE = Text("How this was made", "数据来源与口径")
_INPUT, _LAYOUT = Text("Input", "输入"), Text("Layout", "格式")
_READ, _USED, _REJECTED = Text("Rows read", "读取行数"), Text("Used", "采用"), Text("Rejected", "剔除")
_SETTINGS = Text("Settings in force", "生效参数")
_DEFINITIONS = Text("Definitions", "口径")
_SCALE = Text("shaded by the square root of the value", "按数值平方根着色")

_NOT_OVER = Text("period not over", "周期未结束")

STYLE = """
.userops{--page:#fafaf8;--card:#fff;--ink:#1b2124;--soft:#5d686f;--rule:#e4e7e6;--accent:#0f766e;--bar:15 118 110;
--heat:15 118 110;--heat-most:.72;--warn:#8a5300;--warn-page:#fff7e6;--warn-rule:#e0a030;
--s0:#0f766e;--s1:#2f6fdb;--s2:#b45f06;--s3:#a8348f;--s4:#5d6b13;--s5:#c2362b;--s6:#5b6770;--s7:#0a84b8;--hatch:#d5dad8;
box-sizing:border-box;margin:0 auto;max-width:68rem;padding:2.5rem 1.25rem 3rem;background:var(--page);color:var(--ink);
font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","PingFang SC","Hiragino Sans GB","Microsoft YaHei",
"Noto Sans CJK SC","Noto Sans SC",sans-serif;-webkit-text-size-adjust:100%;overflow-wrap:anywhere}
.userops *{box-sizing:border-box}
.userops header{margin:0 0 1.75rem}
.userops h1{margin:0;font-size:1.5rem;font-weight:650;line-height:1.25;letter-spacing:-.01em;color:var(--ink)}
.userops h1 b{font-weight:650;color:var(--accent)}
.userops h2{margin:0 0 .6rem;font-size:1rem;font-weight:650;line-height:1.4;color:var(--ink)}
.userops h3{margin:1.1rem 0 .35rem;font-size:.8125rem;font-weight:600;color:var(--soft)}
.userops p{margin:.35rem 0}
.userops .soft{color:var(--soft);font-size:.8125rem}
.userops section{margin:0 0 2rem}
.userops .facts{display:flex;flex-wrap:wrap;gap:1px;margin:0 0 2rem;
padding:0;border:1px solid var(--rule);border-radius:10px;background:var(--rule);overflow:hidden}
.userops .facts div{flex:1 1 auto;min-width:6.5rem;padding:.8rem 1rem;background:var(--card);box-shadow:0 0 0 1px var(--rule)}
.userops .facts dt{font-size:.8125rem;color:var(--soft)}
.userops .facts dd{margin:.1rem 0 0;white-space:nowrap;font-size:1.25rem;font-weight:600;line-height:1.3;font-variant-numeric:tabular-nums}
.userops .scroll{overflow-x:auto;border:1px solid var(--rule);border-radius:10px;background:var(--card);
scrollbar-width:thin}
.userops .scroll:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.userops table{width:100%;margin:0;border:0;border-collapse:separate;border-spacing:0;font-size:.875rem;line-height:1.4;
background:var(--card);color:var(--ink);overflow-wrap:break-word}
.userops caption,.userops .unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);
white-space:nowrap}
.userops th,.userops td{padding:.5rem .8rem;border:0;border-bottom:1px solid var(--rule);text-align:left;
vertical-align:baseline;background:var(--card)}
.userops thead th{font-size:.8125rem;font-weight:500;color:var(--soft);white-space:nowrap;vertical-align:bottom}
.userops tbody th{font-weight:500;position:sticky;left:0;z-index:1;white-space:nowrap}
.userops tbody th.t{white-space:normal;min-width:9rem;max-width:22rem}
.userops thead th:first-child{position:sticky;left:0;z-index:1}
.userops tbody tr:last-child>*{border-bottom:0}
.userops tbody tr:hover>*{background:color-mix(in srgb,var(--card),var(--ink) 3%)}
.userops .n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.userops td.t{min-width:7rem;max-width:30rem}
.userops .total>*{font-weight:650;border-top:1px solid var(--soft)}
.userops .meter{padding-left:0;width:14%;min-width:4.5rem}
.userops .meter svg{display:block;width:100%;height:.55rem}
.userops .meter rect{fill:var(--accent)}
.userops .meter rect:first-of-type{fill:rgb(var(--bar)/.1)}
.userops .scroll:has(.heat){width:fit-content;max-width:100%}
.userops .heat{width:auto;margin:0 .3rem .3rem 0}
.userops .heat td,.userops .heat thead th{text-align:center;font-variant-numeric:tabular-nums;white-space:nowrap}
.userops .heat thead th:first-child{text-align:left}
.userops .heat tbody th{border-bottom:0}.userops .heat thead th{border-bottom:0}
.userops .heat td{border:1px solid var(--card);border-radius:6px;min-width:3.6rem}
.userops .heat tbody tr>td[style],.userops .heat tbody tr:hover>td[style]{
background:rgb(var(--heat)/calc(var(--v)*var(--heat-most)))}
.userops .heat .lead{text-align:right;padding-right:1rem}
.userops .heat td.lead{border-color:transparent}
.userops .many td{min-width:3.1rem;padding:.4rem .3rem}
.userops .heat td.still{color:var(--soft);border:1px dashed color-mix(in srgb,var(--soft),transparent 40%);
background:repeating-linear-gradient(135deg,transparent 0 5px,var(--hatch) 5px 6px)}
.userops .heat tr.total>*{border:0;border-top:1px solid var(--soft);border-radius:0}
.userops .chart{container-type:inline-size;padding:.75rem .75rem .5rem;border:1px solid var(--rule);border-radius:10px;
background:var(--card)}
.userops .chart>svg{display:block;width:100%;height:auto;margin:0 auto;overflow:visible;font-size:12px}
.userops .chart>.wide{max-width:1040px}.userops .chart>.narrow{display:none;max-width:560px}
.userops .chart text{fill:var(--soft);font-variant-numeric:tabular-nums}
.userops .chart .grid path{stroke:var(--rule);fill:none}
.userops .chart .zero,.userops .chart .grid .zero{stroke:var(--soft);fill:none}
.userops .chart>svg>.still{fill:var(--ink);opacity:.05}
.userops .chart path{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.userops .chart .grid path,.userops .chart .zero{stroke-width:1}
.userops .chart path.still{stroke-dasharray:.1 4.5}
.userops .chart circle{fill:var(--c)}
.userops .chart circle.still{fill:var(--card);stroke:var(--c);stroke-width:1.5}
.userops .chart circle.at{fill:transparent}.userops .chart circle.at:hover{fill:var(--c);opacity:.35}
.userops .chart g>rect,.userops .legend rect{fill:var(--c);stroke:var(--card);stroke-width:1}
.userops .chart g>rect.still{fill-opacity:.35;stroke:var(--c);stroke-dasharray:3 2}
.userops .chart g.dense>rect{stroke:none;shape-rendering:crispEdges}
.userops .chart g>rect:hover{fill-opacity:.8}
.userops .chart text[class]{fill:var(--c);font-weight:600}
.userops .chart text.name{fill:var(--ink);font-weight:600}
.userops .funnel .slope{fill:rgb(var(--bar)/.13);stroke:none}
.userops .funnel text.drop{font-weight:400;fill:var(--soft)}
.userops .funnel g>rect{fill:var(--accent);stroke:none}
.userops .funnel g>rect.track{fill:rgb(var(--bar)/.05)}
.userops .graph .way path{fill:none;stroke:var(--c);stroke-opacity:.5;stroke-linecap:butt}
.userops .graph .way path.head{fill:var(--c);stroke:none}
.userops .graph .way:hover path{stroke-opacity:.9}
.userops .graph .onward{--c:var(--accent)}.userops .graph .back{--c:var(--s2)}.userops .graph .out{--c:var(--s6)}
.userops .graph g>rect{fill:var(--card);stroke:var(--soft);stroke-width:1}
.userops .graph .end>rect{fill:var(--page)}
.userops .graph text.share{fill:var(--ink);font-weight:400;stroke:var(--card);stroke-width:3.5;paint-order:stroke;stroke-linejoin:round}
.userops .legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:0 0 .6rem;font-size:.8125rem;color:var(--ink)}
.userops .legend span{display:flex;align-items:center;gap:.4rem}
.userops .legend svg{flex:none}
.userops .named .legend{display:none}
.userops .s0{--c:var(--s0)}.userops .s1{--c:var(--s1)}.userops .s2{--c:var(--s2)}.userops .s3{--c:var(--s3)}
.userops .s4{--c:var(--s4)}.userops .s5{--c:var(--s5)}.userops .s6{--c:var(--s6)}.userops .s7{--c:var(--s7)}
.userops .lines .s1>path{stroke-dasharray:9 4}.userops .lines .s2>path{stroke-dasharray:14 3 3 3}
.userops .lines .s3>path{stroke-dasharray:4 4}.userops .lines .s4>path{stroke-dasharray:9 3 3 3 3 3}
.userops .lines .s5>path{stroke-dasharray:18 5}.userops .lines .s6>path{stroke-dasharray:5 3 5 9}
.userops .lines .s7>path{stroke-dasharray:12 3 1 3}.userops .lines g>path.still{stroke-dasharray:.1 4.5}
@container (max-width:640px){.userops .chart>.wide{display:none}.userops .chart>.narrow{display:block}
.userops .named .legend{display:flex}}
.userops ul{margin:0;padding:0 0 0 1.1rem}
.userops li{margin:.2rem 0}
.userops .notes{color:var(--soft);font-size:.875rem}
.userops .warning{padding:.85rem 1.1rem;border:1px solid var(--warn-rule);border-left-width:4px;border-radius:8px;
background:var(--warn-page)}
.userops .warning h2{margin:0 0 .25rem;color:var(--warn)}
.userops .made{margin:2.5rem 0 0;padding:1.25rem 0 0;border-top:1px solid var(--rule);color:var(--soft);
font-size:.8125rem}
.userops .made table{font-size:.8125rem}
.userops .settings{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.1rem 1.5rem;margin:0}
.userops .settings div{display:flex;gap:.75rem;justify-content:space-between;border-bottom:1px solid var(--rule);
padding:.2rem 0}
.userops .settings dd{margin:0;text-align:right;color:var(--ink);font-variant-numeric:tabular-nums}
@media (prefers-color-scheme:dark){.userops{--page:#111517;--card:#171c1f;--ink:#e6eaeb;--soft:#9aa6ac;--rule:#2a3236;
--accent:#2dd4bf;--bar:45 212 191;--heat:45 212 191;--heat-most:.42;
--warn:#f2bd55;--warn-page:#241d10;--warn-rule:#8a6416;
--s0:#2dd4bf;--s1:#7aa7ff;--s2:#f2a65a;--s3:#e58fd3;--s4:#b9c95c;--s5:#ff8f85;--s6:#a9b4ba;--s7:#6cc7ee;--hatch:#374147}}
@media (max-width:40rem){.userops{padding:1.5rem 1rem 2rem}.userops th,.userops td{padding:.45rem .6rem}
.userops tbody th.t{min-width:7.5rem;max-width:9rem}
.userops .heat td{min-width:3.1rem;padding:.45rem .3rem}
.userops .facts{display:grid;grid-template-columns:repeat(2,1fr)}.userops .facts dd{font-size:1.125rem;white-space:normal}
.userops .facts div:last-child:nth-child(odd){grid-column:1/-1}}
@media print{.userops{--page:#fff;--card:#fff;--ink:#000;--soft:#444;--rule:#ccc;--accent:#0f766e;--bar:15 118 110;
--heat:15 118 110;--heat-most:.6;--warn:#6b4000;--warn-page:#fff;
--s0:#0f766e;--s1:#2f6fdb;--s2:#b45f06;--s3:#a8348f;--s4:#5d6b13;--s5:#c2362b;--s6:#5b6770;--s7:#0a84b8;--hatch:#ccc;max-width:none;padding:0;font-size:11px;
print-color-adjust:exact;-webkit-print-color-adjust:exact}
.userops .scroll{overflow:visible;border:0}.userops tr,.userops .warning,.userops .facts{break-inside:avoid}
.userops .chart{border:0;padding:0;break-inside:avoid}
.userops .many{font-size:9px}.userops .many td{min-width:0;padding:.3rem .15rem}
.userops h2{break-after:avoid}.userops thead{display:table-header-group}
.userops tbody th,.userops thead th:first-child{position:static}}
""".strip()
"""Every rule is bound to ``.userops``, so that a fragment changes nothing around it. Colours are variables: the
contrast of ink on the darkest shade is at least 4.5 in either scheme."""

_PAGE_STYLE = (
    ":root{color-scheme:light dark}html,body{margin:0;background:#fafaf8}"
    "@media (prefers-color-scheme:dark){html,body{background:#111517}}@media print{html,body{background:#fff}}"
)


def page(result: Result, lang: Lang) -> str:
    """The result as a whole HTML document, with as much of it as the budget takes."""
    drawn = ""
    for detail in DETAILS:
        drawn = _page(result, lang, detail)
        if len(drawn) <= BUDGET and len(drawn.encode("utf-8", "replace")) <= BUDGET:
            break
    return drawn


def _page(result: Result, lang: Lang, detail: Detail) -> str:
    name, day = cells.headline(result, lang)
    return (
        f'<!doctype html>\n<html lang="{_TAGS[lang]}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="generator" content="userops {__version__}">\n<link rel="icon" href="data:,">\n'
        f"<title>{_e(' · '.join(filter(None, (name, day))))}</title>\n<style>{_PAGE_STYLE}\n{_style(result)}</style>\n</head>\n<body>\n"
        f'<main class="userops">\n{_body(result, lang, detail)}\n</main>\n</body>\n</html>\n'
    )


def fragment(result: Result, lang: Lang) -> str:
    """The result as a piece of HTML for a notebook, with its own style, which touches nothing else."""
    body = _body(result, lang, DETAILS[0])
    return f'<style>{_style(result)}</style>\n<div class="userops" lang="{_TAGS[lang]}">\n{body}\n</div>\n'


def _style(result: Result) -> str:
    return f"{STYLE}\n{web_cards.STYLE}" if any(map(web_cards.is_needed, result.views)) else STYLE


def _body(result: Result, lang: Lang, detail: Detail) -> str:
    name, day = cells.headline(result, lang)
    program, _, command = name.partition(" ")
    when = _soft(day) if day else ""
    header = f"<header><h1>{_e(program)} <b>{_e(command)}</b></h1>{when}</header>"
    numbers = count(1)
    drawn = (_drawn(block, lang, f"userops-{result.command}-{next(numbers)}", detail) for block in cells.blocks(result))
    return "\n".join([header, *drawn, _made(result, lang)])


def _drawn(block: Block, lang: Lang, anchor: str, detail: Detail) -> str:
    match block:
        case TableBlock():
            return _table(cells.grid(block, lang, detail.rows), lang, anchor)
        case HeatBlock():
            return _heat(cells.heat(block, lang), lang, anchor)
        case ChartBlock():
            return _chart(charts.chart(block, lang), lang, anchor, detail.titles)
        case WaterfallBlock():
            return _waterfall(waterfalls.waterfall(block, lang), lang, anchor)
        case StatusBlock():
            return _section(terminal_safe(block.title(lang)), anchor, web_cards.status(block, lang))
        case CardsBlock():
            title = terminal_safe(block.title(lang))
            return _section(title, anchor, web_cards.deck(block, lang, detail.cards, detail.strips))
        case FunnelBlock():
            return _funnel(funnels.funnel(block, lang), lang, anchor)
        case GraphBlock():
            return _graph(graphs.graph(block, lang), lang, anchor)
        case FactsBlock():
            return _facts(block.facts, lang)
        case NotesBlock():
            return _notes(block, lang)


def _facts(facts: Sequence[tuple[Text, Any, Kind]], lang: Lang) -> str:
    return _pairs("facts", cells.pairs(facts, lang))


def _table(grid: cells.Grid, lang: Lang, anchor: str) -> str:
    head = "".join(_header(*column) for column in zip(grid.headers, grid.numeric, grid.bars, strict=True))
    last = len(grid.rows) - 1
    rows = (_row(grid, index, total=grid.total_row and index == last) for index in range(len(grid.rows)))
    after = "" if grid.rows else _soft(cells.NO_ROWS(lang))
    after += _soft(cells.more_rows(grid.hidden, lang)) if grid.hidden else ""
    table = f"<table>{_caption(grid.title)}<thead><tr>{head}</tr></thead><tbody>\n{''.join(rows)}</tbody></table>"
    return _section(grid.title, anchor, _scrolling(table, grid.title) + after)


def _header(label: str, numeric: bool, bars: object) -> str:
    header = f'<th scope="col"{_class("n", numeric)}>{_e(label)}</th>'
    return header if bars is None else header + '<td class="meter"></td>'


def _row(grid: cells.Grid, index: int, total: bool) -> str:
    parts: list[str] = []
    for column, cell in enumerate(grid.rows[index]):
        kind = "n" if grid.numeric[column] else "t"
        parts.append(f'<td class="{kind}">{_e(cell)}</td>' if column else _row_header(cell))
        bars = grid.bars[column]
        if bars is not None:
            parts.append(f'<td class="meter">{_meter(bars[index], f"{grid.headers[column]}: {cell}")}</td>')
    return f"<tr{_class('total', total)}>{''.join(parts)}</tr>\n"


def _row_header(cell: str) -> str:
    return f'<th scope="row"{_class("t", cell_len(cell) > _LONG)}>{_e(cell)}</th>'


def _meter(fraction: float | None, title: str) -> str:
    """A bar as a drawing: a faint track of the whole, the value on it, and its number for who cannot see it."""
    if fraction is None:
        return ""
    return (
        f'<svg role="img" viewBox="0 0 100 8" preserveAspectRatio="none"><title>{_e(title)}</title>'
        f'<rect width="100" height="8" rx="1"/><rect width="{fraction * 100:.4g}" height="8" rx="1"/></svg>'
    )


def _heat(grid: cells.HeatGrid, lang: Lang, anchor: str) -> str:
    corner = f"{_e(grid.row_title)} ↓<br>{_e(grid.column_title)} →"
    head = f'<th scope="col" class="lead">{_e(grid.lead_title)}</th>' if grid.lead else ""
    head += "".join(f'<th scope="col">{_e(label)}</th>' for label in grid.column_labels)
    many = " many" * (len(grid.column_labels) > _MANY)
    rows = "".join(_heat_row(grid, row, lang) for row in range(len(grid.cells)))
    table = (
        f'<table class="heat{many}">{_caption(f"{grid.title} · {grid.row_title} · {grid.column_title}")}'
        f'<thead><tr><th scope="col">{corner}</th>{head}</tr></thead><tbody>\n{rows}</tbody></table>'
    )
    words = (cells.NOT_OVER(lang), _SCALE(lang)) if grid.any_unfinished else (_SCALE(lang),)
    return _section(grid.title, anchor, _scrolling(table, grid.title) + _soft(" · ".join(words)))


def _heat_row(grid: cells.HeatGrid, row: int, lang: Lang) -> str:
    lead = f'<td class="lead">{_e(grid.lead[row])}</td>' if grid.lead else ""
    still = f' class="still" title="{_e(_NOT_OVER(lang))}"'
    cells_of_row = zip(grid.cells[row], grid.shades[row], grid.unfinished[row], strict=True)
    drawn = (
        f"<td{still if unfinished else _shaded(shade)}>{_e(cell)}</td>" for cell, shade, unfinished in cells_of_row
    )
    total = _class("total", grid.total_row and row == len(grid.cells) - 1)
    return f"<tr{total}>{_row_header(grid.row_labels[row])}{lead}{''.join(drawn)}</tr>\n"


def _shaded(shade: float | None) -> str:
    return "" if shade is None else f' style="--v:{shade:.3f}"'


def _chart(chart: charts.Chart, lang: Lang, anchor: str, titles: bool) -> str:
    if not chart.x_labels or not chart.runs:
        return _section(chart.title, anchor, _soft(cells.NO_ROWS(lang)))
    words = (cells.NOT_OVER(lang),) if chart.any_unfinished else ()
    after = _soft(" · ".join((*words, *chart.remarks))) if words or chart.remarks else ""
    return _section(chart.title, anchor, svg.figure(chart, lang, titles) + after)


def _waterfall(chart: waterfalls.Waterfall, lang: Lang, anchor: str) -> str:
    if not chart.bars:
        return _section(chart.title, anchor, _soft(cells.NO_ROWS(lang)))
    return _section(chart.title, anchor, svg_waterfall.figure(chart) + (_soft(chart.note) if chart.note else ""))


def _funnel(funnel: funnels.Funnel, lang: Lang, anchor: str) -> str:
    return _section(
        funnel.title, anchor, svg_funnel.figure(funnel, lang) if funnel.steps else _soft(cells.NO_ROWS(lang))
    )


def _graph(graph: graphs.Graph, lang: Lang, anchor: str) -> str:
    if not graph.ways:
        return _section(graph.title, anchor, _soft(cells.NO_ROWS(lang)))
    return _section(graph.title, anchor, svg_graph.figure(graph) + _soft(graphs.READ(lang)))


def _notes(block: NotesBlock, lang: Lang) -> str:
    warning = block.tone == "warning"
    title = ("⚠ " if warning else "") + terminal_safe(block.title(lang))
    kind, role = ("warning", ' role="note"') if warning else ("notes", "")
    return f'<section class="{kind}"{role}><h2>{_e(title)}</h2>{_list(block.notes, lang)}</section>'


def _made(result: Result, lang: Lang) -> str:
    """Where the numbers came from: inputs, settings in force, and the definitions that no block has said."""
    of = result.provenance
    unsaid = cells.unsaid(result, of.definitions)
    return "\n".join(part for part in (
        f'<section class="made"><h2>{_e(_MADE(lang))}</h2>',
        _inputs(of.inputs, lang) if of.inputs else "",
        f"<h3>{_e(_DEFINITIONS(lang))}</h3>{_list(unsaid, lang)}" if unsaid else "",
        f"<h3>{_e(_SETTINGS(lang))}</h3>{_settings(of.settings, lang)}" if of.settings else "",
        f"<p>userops {__version__}</p></section>",
    ) if part)  # fmt: skip


def _inputs(inputs: Sequence[InputReport], lang: Lang) -> str:
    labels = (_INPUT, _LAYOUT, _READ, _USED, _REJECTED)
    head = "".join(_header(text(lang), text in (_READ, _USED), bars=None) for text in labels)
    rows = "".join(_input(report) for report in inputs)
    table = f"<table>{_caption(_MADE(lang))}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return _scrolling(table, _MADE(lang))


def _input(report: InputReport) -> str:
    rejected = " · ".join(f"{reason} {rows:,}" for reason, rows in sorted(report.rejected.items())) or cells.NOTHING
    name = _row_header(terminal_safe(report.name))
    layout, rejected = _e(terminal_safe(report.layout)), _e(terminal_safe(rejected))
    return (
        f'<tr>{name}<td class="t">{layout}</td><td class="n">{report.rows_read:,}</td>'
        f'<td class="n">{report.rows_used:,}</td><td class="t">{rejected}</td></tr>'
    )


def _settings(settings: dict[str, Any], lang: Lang) -> str:
    return _pairs("settings", [(name, cells.shown(value, "text", lang)) for name, value in settings.items()])


def _pairs(kind: str, pairs: Sequence[tuple[str, str]]) -> str:
    parts = (f"<div><dt>{_e(terminal_safe(name))}</dt><dd>{_e(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="{kind}">{"".join(parts)}</dl>'


def _list(notes: Sequence[Text], lang: Lang) -> str:
    return f"<ul>{''.join(f'<li>{_e(terminal_safe(note(lang)))}</li>' for note in notes)}</ul>"


def _section(title: str, anchor: str, content: str) -> str:
    heading = f'<h2 id="{_e(anchor)}">{_e(title)}</h2>' if title else ""
    return f"<section>{heading}{content}</section>"


def _scrolling(table: str, title: str) -> str:
    """The table in a box of its own that scrolls, by keyboard too."""
    name = f' role="region" aria-label="{_e(title)}"' if title else ""
    return f'<div class="scroll" tabindex="0"{name}>{table}</div>'


def _soft(text: str) -> str:
    return f'<p class="soft">{_e(text)}</p>'


def _class(name: str, applies: bool) -> str:
    return f' class="{name}"' if applies else ""


def _caption(title: str) -> str:
    return f"<caption>{_e(title)}</caption>" if title else ""


def _e(text: str) -> str:
    return escape(text, quote=True)
