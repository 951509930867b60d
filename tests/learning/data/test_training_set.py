from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_slides import CLASSES, damage_regions, make_slide

from lds_path.errors import StageInputError, TrainingError
from lds_path.geometry import Size
from lds_path.inference.familiarity import spread_evenly
from lds_path.learning.data.training_set import (
    LabelledSlide,
    check_alike,
    check_classes,
    common_mpp,
    find_slides,
    measure_colour,
    open_training_set,
    summarise,
)
from lds_path.provenance.fingerprint import MANIFEST_NAME
from lds_path.reference.legend import Legend


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("cohort")
    for seed, slide in enumerate("ab"):
        make_slide(root, slide, seed=seed)
    return root


LEGEND = Legend(CLASSES)


def labelled(root, slide, mpp=0.5, true_mpp=0.5, patient=""):
    folders = [root / stage / slide for stage in ("tile", "detect")]
    labels = root / "labels" / f"{slide}.png"
    return LabelledSlide(slide, *folders, labels, None, patient, mpp, true_mpp)


def write_sheet(root, *rows):
    lines = ["slide\tpath\tlabels\tsplit\tpatient\troi", *rows]
    (root / "slides.tsv").write_text("\n".join(lines) + "\n")
    return {"sheet": root / "slides.tsv", "base": None} | {
        stage: root / stage for stage in ("tile", "detect")
    }


def test_slides_are_found_by_their_split_and_labels(root):
    arguments = write_sheet(
        root,
        "a\ta.tif\tlabels/a.png\ttrain\tA",
        "b\tb.tif\tlabels/b.png\ttune\t\troi.geojson",
        "c\tc.tif\t\ttrain\t",
        "d\td.tif\tlabels/a.png\ttest\t",
        "e\te.tif\tx.png\t\t",
    )
    found = find_slides(**arguments)
    assert {split: [one.slide for one in slides] for split, slides in found.items()} == {
        "train": ["a"],
        "tune": ["b"],
    }
    assert found["train"][0] == labelled(root, "a", patient="A")
    assert found["tune"][0].roi == root / "roi.geojson"


def test_a_slide_under_two_names_is_not_both_learned_from_and_scored(tmp_path):
    for slide in "ab":
        make_slide(tmp_path, slide, seed=0)
    rows = [
        f"{slide}\t{slide}.tif\tx.png\t{split}" for slide, split in (("a", "train"), ("b", "tune"))
    ]
    with pytest.raises(TrainingError, match=r"a \(train\) and b \(tune\) are the same slide"):
        find_slides(**write_sheet(tmp_path, *rows))


def test_two_images_of_one_file_may_be_learned_from_and_scored(tmp_path):
    for slide in "ab":
        make_slide(tmp_path, slide, seed=0)
    rows = [
        f"{slide}\t{slide}.tif\tx.png\t{split}" for slide, split in (("a", "train"), ("b", "tune"))
    ]
    manifest = tmp_path / "tile" / "b" / MANIFEST_NAME
    record = json.loads(manifest.read_text())
    record["results"] |= {"scene": "1", "image_number": 1}
    manifest.write_text(json.dumps(record))
    found = find_slides(**write_sheet(tmp_path, *rows))
    assert [one.slide for slides in found.values() for one in slides] == ["a", "b"]


def test_the_counts_are_the_classes_of_each_region(root):
    found = open_training_set([labelled(root, "a"), labelled(root, "b")], LEGEND)
    assert [one.slide for one in found.regions] == ["a"] * 6 + ["b"] * 6
    assert found.counts.shape == (12, 2)
    for one, counts in zip(found.regions, found.counts, strict=True):
        labels = one.reference.read(one.region.left, one.region.top, one.region.size)
        shares = [(labels == value).mean() for value in (1, 2)]
        np.testing.assert_allclose(counts / 512**2, shares)


def test_a_damaged_table_of_regions_is_not_learned_from(tmp_path):
    make_slide(tmp_path, "a")
    damage_regions(tmp_path / "detect" / "a")
    with pytest.raises(StageInputError, match=r"regions\.tsv is damaged .* run detect again"):
        open_training_set([labelled(tmp_path, "a")], Legend(CLASSES))


def test_without_slides_there_are_no_regions():
    found = open_training_set([], LEGEND)
    assert found.regions == []
    assert found.counts.shape == (0, 2)


def test_colours_are_measured_over_the_regions(root):
    regions = open_training_set([labelled(root, "a")], LEGEND).regions
    mean, std = measure_colour(regions, 4)
    assert 0.6 < mean[1] < mean[2] < mean[0] < 0.95
    assert all(0.01 <= value < 0.3 for value in std)


def test_fewer_regions_are_spread_evenly(root):
    regions = open_training_set([labelled(root, "a")], LEGEND).regions
    assert spread_evenly(regions, 10) == regions
    assert [one.region.index for one in spread_evenly(regions, 3)] == [0, 2, 5]


def test_one_mpp_is_that_of_all():
    assert common_mpp([labelled(Path(), name) for name in "ab"]) == 0.5


def test_a_slide_coarser_than_the_training_is_named():
    slides = [labelled(Path(), "a"), labelled(Path(), "b", true_mpp=0.7)]
    with pytest.raises(TrainingError, match=r"b has 0\.7 microns per pixel, .* is at 0\.5"):
        common_mpp(slides)


def test_a_tune_split_without_labels_is_named(root):
    rows = ["a\ta.tif\tlabels/a.png\ttrain", "b\tb.tif\t\ttune", "c\tc.tif\t\ttune"]
    with pytest.raises(TrainingError, match=r"slides\.tsv has the split 'tune' for b, c, but none"):
        find_slides(**write_sheet(root, *rows))


def test_a_class_without_a_pixel_is_named(root):
    legend = Legend((*CLASSES, "Grey"))
    found = open_training_set([labelled(root, "a")], legend)
    with pytest.raises(TrainingError, match=r"no slide .* has a pixel of the class 'Grey'"):
        check_classes(found, legend)


def test_the_summary_counts_slides_patients_and_area(root):
    slides = [labelled(root, name, patient="A") for name in "ab"]
    found = open_training_set(slides, LEGEND)
    summary = summarise(slides, found, LEGEND)
    assert summary["slides"] == ["a", "b"]
    assert (summary["patients"], summary["regions"]) == (1, 12)
    assert summary["labelled_mm2"]["Dark"] == pytest.approx(
        found.counts[:, 1].sum() * 0.25e-6, 1e-3
    )
    assert summarise([], open_training_set([], LEGEND), LEGEND)["patients"] == 0


def test_regions_of_one_size_are_alike(root):
    regions = open_training_set([labelled(root, "a")], LEGEND).regions
    check_alike(regions)
    with pytest.raises(TrainingError, match="differ in size"):
        check_alike([regions[0], shrunk(regions[1])])


def shrunk(one):
    return replace(one, region=replace(one.region, size=Size(256, 256)))
