"""Every failure a user can mend, with its message and its hint written here and nowhere else.

A raise site names what went wrong (``raise InputError.column_missing(...)``); the words live in the
constructor, so the same mistake always reads the same. ``code`` is stable and may be relied on by
programs (``--log-format json``); the wording may change.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Self


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name nearest to ``name``, or None when nothing is near."""
    found = difflib.get_close_matches(name.casefold(), {k.casefold(): k for k in known}, n=1, cutoff=0.6)
    by_fold = {k.casefold(): k for k in known}
    return by_fold[found[0]] if found else None


def _churn_hint(longest: int | None) -> str:
    """What to do where churn cannot be learned: the longest horizon that would do, else what needs no model."""
    would = f"--horizon {longest}d would do" if longest else "no horizon would do; give more history or more users"
    return f"{would}; userops lifecycle tells who is silent, without a model"


def _listed(names: Sequence[str], limit: int = 12) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown}, … ({len(names)} in all)" if len(names) > limit else shown


class UseropsError(Exception):
    """One failure: a stable code, one line that says what is wrong and where, and what to do about it."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    @classmethod
    def bug(cls, problem: str) -> Self:
        """The one failure a user cannot mend."""
        return cls("E_BUG", f"a bug in userops: {problem}", "-vv shows where; please report it")


class UsageError(UseropsError):
    """The command line, the configuration, or a file of settings is wrong: nothing was read yet."""

    @classmethod
    def unknown_name(cls, what: str, given: str, known: Sequence[str], where: str = "") -> Self:
        near = closest(given, known)
        hint = f"did you mean '{near}'? known: {_listed(known)}" if near else f"known: {_listed(known)}"
        return cls("E_UNKNOWN_NAME", f"unknown {what} '{given}'{where and f' in {where}'}", hint)

    @classmethod
    def bad_value(cls, option: str, given: object, wanted: str) -> Self:
        return cls("E_BAD_VALUE", f"{option} cannot be '{given}'", f"it takes {wanted}")

    @classmethod
    def memory_too_small(cls, limit: int, least: int, rows: int) -> Self:
        what = f"{rows:,} rows" if rows else "the program itself"
        message = f"--memory-limit {limit / 1e9:.2f}GB is too small: {what} cannot be worked on in it"
        return cls(
            "E_MEMORY_LIMIT",
            message,
            f"the least that would do is --memory-limit {-(-least // 10_000_000) / 100:.2f}GB",
        )

    @classmethod
    def not_on_engine(cls, engine: str, what: str, hint: str | None = None) -> Self:
        hint = hint or f"leave --engine {engine} out to run it on this machine"
        return cls("E_ENGINE", f"--engine {engine} cannot run {what}", hint)

    @classmethod
    def engine_needs(cls, engine: str, option: str, hint: str) -> Self:
        return cls("E_ENGINE", f"--engine {engine} needs {option}", hint)

    @classmethod
    def needs_events(cls, options: str, path: str) -> Self:
        return cls("E_NEEDS_EVENTS", f"{options} name events, {path} holds orders", "leave them out, or give events")

    @classmethod
    def needs_events_or_orders(cls) -> Self:
        return cls("E_NO_ACTS", "neither events nor orders are given", "name one of them: --events FILE, --orders FILE")

    @classmethod
    def no_audience(cls, finding: str) -> Self:
        hint = "its card says what to do; findings with an audience show the command that writes it"
        return cls("E_NO_AUDIENCE", f"{finding} is about nobody in particular", hint)

    @classmethod
    def no_steps(cls) -> Self:
        hint = "name them in order: --steps view,add_to_cart,buy; or as steps under [funnel] in userops.toml"
        return cls("E_NO_STEPS", "no steps given", hint)

    @classmethod
    def no_input(cls) -> Self:
        return cls(
            "E_NO_INPUT", "no file given", "name a file or a quoted glob, or pipe data in; --help shows examples"
        )

    @classmethod
    def settings_file(cls, path: str, problem: str, hint: str | None = None) -> Self:
        return cls("E_SETTINGS_FILE", f"{path}: {problem}", hint)

    @classmethod
    def conflict(cls, first: str, second: str, hint: str | None = None) -> Self:
        return cls("E_CONFLICT", f"{first} and {second} cannot be used together", hint)

    @classmethod
    def output_is_input(cls, path: str) -> Self:
        return cls("E_OUTPUT_IS_INPUT", f"{path} would be read and overwritten", "give the result another name")

    @classmethod
    def unknown_suffix(cls, path: str, known: Sequence[str]) -> Self:
        hint = f"known: {' '.join(known)} (text formats also with .gz or .zst); or name one with --format"
        return cls("E_UNKNOWN_SUFFIX", f"no format goes by the name of {path}", hint)

    @classmethod
    def binary_to_terminal(cls, format: str) -> Self:
        return cls("E_BINARY_TO_TERMINAL", f"{format} is not for a terminal", "use -o FILE or pipe it")

    @classmethod
    def notify_address(cls, shown: str, problem: str, hint: str) -> Self:
        return cls("E_NOTIFY", f"--notify {shown}: {problem}", hint)

    @classmethod
    def pseudonym_key_missing(cls, variable: str) -> Self:
        return cls("E_PSEUDONYM_KEY", "pseudonyms need a key", f"set {variable} or give --key-file FILE")

    @classmethod
    def pseudonym_key_short(cls, source: str, found: int, least: int) -> Self:
        hint = f"at least {least}, random: head -c 32 /dev/urandom | base64 > userops.key"
        return cls("E_PSEUDONYM_KEY", f"the key in {source} has only {found} bytes", hint)


class OutputError(UsageError):
    """The destination cannot take the result; what was there before is still there."""

    @classmethod
    def not_written(cls, path: str, reason: str, hint: str | None = None) -> Self:
        return cls("E_OUTPUT", f"cannot write {path}: {reason}", hint)


class InputError(UseropsError):
    """The data cannot be used as it is."""

    MALFORMED = "E_MALFORMED"

    @classmethod
    def not_found(cls, path: str, near: str | None = None) -> Self:
        hint = f"did you mean '{near}'?" if near else "check the path; quote a glob such as 'orders-*.csv'"
        return cls("E_NOT_FOUND", f"no such file: {path}", hint)

    @classmethod
    def unreadable(cls, path: str, problem: str, hint: str | None = None) -> Self:
        return cls("E_UNREADABLE", f"cannot read {path}: {problem}", hint)

    @classmethod
    def malformed(cls, path: str, problem: str, hint: str) -> Self:
        """The text of a file breaks its own rules; opening it thoroughly mends that or names the line."""
        return cls(cls.MALFORMED, f"cannot read {path}: {problem}", hint)

    @classmethod
    def sheet_missing(cls, sheet: str, path: str, sheets: Sequence[str]) -> Self:
        near = closest(sheet, sheets)
        hint = f"did you mean '{near}'? sheets: {_listed(sheets)}" if near else f"sheets: {_listed(sheets)}"
        return cls("E_SHEET_MISSING", f"no sheet '{sheet}' in {path}", hint)

    @classmethod
    def empty(cls, path: str, hint: str | None = None) -> Self:
        return cls("E_EMPTY", f"{path} holds no rows", hint or "an export may have failed; look at the file")

    @classmethod
    def not_a_table(cls, path: str, looks_like: str, hint: str) -> Self:
        return cls("E_NOT_A_TABLE", f"{path} is not a table: it looks like {looks_like}", hint)

    @classmethod
    def column_missing(cls, role: str, path: str, columns: Sequence[str], near: str | None = None) -> Self:
        guess = f"did you mean --map {role}='{near}'? " if near else f"name it with --map {role}=COLUMN; "
        return cls("E_COLUMN_MISSING", f"no column for {role} in {path}", f"{guess}columns: {_listed(columns)}")

    @classmethod
    def wrong_dtype(cls, column: str, found: str, wanted: str) -> Self:
        return cls(
            "E_WRONG_DTYPE", f"column {column} is {found}, not {wanted}", "cast it before handing the frame over"
        )

    @classmethod
    def column_unknown(cls, column: str, path: str, columns: Sequence[str]) -> Self:
        near = closest(column, columns)
        guess = f"did you mean '{near}'? " if near else ""
        return cls("E_COLUMN_UNKNOWN", f"no column '{column}' in {path}", f"{guess}columns: {_listed(columns)}")

    @classmethod
    def column_ambiguous(cls, role: str, path: str, candidates: Sequence[str]) -> Self:
        hint = f"choose one: --map {role}='{candidates[0]}'"
        return cls("E_COLUMN_AMBIGUOUS", f"{_listed(candidates)} could each be {role} in {path}", hint)

    @classmethod
    def no_usable_rows(cls, path: str, rejected: str) -> Self:
        return cls("E_NO_USABLE_ROWS", f"no usable rows in {path}: {rejected}", "see them with --rejects rejects.csv")

    @classmethod
    def event_unknown(cls, event: str, path: str, known: Sequence[str]) -> Self:
        near = closest(event, known)
        guess = f"did you mean '{near}'? " if near else ""
        return cls("E_EVENT_UNKNOWN", f"no event '{event}' in {path}", f"{guess}events: {_listed(known)}")

    @classmethod
    def no_subscriptions(cls, path: str, columns: Sequence[str]) -> Self:
        hint = (
            "it takes user_id, started_at, ended_at; or user_id, tenure, churned; or period, alive (--map); columns: "
        )
        return cls("E_NO_SUBSCRIPTIONS", f"{path} holds no subscriptions, by its columns", hint + _listed(columns))

    @classmethod
    def ends_planned(cls, path: str, last_start: str, last_end: str) -> Self:
        return cls(
            "E_ENDS_PLANNED",
            f"the last end in {path} ({last_end}) lies long after the last start ({last_start}): past, or planned?",
            f"say through which day the data are complete: --as-of {last_end} if all of it has happened",
        )

    @classmethod
    def empty_window(cls, path: str) -> Self:
        return cls(
            "E_NO_USABLE_ROWS", f"nothing in {path} starts in the reporting window", "--since and --until move it"
        )

    @classmethod
    def counts_unusable(cls, path: str, problem: str, hint: str) -> Self:
        return cls("E_COUNTS", f"the numbers in {path} make no curve: {problem}", hint)

    @classmethod
    def not_fitted(cls, model: str, problem: str) -> Self:
        hint = "give more history, or more customers; totals and rates need no model"
        return cls("E_NOT_FITTED", f"{model} cannot be fitted: {problem}", hint)

    @classmethod
    def history_too_short(cls, path: str, days: int, horizon: int, longest: int | None) -> Self:
        message = f"{path} spans {days:,} {'day' if days == 1 else 'days'}; a horizon of {horizon:,} takes {3 * horizon:,}, three times as many"
        return cls("E_HISTORY_TOO_SHORT", message, _churn_hint(longest))

    @classmethod
    def too_few_to_learn_from(
        cls, path: str, stayed: int, left: int, least: int, horizon: int, longest: int | None
    ) -> Self:
        message = (
            f"of the users in {path}, {stayed:,} came back within {horizon:,} days and {left:,} did not: "
            f"it takes {least} of each to learn from"
        )
        return cls("E_TOO_FEW", message, _churn_hint(longest))

    @classmethod
    def event_name_taken(cls, event: str, path: str) -> Self:
        hint = f"call it otherwise, or leave it out: --where 'event!={event}'"
        return cls("E_EVENT_NAME_TAKEN", f"an event of {path} is called '{event}', as paths call their ends", hint)

    @classmethod
    def no_paths(cls, path: str) -> Self:
        hint = "ask for less: --since, --until, --start-at and --end-at each leave sessions out"
        return cls("E_NO_PATHS", f"no session of {path} is left to look at", hint)

    @classmethod
    def step_matches_nothing(cls, number: int, step: str, path: str) -> Self:
        hint = "the event is there, its condition holds for none of its rows; look at the values of the column"
        return cls("E_STEP_MATCHES_NOTHING", f"no row of {path} is step {number}, '{step}'", hint)

    @classmethod
    def user_unknown(cls, user: str, path: str) -> Self:
        return cls("E_USER_UNKNOWN", f"no user '{user}' in {path}", "ids are compared as text; look for it in the file")

    @classmethod
    def not_a_report(cls, path: str, problem: str) -> Self:
        hint = "write one with: userops diagnose FILE --json -o report.json"
        return cls("E_NOT_A_REPORT", f"{path} is no earlier report: {problem}", hint)

    @classmethod
    def no_amount(cls, path: str) -> Self:
        return cls("E_COLUMN_MISSING", f"no column for amount in {path}", "name it with --map amount=COLUMN")

    @classmethod
    def mixed_currencies(cls, path: str, currencies: Sequence[str]) -> Self:
        hint = f"choose one: --where 'currency={currencies[0]}'"
        return cls("E_MIXED_CURRENCIES", f"{path} mixes currencies: {_listed(currencies)}", hint)

    @classmethod
    def repeated_order_ids(cls, path: str, repeated: int) -> Self:
        return cls(
            "E_REPEATED_ORDER_ID",
            f"{repeated:,} rows of {path} repeat an order_id",
            "one row per item? --grain line; one row per order? --grain order; copies? --drop-duplicates",
        )

    @classmethod
    def lone_future_row(cls, path: str, last: str, before: str) -> Self:
        return cls(
            "E_LONE_FUTURE_ROW",
            f"{path} has a lone row on {last}, long after all others (up to {before})",
            f"a typing error? --as-of {before} leaves it out and counts it",
        )

    @classmethod
    def reader_died(cls, signal: str, *, by_memory: bool) -> Self:
        why = "it is damaged, or needs more memory than there is" if by_memory else "it is damaged"
        return cls(
            "E_READER_DIED", f"reading the input ended with {signal}: {why}", "look at the file with another tool"
        )

    @classmethod
    def memory_limit_met(cls, limit: int) -> Self:
        hint = "give it more, or read fewer rows (--where, --since)"
        return cls("E_MEMORY_LIMIT", f"the run would have taken more than --memory-limit {limit / 1e9:.2f}GB", hint)

    @classmethod
    def cluster_failed(cls, engine: str, problem: str, hint: str | None = None) -> Self:
        return cls("E_CLUSTER", f"{engine}: {problem}", hint)

    @classmethod
    def little_address_space(cls, limit: int, least: int) -> Self:
        message = f"the address space is limited to {limit / 1e9:.1f} GB, in which no thread can start"
        return cls("E_MEMORY", message, f"allow {least / 1e9:.1f} GB (ulimit -v), or bound memory with --memory-limit")

    @classmethod
    def too_large_for_memory(cls, path: str) -> Self:
        return cls("E_MEMORY", f"{path} needs more memory than there is", "work on part of it, or on a larger machine")

    @classmethod
    def column_unfit(cls, role: str, column: str, path: str, dtype: str) -> Self:
        hint = (
            f"choose another column: --map {role}=COLUMN" if role.isidentifier() else "choose another column with --map"
        )
        return cls("E_COLUMN_UNFIT", f"column '{column}' of {path} cannot be {role}: it holds {dtype}", hint)

    @classmethod
    def damaged_ids(cls, column: str, path: str, example: str) -> Self:
        return cls(
            "E_DAMAGED_IDS",
            f"ids in column '{column}' of {path} are rounded ({example}), so different users look the same",
            "a spreadsheet has done this: export again with the column as text, or as csv without opening it there",
        )

    @classmethod
    def ambiguous_dates(cls, column: str, path: str, example: str) -> Self:
        return cls(
            "E_AMBIGUOUS_DATES",
            f"dates such as {example} in column '{column}' of {path} could begin with the day or the month",
            "say which: --day-first, --month-first or --date-format '%d/%m/%Y'",
        )

    @classmethod
    def mixed_dates(cls, column: str, path: str) -> Self:
        return cls(
            "E_MIXED_DATES",
            f"column '{column}' of {path} has dates that begin with the day and dates that begin with the month",
            "read one kind and count the others as unreadable: --day-first, --month-first or --date-format '%d/%m/%Y'",
        )

    @classmethod
    def ambiguous_decimal(cls, column: str, path: str, example: str) -> Self:
        return cls(
            "E_AMBIGUOUS_DECIMAL",
            f"amounts such as {example} in column '{column}' of {path} could have a decimal comma or a thousands comma",
            "say which: --decimal-comma or --decimal-point",
        )

    @classmethod
    def amount_unit_open(cls, column: str, path: str, layout: str) -> Self:
        return cls(
            "E_AMOUNT_UNIT",
            f"{path} ({layout}) has whole amounts only in column '{column}': units or cents?",
            "say which: --amount-unit major (12 is 12.00) or --amount-unit minor (1200 is 12.00)",
        )

    @classmethod
    def layout_ambiguous(cls, path: str, layouts: Sequence[str]) -> Self:
        hint = f"choose one: --layout {layouts[0]}"
        return cls("E_LAYOUT_AMBIGUOUS", f"{path} could be {' or '.join(layouts)}", hint)

    @classmethod
    def layout_unfit(cls, path: str, layout: str, columns: Sequence[str]) -> Self:
        hint = f"leave out --layout, or name columns with --map; columns: {_listed(columns)}"
        return cls("E_LAYOUT_UNFIT", f"{path} does not have the columns of {layout}", hint)

    @classmethod
    def wrong_kind(cls, path: str, layout: str, kind: str, wanted: str) -> Self:
        hint = f"give a file of {wanted}, or read it as such with --layout none and --map"
        return cls("E_WRONG_KIND", f"{path} holds {kind} ({layout}), not {wanted}", hint)

    @classmethod
    def kinds_differ(cls, first: str, kind: str, second: str, other: str) -> Self:
        return cls("E_KINDS_DIFFER", f"{first} holds {kind}, {second} holds {other}", "read files of one kind together")

    @classmethod
    def kind_open(cls, path: str, columns: Sequence[str]) -> Self:
        hint = "name a column: --map event=COLUMN for events, --map ordered_at=COLUMN for orders; columns: "
        return cls("E_KIND_OPEN", f"{path} holds neither events nor orders, by its columns", hint + _listed(columns))

    @classmethod
    def arrival_unknown(cls, path: str, columns: Sequence[str], option: str = "--known-by") -> Self:
        hint = f"name the column with --map ingested_at=COLUMN, or leave out {option}; columns: {_listed(columns)}"
        return cls("E_ARRIVAL_UNKNOWN", f"{path} does not say when its rows arrived, as {option} needs", hint)

    @classmethod
    def identities_unclear(cls, path: str, columns: Sequence[str]) -> Self:
        hint = f"call its two columns anonymous_id and user_id; columns: {_listed(columns)}"
        return cls("E_IDENTITIES_UNCLEAR", f"{path} does not say which ids stand for which users", hint)

    @classmethod
    def identities_circular(cls, path: str, example: str) -> Self:
        hint = "leave out one of the rows that lead back"
        return cls("E_IDENTITIES_CIRCULAR", f"ids in {path} lead round in a circle, '{example}' among them", hint)
