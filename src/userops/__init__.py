"""Numbers of user operations (用户运营) straight from order and event files.

Each analysis is a module of its own, and modules are namespaces::

    import polars as pl
    from userops import rfm

    rfm.analyse(pl.scan_parquet("orders.parquet"))

Importing ``userops`` itself loads nothing heavy: Polars comes with the first analysis.
"""

from __future__ import annotations

__version__ = "0.1.0"
