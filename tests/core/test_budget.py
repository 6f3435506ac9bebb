import time

import pytest

from seewhy.core.budget import Allowance
from seewhy.errors import ConfigError


def test_forwards_are_counted():
    assert list(Allowance.of(3).spend(range(10))) == [0, 1, 2]


def test_no_limit():
    assert list(Allowance.of(None).spend(range(5))) == [0, 1, 2, 3, 4]


def test_time_ends_the_stream_and_least_is_kept():
    def slow():
        for number in range(100):
            time.sleep(0.005)
            yield number

    assert len(list(Allowance.of("0.02s").spend(slow()))) < 10
    assert len(list(Allowance.of("0.001s").spend(slow(), least=7))) == 7


@pytest.mark.parametrize(("budget", "seconds"), [("30s", 30), ("2m", 120), ("1.5 s", 1.5)])
def test_times_are_read(budget, seconds):
    assert Allowance.of(budget).seconds == seconds


@pytest.mark.parametrize("budget", [0, -1, "fast", "0s", 1.5, True, "10h"])
def test_what_is_no_budget(budget):
    with pytest.raises(ConfigError, match=r"a budget is a number of forwards such as 500, or a time such as '30s'"):
        Allowance.of(budget)
