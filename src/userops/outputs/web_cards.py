"""Cards and states as HTML: a doctor's page that is read on a phone as on paper.

A card leads with its mark and its sentence; what is for who wants to know more is folded, and unfolded in print.
"""

from __future__ import annotations

from userops.outputs import cells
from userops.outputs.cards import GRADE, NOTHING_FOUND, Drawn, Section, State, cards, command_lines, more_cards, states
from userops.outputs.charts import Chart
from userops.outputs.drawing import escaped
from userops.outputs.privacy import terminal_safe
from userops.results import Block, CardsBlock, ChartBlock, Lang, StatusBlock, Text, WaterfallBlock

_MORE = Text("More", "更多")
_CODE_WIDTH = 92  # cells of a line of a command: what a wide window has room for
_WIDTH, _HEIGHT = 1000, 100  # a strip's own units; it stretches to the card

STYLE = """
.userops{--error:#b3261e;--caution:#8a5300;--info:#1f5fbf;--ok:#0f766e;--off:#5d686f;--mark:224 160 48}
.userops .error{--tone:var(--error)}.userops .warn{--tone:var(--caution)}.userops .info{--tone:var(--info)}
.userops .ok{--tone:var(--ok)}.userops .skipped{--tone:var(--off)}
.userops .mark{flex:none;display:inline-flex;align-items:center;justify-content:center;width:1.35em;height:1.35em;
border-radius:50%;background:var(--tone);color:var(--card);font-weight:700;font-size:.8125rem;line-height:1}
.userops .tone{color:var(--tone);font-weight:600}
.userops .states{list-style:none;margin:0;padding:0;border:1px solid var(--rule);border-radius:10px;background:var(--card);
overflow:hidden;display:grid;grid-template-columns:auto fit-content(17rem) auto minmax(0,1fr);column-gap:1.1rem}
.userops .states li{display:grid;grid-column:1/-1;grid-template-columns:subgrid;row-gap:.2rem;align-items:baseline;
padding:.6rem 1rem;border-bottom:1px solid var(--rule)}
.userops .states li:last-child{border-bottom:0}
.userops .states .mark{align-self:start;margin-top:.15rem}
.userops .states b{font-weight:600}.userops .states .tone{font-size:.8125rem}
.userops .grade{display:flex;align-items:center;gap:.9rem;margin:0 0 .8rem}
.userops .grade b{display:inline-flex;align-items:center;justify-content:center;width:2.6rem;height:2.6rem;flex:none;
border:2px solid var(--accent);border-radius:10px;font-size:1.5rem;line-height:1;color:var(--accent)}
.userops .grade span{display:block}
.userops .card{margin:0 0 1rem;padding:1rem 1.15rem 1rem 1.1rem;border:1px solid var(--rule);
border-left:4px solid var(--tone);border-radius:10px;background:var(--card)}
.userops .card h3{display:flex;gap:.65rem;align-items:flex-start;margin:0;font-size:1.0625rem;font-weight:650;line-height:1.4;
color:var(--ink)}
.userops .card h3 .mark{margin-top:.1rem}
.userops .card .kind{margin:.15rem 0 0 1.75rem;font-size:.8125rem;color:var(--soft)}
.userops .numbers{display:flex;flex-wrap:wrap;gap:.55rem 1.6rem;margin:.8rem 0 0}
.userops .numbers dt{font-size:.75rem;color:var(--soft)}
.userops .numbers dd{margin:0;font-weight:600;font-variant-numeric:tabular-nums}
.userops .strip{margin:.9rem 0 0}
.userops .strip svg{display:block;width:100%;height:5.25rem;overflow:visible}
.userops .strip path{fill:none;stroke:var(--accent);stroke-width:1.75;vector-effect:non-scaling-stroke;
stroke-linejoin:round;stroke-linecap:round}
.userops .strip .still{opacity:.45}
.userops rect.marked{fill:rgb(var(--mark)/.24)}
.userops .strip .base,.userops .chart path.base{stroke:var(--soft);stroke-width:1;stroke-dasharray:5 4}
.userops .strip figcaption,.userops .strip p{display:flex;flex-wrap:wrap;gap:0 1rem;justify-content:space-between;margin:0;
font-size:.75rem;color:var(--soft);font-variant-numeric:tabular-nums}
.userops .strip figcaption{margin:0 0 .3rem}
.userops .strip p{margin:.3rem 0 0}
.userops .swatch{display:inline-block;width:.8em;height:.8em;margin-right:.4em;border-radius:2px;vertical-align:-.05em;
background:rgb(var(--mark)/.45)}
.userops .part{display:grid;grid-template-columns:7.5rem minmax(0,1fr);gap:.1rem .9rem;margin:.85rem 0 0}
.userops .part h4{margin:0;font-size:.8125rem;font-weight:600;line-height:1.7;color:var(--soft)}
.userops .part>div>*{margin:0 0 .3rem}.userops .part>div>:last-child{margin-bottom:0}
.userops .part ul{margin:0;padding:0;list-style:none}
.userops .part li+li{margin-top:.2rem}
.userops .part pre{padding:.5rem .7rem;border:1px solid var(--rule);border-radius:7px;background:var(--page);
font:.8125rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Noto Sans Mono CJK SC",monospace;white-space:pre-wrap;
overflow-wrap:anywhere;-webkit-user-select:all;user-select:all}
.userops .part code{font:inherit}
.userops details{margin:.85rem 0 0}
.userops summary{width:fit-content;cursor:pointer;font-size:.8125rem;font-weight:600;color:var(--accent)}
.userops summary:focus-visible{outline:2px solid var(--accent);outline-offset:3px;border-radius:3px}
.userops .waterfall .total{--c:var(--s6)}.userops .waterfall .up{--c:var(--s0)}.userops .waterfall .down{--c:var(--s5)}
.userops .chart .join{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 2}
@media (prefers-color-scheme:dark){.userops{--error:#ff8f85;--caution:#f2bd55;--info:#7aa7ff;--ok:#2dd4bf;--off:#9aa6ac;
--mark:242 189 85}}
@media (max-width:40rem){.userops .states{display:block}.userops .states li{grid-template-columns:auto 1fr auto;column-gap:.8rem}
.userops .states li>:last-child{grid-column:2/-1}
.userops .card{padding:.9rem .9rem .9rem .85rem}
.userops .strip .remark{order:1;flex-basis:100%}
.userops .part{grid-template-columns:minmax(0,1fr)}.userops .numbers{gap:.5rem 1.4rem}}
@media print{.userops{--error:#8c1d18;--caution:#6b4000;--info:#174a96;--ok:#0f5f59;--off:#444;--mark:224 160 48}
.userops .card,.userops .states li{break-inside:avoid}.userops .card h3{break-after:avoid}
.userops details::details-content{content-visibility:visible;block-size:auto}.userops summary{display:none}
.userops .strip svg{height:3.5rem}.userops .card h3{font-size:13px}
.userops .numbers dt,.userops .states .tone,.userops .card .kind,.userops .part h4,.userops .part pre,.userops .strip figcaption,
.userops .strip p{font-size:10px}}
""".strip()
"""What :data:`userops.outputs.web.STYLE` lacks for these; a page without them does without it."""


