import csv
import json

import numpy as np
import pytest
import shapely
import tifffile
from PIL import Image
from stage_results import detect_results, segment_results, stitch_results, tile_results

from lds_path.classes import LabelClass
from lds_path.errors import LabelsError
from lds_path.formats.labels.label_images import label_blocks, write_labels
from lds_path.formats.predictions import (
    PREDICTIONS_NAME,
    Prediction,
    PredictionWriter,
    encode_grid,
)
from lds_path.formats.regions import REGIONS_NAME, write_regions
from lds_path.geometry import Frame, Region, Size
from lds_path.option import make_options
from lds_path.options.quality import EvaluateOptions
from lds_path.options.reference import LabelsOptions
from lds_path.provenance.stage_run import run_stage
from lds_path.stages.evaluate import evaluate
from lds_path.unwarp.round_trip import lattice_labels

MPP = 0.5
LATTICE = Size(24, 20)
CLASSES = [
    LabelClass(1, "Stroma", (200, 120, 160)),
    LabelClass(2, "Gland", (0, 128, 255)),
    LabelClass(3, "Tumor", (255, 0, 0)),
]


def paint(size, *boxes):
    """Return stroma with boxes (value, left, top, right, bottom) in it."""
    labels = np.ones((size.height, size.width), np.uint8)
    for value, left, top, right, bottom in boxes:
        labels[top:bottom, left:right] = value
    return labels


def save_stages(folder, predicted, *, size=None, scale=1, downsample=1.0, lattice=LATTICE):
    """Write what the stages before would have, and return the folders as evaluate takes them."""
    size = size or Size(predicted.shape[1], predicted.shape[0])
    tile = tile_results(size, mpp=MPP, downsample=downsample, left_l0=10, top_l0=20)
    region = Region(0, 0, 0, size, lattice)

    def detect(path, _):
        Image.fromarray(np.full((10, 10), 255, np.uint8)).save(path / "tissue.png")
        write_regions(path / REGIONS_NAME, [region], [1.0], Frame(MPP, downsample))
        return detect_results(max(size.width, size.height) / 10)

    def segment(path, _):
        with PredictionWriter(path / PREDICTIONS_NAME) as writer:
            writer.write(predict(region, predicted))
        return segment_results(CLASSES)

    def stitch(path, _):
        extent = Size(predicted.shape[1], predicted.shape[0])
        blocks = [
            predicted[place.top :, place.left :][: place.size.height, : place.size.width]
            for place in label_blocks(extent)
        ]
        path /= "S1.labels.ome.tif"
        write_labels(path, blocks, extent, mpp=MPP * scale, classes=CLASSES)
        return stitch_results(extent, CLASSES, mpp=MPP * scale)

    run_stage("tile", folder / "tile", lambda *_: tile, inputs={}, parameters={}, slide="S1")
    above = {"tile": folder / "tile"}
    overlap = {"overlap": 0}
    run_stage("detect", folder / "detect", detect, inputs=above, parameters=overlap)
    run_stage("segment", folder / "segment", segment, inputs=above, parameters={})
    run_stage("stitch", folder / "stitch", stitch, inputs=above, parameters={})
    return folder / "tile", folder / "detect", [folder / "segment"], folder / "stitch"


def predict(region, labels):
    """Return the labels at the samples of a uniform grid, as a sure network would say."""
    axes = [
        (np.arange(count) + 0.5) / count * 2 - 1
        for count in (region.lattice.width, region.lattice.height)
    ]
    positions = np.stack(np.meshgrid(*axes), axis=-1)
    found = lattice_labels(labels, positions.astype(np.float32))
    return Prediction(
        region=region,
        probability=np.stack([(found == item.value) * np.uint8(255) for item in CLASSES]),
        grid=encode_grid(positions),
        density=np.ones((2, 2), np.float16),
    )


