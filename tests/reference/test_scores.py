from __future__ import annotations

import math

import numpy as np
import pytest

from lds_path.reference.scores import (
    count_boundary,
    count_confusion,
    near_boundary,
    overlap_of,
)


def make_labels(seed, shape=(30, 40), count=3):
    return np.random.default_rng(seed).integers(0, count + 1, shape).astype(np.uint8)


def test_the_confusion_counts_pairs_of_values():
    reference, predicted = make_labels(0), make_labels(1)
    confusion = count_confusion(reference, predicted, 3)
    assert confusion.shape == (4, 4)
    for i in range(4):
        for j in range(4):
            assert confusion[i, j] == np.count_nonzero((reference == i) & (predicted == j))


@pytest.mark.parametrize("value", [4, 255])
def test_a_value_that_is_no_class_is_an_error_on_either_side(value):
    labels, wrong = make_labels(0), make_labels(1)
    wrong[-1, -1] = value
    for pair in ((labels, wrong), (wrong, labels)):
        with pytest.raises(ValueError, match="values beyond those of 3 classes"):
            count_confusion(*pair, 3)


def test_equal_images_agree_entirely():
    labels = make_labels(0)
    overlap = overlap_of(count_confusion(labels, labels, 3))
    assert overlap.dice().tolist() == overlap.iou().tolist() == [1, 1, 1]


def test_a_class_in_neither_image_has_no_score():
    labels = make_labels(0, count=2)
    overlap = overlap_of(count_confusion(labels, labels, 3))
    assert math.isnan(overlap.dice()[2])
    assert math.isnan(overlap.iou()[2])


def test_a_class_missing_on_one_side_has_the_score_zero():
    none, some = np.zeros((4, 4), np.uint8), np.ones((4, 4), np.uint8)
    for pair in ((none, some), (some, none)):
        assert overlap_of(count_confusion(*pair, 1)).dice().tolist() == [0]


def test_dice_and_iou_are_those_of_the_sets():
    reference, predicted = make_labels(2), make_labels(3)
    overlap = overlap_of(count_confusion(reference, predicted, 3))
    for value in (1, 2, 3):
        ours, theirs = reference == value, predicted == value
        both, either = (ours & theirs).sum(), (ours | theirs).sum()
        assert overlap.iou()[value - 1] == both / either
        assert overlap.dice()[value - 1] == 2 * both / (ours.sum() + theirs.sum())


def test_the_band_is_what_erosion_takes_away():
    labels = np.zeros((20, 20), np.uint8)
    labels[5:15, 5:15] = 2
    band = near_boundary(labels, np.ones_like(labels, bool), 2)
    inside = np.zeros((20, 20), bool)
    inside[7:13, 7:13] = True
    np.testing.assert_array_equal(band & (labels == 2), (labels == 2) & ~inside)
    outside = np.ones((20, 20), bool)
    outside[3:17, 3:17] = False
    np.testing.assert_array_equal(band & (labels == 0), (labels == 0) & ~outside)


def test_what_is_not_scored_makes_no_boundary():
    labels = np.ones((9, 9), np.uint8)
    labels[:, 4:] = 255
    assert not near_boundary(labels, labels == 1, 2).any()


def test_the_edges_of_the_slide_make_no_boundary():
    assert not near_boundary(np.ones((9, 9), np.uint8), np.ones((9, 9), bool), 3).any()


def test_an_outline_that_is_off_by_the_band_shares_nothing_of_it():
    ours, theirs = np.zeros((2, 40, 40), np.uint8)
    ours[10:30, 10:30] = 1
    theirs[14:26, 14:26] = 1
    everywhere = np.ones((40, 40), bool)
    bands = (near_boundary(ours, everywhere, 4), near_boundary(theirs, everywhere, 4))
    assert count_boundary(ours, theirs, bands, 1).iou().tolist() == [0]
    same = count_boundary(ours, ours, (bands[0], bands[0]), 1)
    assert same.iou().tolist() == [1]
