from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import shapely
import torch
from PIL import Image
from small_slides import CLASSES, LATTICE, OVERLAP, REGION, make_slide

from lds_path.classes import make_classes
from lds_path.errors import LabelsError, TrainingError, UnsuitableSlideError, UsageError
from lds_path.geometry import Size
from lds_path.inference.familiarity import DeepFeatures
from lds_path.learning.measuring import measure
from lds_path.learning.recipe import Recipe
from lds_path.learning.trainer import Trainer
from lds_path.learning.training_state import identify
from lds_path.learning.tuning.calibration import AS_GOOD
from lds_path.models.card import read_card, write_card
from lds_path.models.checkpoint import load_model
from lds_path.network.grid import uniform_grid
from lds_path.network.spec import NetworkSpec
from lds_path.option import describe, make_options
from lds_path.options.labels import PlanOptions
from lds_path.options.model import TrainOptions
from lds_path.provenance.fingerprint import sha256
from lds_path.provenance.stage_run import run_stage
from lds_path.reference.legend import Legend
from lds_path.stages.plan import plan
from lds_path.stages.segment import segment
from lds_path.stages.train import Training, train

SMALL = {"architecture": "UNet", "channels": (4, 8), "texture": False}
QUICK = {"steps": 4, "batch_size": 2, "tune_every": 2, "kernel_width": 0.15} | SMALL


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("cohort")
    for seed, slide in enumerate("ab"):
        make_slide(root, slide, seed=seed)
    write_sheet(root, ("a", "labels/a.png", "train"), ("b", "labels/b.png", "tune"))
    return root


def write_sheet(root, *rows, name="slides.tsv"):
    lines = ["slide\tpath\tlabels\tsplit"]
    lines += [f"{slide}\t{slide}.tif\t{labels}\t{split}" for slide, labels, split in rows]
    (root / name).write_text("\n".join(lines) + "\n")
    return root / name


def run(root, output, sheet=None, **changes):
    names = {one.name for one in describe(TrainOptions())} & set(changes)
    asked = {name: changes.pop(name) for name in names}
    return train(
        sheet or root / "slides.tsv",
        output,
        tile=root / "tile",
        detect=root / "detect",
        **{"classes": CLASSES} | changes,
        options=make_options(TrainOptions(), QUICK | asked),
    )


@pytest.fixture(scope="module")
def model(root, tmp_path_factory):
    """A model of the training that changes nothing, to read."""
    folder = tmp_path_factory.mktemp("trained") / "model"
    run(root, folder)
    return folder


@pytest.fixture
def own_model(model, tmp_path):
    """A copy of it, to write into."""
    return shutil.copytree(model, tmp_path / "model")


def test_a_training_leaves_a_model_that_segments(root, tmp_path):
    manifest = run(root, tmp_path / "model", licence="Apache-2.0", authors=("A. Author",))
    assert manifest.results["train_regions"] == 3 * 2
    assert set(manifest.results["tune_dice"]) == set(CLASSES)
    assert {"sheet", "tile/a", "detect/b", "labels/a"} <= set(manifest.inputs)
    _, card = load_model(tmp_path / "model")
    assert card.class_names == CLASSES
    assert card.mpp == 0.5
    assert (card.region_size.width, card.lattice.width) == (REGION, LATTICE)
    assert [card.training[split]["slides"] for split in ("train", "tune")] == [["a"], ["b"]]
    assert card.training["steps"] == 4
    assert card.scores["tune_dice"] == manifest.results["tune_dice"]
    assert (card.licence, card.authors) == ("Apache-2.0", ("A. Author",))
    table = pd.read_csv(tmp_path / "model" / "training.tsv", sep="\t")
    assert table["step"].tolist() == [1, 2, 3, 4]
    assert table["tune_dice_Dark"].notna().tolist() == [False, True, False, True]
    assert (tmp_path / "model" / "curve.png").is_file()
    found = segment(
        root / "tile" / "b",
        root / "detect" / "b",
        tmp_path / "predictions",
        model=str(tmp_path / "model"),
        classes=CLASSES,
    )
    assert found.results["regions"] == 6


def test_a_training_explains_itself_in_one_page(root, tmp_path, caplog):
    caplog.set_level("INFO")
    manifest = run(root, tmp_path / "model", description="finds <dark> things")
    page = (tmp_path / "model" / "index.html").read_text()
    assert "finds &lt;dark&gt; things" in page
    assert f"lds-path describe {tmp_path / 'model'}<" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "All slides to learn from are of one patient" in page
    assert page.count("data:image/jpeg") == 3 * min(6, manifest.results["tune_regions"])
    assert "is wrong, most of it" in page
    assert set(manifest.results["tune_dice_by_slide"]) == {"b"}
    assert manifest.results["tune_dice_by_slide"]["b"] == manifest.results["tune_dice"]
    lines = [record.getMessage() for record in caplog.records]
    assert "train: 6 regions to learn from and 6 to score, at most 4 steps" in lines
    assert lines[-1].endswith(f"--config model={tmp_path / 'model'} slides=SHEET")


