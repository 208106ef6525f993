"""What a person sees of an audit: what to do first, every check, rows by day, and the rules, in English and Chinese."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from userops import periods
from userops.pages import shared
from userops.results import (
    Block,
    Card,
    CardsBlock,
    CardSection,
    ChartBlock,
    Provenance,
    Series,
    StatusBlock,
    StatusRow,
    Text,
    Tone,
)
from userops.texts.checks import GRADES

if TYPE_CHECKING:
    from userops.audit import Audit, Finding
    from userops.audit.scan import Scan

KIND_ZH = {"orders": "订单", "events": "事件", "users": "用户"}

UNITS: dict[str, Text] = {
    "rows": Text("rows", "行数"), "orders": Text("orders", "订单数"), "users": Text("users", "用户数"),
    "days": Text("days", "天数"), "hours": Text("hours", "小时数"), "columns": Text("columns", "列数"),
    "files": Text("files", "文件数"),
}  # fmt: skip

_FILES, _FIRST = Text("Files", "文件"), Text("What to do first", "优先处理")
_ALL = Text("All checks", "全部检查")
_FIX, _SHARE = Text("What to do", "怎么做"), Text("share", "占比")
_TONES: tuple[Tone, ...] = ("error", "warn", "info", "ok", "skipped")

LONGEST_CHART = 1_100
"""Days a chart of rows by day can show."""


def definitions() -> tuple[Text, ...]:
    """The rules that made the grade, in words."""
    return (
        Text(
            "Grade over all files: A has no warning and no error; B has at most three warnings, none of a check of high "
            "severity that touches more than 1 %; D has an error that touches more than 1 %, or nobody can tell how much, "
            "or mixed currencies, a column that is gone, or a file of which no row counts; C is all else.",
            "等级(全部文件):A 无警告、无错误;B 至多三个警告,且高严重度检查的影响不超过 1%;D 有影响超过 1%(或影响不明)"
            "的错误、币种混用、列消失或无可计入的行;其余为 C。",
        ),
        Text(
            "Share: of the rows of the file, or of its users, days or columns, as the unit says. Rows that do not count "
            "are looked at where a check is about them, and nowhere else.",
            "占比:占该文件的行(或用户、天、列,见单位)。不计入的行仅用于相关检查。",
        ),
        Text(
            "Days are held against the same weekday before and after, four each: median and median absolute deviation, "
            "at least 10 % of the median and what chance makes of rows that come several at a time. A day is missing "
            "where 12 visits or more were sure, a visit being a user's rows of one day.",
            "每日与前后各四个同星期日比较:中位数与绝对中位差(不小于中位数的 10% 及随机波动,考虑同一用户多行同来)。"
            "必有不少于 12 次访问(一个用户一天的行)而无数据的日期,视为缺失。",
        ),
        Text(
            "Amounts: deviations of the logarithm from its median, in median absolute deviations times 1.4826.",
            "金额:对数与其中位数之差,以 1.4826 倍绝对中位差为单位。",
        ),
        Text(
            "Thresholds are settings: --threshold NAME=VALUE, or [audit.threshold] of userops.toml.",
            "阈值可设置:--threshold 名称=值,或 userops.toml 的 [audit.threshold]。",
        ),
    )


def _file(one: Finding) -> str:
    return PurePath(one.scan.subject.table.name).name


def views(audit: Audit, summary: dict[str, Any], provenance: Provenance) -> tuple[Block, ...]:
    """The page: the grade, what to do first, every check, rows by day, the rules."""
    grade = str(summary["grade"])
    blocks: list[Block] = [StatusBlock(_FILES, tuple(_state(audit, one) for one in audit.scans), grade, GRADES[grade])]
    if urgent := audit.found("error", "warn"):
        blocks.append(CardsBlock(_FIRST, tuple(_card(audit, one) for one in urgent)))
    blocks.append(StatusBlock(_ALL, _states(audit)))
    blocks += _by_day(audit)
    return (*blocks, *shared.ending(provenance.definitions))


def _state(audit: Audit, scan: Scan) -> StatusRow:
    """One file at a glance: the gravest of what was found, how many rows there are, and of which days."""
    statuses = [one.verdict.status for one in audit.findings if one.scan is scan]
    n = {status: statuses.count(status) for status in ("error", "warn", "ok")}
    empty = scan.books.rows_used == 0
    tone: Tone = "error" if n["error"] or empty else "warn" if n["warn"] else "ok"
    parts = (
        (empty, "no row counts", "没有可计入的行"),
        (n["error"], f"{n['error']} error{'s' * (n['error'] > 1)}", f"{n['error']} 个错误"),
        (n["warn"], f"{n['warn']} warning{'s' * (n['warn'] > 1)}", f"{n['warn']} 个警告"),
        (n["ok"], f"{n['ok']} checks passed", f"{n['ok']} 项通过"),
    )
    said = Text(", ".join(en for count, en, _ in parts if count), "、".join(zh for count, _, zh in parts if count))
    kind, span = scan.subject.kind, scan.body
    facts: list[tuple[Text, Any, Any]] = [
        (Text("rows", "行数"), scan.rows_read, "count"),
        (Text("users", "用户数"), scan.small["ids"].height, "count"),
    ]
    if span is not None:
        days = f"{periods.first_day(span[0], 'day')} – {periods.first_day(span[1], 'day')}"
        facts.append((Text("days", "日期"), days, "text"))
    name = PurePath(scan.subject.table.name).name
    return StatusRow(tone, Text(f"{name} ({kind})", f"{name}({KIND_ZH[kind]})"), said, tuple(facts))


def _card(audit: Audit, one: Finding) -> Card:
    """One finding: what, where, how much, and what to do."""
    verdict, check = one.verdict, one.check
    where = f" · {_file(one)}" if len(audit.scans) > 1 else ""
    tone: Tone = "error" if verdict.status == "error" else "warn"
    facts: list[tuple[Text, Any, Any]] = [(UNITS[verdict.unit], verdict.affected, "count")]
    if verdict.share is not None:
        facts.append((_SHARE, verdict.share, "share"))
    return Card(
        tone,
        Text(f"{check.id}{where}", f"{check.id}{where}"),
        Text(f"{check.name.en.capitalize()}: {verdict.said.en}", f"{check.name.zh}:{verdict.said.zh}"),
        tuple(facts),
        (CardSection(_FIX, (check.fix,)),),
    )


def _states(audit: Audit) -> tuple[StatusRow, ...]:
    """A row per check, all files together: the gravest of what they say, and the others beside it where that differs."""
    rows = []
    for check in dict.fromkeys(one.check for one in audit.findings):
        asked = [one for one in audit.findings if one.check == check and one.scan.subject.kind in check.kinds]
        ranked = sorted(asked, key=lambda one: _TONES.index(one.verdict.status))
        if not ranked:
            continue
        tone: Tone = ranked[0].verdict.status
        said: dict[Text, list[str]] = {}
        for one in ranked:
            if one.verdict.status == tone:
                said.setdefault(one.verdict.said, []).append(_file(one))
        alone = len(audit.scans) == 1 or (len(said) == 1 and tone in ("ok", "skipped"))
        places = {text: "" if alone else f" [{', '.join(dict.fromkeys(files))}]" for text, files in said.items()}
        evidence = Text(
            "; ".join(f"{text.en}{where}" for text, where in places.items()),
            ";".join(f"{text.zh}{where}" for text, where in places.items()),
        )
        name = Text(f"{check.id} {check.name.en}", f"{check.id} {check.name.zh}")
        rows.append(StatusRow(tone, name, evidence))
    return tuple(rows)


def _by_day(audit: Audit) -> list[Block]:
    """Rows by day of each file with acts, where they can be drawn."""
    blocks: list[Block] = []
    for one in audit.scans:
        if one.subject.kind == "users" or one.body is None:
            continue
        first, last = one.body
        if not 2 <= last - first + 1 <= LONGEST_CHART:
            continue
        counts = dict(one.books.days.drop_nulls("day").select("day", "n").iter_rows())
        days = range(first, last + 1)
        name = PurePath(one.subject.table.name).name
        blocks.append(
            ChartBlock(
                Text(f"Rows by day: {name}", f"每日行数:{name}"),
                tuple(periods.first_day(day, "day").isoformat() for day in days),
                (Series(Text("rows", "行数"), tuple(float(counts.get(day, 0)) for day in days)),),
            )
        )
    return blocks
