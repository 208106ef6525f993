"""Reduces on the workers of a Spark cluster, through Spark Connect; the only file that imports pyspark, when asked to.

Spark reads the files and deals their rows to partitions of users; on each of them a worker runs the very plan that
would run here, and sends the small tables back. What stands for a file in that plan is a *leaf*: a source of rows with
a number and a schema. Here it has the first rows only, enough to recognise columns; on a worker it has the rows of one
partition. So everything between the columns of a file and the small tables is decided here, once, and done there.

Whatever would need the rows in this place is refused: a leaf never gives more of them than its first.
"""

from __future__ import annotations

import io
import re
import socket
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import polars as pl
from polars.io.plugins import register_io_source

from userops import __version__, partition
from userops.errors import InputError, UsageError, UseropsError

if TYPE_CHECKING:
    import pyarrow as pa

    from userops.partition import Prepare, Reduce

ROWS_A_TASK = 1_000_000
"""Rows that a worker looks at together: about 150 MB."""

FEWEST = 4
"""Partitions of even a small input: more workers than one have something to do."""

BLOB = 16_000_000
"""Bytes of a small table that travel as one cell; Connect takes 128 MB."""

Schemas = Mapping[int, Mapping[str, pl.DataType]]
"""The columns that are needed of each leaf, with their types."""

_FAILED = "\x1ffailed"
_LEAF, _PARTITION = "leaf", "partition"


# --- leaves -----------------------------------------------------------------------------------------------------


@dataclass
class _Stage:
    """What leaves give in this process: first rows, nothing at all (and what was asked is noted), or a partition's.

    ``whole``: the leaves whose first rows are all they have.
    """

    heads: dict[int, pl.DataFrame] = field(default_factory=dict)
    whole: set[int] = field(default_factory=set)
    rows: dict[int, pl.DataFrame] | None = None
    rehearsal: dict[int, dict[str, None]] | None = None
    command: str = ""


_stage = _Stage()


def _read(
    number: int, columns: list[str] | None, predicate: pl.Expr | None, most: int | None, _batch: int | None
) -> Iterator[pl.DataFrame]:
    """The rows of a leaf, as Polars asks for them."""
    if _stage.rows is not None:
        rows = _stage.rows[number]
    elif _stage.rehearsal is not None:
        head = _stage.heads[number]
        asked = [
            *(head.columns if columns is None else columns),
            *(predicate.meta.root_names() if predicate is not None else ()),
        ]
        _stage.rehearsal.setdefault(number, {}).update(dict.fromkeys(asked))
        rows = head.clear()
    elif most is not None and (most <= _stage.heads[number].height or number in _stage.whole):
        rows = _stage.heads[number]
    else:
        raise UsageError.not_on_engine("spark", f"{_stage.command} like this: it would need all rows in one place")
    if predicate is not None:
        rows = rows.filter(predicate)
    if columns is not None:
        rows = rows.select(columns)
    yield rows if most is None else rows.head(most)


def leaf(number: int, schema: pl.Schema) -> pl.LazyFrame:
    """What stands for the rows of one file in a plan."""
    return register_io_source(partial(_read, number), schema=schema, is_pure=True)


def begin(command: str) -> None:
    """No leaf is there yet; ``command`` is what refusals are about."""
    global _stage
    _stage = _Stage(command=command)


@contextmanager
def _rehearsed() -> Iterator[dict[int, dict[str, None]]]:
    """What is asked of which leaf inside the block, where all of them are empty."""
    _stage.rehearsal = {}
    try:
        yield _stage.rehearsal
    finally:
        _stage.rehearsal = None


# --- on a worker ------------------------------------------------------------------------------------------------


def work(payload: bytes, table: pa.Table) -> pa.Table:
    """The small tables of one partition of users: ``name, part``, each part some rows as an Arrow stream.

    ``payload``: what :meth:`Cluster.parts` wants done. ``table``: its rows; the columns of leaf ``3`` are ``3_0``,
    ``3_1``, …, and ``leaf`` says whose a row is. A failure a user can mend travels as a part too.
    """
    import pickle

    import pyarrow as pa

    version, schemas, rows, reduces, what, prepare = pickle.loads(payload)  # noqa: S301 # from the driver of this run
    if version != __version__:
        raise RuntimeError(f"userops {__version__} on the workers, {version} here")
    _stage.rows = _dealt(table, schemas)
    try:
        found = partition.one_part(rows, reduces, what, prepare)
        blobs = [(name, blob) for name, small in found.items() for blob in _packed(small)]
    except UseropsError as error:
        blobs = [(_FAILED, pickle.dumps((type(error), error.code, error.message, error.hint)))]
    finally:
        _stage.rows = None
    names, parts = zip(*blobs, strict=True)
    return pa.table({"name": pa.array(names, pa.string()), "part": pa.array(parts, pa.binary())})


