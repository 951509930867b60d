"""The report shows every slide, however far it came, and needs nothing outside its folder."""

import copy
import json
import re
import shlex
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from stage_folders import make_folders

from lds_path.errors import LabelsError, MissingMppError, UnsuitableSlideError, UsageError
from lds_path.formats.results import ModelSummary, Remark
from lds_path.options.labels import ExportOptions
from lds_path.options.quality import ReportOptions
from lds_path.provenance.cohort import read_slide_record
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.stage_run import run_stage
from lds_path.reporting.cohort_page import render_index
from lds_path.reporting.cohort_table import describe_columns, mean_dice
from lds_path.reporting.pages import Files
from lds_path.reporting.words.last_lines import summarise
from lds_path.stages.assess import assess
from lds_path.stages.export import export
from lds_path.stages.report import PARTS, report
from lds_path.stages.stitch import stitch

HOSTILE = "<script>alert(1)</script> & 'quotes' \"both\""
QUOTED = re.sub(r"\\", r"\\\\", json.dumps(HOSTILE)[1:-1])
"""As the replacement in a JSON text."""
SCORES = {"dice": {"Stroma": 0.9, "Tumor": 0.8}, "iou": {"Stroma": 0.82, "Tumor": 0.67}}
SLIDES = ["good", "no-mpp", "dark", "half-way", "never", "bad-labels"]


