"""What is said of a student, and how its frontier is drawn: against pencil and paper."""

import pytest

from seewhy.contributions.table import Estimate
from seewhy.report.student_chart import across, frontier_chart
from seewhy.report.student_comparison import Compared, comparison_csv
from seewhy.surrogates import words
from seewhy.surrogates.frontier import Frontier, Point


def point(size: float, fidelity: float, control: float, spread: float = 0.02) -> Point:
    gap = fidelity - control
    return Point(size, fidelity, fidelity, None, control, Estimate(gap, gap - spread, gap + spread))


def frontier(*points: Point, unit: str = "non-zeros per class", chosen: int = 0) -> Frontier:
    return Frontier(unit, points, chosen, Estimate(0.1, 0.05, 0.15), 3)


def test_the_margin_is_that_at_three_non_zeros_and_of_other_kinds_at_the_chosen_size():
    points = (point(1, 0.5, 0.4), point(2.9, 0.7, 0.6), point(4, 0.9, 0.8))
    assert words.margin(frontier(*points, chosen=2)) is points[1]
    assert words.margin(frontier(*points, unit="leaves", chosen=2)) is points[2]
    assert words.margin(frontier(point(4, 0.9, 0.8))) is None


@pytest.mark.parametrize(
    ("fidelity", "control", "outcome", "told"),
    [
        (0.9, 0.8, "passes", "reach a fidelity of 90 %, random directions 80 %: +10.0 points"),
        (0.8, 0.79, "unclear", "not shown to beat random directions"),
        (0.7, 0.8, "fails", "random directions (fidelity 80 %) do better than concepts (70 %): -10.0 points"),
    ],
)
def test_the_verdict_goes_by_the_interval(fidelity, control, outcome, told):
    found, sentence = words.verdict(frontier(point(3, fidelity, control)), "concepts")
    assert found == outcome
    assert told in sentence
    assert sentence.startswith("At 3 non-zeros per class")


def test_one_is_counted_in_the_singular():
    assert words.counted(1, "prototypes per class") == "1 prototype per class"
    assert words.counted(1, "leaves") == "1 leaf"
    assert words.counted(2.5, "leaves") == "2.5 leaves"
    assert words.counted(4, "depth") == "depth 4"
    assert words.counted(3.41, "mean path length") == "mean path length 3.41"
    assert words.article("sum of small trees") == "a sum of small trees"
    assert words.article("prototypes") == "prototypes"
    assert words.article("additive model") == "an additive model"


def test_sizes_that_range_far_are_placed_by_factors():
    assert across([1, 2, 4, 8]) == [0, 33.33, 66.67, 100]
    assert across([2, 3, 4]) == [0, 50, 100]
    assert across([5]) == [50]


def test_the_chart_holds_the_points_and_marks_the_chosen_one():
    chart = frontier_chart(
        frontier(point(1, 0.5, 0.5), point(2, 0.75, 0.5), point(4, 1.0, 0.5), point(8, 1.0, 0.5), chosen=2)
    )
    assert chart["dots"] == [(0, 100), (33.33, 50), (66.67, 0), (100, 0)]
    assert chart["chosen"]["x"] == 66.67
    assert chart["chosen"]["text"] == "chosen: 4"
    assert chart["at"] == 2
    assert [row[0] for row in chart["rows"]] == ["1", "2", "4", "8"]


def test_the_table_leaves_open_what_is_not_known():
    whole = Estimate(1.0, 1.0, 1.0)
    made = Compared("network", "the network", whole, None, None, float("nan"), "7 parameters")
    header, row = comparison_csv([made]).splitlines()
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    assert cells["fidelity"] == "1.0"
    assert cells["accuracy"] == cells["r2"] == cells["random"] == cells["seconds"] == ""
    assert cells["size"] == "7 parameters"
