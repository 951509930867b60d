import numpy as np
import pytest

from lds_path.geometry import Size
from lds_path.pixels.synthetic import CLASSES, paint_slide


@pytest.fixture(scope="module")
def painted():
    return paint_slide(5, Size(3000, 2500))


def test_the_labels_hold_glass_and_every_class(painted):
    assert set(np.unique(painted.labels)) == set(range(len(CLASSES) + 1))


def test_strips_make_up_the_slide(painted):
    strips = list(painted.strips())
    assert sum(strip.shape[0] for strip in strips) == painted.size.height
    assert all(strip.shape[1:] == (painted.size.width, 3) for strip in strips)


def test_the_same_seed_paints_the_same_slide_and_another_another():
    def paint(seed):
        return next(paint_slide(seed, Size(600, 512)).strips())

    np.testing.assert_array_equal(paint(1), paint(1))
    assert (paint(1) != paint(2)).any()


def test_structures_can_be_kept_to_a_part_of_the_slide():
    size = Size(6000, 6000)
    everywhere, part = (paint_slide(5, size, structured=share).labels > 1 for share in (1.0, 0.1))
    rows, columns = np.nonzero(part)
    margin = 600 / 0.5  # structures are up to about 600 um wide and lie about their place
    low, high = 3000 - 950 - margin, 3000 + 950 + margin
    assert rows.size > 0
    assert min(rows.min(), columns.min()) >= low
    assert max(rows.max(), columns.max()) <= high
    assert part.mean() < 0.3 * everywhere.mean()


def test_glass_is_bright_and_tissue_is_stained(painted):
    rgb = np.concatenate(list(painted.strips()))
    brightness = rgb.mean(-1)
    assert brightness[painted.labels == 0].mean() > 235
    for value in range(1, len(CLASSES) + 1):
        assert brightness[painted.labels == value].mean() < 215
