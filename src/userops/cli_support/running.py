"""One run of one command: from options to tables, from a result to its destination and the exit code."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from userops.cli_support import places
from userops.cli_support.diagnostics import Talk, wants_color
from userops.cli_support.exits import Exit, code_of
from userops.cli_support.guard import remember
from userops.errors import InputError, UsageError, UseropsError

if TYPE_CHECKING:
    from datetime import date

    import polars as pl

    from userops.cli_support.options import Common
    from userops.frames import Events, Orders, Subscriptions, Table
    from userops.inputs.identities import Identities
    from userops.inputs.loading import RawTable, Scratch
    from userops.inputs.mapping import ReadOptions
    from userops.results import Result

    Rows = TypeVar("Rows", bound=Table)

HOW_IT_RAN = frozenset({
    "quiet", "verbose", "color", "log_format", "config", "no_config", "engine", "spark_url", "memory_limit",
})  # fmt: skip
WHERE_IT_WENT = frozenset({
    "format", "json", "csv", "output", "rejects", "key_file", "fail_if", "bom", "excel_safe", "share", "min_cell",
})  # fmt: skip
"""Options that change no number: they are left out of ``meta.settings``."""

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "!=": lambda a, b: a != b,
    "==": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}


def run_command(act: Callable[..., int | None], common: Common, own: dict[str, Any], takes: Collection[str]) -> int:
    """The exit code of a command; ``takes`` names the shared options it has."""
    talk = Talk(
        quiet=common.quiet,
        verbose=common.verbose,
        color=wants_color(common.color, sys.stderr, os.environ),
        as_json=common.log_format == "json",
    )

    def work() -> int | None:
        since = time.perf_counter()
        with ExitStack() as stack:
            stack.callback(lambda: talk.detail(f"took {time.perf_counter() - since:.2f} s"))
            run = Run(common, talk, stack, takes)
            places.settle(run, act.__name__)
            run.check()
            try:
                return act(run=run, **own)
            except InputError as problem:
                if problem.code != InputError.MALFORMED or run.facts.get("thorough"):
                    raise
                talk.note(f"{problem.message}; reading it again with care")
                run.facts["thorough"] = True  # large text is trusted first: checking it all would cost every run
                return act(run=run, **own)

    return ended(work, talk)


def ended(work: Callable[[], int | None], talk: Talk) -> int:
    """The exit code of ``work``; every way it can end is decided here.

    A pipe whose reader has left is success: ``| head`` is no error of ours.
    """
    try:
        code = work()
    except UseropsError as error:
        talk.error(error, code_of(error))
        return code_of(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Exit.OK
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except SystemExit:
        raise
    except BaseException as problem:  # a panic of native code is no Exception
        if isinstance(problem, MemoryError) or "failed to map segment" in str(problem):  # of a library
            talk.error(InputError.too_large_for_memory("the input"), Exit.INPUT)
            return Exit.INPUT
        bug = UseropsError.bug(f"{type(problem).__name__}: {_first_line(problem)}")
        talk.error(bug, Exit.BUG)
        return Exit.BUG
    return Exit.OK if code is None else code


def put(text: str) -> None:
    """Text on stdout; OutputError when that cannot take it."""
    from userops import outputs

    outputs.to_stdout(lambda handle: handle.writelines([text.encode()]))


@dataclass(frozen=True, slots=True)
class Run:
    """What a command works with: the shared options, the voice, and the doors in and out."""

    common: Common
    talk: Talk
    stack: ExitStack
    takes: Collection[str]
    facts: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse what cannot end well before anything is read, and have the guard know of every unfinished file."""
        from userops import outputs
        from userops.outputs import saving

        common = self.common
        saving.watch(lambda temporary: remember(str(temporary)))
        _pairs(common.map)
        for condition in common.fail_if:
            parse_condition(condition)
        if common.rejects == "-" and common.output in (None, "-"):
            raise UsageError.conflict("--rejects -", "the result on stdout", "give one of them a file: -o FILE")
        for path, format in ((common.output, self.chosen_format), (common.rejects, None)):
            on_stdout = path in (None, "-")
            outputs.settled(format, None if on_stdout else path, terminal=on_stdout and sys.stdout.isatty())
        if common.min_cell is not None and common.min_cell < 2:
            raise UsageError.bad_value("--min-cell", str(common.min_cell), "a whole number of 2 or more")
        if common.share and common.rejects:
            raise UsageError.conflict("--rejects", "--share", "rejected rows are written as they are, ids and all")
        if common.pseudonymise or (common.share and common.key_file):
            from userops.outputs import privacy

            privacy.load_key(os.environ, common.key_file)
            if common.rejects:
                raise UsageError.conflict(
                    "--rejects", "--pseudonymise", "rejected rows are written as they are, ids and all"
                )

    # --- doors in ---------------------------------------------------------------------------------------------------

    def tables(self, files: Sequence[str] | None) -> list[RawTable]:
        """The inputs as they were written, opened but not read."""
        from userops.inputs.loading import open_tables

        paths = list(files or ["-"])
        if "" in paths or not (files or _data_on_stdin()):  # "": an unset variable in quotes, not this folder
            raise UsageError.no_input()
        common = self.common
        self.facts.setdefault("paths", []).extend(paths)
        if (cluster := self.facts.get("cluster")) is not None:
            from userops.inputs.clustered import cluster_tables

            return cluster_tables(paths, cluster)
        read = [*paths, *filter(None, (common.only_users, common.identities, common.users_table))]
        for written in filter(None, (common.output, common.rejects)):
            if os.path.isfile(written) and any(os.path.isfile(p) and os.path.samefile(p, written) for p in read):
                raise UsageError.output_is_input(written)
        return open_tables(
            paths,
            encoding=common.encoding,
            delimiter=common.delimiter,
            header=common.header,
            sheet=common.sheet,
            scratch=self._scratch(),
            thorough=self.facts.get("thorough", False),
        )

    def _opened(self, paths: Sequence[str]) -> list[RawTable]:
        """Files beside the inputs, each as it looks: how the inputs are written says nothing about them."""
        from userops.inputs.loading import open_tables

        self.facts.setdefault("paths", []).extend(paths)
        return open_tables(paths, scratch=self._scratch(), thorough=self.facts.get("thorough", False))

    def orders(self, files: Sequence[str] | None, *, keep: Sequence[str] = (), need_amount: bool = True) -> Orders:
        """The inputs as canonical orders; writes ``--rejects`` on the way."""
        from userops.inputs.orders import to_orders

        return self.told(to_orders(self.tables(files), self.reading(keep), need_amount=need_amount))

    def events(self, files: Sequence[str] | None, *, keep: Sequence[str] = ()) -> Events:
        """The inputs as canonical events; writes ``--rejects`` on the way."""
        from userops.inputs.events import to_events

        return self.told(to_events(self.tables(files), self.reading(keep)))

    def subscriptions(self, files: Sequence[str] | None, *, keep: Sequence[str] = ()) -> Subscriptions:
        """The inputs as canonical subscriptions; writes ``--rejects`` on the way."""
        from userops.inputs.subscriptions import to_subscriptions

        return self.told(to_subscriptions(self.tables(files), self.reading(keep)))

    def activity(self, files: Sequence[str] | None, *, keep: Sequence[str] = ()) -> Orders | Events:
        """The inputs as events or as orders, whichever they hold; orders need no amount here."""
        from userops.inputs import mapping
        from userops.inputs.events import to_events
        from userops.inputs.orders import to_orders

        tables, reading = self.tables(files), self.reading(keep)
        if mapping.kind_of(tables, reading) == "events":
            return self.told(to_events(tables, reading))
        return self.told(to_orders(tables, reading, need_amount=False))

    def acts(self, files: Sequence[str] | None, columns: Sequence[str]) -> tuple[Orders | Events, pl.DataFrame | None]:
        """The inputs as events or orders, and ``--users-table``, with each of ``columns`` in the one that has it."""
        of_users: list[str] = []
        if self.common.users_table is not None:
            from userops.inputs.layouts import columns_of

            schema = columns_of(self._opened([self.common.users_table])[0].schema)
            of_users = [column for column in columns if column in schema]
        users = self.users(of_users)
        return self.activity(files, keep=[column for column in columns if column not in of_users]), users

    def users(self, keep: Sequence[str] = ()) -> pl.DataFrame | None:
        """``--users-table``, one row per user: ``user_id`` (text), ``signed_up_at``, and ``keep``; None without it."""
        if self.common.users_table is None:
            return None
        return self.users_of(self._opened([self.common.users_table]), keep)

    def users_of(self, tables: Sequence[RawTable], keep: Sequence[str] = ()) -> pl.DataFrame:
        """Tables of users that were opened already, as :meth:`users` has them."""
        from userops.inputs import users

        given = users.fitting(_pairs(self.common.map), tables)
        table = users.to_users(tables, replace(self.reading(keep), layout=None, date_format=None, mapping=given))
        rows, warnings = users.one_row_each(table)
        for note in table.notes:
            self.talk.note(note(self.common.lang))
        for warning in warnings:
            self.talk.warn(warning(self.common.lang))
        return rows

    def told(self, table: Rows) -> Rows:
        """The table, once people were told how it was read and what does not count."""
        for note in table.notes:
            self.talk.note(note(self.common.lang))
        if self.common.rejects:
            self._write_rejects(table)
        self.facts["user_id_dtype"] = table.user_id_dtype
        return self._sized(table)

    def _sized(self, table: Rows) -> Rows:
        """The table with its number of rows: text is counted where memory is limited."""
        if table.size is None and self.common.memory_limit is not None:
            import polars as pl

            from userops.collecting import collect

            table = replace(table, size=collect(table.rows.select(pl.len()), table.name).item())
        if table.size is not None and self.facts.get("progress") is not None:
            self.facts["progress"].rows[table.name] = table.size
        return table

    def reading(self, keep: Sequence[str] = ()) -> ReadOptions:
        """How rows are to be read, as the mapping takes it."""
        from userops.inputs.mapping import ReadOptions
        from userops.periods import parse_day

        common = self.common
        mapping = _pairs(common.map)
        if common.users_table:
            mapping.pop("signed_up_at", None)  # it is in that file
        return ReadOptions(
            mapping=mapping,
            layout=common.layout,
            grain=common.grain,
            tz=common.tz,
            as_of=self.as_of,
            known_by=parse_day(common.known_by, "--known-by", common.tz),
            where=tuple(common.where),
            only_users=self._user_list(),
            identities=self._identities(),
            decimal_comma=common.decimal_comma,
            date_format=common.date_format,
            day_first=common.day_first,
            amount_unit=common.amount_unit,
            drop_duplicates=common.drop_duplicates,
            keep=tuple(keep),
        )

    @property
    def as_of(self) -> date | None:
        """``--as-of`` as a day."""
        from userops.periods import parse_day

        return parse_day(self.common.as_of, "--as-of", self.common.tz)

    @property
    def window(self) -> tuple[date | None, date | None]:
        """``--since`` and ``--until`` as days."""
        from userops.periods import parse_day

        common = self.common
        return parse_day(common.since, "--since", common.tz), parse_day(common.until, "--until", common.tz)

    @property
    def reporting(self) -> dict[str, Any]:
        """What every analysis is told of time: ``as_of``, ``since``, ``until``, ``tz``, ``week_start``."""
        since, until = self.window
        common = self.common
        return {"as_of": self.as_of, "since": since, "until": until, "tz": common.tz, "week_start": common.week_start}

    def small_table(self, path: str, columns: Sequence[str]) -> pl.DataFrame:
        """A file of ours read back whole, as text, with at least ``columns``."""
        import polars as pl

        from userops.collecting import collect

        table = self._opened([path])[0]
        for column in columns:
            if column not in table.schema:
                raise InputError.column_unknown(column, path, list(table.schema))
        return collect(table.rows.select(pl.col(columns).cast(pl.String)), path)

    def _user_list(self) -> pl.DataFrame | None:
        return self.small_table(self.common.only_users, ["user_id"]) if self.common.only_users else None

    def _identities(self) -> Identities | None:
        """``--identities``, read and told of once."""
        if self.common.identities is None:
            return None
        if "identities" not in self.facts:
            from userops.inputs.identities import read_identities

            found = read_identities(self._opened([self.common.identities])[0])
            for note in found.notes:
                self.talk.note(note(self.common.lang))
            for warning in found.warnings:
                self.talk.warn(warning(self.common.lang))
            self.facts["identities"] = found
        identities: Identities = self.facts["identities"]
        return identities

    def _scratch(self) -> Scratch:
        from userops.inputs.loading import Scratch

        if "scratch" not in self.facts:
            self.facts["scratch"] = self.stack.enter_context(Scratch(remember))
        scratch: Scratch = self.facts["scratch"]
        return scratch

    def _write_rejects(self, table: Table) -> None:
        from userops.inputs.mapping import rejected_rows

        rows = rejected_rows(table)
        self.write_beside(str(self.common.rejects), "rejects", rows)
        self.talk.note(f"{self.common.rejects}: {rows.height:,} rows that do not count")

    def write_beside(self, path: str, what: str, rows: pl.DataFrame) -> None:
        """Rows in a file of their own beside the result, in the format its name asks for."""
        from userops.results import Provenance, Result

        nothing = Provenance(None, self.common.tz, self.common.week_start, (), {}, ())
        self._emit(Result(what, rows, {}, nothing), path=path, format=None)

    # --- doors out --------------------------------------------------------------------------------------------------

    def finish(self, result: Result, *, text: str | None = None, fail_on: str | None = None) -> int:
        """Write the result where it was asked for, say what became of the rows, and judge ``--fail-if``.

        ``text``: what is written instead of it, such as a drawing of its own kind. ``fail_on``: ``error`` where errors
        among its findings are a breach, ``warn`` where warnings are one too.
        """
        breaches = [*self._breaches(result), *_failures(result, fail_on)]
        result = self.with_settings(result)
        if self.common.pseudonymise and not self.common.share:
            result = self._pseudonymised(result)
        self._say_what_was_read(result)
        if self.common.share or self.common.min_cell is not None:
            self._share(result, text)
        elif text is None:
            self._emit(result, path=self.common.output, format=self.chosen_format)
        else:
            self._write(text)
        for breach in breaches:
            self.talk.warn(breach)
        return Exit.BREACH if breaches else Exit.OK

    def with_settings(self, result: Result) -> Result:
        """A result that tells every option in force, not only those its analysis knows."""
        in_force = set(self.takes) - HOW_IT_RAN - WHERE_IT_WENT
        shared = {name: value for name, value in asdict(self.common).items() if name in in_force}
        settings = {**shared, **result.provenance.settings}
        return replace(result, provenance=replace(result.provenance, settings=settings))

    def _share(self, result: Result, text: str | None) -> None:
        """Write the result as it may leave the team, and with ``--share`` beside a file what left."""
        from userops.outputs import manifest, privacy, saving, settled, sharing

        common = self.common
        if text is not None:
            asked = "--share" if common.share else "--min-cell"
            raise UsageError.conflict(
                asked, "a drawing alone", "nobody can tell how many users stand behind its numbers"
            )
        least = common.min_cell if common.min_cell is not None else sharing.DEFAULT_LEAST
        shared, left = sharing.shared(
            result, least, personal=common.share, key=lambda: privacy.load_key(os.environ, common.key_file)
        )
        self._emit(shared, path=common.output, format=self.chosen_format)
        for note in sharing.notes(left):
            self.talk.note(note(common.lang))
        if not common.share or common.output in (None, "-") or saving.is_stream(str(common.output)):
            return
        output = str(common.output)
        format = settled(self.chosen_format, output, terminal=False)[0]
        told = manifest.text(shared, left, self.facts.get("paths", ()), output, format)
        saving.write_atomically(output + manifest.SUFFIX, lambda handle: handle.writelines([told.encode()]))

    def _write(self, text: str) -> None:
        from userops.outputs import saving

        if self.common.output in (None, "-"):
            put(text)
        else:
            saving.write_atomically(str(self.common.output), lambda handle: handle.writelines([text.encode()]))

    @property
    def chosen_format(self) -> str | None:
        """The one format asked for; None leaves it to the file name, else the table."""
        common = self.common
        asked = [name for name, on in (("json", common.json), ("csv", common.csv)) if on]
        if common.format:
            asked.append(common.format)
        if len(set(asked)) > 1:
            raise UsageError.conflict(f"--{asked[0]}", f"--format {asked[-1]}", "choose one format")
        return asked[0] if asked else None

    @property
    def is_written_report(self) -> bool:
        """Whether the result is to be a page for people: HTML or Markdown."""
        suffix = str(self.common.output or "").rsplit(".", 1)[-1].lower()
        return (self.chosen_format or suffix) in ("html", "htm", "markdown", "md")

    def _emit(self, result: Result, *, path: str | None, format: str | None) -> None:
        from userops import outputs

        outputs.emit(
            result,
            format=format,
            path=path,
            lang=self.common.lang,
            color=wants_color(self.common.color, sys.stdout, os.environ),
            width=_width(),
            terminal=path in (None, "-") and sys.stdout.isatty(),
            bom=self.common.bom,
            excel_safe=self.common.excel_safe or self.common.share,
            ids_dtype=None if self.common.pseudonymise or self.common.share else self.facts.get("user_id_dtype"),
        )

    def _pseudonymised(self, result: Result) -> Result:
        """The result without an id anywhere: not in its rows, nor in the tables people look at."""
        from userops.outputs import privacy
        from userops.results import TableBlock

        key = privacy.load_key(os.environ, self.common.key_file)

        def hidden(frame: pl.DataFrame) -> pl.DataFrame:
            return privacy.pseudonymise(frame, "user_id", key) if "user_id" in frame.columns else frame

        rows = hidden(result.rows)
        views = tuple(
            replace(view, rows=rows if view.rows is result.rows else hidden(view.rows))
            if isinstance(view, TableBlock)
            else view
            for view in result.views
        )
        extras = {name: hidden(frame) for name, frame in result.extras.items()}
        return replace(result, rows=rows, views=views, extras=extras)

    def _say_what_was_read(self, result: Result) -> None:
        from userops.frames import REASON_TEXTS

        lang = self.common.lang
        for report in result.provenance.inputs:
            reasons = "; ".join(f"{n:,} × {REASON_TEXTS[reason](lang)}" for reason, n in report.rejected.items())
            tail = f"; {report.rows_read - report.rows_used:,} do not: {reasons}" if reasons else ""
            layout = "" if report.layout in ("canonical", "generic") else f" ({report.layout})"
            self.talk.note(f"{report.name}{layout}: {report.rows_read:,} rows read, {report.rows_used:,} count{tail}")
        if result.provenance.as_of and self.common.as_of is None:
            self.talk.note(f"as of {result.provenance.as_of}, the date of the latest row (--as-of changes it)")
        if self.chosen_format not in (None, "table", "markdown", "html") or self.common.output:
            for warning in result.provenance.warnings:
                self.talk.warn(warning(lang))

    def _breaches(self, result: Result) -> Iterator[str]:
        for condition in self.common.fail_if:
            metric, operator, limit = parse_condition(condition)
            known = [k for k, v in result.summary.items() if v is None or isinstance(v, (int, float))]
            if metric not in known:
                raise UsageError.unknown_name("metric", metric, known, "--fail-if")
            value = result.summary[metric]
            if value is None or OPERATORS[operator](value, limit):
                yield f"--fail-if '{condition}': {metric} is {'null' if value is None else value}"


