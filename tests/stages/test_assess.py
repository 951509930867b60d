"""assess measures what is on the slide, and its verdict names what is wrong."""

import json
from functools import partial

import damage
import numpy as np
import pytest
from PIL import Image
from stage_folders import MPP, make_folders
from stage_results import write_screen

from lds_path.errors import MissingMppError, UsageError
from lds_path.formats.labels.label_images import Labels
from lds_path.formats.results import ModelSummary, Remark
from lds_path.formats.spread import measure_spread
from lds_path.option import make_options
from lds_path.options.quality import AssessOptions
from lds_path.pixels.stains import window_colours
from lds_path.provenance.stage_run import run_stage
from lds_path.stages.assess import assess

PICTURES = {"thumbnail", "tissue", "overlay", "artefacts", "confidence", "density", "sampling"}
SCREEN_METRICS = ("pen", "fold", "bubble", "out_of_focus")
WIDTH, HEIGHT = 960, 720
LEFT, TOP, RIGHT, BOTTOM, MIDDLE = 96, 80, 864, 640, 480  # tissue and the border of its halves


def paint():
    """Return a slide of two halves of noisy tissue on glass, its tissue mask and labels."""
    rgb = np.full((HEIGHT, WIDTH, 3), 243, np.uint8)
    grains = np.random.default_rng(0).uniform(0.4, 1.0, ((BOTTOM - TOP) // 4, (RIGHT - LEFT) // 4))
    grains = np.kron(grains, np.ones((4, 4)))[..., None]  # 2 um
    rgb[TOP:BOTTOM, LEFT:RIGHT] = 243 * np.exp(-grains * np.array([0.5, 1.0, 0.6]))
    tissue = np.zeros((HEIGHT // 16, WIDTH // 16), bool)
    tissue[TOP // 16 : BOTTOM // 16, LEFT // 16 : RIGHT // 16] = True
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[:, :MIDDLE], labels[:, MIDDLE:] = 1, 2
    return rgb, tissue, labels


def run(root, *, damaged=None, parameters=None, screen=None, **options):
    rgb, tissue, labels = paint()
    if damaged is not None:
        rgb = damaged(rgb)
    folders = make_folders(root, "one", rgb, tissue, labels, **options)
    output = root / "assess" / "one"
    if screen is not None:
        screen = write_screen(root / "screen/one", folders.tile, screen, downsample=16.0, mpp=8.0)
    manifest = assess(
        folders.tile,
        folders.detect,
        folders.segment,
        folders.stitch,
        output,
        screened=screen,
        options=make_options(AssessOptions(), parameters or {}),
    )
    return manifest, output


def read_metrics(output):
    return json.loads((output / "metrics.json").read_text(encoding="utf-8"))


def open_picture(output, name):
    with Image.open(output / f"{name}.jpg") as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return run(tmp_path_factory.mktemp("good"))


def test_a_good_slide_passes(good):
    manifest, _ = good
    assert manifest.status == "done"
    assert manifest.slide == "one"
    assert manifest.results["verdict"] == "pass"
    assert manifest.results["reasons"] == []
    assert set(manifest.inputs) == {"tile", "detect", "segment_1", "segment_2", "stitch"}


def test_each_metric_has_value_unit_definition_and_source(good):
    _, output = good
    metrics = read_metrics(output)["metrics"]
    assert len(metrics) > 15
    for name, metric in metrics.items():
        assert set(metric) == {"value", "unit", "definition", "source"}, name
        assert metric["definition"].endswith("."), name
        assert metric["source"], name


@pytest.mark.parametrize(
    ("stain", "named"),
    [
        ("", {"hematoxylin", "eosin"}),
        ("PAS", {"hematoxylin", "pas"}),
        ("HER2 IHC", {"hematoxylin", "dab"}),
        ("Masson trichrome", set()),
    ],
)
def test_only_the_stains_of_the_staining_are_measured_and_named(tmp_path, stain, named):
    limits = {"warn_hematoxylin": 9.0, "warn_eosin": 9.0}
    manifest, output = run(tmp_path, parameters={"stain": stain, **limits})
    metrics = read_metrics(output)["metrics"]
    assert {name for name in ("hematoxylin", "eosin", "pas", "dab") if name in metrics} == named
    assert {name.removesuffix("_vector") for name in metrics if name.endswith("_vector")} == named
    reasons = " ".join(manifest.results["reasons"])
    for name in ("hematoxylin", "eosin"):
        assert (f"the {name} is pale" in reasons) == (name in named)
        assert (name in json.dumps(metrics)) == (name in named)


def test_areas_and_shares_are_those_of_the_painted_tissue(good):
    _, output = good
    values = {name: item["value"] for name, item in read_metrics(output)["metrics"].items()}
    half_mm2 = (MIDDLE - LEFT) * (BOTTOM - TOP) * (MPP / 1000) ** 2
    assert values["area_mm2.Stroma"] == pytest.approx(half_mm2, rel=0.02)
    assert values["area_mm2.Tumor"] == pytest.approx(half_mm2, rel=0.02)
    assert values["tissue_percent.Stroma"] == pytest.approx(50, abs=1)
    assert values["tissue_percent.Stroma"] + values["tissue_percent.Tumor"] == pytest.approx(100)
    assert values["analysed_percent"] == pytest.approx(100)
    assert values["tissue_mm2"] == pytest.approx(2 * half_mm2, rel=0.02)


def test_areas_are_the_label_pixels_times_their_area(good):
    _, output = good
    path = output.parents[1] / "stitch" / "one" / "one.labels.ome.tif"
    with Labels(path) as labels:
        pixels = labels.read(0, 0, 0, labels.size)
    metrics = read_metrics(output)["metrics"]
    for item in labels.classes:
        area = np.count_nonzero(pixels == item.value) * (labels.mpp / 1000) ** 2
        assert metrics[f"area_mm2.{item.name}"]["value"] == pytest.approx(area)


def test_the_metrics_repeat_what_the_stages_found(good):
    _, output = good
    metrics = read_metrics(output)["metrics"]
    assert metrics["mpp"]["value"] == MPP
    assert metrics["mpp_source"]["value"] == "sheet"
    assert metrics["glass"]["value"] == [243, 243, 243]
    assert metrics["regions"]["value"] == 4
    assert metrics["samples"]["value"] == 4 * 32 * 32
    assert metrics["confidence"]["value"] == pytest.approx(0.9, abs=0.02)


def test_a_uniform_grid_has_one_pitch(good):
    _, output = good
    metrics = read_metrics(output)["metrics"]
    assert metrics["pitch_min_um"]["value"] == pytest.approx(512 / 32 * MPP, rel=0.01)
    assert metrics["pitch_max_um"]["value"] == pytest.approx(512 / 32 * MPP, rel=0.01)


def test_a_sampler_that_looks_closely_has_a_range_of_pitches(tmp_path):
    _, output = run(tmp_path, zoom=1.8)
    metrics = read_metrics(output)["metrics"]
    assert metrics["pitch_min_um"]["value"] < 4
    assert metrics["pitch_max_um"]["value"] > 10


def test_all_pictures_are_there_and_of_one_width(good):
    _, output = good
    count = len(read_metrics(output)["crops"])
    crops = {f"crop-{place + 1}{end}" for place in range(count) for end in ("", "-overlay")}
    assert count >= 3
    assert {path.stem for path in output.glob("*.jpg")} == PICTURES | crops | {"small"}
    sizes = {name: open_picture(output, name).shape for name in PICTURES - {"sampling"}}
    assert {width for _, width, _ in sizes.values()} == {WIDTH}
    assert all(height > HEIGHT for height, _, _ in sizes.values())
    assert read_metrics(output)["view"] == {"width": WIDTH, "height": HEIGHT, "mpp": MPP}


def test_the_overlay_colours_each_half_and_leaves_the_glass(good):
    _, output = good
    overlay = open_picture(output, "overlay").astype(int)
    plain = open_picture(output, "thumbnail").astype(int)
    stroma = (overlay[:HEIGHT] - plain[:HEIGHT])[TOP + 9 : BOTTOM - 9, LEFT + 9 : MIDDLE - 20]
    tumor = overlay[TOP + 9 : BOTTOM - 9, MIDDLE + 20 : RIGHT - 9]
    assert stroma[..., 2].mean() > 20  # Stroma is blue
    assert tumor[..., 0].mean() > tumor[..., 2].mean() + 40  # Tumor is red
    glass = np.abs(overlay[: TOP - 20, : LEFT - 20] - plain[: TOP - 20, : LEFT - 20])
    assert glass.max() <= 2


PAINTED = Remark("fail", "the model 'demo' knows only painted slides")


def model(*, shift=0.0, **changes):
    """Return a model that learned from slides as painted here, or from lighter ones."""
    rgb, _, _ = paint()
    tissue = rgb[TOP:BOTTOM, LEFT:RIGHT]
    windows = [tissue[top : top + 256, left : left + 256] for top in (0, 99) for left in range(9)]
    colours = window_colours(windows)
    known = {"description": "", "tune_dice": {"Stroma": 0.9, "Tumor": 0.8}} | changes
    spread = measure_spread(colours + shift, colours + shift, tolerance=0.1)
    return ModelSummary(**known, colours=spread)


def test_a_slide_with_one_class_everywhere_is_doubtful(tmp_path):
    rgb, tissue, labels = paint()
    folders = make_folders(tmp_path, "one", rgb, tissue, np.minimum(labels, 1))
    manifest = assess(*vars(folders).values(), tmp_path / "assess")
    assert manifest.results["verdict"] == "warn"
    assert "one class covers 100.0 % of the labelled tissue" in manifest.results["reasons"][0]


@pytest.mark.parametrize(
    ("options", "word", "words"),
    [
        ({"confidence": 0.6, "parameters": {"min_confidence": 0.7}}, "fail", "unsure"),
        ({"tile": {"unreadable_tiles": 3}}, "warn", "3 tiles of the file are unreadable"),
        ({"parameters": {"warn_tissue_mm2": 5.0}}, "warn", "mm² of tissue was found (limit 5 mm²)"),
        ({"damaged": damage.blurred}, "fail", "100.0 % of the tissue is out of focus (limit 60 %)"),
        ({"damaged": damage.folded}, "warn", "of the tissue is folded or too thick"),
        ({"damaged": damage.soiled}, "warn", "of the tissue lies under dark spots"),
        ({"damaged": damage.marked}, "fail", "of the tissue is marked with a pen"),
        ({"damaged": damage.bubbled}, "fail", "air bubbles or an edge of the cover slip spoil"),
        ({"damaged": partial(damage.stained, strength=0.2)}, "fail", "the hematoxylin is pale"),
        ({"damaged": partial(damage.stained, strength=3)}, "warn", "the slide is over-stained"),
        ({"disagree": True}, "fail", "regions do not fit together"),
        ({"segment": {"remarks": (PAINTED,)}}, "fail", "knows only painted slides"),
        ({"segment": {"about": model()}}, "pass", ""),
        ({"segment": {"about": model(tune_dice={})}}, "warn", "the model has no score"),
        ({"segment": {"about": model(tune_dice={"Tumor": 0.2})}}, "fail", "did badly even on"),
        ({"segment": {"about": model(shift=1)}}, "fail", "stained unlike what the model learned"),
        (
            {"segment": {"about": model(), "patches": 64, "unlike_patches": 32}},
            "warn",
            "the network sees what it did not learn from in 50.0 % of the slide",
        ),
    ],
)
def test_the_verdict_names_the_cause(tmp_path, options, word, words):
    manifest, output = run(tmp_path, **options)
    assert words in " ".join(manifest.results["reasons"]), manifest.results
    assert manifest.results["verdict"] == word, manifest.results
    assert read_metrics(output)["verdict"] == word


def test_labels_of_regions_that_fit_show_no_seam(good):
    _, output = good
    metrics = read_metrics(output)["metrics"]
    assert metrics["seam_index"]["value"] < 0.6
    assert metrics["seam_disagreement_percent"]["value"] < 5


def test_regions_that_disagree_are_found_and_shown(tmp_path):
    _, output = run(tmp_path, disagree=True)
    content = read_metrics(output)
    assert content["metrics"]["seam_disagreement_percent"]["value"] > 30
    assert "Where regions agree least" in [crop["title"] for crop in content["crops"]]


def test_crops_are_typical_of_each_class_and_lie_in_the_slide(good):
    _, output = good
    crops = read_metrics(output)["crops"]
    assert [crop["title"] for crop in crops[:2]] == ["Typical Stroma", "Typical Tumor"]
    assert crops[0]["x"] < MIDDLE < crops[1]["x"]
    assert all(0 < crop["x"] < WIDTH and 0 < crop["y"] < HEIGHT for crop in crops)


def test_a_sampler_that_looks_at_the_border_puts_its_samples_there(tmp_path, good):
    values = []
    for _, output in (good, run(tmp_path, zoom=1.8)):
        metrics = read_metrics(output)["metrics"]
        values.append({name: item["value"] for name, item in metrics.items()})
    even, zoomed = values
    assert even["border_gain"] == pytest.approx(1, abs=0.3)
    assert even["zoom_min"] == pytest.approx(1, rel=0.02)
    assert zoomed["zoom_min"] < 1
    assert zoomed["zoom_max"] > 2


def test_the_same_folders_give_the_same_bytes(good, tmp_path):
    _, first = good
    _, second = run(tmp_path)
    for path in (*first.glob("*.jpg"), first / "metrics.json"):
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_a_quarantined_slide_is_passed_on(tmp_path):
    def refuse(folder, _):
        raise MissingMppError(f"slide.tif has no microns per pixel {folder.name}")

    tile = tmp_path / "tile" / "one"
    run_stage("tile", tile, refuse, inputs={}, parameters={})
    passed = tmp_path / "detect" / "one"
    run_stage("detect", passed, dict, inputs={"tile": tile}, parameters={})
    output = tmp_path / "assess" / "one"
    manifest = assess(tile, passed, [passed], passed, output)
    assert manifest.quarantined
    assert manifest.quarantined_by == "tile"
    assert "no microns per pixel" in manifest.reason
    assert [path.name for path in output.iterdir() if path.suffix] == ["manifest.json"]


def test_artefacts_of_the_screen_are_reported_beside_those_of_the_rules(tmp_path):
    found = np.ones((HEIGHT // 16, WIDTH // 16), np.uint8)
    tissue = found[TOP // 16 : BOTTOM // 16, LEFT // 16 : RIGHT // 16]  # 35 x 48
    tissue[:] = 2
    tissue[:7], tissue[7:14, :12], tissue[14:21, :24] = 6, 4, 3
    found[-1, :10] = 5  # 16 um beside the tissue
    _, output = run(tmp_path, screen=found, parameters={"screen": True})
    metrics = read_metrics(output)["metrics"]
    values = {name: metrics[f"screen_{name}_percent"]["value"] for name in SCREEN_METRICS}
    assert values["out_of_focus"] == pytest.approx(100 * 7 / 35)
    assert values["fold"] == pytest.approx(100 * 7 * 12 / (35 * 48))
    assert values["pen"] == pytest.approx(100 * 7 * 24 / (35 * 48))
    assert values["bubble"] == pytest.approx(100 * 10 / (35 * 48 + 10))
    assert "tissue-qc" in metrics["screen_pen_percent"]["definition"]
    assert metrics["pen_percent"]["value"] == 0


def test_the_screen_is_reported_only_if_asked_for(good, tmp_path):
    _, output = good
    assert not any(name.startswith("screen") for name in read_metrics(output)["metrics"])
    with pytest.raises(UsageError, match="name its folder by --screened, or set `screen` to false"):
        run(tmp_path, parameters={"screen": True})
