"""One check-up from the command line: its files, what it is compared with, what is kept of it, whom it tells."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from userops.cli_support import business, business_files, notifying, options
from userops.cli_support.exits import Exit
from userops.errors import UsageError
from userops.inputs import dimensions

if TYPE_CHECKING:
    from userops.checkup.findings import Finding
    from userops.checkup.follow import Report
    from userops.checkup.measures import Given
    from userops.cli_support.running import Run
    from userops.inputs.layouts import Kind
    from userops.inputs.raw import RawTable
    from userops.results import Result, Text


NOT_KEPT = ("user", "signed_up", "known", "reject", "instant")
"""Names of the users table that stand for something else on the way to the numbers."""


def run(
    run: Run,
    files: Sequence[str] | None,
    named: Mapping[Kind, Sequence[str] | None],
    *,
    goals: str | None,
    compare_with: str | None,
    history: str | None,
    show: str | None,
    audience: str | None,
    fail_on: Literal["warn", "error"] | None,
    notify: str | None,
) -> int:
    """The whole of ``userops diagnose``; the exit code."""
    from userops import diagnose
    from userops.checkup import audience as audiences
    from userops.checkup import measures

    if notify is not None:
        notifying.check(notify)
    if show is not None and audience is not None:
        raise UsageError.conflict("--show", "--audience", "ask for one of them")
    last = _last(compare_with)
    about = business.read(run, goals, files)
    given, mind = _given(run, files, named)
    settings = measures.Settings(**run.reporting)
    invocation = _invocation(run, files, named, goals)
    checkup = diagnose.look(given, about, settings, invocation=invocation)
    if show is not None:
        return run.finish(diagnose.show(checkup, audiences.find(checkup.findings, show)))
    if audience is not None:
        return run.finish(audiences.result(audiences.find(checkup.findings, audience), checkup.measured))
    nights = _nights(run, history, checkup.measured.as_of) if history else []
    last = last or (nights[-1] if nights else None)
    result, found = diagnose.published(checkup, last=last, nights=nights, mind=mind, illustrated=run.is_written_report)
    code = run.finish(result)
    if history:
        _keep(run, history, run.with_settings(result))
    if notify is not None:
        _tell(run, notify, found, checkup.measured.as_of)
    severe = diagnose.counted(found, fail_on) if fail_on else 0
    if severe:
        run.talk.warn(f"--fail-on {fail_on}: {severe} {'finding' if severe == 1 else 'findings'}")
    return Exit.BREACH if severe else code


def _given(
    run: Run, files: Sequence[str] | None, named: Mapping[Kind, Sequence[str] | None]
) -> tuple[Given, tuple[Text, ...]]:
    """The files of the check-up with the columns worth breaking down by."""
    from userops.checkup import measures

    parts: dict[str, tuple[str, ...]] = {}
    about: dict[str, tuple[str, ...]] = {}

    def columns(kind: Kind, table: RawTable) -> Sequence[str]:
        parts[kind] = dimensions.dimensions(table, kind)
        about[kind] = dimensions.subjects(table, kind) if kind in ("events", "orders") else ()
        if kind == "users":  # the portrait asks what is known of them
            return tuple(name for name in table.schema if name not in ("user_id", "signed_up_at", *NOT_KEPT))
        return tuple(dict.fromkeys((*parts[kind], *about[kind])))

    read = business_files.read(run, files, named, columns)
    kept = {kind: set(names) for kind, names in read.kept.items()}
    by_kind = {kind: tuple(name for name in names if name in kept.get(kind, ())) for kind, names in parts.items()}  # type: ignore[call-overload] # kinds
    subjects = {kind: tuple(name for name in names if name in kept.get(kind, ())) for kind, names in about.items()}  # type: ignore[call-overload] # kinds
    given = measures.Given(
        events=read.events,
        orders=read.orders,
        users=read.users,
        costs=read.costs,
        referrals=read.referrals,
        feedback=read.feedback,
        columns=by_kind,
        subjects=subjects,
    )
    return given, read.mind


def _last(path: str | None) -> Report | None:
    if path is None:
        return None
    from userops.cli_support import nightly

    return nightly.read_report(path)


def _nights(run: Run, folder: str, before: object) -> list[Report]:
    """The reports that were kept, the latest last; damaged ones are told of."""
    from userops.cli_support import nightly

    reports, problems = nightly.read_nights(folder, before)  # type: ignore[arg-type] # a day
    for problem in problems:
        run.talk.warn(str(problem))
    return list(reports)


def _keep(run: Run, folder: str, result: Result) -> None:
    """Tonight's report, in the folder of all nights."""
    from datetime import date

    from userops.cli_support import nightly
    from userops.outputs import structured

    as_of = date.fromisoformat(str(result.provenance.as_of))
    path = nightly.keep_night(folder, as_of, structured.json_parts(result, run.common.lang))
    run.talk.note(f"kept as {path}")


def _tell(run: Run, address: str, found: Sequence[Finding], as_of: object) -> None:
    """New and worse findings to who wants to know; what goes wrong with it never changes the exit code."""
    content = notifying.message(found, command="diagnose", as_of=as_of, report=run.common.output, lang=run.common.lang)  # type: ignore[arg-type] # a day
    if content is not None:
        notifying.notify(address, content, run.talk.insist)


def _invocation(
    run: Run, files: Sequence[str] | None, named: Mapping[Kind, Sequence[str] | None], goals: str | None
) -> str:
    """The command that reads these files as they were read, for the commands that findings name."""
    common = run.common
    words = ["userops", "diagnose", *(files or ())]
    for kind, paths in named.items():
        for path in paths or ():
            words += [f"--{kind}", path]
    words += ["--goals", goals] if goals else []
    words += options.as_typed(common, options.INPUT)
    words += ["--config", common.config] if common.config else []
    words += ["--no-config"] if common.no_config else []
    return shlex.join(words)
