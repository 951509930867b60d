"""The scripts for QuPath run in Groovy, against the part of QuPath's API that they use.

`tests/qupath/api` has the classes and methods with the names and arguments of QuPath's own source,
read at the tags v0.6.0 and v0.7.0 and at 0.8.0-SNAPSHOT.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from groovy_run import compile_groovy, run_groovy
from stage_folders import make_folders

from lds_path.options.labels import ExportOptions
from lds_path.stages.assess import assess
from lds_path.stages.export import export
from lds_path.stages.report import report

QUPATH = Path(__file__).parent.parent / "qupath"
FRAMES = {"case 1's": "bounds", "b": "level0"}
SLIDES = tuple(FRAMES)
LEFT, TOP = 120, 50


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    root = tmp_path_factory.mktemp("cohort") / "results"
    rgb = np.random.default_rng(0).integers(60, 200, (640, 800, 3)).astype(np.uint8)
    labels = (np.where(np.arange(800) < 400, 1, 2) * np.ones((640, 1))).astype(np.uint8)
    for slide in SLIDES:
        corner = {"left_l0": LEFT, "top_l0": TOP}
        tissue = np.ones((40, 50), bool)
        file = root.parent / f"{slide}.tif"
        file.write_text(slide)
        folders = make_folders(root, slide, rgb, tissue, labels, tile=corner, maps=True, file=file)
        export(folders.stitch, root / "export" / slide, options=ExportOptions(frame=FRAMES[slide]))
        place = root / "assess" / slide
        assess(folders.tile, folders.detect, folders.segment, folders.stitch, place)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root.parent)
        report(Path("results"), Path("results/report"), slides=SLIDES)
    return root


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """The part of QuPath's API that the scripts use, compiled."""
    folder = tmp_path_factory.mktemp("api")
    compile_groovy(folder, sorted((QUPATH / "api").glob("*.groovy")))
    return folder


@pytest.fixture(scope="module")
def done(cohort, classes):
    """What the scripts did."""
    slide = cohort.parent / f"{SLIDES[0]}.tif"
    sizes = (800, 640, 300, 200)
    asked = (cohort / "report" / "qupath", SLIDES[0], slide, *sizes)
    return json.loads(run_groovy(QUPATH / "check.groovy", *asked, classes=classes))


def test_the_project_has_every_slide_with_its_objects_classes_and_overlay(cohort, done):
    assert done["project"] == str(cohort / "qupath" / "project.qpproj")
    assert done["entries"] == [
        {
            "name": slide,
            "labels": str(cohort / "stitch" / slide / f"{slide}.labels.ome.tif"),
            "mpp": 0.5,
            "objects": 2,
        }
        for slide in SLIDES
    ]
    assert [name for name, _ in done["classes"]] == ["Stroma", "Tumor"]
    assert done["classes"][1][1] == (0xFF << 24 | 213 << 16 | 94 << 8) - 2**32
    assert done["scripts"] == ["show_overlay", "import_objects", "show_map"]


def test_a_slide_that_has_its_objects_gets_no_others(done):
    assert "case 1's: 2 objects\n" in done["said"][0]
    assert "case 1's: has its objects\n" in done["said"][1]


def test_the_overlay_is_that_of_the_open_slide_in_the_colours_of_its_classes(cohort, done):
    path = cohort / "stitch" / SLIDES[0] / f"{SLIDES[0]}.labels.ome.tif"
    assert done["overlay"] == str(path)
    assert done["live"]
    assert done["colors"] == {"0": None, "1": "Stroma", "2": "Tumor"}
    assert done["said"][2] == f"{path} lies over the slide.\n"  # and nothing of another size


def test_objects_are_imported_once(done):
    assert done["imported"] == 2
    assert done["said"][3].startswith("2 objects of ")
    assert done["said"][4].startswith("0 objects of ")


def test_the_maps_lie_over_the_slide_in_their_colours(cohort, done):
    confidence, density = done["maps"]
    folder = cohort / "stitch" / SLIDES[0]
    assert confidence["file"] == str(folder / f"{SLIDES[0]}.confidence.ome.tif")
    assert density["file"] == str(folder / f"{SLIDES[0]}.density.ome.tif")
    for found in (confidence, density):
        # The image is 1 x 1 in the API of the test, times 16: the pixels of the slide.
        assert found["live"]
        assert found["alphas"] == [0, 255, 255]
    assert (confidence["first"], confidence["last"]) == (0x440154, 0xFDE724)  # viridis
    assert (density["first"], density["last"]) == (0x000003, 0xFCFEA4)  # inferno
    assert "Mean probability of the label" in done["said"][5]
    assert "2 ** ((value - 1) / 10)" in done["said"][6]