def _dealt(table: pa.Table, schemas: Schemas) -> dict[int, pl.DataFrame]:
    """The rows of each leaf, under their own names and types."""
    rows = pl.from_arrow(table)
    assert isinstance(rows, pl.DataFrame)
    dealt = {}
    for number, schema in schemas.items():
        own = rows if len(schemas) == 1 else rows.filter(pl.col(_LEAF) == number)
        columns = [pl.col(f"{number}_{i}").cast(dtype).alias(name) for i, (name, dtype) in enumerate(schema.items())]
        dealt[number] = own.select(columns)
    return dealt


def _packed(small: pl.DataFrame) -> Iterator[bytes]:
    """A table as streams of some rows each; one even where there are none."""
    rows = max(1, int(small.height * BLOB / max(small.estimated_size(), BLOB)))
    for piece in small.iter_slices(rows) if small.height else [small]:
        stream = io.BytesIO()
        piece.write_ipc_stream(stream, compression="zstd")
        yield stream.getvalue()


# --- on the driver ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClusterTable:
    """One table as the cluster sees it: its leaf, its first rows, how many rows there are."""

    rows: pl.LazyFrame
    head: pl.DataFrame
    size: int


@dataclass(slots=True)
class Cluster:
    """A session of Spark Connect, and the tables opened in it. ``say`` is told how work is dealt.

    ``users``: which columns make the user id of a leaf, as far as that was needed.
    """

    session: Any
    say: Callable[[str], None] = lambda _: None
    tables: list[tuple[Any, ClusterTable]] = field(default_factory=list)
    users: dict[int, list[str]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def connected(cls, url: str, command: str, say: Callable[[str], None]) -> Iterator[Self]:
        """A session with the server at ``url`` for one ``command``; UsageError or InputError where there is none."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries, about each other
            try:
                from pyspark.sql.connect.session import SparkSession
            except ImportError:
                hint = "pip install 'userops[spark]'"
                raise UsageError.engine_needs("spark", "the package pyspark-client", hint) from None
            _reached(url)
            begin(command)
            with _explained(url):
                session = SparkSession.builder.remote(url).create()
                session.conf.set("spark.sql.session.timeZone", "UTC")
            try:
                yield cls(session, say)
            finally:
                with suppress(Exception):
                    session.stop()

    def open(self, name: str, head_rows: int) -> ClusterTable:
        """The table ``name``: a path of Parquet files if it looks like one, else a table the cluster knows."""
        number = len(self.tables)
        found, head, size = self._looked_at(name, head_rows)
        _stage.heads[number] = head
        if head.height == size:
            _stage.whole.add(number)
        table = ClusterTable(leaf(number, head.schema), head, size)
        self.tables.append((found, table))
        return table

    def _looked_at(self, name: str, head_rows: int) -> tuple[Any, pl.DataFrame, int]:
        """A table of Spark, its first rows, how many it has."""
        with _explained(name):
            found = self.session.read.parquet(name) if _is_path(name) else self.session.table(name)
            head = pl.from_arrow(found.limit(head_rows).toArrow())
            size = found.count()
        assert isinstance(head, pl.DataFrame)
        return found, head, size

    def parts(
        self,
        rows: pl.LazyFrame,
        reduces: Mapping[str, Reduce],
        what: str,
        prepare: Prepare | None,
        tell: Callable[[float], None],
    ) -> dict[str, list[pl.DataFrame]] | None:
        """The parts of every table, made by the workers; None where ``rows`` do not lie on the cluster.

        A rehearsal without rows tells which columns are needed, of which tables, and which make the user id.
        """
        import cloudpickle

        with _rehearsed() as needed:
            partition.one_part(rows, reduces, what, prepare)
        if not needed:
            return None
        schemas = {n: {c: self.tables[n][1].head.schema[c] for c in columns} for n, columns in sorted(needed.items())}
        payload = cloudpickle.dumps((__version__, schemas, rows, dict(reduces), what, prepare))
        self._know_users(rows, needed)
        size = sum(self.tables[number][1].size for number in schemas)
        count = max(FEWEST, -(-size // ROWS_A_TASK))
        self.say(f"{size:,} rows in {count} partitions of users, on the workers")
        with _explained(what):
            return _unpacked(self._worked(payload, schemas, count, tell), reduces)

    def _worked(self, payload: bytes, schemas: Schemas, count: int, tell: Callable[[float], None]) -> pa.Table:
        """What the workers make of ``count`` partitions of users (:func:`work`)."""

        def progress(stages: Iterable[Any], *_: object, **__: object) -> None:
            done, all_tasks = (sum(s.num_completed_tasks for s in stages), sum(s.num_tasks for s in stages))
            tell(done / max(all_tasks, 1))

        whole = self._by_users(schemas, count).groupBy(_PARTITION)
        self.session.registerProgressHandler(progress)
        try:
            return whole.applyInArrow(lambda table: work(payload, table), "name string, part binary").toArrow()
        finally:
            self.session.removeProgressHandler(progress)

    def _know_users(self, rows: pl.LazyFrame, needed: Iterable[int]) -> None:
        """Learn which column of each leaf is the user id; UsageError where that is made of several."""
        if "user_id" in rows.collect_schema() and not all(number in self.users for number in needed):
            with _rehearsed() as asked:
                rows.select("user_id").collect()
            self.users |= {number: list(columns) for number, columns in asked.items()}
        for number in needed:
            if len(self.users.get(number, ())) != 1:
                raise UsageError.not_on_engine("spark", "a table whose user ids are not one column of it")

    def _by_users(self, schemas: Schemas, count: int) -> Any:
        """The rows of all leaves as one Spark table, with the partition of their user."""
        from pyspark.sql.connect import functions as F  # noqa: N812 # as everybody calls it

        dealt = []
        for number, schema in schemas.items():
            spark, table = self.tables[number]
            user = self.users[number][0]
            key = F.col(_quoted(user)).cast("string")
            if table.head.schema[user] == pl.String:  # ids are trimmed later: what differs by that alone stays together
                key = F.regexp_replace(key, "(?U)[\\s\\p{Cc}=\"']", "")
            flat = [F.col(_quoted(name)) for name, dtype in schema.items() if not dtype.is_nested()]
            nobody = F.xxhash64(*flat) if flat else F.lit(0)  # rows without an id belong nowhere: spread them
            hashed = F.when(key.isNull(), nobody).otherwise(F.xxhash64(key))
            columns = [F.col(_quoted(name)).alias(f"{number}_{i}") for i, name in enumerate(schema)]
            dealt.append(
                spark.select(
                    *columns, F.lit(number).alias(_LEAF), F.pmod(hashed, F.lit(count)).cast("int").alias(_PARTITION)
                )
            )
        whole = dealt[0]
        for more in dealt[1:]:
            whole = whole.unionByName(more, allowMissingColumns=True)
        return whole


def _unpacked(table: pa.Table, reduces: Mapping[str, Reduce]) -> dict[str, list[pl.DataFrame]]:
    """The parts by the name of their reduce; the first failure of a worker is raised here."""
    import pickle

    parts: dict[str, list[pl.DataFrame]] = {name: [] for name in reduces}
    for name, blob in zip(table["name"].to_pylist(), table["part"].to_pylist(), strict=True):
        if name == _FAILED:
            kind, code, message, hint = pickle.loads(blob)  # noqa: S301 # from a worker of this run
            raise kind(code, message, hint)
        parts[name].append(pl.read_ipc_stream(blob))
    return parts


def _is_path(name: str) -> bool:
    return "/" in name or re.search(r"\.(parquet|pq)$", name) is not None


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


# --- failures ---------------------------------------------------------------------------------------------------


def _reached(url: str) -> None:
    """InputError at once where nobody listens: the client itself would try for minutes."""
    found = re.match(r"sc://\[?([^/;\]]+?)\]?(?::(\d+))?(?:[/;]|$)", url)
    if not found:
        raise UsageError.bad_value("--spark-url", url, "the address of a Connect server: sc://host:15002")
    try:
        socket.create_connection((found[1], int(found[2] or 15002)), timeout=10).close()
    except OSError as error:
        raise InputError.cluster_failed("spark", f"nobody answers at {url}: {error.strerror or error}") from None


_SIGNS: tuple[tuple[str, str, str | None], ...] = (
    ("PATH_NOT_FOUND", "the cluster sees no such path", "give the path as the workers see it"),
    ("TABLE_OR_VIEW_NOT_FOUND", "the cluster knows no such table", "a path needs a / or ends in .parquet"),
    (
        "PARQUET_TYPE_ILLEGAL|TIMESTAMP.?\\(?NANOS",
        "Spark cannot read times in nanoseconds, or another type of it",
        "write times in microseconds",
    ),
    (
        "maxResultSize",
        "the small tables are larger than spark.driver.maxResultSize",
        "raise it on the server, such as --conf spark.driver.maxResultSize=4g",
    ),
    ("No module named 'userops", "the workers have no userops", "install the same version for their Python"),
    ("No module named '(\\w+)", "the workers lack a Python package", "install userops with all it needs there"),
    (
        "userops \\S+ on the workers, \\S+ here",
        "workers and driver differ in their userops",
        "install the same version",
    ),
    ("is not a Parquet file|CANNOT_READ_FILE_FOOTER|UNABLE_TO_INFER_SCHEMA", "it is no Parquet", "convert it first"),
    ("UNAVAILABLE|failed to connect", "the Connect server does not answer any more", None),
    ("OutOfMemory|MemoryError", "a worker ran out of memory", "give the executors more"),
)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn failures of Spark inside the block into one line about ``what``."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith(("pyspark.", "grpc")):
            raise
        raise _in_one_line(str(error), what) from None


def _in_one_line(text: str, what: str) -> InputError:
    for sign, problem, hint in _SIGNS:
        if re.search(sign, text):
            return InputError.cluster_failed("spark", f"{what}: {problem}", hint)
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return InputError.cluster_failed("spark", f"{what}: {line[:200]}", "the log of the server tells more")
