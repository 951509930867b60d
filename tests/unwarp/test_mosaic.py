import numpy as np
import pytest

from lds_path.formats.mask import Mask
from lds_path.geometry import Frame, Region, Size
from lds_path.unwarp.canvas import canvas_of
from lds_path.unwarp.mesh import build_mesh
from lds_path.unwarp.mosaic import Mosaic

TILE = (Size(90, 60), Frame(mpp=0.5, downsample=1.0))
EVERYWHERE = Mask(np.ones((1, 1), bool), 100.0)


def mosaic_of(scores, *, starts=((0, 0),), mask=EVERYWHERE, values=(1, 2, 3), mpp=None):
    """Return regions of 60 x 60 pixels at the starts, with the same scores all over each."""
    regions = [
        Region(index, left, top, Size(60, 60), Size(1, 1))
        for index, (left, top) in enumerate(starts)
    ]

    def read_mesh(index):
        score = np.array(scores[index], np.uint8)[:, None, None]
        return build_mesh(score, np.zeros((1, 1, 2), np.float32), Size(60, 60))

    canvas = canvas_of(*TILE, mpp)
    return Mosaic(canvas, regions, read_mesh, mask, values=values, overlap=30), canvas.size


@pytest.mark.parametrize(
    ("scores", "expected"),
    [((9, 9, 3), 5), ((3, 9, 9), 2), ((1, 2, 3), 7), ((0, 0, 0), 5)],
)
def test_the_first_of_the_highest_scores_gives_the_label(scores, expected):
    mosaic, _ = mosaic_of([scores], values=(5, 2, 7))
    painted = mosaic.paint(0, 0, Size(60, 60))
    assert np.all(painted.labels == expected)
    assert painted.pixels[expected] == 3600
    assert painted.confidence_sum[expected] == 3600 * max(scores)
    assert np.all(painted.confidence == max(scores))


def test_where_no_region_or_no_tissue_lies_the_label_is_0():
    mask = Mask(np.array([[True, False]]), 20.0)
    mosaic, size = mosaic_of([(9, 1, 1)], mask=mask)
    labels = mosaic.paint(0, 0, size).labels
    assert np.all(labels[:, :20] == 1)
    assert np.all(labels[:, 20:] == 0)
    mosaic, size = mosaic_of([(9, 1, 1)])
    labels = mosaic.paint(0, 0, size).labels
    assert np.all(labels[:, :60] == 1)
    assert np.all(labels[:, 60:] == 0)


@pytest.mark.parametrize("mpp", [None, 0.8, 2.0])
def test_blocks_are_the_same_parts_of_the_whole(mpp):
    scores = [(200, 30, 20), (10, 160, 30)]
    mosaic, size = mosaic_of(scores, starts=((0, 0), (30, 0)), mpp=mpp)
    whole = mosaic.paint(0, 0, size)
    blocks = [
        mosaic.paint(left, 0, Size(min(16, size.width - left), size.height))
        for left in range(0, size.width, 16)
    ]
    np.testing.assert_array_equal(np.hstack([block.labels for block in blocks]), whole.labels)
    np.testing.assert_array_equal(sum(block.pixels for block in blocks), whole.pixels)


def test_between_two_regions_the_border_lies_where_their_weighted_scores_are_equal():
    mosaic, size = mosaic_of([(100, 0, 0), (0, 100, 0)], starts=((0, 0), (30, 0)))
    labels = mosaic.paint(0, 0, size).labels
    np.testing.assert_array_equal(labels[0], [1] * 45 + [2] * 45)


def test_confidence_is_the_mean_over_the_analysed_pixels_of_each_box():
    mask = Mask(np.array([[True, False]]), 8.0)  # edge at column 8, a quarter of a box
    mosaic, size = mosaic_of([(100, 0, 0)], mask=mask)
    assert canvas_of(*TILE, None).confidence_step == 16
    confidence = mosaic.paint(0, 0, size).confidence
    assert confidence.shape == (4, 6)
    assert np.all(confidence[:, 0] == 100)
    assert np.all(confidence[:, 1:] == 0)


@pytest.mark.parametrize("mpp", [None, 0.8])
def test_the_highest_of_the_scores_gives_the_label_and_its_sum(mpp):
    mask = Mask(np.array([[True] * 8 + [False]]), 10.0)
    scores = [(200, 30, 20), (10, 160, 30)]
    mosaic, size = mosaic_of(scores, starts=((0, 0), (30, 0)), mask=mask, mpp=mpp)
    painted, found = mosaic.paint(0, 0, size), mosaic.scores(0, 0, size)
    known = found.any(axis=2)
    np.testing.assert_array_equal(known, painted.labels > 0)
    np.testing.assert_array_equal(np.where(known, found.argmax(axis=2) + 1, 0), painted.labels)
    for value in (1, 2):
        total = found.max(axis=2)[painted.labels == value].sum()
        assert total == pytest.approx(painted.confidence_sum[value], rel=1e-6)
