"""A training that starts from another model."""

from __future__ import annotations

import pytest
import torch
from small_slides import CLASSES, LATTICE, make_slide

from lds_path.errors import ModelError
from lds_path.learning.tuning.gain import find_loss
from lds_path.models.card import read_card
from lds_path.models.checkpoint import load_model
from lds_path.models.description import describe
from lds_path.option import make_options
from lds_path.options.model import TrainOptions
from lds_path.stages.train import train

QUICK = {"batch_size": 2, "tune_every": 2}
SMALL = {"architecture": "UNet", "channels": (4, 8), "texture": False}
FIRST = QUICK | SMALL | {"steps": 2, "ladder": (LATTICE // 2, LATTICE)}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("cohort")
    for seed, slide in enumerate("ab"):
        make_slide(root, slide, seed=seed)
    rows = ["a\ta.tif\tlabels/a.png\ttrain", "b\tb.tif\tlabels/b.png\ttune"]
    (root / "slides.tsv").write_text("\n".join(["slide\tpath\tlabels\tsplit", *rows]) + "\n")
    about = {"licence": "CC-BY-4.0", "data": "painted"}
    run(root, root / "first", **FIRST, **about)
    return root


def run(root, output, classes=CLASSES, sheet="slides.tsv", **changes):
    return train(
        root / sheet,
        output,
        tile=root / "tile",
        detect=root / "detect",
        classes=classes,
        options=make_options(TrainOptions(), changes),
    )


def weights_of(folder):
    return load_model(folder)[0].state_dict()


def continue_first(root, output, **changes):
    return run(root, output, **QUICK | {"steps": 1, "start": str(root / "first")} | changes)


def test_without_a_step_to_speak_of_the_model_is_the_one_it_started_from(root, tmp_path):
    continue_first(root, tmp_path / "model", start_rate=0.0, frozen="encoder-and-density")
    before, after = weights_of(root / "first"), weights_of(tmp_path / "model")
    assert before.keys() == after.keys()
    learned = [name for name in before if "running" not in name and "num_batches" not in name]
    assert all(torch.equal(before[name], after[name]) for name in learned)


def test_the_card_has_the_network_of_the_ancestor_and_names_its_licence(root, tmp_path):
    manifest = continue_first(root, tmp_path / "model", architecture="SpaceToDepthUNet")
    first, card = read_card(root / "first"), read_card(tmp_path / "model")
    assert card.network == first.network
    assert card.ancestor["model"] == str(root / "first")
    assert (card.ancestor["licence"], card.ancestor["data"]) == ("CC-BY-4.0", "painted")
    assert {"start/model.json", "start/weights.safetensors"} <= set(manifest.inputs)
    assert f"{root / 'first'} (CC-BY-4.0)" in (tmp_path / "model/index.html").read_text()


def test_other_classes_get_a_last_layer_of_their_own(root, tmp_path):
    renamed = tuple(f"new {name}" for name in CLASSES)
    continue_first(root, tmp_path / "model", classes=renamed, start_rate=0.0)
    before, after = weights_of(root / "first"), weights_of(tmp_path / "model")
    changed = {
        name
        for name, weights in before.items()
        if "running" not in name and "num_batches" not in name
        if not torch.equal(weights, after[name])
    }
    assert changed
    assert all(len(CLASSES) in before[name].shape for name in changed)


@pytest.mark.parametrize(
    ("frozen", "prefixes"),
    [("encoder", ("network.model.0.",)), ("density", ("density.", "benefit."))],
)
def test_what_is_frozen_stays_to_the_bit_and_the_rest_learns(root, tmp_path, frozen, prefixes):
    continue_first(root, tmp_path / "model", frozen=frozen, start_rate=1.0, steps=3)
    before, after = weights_of(root / "first"), weights_of(tmp_path / "model")
    kept = {name for name in before if name.startswith(prefixes)}
    assert kept
    assert all(torch.equal(before[name], after[name]) for name in kept)
    assert not torch.equal(
        before["network.model.2.0.conv.weight"], after["network.model.2.0.conv.weight"]
    )


def test_a_round_tells_the_dice_before_and_after_by_class(root, tmp_path, caplog):
    caplog.set_level("INFO")
    before = read_card(root / "first").scores["tune_dice"]
    manifest = continue_first(root, tmp_path / "model")
    card, page = read_card(tmp_path / "model"), (tmp_path / "model/index.html").read_text()
    assert card.scores["start_dice"] == manifest.results["start_dice"]
    assert card.scores["start_dice"] == pytest.approx(before, abs=1e-4)
    gain = [f"{name} {before[name]:.3f} -> {card.scores['tune_dice'][name]:.3f}" for name in before]
    assert f"tune Dice before and after: {', '.join(gain)}" in caplog.text
    assert "Dice before<" in page
    assert all(f"{value:.3f} before" in describe(card, root) for value in before.values())


def test_a_class_without_a_counterpart_has_no_score_before(root, tmp_path):
    """What the model before calls by the class that is gone is wrong, and its other class is scored as ever."""
    before = read_card(root / "first").scores["tune_dice"]
    renamed = ("Light", CLASSES[1])
    manifest = continue_first(root, tmp_path / "model", classes=renamed)
    assert manifest.results["start_dice"] == {
        "Light": None,
        CLASSES[1]: pytest.approx(before[CLASSES[1]], abs=1e-4),
    }


def test_a_training_that_starts_from_no_model_has_no_dice_before(root):
    assert "start_dice" not in read_card(root / "first").scores
    assert "Dice before<" not in (root / "first/index.html").read_text()


def test_without_slides_to_tune_by_the_gain_is_not_known(root, tmp_path, caplog):
    caplog.set_level("INFO")
    (root / "alone.tsv").write_text("slide\tpath\tlabels\tsplit\na\ta.tif\tlabels/a.png\ttrain\n")
    manifest = continue_first(root, tmp_path / "model", sheet="alone.tsv")
    assert manifest.results["start_dice"] == dict.fromkeys(CLASSES)
    assert "what it gained over the model that it started from is not known" in caplog.text


def test_a_model_worse_than_the_one_before_is_a_warning():
    before = {"Stroma": 0.9, "Tumor": 0.7, "Fat": None}
    assert find_loss(before, {"Stroma": 0.9, "Tumor": 0.7, "Fat": 0.1}) == []
    (loss,) = find_loss(before, {"Stroma": 0.8, "Tumor": 0.7, "Fat": 0.99})
    assert "better on the split tune (mean Dice 0.800, now 0.750)" in loss
    assert find_loss({"Stroma": None}, {"Stroma": 0.5}) == []
    assert find_loss({}, {"Stroma": 0.5}) == []


def test_a_model_that_is_not_there_ends_the_training_before_it_starts(root, tmp_path):
    with pytest.raises(ModelError, match="'nothing-like-it' does not exist"):
        continue_first(root, tmp_path / "model", start="nothing-like-it")
    assert not (tmp_path / "model").exists()


def test_another_resolution_than_the_ancestor_s_is_told(root, tmp_path, caplog):
    manifest = run(root, tmp_path / "model", **QUICK, steps=1, start="colon-epithelium")
    assert "the model 'colon-epithelium' learned at 1.1" in caplog.text
    assert any("learned at 1.1" in warning for warning in manifest.results["warnings"])
