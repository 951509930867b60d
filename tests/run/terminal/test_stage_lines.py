"""A line says how many slides a stage has behind it and how long the rest will take."""

import pytest

from lds_path.run.terminal.stage_lines import StageLines, in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (62, "62 s"), (100, "2 min"), (119 * 60, "119 min"), (9000, "2.5 h")],
)
def test_times_are_said_as_people_say_them(seconds, words):
    assert in_words(seconds) == words


def test_a_line_counts_the_jobs_of_its_stage_and_says_what_is_left():
    lines = StageLines({"tile": 2, "segment": 2})
    assert lines.end("tile", "a", seconds=10, elapsed=10) == "[1/2] a tiled, about 30 s left"
    assert lines.end("segment", "a", seconds=50, elapsed=60) == (
        "[1/2] a segmented, about 60 s left"
    )


def test_jobs_that_ran_at_once_leave_less_time():
    lines = StageLines({"tile": 4})
    lines.end("tile", "a", seconds=10, elapsed=10)
    assert lines.end("tile", "b", seconds=10, elapsed=10).endswith("about 10 s left")


def test_the_last_job_leaves_nothing():
    assert StageLines({"report": 1}).end("report", "", seconds=2, elapsed=2) == (
        "[1/1] report written"
    )
