"""lds-path suggest: which areas are chosen, and that what people correct in them is learned."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image
from snakemake_run import REPOSITORY, jobs_of
from stage_folders import CLASSES, make_folders

from lds_path.cli import cli
from lds_path.errors import UsageError
from lds_path.formats.labels.label_images import open_labels
from lds_path.formats.regions import REGIONS_NAME, copy_regions, read_regions
from lds_path.formats.results import PlanResults
from lds_path.geometry import Size
from lds_path.inference.expected_errors import EXPECTED_ERRORS_NAME, write_expected_errors
from lds_path.learning.data.training_set import find_slides, open_training_set
from lds_path.objects.drawn_objects import read_objects
from lds_path.options.suggesting import SuggestOptions
from lds_path.provenance.stage_folder import open_folder
from lds_path.provenance.stage_run import run_stage
from lds_path.provenance.verification import verify
from lds_path.reference.legend import IGNORE, Legend
from lds_path.reference.reference import open_reference
from lds_path.run.sheet import read_sheet
from lds_path.suggesting.suggestion import suggest
from lds_path.suggesting.words import command, explain

SIZE = Size(1100, 700)
LEGEND = Legend(tuple(item.name for item in CLASSES))


def make_slide(root, name, *, confidence=0.95, **more):
    """A slide with tumour in vertical bands, tissue but for its lowest quarter."""
    labels = np.where(np.arange(SIZE.width) // 100 % 2, 2, 1) * np.ones((SIZE.height, 1))
    rgb = np.full((SIZE.height, SIZE.width, 3), 200, np.uint8)
    tissue = np.ones((SIZE.height // 16 + 1, SIZE.width // 16 + 1), bool)
    tissue[33:] = False
    file = root / f"{name}.png"
    Image.fromarray(rgb[:, :, 0] + len(name) * np.uint8(0) + np.uint8(ord(name[-1]) % 50)).save(
        file
    )
    more = {"file": file, "tile": {"slide_mpp": 0.5, "mpp_source": "sheet"}, **more}
    confidences = np.broadcast_to(np.float32(confidence), (SIZE.height, SIZE.width))
    return make_folders(
        root, name, rgb, tissue, labels.astype(np.uint8), confidence=confidences, **more
    )


def on_the_right(low, high=0.95):
    """Confidence that is low from column 700 on."""
    return np.where(np.arange(SIZE.width) >= 700, low, high)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The run of three slides, which the model doubts on the right: most in a, least in c."""
    root = tmp_path_factory.mktemp("results")
    for name, low in (("a", 0.55), ("b", 0.65), ("c", 0.75)):
        make_slide(root, name, confidence=on_the_right(low))
    return root


def write_rows(path, *rows):
    columns = ("slide", "path", "mpp", "labels", "roi", "split", "patient")
    path.write_text("\n".join("\t".join(row) for row in (columns, *rows)) + "\n")
    return path


def row(results, slide, *, labels="", roi="", split="", patient=""):
    return (slide, str(results / f"{slide[0]}.png"), "0.5", labels, roi, split, patient)


def read_rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def boxes_of(output, name):
    """Bounds of the areas of a slide, level-0 pixels."""
    areas = read_objects(output / f"{name}.areas.geojson").polygons
    return [tuple(round(side) for side in area.bounds) for _, area in areas]


def test_the_areas_lie_where_the_model_doubts_and_do_not_overlap(results, tmp_path):
    found = suggest(results, tmp_path / "out", options=SuggestOptions(areas=6))
    rows = read_rows(tmp_path / "out/suggested.tsv")
    assert [row["slide"] for row in rows] == [area.name for area in found.areas]
    assert {row["slide"] for row in rows} == set("abc")
    assert rows[0]["slide"] == "a"
    assert all(float(row["left_l0"]) + float(row["width_l0"]) > 700 for row in rows)
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert {(row["width_um"], row["height_um"]) for row in rows} == {("128.0", "128.0")}
    assert all(row["why"].startswith("The model doubts its labels (more than") for row in rows)
    for name in "abc":
        for one, other in combinations(boxes_of(tmp_path / "out", name), 2):
            assert (
                one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
            )


def test_no_slide_and_no_patient_gets_more_than_one_and_a_half_equal_shares(results, tmp_path):
    sheet = write_rows(
        tmp_path / "s.tsv",
        *(row(results, slide, patient="P" if slide < "c" else "Q") for slide in "abc"),
    )
    options = SuggestOptions(areas=4)
    alone = suggest(results, tmp_path / "1", options=options)
    assert sorted(area.name for area in alone.areas) == ["a", "a", "b", "b"]
    grouped = suggest(results, tmp_path / "2", options=options, sheet=sheet)
    assert sorted(area.name for area in grouped.areas) == ["a", "a", "b", "c"]


