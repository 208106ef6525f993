"""Clusters of users by k-means on log-scaled recency, frequency and monetary value.

Exploratory: cluster borders move when the data does. Deterministic all the same: fixed seed, one thread, users in the
order they are given, clusters numbered from the highest mean value down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def clusters(features: NDArray[np.float64], k: int, *, seed: int = 0) -> NDArray[np.int64]:
    """The cluster of each row, 0 for the one of highest mean in the last column.

    ``features``: (users, 3), recency in days, orders, monetary; each is moved to start at 0, log1p-scaled and
    standardised. (Clusters of RFM values: Chen, Sain & Guo 2012, on UCI Online Retail.) ``k`` at most the number of distinct
    rows; fewer clusters come back when the data holds fewer distinct points.
    """
    import numpy as np
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    moved = np.log1p(features - np.minimum(features.min(axis=0), 0))
    spread = moved.std(axis=0)
    standard = (moved - moved.mean(axis=0)) / np.where(spread > 0, spread, 1)
    distinct = len(np.unique(standard, axis=0))
    with threadpool_limits(limits=1):
        label = KMeans(n_clusters=min(k, distinct), n_init=10, random_state=seed).fit_predict(standard)
    value = np.array([features[label == i, -1].mean() for i in range(label.max() + 1)])
    rank = np.empty(len(value), dtype=np.int64)
    rank[np.argsort(-value, kind="stable")] = np.arange(len(value))
    ranked: NDArray[np.int64] = rank[label]
    return ranked
