"""The check-up (用户运营诊断): is the data true, what ails the business, why, what to do, for whom, how to see whether it helped.

It looks at whatever files there are, part by part: the data themselves (:mod:`userops.audit`), who the users are
(:mod:`userops.checkup.portrait`), what they say (:mod:`userops.checkup.demand`), where the numbers should be (:mod:`userops.checkup.targets`), what
went otherwise than usual (:mod:`userops.checkup.behaviour`), and what engages (:mod:`userops.checkup.content`). Each part gives findings and
evidence; here they are judged together: one false discovery rate over everything that was tested, a confidence that is
no better than the data, an order by severity and money at stake, and progress beside an earlier report.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

import polars as pl

from userops import aarrr, account, audit, money, periods, stats
from userops.checkup import audience, behaviour, content, demand, follow, measures, pictures, portrait, rhythm, targets
from userops.checkup.findings import AREAS, ORDER, Area, Evidence, Finding, Looked, Severity, ranked, table
from userops.checkup.goals import Business
from userops.checkup.measures import Given, Measured, Settings
from userops.errors import UsageError
from userops.pages import diagnose as page
from userops.results import Block, Column, FactsBlock, InputReport, Kind, Provenance, Result, TableBlock, Text

LEVEL = 0.1
"""The false discovery rate of everything that has a p-value: what is less sure than that is no finding."""

DATA_LIMIT: dict[str, Literal["high", "medium", "low"]] = {"A": "high", "B": "high", "C": "medium", "D": "low"}
"""The best confidence that findings can have with data of a grade."""

SURE = 0.01
"""The q-value up to which a finding's confidence is high."""