def test_a_single_class_ends_the_training_before_it_starts(root, tmp_path):
    with pytest.raises(TrainingError, match="lists only Dark"):
        run(root, tmp_path / "model", classes=("Dark",), class_map={"1": ""})
    assert not (tmp_path / "model").exists()


def test_regions_without_a_label_are_scored_where_any_label_is_wrong(root, tmp_path):
    labels = np.zeros((600, 1000), np.uint8)
    labels[:100, :50], labels[:100, 50:100] = 1, 2
    Image.fromarray(labels).save(root / "labels" / "corner.png")
    rows = [("a", "labels/a.png", "train"), ("b", "labels/corner.png", "tune")]
    sheet = write_sheet(root, *rows, name="corner.tsv")
    scored = {
        unlabelled: run(root, tmp_path / unlabelled, sheet, unlabelled=unlabelled).results
        for unlabelled in ("background", "ignore")
    }
    assert [scored[name]["tune_regions"] for name in ("background", "ignore")] == [6, 1]
    strict, lenient = (
        max(filter(None, scored[name]["tune_dice"].values()), default=0)
        for name in ("background", "ignore")
    )
    assert strict < 0.1 < lenient


def test_the_card_says_how_the_training_slides_were_cut_up_and_what_they_look_like(model):
    segmenter, card = load_model(model)
    assert (card.overlap, card.synthetic) == (OVERLAP, False)
    with DeepFeatures(segmenter) as features:
        assert len(card.familiarity.features.mean) == features.count
    assert len(card.familiarity.colours.mean) == 6


@pytest.mark.parametrize("painted", [(True, True), (True, False)])
def test_only_a_model_of_painted_slides_alone_is_synthetic(tmp_path, painted):
    for seed, slide in enumerate("ab"):
        make_slide(tmp_path, slide, seed=seed, painted=painted[seed])
    rows = [(slide, f"labels/{slide}.png", "train") for slide in "ab"]
    run(tmp_path, tmp_path / "model", write_sheet(tmp_path, *rows))
    assert load_model(tmp_path / "model")[1].synthetic == all(painted)


def measure_again(root, model, sheet=None):
    return measure(
        str(model), sheet or root / "slides.tsv", tile=root / "tile", detect=root / "detect"
    )


def test_a_model_from_before_is_measured_like_one_from_now_and_keeps_its_weights(root, own_model):
    weights, trained = (own_model / "weights.safetensors").read_bytes(), read_card(own_model)
    write_card(own_model, replace(trained, overlap=None, familiarity=None))
    found = measure_again(root, own_model)
    assert read_card(own_model) == replace(trained, familiarity=found)
    assert (own_model / "weights.safetensors").read_bytes() == weights
    assert found.colours == trained.familiarity.colours
    assert found.features.limit == pytest.approx(trained.familiarity.features.limit, rel=0.01)


def test_a_model_is_not_measured_on_other_slides_or_other_regions(root, own_model):
    sheet = write_sheet(root, ("b", "labels/b.png", "train"), name="other.tsv")
    with pytest.raises(UsageError, match="has the slides a in the split train, but the sheet b"):
        measure_again(root, own_model, sheet)
    card = read_card(own_model)
    write_card(own_model, replace(card, region_size=Size(1024, 1024)))
    with pytest.raises(UsageError, match="a is not cut up as in the training: the regions have"):
        measure_again(root, own_model)


def test_training_learns_the_classes(root, tmp_path):
    manifest = run(root, tmp_path / "model", steps=100, tune_every=50, learning_rate=0.01)
    assert min(manifest.results["tune_dice"].values()) > 0.8
    assert manifest.results["steps"] == 100


def weights_of(model):
    return (model / "weights.safetensors").read_bytes()


def test_the_same_seed_gives_the_same_weights(root, model, tmp_path):
    seed = TrainOptions().recipe.seed
    for name, other in (("same", seed), ("other", seed + 1)):
        run(root, tmp_path / name, seed=other)
    assert weights_of(tmp_path / "same") == weights_of(model) != weights_of(tmp_path / "other")


