from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from lds_path.classes import LabelClass
from lds_path.formats.spread import Familiarity, measure_spread
from lds_path.geometry import Size
from lds_path.models.card import ModelCard
from lds_path.models.checkpoint import save_model
from lds_path.models.description import describe
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec

SPEC = NetworkSpec(
    2, channels=(4, 8), density_channels=(4, 8), mean=(0.5, 0.6, 0.7), shared_features=False
)
CLASSES = (LabelClass(1, "Stroma", (1, 2, 255)), LabelClass(2, "Tumor", (4, 5, 6)))
SPLIT = {"slides": ["a", "b"], "patients": 1, "regions": 7, "labelled_mm2": {"Tumor": 0.25}}


def make_card(**changes):
    known = {
        "network": SPEC,
        "classes": CLASSES,
        "mpp": 0.5,
        "region_size": Size(512, 512),
        "lattice": Size(64, 64),
        "training": {"steps": 300, "train": SPLIT, "tune": SPLIT, "class_map": {"Krebs": "Tumor"}},
        "scores": {"tune_dice": {"Stroma": 0.912, "Tumor": None}, "step": 200},
        "licence": "CC BY 4.0",
        "authors": ("A. Author", "B. Author"),
        "description": "Finds tumour",
        "data": "Ten slides, CC BY 4.0",
    }
    return ModelCard(**known | changes)


def test_the_page_says_what_the_model_does_not_know(tmp_path):
    spread = measure_spread(np.random.default_rng(0).normal(size=(50, 6)), np.zeros((0, 6)))
    card = make_card(overlap=64, synthetic=True, familiarity=Familiarity(colours=spread))
    page = describe(card, tmp_path)
    assert "knows    only painted slides, no real tissue" in page
    assert "overlap     64 pixels" in page
    assert f"unlike it beyond {spread.limit:.2f}" in page
    assert "painted" not in describe(make_card(), tmp_path)


def test_the_page_says_all_that_the_card_does(tmp_path):
    torch.manual_seed(0)
    save_model(tmp_path, Segmenter(SPEC), make_card())
    page = describe(make_card(), tmp_path)
    assert page.startswith(f"Model {tmp_path.name}: Stroma, Tumor\n")
    for text in (
        "Finds tumour",
        "A. Author, B. Author",
        "CC BY 4.0",
        "Ten slides, CC BY 4.0",
        "1 Stroma  #0102FF  tune Dice 0.912",
        "2 Tumor   #040506  no score",
        "0.5 um per pixel",
        "512 x 512 pixels, 256 x 256 um",
        "64 x 64 samples, 1.6 % of the pixels",
        "0.5, 0.6, 0.7",
        "UNet, channels 4, 8",
        "knothe-rosenblatt",
        "weights.safetensors",
        "step 200 of 300",
        "2 slides of 1 patients, 7 regions: Tumor 0.25 mm2",
        "Krebs=Tumor",
    ):
        assert text in page, text


def test_a_ladder_tells_what_each_lattice_is_worth(tmp_path):
    spec = replace(SPEC, ladder=(16, 32))
    calibration = {
        "ladder": [16, 32],
        "dice": [0.7, 0.81],
        "expected_error": [0.1, 0.05],
        "found_error": [0.09, 0.06],
        "correlation": [0.9, 0.8],
    }
    page = describe(make_card(network=spec, scores={"calibration": calibration}), tmp_path)
    line = "32 samples a side  tune Dice 0.810, error predicted 5.00%, found 6.00%"
    assert line in page
    assert "correlation over regions 0.80" in page
    assert "16 samples a side  not measured" in describe(make_card(network=spec), tmp_path)
    assert "Ladder" not in describe(make_card(), tmp_path)


def test_the_card_of_the_first_version_can_be_described(tmp_path):
    training = {"slides": {"train": ["a"], "tune": []}, "regions": 3, "seed": 1}
    page = describe(make_card(training=training, scores={}, description="", data=""), tmp_path)
    assert "1 slides" in page
    assert "not stated" in page
