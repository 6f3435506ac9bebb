"""The most that can flow through layers of capacities."""

from collections.abc import Sequence

import numpy as np

WHOLE = 10**8
"""Flows are counted in whole numbers, of which this many are 1."""


def largest_flows(supply: np.ndarray, capacities: Sequence[np.ndarray], sinks: Sequence[int]) -> np.ndarray:
    """Return the most that can flow from the last layer's nodes to each single node of the first.

    One such problem is solved for each sink (Dinic's algorithm, on whole numbers: each capacity is rounded to 1e-8).

    Args:
        supply: (n,) what each node above the last layer has to give, 1 in all.
        capacities: for each layer, the first one first, (n, n): how much may go from a node above it (row) to one below it (column).
        sinks: nodes below the first layer.
    """
    from scipy.sparse import csr_array  # type: ignore[import-untyped]
    from scipy.sparse.csgraph import maximum_flow  # type: ignore[import-untyped]

    count = len(supply)
    rows, columns, values = [np.zeros(count, int)], [1 + np.arange(count)], [supply]
    above, below = np.divmod(np.arange(count * count), count)
    for depth, capacity in enumerate(reversed(capacities)):
        rows.append(1 + depth * count + above)
        columns.append(1 + (depth + 1) * count + below)
        values.append(capacity.ravel())
    size = 1 + (len(capacities) + 1) * count
    whole = np.rint(np.concatenate(values) * WHOLE).astype(np.int32)
    graph = csr_array((whole, (np.concatenate(rows), np.concatenate(columns))), shape=(size, size)).tocsr()
    graph.eliminate_zeros()
    bottom = 1 + len(capacities) * count
    found = [maximum_flow(graph, 0, bottom + int(sink)).flow_value for sink in sinks]
    return np.asarray(found) / WHOLE