CONFIDENCES = ("high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Checkup:
    """Everything a check-up found, before it is put into words."""

    measured: Measured
    looked: tuple[Looked, ...]
    findings: tuple[Finding, ...]
    audit: audit.Audit
    grade: str
    tested: int


def analyse(
    given: Given,
    business: Business | None = None,
    settings: Settings | None = None,
    *,
    last: follow.Report | None = None,
    invocation: str = "userops diagnose",
    mind: Sequence[Text] = (),
    partitions: int | None = None,
) -> Result:
    """The check-up as a result: one row per finding (:data:`userops.checkup.findings.SCHEMA`), the worst first.

    ``last``: an earlier report to compare with. ``invocation``: the command that reads these files, for the commands that
    findings name. ``mind``: warnings from the reading of files. Raises UsageError without events and orders, InputError
    where no row counts or several currencies would be added up.
    """
    checkup = look(given, business or Business(), settings or Settings(), invocation=invocation, partitions=partitions)
    return published(checkup, last=last, mind=mind)[0]


def look(
    given: Given,
    business: Business,
    settings: Settings,
    *,
    invocation: str = "userops diagnose",
    partitions: int | None = None,
) -> Checkup:
    """Every part of the check-up, its findings judged together."""
    measured = measures.measure(given, business, settings, partitions=partitions)
    stages = _aarrr(measured, partitions)
    measured = replace(measured, events=None)  # nobody else looks at them
    given = measured.given
    as_of = measured.as_of
    subjects = [table for table in (given.events, given.orders) if table is not None]
    checked = audit.look(
        subjects,
        audit.Settings(
            as_of=as_of, since=settings.since, until=settings.until, tz=settings.tz, week_start=settings.week_start
        ),
        partitions=partitions,
    )
    said = demand.look(
        given.feedback,
        as_of=as_of,
        since=settings.since,
        until=settings.until,
        users=given.users,
        by=(*given.columns.get("feedback", ()), *given.columns.get("users", ())),
        asked=_users(measured),
    )
    stale = tuple(ended_early(measured))
    seen = data(checked)
    looked = (
        replace(seen, findings=(*stale, *seen.findings)),
        portrait.look(given.orders, users=given.users, as_of=as_of, spent=measured.spent),
        said,
        targets.look(measured, business.goals, stages, _scores(said)),
        behaviour.look(measured),
        content.look(
            given.events,
            given.orders,
            items=given.subjects.get("events", ()),
            products=given.subjects.get("orders", ()),
            goal=measured.buying,
            as_of=as_of,
        ),
    )
    tested = sum(one.tested for one in looked)
    grade = "D" if stale else checked.grade  # whatever is found may be but the silence of a file
    told_of = [finding for one in looked for finding in one.findings if reported(finding, settings)]
    judged = judge(told_of, tested, grade)
    if stale:  # what seems to go on is nobody's to act on
        judged = [replace(f, severity="warn") if f.severity == "error" and f.area != "data" else f for f in judged]
    told = [addressed(finding, measured, invocation) for finding in judged]
    by_area: dict[Area, list[Finding]] = {area: [] for area in AREAS}
    for finding in ranked(told):
        by_area[finding.area].append(finding)
    parts = tuple(replace(one, findings=tuple(by_area[one.area])) for one in looked)
    return Checkup(measured, parts, ranked(told), checked, grade, tested)


def reported(finding: Finding, settings: Settings) -> bool:
    """Whether some day of a finding is asked about; what has no days always is, and so is what is wrong with the data."""
    if finding.area == "data" or finding.since is None:
        return True
    first, last = finding.since, finding.until or date.max
    return first <= (settings.until or date.max) and last >= (settings.since or date.min)


STALE, NEAR = 7, 56
"""Days without a row at its end that make a file stale, and the days before that say how often it has rows."""


def ended_early(measured: Measured) -> Iterator[Finding]:
    """Files with rows on every other day or more that end a week or longer before as-of: all that follows is silence."""
    for name, cells in (("events", measured.days), ("orders", measured.orders)):
        if cells is None or cells.rows.is_empty():
            continue
        days = cells.rows["day"].unique()
        last = int(days.max())  # type: ignore[arg-type] # a day
        silent, near = measured.today - last, days.filter(days > last - NEAR).len()
        if silent < STALE or 2 * near < min(NEAR, last - cells.first + 1):
            continue
        path, day = measured.books[name].table.name, periods.first_day(last, "day")
        short = path.rsplit("/", 1)[-1]
        yield Finding(
            id=f"data.ends.{name}",
            area="data",
            title=Text(
                f"{short} ends on {day}, {silent} days before as-of: what seems to have stopped may only be missing",
                f"{short} 止于 {day},早于截止日 {silent} 天:看似停止的行为可能只是缺数据",
            ),
            severity="error",
            metric="ends",
            since=periods.first_day(last + 1, "day"),
            value=float(silent),
            kind="days",
            actions=(
                Text(
                    f"Export {short} again through the same day as the others, or look at --as-of {day}.",
                    f"重新导出 {short} 至同一日期,或使用 --as-of {day}。",
                ),
            ),
            reproduce=f"userops inspect {shlex.quote(path)}",
        )


def data(checked: audit.Audit) -> Looked:
    """The part of the check-up that asks whether the data can be believed."""
    found = []
    for one in checked.found("error", "warn"):
        name = one.scan.subject.table.name
        short = name.rsplit("/", 1)[-1]
        status: Literal["error", "warn"] = "error" if one.verdict.status == "error" else "warn"
        title = one.check.name
        found.append(
            Finding(
                id=f"data.{one.check.id}.{one.scan.subject.kind}",
                area="data",
                title=Text(
                    f"{title.en[0].upper()}{title.en[1:]} in {short}: {one.verdict.said.en}",
                    f"{short} {title.zh}:{one.verdict.said.zh}",
                ),
                severity=_weighed(one, status),
                metric=one.check.id,
                value=one.verdict.share,
                n=one.verdict.affected,
                kind="share",
                actions=(_sentence(one.check.fix),),
                reproduce=f"userops audit {shlex.quote(name)}",
            )
        )
    evidence = []
    for scan in checked.scans:
        name = scan.subject.table.name.rsplit("/", 1)[-1]
        read = int(scan.books.rows["n"].sum())
        label = Text(f"rows of {name} that count", f"{name} 计入行数")
        evidence.append(Evidence(label, scan.books.rows_used, "count", Text(f"of {read:,}", f"共 {read:,}")))
    return Looked("data", tuple(found), tuple(evidence))


def _sentence(text: Text) -> Text:
    """A remark as a sentence."""
    ends = (".", "!", "?")
    en = text.en if text.en.endswith(ends) else f"{text.en}."
    return Text(f"{en[0].upper()}{en[1:]}", text.zh)


def _weighed(one: audit.Finding, status: Literal["error", "warn"]) -> Severity:
    """How grave a defect is for the check-up; jumps in volume are looked into as behaviour, calendar and all."""
    if one.check.id == "DQ11":
        return "info"
    return "warn" if status == "error" and not one.grave else status


def judge(found: Iterable[Finding], tested: int, grade: str) -> list[Finding]:
    """Findings with ``q_value`` over everything that was tested and ``confidence``; those chance may explain are left out.

    Benjamini and Hochberg (1995) over ``tested`` comparisons, of which those without a finding count as p = 1.
    """
    several = list(found)
    p_values = [finding.p_value for finding in several if finding.p_value is not None]
    q_values = iter(stats.false_discovery([*p_values, *[1.0] * max(0, tested - len(p_values))]))
    judged = []
    for finding in several:
        q = next(q_values) if finding.p_value is not None else None
        if q is not None and q > LEVEL:
            continue
        sure = "high" if q is None or q <= SURE else "medium"
        worst = max(CONFIDENCES.index(sure), CONFIDENCES.index(DATA_LIMIT[grade]) if finding.area != "data" else 0)
        judged.append(replace(finding, q_value=q, confidence=CONFIDENCES[worst]))  # type: ignore[arg-type] # one of them
    return judged


def addressed(finding: Finding, measured: Measured, invocation: str) -> Finding:
    """A finding with the commands that write its audience and that give its numbers again."""
    quoted = shlex.quote(finding.id)
    shown = finding.reproduce or (f"{invocation} --show {quoted}" if finding.area == "behaviour" else None)
    if finding.area in ("demand", "goals"):
        shown = f"{invocation} --json"
    whom = finding.audience
    if whom is None and finding.severity != "info" and audience.known(finding, measured):
        whom = f"{invocation} --audience {quoted} -o audience.csv"
    return replace(finding, reproduce=shown, audience=whom)


def _aarrr(measured: Measured, partitions: int | None) -> pl.DataFrame | None:
    """The rows of AARRR, where goals ask for them."""
    business, given, settings = measured.business, measured.given, measured.settings
    if not business.goals:
        return None
    within = business.activation_within
    asked = aarrr.Settings(
        as_of=measured.as_of,
        tz=settings.tz,
        week_start=settings.week_start,
        activation_event=measured.activation if given.events is not None else None,
        activation_within=within,
    )
    files = aarrr.Given(given.events, given.orders, given.users, given.costs, given.referrals)
    only = [targets.AARRR_NAMES.get(goal.metric, goal.metric) for goal in business.goals]
    known = [metric.name for metric in aarrr.METRICS if metric.name in only]
    return aarrr.figures(files, asked, known, events=measured.events, partitions=partitions) if known else None


def _scores(said: Looked) -> dict[str, targets.Actual]:
    """NPS and CSAT as the voice of the users has them."""
    found: dict[str, targets.Actual] = {}
    for line in said.evidence:
        for name, kind in (("nps", "number"), ("csat", "share")):
            if not line.label.en.lower().startswith(name) or not isinstance(line.value, (int, float)):
                continue
            value, margin = float(line.value), line.margin or 0.0
            if name not in found:
                found[name] = targets.Actual(value, None, value - margin, value + margin, kind)
            elif line.label.en.endswith("before"):
                found[name] = found[name]._replace(before=value)
    return found


# --- the result -----------------------------------------------------------------------------------------------------

MANUAL: tuple[Text, ...] = (
    Text(
        "Is there consent for every contact that a prescription asks for (PIPL, GDPR)?",
        "处方所需的每次触达是否已获用户同意(个保法、GDPR)?",
    ),
    Text(
        "Were there releases, outages, price changes or campaigns on the days of a finding?",
        "结果所涉日期是否有发版、故障、调价或活动?",
    ),
    Text(
        "What do five users of the segment in question say, when somebody calls them?",
        "致电该分组的五位用户,他们怎么说?",
    ),
    Text("Is the content good: would you read, share, buy it?", "内容质量如何:您自己会读、会转、会买吗?"),
    Text("What do competitors do these days?", "竞品近期有何动作?"),
)
"""What files cannot tell; never scored."""


def published(
    checkup: Checkup,
    *,
    last: follow.Report | None = None,
    nights: Sequence[follow.Report] = (),
    mind: Sequence[Text] = (),
    illustrated: bool = False,
) -> tuple[Result, tuple[Finding, ...]]:
    """A check-up as a result, and its findings: beside an earlier report each with its progress, the resolved ones last.

    ``nights``: the reports that were kept, the earliest first: the numbers of the last day are held against the same
    weekday of the weeks before. ``illustrated``: with the pictures of a written report, which cost further scans.
    """
    found, followed = checkup.findings, []
    summary = _summary(checkup.measured, checkup)
    if nights:
        numbers = {name: float(value) for name, value in summary.items() if isinstance(value, (int, float))}
        tonight = follow.Report(checkup.measured.as_of, (), numbers)
        odd, seen = follow.odd_nights(follow.nights([*nights, tonight]), WATCHED, checkup.measured.as_of)
        found, followed = ranked([*found, *odd]), [*seen]
    if last is not None and last.as_of > checkup.measured.as_of:
        raise UsageError.conflict(
            f"--as-of {checkup.measured.as_of}", "--compare-with", f"that report is of a later day, {last.as_of}"
        )
    if last is not None:
        looked_at = [one.area for one in checkup.looked if not one.skipped]
        asked = followed_now(checkup.measured)
        again = replace(last, findings=tuple(finding for finding in last.findings if asked(finding)))
        compared = follow.compared(found, again, looked_at)
        gone = tuple(finding for finding in compared if finding.status == "resolved")
        found = (*ranked(finding for finding in compared if finding.status != "resolved"), *gone)
        followed += audience.outcomes(checkup.measured, last)
    drawn = pictures.of(checkup.measured) if illustrated else ()
    return _result(checkup, found, summary | _tally(found), mind, followed, drawn), found


def followed_now(measured: Measured) -> Callable[[Finding], bool]:
    """Whether what an earlier report found was looked at this time: its days, its line, its goal."""
    lines = {(line.metric.name, line.segment) for line in measures.lines(measured)}
    goals = {goal.metric for goal in measured.business.goals}
    made_of = {
        "visits_per_customer": measured.presence,
        "orders_per_customer": measured.spent,
        "visit_conversion": measured.days,
    }

    def asked(finding: Finding) -> bool:
        if not reported(finding, measured.settings):
            return False
        if finding.area == "goals":
            return finding.metric in goals
        if finding.area != "behaviour":
            return True
        name = finding.metric or ""
        if name in made_of:
            return made_of[name] is not None
        return name.endswith(".night") or (name, finding.segment) in lines

    return asked


def _result(
    checkup: Checkup,
    found: tuple[Finding, ...],
    summary: dict[str, Any],
    mind: Sequence[Text],
    followed: Sequence[Evidence],
    drawn: Sequence[Block],
) -> Result:
    measured = checkup.measured
    as_of = measured.as_of.isoformat()
    doubts = (books.twice_warning() for books in _acts(measured))  # copies and days cut short are findings
    warnings = [*mind, *(doubt for doubt in doubts if doubt is not None)]
    definitions = _definitions(checkup)
    provenance = Provenance(
        as_of=as_of,
        tz=measured.settings.tz,
        week_start=measured.settings.week_start,
        inputs=_inputs(measured, checkup),
        settings=_settings(measured),
        definitions=definitions,
        warnings=tuple(warnings),
        facts={"tested": checkup.tested, "manual_checks": [text.en for text in MANUAL]},
    )
    looked = tuple(
        replace(one, evidence=(*one.evidence, *followed), views=(*one.views, *drawn))
        if one.area == "behaviour"
        else one
        for one in checkup.looked
    )
    views = page.views(
        looked,
        found,
        grade=checkup.grade,
        head=_head(measured, found),
        manual_checks=MANUAL,
        tested=checkup.tested,
        as_of=as_of,
        definitions=definitions,
        warnings=provenance.warnings,
    )
    extras = {"evidence": _evidence(looked), "left_out": _left_out(looked)}
    return Result("diagnose", table(found), summary, provenance, extras, views)


def _acts(measured: Measured) -> list[account.Account]:
    return [measured.books[name] for name in ("events", "orders") if name in measured.books]


def _inputs(measured: Measured, checkup: Checkup) -> tuple[InputReport, ...]:
    return tuple(report for books in measured.books.values() for report in books.reports())


def _settings(measured: Measured) -> dict[str, Any]:
    business, settings = measured.business, measured.settings
    return {
        "since": settings.since.isoformat() if settings.since else None,
        "until": settings.until.isoformat() if settings.until else None,
        "steps": list(measured.steps),
        "activation_event": measured.activation,
        "activation_within": f"{business.activation_within.days}d",
        "goals": {goal.metric: f"{goal.operator} {goal.target:g}" for goal in business.goals},
        "vertical": business.vertical,
    }


def _head(measured: Measured, found: Sequence[Finding]) -> list[tuple[Text, Any, Kind]]:
    stake = sum(finding.impact for finding in found if finding.impact is not None and finding.impact < 0)
    head: list[tuple[Text, Any, Kind]] = [
        (Text("users", "用户"), _users(measured), "count"),
        (Text("findings to act on", "待处理问题"), sum(f.severity != "info" for f in found), "count"),
    ]
    if stake < 0:
        head.append((Text("money at stake", "涉及金额"), -stake, "money"))
    return head


def _users(measured: Measured) -> int:
    if measured.newcomers is not None:
        return int(measured.newcomers.rows["newcomers"].sum())
    assert measured.orders is not None  # one of both is there
    return int(measured.orders.rows["buyers"].sum())


def _tally(found: Sequence[Finding]) -> dict[str, Any]:
    """How many findings there are of each severity and progress."""
    return {
        "findings": len(found),
        **{f"{name}_findings": sum(f.severity == name and f.status != "resolved" for f in found) for name in ORDER},
        **{name: sum(f.status == name for f in found) for name in ("new", "worse", "resolved")},
    }


def _summary(measured: Measured, checkup: Checkup) -> dict[str, Any]:
    """The grade, the status of every part, and the numbers of the last 28 days and of the last day."""
    summary: dict[str, Any] = {
        "grade": checkup.grade,
        **_tally(checkup.findings),
        "tested": checkup.tested,
        **{f"{one.area}_status": one.status for one in checkup.looked},
        "users": _users(measured),
    }
    if "events" in measured.books:
        summary["events"] = measured.books["events"].rows_used
    if measured.orders is not None:
        rows = measured.orders.rows
        summary["orders"] = int(rows["orders"].sum())
        net = int(rows["paid"].sum()) - int(rows["refunded"].sum())
        summary["revenue"] = net / money.SCALE if measured.order_value is not None else None
        summary["currency"] = measured.books["orders"].currency if measured.order_value is not None else None
    for metric, actual in targets.actuals(measured, None, {}).items():
        summary.setdefault(metric, actual.value)
    last = pl.col("day") == measured.today
    for cells, columns in (
        (measured.days, ("users",)),
        (measured.newcomers, ("newcomers",)),
        (measured.orders, ("orders", "paid")),
    ):
        for column in columns if cells is not None else ():
            assert cells is not None  # looked at above
            total = int(cells.rows.filter(last)[column].sum())
            summary[LAST_DAY[column]] = total / money.SCALE if column == "paid" else total
    return summary


LAST_DAY = {
    "users": "last_day_active_users", "newcomers": "last_day_new_users", "orders": "last_day_orders", "paid": "last_day_revenue",
}  # fmt: skip

WATCHED: dict[str, follow.Watched] = {
    "last_day_active_users": follow.Watched(Text("active users", "活跃用户"), "behaviour", "count"),
    "last_day_new_users": follow.Watched(Text("new users", "新增用户"), "behaviour", "count"),
    "last_day_orders": follow.Watched(Text("orders", "订单"), "behaviour", "count"),
    "last_day_revenue": follow.Watched(Text("revenue", "收入"), "behaviour", "money"),
}
"""Numbers of the last day that are held against the same weekday of the nights before."""


def _written(value: Any) -> str | None:
    """A piece of evidence as text; numbers to six digits, which is more than any of them says."""
    return None if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _evidence(looked: Sequence[Looked]) -> pl.DataFrame:
    rows = [
        (
            one.area,
            line.label.en,
            _written(line.value),
            line.kind,
            line.note.en if line.note else None,
        )
        for one in looked
        for line in one.evidence
    ]
    schema = dict.fromkeys(("area", "what", "value", "kind", "note"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def _left_out(looked: Sequence[Looked]) -> pl.DataFrame:
    rows = [(one.area, text.en) for one in looked for text in one.left_out]
    return pl.DataFrame(rows, schema={"area": pl.String, "what": pl.String}, orient="row")


def _definitions(checkup: Checkup) -> tuple[Text, ...]:
    return (
        Text(
            "Behaviour is followed by user-days: a step is reached on a day that holds its event, in whatever order; newcomers belong to the day of their sign-up or first event.",
            "行为按用户日统计:当日出现该事件即视为到达该步骤(不论先后);新用户归入注册日或首个事件日。",
        ),
        Text(
            "Each metric of each segment is held against the eight weeks before and after every window of days, weekdays taken out; its own day-to-day noise decides what is unusual.",
            "每个分组的每项指标都与各窗口前后八周对比(已剔除星期效应),以其自身波动判断是否异常。",
        ),
        Text(
            f"p-values are corrected for the windows that were tried, q-values by Benjamini-Hochberg over all {checkup.tested:,} comparisons.",
            f"p 值已按所尝试的窗口校正,q 值按 Benjamini-Hochberg 对全部 {checkup.tested:,} 次比较校正。",
        ),
        Text(
            "error: goes on and costs; warn: wants somebody's eye; info: worth knowing. Money at stake is what was missed against the days around, times what it is usually worth.",
            "error:正在发生且造成损失;warn:需要有人查看;info:供参考。涉及金额 = 相对前后日期的缺口 × 通常价值。",
        ),
        Text(
            "Causes account for a change, they do not prove what brought it about.",
            "原因仅说明变化的构成,并不证明因果。",
        ),
    )


def counted(found: Iterable[Finding], at: Literal["warn", "error"]) -> int:
    """How many findings are at least that severe; beside an earlier report only those that are new or worse."""
    return sum(
        ORDER.index(finding.severity) <= ORDER.index(at) and finding.status in ("open", "new", "worse")
        for finding in found
    )


def show(checkup: Checkup, finding: Finding) -> Result:
    """The days behind a finding: ``day, numerator, denominator, value, inside``, that its numbers can be added up again.

    Of a tier of customers how many did what: ``before, lately, customers``. Any other finding has the one row of itself.
    """
    measured = checkup.measured
    line = next(
        (
            one
            for one in measures.lines(measured)
            if (one.metric.name, one.segment) == (finding.metric, finding.segment)
        ),
        None,
    )
    provenance = Provenance(
        as_of=measured.as_of.isoformat(),
        tz=measured.settings.tz,
        week_start=measured.settings.week_start,
        inputs=_inputs(measured, checkup),
        settings={"show": finding.id},
        definitions=(finding.title,),
    )
    cards = page.views(
        (), (finding,), grade=None, head=(), manual_checks=(), tested=checkup.tested, as_of=None, whole=True
    )
    summary = {"value": finding.value, "baseline": finding.baseline, "impact": finding.impact, "n": finding.n}
    if line is None:
        rows = _customers(measured, finding)
        if rows is None:
            return Result("diagnose", table([finding]), summary, provenance, views=cards[1:2])
        labels = {
            "before": Text("Before", "此前"),
            "lately": Text("Lately", "近期"),
            "customers": Text("Customers", "客户"),
        }
        kinds = tuple(Column(name, label, "count") for name, label in labels.items())
        did = TableBlock(Text("How many customers did how much", "客户行为次数分布"), kinds, rows)
        summary |= {
            "numerator": int((rows["lately"] * rows["customers"]).sum()), "denominator": int(rows["customers"].sum()),
        }  # fmt: skip
        return Result("diagnose", rows, summary, provenance, views=(*cards[1:2], did))
    top, bottom = (line.bottom, line.top) if line.upside_down else (line.top, line.bottom)
    scale = 1 / money.SCALE if line.metric.family == "aov" else 1.0
    days = pl.DataFrame(
        {
            "day": pl.Series(range(line.first, line.first + top.len()), dtype=pl.Int32).cast(pl.Date),
            "numerator": top * scale,
            "denominator": bottom,
        }
    )
    # what goes on goes as far as it was counted: the latest days may not be known in full yet
    begun = pl.col("day") >= (finding.since or measured.as_of)
    so_far = pl.when(begun).then("denominator").otherwise(0).cum_sum()
    known = pl.col("day") <= (finding.until or periods.first_day(line.first + line.known - 1, "day"))
    inside = begun & known & ((so_far <= (finding.n or 0) + 0.5) if finding.until is None else pl.lit(value=True))
    rows = days.with_columns(value=stats.ratio(pl.col("numerator"), pl.col("denominator")), inside=inside)
    sums = rows.filter("inside").select(pl.col("numerator", "denominator").sum()).row(0)
    numerator, denominator = (round(each, 6) for each in sums)
    counted: Kind = "money" if line.metric.family in ("aov", "cac") else "count"
    columns = (
        Column("day", Text("Day", "日期"), "date"),
        Column("numerator", Text("Numerator", "分子"), counted),
        Column("denominator", Text("Denominator", "分母"), "count"),
        Column("value", Text("Value", "数值"), finding.kind if finding.kind != "score" else "number"),
    )
    totals: list[tuple[Text, Any, Kind]] = [
        (Text("numerator, all days", "分子合计"), numerator, counted),
        (Text("denominator, all days", "分母合计"), denominator, "count"),
    ]
    days_of_it = TableBlock(Text("The days of the finding", "所涉日期"), columns, rows.filter("inside"))
    views = (*cards[1:2], FactsBlock(tuple(totals)), days_of_it)
    summary |= {"numerator": numerator, "denominator": denominator}
    return Result("diagnose", rows, summary, provenance, views=views)


def _customers(measured: Measured, finding: Finding) -> pl.DataFrame | None:
    """How many customers of a tier did what in the days of a finding and in as many before; None for any other finding."""
    what, of_customers, _ = (finding.metric or "").partition("_per_customer")
    if not of_customers or finding.since is None or measured.spent is None:
        return None
    acts = measured.presence if what == "visits" else measured.spent.select("user", "day", n="orders")
    assert acts is not None  # the finding is of them
    begin = periods.epoch_day(finding.since)
    pairs = rhythm.pairs(measured.spent, acts, begin, measured.today + 1 - begin)
    mine = pairs.filter(pl.col("tier") == (finding.segment or "").removeprefix("tier="))
    did = mine.group_by(before="a", lately="b").agg(customers=pl.len().cast(pl.Int64))
    return did.sort("before", "lately")
