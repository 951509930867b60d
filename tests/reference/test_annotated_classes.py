from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from lds_path.errors import LabelsError, TrainingError
from lds_path.reference import annotated_classes
from lds_path.reference.annotated_classes import check_annotations, check_contrast
from lds_path.reference.legend import IGNORE, Legend, open_legend

LEGEND = Legend(("Stroma", "Tumor"))


def draw(path, *names):
    square = {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}
    features = [
        {
            "type": "Feature",
            "geometry": square,
            "properties": {"classification": {"name": name}} if name else {},
        }
        for name in names
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def paint(path, *values):
    Image.fromarray(np.array([values] * 3, np.uint8)).save(path)
    return path


def test_classes_may_be_spread_over_files_of_both_kinds(tmp_path):
    learned = [draw(tmp_path / "a.geojson", "Stroma", "Ignore*"), paint(tmp_path / "b.png", 0, 2)]
    check_annotations(learned, [draw(tmp_path / "c.geojson", "Tumor")], LEGEND)


@pytest.mark.parametrize("write", [draw, paint])
def test_a_class_that_no_annotation_has_is_named(tmp_path, write):
    learned = [
        draw(tmp_path / "a.geojson", "Stroma")
        if write is draw
        else paint(tmp_path / "a.tif", 0, 1, IGNORE)
    ]
    tune = [draw(tmp_path / "t.geojson", "Tumor")]
    with pytest.raises(TrainingError, match=r"'train' has the class 'Tumor' \(a\..*: Stroma\)"):
        check_annotations(learned, tune, LEGEND)


def test_a_class_may_come_from_the_map_or_from_what_is_not_labelled(tmp_path):
    learned = [draw(tmp_path / "a.geojson", "Krebs")]
    check_annotations(learned, [], Legend(LEGEND.classes, {"Krebs": "Tumor"}, (), "Stroma"))


def test_a_misspelt_class_is_answered_with_the_nearest(tmp_path):
    learned = [draw(tmp_path / "a.geojson", "Stroma", "Tumour")]
    with pytest.raises(LabelsError, match=r"did you mean 'Tumor'\? Change it in QuPath"):
        check_annotations(learned, [], LEGEND)


@pytest.mark.parametrize("split", ["train", "tune"])
def test_an_unknown_class_of_either_split_is_named(tmp_path, split):
    good, bad = draw(tmp_path / "a.geojson", "Stroma", "Tumor"), draw(tmp_path / "b.geojson", "X")
    learned, scored = ([good, bad], []) if split == "train" else ([good], [bad])
    with pytest.raises(LabelsError, match=r"b\.geojson has an object of the class 'X', but"):
        check_annotations(learned, scored, LEGEND)


@pytest.mark.parametrize(
    ("name", "words"), [("a.geojson", "does not exist"), ("a.png", "cannot be read as an image")]
)
def test_a_file_that_is_missing_is_named(tmp_path, name, words):
    with pytest.raises(LabelsError, match=words):
        check_annotations([tmp_path / name], [], LEGEND)


def test_a_value_beyond_the_classes_is_named(tmp_path):
    with pytest.raises(LabelsError, match="label value 7"):
        check_annotations([paint(tmp_path / "a.png", 1, 7)], [], LEGEND)


def test_what_is_too_large_to_look_at_is_left_to_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(annotated_classes, "MAX_PIXELS", 3)
    monkeypatch.setattr(annotated_classes, "MAX_BYTES", 10)
    large = [paint(tmp_path / "a.png", 1, 1), draw(tmp_path / "b.geojson", "Stroma")]
    for path in large:
        check_annotations([path], [], LEGEND)


def test_label_images_are_read_until_all_classes_are_found(tmp_path):
    damaged = tmp_path / "b.png"
    damaged.write_text("no image")
    check_annotations([paint(tmp_path / "a.png", 1, 2), damaged], [], LEGEND)


@pytest.mark.parametrize("unlabelled", ["background", "ignore", "Tumor"])
def test_a_single_class_cannot_be_learned(unlabelled):
    with pytest.raises(TrainingError, match=r"lists only Tumor, .* list a second class"):
        check_contrast(Legend(("Tumor",), unlabelled=unlabelled))
    check_contrast(LEGEND)


def test_the_legend_of_a_configuration_leaves_out_what_is_null():
    labels = {
        "class_map": {"Krebs": "Tumor", "Region*": None},
        "ignore": ["X"],
        "unlabelled": "ignore",
    }
    legend = open_legend(["Stroma", "Tumor"], labels)
    assert (legend.value_of("Krebs"), legend.value_of("Region*")) == (2, None)
    assert legend.value_of("X") == legend.unlabelled_value == IGNORE