def is_needed(block: Block) -> bool:
    """True for what :data:`STYLE` is for."""
    marked = isinstance(block, ChartBlock) and (block.marked is not None or block.baseline is not None)
    return marked or isinstance(block, StatusBlock | CardsBlock | WaterfallBlock)


def status(block: StatusBlock, lang: Lang) -> str:
    """The grade and the list of areas."""
    grade = ""
    if block.grade is not None:
        note = terminal_safe(block.grade_note(lang)) if block.grade_note else ""
        said = f'<span><span class="soft">{escaped(GRADE(lang))}</span>{escaped(note)}</span>'
        grade = f'<p class="grade"><b>{escaped(terminal_safe(block.grade))}</b>{said}</p>'
    return f'{grade}<ul class="states">{"".join(map(_state, states(block, lang)))}</ul>'


def _state(state: State) -> str:
    return (
        f'<li class="{state.tone}"><span class="mark" aria-hidden="true">{state.mark}</span><b>{escaped(state.name)}</b>'
        f'<span class="tone">{escaped(state.said)}</span><span>{escaped(state.evidence)}</span></li>\n'
    )


def deck(block: CardsBlock, lang: Lang, most: int, strips: int) -> str:
    """The first ``most`` cards, the first ``strips`` of them with their course over time."""
    if not block.cards:
        return f'<p class="soft">{escaped(NOTHING_FOUND(lang))}</p>'
    shown = cards(CardsBlock(block.title, block.cards[:most]), lang)
    hidden = len(block.cards) - len(shown)
    after = f'<p class="soft">{escaped(more_cards(hidden, lang))}</p>' if hidden else ""
    return "\n".join(_card(card, lang, place < strips) for place, card in enumerate(shown)) + after