def save_polygons(path, *objects):
    features = [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(area),
            "properties": {"objectType": "annotation"}
            | ({"classification": {"name": name, "color": [1, 2, 3]}} if name else {}),
        }
        for name, area in objects
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def read_table(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_the_scores_are_those_of_the_whole_image(tmp_path):
    size = Size(2300, 2100)
    predicted = paint(size, (0, 0, 0, 200, 2100), (3, 1000, 1000, 2200, 2090))
    reference = paint(size, (0, 0, 0, 150, 2100), (3, 1100, 1050, 2300, 2100))
    Image.fromarray(reference).save(tmp_path / "reference.png")
    folders = save_stages(tmp_path, predicted)
    results = evaluate(*folders, tmp_path / "reference.png", tmp_path / "out").results
    for value, name in ((1, "Stroma"), (3, "Tumor")):
        ours, theirs = predicted == value, reference == value
        both = np.count_nonzero(ours & theirs)
        assert results["dice"][name] == 2 * both / (ours.sum() + theirs.sum())
        assert results["iou"][name] == both / np.count_nonzero(ours | theirs)
        assert results["predicted_mm2"][name] == pytest.approx(ours.sum() * 0.25e-6)
        assert results["reference_mm2"][name] == pytest.approx(theirs.sum() * 0.25e-6)
    assert results["dice"]["Gland"] is None
    assert results["scored_mm2"] == pytest.approx(2300 * 2100 * 0.25e-6)


@pytest.mark.parametrize(
    ("limits", "remarks"),
    [
        ({"warn_dice": 0.5, "fail_dice": 0.1}, []),
        ({"warn_dice": 0.9, "fail_dice": 0.1}, [("warn", "Dice of Tumor is 0.667 (limit 0.9)")]),
        ({"warn_dice": 0.9, "fail_dice": 0.7}, [("fail", "Dice of Tumor is 0.667 (limit 0.7)")]),
    ],
)
def test_a_class_that_was_recognised_badly_is_a_remark(tmp_path, limits, remarks):
    size = Size(64, 64)
    Image.fromarray(paint(size, (3, 0, 0, 64, 8))).save(tmp_path / "r.png")
    folders = save_stages(tmp_path, paint(size, (3, 0, 0, 64, 4)))
    options = EvaluateOptions(**limits)
    results = evaluate(*folders, tmp_path / "r.png", tmp_path / "out", options=options).results
    assert [(each["word"], each["reason"]) for each in results["remarks"]] == remarks


def test_the_tables_hold_the_scores_and_the_confusion(tmp_path):
    predicted, reference = paint(Size(20, 10), (2, 0, 0, 10, 10)), paint(Size(20, 10))
    reference[:, :5] = 0
    Image.fromarray(reference).save(tmp_path / "reference.png")
    folders = save_stages(tmp_path, predicted)
    evaluate(*folders, tmp_path / "reference.png", tmp_path / "out")
    scores = read_table(tmp_path / "out" / "scores.tsv")
    assert [row["class"] for row in scores] == ["Stroma", "Gland", "Tumor"]
    assert [row["slide"] for row in scores] == ["S1"] * 3
    assert [row["dice"] for row in scores] == ["0.800000", "0.000000", ""]
    assert [row["iou"] for row in scores] == ["0.666667", "0.000000", ""]
    confusion = read_table(tmp_path / "out" / "confusion.tsv")
    assert [row.pop("reference") for row in confusion] == [
        "background", "Stroma", "Gland", "Tumor",
    ]  # fmt: skip
    counts = [[int(count) for count in row.values()] for row in confusion]
    assert counts == [[0, 0, 50, 0], [0, 100, 50, 0], [0] * 4, [0] * 4]


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_a_reference_at_level_0_or_a_whole_fraction_of_it_fits(tmp_path, factor):
    labels = paint(Size(64, 48), (3, 8, 16, 40, 32))
    reference = labels.repeat(2, 0).repeat(2, 1)[::factor, ::factor]
    tifffile.imwrite(tmp_path / "reference.tif", reference, tile=(16, 16))
    folders = save_stages(tmp_path, labels, downsample=2.0)
    results = evaluate(*folders, tmp_path / "reference.tif", tmp_path / "out").results
    assert results["dice"] == {"Stroma": 1, "Gland": None, "Tumor": 1}


@pytest.mark.parametrize("scale", [2, 8])
def test_labels_stitched_at_a_coarser_mpp_are_scored_on_the_working_pixels(tmp_path, scale):
    coarse = paint(Size(64, 48), (3, 8, 16, 40, 32))
    size = Size(64 * scale - 1, 48 * scale - 1)
    fine = coarse.repeat(scale, 0).repeat(scale, 1)[: size.height, : size.width]
    Image.fromarray(fine).save(tmp_path / "reference.png")
    folders = save_stages(tmp_path, coarse, size=size, scale=scale)
    results = evaluate(*folders, tmp_path / "reference.png", tmp_path / "out").results
    assert results["dice"] == {"Stroma": 1, "Gland": None, "Tumor": 1}


def test_polygons_of_qupath_are_level_0_pixels_from_the_bounds_corner(tmp_path):
    labels = paint(Size(100, 80), (3, 20, 30, 60, 50))
    reference = save_polygons(
        tmp_path / "reference.geojson",
        ("Stroma", shapely.box(0, 0, 200, 160)),
        ("Tumor", shapely.box(40, 60, 120, 100)),
    )
    folders = save_stages(tmp_path, labels, downsample=2.0)
    results = evaluate(*folders, reference, tmp_path / "out").results
    assert results["dice"] == {"Stroma": 1, "Gland": None, "Tumor": 1}


def test_nothing_outside_the_region_of_interest_is_scored(tmp_path):
    size = Size(100, 80)
    predicted = paint(size, (3, 20, 30, 60, 50), (2, 70, 0, 100, 80))
    Image.fromarray(paint(size, (3, 20, 30, 60, 50))).save(tmp_path / "reference.png")
    roi = save_polygons(tmp_path / "roi.geojson", ("", shapely.box(0, 0, 70, 80)))
    folders = save_stages(tmp_path, predicted)
    results = evaluate(*folders, tmp_path / "reference.png", tmp_path / "out", roi=roi).results
    assert results["dice"] == {"Stroma": 1, "Gland": None, "Tumor": 1}
    assert results["scored_mm2"] == pytest.approx(70 * 80 * 0.25e-6)


def test_reference_pixels_of_255_are_not_scored(tmp_path):
    size = Size(100, 80)
    Image.fromarray(paint(size, (255, 70, 0, 100, 80))).save(tmp_path / "reference.png")
    folders = save_stages(tmp_path, paint(size, (2, 70, 0, 100, 80)))
    results = evaluate(*folders, tmp_path / "reference.png", tmp_path / "out").results
    assert results["dice"] == {"Stroma": 1, "Gland": None, "Tumor": None}


def test_tissue_that_was_not_analysed_counts_as_missed(tmp_path):
    size = Size(100, 80)
    Image.fromarray(paint(size)).save(tmp_path / "reference.png")
    folders = save_stages(tmp_path, paint(size, (0, 50, 0, 100, 80)))
    results = evaluate(*folders, tmp_path / "reference.png", tmp_path / "out").results
    assert results["iou"]["Stroma"] == 0.5


def quarantine_reason(folders, labels, tmp_path, *, roi=None, **options):
    asked = make_options(EvaluateOptions(), options)
    manifest = evaluate(*folders, labels, tmp_path / "out", roi=roi, options=asked)
    assert manifest.status == "quarantined"
    assert manifest.quarantined_by == "evaluate"
    return manifest.reason


def test_labels_of_another_size_name_both_sizes(tmp_path):
    folders = save_stages(tmp_path, paint(Size(100, 80)))
    Image.fromarray(paint(Size(90, 80))).save(tmp_path / "reference.png")
    reason = quarantine_reason(folders, tmp_path / "reference.png", tmp_path)
    assert "90 x 80" in reason
    assert "100 x 80" in reason
    assert "reference.png" in reason
    with pytest.raises(LabelsError, match="90 x 80"):
        evaluate(*folders, tmp_path / "reference.png", tmp_path / "out", strict=True)


def test_a_value_without_a_class_is_named(tmp_path):
    folders = save_stages(tmp_path, paint(Size(100, 80)))
    Image.fromarray(paint(Size(100, 80), (9, 0, 0, 5, 5))).save(tmp_path / "reference.png")
    reason = quarantine_reason(folders, tmp_path / "reference.png", tmp_path)
    assert "the label value 9" in reason
    assert "1 Stroma, 2 Gland, 3 Tumor" in reason


def test_a_polygon_of_an_unknown_class_is_named(tmp_path):
    folders = save_stages(tmp_path, paint(Size(100, 80)))
    labels = save_polygons(tmp_path / "a.geojson", ("Necrosis", shapely.box(0, 0, 9, 9)))
    assert "Necrosis" in quarantine_reason(folders, labels, tmp_path)


def test_missing_labels_are_named(tmp_path):
    folders = save_stages(tmp_path, paint(Size(100, 80)))
    assert "missing.png" in quarantine_reason(folders, tmp_path / "missing.png", tmp_path)


def test_a_region_of_interest_beside_the_slide_is_named(tmp_path):
    folders = save_stages(tmp_path, paint(Size(100, 80)))
    Image.fromarray(paint(Size(100, 80))).save(tmp_path / "reference.png")
    roi = save_polygons(tmp_path / "roi.geojson", ("", shapely.box(500, 500, 600, 600)))
    reason = quarantine_reason(folders, tmp_path / "reference.png", tmp_path, roi=roi)
    assert "roi.geojson has 1 of 1 objects outside the slide" in reason


def test_labels_that_say_nothing_are_named(tmp_path):
    folders = save_stages(tmp_path, paint(Size(100, 80)))
    Image.fromarray(np.full((80, 100), 255, np.uint8)).save(tmp_path / "reference.png")
    reason = quarantine_reason(folders, tmp_path / "reference.png", tmp_path)
    assert "no pixel to score" in reason


@pytest.mark.parametrize(
    ("unlabelled", "stroma", "tumor"),
    [("background", 0, 0.5), ("ignore", None, 1), ("Stroma", 1, 1)],
)
def test_pixels_without_annotation_count_as_configured(tmp_path, unlabelled, stroma, tumor):
    predicted = paint(Size(100, 80), (3, 20, 20, 40, 40))
    reference = save_polygons(tmp_path / "a.geojson", ("Krebs", shapely.box(20, 20, 40, 40)))
    if unlabelled == "background":
        predicted[50:70, 50:70] = 3
    folders = save_stages(tmp_path, predicted)
    labels = LabelsOptions(class_map={"Krebs": "Tumor"}, unlabelled=unlabelled)
    results = evaluate(
        *folders, reference, tmp_path / "out", options=EvaluateOptions(labels)
    ).results
    assert results["iou"] == {"Stroma": stroma, "Gland": None, "Tumor": tumor}


def test_boundary_iou_is_that_of_bands_along_the_outlines(tmp_path):
    size = Size(2100, 300)
    predicted, reference = (paint(size, (3, 2000, 100, right, 200)) for right in (2060, 2050))
    Image.fromarray(reference).save(tmp_path / "reference.png")
    folders = save_stages(tmp_path, predicted)
    results = evaluate(
        *folders,
        tmp_path / "reference.png",
        tmp_path / "out",
        options=EvaluateOptions(boundary_um=5),
    )

    def band(width):
        inside = np.zeros((100, width), bool)
        inside[10:-10, 10:-10] = True
        return np.pad(~inside, ((0, 0), (0, 60 - width)))

    ours, theirs = band(60), band(50)
    expected = (ours & theirs).sum() / (ours | theirs).sum()
    assert results.results["boundary_iou"]["Tumor"] == pytest.approx(expected)


@pytest.mark.parametrize(("lattice", "ceiling"), [(Size(60, 40), 0.97), (Size(6, 4), 0.6)])
def test_the_round_trip_is_the_ceiling_of_the_sampling(tmp_path, lattice, ceiling):
    size = Size(480, 320)
    reference = paint(size, *((3, left, 100, left + 40, 240) for left in range(60, 420, 80)))
    Image.fromarray(reference).save(tmp_path / "reference.png")
    folders = save_stages(tmp_path, paint(size), lattice=lattice)
    results = evaluate(*folders, tmp_path / "reference.png", tmp_path / "out").results
    found = results["round_trip_dice"]["Tumor"]
    assert found >= ceiling if ceiling > 0.9 else found < ceiling
    assert results["dice"]["Tumor"] == 0


def test_the_lattices_score_counts_each_sample_once(tmp_path):
    size = Size(240, 200)
    predicted = paint(size, (3, 0, 0, 120, 200))
    reference = paint(size, (3, 0, 0, 60, 200), (0, 200, 0, 240, 200))
    Image.fromarray(reference).save(tmp_path / "reference.png")
    folders = save_stages(tmp_path, predicted)
    results = evaluate(*folders, tmp_path / "reference.png", tmp_path / "out").results
    assert results["lattice_iou"]["Tumor"] == 6 / 12
    assert results["lattice_iou"]["Stroma"] == 8 / 14
    assert (tmp_path / "out" / "confusion.png").is_file()
