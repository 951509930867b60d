"""What stages hand on: older folders stay readable, and files know their names and scales."""

import numpy as np
import pytest
from PIL import Image
from stage_results import detect_results, segment_results, stitch_results, tile_results

from lds_path.classes import LabelClass
from lds_path.errors import StageInputError
from lds_path.formats.grey_image import open_confidence
from lds_path.formats.labels.label_images import name_labels, open_labels, write_labels
from lds_path.formats.results import EvaluateResults, PlanResults, StitchResults
from lds_path.geometry import Frame, Size
from lds_path.objects.tally import ExportResults
from lds_path.provenance.stage_folder import open_folder, read_results
from lds_path.provenance.stage_run import run_stage
from lds_path.provenance.typed_json import from_json, to_json

CLASSES = (LabelClass(1, "Stroma", (1, 2, 3)), LabelClass(3, "Tumor", (4, 5, 6)))
SIZE = Size(40, 30)
STYLE = {"tolerance_um": 1.0, "min_object_um2": 50.0, "max_hole_um2": 50.0, "annotation_um2": 5e4}


def finish(path, results, write=lambda _: None):
    def work(folder, _):
        write(folder)
        return results

    run_stage(type(results).stage, path, work, inputs={}, parameters={}, slide="a slide")
    return open_folder(path)


@pytest.mark.parametrize(
    "results",
    [
        tile_results(SIZE, downsample=2.0),
        detect_results(16.0, regions=3),
        PlanResults(regions=3, samples=300),
        PlanResults(
            regions=3, ladder=(16, 32), regions_per_rung=(1, 2), budget_samples=9, samples=8,
            expected_error_px=0.5,
        ),
        segment_results(CLASSES),
        stitch_results(SIZE, CLASSES),
    ],
    ids=["tile", "detect", "plan", "plan with a budget", "segment", "stitch"],
)  # fmt: skip
def test_results_are_read_as_a_stage_returned_them(tmp_path, results):
    finish(tmp_path / "a", results)
    assert read_results(tmp_path / "a", type(results)) == results


def test_a_plan_without_a_budget_says_nothing_of_a_ladder():
    assert to_json(PlanResults(regions=3, samples=300)) == {"regions": 3, "samples": 300}


def test_folders_from_before_the_maps_and_the_counts_of_what_is_left_out_are_read():
    stitched = to_json(stitch_results(SIZE, CLASSES))
    del stitched["maps"]
    assert from_json(StitchResults, stitched).maps == {}
    exported = {
        "objects": {"Tumor": 1}, "vertices": {"Tumor": 5}, "area_mm2": {"Tumor": 0.1},
        "annotations": 1, "detections": 0, "max_vertices": 5, "style": STYLE,
    }  # fmt: skip
    assert from_json(ExportResults, exported).dropped is None
    scored = {"dice": {"Tumor": None}, "iou": {"Tumor": 0.5}, "scored_mm2": 1.0}
    assert from_json(EvaluateResults, scored).iou == {"Tumor": 0.5}


def test_the_working_frame_of_labels_is_that_of_the_pyramid():
    results = stitch_results(
        SIZE, CLASSES, mpp=2.0, scale=4.0, downsample=8.0, left_l0=30, top_l0=40
    )
    assert results.frame == Frame(2.0, 8.0, 30, 40)
    assert results.working_frame == Frame(0.5, 2.0, 30, 40)


def test_labels_and_confidence_are_opened_by_their_folder(tmp_path):
    def write(folder):
        labels = np.full((SIZE.height, SIZE.width), 3, np.uint8)
        write_labels(folder / name_labels("a slide"), [labels], SIZE, mpp=0.5, classes=CLASSES)
        Image.fromarray(np.full((2, 3), 200, np.uint8)).save(folder / "confidence.png")

    results = stitch_results(SIZE, CLASSES, confidence_downsample=16)
    stitch = finish(tmp_path / "a", results, write)
    with open_labels(stitch) as labels:
        assert (labels.size, tuple(labels.classes)) == (SIZE, CLASSES)
    confidence = open_confidence(stitch)
    assert confidence.downsample == 16
    np.testing.assert_array_equal(confidence.pixels, np.full((2, 3), 200))


@pytest.mark.parametrize("open_file", [open_labels, open_confidence])
def test_a_missing_file_is_named_with_the_stage_to_run_again(tmp_path, open_file):
    stitch = finish(tmp_path / "a", stitch_results(SIZE, CLASSES))
    with pytest.raises(StageInputError, match="run stitch again"):
        open_file(stitch)
