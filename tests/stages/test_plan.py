from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from small_slides import LATTICE, damage_regions, make_card, make_slide

from lds_path.cli import cli
from lds_path.errors import ModelError, StageInputError, UsageError
from lds_path.formats.labels.label_images import Labels
from lds_path.formats.predictions import Predictions
from lds_path.formats.regions import REGIONS_NAME, read_regions
from lds_path.inference import cost
from lds_path.inference.expected_errors import EXPECTED_ERRORS_NAME
from lds_path.models.checkpoint import load_scout, save_model
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec
from lds_path.options.labels import PlanOptions, StitchOptions
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.stage_run import run_stage
from lds_path.stages.plan import plan, what_if
from lds_path.stages.segment import segment
from lds_path.stages.stitch import stitch

SPEC = NetworkSpec(
    2,
    channels=(4, 8),
    density_channels=(4, 8, 8),
    view_margin=64,
    ladder=(16, 32, 48, 64),
    shared_features=True,
)
CARD = make_card(SPEC)


@pytest.fixture(autouse=True)
def kept_costs(tmp_path, monkeypatch):
    """No test leaves what it measured in the cache of the user."""
    monkeypatch.setattr(cost, "_folder", lambda: tmp_path / "cache/costs")


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return make_slide(tmp_path_factory.mktemp("slides"), "a")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model with random weights whose errors fall from rung to rung, more here than there."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    segmenter = Segmenter(SPEC)
    torch.nn.init.normal_(segmenter.density.head.weight, std=5)
    with torch.no_grad():
        segmenter.benefit.error.weight[:] = torch.tensor([4.0, 3, 2, 1])[:, None, None, None]
        segmenter.benefit.error.bias[:] = 10.0
    save_model(folder, segmenter, CARD)
    return folder


def run(slide, model, output, *, budget="uniform", **changes):
    options = PlanOptions(budget=budget)
    return plan(slide.tile, slide.detect, output, model=str(model), options=options, **changes)


def lattices_in(folder):
    return [region.lattice for region in read_regions(folder / REGIONS_NAME)]


def test_uniform_is_the_table_of_detect_and_needs_no_model(slide, tmp_path):
    manifest = run(slide, "no such model", tmp_path / "plan")
    table = (tmp_path / "plan" / REGIONS_NAME).read_bytes()
    assert table == (slide.detect / REGIONS_NAME).read_bytes()
    assert manifest.results["samples"] == manifest.results["regions"] * LATTICE**2


@pytest.mark.parametrize("budget", ["16", "24.5", "32", "40", "64", "500"])
def test_a_budget_is_kept_and_every_region_gets_a_lattice_of_the_ladder(
    slide, model, tmp_path, budget
):
    manifest = run(slide, model, tmp_path / "plan", budget=budget)
    lattices = lattices_in(tmp_path / "plan")
    regions = read_regions(slide.detect / REGIONS_NAME)
    assert [replace(region, lattice=None) for region in regions] == [
        replace(region, lattice=None) for region in read_regions(tmp_path / "plan" / REGIONS_NAME)
    ]
    assert {lattice.width for lattice in lattices} <= set(SPEC.ladder)
    samples = sum(lattice.area for lattice in lattices)
    assert manifest.results["samples"] == samples <= float(budget) ** 2 * len(regions)
    assert manifest.results["budget_samples"] == int(float(budget) ** 2 * len(regions))


def test_the_budget_can_count_by_tissue(slide, model, tmp_path):
    detect = tmp_path / "detect"
    detect.mkdir()
    for path in slide.detect.iterdir():
        (detect / path.name).write_bytes(path.read_bytes())
    content = json.loads((detect / "manifest.json").read_text())
    content["results"]["tissue_mm2"] = 0.2
    (detect / "manifest.json").write_text(json.dumps(content))
    moved = replace(slide, detect=detect)
    manifest = run(moved, model, tmp_path / "plan", budget="40000/mm2")
    assert manifest.results["budget_samples"] == 8000
    assert manifest.results["samples"] <= 8000


def test_a_region_that_gains_more_gets_more(slide, model, tmp_path):
    run(slide, model, tmp_path / "plan", budget="40")
    with (tmp_path / "plan" / EXPECTED_ERRORS_NAME).open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    lattices = np.array([int(row["lattice"]) for row in rows])
    assert lattices.tolist() == [lattice.width for lattice in lattices_in(tmp_path / "plan")]
    assert len(set(lattices.tolist())) > 1
    gains = np.array([float(row["error_16"]) - float(row["error_64"]) for row in rows])
    assert np.corrcoef(gains, lattices)[0, 1] > 0.3