class Page(HTMLParser):
    """Collects what a page says and what it refers to."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.tags, self.links, self.text = [], [], ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data):
        self.text += data


def quarantine(root, stage, slide, error, **inputs):
    def refuse(*_):
        raise error

    run_stage(stage, root / stage / slide, refuse, inputs=inputs, parameters={}, slide=slide)


def finish(root, slide, **segment):
    rgb = np.random.default_rng(0).integers(60, 200, (640, 800, 3)).astype(np.uint8)
    labels = np.where(np.arange(800) < 400, 1, 2) * np.ones((640, 1))
    tissue, labels = np.ones((40, 50), bool), labels.astype(np.uint8)
    folders = make_folders(root, slide, rgb, tissue, labels, segment=segment)
    assess(folders.tile, folders.detect, folders.segment, folders.stitch, root / "assess" / slide)
    export(folders.stitch, root / "export" / slide)
    return folders


def make_cohort(root):
    stitch = finish(root, "good").stitch
    run_stage(
        "evaluate",
        root / "evaluate" / "good",
        lambda *_: SCORES,
        inputs={"stitch": stitch},
        parameters={},
    )
    quarantine(root, "tile", "no-mpp", MissingMppError("fill the 'mpp' column of slides.tsv"))
    for stage, before in (("detect", "tile"), ("assess", "detect")):
        inputs = {before: root / before / "no-mpp"}
        run_stage(stage, root / stage / "no-mpp", dict, inputs=inputs, parameters={})
    for slide in ("dark", "half-way"):
        shutil.copytree(root / "tile" / "good", root / "tile" / slide)
    tile = root / "tile" / "dark"
    quarantine(root, "detect", "dark", UnsuitableSlideError(f"fluorescence {HOSTILE}"), tile=tile)
    stitch = finish(root, "bad-labels").stitch
    quarantine(root, "evaluate", "bad-labels", LabelsError("labels.tif is empty"), stitch=stitch)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("cohort") / "results"
    make_cohort(root)
    manifest = report(root, root / "report", slides=SLIDES)
    return manifest, root / "report"


def test_the_report_is_done_whatever_became_of_the_slides(made):
    manifest, _ = made
    assert manifest.status == "done"
    assert manifest.results["slides"] == {
        "good": "pass",
        "no-mpp": "quarantined",
        "dark": "quarantined",
        "half-way": "not finished",
        "never": "not finished",
        "bad-labels": "quarantined",
    }


@pytest.mark.parametrize("name", ["index.html", "summary.txt"])
def test_every_slide_without_a_result_is_named_with_its_reason(made, name):
    _, folder = made
    text = Page(folder / name).text if name.endswith("html") else (folder / name).read_text()
    for slide, reason in (
        ("no-mpp", "fill the 'mpp' column of slides.tsv"),
        ("dark", f"fluorescence {HOSTILE}"),
        ("half-way", "detect is not done yet"),
        ("never", "tile is not done yet"),
        ("bad-labels", "labels.tif is empty"),
    ):
        assert slide in text
        assert reason in text


def test_the_summary_counts_and_names_the_files_to_open(made):
    _, folder = made
    text = (folder / "summary.txt").read_text()
    assert text.startswith("6 slides: 1 done (1 pass), 3 quarantined, 2 not finished.\n")
    assert "dark (detect): fluorescence" in text
    for name in ("index.html", "cohort.tsv", "good.labels.ome.tif", "good.geojson.gz"):
        assert name in text


def test_the_summary_names_the_command_that_shows_the_pages_at_full_resolution(tmp_path):
    record = read_slide_record(tmp_path, "never")
    root = tmp_path / "my results"
    lines = summarise([record], {}, root / "report").splitlines()
    (line,) = [line for line in lines if line.startswith("  lds-path view ")]
    command = shlex.split(line.partition(": ")[0])
    assert command == ["lds-path", "view", str(root)]
    assert "lds-path view" not in summarise([record], {}, root / "report-so-far")


def test_the_last_lines_name_the_slides_that_do_not_pass_and_why(tmp_path):
    root = tmp_path / "results"
    remark = Remark("fail", "the model 'demo' knows only painted slides")
    finish(root, "real", remarks=(remark,))
    stitch = finish(root, "scored").stitch
    bad = {"word": "warn", "reason": "Dice of Tumor is 0.5 (limit 0.7)"}
    run_stage(
        "evaluate",
        root / "evaluate" / "scored",
        lambda *_: {"dice": {"Stroma": 0.9, "Tumor": 0.5}, "iou": {}, "remarks": [bad]},
        inputs={"stitch": stitch},
        parameters={},
    )
    finish(root, "good")
    manifest = report(root, root / "report", slides=["good", "scored", "real"])
    outcomes = {"good": "pass", "scored": "warn", "real": "fail"}
    assert manifest.results["slides"] == outcomes
    text = (root / "report/summary.txt").read_text()
    assert f"\nfail:\n  real: {remark.reason}\n" in text
    assert "\nwarn:\n  scored: Dice of Tumor is 0.5 (limit 0.7)\n" in text
    table = pd.read_csv(root / "report/cohort.tsv", sep="\t", index_col="slide")
    assert table["verdict"].to_dict() == outcomes
    assert table.loc["scored", "verdict_reasons"] == bad["reason"]
    index = Page(root / "report/index.html").text
    for slide, reason in (("real", remark.reason), ("scored", bad["reason"])):
        assert reason in Page(root / f"report/slides/{slide}.html").text
        assert reason in index


def test_of_many_doubtful_slides_the_last_lines_name_ten(tmp_path):
    root = tmp_path / "results"
    finish(root, "s0", remarks=(Remark("warn", "coarse"),))
    record = read_slide_record(root, "s0", parts=PARTS)
    assessed = record.stages["assess"]
    records = []
    for number, letter in enumerate("abcdefghijkl"):
        manifest = copy.deepcopy(assessed.manifests[0])
        manifest.results["reasons"] = [f"coarse {letter}"]
        folder = replace(assessed.folders[0], manifest=manifest)
        stages = {**record.stages, "assess": replace(assessed, folders=(folder,))}
        records.append(replace(record, slide=f"s{number}", stages=stages))
    files = {item.slide: Files("", {}, "", {}) for item in records}
    text = summarise(records, files, root)
    assert text.startswith("12 slides: 12 done (12 warn).\n")
    assert text.count(": coarse ") == 10
    assert "  and 2 more, see index.html\n" in text


def test_equal_reasons_are_told_once_with_the_range_of_their_numbers(tmp_path):
    root = tmp_path / "results"
    finish(root, "s0")
    for number in range(12):
        slide = f"dark-{number}"
        shutil.copytree(root / "tile" / "s0", root / "tile" / slide)
        dark = UnsuitableSlideError(f"slide & co.tif is light on dark (grey value {7 + number})")
        quarantine(root, "detect", slide, dark, tile=root / "tile" / slide)
    slides = ["s0", *(f"dark-{number}" for number in range(12))]
    report(root, root / "report", slides=slides)
    reason = "the file is light on dark (grey value 7 to 18)"
    text = (root / "report/summary.txt").read_text()
    assert f"\nquarantined:\n  12 slides (detect): {reason}\n    dark-0, dark-1, " in text
    assert text.count("light on dark") == 1
    page = Page(root / "report/index.html")
    attention = page.text.split("Needs attention")[2].split("Filter")[0]
    assert attention.count("light on dark") == 1
    assert all(f"slides/dark-{number}.html" in page.links for number in range(12))


@pytest.mark.parametrize(
    ("dice", "words"),
    [
        ({"Stroma": 0.95, "Tumor": None}, "Dice on slides that it did not learn from: Stroma 0.95"),
        ({}, "Nobody measured how good it is."),
    ],
)
def test_the_page_says_what_the_model_is_for_and_how_good_it_is(tmp_path, dice, words):
    root = tmp_path / "results"
    finish(root, "s", about=ModelSummary(description="Finds tumour in colon.", tune_dice=dice))
    report(root, root / "report", slides=["s"])
    text = " ".join(Page(root / "report/slides/s.html").text.split())
    assert "Model demo: Finds tumour in colon." in text
    assert words in text


def test_the_scripts_for_qupath_know_the_slides_that_have_objects(made):
    _, folder = made
    for name in ("make_project", "show_overlay", "import_objects"):
        script = (folder / "qupath" / f"{name}.groovy").read_text(encoding="utf-8")
        slides = json.loads(script.split("'''")[1])["slides"]
        assert [slide["slide"] for slide in slides] == ["good", "bad-labels"]
        for slide in slides:
            assert slide["mpp"] == 0.5  # the sheet's
            for stage, file in (("stitch", slide["labels"]), ("export", slide["objects"])):
                assert (folder.parent / stage / slide["slide"] / file).is_file()
    classes = json.loads((folder / "qupath" / "classes.json").read_text())["pathClasses"]
    assert [item["name"] for item in classes] == ["Stroma", "Tumor"]


def test_links_and_pictures_lie_in_the_folder_and_nothing_comes_from_a_network(made, tmp_path):
    _, folder = made
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    pages = [*copy.glob("*.html"), *sorted((copy / "slides").glob("*.html"))]
    assert len(pages) == 3 + len(SLIDES)
    for page in pages:
        for link in Page(page).links:
            if link == "data:,":
                continue
            if link.startswith("#"):
                assert link[1:] in {attrs.get("id") for _, attrs in Page(page).tags}, link
                continue
            assert not re.match(r"[a-z]+:|//|/", link), link
            assert (page.parent / unquote(link.partition("#")[0])).is_file(), link
        assert "url(" not in page.read_text(encoding="utf-8")


def test_the_report_takes_no_space_for_pictures_that_assess_wrote(made):
    _, folder = made
    pictures = sorted((folder / "slides/pictures/good").iterdir())
    assert len(pictures) > 10
    for picture in pictures:
        assert picture.samefile(folder.parent / "assess/good" / picture.name)


def test_each_slide_has_a_page_and_the_index_links_it(made):
    _, folder = made
    links = Page(folder / "index.html").links
    for slide in SLIDES:
        assert f"slides/{slide}.html" in links
        assert slide in Page(folder / "slides" / f"{slide}.html").text


def test_a_good_page_shows_pictures_numbers_and_provenance(made):
    _, folder = made
    page = Page(folder / "slides" / "good.html")
    pictures = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(pictures) >= 7 + 2 * 2
    assert {attrs["src"].split("/")[-1] for attrs in pictures} >= {"artefacts.jpg", "crop-1.jpg"}
    assert all(attrs["alt"] for attrs in pictures)
    for words in ("Stroma", "0.9", "mm²", "sha256", "numpy", "slide & co.tif", "sample sheet"):
        assert words in page.text
    assert "good.geojson.gz" in page.text


def test_the_page_says_which_objects_were_left_out_and_which_holes_filled(tmp_path):
    labels = np.ones((640, 800), np.uint8)
    labels[96:128, 96:128] = 2  # 256 um2
    rgb = np.full((640, 800, 3), 150, np.uint8)
    root = tmp_path / "results"
    folders = make_folders(root, "s1", rgb, np.ones((40, 50), bool), labels)
    output = root / "export" / "s1"
    found = export(
        folders.stitch, output, options=ExportOptions(min_object_um2=500, max_hole_um2=500)
    ).results
    assert found["dropped"]["Tumor"]["count"] == found["filled"]["Stroma"]["count"] == 1
    report(root, root / "report", slides=["s1"])
    text = Page(root / "report" / "slides" / "s1.html").text
    assert "Objects below 500 µm² are left out and holes below 500 µm² filled" in text


def test_a_page_zooms_into_every_layer_that_is_there(made):
    _, folder = made
    zoom = zoom_of(folder, "good")
    names = ["slide", "labels", "confidence", "density", "artefacts"]
    assert [layer["name"] for layer in zoom["layers"]] == names
    for layer in zoom["layers"]:
        path = folder / "slides" / layer["path"]
        assert path.is_file() or (path / "0" / f"0_0.{layer['ending']}").is_file()
    assert [item["name"] for item in zoom["layers"][1]["classes"]] == ["Stroma", "Tumor"]
    assert [layer["name"] for layer in zoom_of(folder, "dark")["layers"]] == ["slide"]
    assert zoom_of(folder, "no-mpp") is None


def zoom_of(folder, slide):
    tags = Page(folder / "slides" / f"{slide}.html").tags
    found = [attrs["data-zoom"] for _, attrs in tags if "data-zoom" in attrs]
    return json.loads(found[0]) if found else None


def test_without_zoom_there_are_no_tiles(made, tmp_path):
    results = made[1].parent
    report(results, tmp_path / "report", slides=SLIDES, options=ReportOptions(zoom="false"))
    assert not (tmp_path / "report" / "slides" / "zoom").exists()
    assert zoom_of(tmp_path / "report", "good") is None


@pytest.mark.parametrize("zoom", ["0", "-1", "nan", "101", "fine"])
def test_a_zoom_that_is_no_pixel_size_is_refused(zoom):
    with pytest.raises(UsageError, match=f"zoom is {zoom}, expected microns per pixel"):
        ReportOptions(zoom=zoom)


def test_a_damaged_pyramid_costs_the_slide_its_viewer_and_stops_no_report(tmp_path, caplog):
    root = tmp_path / "results"
    finish(root, "good")
    (root / "tile/good/pyramid.ome.zarr/1/c/0/0/0").write_bytes(b"damaged")
    report(root, root / "report", slides=["good"])
    assert "good has no viewer" in caplog.text
    assert zoom_of(root / "report", "good") is None
    assert not (root / "report" / "slides" / "zoom" / "good").exists()


def test_a_quarantined_slide_that_could_be_read_is_shown(made):
    _, folder = made
    assert (folder / "slides" / "pictures" / "dark" / "thumbnail.jpg").is_file()
    assert "slides/pictures/dark/small.jpg" in Page(folder / "index.html").links


def test_table_headers_have_a_scope_and_pages_a_language(made):
    _, folder = made
    for path in (folder / "index.html", folder / "slides" / "good.html"):
        tags = Page(path).tags
        assert all("scope" in attrs for tag, attrs in tags if tag == "th")
        assert ("html", {"lang": "en"}) in tags


def test_without_ids_the_report_shows_the_slides_of_the_sheet(made, tmp_path):
    _, folder = made
    sheet = tmp_path / "slides.tsv"
    sheet.write_text("slide\tpath\ngood\ta.svs\nlater\tb.svs\n", encoding="utf-8")
    manifest = report(folder.parent, tmp_path / "report", sheet=sheet)
    assert manifest.results["slides"] == {"good": "pass", "later": "not finished"}
    assert "later (tile): tile is not done yet" in (tmp_path / "report/summary.txt").read_text()


def test_a_report_without_slides_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="name the slides, or the sheet"):
        report(tmp_path, tmp_path / "report")


def test_the_table_has_one_row_a_slide_and_the_metrics(made):
    _, folder = made
    table = pd.read_csv(folder / "cohort.tsv", sep="\t", index_col="slide")
    assert list(table.index) == SLIDES
    assert table.loc["good", "verdict"] == "pass"
    assert table.loc["good", "area_mm2.Stroma"] == pytest.approx(400 * 640 * 0.25e-6, rel=0.05)
    assert table.loc["good", "dice"] == pytest.approx(0.85)
    assert table.loc["good", "dice.Tumor"] == 0.8
    assert table.loc["dark", "stopped_by"] == "detect"
    assert table.loc["dark", "reason"] == f"fluorescence {HOSTILE}"
    assert np.isnan(table.loc["never", "tissue_mm2"])


def test_whole_numbers_stay_whole_and_what_is_unknown_is_empty(made):
    _, folder = made
    table = pd.read_csv(folder / "cohort.tsv", sep="\t", index_col="slide", dtype=str)
    assert table.loc["good", "unreadable_tiles"] == "0"
    assert table.loc["never", "unreadable_tiles"] != table.loc["never", "unreadable_tiles"]
    assert "nan" not in (folder / "cohort.tsv").read_text().lower().split("\t")


@pytest.mark.parametrize("slides", [["a", "a.html"], ["a.html", "a"]])
def test_ids_that_end_like_files_of_the_report_do_not_collide(made, tmp_path, slides):
    results = made[1].parent
    for stage in ("tile", "detect", "segment", "stitch", "export", "assess"):
        for slide in slides:
            shutil.copytree(results / stage / "good", tmp_path / stage / slide)
    report(tmp_path, tmp_path / "report", slides=slides)
    for slide in slides:
        assert (tmp_path / "report/slides" / f"{slide}.html").is_file()
        assert (tmp_path / "report/slides/pictures" / slide / "overlay.jpg").is_file()


def test_a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe(made, tmp_path):
    rows = [f"good\tgood.tif\t{formula}" for formula in ("=cmd|' /C calc'!A0",)]
    sheet = tmp_path / "slides.tsv"
    sheet.write_text("\n".join(["slide\tpath\tbatch", *rows]), encoding="utf-8")
    report(made[1].parent, tmp_path / "report", sheet=sheet)
    table = pd.read_csv(tmp_path / "report" / "cohort.tsv", sep="\t", index_col="slide")
    assert table.loc["good", "batch"] == "'=cmd|' /C calc'!A0"


def test_every_column_is_explained_in_the_dictionary(made):
    _, folder = made
    table = pd.read_csv(folder / "cohort.tsv", sep="\t")
    dictionary = pd.read_csv(folder / "cohort-columns.tsv", sep="\t")
    assert list(dictionary["column"]) == list(table.columns)
    assert dictionary["definition"].str.endswith(".").all()
    assert dictionary["source"].notna().all()


def test_colours_are_three_columns(made):
    _, folder = made
    table = pd.read_csv(folder / "cohort.tsv", sep="\t", index_col="slide")
    for column in ("glass.red", "hematoxylin_vector.green", "eosin_vector.blue"):
        assert table[column].dtype == float


def test_the_outlines_of_all_slides_are_on_one_page_those_without_tissue_first(made, tmp_path):
    _, folder = made
    page = Page(folder / "outlines.html")
    shown = [page.text.index(f"{slide} ") for slide in ("no-mpp", "dark", "good")]
    assert shown == sorted(shown)
    assert "slides/pictures/good/tissue.jpg" in page.links
    assert all(
        unquote(link).endswith(".html")
        for link in page.links
        if link.startswith("slides/") and "pictures" not in link
    )
    assert "fill the 'mpp' column" in page.text
    assert "outlines.html" in Page(folder / "index.html").links


def test_an_outline_of_the_user_is_named_on_the_page_of_outlines(tmp_path):
    finish(tmp_path, "good")
    manifest = tmp_path / "detect/good/manifest.json"
    record = json.loads(manifest.read_text())
    for inputs, words in (
        ({}, "rules on colours"),
        ({"tissue": record["inputs"]["tile"]}, "your outline"),
    ):
        changed = record | {
            "inputs": record["inputs"] | inputs,
            "parameters": record["parameters"] | {"method": "classic"},
        }
        manifest.write_text(json.dumps(changed))
        report(tmp_path, tmp_path / "report", slides=["good"])
        assert words in Page(tmp_path / "report/outlines.html").text


def test_batches_of_the_sheet_are_compared(made, tmp_path):
    _, folder = made
    rows = [f"{slide}\t{slide}.tif\t{'AB'[slide == 'good']} & <b>" for slide in SLIDES]
    sheet = tmp_path / "slides.tsv"
    sheet.write_text("\n".join(["slide\tpath\tbatch", *rows]), encoding="utf-8")
    report(folder.parent, tmp_path / "report", slides=SLIDES, sheet=sheet)
    table = pd.read_csv(tmp_path / "report" / "cohort.tsv", sep="\t", index_col="slide")
    assert table.loc["good", "batch"] == "B & <b>"
    page = Page(tmp_path / "report" / "index.html")
    assert ("option", {}) in page.tags
    assert "B & <b>" in page.text
    assert "<b>" not in page.path.read_text(encoding="utf-8")


def test_columns_of_the_users_own_are_in_the_table_and_on_the_page(made, tmp_path):
    _, folder = made
    sheet = tmp_path / "slides.csv"
    sheet.write_text(
        "Slide;Path;Diagnosis;remark\ngood;a.svs;adenoma;=1+1\ndark;b.svs;no <b>tumour</b>;\n",
        encoding="utf-16",
    )
    report(folder.parent, tmp_path / "report", sheet=sheet)
    table = pd.read_csv(tmp_path / "report/cohort.tsv", sep="\t", index_col="slide")
    assert table.loc["good", "sheet.Diagnosis"] == "adenoma"
    assert table.loc["good", "sheet.remark"] == "'=1+1"
    columns = pd.read_csv(tmp_path / "report/cohort-columns.tsv", sep="\t", index_col="column")
    assert columns.loc["sheet.Diagnosis", "source"] == "sheet"
    page = Page(tmp_path / "report/index.html")
    choices = [attrs.get("data-cell") for tag, attrs in page.tags if tag == "select"]
    assert choices == ["word", "own1"]
    assert "no <b>tumour</b>" in page.text
    assert "<b>tumour" not in page.path.read_text(encoding="utf-8")


def test_an_id_that_the_sheet_does_not_list_is_an_error(made, tmp_path):
    _, folder = made
    sheet = tmp_path / "slides.tsv"
    sheet.write_text("slide\tpath\ngood\ta.svs\n", encoding="utf-8")
    with pytest.raises(UsageError, match="has no slide 'goood'; did you mean 'good'"):
        report(folder.parent, tmp_path / "report", slides=["goood"], sheet=sheet)


def test_the_page_of_two_hundred_slides_weighs_less_than_20_mb(made):
    _, folder = made
    one = read_slide_record(folder.parent, "good")
    records = [replace(one, slide=f"slide-{number}") for number in range(200)]
    files = {item.slide: Files("slides/good.html", {}, "small.jpg", {}) for item in records}
    page = render_index(records, files, describe_columns(records, ["slide"]))
    thumbnail = folder / "slides" / "pictures" / "good" / "small.jpg"
    assert len(page.encode()) + 200 * thumbnail.stat().st_size < 20e6


def test_words_from_users_are_never_markup(made):
    _, folder = made
    for page in (folder / "index.html", folder / "slides" / "dark.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def poison(content):
    """Add markup to every word of a JSON file that its reader does not know by heart."""
    if isinstance(content, dict):
        return {name: poison(value) for name, value in content.items()}
    if isinstance(content, list):
        return [poison(value) for value in content]
    plain = (
        not isinstance(content, str)
        or not content
        or re.fullmatch(r"done|pass|warn|fail|[\w-]+\.jpg", content)
    )
    return content if plain or HOSTILE in content else f"{content}{HOSTILE}"


def test_words_of_files_and_models_change_no_tag_of_a_page(tmp_path):
    """File names, vendors, class names, models, versions, reasons: whatever a stage wrote down."""
    root = tmp_path / "results"
    finish(root, "good")
    report(root, root / "report", slides=["good"])
    names = ("index.html", "slides/good.html")
    before = {name: Page(root / "report" / name) for name in names}
    shards = root.glob("segment/good/*/manifest.json")
    for path in [*root.glob("*/good/manifest.json"), *shards, *root.glob("*/good/metrics.json")]:
        renamed = re.sub("Stroma|Tumor", rf"\g<0>{QUOTED}", path.read_text())
        content = json.loads(renamed)
        kept = {"stage": content.get("stage"), "outputs": content.get("outputs", {})}
        kept["outputs"].pop("metrics.json", None)  # its hash is another one now
        path.write_text(json.dumps(poison(content) | {k: v for k, v in kept.items() if v}))
    report(root, root / "report", slides=["good"])
    for name in names:
        after = Page(root / "report" / name)
        assert after.text.count(HOSTILE) >= 3
        assert [tag for tag, _ in after.tags] == [tag for tag, _ in before[name].tags]
        kept = [
            [set(attrs) - {"data-zoom"} for _, attrs in one.tags] for one in (after, before[name])
        ]
        assert kept[0] == kept[1]


def test_a_hostile_slide_id_stays_text_and_in_the_folder(tmp_path):
    slides = ["<script>alert(1)</script>", "../outside", "..", "a\"b' onload=x"]
    output = tmp_path / "results" / "report"
    report(tmp_path / "results", output, slides=slides)
    assert sorted(path.name for path in tmp_path.rglob("*.html") if output in path.parents) == (
        sorted(path.name for path in tmp_path.rglob("*.html"))
    )
    page = Page(output / "index.html")
    assert len(list((output / "slides").glob("*.html"))) == len(slides)
    scripts = [attrs.get("src", "") for tag, attrs in page.tags if tag == "script"]
    assert scripts == ["viewer/served.js", "viewer/reviews.js", ""]
    assert not any("onload" in attrs for _, attrs in page.tags)
    assert all(slide in page.text for slide in slides)


@pytest.mark.parametrize(
    ("again", "outdated"), [("tile", "detect"), ("detect", "plan"), ("plan", "segment")]
)
def test_a_slide_whose_run_ended_early_is_not_done_by_what_an_earlier_run_left(
    tmp_path, again, outdated
):
    folders = finish(tmp_path, "a")
    inputs = {"tile": folders.tile, "plan": tmp_path / "plan/a"}
    for folder in folders.segment:
        write_again(folder, inputs=inputs)
    write_again(tmp_path / again / "a", parameters={"changed": 1})
    assert _problem(tmp_path, outdated) == (
        f"{tmp_path}/{outdated}/a is of an earlier {again}; run {outdated} again"
    )
    assert read_slide_record(tmp_path, "a", parts=PARTS).status == "not finished"


def write_again(folder, *, inputs=None, parameters=None):
    """Make the folder of a stage again with the same results, from other inputs."""
    manifest = read_manifest(folder)
    made = {"inputs": inputs or {}, "parameters": parameters or {}}
    run_stage(manifest.stage, folder, lambda *_: manifest.results, **made)


def _problem(root, stage):
    return read_slide_record(root, "a", parts=PARTS).stages[stage].problem


def test_metrics_and_scores_of_labels_that_were_made_again_are_not_shown(tmp_path):
    """As where a run with another model ended before them."""
    root = tmp_path / "results"
    folders = finish(root, "a")
    inputs = {"stitch": folders.stitch}
    run_stage("evaluate", root / "evaluate" / "a", lambda *_: SCORES, inputs=inputs, parameters={})
    assert mean_dice(read_slide_record(root, "a", parts=PARTS)) == pytest.approx(0.85)
    stitch(folders.tile, folders.detect, folders.segment, folders.stitch)
    assert report(root, root / "report", slides=["a"]).results["slides"] == {"a": "not finished"}
    text = (root / "report" / "summary.txt").read_text()
    assert "export/a is of an earlier stitch; run export again" in text
    page = Page(root / "report" / "slides" / "a.html")
    assert "stitch/a/a.labels.ome.tif" in page.text
    assert "export/a/a.geojson.gz" not in page.text
    export(folders.stitch, root / "export" / "a")
    record = read_slide_record(root, "a", parts=PARTS)
    assert (record.stopped_by, mean_dice(record), record.metrics) == ("assess", None, {})
    assess(folders.tile, folders.detect, folders.segment, folders.stitch, root / "assess" / "a")
    assert read_slide_record(root, "a", parts=PARTS).status == "done"
    shutil.rmtree(folders.stitch)  # as a run does that is about to make it again
    record = read_slide_record(root, "a", parts=PARTS)
    assert (record.stopped_by, record.metrics) == ("stitch", {})


def test_labels_that_left_the_sheet_neither_score_nor_quarantine_a_slide(tmp_path):
    root, sheet = tmp_path / "results", tmp_path / "slides.tsv"
    stitched = finish(root, "a").stitch
    quarantine(root, "evaluate", "a", LabelsError("labels.tif is empty"), stitch=stitched)
    for labels, outcome in (("labels.tif", "quarantined"), ("", "pass")):
        sheet.write_text(f"slide\tpath\tlabels\na\ta.svs\t{labels}\n")
        found = report(root, root / "report", sheet=sheet).results["slides"]
        assert found == {"a": outcome}


def test_an_unreadable_manifest_is_a_stage_that_did_not_finish(tmp_path):
    folder = tmp_path / "results" / "tile" / "torn"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"stage": "ti', encoding="utf-8")
    manifest = report(tmp_path / "results", tmp_path / "results" / "report", slides=["torn"])
    assert manifest.results["slides"] == {"torn": "not finished"}


@pytest.mark.parametrize(
    ("stage", "key"), [("tile", "slide_mpp"), ("stitch", "classes"), ("export", "style")]
)
def test_a_manifest_that_lacks_a_result_is_named_and_stops_no_report(tmp_path, stage, key):
    root = tmp_path / "results"
    for slide in ("good", "old"):
        finish(root, slide)
    path = root / stage / "old" / "manifest.json"
    content = json.loads(path.read_text())
    del content["results"][key]
    path.write_text(json.dumps(content))
    manifest = report(root, root / "report", slides=["good", "old"])
    assert manifest.results["slides"] == {"good": "pass", "old": "not finished"}
    text = (root / "report" / "summary.txt").read_text()
    assert f"  old ({stage}): {path}, results: it lacks '{key}', expected" in text
    assert f"run {stage} again" in text
    assert f"it lacks '{key}'" in Page(root / "report" / "slides" / "old.html").text


def test_damaged_metrics_are_named_and_stop_no_report(tmp_path):
    root = tmp_path / "results"
    for slide in ("good", "torn"):
        finish(root, slide)
    path = root / "assess" / "torn" / "metrics.json"
    path.write_text(path.read_text().replace("1", "7", 1))
    manifest = report(root, root / "report", slides=["good", "torn"])
    assert manifest.results["slides"] == {"good": "pass", "torn": "not finished"}
    assert f"{path} is damaged" in (root / "report" / "summary.txt").read_text()


def test_the_same_cohort_gives_the_same_files(made, tmp_path):
    _, folder = made
    report(folder.parent, tmp_path / "report", slides=SLIDES)
    for path in folder.rglob("*"):
        if path.suffix in (".html", ".tsv", ".jpg"):
            again = tmp_path / "report" / path.relative_to(folder)
            assert path.read_bytes() == again.read_bytes(), path.name


@pytest.mark.parametrize(
    ("frame", "named"), [("bounds", "s1.geojson.gz onto it"), ("level0", "import_objects.groovy")]
)
def test_the_page_says_how_objects_of_each_frame_come_into_qupath(tmp_path, frame, named):
    labels = np.ones((640, 800), np.uint8)
    rgb = np.full((640, 800, 3), 150, np.uint8)
    root = tmp_path / "results"
    folders = make_folders(root, "s1", rgb, np.ones((40, 50), bool), labels, maps=True)
    export(folders.stitch, root / "export" / "s1", options=ExportOptions(frame=frame))
    report(root, root / "report", slides=["s1"])
    steps = Page(root / "report" / "slides" / "s1.html").text.split("In QuPath")[1]
    assert named in steps
    assert "To see confidence or density over the slide" in steps
