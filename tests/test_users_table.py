"""Tables of users: one row each, whatever the file repeats; and what a run makes of users, identities and files of either kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from conftest import Ran
from rawtable import binary, text
from userops import frames
from userops.cli_support.diagnostics import Talk
from userops.cli_support.options import Common
from userops.cli_support.running import Run
from userops.errors import InputError, UsageError
from userops.inputs.identities import read_identities
from userops.inputs.mapping import ReadOptions
from userops.inputs.users import one_row_each, to_users

FIRST, LATER = datetime(2026, 1, 2), datetime(2026, 1, 5, 10)


def users(rows: str, header: str = "user_id,signed_up_at,country", **options: Any) -> frames.Users:
    return to_users([text(f"{header}\n{rows}", "users.csv")], ReadOptions(**options))


class TestOneRowEach:
    def test_a_clean_file(self) -> None:
        table, warnings = one_row_each(users("u2,2026-01-05 10:00,FR\nu1,2026-01-02,DE\n", keep=("country",)))
        assert table.rows() == [("u1", FIRST, "DE"), ("u2", LATER, "FR")]
        assert table.schema == {"user_id": pl.String, "signed_up_at": pl.Datetime("us"), "country": pl.String}
        assert warnings == ()

    def test_the_earliest_sign_up_counts_in_any_order(self) -> None:
        lines = [
            "u1,2026-01-05 10:00,FR\n",
            "u1,2026-01-02,DE\n",
            "u1,,IT\n",
            "u2,,\n",
            "u2,2026-01-05 10:00,\n",
            "u2,2026-01-05 10:00,ES\n",
        ]
        for rows in (lines, lines[::-1]):
            table, warnings = one_row_each(users("".join(rows), keep=("country",)))
            assert table.rows() == [("u1", FIRST, "DE"), ("u2", LATER, "ES")]
            assert "1 users have rows that differ" in warnings[0].en

    def test_where_users_came_from_may_be_called_source(self) -> None:
        table, _ = one_row_each(users("u1,2026-01-02,ads\n", "user_id,signed_up_at,source", keep=("source",)))
        assert table.rows() == [("u1", FIRST, "ads")]

    def test_without_a_sign_up_it_is_null(self) -> None:
        table, _ = one_row_each(users("7,DE\n", "id,country", keep=("country",)))
        assert table.rows() == [("7", None, "DE")]
        assert table.schema["signed_up_at"] == pl.Datetime("us")
        assert one_row_each(users("u,soon,x\n"))[0].rows() == [("u", None)]

    def test_rows_without_a_user_do_not_count(self) -> None:
        found = users(",2026-01-02,DE\nguest,2026-01-02,DE\n")
        assert one_row_each(found)[0].height == 0
        assert set(found.rows.collect()["reject"]) == {
            frames.reject_code("missing_user_id"),
            frames.reject_code("placeholder_user_id"),
        }

    def test_ids_are_the_text_they_are_in_events_and_times_move_to_the_zone(self) -> None:
        frame = pl.DataFrame({"user_id": [17850.0], "signed_up_at": [datetime(2026, 1, 1, 16)]})
        zoned = binary(frame.with_columns(pl.col("signed_up_at").dt.replace_time_zone("UTC")))
        table, _ = one_row_each(to_users([zoned], ReadOptions(tz="Asia/Shanghai")))
        assert table.rows() == [("17850", FIRST)]

    def test_conditions_on_rows_are_not_about_users(self) -> None:
        found = users("u1,2026-01-02,DE\n", where=("event=view",), as_of=date(2025, 1, 1), known_by=date(2025, 1, 1))
        assert one_row_each(found)[0].height == 1

    def test_identities_make_two_rows_one_user(self) -> None:
        ids = read_identities(text("anonymous_id,user_id\na1,u1\n", "ids.csv"))
        found = users("a1,2026-01-02,\nu1,2026-01-05 10:00,DE\n", keep=("country",), identities=ids)
        assert one_row_each(found)[0].rows() == [("u1", FIRST, "DE")]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """A run with options, in a folder with an orders, an events, a users and an identities file."""
    monkeypatch.chdir(tmp_path)
    Path("orders.csv").write_text("user_id,ordered_at\nu1,2026-01-02\na1,2026-01-03\n", encoding="utf-8")
    Path("events.csv").write_text("user_id,event,time\nu1,view,2026-01-02\n,view,2026-01-03\n", encoding="utf-8")
    Path("users.csv").write_text("uid,joined,country\nu1,2026-01-02,DE\na1,2026-01-01,\n", encoding="utf-8")
    Path("ids.csv").write_text("anonymous_id,user_id\na1,u1\n", encoding="utf-8")

    def started(**options: Any) -> Run:
        talk = Talk(quiet=True, verbose=0, color=False, as_json=False)
        return Run(Common(no_config=True, **options), talk, ExitStack(), ())

    return started


def ids_of(table: frames.Table) -> Sequence[str]:
    return frames.good(table.rows).collect()["user_id"].sort().to_list()


class TestRuns:
    def test_activity_is_what_the_file_holds(self, run: Callable[..., Run]) -> None:
        assert isinstance(run().activity(["orders.csv"]), frames.Orders)
        started = run()
        assert isinstance(started.activity(["events.csv"], keep=["event"]), frames.Events)
        assert started.facts["user_id_dtype"] == pl.String
        with pytest.raises(InputError) as error:
            run().activity(["orders.csv", "events.csv"])
        assert error.value.code == "E_KINDS_DIFFER"

    def test_rejects_of_events(self, run: Callable[..., Run]) -> None:
        run(rejects="rejects.csv").events(["events.csv"])
        assert (
            Path("rejects.csv").read_text(encoding="utf-8")
            == "reason,user_id,event,time\nmissing_user_id,,view,2026-01-03\n"
        )

    def test_users_with_columns_by_hand(self, run: Callable[..., Run]) -> None:
        assert run().users() is None
        started = run(users_table="users.csv", map=["signed_up_at=joined", "event=what"], identities="ids.csv")
        table = started.users(keep=["country"])
        assert table is not None
        assert table.rows() == [("u1", datetime(2026, 1, 1), "DE")]

    def test_a_column_of_the_users_table_is_no_column_of_the_inputs(self, run: Callable[..., Run]) -> None:
        started = run(users_table="users.csv", map=["signed_up_at=joined"])
        assert ids_of(started.activity(["orders.csv"])) == ["a1", "u1"]

    def test_identities_and_late_rows(self, run: Callable[..., Run]) -> None:
        assert ids_of(run(identities="ids.csv").activity(["orders.csv"])) == ["u1", "u1"]
        with pytest.raises(InputError) as error:
            run(known_by="2026-01-02").events(["events.csv"])
        assert error.value.code == "E_ARRIVAL_UNKNOWN"
        with pytest.raises(UsageError):
            run(known_by="soon").events(["events.csv"])
        with pytest.raises(InputError):
            run(identities="nowhere.csv").events(["events.csv"])


def test_inspect_decides_as_the_commands_do(userops: Callable[..., Ran]) -> None:
    Path("e.csv").write_text(
        "user_id,event,time,event_id\na1,view,2026-01-02,i\nu1,view,2026-01-03,j\nu1,view,2026-01-03,j\nu1,,2026-01-03,k\n"
    )
    Path("ids.csv").write_text("anonymous_id,user_id\na1,u1\n")
    ran = userops("inspect", "e.csv", "--identities", "ids.csv", "--json")
    assert ran.code == 0
    assert '"users": 1' in ran.out
    assert '"duplicate_event": 1' in ran.out
    assert '"missing_event": 1' in ran.out
    assert "1 ids stand for 1 users" in ran.err
    assert (
        userops("inspect", "e.csv", "--known-by", "2026-01-02", "--json").out.count(
            "does not say when its rows arrived"
        )
        == 1
    )
