"""Crops show what their titles say and lie apart."""

import itertools

import numpy as np
import pytest

from lds_path.classes import LabelClass
from lds_path.geometry import Size
from lds_path.quality.crops import choose_crops
from lds_path.quality.picture_scale import PictureScale

CLASSES = tuple(LabelClass(value, f"C{value}", (value, 0, 0)) for value in range(1, 8))
SCALE = PictureScale(Size(400, 300), 4.0, 8.0)  # a crop has 32 pixels
FAR = 16


def choose(labels, confidence=None, worst_seam=None):
    confidence = np.full(labels.shape, 0.9, np.float32) if confidence is None else confidence
    return choose_crops(SCALE, labels > 0, labels, confidence, CLASSES, worst_seam)


def test_a_typical_crop_lies_in_its_class():
    labels = np.ones((300, 400), np.uint8)
    labels[100:200, 100:200] = 3
    crops = choose(labels)
    assert [crop.title for crop in crops[:2]] == ["Typical C1", "Typical C3"]
    assert labels[int(crops[1].y / 4), int(crops[1].x / 4)] == 3


def test_the_least_confident_crop_is_found():
    labels = np.ones((300, 400), np.uint8)
    confidence = np.full(labels.shape, 0.9, np.float32)
    confidence[40:80, 300:340] = 0.3
    crop = next(crop for crop in choose(labels, confidence) if crop.title == "Least confident")
    assert crop.x / 4 == pytest.approx(320, abs=6)
    assert crop.y / 4 == pytest.approx(60, abs=6)


def test_there_are_six_crops_apart_from_each_other():
    labels = (np.indices((300, 400)).sum(axis=0) // 60 % 7 + 1).astype(np.uint8)
    crops = choose(labels, worst_seam=(100.0, 100.0))
    assert len(crops) == 6
    assert crops[4].title == "Where regions agree least"
    for one, other in itertools.combinations(crops, 2):
        if "Where regions agree least" not in (one.title, other.title):
            assert max(abs(one.x - other.x), abs(one.y - other.y)) / 4 >= FAR


def test_without_tissue_there_is_nothing_to_show():
    assert choose(np.zeros((300, 400), np.uint8)) == []
