"""Audit: whether data are authentic and complete (数据真实性): 19 checks of every file, and one grade.

Scan (:mod:`.scan`): one pass makes small tables, a lighter one looks for copies. Judge (:mod:`.checks`): what each check
makes of them. Compare (:mod:`.drift`): with what the last run saw. An audit stops at nothing that can be read: what other
commands refuse (several currencies, a lone row far in the future, repeated order ids) is a finding here.

Grade, over all files: **A** without warning or error; **B** with at most three warnings, none of a check of high
severity that touches more than 1 %; **D** with an error that touches more than 1 %, or how much nobody can tell, and
with mixed currencies, a column that is gone, or a file of which no row counts; **C** otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from itertools import count
from typing import Any

import polars as pl

from userops import frames, periods
from userops.audit.checks import JUDGES, Look, Thresholds, Verdict, in_singular
from userops.audit.drift import Profile
from userops.audit.scan import Kind, Scan, Subject, ours, scanned
from userops.collecting import collect
from userops.pages import audit as page
from userops.results import Provenance, Result, Text
from userops.texts.checks import CHECKS, Check

__all__ = [
    "EVIDENCE_ROWS",
    "Audit",
    "Finding",
    "Profile",
    "Settings",
    "Subject",
    "Thresholds",
    "analyse",
    "grade",
    "look",
]

EVIDENCE_ROWS = 10_000
"""Affected rows of one check and file that go to the evidence at most."""

SMALL_SHARE = 0.01
"""What touches no more than this share is no reason for a D, nor for a C."""

MOST_WARNINGS = 3
"""Warnings that a B can have."""

_ALWAYS_GRAVE = ("DQ07", "DQ12")
_ORDER = ("error", "warn", "info", "ok", "skipped")


@dataclass(frozen=True, slots=True)
class Settings:
    """What to hold the data against.

    ``as_of``: the data count as complete through the end of this day; None: the last day of the data, without lone
    rows far in the future. ``since``, ``until``: days that are judged one by one. ``business_start``: earlier rows
    cannot be. ``thresholds``: from where on a finding is a warning or an error.
    """

    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    tz: str = "UTC"
    week_start: periods.WeekStart = "monday"
    business_start: date | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)

    def __post_init__(self) -> None:
        """UsageError where a setting cannot be."""
        periods.time_zone(self.tz)
        periods.require_order(self.since, self.until)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says of one file."""

    check: Check
    scan: Scan
    verdict: Verdict

    @property
    def grave(self) -> bool:
        """Whether it touches more than a small share, as far as anybody can tell."""
        share = self.verdict.share
        return share is None or share > SMALL_SHARE or self.check.id in _ALWAYS_GRAVE


@dataclass(frozen=True, slots=True)
class Audit:
    """All findings, by file and check; what a result is told from, and what another analysis takes the grade from."""

    scans: tuple[Scan, ...]
    findings: tuple[Finding, ...]
    as_of: date | None

    @property
    def grade(self) -> str:
        """A to D: the rule stands at the head of this module; D where no row of a file counts."""
        empty = any(one.books.rows_used == 0 for one in self.scans)
        return "D" if empty else grade(self.findings)

    def found(self, *status: str) -> list[Finding]:
        """The findings of a status, the gravest first."""
        rank = {"high": 0, "medium": 1, "low": 2}
        some = [one for one in self.findings if one.verdict.status in status]
        return sorted(
            some,
            key=lambda one: (
                _ORDER.index(one.verdict.status), rank[one.check.severity], -(one.verdict.share or 0.0), one.check.id,
            ),
        )  # fmt: skip

    def evidence(self) -> pl.DataFrame:
        """The rows that errors, warnings and remarks are about: ``id, check, status, file`` and every column, as text.

        At most :data:`EVIDENCE_ROWS` of each check and file: the first in the order of their columns.
        """
        parts = [_evidence(one) for one in self.found("error", "warn", "info") if one.verdict.rows is not None]
        return pl.concat(parts, how="diagonal") if parts else pl.DataFrame(schema=dict.fromkeys(_EVIDENCE, pl.String))


_EVIDENCE = ("id", "check", "status", "file")


