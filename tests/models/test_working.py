"""Resolution, regions and lattice come from the model, and what differs from them is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lds_path.errors import ModelError, UsageError
from lds_path.geometry import Size
from lds_path.models.card import SHIPPED, read_card, write_card
from lds_path.models.working import compare_working, set_working, working_of
from lds_path.options.slides import DetectOptions, TileOptions

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
PAS, DEMO = (read_card(SHIPPED / name) for name in ("glomeruli-pas", "demo"))


def settle(model, tile=None, detect=None, start=None):
    """Return the sections that a run gets, and the warnings."""
    config = {
        "model": model,
        "train": CONFIG["train"] | {"start": start},
        "tile": CONFIG["tile"] | (tile or {}),
        "detect": CONFIG["detect"] | (detect or {}),
    }
    warnings = set_working(config, TileOptions(), DetectOptions())
    keys = ("region_size", "overlap", "lattice")
    return (config["tile"]["mpp"], *(config["detect"][key] for key in keys)), warnings


@pytest.mark.parametrize(
    ("model", "working"),
    [
        ("glomeruli-pas", (0.5, 1024, 128, 128)),
        ("demo", (0.5, 2048, 256, 192)),
        ("train", (0.5, 2048, 256, 256)),
    ],
)
def test_by_default_a_run_works_as_its_model_was_trained(model, working):
    assert settle(model) == (working, [])


def test_a_training_works_as_the_model_that_it_starts_from():
    assert settle("train", start="glomeruli-pas") == settle("glomeruli-pas")
    _, warnings = settle("train", tile={"mpp": 2.0}, start="glomeruli-pas")
    assert ["learned at 0.5" in warning for warning in warnings] == [True]


def test_another_model_folder_brings_its_own_resolution(tmp_path):
    card = replace(PAS, mpp=2.0, region_size=Size(512, 512), lattice=Size(64, 64), overlap=96)
    write_card(tmp_path, card)
    assert settle(str(tmp_path)) == ((2.0, 512, 96, 64), [])


def test_a_model_from_before_the_overlap_was_noted_takes_an_eighth():
    old = replace(PAS, overlap=None)
    assert working_of(old).overlap == 128
    assert working_of(old, region_size=1536).overlap == 192


@pytest.mark.parametrize(
    ("tile", "detect", "message"),
    [
        ({"mpp": 1.0}, {}, "tiled at 1 um per pixel, but the model 'glomeruli-pas' learned at 0.5"),
        ({}, {"region_size": 2048}, "regions have 2048 pixels per side, .* learned from 1024; set"),
        ({}, {"lattice": 256}, "lattices have 256 samples per side, .* learned from 128; set"),
    ],
)
def test_a_value_that_the_model_was_not_trained_with_is_used_with_a_warning(tile, detect, message):
    working, (warning,) = settle("glomeruli-pas", tile, detect)
    assert {*tile.values(), *detect.values()} <= set(working)
    assert warning.startswith("config.yaml: ")
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(warning)


def test_values_that_the_model_was_trained_with_give_no_warning():
    assert settle("demo", {"mpp": 0.52}, {"lattice": 96, "overlap": 512})[1] == []


@pytest.mark.parametrize(
    ("model", "detect", "message"),
    [
        (
            "glomeruli-pas",
            {"lattice": 100},
            "lattice` is 100, .* needs a multiple of 32; set it to",
        ),
        ("glomeruli-pas", {"region_size": 1000}, "region_size` is 1000, .* a multiple of 32"),
        ("glomeruli-pas", {"overlap": 100}, "overlap` is 100, but .* needs a multiple of 16"),
        ("demo", {"lattice": 160}, "160, which is not on the ladder .*, 64, 96, 128, 192 or 256"),
    ],
)
def test_what_the_network_cannot_take_is_an_error(model, detect, message):
    with pytest.raises(UsageError, match=message):
        settle(model, detect=detect)


def test_a_missing_model_is_named():
    with pytest.raises(ModelError, match="'nowhere' does not exist"):
        settle("nowhere")


@pytest.mark.parametrize(
    ("mpp", "true_mpp", "words"),
    [
        (0.5, 0.5, []),
        (0.5, 0.54, []),
        (0.5, 0.6, ["warn"]),
        (0.5, 0.95, ["fail"]),
        (0.25, 0.25, ["fail"]),
        (0.6, 0.6, ["warn"]),
    ],
)
def test_another_resolution_is_worse_the_farther_it_is(mpp, true_mpp, words):
    found = compare_working(
        PAS, "m", mpp=mpp, true_mpp=true_mpp, sizes=[Size(1024, 1024)], lattices=[Size(128, 128)]
    )
    assert [remark.word for remark in found] == words


def test_a_slide_that_is_too_coarse_is_told_from_a_wrong_setting():
    (remark,) = compare_working(PAS, "m", mpp=0.5, true_mpp=0.8, sizes=[Size(1024, 1024)])
    assert remark.reason == (
        "the slide has 0.8 um per pixel at its finest, but the model 'm' learned at 0.5"
    )


def test_every_lattice_of_a_ladder_was_learned_from():
    lattices = [Size(side, side) for side in (64, 96, 256)]
    assert compare_working(DEMO, "m", mpp=0.5, sizes=[Size(2048, 2048)], lattices=lattices) == ()
