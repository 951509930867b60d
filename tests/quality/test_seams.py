"""Overlaps are those of neighbours, and pixels near borders are counted."""

import numpy as np

from lds_path.geometry import Rectangle, Region, Size
from lds_path.quality.seams import count_near_borders, find_overlaps


def region(index, left, top):
    return Region(index, left, top, Size(100, 100), Size(8, 8))


def test_each_pair_of_neighbours_overlaps_once():
    regions = [region(0, 0, 0), region(1, 80, 0), region(2, 0, 80), region(3, 240, 80)]
    found = [
        (overlap.first.index, overlap.second.index, overlap.upright)
        for overlap in find_overlaps(regions)
    ]
    assert found == [(0, 1, True), (0, 2, False)]


def test_an_overlap_is_what_both_regions_cover():
    upright, level = find_overlaps([region(0, 0, 0), region(1, 80, 0), region(2, 0, 90)])
    assert upright.rectangle == Rectangle(80, 0, Size(20, 100))
    assert level.rectangle == Rectangle(0, 90, Size(100, 10))


def test_pixels_near_a_border_are_counted_on_both_its_sides():
    labels = np.ones((4, 30), np.uint8)
    labels[:, 15:] = 2
    assert count_near_borders(labels, 3).tolist() == [4 * 6, 4 * 30]


def test_the_border_of_the_tissue_is_no_border_of_labels():
    labels = np.ones((10, 30), np.uint8)
    labels[:, 12:18] = 0
    assert count_near_borders(labels, 3).tolist() == [0, 240]
