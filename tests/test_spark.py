"""Reduces on workers give the bytes that this machine gives: with workers in this process, and on a real Spark cluster."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from userops import cluster, partition
from userops.cli import app
from userops.cli_support import places
from userops.cluster import Cluster
from userops.errors import InputError, UsageError
from userops.partition import Place, Reduce

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "spark"

pytest.importorskip("cloudpickle")

COMMANDS = (
    ("rfm", "orders"),
    ("rfm", "orders", "--per-user", "--where", "channel=email"),
    ("retention", "events"),
    ("retention", "orders", "--by", "channel"),
    ("activity", "events", "--tz", "Asia/Shanghai"),
    ("growth", "events"),
    ("lifecycle", "orders"),
    ("funnel", "events", "--steps", "view_item,add_to_cart,purchase", "--within", "7d"),
    ("paths", "events"),
    ("ltv", "orders"),
    ("churn", "events", "--horizon", "20d"),
    ("rfm", "orders", "--drop-duplicates", "--by", "channel"),
    ("funnel", "events", "--steps", "visit,purchase", "--by", "platform", "--stopped-at", "2"),
    ("growth", "events", "--late-rows", "--period", "month"),
)
REAL = (
    ("activity", "events"),
    ("lifecycle", "orders"),
    ("paths", "events"),
    ("retention", "orders", "--by", "channel"),
)
"""What the example leaves out."""


class Workers(Cluster):
    """A cluster whose workers are this process: rows dealt by their users, in no order, and sent as Spark sends them."""

    def _looked_at(self, name: str, head_rows: int) -> tuple[Any, pl.DataFrame, int]:
        rows = pl.read_parquet(name)
        return rows, rows.head(head_rows), rows.height

    def _worked(self, payload: bytes, schemas: cluster.Schemas, count: int, tell: Callable[[float], None]) -> pa.Table:
        dealt = []
        for number, schema in schemas.items():
            rows = self.tables[number][0].sample(fraction=1, shuffle=True, seed=7)
            here = pl.col(self.users[number][0]).cast(pl.String).hash() % count
            columns = [pl.col(name).alias(f"{number}_{i}") for i, name in enumerate(schema)]
            dealt.append(rows.select(*columns, leaf=pl.lit(number), partition=here))
        whole = pl.concat(dealt, how="diagonal")
        stage, parts = cluster._stage, []
        for _, part in whole.group_by("partition"):
            cluster._stage = cluster._Stage()  # a worker has no first rows
            parts.append(cluster.work(payload, part.to_arrow(compat_level=pl.CompatLevel.oldest())))
        cluster._stage = stage
        return pa.concat_tables(parts)


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    def connected(run: Any, command: str) -> Workers:
        cluster.begin(command)
        return Workers(None, run.talk.detail)

    monkeypatch.setattr(places, "_cluster", connected)
    monkeypatch.setattr(cluster, "BLOB", 4_000)
    cluster.begin("test")
    return Workers(None)


def run(*words: str | Path, code: int = 0) -> str:
    ended = CliRunner().invoke(app, [str(word) for word in words])
    assert ended.exit_code == code, ended.output
    return ended.stderr if code else ended.stdout


def with_files(folder: Path, words: tuple[str, ...]) -> list[str]:
    return [str(folder / f"{word}.parquet") if word in ("orders", "events") else word for word in words]


# --- workers in this process ------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_same_bytes_as_here(words: tuple[str, ...], shop: Path, workers: Workers) -> None:
    line = [*with_files(shop, words), "--json", "-q"]
    assert run(*line, "--engine", "spark") == run(*line)


def test_subscriptions_too(tmp_path: Path, workers: Workers) -> None:
    days = [date(2025, 1 + i % 12, 1 + i % 28) for i in range(60)]
    rows = pl.DataFrame(
        {"user_id": range(60), "started_at": days, "ended_at": [date(2026, 1, 3) if i % 3 else None for i in range(60)]}
    )
    rows.write_parquet(tmp_path / "subscriptions.parquet")
    line = ["survival", tmp_path / "subscriptions.parquet", "--as-of", "2026-02-01", "--json", "-q"]
    assert run(*line, "--engine", "spark") == run(*line)


def test_several_files_are_several_leaves(shop: Path, tmp_path: Path, workers: Workers) -> None:
    """One user may be in both files, under columns of different names and types of different width."""
    rows = pl.read_parquet(shop / "orders.parquet").with_row_index()
    rows.filter(pl.col("index") % 2 == 0).drop("index").write_parquet(tmp_path / "a.parquet")
    other = rows.filter(pl.col("index") % 2 == 1).rename({"user_id": "customer_id"})
    other.with_columns(pl.col("amount").cast(pl.Decimal(12, 2))).drop("index").write_parquet(tmp_path / "b.parquet")
    line = ["rfm", tmp_path / "a.parquet", tmp_path / "b.parquet", "--json", "-q"]
    assert run(*line, "--engine", "spark") == run(*line)


def test_only_what_is_needed_is_read(workers: Workers, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"user_id": ["a", "b", "a"], "event": ["x"] * 3, "time": [date(2026, 1, 1)] * 3, "more": [1, 2, 3]}
    )
    frame.write_parquet(tmp_path / "events.parquet")
    rows = workers.open(str(tmp_path / "events.parquet"), 2).rows
    seen: list[cluster.Schemas] = []
    worked = Workers._worked
    Workers._worked = lambda self, payload, schemas, *more: (
        seen.append(schemas) or worked(self, payload, schemas, *more)
    )  # type: ignore[method-assign]
    try:
        with partition.working_in(Place(engine=workers)):
            counts = Reduce(
                lambda rows: rows.filter(pl.col("time").is_not_null()).group_by("user_id").len(), ("user_id",)
            )
            found = partition.run(rows.with_columns(pl.col("user_id").str.to_uppercase()), {"n": counts}, what="events")
            here = partition.run(frame.lazy(), {"n": counts}, what="a frame of ours")["n"]
    finally:
        Workers._worked = worked  # type: ignore[method-assign]
    assert found["n"].rows() == [("A", 2), ("B", 1)]
    assert here.rows() == [("a", 2), ("b", 1)]
    assert [list(schema) for schema in seen[0].values()] == [["user_id", "time"]]


def test_rows_never_come_here(workers: Workers, tmp_path: Path) -> None:
    pl.DataFrame({"user_id": range(50), "x": range(50)}).write_parquet(tmp_path / "a.parquet")
    rows = workers.open(str(tmp_path / "a.parquet"), 10).rows
    assert rows.head(10).collect().height == 10
    for more in (rows, rows.head(11), rows.select(pl.len()), rows.filter(pl.col("x") > 3).head(5)):
        with pytest.raises(UsageError, match="--engine spark cannot run test like this"):
            more.collect()


def test_a_failure_on_a_worker_is_one_here(workers: Workers, tmp_path: Path) -> None:
    pl.DataFrame({"user_id": ["a"]}).write_parquet(tmp_path / "a.parquet")
    rows = workers.open(str(tmp_path / "a.parquet"), 10).rows

    def fails(rows: pl.DataFrame) -> pl.DataFrame:
        if rows.height:
            raise InputError.empty("the worker's part")
        return rows

    with partition.working_in(Place(engine=workers)), pytest.raises(InputError, match="the worker's part"):
        partition.run(rows, {"n": Reduce(lambda rows: rows.map_batches(fails))}, what="a")


def test_user_ids_of_several_columns_are_refused(workers: Workers, tmp_path: Path) -> None:
    pl.DataFrame({"a": ["x"], "b": ["y"]}).write_parquet(tmp_path / "a.parquet")
    rows = workers.open(str(tmp_path / "a.parquet"), 10).rows.select(user_id=pl.coalesce("a", "b"))
    with partition.working_in(Place(engine=workers)), pytest.raises(UsageError, match="not one column"):
        partition.run(rows, {"n": Reduce(lambda rows: rows.group_by("user_id").len())}, what="a")


def test_large_tables_travel_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "BLOB", 1_000)
    table = pl.DataFrame({"user_id": [f"user {i}" for i in range(500)], "n": range(500)})
    pieces = [pl.read_ipc_stream(blob) for blob in cluster._packed(table)]
    assert len(pieces) > 5
    assert pl.concat(pieces).equals(table)
    assert pl.concat(pl.read_ipc_stream(blob) for blob in cluster._packed(table.clear())).equals(table.clear())


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("inspect", "a.parquet", "--spark-url", "sc://h"), "--engine spark cannot run inspect"),
        (("rfm", "a.parquet"), "--engine spark needs --spark-url"),
        (("rfm", "a.parquet", "--spark-url", "sc://h", "--rejects", "r.csv"), "--rejects cannot be used together"),
        (
            ("rfm", "a.parquet", "--spark-url", "sc://h", "--identities", "i.csv"),
            "--identities cannot be used together",
        ),
    ],
)
def test_refused_before_anything_is_reached(words: tuple[str, ...], told: str) -> None:
    assert told in run(*words, "--engine", "spark", code=2)


def test_the_engine_is_one_of_two() -> None:
    ended = CliRunner().invoke(app, ["rfm", "a.parquet", "--engine", "sparc"])
    assert ended.exit_code == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[PATH_NOT_FOUND] Path does not exist: file:/x", "the cluster sees no such path"),
        ("[TABLE_OR_VIEW_NOT_FOUND] x", "the cluster knows no such table"),
        ("[PARQUET_TYPE_ILLEGAL] Illegal Parquet type: INT64 (TIMESTAMP(NANOS,false))", "nanoseconds"),
        ("... is bigger than spark.driver.maxResultSize (1024.0 MiB)", "larger than spark.driver.maxResultSize"),
        ("ModuleNotFoundError: No module named 'userops'", "the workers have no userops"),
        ("RuntimeError: userops 9.9 on the workers, 1.0 here", "differ in their userops"),
        ("something else\nwith a trace", "x.parquet: something else"),
    ],
)
def test_failures_of_spark_in_one_line(text: str, told: str) -> None:
    error = cluster._in_one_line(text, "x.parquet")
    assert told in error.message and "\n" not in error.message


# --- a real cluster ---------------------------------------------------------------------------------------------


def loaded(name: str) -> ModuleType:
    """A module of the example, whatever else goes by its name."""
    sys.path.insert(0, str(EXAMPLE))
    hidden = sys.modules.pop(name, None)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(EXAMPLE))
        if hidden is not None:
            sys.modules[name] = hidden


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    local_cluster = loaded("local_cluster")
    if missing := local_cluster.why_not():
        pytest.skip(missing)
    with local_cluster.LocalCluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.mark.slow
def test_on_spark(spark: Any, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command on two workers; then one of them is lost in the middle of a run; then what Spark cannot do."""
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    example = loaded("run")
    for words in (*example.COMMANDS, *((name, f"{file}.parquet", *more) for name, file, *more in REAL)):
        assert example.answer(example.on_spark(shop, words, spark.url)) == example.answer(example.command(shop, words))

    words = example.COMMANDS[3]
    lost = example.with_a_worker_lost(spark, example.on_spark(shop, words, spark.url))
    assert lost == example.answer(example.command(shop, words))
    assert "Lost executor" in (spark.folder / "connect.log").read_text(errors="replace")


@pytest.mark.slow
def test_what_spark_cannot_read(spark: Any, shop: Path, tmp_path: Path) -> None:
    nanoseconds = pl.read_parquet(shop / "orders.parquet").with_columns(pl.col("ordered_at").cast(pl.Datetime("ns")))
    nanoseconds.write_parquet(tmp_path / "ns.parquet")
    for name, told in (
        (tmp_path / "ns.parquet", "nanoseconds"),
        (tmp_path / "no", "no such path"),
        ("no", "no such table"),
    ):
        assert told in run("rfm", name, "--engine", "spark", "--spark-url", spark.url, code=3)
    assert "nobody answers" in run("rfm", "x", "--engine", "spark", "--spark-url", "sc://127.0.0.1:1", code=3)