def test_threads_do_not_change_a_byte(slide, model, tmp_path):
    for name, threads in (("a", 1), ("b", 3)):
        run(slide, model, tmp_path / name, budget="32", threads=threads)
    for name in (REGIONS_NAME, EXPECTED_ERRORS_NAME):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_regions_on_different_lattices_become_one_label_image(slide, model, tmp_path):
    run(slide, model, tmp_path / "plan", budget="32")
    segment(slide.tile, tmp_path / "plan", tmp_path / "segment", model=str(model))
    with Predictions([tmp_path / "segment" / "predictions.npz"]) as predictions:
        assert [region.lattice for region in predictions.regions] == lattices_in(tmp_path / "plan")
    detect = tmp_path / "detect"
    run_stage(
        "detect",
        detect,
        lambda folder, _: _copy_detect(slide.detect, folder),
        inputs={"tile": slide.tile},
        parameters={"overlap": 64},
    )
    options = StitchOptions(mpp="working")
    stitch(slide.tile, detect, [tmp_path / "segment"], tmp_path / "stitch", options=options)
    with Labels(tmp_path / "stitch" / "a.labels.ome.tif") as labels:
        assert (labels.size.width, labels.size.height) == (1000, 600)


def _copy_detect(source, folder):
    for name in (REGIONS_NAME, "tissue.png"):
        (folder / name).write_bytes((source / name).read_bytes())
    return read_manifest(source).results


def test_a_scout_is_the_model_without_its_segmentation_network(model):
    scout, card = load_scout(model)
    assert card.network == SPEC
    assert not any(name.startswith("network.") for name in scout.state_dict())


@pytest.mark.parametrize("budget", ["uniform", "24"])
def test_a_damaged_table_of_regions_is_not_planned(model, tmp_path, budget):
    slide = make_slide(tmp_path, "a")
    damage_regions(slide.detect)
    with pytest.raises(StageInputError, match=r"regions\.tsv is damaged .* run detect again"):
        run(slide, model, tmp_path / "plan", budget=budget)


def test_a_damaged_model_is_named(slide, model, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.json").write_bytes((model / "model.json").read_bytes())
    (folder / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"weights\.safetensors is not a safetensors file"):
        run(slide, folder, tmp_path / "plan", budget="32")


def test_a_model_without_a_ladder_cannot_distribute_a_budget(slide, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    spec = replace(SPEC, ladder=(), view_margin=0)
    save_model(folder, Segmenter(spec), replace(CARD, network=spec))
    with pytest.raises(UsageError, match=r"has only one lattice .* set `plan: budget` to uniform"):
        run(slide, folder, tmp_path / "plan", budget="32")


@pytest.mark.parametrize(
    ("budget", "message"),
    [("8", "too small: .* on the smallest lattice of the model"), ("few", "'few' is unknown")],
)
def test_a_budget_that_cannot_be_is_refused(slide, model, tmp_path, budget, message):
    with pytest.raises(UsageError, match=message):
        run(slide, model, tmp_path / "plan", budget=budget)
    assert not (tmp_path / "plan" / "manifest.json").exists()


@pytest.mark.parametrize("budget", ["1/mm2", "0.000001s/mm2"])
def test_a_slide_with_little_tissue_gets_the_smallest_lattices(
    slide, model, tmp_path, caplog, budget
):
    results = run(slide, model, tmp_path / "plan", budget=budget).results
    assert results["regions_per_rung"][0] == results["regions"]
    assert "even the smallest lattices of the model take" in caplog.text


def test_a_quarantined_slide_is_passed_on(slide, model, tmp_path):
    tile = tmp_path / "tile"
    tile.mkdir()
    content = json.loads((slide.tile / "manifest.json").read_text())
    content |= {"status": "quarantined", "reason": "it is broken", "quarantined_by": "tile"}
    (tile / "manifest.json").write_text(json.dumps(content))
    manifest = plan(
        tile, slide.detect, tmp_path / "plan", model=str(model), options=PlanOptions(budget="32")
    )
    assert (manifest.status, manifest.reason) == ("quarantined", "it is broken")


def test_the_expected_error_falls_with_the_budget_and_is_no_worse_than_with_equal_lattices(
    slide, model
):
    forecasts = what_if(slide.tile, slide.detect, model=str(model))
    assert [row.budget for row in forecasts] == ["16", "32", "48", "64"]
    errors = [row.error for row in forecasts]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == pytest.approx(1)
    assert [row.samples for row in forecasts] == sorted(row.samples for row in forecasts)
    for row in forecasts:
        assert row.error <= row.uniform_error + 1e-9
        assert row.seconds > 0


def test_the_command_prints_a_forecast_and_writes_nothing(slide, model):
    arguments = ["plan", str(slide.tile), str(slide.detect), "--model", str(model), "--what-if"]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    header = next(index for index, line in enumerate(lines) if line.startswith("budget"))
    assert [line.split()[0] for line in lines[header + 1 : header + 5]] == ["16", "32", "48", "64"]


def test_the_command_needs_an_output_or_what_if(slide, model):
    arguments = ["plan", str(slide.tile), str(slide.detect), "--model", str(model)]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert "name the folder OUTPUT to write, or add --what-if" in result.output
