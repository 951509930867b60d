import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lds_path.scores import count_confusion, dice, iou

images = arrays(np.uint8, (6, 7), elements=st.integers(0, 3))


def paint(rows):
    return np.array(rows, np.uint8)


@given(images, images)
def test_confusion_counts_every_pixel_once(reference, predicted):
    counts = count_confusion(reference, predicted, 3)
    assert counts.shape == (4, 4)
    for value in range(4):
        assert counts[value].sum() == np.count_nonzero(reference == value)
        assert counts[:, value].sum() == np.count_nonzero(predicted == value)


@given(images)
def test_an_image_agrees_with_itself(image):
    counts = count_confusion(image, image, 3)
    expected = [1.0 if (image == value).any() else None for value in (1, 2, 3)]
    assert dice(counts) == expected
    assert iou(counts) == expected


@given(images, images)
def test_dice_and_iou_are_symmetric_and_follow_from_each_other(reference, predicted):
    counts = count_confusion(reference, predicted, 3)
    assert dice(counts) == dice(counts.T)
    for one, other in zip(dice(counts), iou(counts), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert one == pytest.approx(2 * other / (1 + other))


def test_the_parts_of_an_image_add_up():
    reference, predicted = np.random.default_rng(0).integers(0, 4, (2, 20, 30), np.uint8)
    parts = sum(count_confusion(reference[:, i::3], predicted[:, i::3], 3) for i in range(3))
    np.testing.assert_array_equal(parts, count_confusion(reference, predicted, 3))


def test_a_half_found_class_scores_two_thirds_and_one_half():
    counts = count_confusion(paint([[1, 1, 0, 0]]), paint([[1, 0, 0, 0]]), 1)
    assert dice(counts) == [pytest.approx(2 / 3)]
    assert iou(counts) == [0.5]


def test_a_class_predicted_on_background_is_wrong():
    counts = count_confusion(paint([[1, 0, 0, 0]]), paint([[1, 1, 1, 2]]), 2)
    assert dice(counts) == [pytest.approx(0.5), 0]