def test_the_same_folders_give_the_same_files(results, tmp_path):
    for name in ("1", "2"):
        suggest(results, tmp_path / name, options=SuggestOptions(areas=5))
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert len(names) > 5
    for name in set(names) - {"train.yaml"}:  # which names its folder
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_chance_depends_on_the_seed_alone(results, tmp_path):
    chosen = {}
    for name, seed in (("1", 1), ("2", 1), ("3", 2)):
        options = SuggestOptions(areas=5, by="random", seed=seed)
        suggest(results, tmp_path / name, options=options)
        chosen[name] = (tmp_path / name / "suggested.tsv").read_text()
    assert chosen["1"] == chosen["2"] != chosen["3"]


def test_what_looks_unlike_the_training_is_suggested_where_doubt_is_equal(tmp_path):
    make_slide(tmp_path, "near", distances=0.0)
    make_slide(tmp_path, "strange", distances=2.5)
    found = suggest(tmp_path, tmp_path / "out", options=SuggestOptions(areas=1))
    (area,) = found.areas
    assert area.name == "strange"
    assert area.parts["distance"] == pytest.approx(2.5)


def test_expected_errors_of_a_plan_count_per_tissue(tmp_path):
    folders = make_slide(tmp_path, "a")
    table = folders.detect / REGIONS_NAME
    regions = read_regions(table)
    errors = np.zeros((len(regions), 2))
    errors[1, 1] = 500.0  # the second region of the upper row, on the lattice that it got

    def plan(folder, _):
        copy_regions(table, folder / REGIONS_NAME, [region.lattice for region in regions])
        rungs = np.ones(len(regions), np.intp)
        write_expected_errors(folder / EXPECTED_ERRORS_NAME, (16, 32), errors, rungs)
        return PlanResults(regions=len(regions), samples=1)

    inputs = {"tile": folders.tile, "detect": folders.detect}
    run_stage("plan", tmp_path / "plan/a", plan, inputs=inputs, parameters={})
    found = suggest(tmp_path, tmp_path / "out", options=SuggestOptions(areas=2, by="error"))
    for area in found.areas:
        assert area.rectangle.left >= regions[1].left
        assert area.rectangle.right <= regions[1].rectangle.right
        assert area.parts["error"] > 0


def test_the_objects_are_cut_to_the_areas_and_can_be_edited(results, tmp_path):
    suggest(results, tmp_path / "out", options=SuggestOptions(areas=3))
    content = json.loads((tmp_path / "out/a.geojson").read_text())["features"]
    areas = [item for item in content if item["properties"]["classification"]["name"] == "Region*"]
    objects = [item for item in content if item not in areas]
    assert {item["properties"]["classification"]["name"] for item in objects} == {"Stroma", "Tumor"}
    assert all(item["properties"]["objectType"] == "annotation" for item in content)
    assert all(item["properties"]["isLocked"] for item in areas)
    assert not any("isLocked" in item["properties"] for item in objects)
    whole = [area for _, area in read_objects(tmp_path / "out/a.areas.geojson").polygons]
    for name, area in read_objects(tmp_path / "out/a.geojson").polygons:
        assert name == "Region*" or any(square.buffer(0.01).contains(area) for square in whole)


def test_labels_and_areas_are_read_back_as_they_were_predicted(results, tmp_path):
    suggest(results, tmp_path / "out", options=SuggestOptions(areas=3))
    reference = open_reference(
        tmp_path / "out/a.geojson",
        legend=LEGEND,
        slide=SIZE,
        bounds_l0=SIZE,
        downsample=1.0,
        roi=tmp_path / "out/a.areas.geojson",
    )
    found = reference.read(0, 0, SIZE)
    with open_labels(open_folder(results / "stitch/a")) as labels:
        predicted = labels.read(0, 0, 0, SIZE)
    inside = np.zeros(predicted.shape, bool)
    for left, top, right, bottom in boxes_of(tmp_path / "out", "a"):
        inside[top:bottom, left:right] = True
    assert (found[~inside] == IGNORE).all()
    assert set(np.unique(predicted[inside])) >= {1, 2}
    assert (found[inside] == predicted[inside]).mean() > 0.99


