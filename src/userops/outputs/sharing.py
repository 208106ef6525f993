"""A result as it may leave the team: no small cells, no columns that look personal, no ids; and what was left out.

What people see is held to the same rules as the rows. A drawing whose numbers rest on nobody knows how many users is
left out rather than trusted; so is a sentence that counts a few people. Hidden is null, never another number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from userops.checkup.findings import AREAS
from userops.outputs import cells, privacy
from userops.outputs.personal import by_name, looks_like, personal_columns
from userops.outputs.small_cells import MARK, Hidden, counts_of, hide, hide_all, is_per_user, measures_of
from userops.results import (
    Block,
    Card,
    CardsBlock,
    ChartBlock,
    FactsBlock,
    FunnelBlock,
    GraphBlock,
    HeatBlock,
    Kind,
    NotesBlock,
    Result,
    StatusBlock,
    TableBlock,
    Text,
    WaterfallBlock,
)

DEFAULT_LEAST = 10
"""Users that a number must rest on, where nothing else is asked for."""

TOTALS = frozenset({
    "users", "orders", "events", "sessions", "subscriptions", "revenue", "rows", "known_revenue", "file_total",
    "tested", "findings", "errors", "warnings", "infos", "passed", "skipped", "checks",
})  # fmt: skip
"""Numbers of the summary that stay where a part of them is hidden: they are of everybody."""

_MOST_NAMES = 8
_TITLE = Text("What was left out for sharing", "共享时隐去的内容")
_PEOPLE = r"users?|customers?|people|persons?|subscribers?|buyers?|members?|user's|人|位|名|个用户|个客户"
_NO_PEOPLE = re.compile(r"(?i)^(?:findings|errors|warnings|passed|checks|tested|cohorts)\b")
"""Facts that count no people."""

_RATES = re.compile(r"\d ?% (?:→|->) ")
"""A rate that moved, as a finding tells of what moved with it."""

_FEW = re.compile(rf"(?<![\d.,:/-])(\d{{1,4}})(?![\d.,:/%-])\s*(?:\w+\s+)?(?:{_PEOPLE})")


@dataclass
class Left:
    """What was left out: hidden rows and cells by table, columns that looked personal, drawings and sentences."""

    min_cell: int | None
    rows: dict[str, int] = field(default_factory=dict)
    cells: dict[str, int] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    drawings: list[Text] = field(default_factory=list)
    sentences: int = 0
    summary: list[str] = field(default_factory=list)
    pseudonymised: bool = False

    def as_facts(self) -> dict[str, Any]:
        """What ``meta`` says of it."""
        return {
            "min_cell": self.min_cell,
            "suppressed": {
                "rows": dict(self.rows),
                "cells": dict(self.cells),
                "summary": sorted(self.summary),
                "drawings": len(self.drawings),
                "sentences": self.sentences,
            },
            "dropped_columns": dict(sorted(self.columns.items())),
            "pseudonymised": self.pseudonymised,
        }


def shared(result: Result, least: int | None, *, personal: bool, key: Callable[[], bytes]) -> tuple[Result, Left]:
    """The result as it may leave, and what was left out.

    ``least``: users a number must rest on; None: cells stay. ``personal``: drop columns that look like personal data,
    and replace ids by pseudonyms with ``key()``, which is asked for only where there are ids.
    """
    left = Left(least)
    result = _findings_of_few(result, least)
    frames = {"rows": result.rows, **result.extras}
    views = result.views
    if personal:
        frames = {name: _impersonal(frame, left) for name, frame in frames.items()}
        views = tuple(view for block in views if (view := _view_impersonal(block, left)) is not None)
        if any(map(is_per_user, (*frames.values(), *(v.rows for v in views if isinstance(v, TableBlock))))):
            frames, views = _pseudonymised(frames, views, key())
            left.pseudonymised = True
    summary = result.summary
    provenance = result.provenance
    if least is not None:
        tables = {f"{place}": view for place, view in enumerate(views) if isinstance(view, TableBlock)}
        totals = {name for name, view in tables.items() if view.total_row}
        lists = {name: Hidden(frame) for name, frame in frames.items() if _is_findings(frame)}
        counted = {name: frame for name, frame in frames.items() if name not in lists}
        hidden = hide_all({**counted, **{name: view.rows for name, view in tables.items()}}, least, totals) | lists
        frames = {name: hidden[name].frame for name in frames}
        left.rows = {name: hidden[name].rows for name in frames if hidden[name].rows}
        left.cells = {name: hidden[name].cells for name in frames if hidden[name].cells}
        summary = _summary(summary, least, left)
        told = frozenset(filter(_is_number, summary.values())) if left.rows else None
        titles = frozenset(card.title.en for view in views if isinstance(view, CardsBlock) for card in view.cards)
        of = _Of(least, summary.get("users"), told, whole="rows" not in left.rows)
        plain = cells.whole(replace(result, rows=frames["rows"]))
        drawn = (
            _table(view, hidden[str(place)], plain) if isinstance(view, TableBlock) else view
            for place, view in enumerate(views)
        )
        views = tuple(
            view for block, one in zip(views, drawn, strict=True) if (view := _view(block, one, of, left)) is not None
        )
        titles -= {card.title.en for view in views if isinstance(view, CardsBlock) for card in view.cards}
        views = tuple(_untold(view, titles) if isinstance(view, StatusBlock) else view for view in views)
        provenance = replace(
            provenance,
            definitions=_sentences(provenance.definitions, least, left),
            warnings=_sentences(provenance.warnings, least, left),
        )
    if personal:
        provenance = replace(provenance, settings=_settings(provenance.settings))
    provenance = replace(provenance, facts={**provenance.facts, **left.as_facts()})
    views = (*views, NotesBlock(_TITLE, notes(left))) if views else views
    rows = frames.pop("rows")
    return replace(result, rows=rows, extras=frames, summary=summary, views=views, provenance=provenance), left


def notes(left: Left) -> tuple[Text, ...]:
    """What was left out, in sentences."""
    found = []
    if left.min_cell is not None:
        n = left.min_cell
        hidden = sum(left.cells.values())
        found.append(
            Text(
                f"Numbers that rest on fewer than {n} users are hidden (–), and further ones that would tell them: "
                f"{hidden:,} cells.",
                f"不足 {n} 名用户的数字已隐去(–),可据以推算的其他数字一并隐去:共 {hidden:,} 个单元格。",
            )
        )
    if left.summary:
        first, more = ", ".join(left.summary[:_MOST_NAMES]), len(left.summary) - _MOST_NAMES
        found.append(
            Text(
                f"Summary numbers hidden: {first}{f' and {more} more' if more > 0 else ''}.",
                f"已隐去的汇总数字:{first}{f' 等 {more + _MOST_NAMES} 项' if more > 0 else ''}。",
            )
        )
    found += [
        Text(
            f"Left out, since it is not known how many users stand behind each number: {title.en}.",
            f"已略去,因无法确认每个数字背后的用户数:{title.zh}。",
        )
        for title in left.drawings
        if title.en
    ]
    if left.columns:
        names = ", ".join(sorted(left.columns))
        found.append(
            Text(f"Columns dropped that look like personal data: {names}.", f"疑似个人信息的列已删除:{names}。")
        )
    if left.pseudonymised:
        found.append(
            Text(
                "Ids are pseudonyms: who holds the key can tell the users; it remains personal data.",
                "用户标识已假名化(去标识化):持有密钥者仍可还原,仍属个人信息。",
            )
        )
    return tuple(found)


# --- who it is of ---------------------------------------------------------------------------------------------------


def _impersonal(frame: pl.DataFrame, left: Left) -> pl.DataFrame:
    found = personal_columns(frame)
    left.columns.update({one.column: one.looks_like for one in found})
    return frame.drop([one.column for one in found])


def _view_impersonal(block: Block, left: Left) -> Block | None:
    """The block without what looks personal; None where its labels do."""
    match block:
        case TableBlock():
            rows = _impersonal(block.rows, left)
            columns = tuple(column for column in block.columns if column.name in rows.columns)
            zh = tuple(column for column in block.columns_zh if column.name in rows.columns)
            return replace(block, rows=rows, columns=columns, columns_zh=zh) if columns else None
        case HeatBlock():
            labels = [text.en for text in (*block.row_labels, *block.column_labels)]
        case ChartBlock():
            labels = [*block.x_labels, *(series.label.en for series in block.series)]
        case FunnelBlock():
            labels = [label.en for label, _ in block.steps]
        case GraphBlock():
            labels = [node.label.en for node in block.nodes]
        case _:
            return block
    if any(map(looks_like, labels)):
        left.drawings.append(block.title)
        return None
    return block


def _pseudonymised(
    frames: Mapping[str, pl.DataFrame], views: tuple[Block, ...], key: bytes
) -> tuple[dict[str, pl.DataFrame], tuple[Block, ...]]:
    def named(frame: pl.DataFrame) -> pl.DataFrame:
        return privacy.pseudonymise(frame, "user_id", key) if is_per_user(frame) else frame

    return (
        {name: named(frame) for name, frame in frames.items()},
        tuple(replace(view, rows=named(view.rows)) if isinstance(view, TableBlock) else view for view in views),
    )


def _settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without values that look personal (a condition on a mail address)."""

    def kept(name: str, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [item for item in value if kept(name, item) is not None]
        text = str(value)
        told = isinstance(value, str) and (looks_like(text) or by_name(text.partition("=")[0]) or "user_id" in text)
        return None if told else value

    return {name: kept(name, value) for name, value in settings.items()}


# --- how many it is of ----------------------------------------------------------------------------------------------


def _is_findings(frame: pl.DataFrame) -> bool:
    """True for a list of findings: sentences, each with its number of users, that add up to nothing."""
    return {"title", "n", "area"} <= set(frame.columns)


def _findings_of_few(result: Result, least: int | None) -> Result:
    """Without findings that rest on too few users: their sentences would tell what their numbers may not.

    Nor what moved with them, of which nobody knows on how many users it rests. Findings on the data count rows.
    """
    rows = result.rows
    if least is None or not _is_findings(rows):
        return result
    counted, share = pl.col("n"), pl.col("value")
    part = pl.when(share.is_between(0, 1, closed="none") & (pl.col("area") != "data")).then(share * counted)
    enough = (counted.is_null() | (counted >= least)) & part.is_between(least, counted - least).fill_null(value=True)
    also = [pl.col("also").list.filter(~pl.element().str.contains(_RATES.pattern))] if "also" in rows.columns else []
    return replace(result, rows=rows.filter(enough).with_columns(also))


def _summary(summary: Mapping[str, Any], least: int, left: Left) -> dict[str, Any]:
    """Without numbers of few, and where anything is hidden anywhere, with totals alone."""
    users = summary.get("users")
    kept: dict[str, Any] = {}
    few = isinstance(users, int) and 0 < users < least
    for name, value in summary.items():
        kept[name] = None if _is_few(name, value, users, least) or (few and _is_number(value)) else value
    if any(kept[name] is None and summary[name] is not None for name in kept) or left.rows:
        kept = {
            name: value
            if few is False and (name in TOTALS or not (_is_number(value) or isinstance(value, list | dict)))
            else None
            for name, value in kept.items()
        }
        kept |= {name: summary[name] for name in summary if isinstance(summary[name], str | bool)}
    left.summary = [name for name in kept if kept[name] is None and summary[name] is not None]
    return kept


def _is_few(name: str, value: Any, users: Any, least: int) -> bool:
    """Whether a count is of few, or a share of everybody is."""
    if not _is_number(value):
        return False
    if isinstance(value, int):
        counted = (
            name == "users" or name.endswith("_users") or name in ("new", "retained", "churned", "converted", "active")
        )
        return counted and 0 < value < least
    share = isinstance(users, int) and 0.0 < value < 1.0 and name.endswith(("rate", "share", "retention", "conversion"))
    return share and not least <= value * users <= users - least


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _untold(block: StatusBlock, titles: frozenset[str]) -> StatusBlock:
    """The states without the sentences of cards that do not leave."""
    rows = tuple(
        replace(row, said=Text("–", "–")) if any(title in row.said.en for title in titles) else row
        for row in block.rows
    )
    return replace(block, rows=rows)


def _sentences(texts: tuple[Text, ...], least: int, left: Left) -> tuple[Text, ...]:
    """The sentences that count no few people."""
    kept = tuple(text for text in texts if not (_tells(text.en, least) or _tells(text.zh, least)))
    left.sentences += len(texts) - len(kept)
    return kept


def _tells(sentence: str, least: int) -> bool:
    return any(0 < int(found[1]) < least for found in _FEW.finditer(sentence))


@dataclass(frozen=True, slots=True)
class _Of:
    """What blocks are judged by: the limit, all users (None: not known), and the numbers that may be told (None: any).

    ``whole``: nothing of the main table is hidden, so that no other cut of the same users can tell it.
    """

    least: int
    users: Any
    told: frozenset[Any] | None
    whole: bool

    @property
    def known(self) -> bool:
        return isinstance(self.users, int) and self.users >= self.least


def _view(given: Block, block: Block | None, of: _Of, left: Left) -> Block | None:
    """The block as it may leave; None where nothing of it may."""
    kept: Block | None
    least = of.least
    match block:
        case None | GraphBlock():
            kept = None
        case TableBlock():
            kept = block
        case HeatBlock():
            kept = _heat(block, least) if of.whole or block.kind == "share" else None
        case ChartBlock():
            kept = _chart(block, least)
        case FunnelBlock():
            kept = _funnel(block, least) if of.whole else None
        case FactsBlock():
            return FactsBlock(
                tuple(
                    (label, value if _NO_PEOPLE.search(label.en) else _fact(value, kind, of), kind)
                    for label, value, kind in block.facts
                )
            )
        case NotesBlock():
            said = _sentences(block.notes, least, left)
            return replace(block, notes=said) if said else None
        case StatusBlock():
            return replace(block, rows=tuple(replace(row, facts=()) for row in block.rows))
        case CardsBlock():
            return replace(
                block, cards=tuple(card for one in block.cards if (card := _card(one, of, left)) is not None)
            )
        case WaterfallBlock():
            kept = block if of.known else None
    if kept is None and not isinstance(given, FactsBlock):
        left.drawings.append(given.title)
    return kept


def _fact(value: Any, kind: Kind, of: _Of) -> Any:
    """The number, where it is of enough users, and where nothing is hidden that it might tell."""
    if not _is_number(value) or (of.told is not None and value in of.told):
        return value
    if of.told is not None or (kind == "count" and 0 < value < of.least):
        return None
    if kind == "count":
        return value
    if kind == "share" and of.known and 0.0 < value < 1.0:
        return value if of.least <= value * of.users <= of.users - of.least else None
    return value if of.known else None


def _table(block: TableBlock, hidden: Hidden, plain: TableBlock) -> TableBlock | None:
    """The table without its small cells; where nobody can judge its numbers, the main table for it, or None."""
    if is_per_user(block.rows):
        return block
    written = [name for name in _names(block) if _is_written_number(block.rows[name])]
    if (written or measures_of(block.rows)) and not counts_of(block.rows):
        same = plain.rows.height == block.rows.height and counts_of(plain.rows)
        return replace(plain, title=block.title) if same else None
    unsaid = [pl.when(~pl.col(MARK)).then(pl.col(name)).alias(name) for name in written]
    return replace(block, rows=hidden.frame.with_columns(unsaid).drop(MARK))


def _names(block: TableBlock) -> list[str]:
    """The columns that are shown, but for the first one, which names the row."""
    return list(dict.fromkeys(column.name for columns in (block.columns, block.columns_zh) for column in columns[1:]))


def _is_written_number(column: pl.Series) -> bool:
    """True for text most of which is numbers: the page of an analysis may have written them out."""
    if column.dtype != pl.String:
        return False
    said = column.drop_nulls().str.strip_chars()
    said = said.filter(said.str.contains(r"\d"))
    return bool(said.len()) and 2 * int(said.str.contains(r"^[^\p{L}]*\d").sum()) > said.len()


def _heat(block: HeatBlock, least: int) -> HeatBlock | None:
    """Counts cell by cell; shares by the number of users before their row; others nobody can judge."""
    body = block.values[:-1] if block.total_row else block.values
    if block.kind == "share" and not block.lead:
        return None
    if block.kind not in ("count", "share"):
        return None
    frame = pl.DataFrame(
        [
            (str(row), str(column), None if value is None else round(_users_of(block, row, value)), block.lead[row] if block.lead else None)
            for row, values in enumerate(body)
            for column, value in enumerate(values)
        ],
        schema={"row": pl.String, "column": pl.String, "users": pl.Int64, "cohort_users": pl.Int64},
        orient="row",
    )  # fmt: skip
    gone = set(hide(frame, least).frame.filter(MARK).select("row", "column").iter_rows())
    values = tuple(
        tuple(None if (str(row), str(column)) in gone else value for column, value in enumerate(numbers))
        for row, numbers in enumerate(block.values)
    )
    lead = tuple(None if size is not None and 0 < size < least else size for size in block.lead)
    return replace(block, values=values, lead=lead)


def _users_of(block: HeatBlock, row: int, value: float) -> float:
    return value if block.kind == "count" else value * (block.lead[row] or 0)


def _chart(block: ChartBlock, least: int) -> ChartBlock | None:
    """Counts point by point; shares and means by the users behind each point, where these are known."""
    if block.kind != "count" and not all(series.bases for series in block.series):
        return None
    gone = _hidden_places(block, least) if block.shape == "stacked" else _hidden_points(block, least)
    series = tuple(
        replace(
            one,
            values=tuple(
                None if (str(number), block.x_labels[place]) in gone else value
                for place, value in enumerate(one.values)
            ),
        )
        for number, one in enumerate(block.series)
    )
    return replace(block, series=series, baseline=block.baseline if not gone else None)


def _hidden_points(block: ChartBlock, least: int) -> set[tuple[str, str]]:
    """The points, by series and label, that rest on few."""
    rows = []
    for number, run in enumerate(block.series):
        for place, value in enumerate(run.values):
            base = run.bases[place] if run.bases else None
            part = value if block.kind == "count" else base
            if block.kind == "share" and value and base:
                part = value * base
            rows.append((str(number), block.x_labels[place], None if part is None else abs(round(part)), base))
    schema = {"series": pl.String, "place": pl.String, "users": pl.Int64, "cohort_users": pl.Int64}
    hidden = hide(pl.DataFrame(rows, schema, orient="row"), least).frame
    return set(hidden.filter(MARK).select("series", "place").iter_rows())


def _hidden_places(block: ChartBlock, least: int) -> set[tuple[str, str]]:
    """All points of periods of which one rests on few: what is piled up is parts of one another."""
    names = [f"{number}_users" for number in range(len(block.series))]
    parts = {
        name: [None if value is None else abs(round(value)) for value in run.values]
        for name, run in zip(names, block.series, strict=True)
    }
    frame = pl.DataFrame({"place": block.x_labels, **parts}, {"place": pl.String, **dict.fromkeys(names, pl.Int64)})
    places = hide(frame, least).frame.filter(MARK)["place"]
    return {(str(number), place) for number in range(len(names)) for place in places}


def _funnel(block: FunnelBlock, least: int) -> FunnelBlock | None:
    """Whole, or not at all: its steps tell one another."""
    counts = [count for _, count in block.steps]
    lost = [before - after for before in counts for after in counts if before > after]
    return None if any(0 < number < least for number in (*counts, *lost)) else block


def _card(card: Card, of: _Of, left: Left) -> Card | None:
    """The card without numbers and sentences of few; None where its own sentence tells of few."""
    least = of.least
    counted = [value for _, value, kind in card.facts if kind == "count" and _is_number(value)]
    of_rows = card.badge.en.startswith(AREAS["data"].en)
    bases = [] if of_rows else counted or [of.users] * of.known
    shares = [value for _, value, kind in card.facts if kind == "share" and _is_number(value) and 0.0 < value < 1.0]
    few = any(0 < count < least for count in counted)
    few = few or any(not least <= share * base <= base - least for share in shares for base in bases if base)
    numbered = any(character.isdigit() for character in card.title.en)
    if (few and numbered) or _tells(card.title.en, least) or _tells(card.title.zh, least):
        left.sentences += 1
        return None
    facts = tuple(
        (label, None if few and _is_number(value) and kind in ("count", "share") else value, kind)
        for label, value, kind in card.facts
    )
    sections = tuple(replace(section, lines=_of_many(section.lines, least, left)) for section in card.sections)
    chart = _chart(card.chart, least) if card.chart else None
    if card.chart and chart is None:
        left.drawings.append(card.chart.title)
    return replace(card, facts=facts, sections=sections, chart=chart)


def _of_many(lines: tuple[Text, ...], least: int, left: Left) -> tuple[Text, ...]:
    """The sentences that neither count a few people nor tell rates of nobody knows how many."""
    kept = tuple(line for line in _sentences(lines, least, left) if not _RATES.search(line.en))
    left.sentences += len(_sentences(lines, least, Left(least))) - len(kept)
    return kept
