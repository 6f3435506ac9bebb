import numpy as np
import pytest
from scipy.optimize import linprog

from seewhy.ops.flow import largest_flows


def test_by_pencil():
    """One layer: what reaches a node is what its pipe lets through. Two layers: 0.6 can go by way of node 0, 0.25 of node 1."""
    first = np.array([[0.6, 0.4], [0.25, 0.75]])
    assert largest_flows(np.array([1.0, 0.0]), [first], [0, 1]).tolist() == pytest.approx([0.6, 0.4])
    last = np.array([[0.7, 0.3], [0.0, 1.0]])
    # to 0: min(0.7, 0.6) + min(0.3, 0.25); to 1: min(0.7, 0.4) + min(0.3, 0.75)
    assert largest_flows(np.array([1.0, 0.0]), [first, last], [0, 1]).tolist() == pytest.approx([0.85, 0.7])


@pytest.mark.parametrize("seed", range(3))
def test_by_linear_programming(seed):
    """The same flows as variables of a linear program: one for each pipe, what comes in goes out."""
    rng, count = np.random.default_rng(seed), 4
    capacities = [rng.dirichlet(np.ones(count), size=count) for _ in range(3)]
    supply = rng.dirichlet(np.ones(count))
    found = largest_flows(supply, capacities, [0, 2])
    for sink, flow in zip((0, 2), found, strict=True):
        layers = [np.diag(supply), *reversed(capacities)]  # the first row of pipes is the supply itself
        bounds = [(0, value) for layer in layers for value in layer.ravel()]
        size = count * count
        balance = np.zeros((len(layers) * count, len(bounds)))
        for depth in range(len(layers)):
            for node in range(count):
                row = depth * count + node
                balance[row, depth * size + node : (depth + 1) * size : count] = 1  # comes in
                if depth + 1 < len(layers):
                    balance[row, (depth + 1) * size + node * count : (depth + 1) * size + (node + 1) * count] = -1
        last = (len(layers) - 1) * count
        fixed = [row for row in range(len(balance)) if row < last or row - last != sink]
        best = linprog(-balance[last + sink], A_eq=balance[fixed], b_eq=np.zeros(len(fixed)), bounds=bounds)
        assert flow == pytest.approx(-best.fun, abs=1e-6)
