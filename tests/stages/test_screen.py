"""screen classifies the overview of a slide, whatever the tiles and threads."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from stage_folders import make_folders

from lds_path.classes import make_classes
from lds_path.errors import ModelError, StageInputError, UnreadableSlideError
from lds_path.formats.class_map import CLASS_MAP_NAME, open_class_map
from lds_path.formats.pyramid import PYRAMID_NAME, open_pyramid
from lds_path.geometry import Size
from lds_path.inference.screening import classify_overview
from lds_path.models.card import WEIGHTS_NAME, ModelCard
from lds_path.models.checkpoint import save_model
from lds_path.network.device import device_name
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec
from lds_path.options.slides import ScreenOptions
from lds_path.provenance.stage_folder import open_folder
from lds_path.provenance.stage_run import run_stage
from lds_path.stages.screen import screen

SIDE = 64
SPEC = NetworkSpec(
    2, channels=(4, 8), density_network="local", sampler="uniform", shared_features=False
)
CARD = ModelCard(
    SPEC, make_classes(("Glass", "Tissue"), ()), 8.0, Size(SIDE, SIDE), Size(SIDE, SIDE)
)
GLASS, EOSIN = 243, (226, 140, 186)


def save(folder, card=CARD):
    folder.mkdir()
    torch.manual_seed(0)
    save_model(folder, Segmenter(card.network), card)
    return str(folder)


@pytest.fixture(scope="module")
def tile(tmp_path_factory):
    """A slide of 1600 x 1200 pixels of 0.5 um, tissue left, glass right: 100 x 75 pixels at 8 um."""
    rgb = np.full((1200, 1600, 3), GLASS, np.uint8)
    rgb[200:1000, 100:800] = EOSIN
    tissue = np.ones((75, 100), bool)
    labels = np.ones((1200, 1600), np.uint8)
    return make_folders(tmp_path_factory.mktemp("slide"), "one", rgb, tissue, labels).tile


def test_the_map_has_a_class_for_each_pixel_of_the_overview(tile, tmp_path):
    model = save(tmp_path / "model")
    manifest = screen(tile, tmp_path / "screen", options=ScreenOptions(model=model))
    found = open_class_map(open_folder(tmp_path / "screen"))
    assert found.pixels.shape == (75, 100)
    assert (found.results.map_downsample, found.results.map_mpp) == (16, 8)
    assert set(np.unique(found.pixels)) <= {1, 2}
    assert found.results.percent["Tissue"] == pytest.approx(100 * found.where("Tissue").mean())
    assert sum(found.results.percent.values()) == pytest.approx(100)
    assert set(manifest.inputs) == {"tile", "model"}
    assert set(manifest.inputs["model"]["files"]) == {"model.json", "weights.safetensors"}
    assert manifest.device == device_name(torch.device("cpu"))


def test_the_map_shows_the_colours_of_the_classes(tile, tmp_path):
    screen(tile, tmp_path / "screen", options=ScreenOptions(model=save(tmp_path / "model")))
    with Image.open(tmp_path / "screen" / CLASS_MAP_NAME) as image:
        shown, values = np.asarray(image.convert("RGB")), np.asarray(image)
    for item in CARD.classes:
        assert (shown[values == item.value] == item.color).all()


@pytest.fixture(scope="module")
def segmenter():
    torch.manual_seed(0)
    return Segmenter(SPEC).eval()


def test_a_class_does_not_depend_on_the_tile_that_a_pixel_lies_in(segmenter):
    """Each pixel of this network sees 20 pixels around it at most."""
    rng = np.random.default_rng(0)
    overview = np.kron(rng.integers(0, 255, (60, 80, 3), np.uint8), np.ones((4, 4, 1), np.uint8))
    whole = classify_overview(segmenter, overview, side=128, threads=1)
    shifted = classify_overview(segmenter, overview[50:, 70:], side=128, threads=2)
    assert 0.1 < (whole == 1).mean() < 0.9
    np.testing.assert_array_equal(whole[82:, 102:], shifted[32:, 32:])


def test_an_overview_smaller_than_a_tile_is_classified(segmenter):
    overview = np.full((7, 3, 3), GLASS, np.uint8)
    assert classify_overview(segmenter, overview, side=64, threads=1).shape == (7, 3)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (replace(CARD, lattice=Size(32, 32)), "samples regions sparsely"),
        (replace(CARD, network=replace(SPEC, sampler="separable")), "samples regions sparsely"),
        (replace(CARD, network=replace(SPEC, texture=True)), "samples regions sparsely"),
        (replace(CARD, classes=make_classes(("Stroma", "Tumor"), ())), "the class Tissue"),
    ],
)
def test_a_model_that_is_not_for_overviews_is_refused(tile, tmp_path, card, message):
    options = ScreenOptions(model=save(tmp_path / "model", card))
    with pytest.raises(ModelError, match=f"{message}.*such as tissue-qc"):
        screen(tile, tmp_path / "screen", options=options)


def test_a_quarantined_slide_is_passed_on_without_a_model(tmp_path):
    def fail(*_):
        raise UnreadableSlideError("x.svs is empty")

    run_stage("tile", tmp_path / "tile", fail, inputs={}, parameters={})
    options = ScreenOptions(model=str(tmp_path / "missing"))
    manifest = screen(tmp_path / "tile", tmp_path / "screen", options=options)
    assert manifest.reason == "x.svs is empty"


def test_a_damaged_map_is_named(tile, tmp_path):
    screen(tile, tmp_path / "screen", options=ScreenOptions(model=save(tmp_path / "model")))
    (tmp_path / "screen" / CLASS_MAP_NAME).write_bytes(b"PNG")
    with pytest.raises(StageInputError, match=f"{CLASS_MAP_NAME} is damaged.*run screen again"):
        open_class_map(open_folder(tmp_path / "screen"))


def test_a_pyramid_without_one_of_its_shards_is_not_taken_for_glass(tile, tmp_path):
    shutil.copytree(tile, tmp_path / "tile")
    (tmp_path / "tile" / PYRAMID_NAME / "0/c/0/0/0").unlink()
    with pytest.raises(StageInputError, match=r"1 of its .* files are missing.*run tile again"):
        open_pyramid(tmp_path / "tile")


def test_a_map_that_another_picture_replaced_is_refused(tile, tmp_path):
    screen(tile, tmp_path / "screen", options=ScreenOptions(model=save(tmp_path / "model")))
    Image.new("L", (100, 75), 2).save(tmp_path / "screen" / CLASS_MAP_NAME)
    with pytest.raises(StageInputError, match="its sha256 is not that"):
        open_class_map(open_folder(tmp_path / "screen"))


def test_scores_that_are_not_finite_are_refused(tile, tmp_path):
    """Weights that are finite, but so large that their products are not."""
    model = save(tmp_path / "model")
    weights = tmp_path / "model" / WEIGHTS_NAME
    save_file(
        {
            name: item * 1e30 if item.is_floating_point() else item
            for name, item in load_file(weights).items()
        },
        weights,
    )
    with pytest.raises(ModelError, match="scores that are not finite numbers"):
        screen(tile, tmp_path / "screen", options=ScreenOptions(model=model))
    assert not (tmp_path / "screen").exists()
