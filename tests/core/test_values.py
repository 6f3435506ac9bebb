import json

import numpy as np
import pytest
import torch

from seewhy.core.values import Array, as_value
from seewhy.errors import ConfigError


def test_an_array_is_a_plain_value():
    one, other = Array.of(np.arange(6).reshape(2, 3)), Array.of(torch.arange(6).reshape(2, 3))
    assert one == other and hash(one) == hash(other)
    assert repr(one) == "Array(2 x 3 int32)"
    assert one != Array.of(np.arange(6).reshape(3, 2))


@pytest.mark.parametrize("values", [np.array([[0.5, -1.25]]), np.array([[1, 2], [3, -4]]), np.zeros((0, 3))])
def test_it_goes_through_json(values):
    array = as_value(json.loads(json.dumps(Array.of(values).plain())))
    assert isinstance(array, Array)
    np.testing.assert_array_equal(array.numpy(), values)


def test_lists_become_tuples():
    assert as_value([1, [2, "a"]]) == (1, (2, "a"))


@pytest.mark.parametrize(
    "plain",
    [
        {"shape": [2], "kind": "int32", "data": "!"},
        {"shape": [-2], "kind": "int32", "data": ""},
        {"shape": [2], "kind": "object", "data": ""},
        {"shape": [1 << 40], "kind": "int32", "data": ""},
    ],
)
def test_what_is_no_array(plain):
    with pytest.raises(ConfigError, match="not an array"):
        as_value(plain)


def test_values_that_do_not_fill_the_shape():
    array = Array.of(np.arange(6))
    with pytest.raises(ConfigError, match="damaged"):
        Array((100,), "int32", array.data).numpy()
    with pytest.raises(ConfigError, match="damaged"):
        Array((2,), "int32", array.data).numpy()
