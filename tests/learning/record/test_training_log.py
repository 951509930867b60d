from __future__ import annotations

import pandas as pd
from PIL import Image

from lds_path.learning.record.training_log import TrainingLog


def test_each_step_is_a_row_and_dice_stands_where_it_was_measured(tmp_path):
    with TrainingLog(tmp_path, ("Stroma", "Tumor")) as record:
        record.add(1, (1.5, 0.25, 0.0))
        record.add(2, (1.25, 0.5, 0.125), (0.5, float("nan")))
        # Written as it goes, so that a training can be watched.
        assert len((tmp_path / "training.tsv").read_text().splitlines()) == 3
    table = pd.read_csv(tmp_path / "training.tsv", sep="\t")
    assert table["step"].tolist() == [1, 2]
    assert table["segmentation_loss"].tolist() == [1.5, 1.25]
    assert table["benefit_loss"].tolist() == [0, 0.125]
    assert table["tune_dice_Stroma"].fillna(-1).tolist() == [-1, 0.5]
    assert table["tune_dice_Tumor"].isna().all()
    with Image.open(tmp_path / "curve.png") as image:
        assert image.size[0] > 400


def test_the_curve_is_drawn_without_any_dice(tmp_path):
    with TrainingLog(tmp_path, ("Stroma",)) as record:
        record.add(1, (1.5, 0.25, 0.0))
    assert (tmp_path / "curve.png").is_file()


def test_the_curve_is_drawn_again_only_if_something_came_after_it(tmp_path, monkeypatch):
    drawn = []
    draw = TrainingLog.draw
    monkeypatch.setattr(
        TrainingLog, "draw", lambda record: drawn.append(len(record.rows)) or draw(record)
    )
    with TrainingLog(tmp_path, ("Stroma",)) as record:
        record.add(1, (1.5, 0.25, 0.0))
        record.draw()
    with TrainingLog(tmp_path, ("Stroma",), record.rows) as record:
        record.draw()
        record.add(2, (1.25, 0.5, 0.0))
    assert drawn == [1, 1, 2]
