from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_slides import make_card

from lds_path.geometry import Size
from lds_path.learning.data.labelled_regions import LabelledRegion
from lds_path.learning.data.training_set import TrainingSet
from lds_path.learning.record.doubts import FEW_REGIONS, doubt_distance, find_doubts
from lds_path.network.spec import NetworkSpec

CLASSES = ("Stroma", "Tumor")


def make_set(slides, counts=(1, 1), regions=FEW_REGIONS):
    """Return a set with regions of each slide; `counts` may say which classes each slide has."""
    rows = np.broadcast_to(counts, (len(slides), 2)) if slides else np.zeros((0, 2))
    made = [LabelledRegion(slide, None, None, None) for slide in slides for _ in range(regions)]
    return TrainingSet(made, np.repeat(rows, regions, axis=0).astype(np.int64))


def doubts_of(train, tune, patients=(2, 2)):
    summaries = {name: {"patients": n} for name, n in zip(("train", "tune"), patients, strict=True)}
    return find_doubts(train, tune, summaries, CLASSES)


GOOD = make_set(["a", "b"])


def test_good_slides_raise_no_doubt():
    assert doubts_of(GOOD, GOOD) == []


@pytest.mark.parametrize(
    ("train", "tune", "patients", "words"),
    [
        (make_set(["a", "b"], regions=2), GOOD, (2, 2), "Only 4 regions have labels"),
        (GOOD, GOOD, (1, 2), "All slides to learn from are of one patient"),
        (GOOD, GOOD, (2, 1), "The scores are those of one patient"),
        (GOOD, make_set([]), (2, 0), "No slide of the split tune has labels"),
        (make_set(["a", "b"], [[1, 1], [1, 0]]), GOOD, (2, 2), "Tumor is labelled in one slide"),
        (GOOD, make_set(["c", "d"], (1, 0)), (2, 2), "No slide of the split tune holds Tumor"),
    ],
)
def test_what_the_slides_lack_is_said(train, tune, patients, words):
    doubts = doubts_of(train, tune, patients)
    assert len(doubts) == 1
    assert doubts[0].startswith(words)


def card_of(lattice, **network):
    settings = {"sampler": "uniform", "shared_features": False} | network
    card = make_card(NetworkSpec(class_count=2, **settings))
    return replace(card, region_size=Size(2048, 2048), lattice=Size(lattice, lattice))


def test_samples_far_apart_that_are_placed_or_carry_texture_are_doubted():
    """2048 pixels of 0.5 um with 128 samples are 8 um apart."""
    for network in ({"texture": True}, {"sampler": "knothe-rosenblatt"}):
        (doubt,) = doubt_distance(card_of(128, **network))
        assert doubt.startswith("Samples lie 8 um apart.")
        assert "lattice: 256" in doubt


@pytest.mark.parametrize(
    "card",
    [
        card_of(128),
        card_of(256, texture=True, sampler="knothe-rosenblatt"),
        card_of(128, sampler="knothe-rosenblatt", ladder=(64, 128)),
    ],
    ids=["uniform", "close", "ladder"],
)
def test_uniform_or_close_samples_and_ladders_are_not_doubted(card):
    assert doubt_distance(card) == []