def _failures(result: Result, fail_on: str | None) -> Iterator[str]:
    """The breach of ``--fail-on``, for results that count their ``errors`` and ``warnings``."""
    errors, warnings = result.summary.get("errors", 0), result.summary.get("warnings", 0)
    if (fail_on and errors) or (fail_on == "warn" and warnings):
        yield f"--fail-on {fail_on}: {errors:,} errors, {warnings:,} warnings"


def parse_condition(condition: str) -> tuple[str, str, float]:
    """``'repeat_rate < 0.3'`` as metric, operator and number; anything else is a UsageError."""
    for operator in OPERATORS:
        metric, found, limit = condition.partition(operator)
        if found:
            with suppress(ValueError):
                if isfinite(number := float(limit)):
                    return metric.strip(), operator, number
            break
    raise UsageError.bad_value("--fail-if", condition, "a metric of the summary, < <= > >= == or !=, and a number")


def _pairs(entries: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for entry in entries:
        role, found, column = entry.partition("=")
        if not (found and role.strip() and column.strip()):
            raise UsageError.bad_value("--map", entry, "ROLE=COLUMN, such as user_id=Kunde")
        pairs[role.strip()] = column.strip()
    return pairs


def _data_on_stdin() -> bool:
    """True for a pipe or a file; a terminal and /dev/null (cron) hold no rows."""
    try:
        return not stat.S_ISCHR(os.fstat(0).st_mode)
    except OSError:
        return False


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def _first_line(problem: BaseException) -> str:
    return (str(problem).splitlines() or [""])[0][:200]
