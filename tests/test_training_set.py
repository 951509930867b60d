from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_slides import CLASSES, make_slide

from lds_path.errors import TrainingError
from lds_path.geometry import Size
from lds_path.training_set import (
    LabelledSlide,
    check_alike,
    common_mpp,
    find_slides,
    measure_colour,
    open_training_set,
    spread,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("cohort")
    for seed, slide in enumerate("ab"):
        make_slide(root, slide, seed=seed)
    return root


def labelled(root, slide, mpp=0.5):
    folders = [root / stage / slide for stage in ("tile", "detect")]
    return LabelledSlide(slide, *folders, root / "labels" / f"{slide}.png", None, mpp)


def test_slides_are_found_by_their_split_and_labels(root):
    rows = ["a\ta.tif\tlabels/a.png\ttrain\t", "b\tb.tif\tlabels/b.png\ttune\troi.geojson"]
    others = ["c\tc.tif\t\ttrain\t", "d\td.tif\tlabels/a.png\ttest\t", "e\te.tif\tx.png\t\t"]
    sheet = root / "slides.tsv"
    sheet.write_text("\n".join(["slide\tpath\tlabels\tsplit\troi", *rows, *others]) + "\n")
    found = find_slides(sheet, base=None, tile=root / "tile", detect=root / "detect")
    assert {split: [one.slide for one in slides] for split, slides in found.items()} == {
        "train": ["a"],
        "tune": ["b"],
    }
    assert found["train"][0] == labelled(root, "a")
    assert found["tune"][0].roi == root / "roi.geojson"


def test_the_counts_are_the_classes_of_each_region(root):
    found = open_training_set([labelled(root, "a"), labelled(root, "b")], CLASSES)
    assert [one.slide for one in found.regions] == ["a"] * 6 + ["b"] * 6
    assert found.counts.shape == (12, 2)
    for one, counts in zip(found.regions, found.counts, strict=True):
        labels = one.reference.read(one.region.left, one.region.top, one.region.size)
        shares = [(labels == value).mean() for value in (1, 2)]
        np.testing.assert_allclose(counts / 64**2, shares, atol=0.02)


def test_without_slides_there_are_no_regions():
    found = open_training_set([], CLASSES)
    assert found.regions == []
    assert found.counts.shape == (0, 2)


def test_colours_are_measured_over_the_regions(root):
    regions = open_training_set([labelled(root, "a")], CLASSES).regions
    mean, std = measure_colour(regions, 4)
    assert 0.6 < mean[1] < mean[2] < mean[0] < 0.95
    assert all(0.01 <= value < 0.3 for value in std)


def test_fewer_regions_are_spread_evenly(root):
    regions = open_training_set([labelled(root, "a")], CLASSES).regions
    assert spread(regions, 10) == regions
    assert [one.region.index for one in spread(regions, 3)] == [0, 2, 4]


def test_one_mpp_is_that_of_all():
    slides = [LabelledSlide(name, None, None, None, None, 0.5) for name in "ab"]
    assert common_mpp(slides) == 0.5


def test_regions_of_one_size_are_alike(root):
    regions = open_training_set([labelled(root, "a")], CLASSES).regions
    check_alike(regions)
    with pytest.raises(TrainingError, match="differ in size"):
        check_alike([regions[0], shrunk(regions[1])])


def shrunk(one):
    return replace(one, region=replace(one.region, size=Size(256, 256)))
