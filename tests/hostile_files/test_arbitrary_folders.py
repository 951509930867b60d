"""Whatever a configuration, a model folder or a stage's folder holds, the error is one for users."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import yaml
from any_json import JSON, places_of, put
from hypothesis import given, settings
from hypothesis import strategies as st
from stage_results import tile_results

from lds_path.classes import LabelClass
from lds_path.errors import LdsPathError
from lds_path.geometry import Size
from lds_path.models.card import ModelCard
from lds_path.models.checkpoint import load_model, save_model
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.stage_run import run_stage
from lds_path.run.config import check_config
from lds_path.stages.report import report

REPOSITORY = Path(__file__).parent.parent.parent
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
SCHEMA = yaml.safe_load((REPOSITORY / "workflow/schemas/config.schema.yaml").read_text())
SPEC = NetworkSpec(2, channels=(4, 8), density_channels=(4, 8), view_level=2, shared_features=False)
CLASSES = (LabelClass(1, "Stroma", (1, 2, 3)), LabelClass(2, "Tumor", (4, 5, 6)))
CARD = ModelCard(SPEC, CLASSES, mpp=0.5, region_size=Size(64, 64), lattice=Size(16, 16))
few = settings(max_examples=30)


# --- the configuration -----------------------------------------------------------------------


def check(config):
    message = "config.yaml: fits"
    try:
        check_config(config, SCHEMA)
    except LdsPathError as error:
        message = str(error)
    assert message.startswith("config.yaml: ")
    assert len(message.splitlines()) == 1


@given(place=st.sampled_from(places_of(CONFIG)), value=JSON)
def test_a_configuration_with_any_value_is_accepted_or_refused_in_one_line(place, value):
    check(put(CONFIG, place, value))


@given(section=st.sampled_from([(), ("tile",), ("train",), ("labels",)]), key=st.text(), value=JSON)
def test_a_configuration_with_any_key_is_accepted_or_refused_in_one_line(section, key, value):
    check(put(CONFIG, (*section, key), value))


@given(JSON)
def test_any_configuration_is_accepted_or_refused_in_one_line(config):
    check(config)


# --- a model folder --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    save_model(folder, Segmenter(SPEC), CARD)
    return folder


@pytest.fixture(scope="module")
def weights(model):
    return (model / "weights.safetensors").read_bytes()


@few
@given(place=st.integers(0), byte=st.integers(1, 255), cut=st.none() | st.integers(0))
def test_a_model_whose_weights_are_damaged_anywhere_is_read_or_refused(
    model, weights, place, byte, cut
):
    content = bytearray(weights)
    header = 8 + int.from_bytes(weights[:8], "little")  # what lies behind it may be any number
    content[place % header] ^= byte
    (model / "weights.safetensors").write_bytes(content[: None if cut is None else cut % header])
    with suppress(LdsPathError):
        load_model(model)


@few
@given(header=JSON)
def test_weights_with_any_header_are_refused(model, header):
    text = json.dumps(header).encode()
    (model / "weights.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(LdsPathError):
        load_model(model)


SPEC_FIELDS = places_of({"network": asdict(SPEC)})


@few
@given(place=st.sampled_from(SPEC_FIELDS), value=st.integers(-3, 40) | st.floats() | JSON)
def test_a_model_with_any_value_in_its_network_is_read_or_refused(model, weights, place, value):
    (model / "weights.safetensors").write_bytes(weights)
    path = model / "model.json"
    card = path.read_text()
    path.write_text(json.dumps(put(json.loads(card), place, value)))
    try:
        with suppress(LdsPathError):
            load_model(model)
    finally:
        path.write_text(card)


# --- a stage's folder ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    run_stage("tile", folder / "tile/a", lambda *_: tile_results(Size(64, 64)), inputs={}, parameters={"mpp": 0.5})  # fmt: skip
    return folder


@few
@given(st.data())
def test_a_manifest_with_any_value_is_used_or_refused(results, data):
    path = results / "tile/a/manifest.json"
    before = path.read_text()
    field = data.draw(st.sampled_from(sorted(json.loads(before))))
    path.write_text(json.dumps(put(json.loads(before), (field,), data.draw(JSON))))
    try:
        with suppress(LdsPathError):
            read_manifest(results / "tile/a")
        report(results, results / "report", slides=["a"])
    finally:
        path.write_text(before)
