"""The settings of the study fit the code, and its tables say what the jobs found."""

from __future__ import annotations

import numpy as np
import paired
import pytest
import run
import tables
import yaml
from sets import STUDY, class_names, read_layouts

from lds_path.geometry import Region
from lds_path.network.spec import check_sizes
from lds_path.option import make_options
from lds_path.options.model import TrainOptions

SETTINGS = yaml.safe_load(STUDY.read_text(encoding="utf-8"))
JOBS = [
    (name, variant)
    for name, one in SETTINGS["sets"].items()
    for variant in one["headline"] + one["ablations"]
]


@pytest.mark.parametrize(("name", "variant"), JOBS)
def test_every_job_of_the_study_has_settings_that_a_training_takes(name, variant):
    layout, settings, _ = run.read_variant(name, variant)
    options = make_options(TrainOptions(), settings).for_classes(len(class_names(name)))
    one = read_layouts(name)[layout]
    check_sizes([Region(0, 0, 0, one.region, one.lattice)], options.network)
    assert set(one.budgets) <= set(
        range(min(options.network.ladder, default=0), 1 + max(options.network.ladder, default=0))
    )


def record(variant, layout, seed, *scores):
    return {
        "set": "glomeruli",
        "variant": variant,
        "layout": layout,
        "seed": seed,
        "classes": ["Other", "Glomerulus"],
        "scores": [
            {
                "budget": budget,
                "samples": samples,
                "iou": [iou, iou],
                "ceiling_iou": [0.9, 0.9],
            }
            for budget, samples, iou in scores
        ],
    }


def timed(variant, budget, seconds):
    return {"variant": variant, "budget": budget, "plan": 0.25, "segment": seconds, "stitch": 0.25}


def test_the_tables_compare_rows_of_as_many_samples_with_the_uniform_one_over_all_seeds():
    both = ("uniform", 1000, 0.55), ("32", 990, 0.6), ("64", 3900, 0.8)
    records = [
        record("uniform", "whole", 1, ("uniform", 1000, 0.5)),
        record("uniform", "whole", 2, ("uniform", 1000, 0.6)),
        record("uniform-fine", "fine", 1, ("uniform", 4000, 0.7)),
        record("allocation-and-warp", "parts", 1, *both),
        record("edge-oracle", "whole", 1, ("uniform", 1000, 0.9)),
    ]
    times = [
        timed("uniform", "uniform", 0.5),
        timed("uniform-fine", "uniform", 1.5),
        timed("allocation-and-warp", "32", 1.0),
        timed("allocation-and-warp", "64", 2.0),
    ]
    rows = tables.read_rows(records, times, ablations=["edge-oracle"])
    text = tables.table("glomeruli", "Tiles.", rows, ["Other", "Glomerulus"])
    few, many, ablations = text.split("\n\n| variant")[1:]
    assert "| allocation-and-warp | 990 | 1.500 | 0.600 | 0.600 | +5.0 | 0.625 |" in few
    assert "| allocation-and-warp, equal lattices | 1000 |  | 0.550 | 0.550 | +0.0 |  |" in few
    assert "| uniform | 1000 | 1.000 | 0.550 | 0.500 0.600 |  |  |" in few
    assert "| allocation-and-warp | 3900 | 2.500 | 0.800 | 0.800 | +10.0 | 0.700 |" in many
    assert "| edge-oracle | 1000 |  | 0.900 | 0.900 | +35.0 |  |" in ablations


def test_a_record_replaces_its_like_and_others_stay(tmp_path):
    path = tmp_path / "study.jsonl"
    first = [record("uniform", "whole", seed, ("uniform", 1, 0.5)) for seed in (2, 1)]
    assert tables.remember(path, first) == first[::-1]
    again = record("uniform", "whole", 1, ("uniform", 1, 0.7))
    ceilings, times = ({"set": "glomeruli", kind: []} for kind in ("ceilings", "times"))
    found = tables.remember(path, [again, times, ceilings])
    assert found == [ceilings, times, again, first[0]]
    assert len(path.read_text().splitlines()) == 4


def slides_with(*right):
    """Return the confusions of slides of two classes of 100 pixels each, of which so many are right."""
    return np.array([[[[0, 0, 0], [0, n, 100 - n], [0, 100 - n, n]] for n in right]])


def test_the_interval_of_a_gain_is_over_slides_that_both_ways_share():
    """Slides differ by more than the ways do, but every one gains."""
    uniform, found = slides_with(50, 60, 80, 90), slides_with(55, 64, 85, 93)
    low, high = paired.gain_interval(found, uniform)
    assert 0.03 < low < high < 0.08
    assert paired.gain_interval(found, found) == (0, 0)
    assert paired.gain_interval(found[:, :1], uniform[:, :1]) is None


def test_the_tables_give_the_interval_where_scores_of_each_slide_were_kept():
    records = [record(*row) for row in (
        ("uniform", "whole", 1, ("uniform", 1000, 0.5)), ("warp", "whole", 1, ("uniform", 1000, 0.6)),
    )]  # fmt: skip
    for one, right in zip(records, ((50, 60), (55, 66)), strict=True):
        one["scores"][0]["confusions"] = dict(
            zip("ab", slides_with(*right)[0].tolist(), strict=True)
        )
    rows = tables.read_rows(records, [], ablations=[])
    text = tables.table("glomeruli", "Tiles.", rows, ["Other", "Glomerulus"])
    assert "| +10.0 (+4.6 to +6.4) |" in text