def test_a_training_reads_the_sheet_that_was_written(results, tmp_path):
    suggest(results, tmp_path / "out", options=SuggestOptions(areas=4))
    sheet = tmp_path / "out/slides.tsv"
    slides = find_slides(sheet, base=None, tile=results / "tile", detect=results / "detect")
    assert [slide.slide for slide in slides["train"]] == ["a", "b"]
    regions = open_training_set(slides["train"], LEGEND)
    area = 4 * 256**2
    assert 0.99 * area < regions.counts.sum() < 3 * area  # where regions overlap, they count again
    rows = read_sheet(sheet)
    assert rows.loc["a", "path"] == str(results / "a.png")
    assert rows.loc["a", "mpp"] == 0.5
    config = yaml.safe_load((tmp_path / "out/train.yaml").read_text())
    assert config["train"] == {"start": "demo"}
    assert config["slides"] == str(sheet)
    assert config["classes"] == [
        {"name": "Stroma", "color": "#56B4E9"},
        {"name": "Tumor", "color": "#D55E00"},
    ]


def test_the_command_that_is_printed_trains_on_the_slides_with_areas_alone(results, tmp_path):
    sheet = write_rows(tmp_path / "s.tsv", *(row(results, slide) for slide in "abc"))
    suggest(results, tmp_path / "o ut", sheet=sheet, options=SuggestOptions(areas=4))
    program, *arguments = shlex.split(command(tmp_path / "o ut"))
    run = subprocess.run(
        [Path(sys.executable).parent / program, "-n", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert jobs_of(run) == {"tile": 2, "detect": 2, "train": 1, "total": 5}


def test_a_slide_named_like_the_areas_of_another_keeps_its_objects(tmp_path):
    for name in ("x", "x.areas"):
        make_slide(tmp_path, name, confidence=on_the_right(0.6))
    suggest(tmp_path, tmp_path / "out", options=SuggestOptions(areas=4))
    rows = read_sheet(tmp_path / "out/slides.tsv")
    assert sorted(rows.index) == ["x", "x.areas"]
    assert len({*rows["labels"], *rows["roi"]}) == 4
    for slide in rows.index:
        objects = {name for name, _ in read_objects(Path(rows.loc[slide, "labels"])).polygons}
        areas = {name for name, _ in read_objects(Path(rows.loc[slide, "roi"])).polygons}
        assert objects > areas == {"Region*"}


def test_without_a_sheet_the_image_of_a_file_and_the_hints_for_its_tissue_are_kept(tmp_path):
    tile = {"slide_mpp": 0.5, "mpp_source": "sheet", "scene": "1"}
    make_slide(tmp_path, "a", tile=tile, detect={"tissue_threshold": 0.015, "stain": "IHC"})
    suggest(tmp_path, tmp_path / "out", options=SuggestOptions(areas=1))
    row = read_sheet(tmp_path / "out/slides.tsv").loc["a"]
    assert (row["scene"], row["stain"], row["tissue_threshold"]) == ("1", "IHC", 0.015)


def test_what_scores_a_model_or_has_labels_is_kept_and_not_suggested(results, tmp_path):
    labels = tmp_path / "c.geojson"
    labels.write_text("{}")
    sheet = write_rows(
        tmp_path / "s.tsv",
        row(results, "a", patient="P"),
        row(results, "b", split="test", patient="p "),
        row(results, "c", labels="c.geojson", split="train"),
    )
    with pytest.raises(UsageError, match=r"no slide to suggest .*keep|kept .*: a, b; .*whole: c"):
        suggest(results, tmp_path / "out", sheet=sheet)
    sheet.write_text(sheet.read_text().replace("p ", "Q"))
    found = suggest(results, tmp_path / "out", sheet=sheet, options=SuggestOptions(areas=2))
    assert {area.name for area in found.areas} == {"a"}
    rows = read_sheet(tmp_path / "out/slides.tsv")
    assert rows["split"].tolist() == ["train", "test", "train"]
    assert rows.loc["c", "labels"] == str(labels)


def test_another_round_leaves_the_areas_of_the_last_alone(results, tmp_path):
    sheet = write_rows(tmp_path / "s.tsv", row(results, "a"), row(results, "b"))
    first = suggest(results, tmp_path / "1", sheet=sheet, options=SuggestOptions(areas=4))
    again = suggest(
        results, tmp_path / "2", sheet=tmp_path / "1/slides.tsv", options=SuggestOptions(areas=4)
    )
    assert {area.name for area in first.areas} == {"a", "b"}
    assert {area.name for area in again.areas} == {"a-2", "b-2"}
    for name in "ab":
        for one in boxes_of(tmp_path / "1", name):
            for other in boxes_of(tmp_path / "2", f"{name}-2"):
                apart = one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3]
                assert apart or other[1] >= one[3]
    third = suggest(
        results, tmp_path / "3", sheet=tmp_path / "2/slides.tsv", options=SuggestOptions(areas=2)
    )
    assert {area.name for area in third.areas} <= {"a-3", "b-3"}
    assert list(read_sheet(tmp_path / "3/slides.tsv").index[:4]) == ["a", "b", "a-2", "b-2"]


def test_slides_that_are_not_done_are_told_and_left_out(results, tmp_path):
    root = tmp_path / "results"
    shutil.copytree(results, root)
    shutil.rmtree(root / "stitch/c")
    run = CliRunner().invoke(cli, ["suggest", str(root), str(tmp_path / "out"), "-n", "4"])
    assert run.exit_code == 0, run.output
    assert "4 areas of 128 x 128 um on 2 slides" in run.output
    assert "Left out, not finished: c." in run.output
    assert "change train to tune for some that are corrected, such as b;" in run.output
    command = (
        f"--directory {tmp_path / 'out'} --configfile config.yaml {tmp_path / 'out/train.yaml'}"
    )
    assert f"snakemake train --cores all {command}" in run.output


def test_a_slide_to_score_on_is_named(results, tmp_path):
    labels = tmp_path / "c.geojson"
    sheet = write_rows(
        tmp_path / "s.tsv",
        row(results, "a"),
        row(results, "c", labels=str(labels), split="tune"),
    )
    arguments = ["suggest", str(results), str(tmp_path / "out"), "-n", "1", "--sheet", str(sheet)]
    run = CliRunner().invoke(cli, arguments)
    assert "The split tune scores the new model: c; nothing was suggested there." in run.output


def test_places_are_given_from_the_bounds_corner_and_from_that_of_the_file(tmp_path):
    make_slide(tmp_path, "a", tile={"left_l0": 1000, "top_l0": 300})
    suggest(tmp_path, tmp_path / "out", options=SuggestOptions(areas=1))
    (line,) = read_rows(tmp_path / "out/suggested.tsv")
    ((left, top, *_),) = boxes_of(tmp_path / "out", "a")
    assert (float(line["left_um"]), float(line["top_um"])) == (left * 0.5, top * 0.5)
    assert (float(line["left_l0"]), float(line["top_l0"])) == (left + 1000, top + 300)


def test_the_reasons_are_the_parts_that_are_high_the_highest_first():
    assert explain({"doubt": 0.8, "distance": 1.0, "error": 0.3}) == (
        "It looks unlike what the model learned from (more than in 99 % of all squares); the model"
        " doubts its labels (more than in 80 % of all squares)"
    )
    assert explain({"doubt": 0.5}, "Tumor") == "It shows Tumor, which the model predicts rarely"
    assert explain({"doubt": 0.5}) == "No part of the score stands out"


def test_a_results_folder_is_still_verified_with_the_areas_in_it(results, tmp_path):
    root = tmp_path / "results"
    shutil.copytree(results, root)
    before = verify(root, slides=False, versions=False, threads=1).findings
    suggest(root, root / "suggested", options=SuggestOptions(areas=1))
    assert verify(root, slides=False, versions=False, threads=1).findings == before


def test_what_cannot_be_done_is_said_in_one_line_and_leaves_nothing(results, tmp_path):
    output = tmp_path / "out"
    with pytest.raises(
        UsageError, match=r"has room for \d+ areas of 128 um, but 500 are asked for"
    ):
        suggest(results, output, options=SuggestOptions(areas=500))
    with pytest.raises(
        UsageError, match="not hold the error of any slide: `plan: budget` was uniform"
    ):
        suggest(results, output, options=SuggestOptions(by="error"))
    with pytest.raises(UsageError, match="holds no results of slides; name the folder"):
        suggest(tmp_path / "nowhere", output)
    (tmp_path / "begun/tile/a").mkdir(parents=True)
    with pytest.raises(
        UsageError, match=r"no slide to suggest areas from \(not finished: a\); run"
    ):
        suggest(tmp_path / "begun", output)
    assert not output.exists()
    output.mkdir()
    with pytest.raises(UsageError, match="out exists, and may hold what people have corrected"):
        suggest(results, output)


def test_slides_of_two_models_are_not_compared(tmp_path):
    make_slide(tmp_path, "a")
    make_slide(tmp_path, "b", segment={"model": "other"})
    with pytest.raises(UsageError, match="a was segmented by 'demo' and b by 'other'"):
        suggest(tmp_path, tmp_path / "out")
