"""Cards and states as finished texts: what every drawing of a check-up shares.

A mark and a word say how something is; colour only repeats them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from userops.outputs import cells, charts
from userops.outputs.privacy import terminal_safe
from userops.results import Card, CardsBlock, Lang, StatusBlock, Text, Tone

MARKS: dict[Tone, str] = {"error": "✗", "warn": "!", "info": "i", "ok": "✓", "skipped": "–"}
"""One cell wide everywhere."""

SAID: dict[Tone, Text] = {
    "error": Text("act now", "需立即处理"),
    "warn": Text("look into it", "需关注"),
    "info": Text("worth knowing", "供参考"),
    "ok": Text("sound", "良好"),
    "skipped": Text("not looked at", "未检查"),
}
"""What the marks mean, in words."""

GRADE = Text("Data grade", "数据评级")
NOTHING_FOUND = Text("nothing found", "未发现问题")

MORE_ON_EACH = Text(
    "more on each (what would prove it, prevention, how to reproduce): -o FILE.html",
    "每条的验证方法、预防措施与复现命令:-o FILE.html",
)
_MORE_CARDS = Text(
    "{hidden} more: all of them with --format json or -o FILE", "另有 {hidden} 条:用 --format json 或 -o FILE 查看全部"
)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, its lines, a command (empty: none), and whether it is for who wants to know more."""

    heading: str
    lines: tuple[str, ...]
    code: str
    more: bool


@dataclass(frozen=True, slots=True)
class Drawn:
    """A card ready to be drawn."""

    tone: Tone
    mark: str
    said: str
    badge: str
    title: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    chart: charts.Chart | None


@dataclass(frozen=True, slots=True)
class State:
    """A row of a status block ready to be drawn: how it is, in a mark and a word; what of; the evidence in one line."""

    tone: Tone
    mark: str
    said: str
    name: str
    evidence: str


def cards(block: CardsBlock, lang: Lang) -> list[Drawn]:
    """The cards of the block as finished texts."""
    return [_card(card, lang) for card in block.cards]


def states(block: StatusBlock, lang: Lang) -> list[State]:
    """The rows of the block as finished texts."""
    return [
        State(
            row.tone,
            MARKS[row.tone],
            SAID[row.tone](lang),
            terminal_safe(row.name(lang)),
            " · ".join(filter(None, (terminal_safe(row.said(lang)), *map(" ".join, cells.pairs(row.facts, lang))))),
        )
        for row in block.rows
    ]


def grade(block: StatusBlock, lang: Lang) -> str:
    """The grade and what it means, on one line; empty without one."""
    if block.grade is None:
        return ""
    note = terminal_safe(block.grade_note(lang)) if block.grade_note else ""
    return " · ".join(filter(None, (f"{GRADE(lang)} {terminal_safe(block.grade)}", note)))


def more_cards(hidden: int, lang: Lang) -> str:
    """The line that says how many cards were left out, and how to see them."""
    return _MORE_CARDS(lang).format(hidden=f"{hidden:,}")


def command_lines(command: str, width: int | None) -> list[str]:
    r"""A command in lines of at most ``width`` cells, each but the last ending in ``\``: what is copied still runs.

    It is broken between words only, never inside quotes, nor after ``-o``; a longer word stays whole.
    """
    if width is None or len(command) <= width:
        return [command]
    lines, line = [], ""
    for word in _shell_words(command):
        longer = f"{line} {word}" if line else word
        if line and len(longer) + 2 > width:
            lines.append(f"{line} \\")
            longer = f"  {word}"
        line = longer
    return [*lines, line]


def _shell_words(command: str) -> Iterator[str]:
    word, quote = "", ""
    for character in command:
        if character == " " and not quote and not re.fullmatch("-[a-z]", word):
            if word:
                yield word
            word = ""
            continue
        if character in "'\"" and not quote:
            quote = character
        elif character == quote:
            quote = ""
        word += character
    if word:
        yield word


def _card(card: Card, lang: Lang) -> Drawn:
    return Drawn(
        tone=card.tone,
        mark=MARKS[card.tone],
        said=SAID[card.tone](lang),
        badge=terminal_safe(card.badge(lang)),
        title=terminal_safe(card.title(lang)),
        facts=cells.pairs(card.facts, lang),
        sections=tuple(
            Section(
                terminal_safe(section.heading(lang)),
                tuple(terminal_safe(line(lang)) for line in section.lines),
                terminal_safe(section.code or ""),
                section.more,
            )
            for section in card.sections
            if section.lines or section.code
        ),
        chart=charts.chart(card.chart, lang) if card.chart else None,
    )
