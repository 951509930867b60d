import os

import pytest

from lds_path.run.future_times import NAME, reset_future_times


@pytest.fixture
def results(tmp_path):
    """Folders of each depth, one from tomorrow and one from yesterday each; it is noon."""
    for depth in ("report", "tile/a", "segment/a/1-of-2"):
        for name, time in (("", 20.0), ("-old", 5.0)):
            file = tmp_path / f"{depth}{name}" / NAME
            file.parent.mkdir(parents=True)
            file.touch()
            os.utime(file, (time, time))
    return tmp_path


def test_results_from_the_future_become_those_of_now_and_others_stay(results):
    assert reset_future_times(results, now=12.0) == 3
    assert {file.stat().st_mtime for file in results.rglob(NAME)} == {12.0, 5.0}
    assert reset_future_times(results, now=12.0) == 0


def test_a_run_without_results_has_none(tmp_path):
    assert reset_future_times(tmp_path / "results", now=0.0) == 0