def _card(card: Drawn, lang: Lang, strip: bool) -> str:
    kind = f'<span class="tone">{escaped(card.said)}</span>{escaped(f" · {card.badge}" if card.badge else "")}'
    facts = "".join(f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in card.facts)
    numbers = f'<dl class="numbers">{facts}</dl>' if facts else ""
    drawn = _strip(card.chart) if strip and card.chart and card.chart.values else ""
    told = "".join(_part(section) for section in card.sections if not section.more)
    folded = [section for section in card.sections if section.more]
    headings = " · ".join(section.heading for section in folded)
    more = (
        f"<details><summary>{escaped(f'{_MORE(lang)}: {headings}')}</summary>{''.join(map(_part, folded))}</details>"
        if folded
        else ""
    )
    return (
        f'<article class="card {card.tone}"><h3><span class="mark" aria-hidden="true">{card.mark}</span>'
        f'<span>{escaped(card.title)}</span></h3><p class="kind">{kind}</p>{numbers}{drawn}{told}{more}</article>'
    )


def _part(section: Section) -> str:
    lines = "".join(f"<li>{escaped(line)}</li>" for line in section.lines)
    listed = f"<ul>{lines}</ul>" if lines else ""
    lines_of_code = command_lines(section.code, _CODE_WIDTH)
    code = f"<pre><code>{escaped(chr(10).join(lines_of_code))}</code></pre>" if section.code else ""
    return f'<div class="part"><h4>{escaped(section.heading)}</h4><div>{listed}{code}</div></div>'


def _strip(chart: Chart) -> str:
    """The first series, small: its line stretches to the card, its words stand around it and keep their size."""
    run, last = chart.runs[0], max(len(chart.x_labels) - 1, 1)
    values = [
        *(value for value in run.values if value is not None),
        *([chart.baseline] if chart.baseline is not None else []),
    ]
    low, high = min(values), max(values)
    room = (high - low) * 0.06 or abs(high) or 1.0
    low, high = low - room, high + room

    def x(place: float) -> int:
        return round(min(max(place, 0), last) / last * _WIDTH)

    def y(value: float) -> int:
        return round((high - value) / (high - low) * _HEIGHT)

    def line(first: int, stop: int) -> str:
        steps, drawing = "", False
        for place in range(first, stop):
            value = run.values[place]
            if value is not None:
                steps += f"{'L' if drawing else 'M'}{x(place)} {y(value)}"
                steps += "h0" if not drawing else ""  # a lone point shows, its end being round
            drawing = value is not None
        return steps

    count = len(run.values)
    parts = []
    if chart.marked:
        left, right = x(chart.marked[0] - 0.5), x(chart.marked[1] + 0.5)
        parts.append(f'<rect class="marked" x="{left}" width="{right - left}" height="{_HEIGHT}"/>')
    if chart.baseline is not None:
        parts.append(f'<path class="base" d="M0 {y(chart.baseline)}H{_WIDTH}"/>')
    parts.append(f'<path d="{line(0, chart.over)}"/>')
    if chart.any_unfinished:
        parts.append(f'<path class="still" d="{line(max(chart.over - 1, 0), count)}"/>')
    said = " · ".join((chart.title, *chart.remarks))
    extent = f"{cells.shown(min(chart.values), chart.kind)} – {cells.shown(max(chart.values), chart.kind)}"
    swatch = '<span class="swatch" aria-hidden="true"></span>' if chart.marked else ""
    remarks = f"<span class='remark'>{swatch}{escaped(' · '.join(chart.remarks))}</span>" if chart.remarks else ""
    return (
        f'<figure class="strip"><figcaption><span>{escaped(chart.title)}</span><span>{escaped(extent)}</span></figcaption>'
        f'<svg role="img" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none"><title>{escaped(said)}</title>'
        f"<desc>{escaped(extent)}</desc>{''.join(parts)}</svg>"
        f"<p><span>{escaped(chart.x_labels[0])}</span>{remarks}<span>{escaped(chart.x_labels[-1])}</span></p></figure>"
    )