def look(
    subjects: Sequence[Subject | frames.Table],
    settings: Settings | None = None,
    *,
    last: Mapping[str, Profile] | None = None,
    hide: Callable[[str], str] = str,
    partitions: int | None = None,
) -> Audit:
    """Every check of every file, unpublished: what ``diagnose`` takes the grade from.

    ``subjects``: orders, events and users, one table each. ``last``: what each kind was made of in the last run.
    ``hide``: what to show for the id of a user.
    """
    settings = settings or Settings()
    known = [one if isinstance(one, Subject) else Subject(one) for one in subjects]
    users = next((one for one in known if one.kind == "users"), None)
    signed_up = _signed_up(users) if users is not None else None
    matched = {"orders", "events"} <= {one.kind for one in known}
    scans = [scanned(one, None if one is users else signed_up, matched=matched, partitions=partitions) for one in known]
    as_of = settings.as_of or _last_day(scans)
    day = periods.epoch_day(as_of) if as_of is not None else None
    by_kind: dict[Kind, Scan] = {one.subject.kind: one for one in scans}
    findings = []
    for one in scans:
        others = {kind: other for kind, other in by_kind.items() if other is not one}
        previous = (last or {}).get(one.subject.kind)
        seen = Look(
            one, others, day, settings.thresholds, settings.since, settings.until, settings.business_start, previous, hide
        )  # fmt: skip
        findings += [Finding(check, one, _judged(check, seen)) for check in CHECKS]
    return Audit(tuple(scans), tuple(findings), as_of)


def analyse(
    subjects: Sequence[Subject | frames.Table],
    settings: Settings | None = None,
    *,
    last: Mapping[str, Profile] | None = None,
    hide: Callable[[str], str] = str,
    partitions: int | None = None,
) -> Result:
    """The audit as a result: one row per file and check, in their order; ``grade`` in the summary.

    Arguments as in :func:`look`. InputError where the data cannot be read at all.
    """
    settings = settings or Settings()
    return published(look(subjects, settings, last=last, hide=hide, partitions=partitions), settings)


def published(audit: Audit, settings: Settings, *, profile: bool = True) -> Result:
    """An audit as a result; without ``profile`` it tells nothing of what the columns hold, and no later one can compare."""
    rows, summary = _rows(audit), _summary(audit)
    profiles = {one.subject.kind: one.profile.stored() for one in audit.scans if profile}
    in_force = {**asdict(settings.thresholds)}
    start = settings.business_start.isoformat() if settings.business_start else None
    provenance = Provenance(
        as_of=audit.as_of.isoformat() if audit.as_of else None,
        tz=settings.tz,
        week_start=settings.week_start,
        inputs=tuple(report for one in audit.scans for report in one.books.reports()),
        settings={"threshold": in_force, "business_start": start},
        definitions=page.definitions(),
        facts={"profile": profiles},
    )
    return Result("audit", rows, summary, provenance, views=page.views(audit, summary, provenance))


def grade(findings: Sequence[Finding]) -> str:
    """A to D: the rule stands at the head of this module."""
    errors = [one for one in findings if one.verdict.status == "error"]
    warnings = [one for one in findings if one.verdict.status == "warn"]
    if any(one.grave for one in errors):
        return "D"
    serious = any(one.grave and one.check.severity == "high" for one in warnings)
    if errors or serious or len(warnings) > MOST_WARNINGS:
        return "C"
    return "B" if warnings else "A"


def _judged(check: Check, seen: Look) -> Verdict:
    """The verdict of one check, or why it was skipped."""
    kind = seen.scan.subject.kind
    if kind not in check.kinds:
        return Verdict("skipped", Text(f"not for {kind}", f"不适用于{page.KIND_ZH[kind]}"), None, None)
    if seen.used == 0 and check.id not in ("DQ02", "DQ03", "DQ05", "DQ12", "DQ19"):
        return Verdict("skipped", Text("no row counts", "没有可计入的行"), None, None)
    verdict = JUDGES[check.id](seen)
    return replace(verdict, said=in_singular(verdict.said))


def _signed_up(users: Subject) -> pl.DataFrame:
    """Who is in the table of users, and since when: ``user_id`` (text), ``signed_up_at``."""
    rows = frames.good(users.table.rows)
    return collect(rows.select(pl.col("user_id").cast(pl.String), "signed_up_at"), users.table.name)


