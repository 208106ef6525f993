"""What a person sees of a check-up: the state of every area, what was found as a doctor writes it, the evidence, the words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from userops.checkup.findings import AREAS, Cause, Evidence, Finding, Looked
from userops.results import (
    Block,
    Card,
    CardsBlock,
    CardSection,
    FactsBlock,
    Kind,
    NotesBlock,
    StatusBlock,
    StatusRow,
    Text,
)

Fact = tuple[Text, Any, Kind]
"""A label, a value, and how it reads."""

# --- words ----------------------------------------------------------------------------------------------------------

SEVERITIES: dict[str, Text] = {
    "error": Text("goes on and costs", "正在发生且造成损失"),
    "warn": Text("wants somebody's eye", "需要有人查看"),
    "info": Text("worth knowing", "供参考"),
}
"""What the severities mean."""

PROGRESS: dict[str, Text] = {
    "open": Text("open", "待处理"),
    "new": Text("new", "新出现"),
    "worse": Text("worse", "加重"),
    "same": Text("unchanged", "未变"),
    "better": Text("better", "好转"),
    "resolved": Text("resolved", "已解决"),
}
"""What became of a finding since an earlier report."""

CONFIDENCE: dict[str, Text] = {
    "high": Text("high", "高"),
    "medium": Text("medium", "中"),
    "low": Text("low", "低"),
}

GRADES: dict[str, Text] = {
    "A": Text("The data can be relied on.", "数据可信。"),
    "B": Text("Small defects; the findings hold.", "有小的缺陷,不影响结论。"),
    "C": Text("Defects that may move numbers: see Data first.", "缺陷可能影响数字,请先查看“数据真实性”。"),
    "D": Text("Do not act on these numbers before the data is mended.", "数据修复之前,请勿据此决策。"),
}
"""What the grade of the data means for the rest of the page."""

AREA_ASKS: dict[str, Text] = {
    "data": Text("Can the files be believed?", "数据是否真实完整?"),
    "portrait": Text("Who are the users?", "用户是谁?"),
    "demand": Text("What do they say they want?", "用户需要什么?"),
    "goals": Text("Where are the numbers, where should they be?", "目标与实际差多少?"),
    "behaviour": Text("How do users come, stay and buy?", "用户如何到来、留下与购买?"),
    "content": Text("What engages and converts?", "什么内容有效?"),
}
"""The question of each area."""

_STATE, _FINDINGS = Text("Check-up", "体检总览"), Text("Findings", "诊断结果")
_BEFORE, _NOW, _THEN = Text("Before", "之前"), Text("Now", "当前"), Text("In those days", "期间")
_TARGET, _CHANGE, _DAYS = Text("Target", "目标"), Text("Change", "变化"), Text("Days", "时间")
_AFFECTED = Text("Affected", "受影响")
_STAKE, _COUNTED = Text("At stake", "涉及金额"), Text("Counted", "样本量")
_SURE, _Q = Text("Confidence", "可信度"), Text("q-value", "q 值")
_WHY, _DO, _WHOM = Text("Why", "原因"), Text("What to do", "怎么做"), Text("For whom", "针对人群")
_PROOF, _PREVENT = Text("Proof", "如何验证"), Text("Prevention", "如何预防")
_ALSO, _AGAIN = Text("Also moved", "同时变化"), Text("Reproduce", "复现")
_NOTES, _LEFT_OUT = Text("Notes", "说明"), Text("Not looked at", "未检查")
_FOR_A_PERSON = Text("For a person to check", "需人工核查")
_TESTED = Text("How it was tested", "检验方法")
_DEFINITIONS, _WARNINGS = Text("Definitions", "口径"), Text("Warnings", "警告")
_NOTHING = Text("nothing found", "未发现问题")

_MOST_FACTS = 3  # of the evidence on the line of an area


def views(
    looked: Sequence[Looked],
    findings: Sequence[Finding],
    *,
    grade: str | None,
    head: Sequence[Fact],
    manual_checks: Sequence[Text],
    tested: int,
    as_of: str | None,
    definitions: Sequence[Text] = (),
    warnings: Sequence[Text] = (),
    whole: bool = False,
) -> tuple[Block, ...]:
    """The doctor's page: grade and areas, head facts, findings as cards, each area with its evidence and views, words.

    ``findings`` in the order to be shown (:func:`userops.checkup.findings.ranked`). ``tested``: how many comparisons were tested.
    ``whole``: everything of a finding on a terminal too, not only what fits a few lines.
    """
    ordered = sorted(looked, key=lambda one: list(AREAS).index(one.area))
    blocks: list[Block] = [StatusBlock(_STATE, tuple(map(_row, ordered)), grade, GRADES.get(grade or ""))]
    if head:
        blocks.append(FactsBlock(tuple(head)))
    blocks.append(CardsBlock(_FINDINGS, tuple(card(finding, as_of) for finding in findings), whole))
    for one in ordered:
        blocks.append(CardsBlock(AREAS[one.area], (_area(one),), whole=True))
        blocks += one.views
    if manual_checks:
        blocks.append(NotesBlock(_FOR_A_PERSON, tuple(manual_checks)))
    blocks.append(NotesBlock(_TESTED, _how_tested(tested)))
    if definitions:
        blocks.append(NotesBlock(_DEFINITIONS, tuple(definitions)))
    if warnings:
        blocks.append(NotesBlock(_WARNINGS, tuple(warnings), tone="warning"))
    return tuple(blocks)


# --- findings -------------------------------------------------------------------------------------------------------


def card(finding: Finding, as_of: str | None = None) -> Card:
    """A finding as a doctor writes it: symptom, was and is, causes, what to do, for whom, what would prove it."""
    progress = (PROGRESS[finding.status],) if finding.status != "open" else ()
    sections = (
        CardSection(_WHY, tuple(map(cause_words, finding.causes))),
        CardSection(_DO, finding.actions),
        CardSection(_WHOM, code=finding.audience),
        CardSection(_PROOF, (finding.proof,) if finding.proof else ()),
        CardSection(_AGAIN, code=finding.reproduce),
        CardSection(_ALSO, finding.also, more=True),
        CardSection(_PREVENT, finding.prevention, more=True),
    )
    return Card(
        tone="ok" if finding.status == "resolved" else finding.severity,
        badge=_joined(AREAS[finding.area], *progress),
        title=finding.title,
        facts=_facts(finding, as_of),
        sections=tuple(section for section in sections if section.lines or section.code),
        chart=finding.chart,
    )


def cause_words(cause: Cause) -> Text:
    """The cause and how much of the change it accounts for; what only happened at the same time is said to have."""
    if cause.share is not None:
        share = f"{100 * cause.share:.0f} %"
        return Text(
            f"{_open(cause.text.en)}: accounts for {share} of the change",
            f"{_open(cause.text.zh)}:占变化的 {share}",
        )
    if cause.how == "coincides":
        return Text(
            f"{_open(cause.text.en)}: coincides, nothing more is known", f"{_open(cause.text.zh)}:同期发生,仅此而已"
        )
    return cause.text


def _facts(finding: Finding, as_of: str | None) -> tuple[Fact, ...]:
    ended = finding.until is not None and as_of is not None and finding.until.isoformat() < as_of
    numbers: list[tuple[Text, Any, Kind]] = [
        (_BEFORE, *_read(finding.baseline, finding.kind)),
        (_AFFECTED if finding.area == "data" else _THEN if ended else _NOW, *_read(finding.value, finding.kind)),
        (_CHANGE, _change(finding), "text"),
        (_STAKE, finding.impact, "money"),
        (_TARGET, finding.target, finding.kind),
        (_DAYS, _days(finding), "text"),
        (_COUNTED, finding.n, "count"),
        (_Q, _probability(finding.q_value), "text"),
        (_SURE, CONFIDENCE[finding.confidence], "text"),
    ]
    return tuple(fact for fact in numbers if fact[1] is not None)


def _change(finding: Finding) -> Text | None:
    """From what it was to what it is: in points for shares, in per cent of what it was for others."""
    change = finding.delta
    if finding.value is not None and finding.baseline is not None:
        change = finding.value - finding.baseline
    if change is None:
        return None
    if finding.kind == "score":
        return Text(f"{_signed(change)} points", f"{_signed(change)} 分")
    if finding.kind == "share":
        return Text(f"{_signed(100 * change)} points", f"{_signed(100 * change)} 个百分点")
    if not finding.baseline:
        return None
    percent = f"{_signed(100 * change / abs(finding.baseline))} %"
    return Text(percent, percent)


def _signed(number: float) -> str:
    text = f"{number:+,.1f}"
    return text if text.strip("+-") != "0.0" else "0.0"


def _days(finding: Finding) -> Text | None:
    """The days of a finding: one, some, or from one on."""
    since, until = finding.since, finding.until
    if since is None:
        return None
    if until is None:
        return Text(f"since {since}", f"{since} 起")
    days = str(since) if until == since else f"{since} → {until}"
    return Text(days, days)


def _read(value: float | None, kind: Kind) -> tuple[Any, Kind]:
    """A value and how it reads; of a number below 1 three digits say something, two decimals little."""
    if kind != "number" or value is None or value == 0 or abs(value) >= 1:
        return value, kind
    digits = f"{value:.3g}"
    return Text(digits, digits), "text"


def _probability(value: float | None) -> str | None:
    if value is None:
        return None
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


# --- areas ----------------------------------------------------------------------------------------------------------


def _row(looked: Looked) -> StatusRow:
    facts = () if looked.findings or looked.skipped else _evidence(looked.evidence)[:_MOST_FACTS]
    return StatusRow(looked.status, AREAS[looked.area], _in_short(looked), facts)


def _in_short(looked: Looked) -> Text:
    """The worst finding and how many more; without any, that; skipped: what it would take."""
    if looked.skipped:
        return looked.left_out[0] if looked.left_out else Text("", "")
    if not looked.findings:
        return _NOTHING
    worst = min(looked.findings, key=lambda finding: finding.weight).title
    more = len(looked.findings) - 1
    return Text(f"{worst.en} (+{more} more)", f"{worst.zh}(另 {more} 项)") if more else worst


def _area(looked: Looked) -> Card:
    """The question of an area, what was seen, and what could not be."""
    noted = tuple(_named(one.label, one.note) for one in looked.evidence if one.note)
    sections = (CardSection(_NOTES, noted), CardSection(_LEFT_OUT, looked.left_out))
    return Card(
        tone=looked.status,
        badge=_counted(len(looked.findings)),
        title=AREA_ASKS[looked.area],
        facts=_evidence(looked.evidence),
        sections=tuple(section for section in sections if section.lines),
    )


def _counted(findings: int) -> Text:
    if not findings:
        return Text("", "")
    return Text(f"{findings} finding{'s' if findings > 1 else ''}", f"{findings} 项")


def _evidence(lines: Sequence[Evidence]) -> tuple[Fact, ...]:
    return tuple((line.label, line.value, line.kind) for line in lines)


# --- sentences ------------------------------------------------------------------------------------------------------


def _how_tested(tested: int) -> tuple[Text, ...]:
    return (
        Text(
            f"{tested:,} comparisons were tested together (Benjamini-Hochberg): of the findings with a q-value below 0.10, "
            "at most about one in ten is chance.",
            f"共同检验 {tested:,} 项比较(Benjamini-Hochberg 校正):q 值低于 0.10 的结果中,约至多十分之一属于偶然。",
        ),
        Text(
            'Causes are parts of a difference that add up, not proofs: what "accounts for" a change went along with it.',
            "“占变化的 x %”是对差额的分解,不等于因果证明。",
        ),
    )


def _joined(*texts: Text) -> Text:
    return Text(" · ".join(text.en for text in texts), " · ".join(text.zh for text in texts))


def _named(label: Text, note: Text) -> Text:
    return Text(f"{label.en}: {note.en}", f"{label.zh}:{note.zh}")


def _open(sentence: str) -> str:
    """The sentence without its full stop, for more to follow."""
    return sentence.rstrip(".。")