def test_objects_of_both_frames_lie_right_in_a_cropped_and_in_a_whole_image(done):
    here, there, back = [[0, 0]], [[LEFT, TOP]], [[-LEFT, -TOP]]
    assert done["projected"] == done["cropped"] == [here, back]
    assert done["whole"] == [there, here]


@pytest.fixture(scope="module")
def elsewhere(cohort, classes, tmp_path_factory):
    """What make_project did on another computer: the project's folder and the slides came along."""
    place = tmp_path_factory.mktemp("elsewhere")
    home, slides = place / "project", place / "scans"
    shutil.copytree(cohort / "qupath", home)
    for name in ("project.qpproj", "scripts/make_project.groovy"):
        text = (home / name).read_text()
        (home / name).write_text(text.replace(str(cohort.parent), "/gone"))
    (slides / "deep").mkdir(parents=True)
    (slides / "other").mkdir()
    (slides / "deep" / "b.TIF").write_text("b")
    (slides / "case 1's.tif").write_text("a broken")  # of the same size
    (slides / "other" / "b.tif").write_text("an image of the same name, but not of the same size")
    steps = json.loads(run_groovy(QUPATH / "elsewhere.groovy", home, slides, 800, 640,
                                  classes=classes))  # fmt: skip
    return steps | {"found": (slides / "deep" / "b.TIF").as_uri().replace("file://", "file:")}


def test_slides_elsewhere_are_asked_for_once_and_found_by_name_and_size(elsewhere):
    assert elsewhere["windowless"]["asked"] == elsewhere["arguments"]["asked"] == []
    assert "Left out, b: b.tif was not found" in elsewhere["windowless"]["said"]
    for step in ("arguments", "asked"):
        assert elsewhere[step]["entries"]["b"]["uri"] == elsewhere["found"]
        assert "b: 2 objects\n" in elsewhere[step]["said"]
    folders = [text for text in elsewhere["asked"]["asked"] if text.startswith("Folder")]
    assert len(folders) == 1


def test_a_slide_that_cannot_be_opened_loses_nothing_of_the_others(elsewhere):
    step = elsewhere["asked"]
    assert "Left out, case 1's: cannot read " in step["said"]
    assert len(step["entries"]["b"]["ids"]) == 2
    assert step["syncs"] == 1


def test_the_stain_is_asked_for_once_unless_there_is_no_window(elsewhere):
    assert elsewhere["arguments"]["entries"]["b"]["type"] == "UNSET"
    assert elsewhere["asked"]["entries"]["b"]["type"] == "BRIGHTFIELD_OTHER"
    assert len([text for text in elsewhere["asked"]["asked"] if text.startswith("Stain")]) == 1
    assert not [text for text in elsewhere["again"]["asked"] if text.startswith("Stain")]


def test_objects_of_an_earlier_run_are_replaced_on_request_and_others_stay(elsewhere):
    run, unlocked, drawn, region = (
        f"00000000-0000-{version}000-8000-00000000000{number}"
        for number, version in enumerate((5, 5, 4, 5), start=1)
    )
    kept, replaced = (elsewhere[step]["entries"]["b"]["ids"] for step in ("kept", "replaced"))
    assert "b: keeps the objects of an earlier run\n" in elsewhere["kept"]["said"]
    assert len(kept) == 5  # one of the present run, too: what did not change has the same id
    assert {run, unlocked, drawn, region} < set(kept)
    assert "b: 1 objects, 1 of an earlier run removed\n" in elsewhere["replaced"]["said"]
    assert set(replaced) == {unlocked, drawn, region, *elsewhere["asked"]["entries"]["b"]["ids"]}


def test_a_project_that_is_open_is_changed_where_it_is_open(elsewhere):
    assert elsewhere["live"]
    assert elsewhere["refreshed"] == 4
    assert "The project is complete" in elsewhere["asked"]["said"]


def test_the_last_lines_name_the_project(cohort):
    summary = (cohort / "report" / "summary.txt").read_text()
    assert f"  {Path('results/qupath/project.qpproj')}: " in summary


def test_the_stain_of_the_sheet_is_that_of_the_images(cohort, tmp_path):
    sheet = tmp_path / "slides.tsv"
    sheet.write_text("slide\tpath\tStain\nb\tb.tif\tPAS\n")
    results = tmp_path / "results"
    shutil.copytree(cohort, results)
    report(results, tmp_path / "report", sheet=sheet)
    script = (results / "qupath" / "scripts" / "make_project.groovy").read_text()
    (slide,) = json.loads(script.split("'''")[1])["slides"]
    assert slide["image_type"] == "BRIGHTFIELD_OTHER"