def _last_day(scans: Sequence[Scan]) -> date | None:
    """The last day of what users did, strays left out; of when they signed up where nothing else is given."""
    acts = [one for one in scans if one.subject.kind != "users"] or list(scans)
    ends = [one.body[1] for one in acts if one.body is not None]
    return periods.first_day(max(ends), "day") if ends else None


def _rows(audit: Audit) -> pl.DataFrame:
    rows = [
        (
            one.check.id, one.scan.subject.table.name, one.check.name.en, one.check.name.zh, one.check.severity,
            one.verdict.status, one.verdict.affected, one.verdict.unit, one.verdict.share,
            one.verdict.said.en, one.verdict.said.zh, *(_fix(one)),
        )
        for one in audit.findings
    ]  # fmt: skip
    schema = {
        "id": pl.String, "file": pl.String, "check": pl.String, "check_zh": pl.String, "severity": pl.String,
        "status": pl.String, "affected": pl.Int64, "unit": pl.String, "share": pl.Float64, "evidence": pl.String,
        "evidence_zh": pl.String, "fix": pl.String, "fix_zh": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _fix(one: Finding) -> tuple[str | None, str | None]:
    """What to do, where there is something to be done."""
    if one.verdict.status in ("ok", "skipped"):
        return None, None
    return one.check.fix.en, one.check.fix.zh


def _summary(audit: Audit) -> dict[str, Any]:
    counted = {name: len(audit.found(name)) for name in _ORDER}
    orders, events = ([one for one in audit.scans if one.subject.kind == kind] for kind in ("orders", "events"))
    firsts = [one.body for one in audit.scans if one.body is not None and one.subject.kind != "users"]
    ids = pl.concat([one.small["ids"]["id"] for one in audit.scans]).n_unique() if audit.scans else 0
    summary: dict[str, Any] = {
        "grade": audit.grade,
        "checks": len(audit.findings),
        "errors": counted["error"],
        "warnings": counted["warn"],
        "infos": counted["info"],
        "passed": counted["ok"],
        "skipped": counted["skipped"],
        "rows": sum(one.rows_read for one in audit.scans),
        "users": ids,
        "first": periods.first_day(min(span[0] for span in firsts), "day").isoformat() if firsts else None,
        "last": periods.first_day(max(span[1] for span in firsts), "day").isoformat() if firsts else None,
    }
    for one in events:
        summary["events"] = one.books.rows_used
    for one in orders:
        books, found = one.books, one.books.currencies
        single = one.subject.table.has_amount and len(found) <= 1
        summary["orders"] = books.rows_used
        summary["revenue"] = int(books.used["amount"].sum()) / 10_000 if single else None
        summary["currency"] = found[0] if len(found) == 1 else None
    return summary


def _evidence(one: Finding) -> pl.DataFrame:
    """The rows of one finding, as text, sorted."""
    table = one.scan.subject.table
    schema = table.rows.collect_schema()
    flat = [name for name, dtype in schema.items() if not dtype.is_nested() and name not in ours(table)]
    assert one.verdict.rows is not None  # asked for where there are some
    chosen = table.rows.filter(one.verdict.rows)
    if "amount" in flat:
        chosen = chosen.with_columns(amount=pl.col("amount") / 10_000)
    rows = collect(chosen.select("reject", *flat).sort(flat).head(EVIDENCE_ROWS), table.name)
    reason = pl.when(pl.col("reject") > 0).then(pl.lit(pl.Series(frames.REASONS)).gather(pl.col("reject")))
    told = (one.check.id, one.check.name.en, one.verdict.status, table.name)
    return rows.select(
        *(pl.lit(value).alias(name) for name, value in zip(_EVIDENCE, told, strict=True)),
        reason.alias("reason"),
        *(pl.col(name).cast(pl.String).alias(_free(name, flat)) for name in flat),
    )


def _free(name: str, taken: Sequence[str]) -> str:
    """A name of the file's, with a number behind where it is one of the evidence: ``status_2``."""
    if name not in (*_EVIDENCE, "reason"):
        return name
    return next(free for n in count(2) if (free := f"{name}_{n}") not in taken)
