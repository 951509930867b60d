"""Distributions name their outliers and draw each slide once."""

from lds_path.reporting.distributions import WIDTH, distribute, find_outliers

VALUES = {f"s{index}": float(index % 5) for index in range(20)}


def test_a_slide_beyond_the_fences_is_an_outlier():
    assert find_outliers(VALUES) == set()
    assert find_outliers({**VALUES, "far": 40.0}) == {"far"}


def test_of_few_slides_none_is_an_outlier():
    assert find_outliers({"a": 1.0, "b": 1.0, "c": 1.0, "d": 99.0}) == set()


def test_every_slide_is_drawn_once_within_the_drawing():
    found = distribute(VALUES, {})
    (row,) = found.rows
    assert sorted(dot.slide for dot in row.dots) == sorted(VALUES)
    assert all(0 < dot.x < WIDTH and 0 < dot.y < found.height for dot in row.dots)
    assert found.median == 2


def test_positions_follow_values():
    (row,) = distribute(VALUES, {}).rows
    ordered = sorted(row.dots, key=lambda dot: dot.value)
    assert [dot.x for dot in ordered] == sorted(dot.x for dot in row.dots)


def test_each_batch_has_a_row_and_outliers_are_named_in_order():
    values = {**VALUES, "high": 50.0, "low": -50.0}
    batches = {slide: "A" if slide in ("s1", "high") else "B" for slide in values}
    found = distribute(values, batches)
    assert [row.name for row in found.rows] == ["A", "B"]
    assert [len(row.dots) for row in found.rows] == [2, 20]
    assert [dot.slide for dot in found.outliers] == ["low", "high"]


def test_a_constant_metric_is_drawn_in_the_middle():
    (row,) = distribute({"a": 3.0, "b": 3.0}, {}).rows
    assert {dot.x for dot in row.dots} == {WIDTH / 2}
    assert distribute({}, {}) is None
