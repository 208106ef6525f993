"""Numbers of user operations (用户运营) straight from order and event files.

Each analysis is a module of its own, and modules are namespaces::

    import polars as pl
    from userops import rfm

    rfm.analyse(pl.scan_parquet("orders.parquet"))

Importing ``userops`` itself loads nothing heavy: Polars comes with the first analysis.
"""

from __future__ import annotations

import os

# Polars' allocator, read when Polars is loaded: memory that one table leaves serves the next instead of going back to
# the system and being asked for again, which is a tenth of the work on large files.
_ARENAS = max(1, (os.cpu_count() or 1) // 4)
os.environ.setdefault("_RJEM_MALLOC_CONF", f"narenas:{_ARENAS},oversize_threshold:0,dirty_decay_ms:2000")

__version__ = "0.1.0"
