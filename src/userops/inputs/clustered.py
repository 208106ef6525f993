"""Tables that lie on a cluster: what they look like is asked there, no row is read here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from userops.errors import InputError
from userops.inputs.raw import HEAD_ROWS, RawTable

if TYPE_CHECKING:
    from userops.cluster import Cluster


def cluster_tables(names: Sequence[str], cluster: Cluster) -> list[RawTable]:
    """The tables behind paths of Parquet files, or names of tables, as the cluster sees them.

    Raises InputError for what it does not know, what is empty, and what is no Parquet.
    """
    return [_opened(name, cluster) for name in names]


def _opened(name: str, cluster: Cluster) -> RawTable:
    table = cluster.open(name, HEAD_ROWS)
    if not table.size or not table.head.width:
        raise InputError.empty(name)
    return RawTable(
        name=name,
        rows=table.rows,
        schema=dict(table.head.schema),
        head=table.head,
        format="parquet",
        textual=False,
        headerless=False,
        notes=(),
        dropped={},
        dropped_rows=None,
        size=table.size,
    )
