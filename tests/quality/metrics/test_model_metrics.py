from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stage_results import segment_results

from lds_path.classes import LabelClass
from lds_path.formats.results import ModelSummary
from lds_path.formats.spread import measure_spread
from lds_path.quality.metrics.model_metrics import model_metrics

CLASSES = (LabelClass(1, "Stroma", (1, 2, 3)),)
COLOURS = np.random.default_rng(0).normal(0.3, 0.05, (200, 6))


def measure(*shards, colours=COLOURS):
    return {name: metric.value for name, metric in model_metrics(shards, colours).items()}


def shard(patches=16, unlike=0, **about):
    known = {"description": "", "tune_dice": {"Stroma": 0.9}} | about
    return replace(
        segment_results(CLASSES),
        about=ModelSummary(**known),
        patches=patches,
        unlike_patches=unlike,
    )


def test_results_of_an_older_version_have_no_such_metrics():
    assert measure(segment_results(CLASSES)) == {}


@pytest.mark.parametrize(
    ("dice", "lowest"),
    [({"a": 0.9, "b": 0.4, "c": None}, 0.4), ({}, None), ({"a": None}, None)],
)
def test_a_model_is_as_good_as_its_worst_class(dice, lowest):
    assert measure(shard(tune_dice=dice))["tune_dice"] == lowest


def test_colours_are_compared_with_those_of_the_training():
    known = shard(colours=measure_spread(COLOURS, COLOURS))
    assert measure(known)["unlike_stain_percent"] <= 1
    half = np.concatenate([COLOURS, COLOURS + 1])
    assert measure(known, colours=half)["unlike_stain_percent"] == pytest.approx(50, abs=1)
    assert measure(known, colours=COLOURS[:0])["unlike_stain_percent"] is None
    assert measure(shard())["unlike_stain_percent"] is None


def test_patches_of_all_shards_count_and_an_empty_shard_changes_nothing():
    found = measure(shard(64, 16), shard(0, 0), shard(16, 4))
    assert found["unlike_tissue_percent"] == 25
    assert measure(shard(None, None))["unlike_tissue_percent"] is None
