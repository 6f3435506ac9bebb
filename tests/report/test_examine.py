"""What a report says about its cost is what was spent."""

import pytest

import seewhy
from seewhy.data.picture import sample
from seewhy.report.examine import Examination, ask, examine
from seewhy.targets import ClassScore


@pytest.mark.parametrize("key", ["grad-cam", "eigen-cam", "finer-cam", "cam", "saliency"])
@pytest.mark.parametrize("hide_test", [False, True])
def test_the_whole_cost_is_counted(cnn, photo, key, hide_test):
    model = seewhy.Model(cnn, size=16, mean=0.5, std=0.5)
    session = seewhy.Session(model)
    asked = ask(session, sample(photo, model), ClassScore(), seewhy.method(key), Examination(hide_test=hide_test))
    report = examine(asked)
    assert report.cost[0] == f"map: {asked.explanation.cost}"
    assert report.cost[-1] == f"in all, with other classes and channels: {session.cost}"
    forwards = 9 if report.hide_test else 0
    assert session.cost.forwards == asked.explanation.cost.forwards + forwards


def test_a_second_photo_is_not_charged_for_the_first(cnn, photo):
    model = seewhy.Model(cnn, size=16, mean=0.5, std=0.5)
    session = seewhy.Session(model)
    reports = [examine(ask(session, sample(photo, model), ClassScore(), seewhy.method("grad-cam"))) for _ in range(2)]
    assert reports[0].cost == reports[1].cost
