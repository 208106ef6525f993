"""The files of one audit: each by what it holds, the thresholds, what the last run saw, and the rows that are evidence."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from math import isfinite
from typing import TYPE_CHECKING

from userops import audit, outputs
from userops.audit.scan import ROLES, other_time
from userops.cli_support.business_files import all_have, fitting, mapping_of, not_narrowed, require_columns, together
from userops.errors import InputError, UsageError
from userops.inputs import layouts
from userops.inputs.events import to_events
from userops.inputs.layouts import Kind
from userops.inputs.orders import to_orders
from userops.inputs.users import to_users
from userops.outputs import privacy

if TYPE_CHECKING:
    from typing import Any

    from userops.cli_support.running import Run
    from userops.frames import Table
    from userops.inputs.mapping import ReadOptions
    from userops.inputs.raw import RawTable

_CANONICAL = frozenset(
    {
        "user_id",
        "ordered_at",
        "time",
        "event",
        "instant",
        "amount",
        "order_id",
        "currency",
        "ingested_at",
        "signed_up_at",
    }
    | {"reject"}
)
"""Names that are taken in canonical rows; of several files ``source`` is another."""

_KINDS: tuple[Kind, ...] = ("orders", "events", "users")


def read(run: Run, files: Sequence[str] | None) -> list[audit.Subject]:
    """Orders, events and users among the files, all of one kind together, with every column; people are told how.

    Files of other kinds are left out. InputError where a file is of no kind, and where none is of these.
    """
    options = run.reading()
    opened: dict[Kind, list[RawTable]] = {}
    left_out: list[RawTable] = []
    users = [run.common.users_table] if run.common.users_table else []
    for table in run.tables([*(files or ["-"]), *users] if files or not users else users):
        kind = layouts.recognise(table, layout=options.layout, mapping=mapping_of([table], options)).kind
        if kind in _KINDS:
            opened.setdefault(kind, []).append(table)
        elif kind is None:
            raise InputError.kind_open(table.name, list(table.schema))
        else:
            left_out.append(table)
            run.talk.note(f"{table.name} holds {kind}: left out")
    if not opened:
        raise InputError.kind_open(left_out[0].name, list(left_out[0].schema))
    require_columns(opened, (), options)
    subjects = [_subject(kind, opened[kind], fitting(kind, opened[kind], options)) for kind in _KINDS if kind in opened]
    run.told(together([one.table for one in subjects]))
    for text in not_narrowed(opened, options):
        run.talk.warn(text(run.common.lang))
    run.facts.pop("user_id_dtype", None)
    return subjects


def _subject(kind: Kind, tables: Sequence[RawTable], options: ReadOptions) -> audit.Subject:
    """Tables of one kind in canonical columns, and every other column that all of them have."""
    what = layouts.recognise(tables[0], layout=options.layout, mapping=options.mapping, want=kind)
    playing = {column for role in _CANONICAL for column in what.roles.get(role, ())}
    taken = _CANONICAL | ({"source"} if len(tables) > 1 else set())
    others = [name for name in tables[0].schema if name not in playing and name not in taken]
    keep = [name for name in others if all_have(tables, kind, name, options)]
    for role in ROLES:
        if role == "order_id" and kind == "events" and role in what.roles and what.roles[role][0] not in keep:
            keep.append(role)
    other = other_time(what.roles.get("ordered_at", (None,))[0], list(tables[0].schema)) if kind == "orders" else None
    moments = [other[1]] if other is not None and all_have(tables, kind, other[1], options) else []
    options = replace(options, keep=tuple(keep), times=tuple(moments))
    table: Table
    if kind == "orders":
        table = to_orders(tables, options, need_amount=False)
    else:
        table = to_events(tables, options) if kind == "events" else to_users(tables, options)
    torn = tuple((one.name, one.torn) for one in tables if one.torn is not None)
    named = {role: columns[0] for role, columns in what.roles.items()}
    return audit.Subject(table, named, torn)


def thresholds(entries: Sequence[str]) -> audit.Thresholds:
    """Thresholds as ``NAME=VALUE``; UsageError for an unknown name and for what is no number."""
    known = [one.name for one in fields(audit.Thresholds)]
    given = {}
    for entry in entries:
        name, found, value = entry.partition("=")
        name = name.strip().replace("-", "_")
        if not found:
            raise UsageError.bad_value("--threshold", entry, "NAME=VALUE, such as volume_mads=8")
        if name not in known:
            raise UsageError.unknown_name("threshold", name, known)
        try:
            given[name] = float(value)
        except ValueError:
            given[name] = -1.0
        if not (isfinite(given[name]) and given[name] >= 0):
            raise UsageError.bad_value(f"--threshold {name}", value.strip(), "a number, 0 or more")
    return audit.Thresholds(**given)


def read_last(path: str) -> dict[str, audit.Profile]:
    """What each kind of rows was made of in an earlier ``audit --json``; UsageError where the file is none."""
    try:
        with open(path, encoding="utf-8") as file:
            told = json.load(file)
    except OSError as problem:
        raise UsageError.settings_file(path, problem.strerror or "cannot be read") from None
    except ValueError:
        raise UsageError.settings_file(path, "is not JSON", "give what audit --json wrote") from None
    with suppress(KeyError, TypeError, ValueError, AttributeError):
        profiles: Mapping[str, Mapping[str, Any]] = told["meta"]["profile"]
        if told["schema"].startswith("userops.audit/"):
            return {kind: _profile(stored) for kind, stored in profiles.items()}
    raise UsageError.settings_file(path, "is not an audit", "give what audit --json wrote")


def _profile(stored: Mapping[str, Any]) -> audit.Profile:
    columns = {
        str(name): {
            "dtype": str(column["dtype"]),
            "nulls": float(column["nulls"]),
            **({"shares": {str(k): float(v) for k, v in column["shares"].items()}} if "shares" in column else {}),
        }
        for name, column in stored["columns"].items()
    }
    last = stored["last"]
    return audit.Profile(int(stored["rows"]), None if last is None else str(last), columns)


def shown_ids(run: Run) -> Callable[[str], str]:
    """How the id of a user is shown: as it is, as its pseudonym, or not at all where the result leaves the team."""
    if run.common.share:
        return lambda one: "…"
    if not run.common.pseudonymise:
        return str
    key = privacy.load_key(os.environ, run.common.key_file)
    return lambda one: privacy.pseudonym(one, key)


def check_evidence(run: Run, path: str | None, files: Sequence[str] | None) -> None:
    """UsageError where the evidence cannot be written to ``path``, before anything is read."""
    if path is None:
        return
    if run.common.pseudonymise or run.common.share:
        asked = "--share" if run.common.share else "--pseudonymise"
        raise UsageError.conflict("--evidence", asked, "rows are written as they are, ids and all")
    if path == "-":
        raise UsageError.bad_value("--evidence", path, "the name of a file")
    outputs.settled(None, path, terminal=False)
    if os.path.isfile(path) and any(os.path.isfile(p) and os.path.samefile(p, path) for p in files or ()):
        raise UsageError.output_is_input(path)
