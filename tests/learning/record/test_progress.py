from __future__ import annotations

import logging
from pathlib import Path

import pytest

from lds_path.learning.record.progress import Progress, last_lines


class Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records]


def test_a_line_a_minute_says_how_far_and_how_good(lines):
    clock = Clock()
    progress = Progress(("Stroma", "Tumor"), 100, done=40, clock=clock)
    for step in range(41, 61):
        clock.seconds += 10
        dice = (0.75, None) if step == 45 else ()
        progress.add(step, 1.0 if step < 47 else 0.5, dice, (0.75, 45))
    assert len(lines()) == 3
    assert lines()[0] == (
        "train: step 46 of 100, loss 1.000; tune Dice after step 45: Stroma 0.750, Tumor not"
        " measured, mean 0.750 at best (step 45); about 9 min left"
    )
    assert lines()[1].startswith("train: step 52 of 100, loss 0.500;")


def test_without_a_score_a_line_says_no_more_than_the_loss(lines):
    clock = Clock()
    progress = Progress(("Stroma",), 10, clock=clock)
    clock.seconds = 61
    progress.add(1, 0.25, (), (0.0, 0))
    assert lines() == ["train: step 1 of 10, loss 0.250; about 9 min left"]


RESULTS = {
    "steps": 300,
    "best_step": 200,
    "tune_regions": 5,
    "start_dice": {},
    "tune_dice": {"Stroma": 0.9, "Tumor": 0.5},
    "warnings": ["Only 3 regions have labels to learn from: annotate more tissue."],
}


def test_the_last_lines_name_scores_warnings_folder_and_command():
    lines = last_lines(Path("results/my train"), RESULTS)
    assert lines[0].endswith("the weights of step 200, tune Dice Stroma 0.900, Tumor 0.500")
    assert lines[1] == f"train: warning: {RESULTS['warnings'][0]}"
    assert lines[2].startswith("train: results/my train/index.html shows")
    assert lines[-1] == "  snakemake --cores all --config model='results/my train' slides=SHEET"


def test_the_last_lines_say_what_was_gained_for_classes_that_the_model_before_had():
    before = {"Stroma": 0.8125, "Tumor": None}
    line = last_lines(Path("train"), RESULTS | {"start_dice": before})[0]
    assert line.endswith("tune Dice before and after: Stroma 0.812 -> 0.900, Tumor 0.500")


def test_the_last_lines_say_that_nothing_was_measured():
    results = RESULTS | {"tune_regions": 0, "tune_dice": {"Stroma": None, "Tumor": None}}
    assert "its Dice was not measured" in last_lines(Path("train"), results)[0]
    assert "gained" not in last_lines(Path("train"), results)[0]
    results |= {"start_dice": {"Stroma": None, "Tumor": None}}
    line = last_lines(Path("train"), results)[0]
    assert line.endswith("what it gained over the model that it started from is not known")