def test_a_memory_too_small_for_a_region_changes_nothing(root, model, tmp_path):
    run(root, tmp_path / "model", cache_mib=0)
    assert TrainOptions().cache_mib > 100
    assert weights_of(tmp_path / "model") == weights_of(model)


class Interrupted(BaseException):
    """What a power cut would be."""


def stop_after(monkeypatch, steps):
    """Let the training end like a process that is killed, after some steps."""
    original, left = Trainer.step, [steps]

    def step(self, number, batch):
        if not left[0]:
            raise Interrupted
        left[0] -= 1
        return original(self, number, batch)

    monkeypatch.setattr(Trainer, "step", step)


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    """A model of six steps that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "model"
    run(root, folder, steps=6)
    return folder


@pytest.mark.parametrize("steps", [0, 1, 3, 5])
def test_an_interrupted_training_gives_the_same_model(root, whole, tmp_path, monkeypatch, steps):
    with monkeypatch.context() as patch:
        stop_after(patch, steps)
        with pytest.raises(Interrupted):
            run(root, tmp_path / "parts", steps=6, state=tmp_path / "state")
    assert not (tmp_path / "parts").exists()
    run(root, tmp_path / "parts", steps=6, state=tmp_path / "state", cache_mib=1)
    for name in ("weights.safetensors", "training.tsv", "curve.png"):
        assert (tmp_path / "parts" / name).read_bytes() == (whole / name).read_bytes()
    assert not (tmp_path / "state").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["parts"]


def test_another_training_starts_from_the_beginning(root, tmp_path, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(Interrupted):
            run(root, tmp_path / "model", seed=1)
    run(root, tmp_path / "model", seed=2)
    run(root, tmp_path / "other", seed=2)
    assert "belongs to another training" in caplog.text
    weights = [
        (tmp_path / name / "weights.safetensors").read_bytes() for name in ("model", "other")
    ]
    assert weights[0] == weights[1]


def test_a_state_folder_with_foreign_files_is_left_alone(root, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    with pytest.raises(UsageError, match=r"mine holds thesis\.txt, which no training wrote"):
        run(root, tmp_path / "model", state=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_model(root, tmp_path, monkeypatch):
    original = Trainer.step

    def step(self, number, batch):
        if number == 3:
            with torch.no_grad():
                next(self.segmenter.network.parameters()).fill_(torch.nan)
        return original(self, number, batch)

    monkeypatch.setattr(Trainer, "step", step)
    with pytest.raises(TrainingError) as caught:
        run(root, tmp_path / "model", state=tmp_path / "state")
    message = str(caught.value)
    assert "the loss is nan at step 4" in message
    assert "it saw a region" in message
    assert f"the model of step 2 is kept in {tmp_path / 'state' / 'best'}" in message
    segmenter, card = load_model(tmp_path / "state" / "best")
    assert card.scores["step"] == 2
    assert all(bool(torch.isfinite(weights).all()) for weights in segmenter.parameters())


def test_weights_that_are_no_numbers_are_not_kept(root, tmp_path, monkeypatch):
    original = Trainer.step

    def step(self, number, batch):
        losses = original(self, number, batch)
        with torch.no_grad():
            next(self.segmenter.network.parameters()).fill_(torch.nan)
        return losses

    monkeypatch.setattr(Trainer, "step", step)
    with pytest.raises(
        TrainingError, match=r"not finite numbers after step 1; .*; no model has been kept"
    ):
        run(root, tmp_path / "model", tune_every=1)


def test_training_ends_early_when_nothing_gets_better(root, tmp_path, monkeypatch):
    scores = iter([0.5, 0.6, 0.4, 0.59, 0.3, 0.9])
    monkeypatch.setattr(
        "lds_path.learning.fit.tune_dice", lambda *_, **__: np.array([next(scores), np.nan])
    )
    manifest = run(root, tmp_path / "model", steps=6, tune_every=1, patience=3)
    assert (manifest.results["steps"], manifest.results["best_step"]) == (5, 2)
    assert load_model(tmp_path / "model")[1].scores["tune_dice"] == {"Pale": 0.6, "Dark": None}


def write_geojson(path, *objects):
    features = [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(area),
            "properties": {"classification": {"name": name, "color": [1, 2, 3]}},
        }
        for name, area in objects
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def test_polygons_of_qupath_in_an_annotated_area_train_a_model(root, tmp_path):
    dark = shapely.box(100, 100, 300, 300)
    with_hole = dark.difference(shapely.box(150, 150, 200, 200))
    write_geojson(
        root / "drawn.geojson",
        ("Dunkel", with_hole),
        ("Ignore*", shapely.box(0, 0, 50, 50)),
        ("Region*", shapely.box(0, 0, 400, 400)),
    )
    write_geojson(root / "area.geojson", ("Region*", shapely.box(0, 0, 400, 400)))
    sheet = root / "drawn.tsv"
    sheet.write_text(
        "slide\tpath\tlabels\troi\tsplit\tpatient\n"
        "a\ta.tif\tdrawn.geojson\tarea.geojson\ttrain\tP1\n"
    )
    options = {"class_map": {"Dunkel": "Dark", "Region*": ""}, "unlabelled": "Pale"}
    run(root, tmp_path / "model", sheet, **options)
    training = load_model(tmp_path / "model")[1].training
    areas = training["train"]["labelled_mm2"]
    pixels = {"Dark": with_hole.area, "Pale": 400 * 400 - 200 * 200 + 50 * 50 - 50 * 50}
    for name, count in pixels.items():
        assert areas[name] == pytest.approx(count * 0.25e-6, abs=1e-4)
    assert training["train"]["patients"] == 1
    assert training["unlabelled"] == "Pale"


def test_the_paper_s_recipe_is_a_preset(root, tmp_path):
    run(root, tmp_path / "model", preset="jin2022", edge_weight=0.5, sampler="uniform")
    _, card = load_model(tmp_path / "model")
    assert (card.network.sampler, card.network.density_network) == ("kernel", "local")
    assert (card.training["preset"], card.training["edge_weight"]) == ("jin2022", 100)
    assert card.training["steps"] == 4


def test_a_preset_that_is_unknown_is_named(root, tmp_path):
    with pytest.raises(UsageError, match="the preset 'jin' is unknown; there are jin2022"):
        run(root, tmp_path / "model", preset="jin")


def test_an_option_that_is_unknown_is_named():
    with pytest.raises(UsageError, match="there is no option 'stepz'"):
        make_options(TrainOptions(), {"stepz": 3})


@pytest.mark.parametrize("sampler", ["uniform", "kernel", "knothe-rosenblatt"])
def test_without_tuning_slides_the_last_weights_count(root, tmp_path, sampler):
    sheet = write_sheet(root, ("a", "labels/a.png", "train"), name=f"{sampler}.tsv")
    manifest = run(root, tmp_path / "model", sheet, sampler=sampler)
    assert manifest.results["best_step"] == 4
    assert manifest.results["tune_dice"] == dict.fromkeys(CLASSES)
    assert load_model(tmp_path / "model")[1].network.sampler == sampler


def test_quarantined_slides_are_left_out(root, tmp_path, caplog):
    def work(*_):
        raise UnsuitableSlideError("no tissue")

    run_stage("detect", root / "detect" / "bad", work, inputs={}, parameters={})
    rows = [("a", "labels/a.png", "train"), ("bad", "labels/a.png", "train")]
    manifest = run(root, tmp_path / "model", write_sheet(root, *rows, name="bad.tsv"))
    assert manifest.status == "done"
    assert "bad is left out of the training: no tissue" in caplog.text


@pytest.mark.parametrize("row", [("a", "", "train"), ("a", "labels/a.png", "test")])
def test_a_sheet_without_a_slide_to_learn_from_is_named(root, tmp_path, row):
    sheet = write_sheet(root, row, name="none.tsv")
    with pytest.raises(TrainingError, match=r"none\.tsv has no slide .* 'labels' and 'split'"):
        run(root, tmp_path / "model", sheet)


def write_labels(root, name, value):
    Image.fromarray(np.full((600, 1000), value, np.uint8)).save(root / "labels" / name)
    return write_sheet(root, ("a", f"labels/{name}", "train"), name="values.tsv")


def test_a_label_beyond_the_classes_is_named(root, tmp_path):
    sheet = write_labels(root, "three.png", 3)
    with pytest.raises(LabelsError, match=r"three\.png has the label value 3, but the classes"):
        run(root, tmp_path / "model", sheet)


@pytest.mark.parametrize("value", [0, 255])
def test_labels_that_say_nothing_are_named(root, tmp_path, value):
    sheet = write_labels(root, f"nothing{value}.png", value)
    with pytest.raises(TrainingError, match="no region of a has a labelled pixel"):
        run(root, tmp_path / "model", sheet)


def test_labels_of_another_slide_fail_the_training(root, tmp_path):
    Image.fromarray(np.ones((300, 300), np.uint8)).save(root / "labels" / "small.png")
    sheet = write_sheet(root, ("a", "labels/small.png", "train"), name="small.tsv")
    with pytest.raises(LabelsError, match=r"small\.png is 300 x 300"):
        run(root, tmp_path / "model", sheet)


def test_slides_of_two_mpp_are_named(root, tmp_path):
    make_slide(root, "fine", mpp=0.25)
    rows = [("a", "labels/a.png", "train"), ("fine", "labels/fine.png", "train")]
    with pytest.raises(TrainingError, match=r"fine was tiled at 0\.25 .* and a at 0\.5"):
        run(root, tmp_path / "model", write_sheet(root, *rows, name="mpp.tsv"))


def test_regions_of_two_sizes_are_named(root, tmp_path):
    other = make_slide(root, "other", seed=9)
    path, manifest = other.detect / "regions.tsv", other.detect / "manifest.json"
    before = sha256(path)
    path.write_text(path.read_text().replace(f"\t{LATTICE}\t", "\t64\t"))
    manifest.write_text(manifest.read_text().replace(before, sha256(path)))
    rows = [("a", "labels/a.png", "train"), ("other", "labels/other.png", "tune")]
    with pytest.raises(TrainingError, match="other and a differ in size or lattice"):
        run(root, tmp_path / "model", write_sheet(root, *rows, name="sizes.tsv"))


def test_the_card_is_plain_json(model):
    content = json.loads((model / "model.json").read_text())
    assert content["classes"][1]["name"] == "Dark"
    assert content["training"]["architecture"] == "UNet"


def test_a_ladder_makes_a_model_that_plans_and_knows_its_calibration(root, tmp_path):
    manifest = run(root, tmp_path / "model", ladder=(16, 32, 64), view_margin=64)
    assert tuple(manifest.parameters["ladder"]) == (16, 32, 64)
    _, card = load_model(tmp_path / "model")
    known = card.scores["calibration"]
    assert known["ladder"] == [16, 32, 64]
    found = known["found_error"]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0
    assert all(0 <= dice <= 1 for dice in known["dice"])
    enough = known["ladder"].index(card.lattice.width)
    assert known["dice"][enough] >= max(known["dice"]) - AS_GOOD - 1e-3
    assert all(dice < max(known["dice"]) - AS_GOOD + 1e-3 for dice in known["dice"][:enough])
    assert manifest.results["tune_dice"] == card.scores["tune_dice"]
    with Image.open(tmp_path / "model" / "calibration.png") as picture:
        assert picture.size[0] > 600
    planned = plan(
        root / "tile" / "b",
        root / "detect" / "b",
        tmp_path / "plan",
        model=str(tmp_path / "model"),
        options=PlanOptions(budget="32"),
    )
    assert planned.results["samples"] <= 6 * 32**2


def test_a_ladder_learns_what_lattices_are_worth(root, tmp_path):
    changes = {"steps": 150, "tune_every": 50, "learning_rate": 0.01}
    run(root, tmp_path / "model", ladder=(16, 32, 64), **changes)
    _, card = load_model(tmp_path / "model")
    known = card.scores["calibration"]
    for expected, found in zip(known["expected_error"], known["found_error"], strict=True):
        assert 0.5 * found < expected < 2 * found
    assert min(known["dice"]) > 0.6


def test_a_warp_that_is_not_proven_on_the_tune_split_is_left_out(root, tmp_path):
    run(root, tmp_path / "model", warp_gate=True)
    segmenter, card = load_model(tmp_path / "model")
    gate = card.scores["warp"]
    assert gate["strengths"] == [0, 0.5, 1]
    proven = [gain > 0 for gain in gate["proven_gain"]]
    assert (card.network.warp_strength > 0) == any(proven)
    view = torch.rand(1, 3, 64, 64) * 255
    grid = segmenter.sample(view, Size(32, 32)).grid
    is_uniform = torch.allclose(grid, uniform_grid(Size(32, 32), grid), atol=1e-6)
    assert is_uniform == (card.network.warp_strength == 0)
    assert set(card.scores["tune_dice"]) == set(CLASSES)


def test_without_a_ladder_no_errors_are_predicted(model):
    _, card = load_model(model)
    assert "calibration" not in card.scores
    assert not (model / "calibration.png").exists()


def test_a_training_begun_under_an_old_name_of_an_option_can_be_resumed():
    recipe = Recipe(error_source="network")
    options = TrainOptions(network=NetworkSpec(class_count=1), recipe=recipe)
    training = Training(
        slides={"train": [], "tune": []},
        legend=Legend(("A",)),
        classes=make_classes(("A",), ()),
        options=options,
        device=torch.device("cpu"),
    )
    parameters = training.parameters() | training.about()
    before = {**parameters, "foretell": "network"}
    del before["error_source"]
    assert training._identity() == identify({"parameters": before, "inputs": {}})
