"""Budgets in seconds: costs are measured once for each kind of work, and kept for this user alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_slides import make_slide, save_random_model

from lds_path.errors import UsageError
from lds_path.geometry import Region, Size
from lds_path.inference import cost
from lds_path.inference.cost import Costs, region_costs
from lds_path.inference.expected_errors import ExpectedErrors
from lds_path.models.checkpoint import load_model
from lds_path.network.spec import NetworkSpec
from lds_path.options.labels import PlanOptions, SegmentOptions
from lds_path.provenance.stage_folder import open_folder
from lds_path.stages.plan import plan, what_if
from lds_path.stages.segment import segment

LADDER = (16, 32, 64)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return make_slide(tmp_path_factory.mktemp("slides"), "a")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    spec = NetworkSpec(2, channels=(8, 16), density_channels=(4, 8), ladder=LADDER)
    return save_random_model(tmp_path_factory.mktemp("model"), spec)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "_folder", lambda: tmp_path / "cache/costs")
    return tmp_path / "cache/costs"


def costs_of(slide, model):
    expected = [Region(0, 0, 0, Size(512, 512), Size(16, 16))]
    sizes = [Size(side, side) for side in LADDER]
    return region_costs(
        open_folder(slide.tile),
        expected,
        sizes,
        model="its hash",
        load=lambda: load_model(model)[0],
        device="cpu",
    )


def test_costs_rise_with_the_lattice_and_are_measured_once(slide, model, cache, monkeypatch):
    first = costs_of(slide, model)
    assert first.regions.shape == (3,)
    assert 0 < first.regions[0] <= first.regions[1] <= first.regions[2]
    assert first.start >= 0
    (kept,) = cache.iterdir()
    assert json.loads(kept.read_text())["work"]["region"] == [512, 512]
    monkeypatch.setattr(cost, "_measure", lambda *_: pytest.fail("measured again"))
    again = costs_of(slide, model)
    np.testing.assert_allclose(again.regions, first.regions, atol=1e-6)
    assert again.start == pytest.approx(first.start, abs=1e-6)


@pytest.mark.parametrize(
    "content", ["", "{}", '{"start": 0, "regions": [3, 2, 1]}', '{"start": "x"}']
)
def test_a_damaged_note_is_measured_again(slide, model, cache, content):
    costs_of(slide, model)
    (kept,) = cache.iterdir()
    kept.write_text(content)
    assert (costs_of(slide, model).regions > 0).all()
    assert len(json.loads(kept.read_text())["regions"]) == 3


def test_where_nothing_can_be_kept_it_is_measured_each_time(slide, model, cache):
    cache.parent.write_text("a file in the way")
    assert (costs_of(slide, model).regions > 0).all()


def expected_errors(count=10):
    random = np.random.default_rng(0)
    errors = np.sort(random.uniform(0, 100, (count, 3)), axis=1)[:, ::-1]
    regions = [Region(k, 0, 0, Size(256, 256), Size(16, 16)) for k in range(count)]
    return ExpectedErrors(regions, 1.0, LADDER, [Size(side, side) for side in LADDER], errors)


def test_no_plan_takes_longer_than_its_budget_and_more_time_never_errs_more():
    expected, costs = expected_errors(), Costs(0.02, np.array([0.01, 0.03, 0.1]))
    errors = []
    for seconds in (0.12, 0.15, 0.3, 0.7, 1.0, 5.0):
        rungs = expected.allocate_seconds(costs, seconds)
        assert costs.total(rungs) <= seconds + 1e-4
        errors.append(expected.total_error(rungs))
    assert errors == sorted(errors, reverse=True)
    assert (rungs == 2).all()


def test_a_budget_too_small_says_what_the_slide_needs():
    costs = Costs(0.02, np.array([0.01, 0.03, 0.1]))
    with pytest.raises(UsageError, match=r"0.05 s is too small: 10 regions need about 0.12 s even"):
        expected_errors().allocate_seconds(costs, 0.05)


def test_a_slide_is_planned_and_segmented_within_seconds(slide, model, tmp_path):
    planned = plan(
        slide.tile,
        slide.detect,
        tmp_path / "plan",
        model=str(model),
        options=PlanOptions(budget="100s"),
    )
    assert planned.results["budget_seconds"] == 100
    assert 0 < planned.results["predicted_seconds"] < 100
    assert "budget_samples" not in planned.results
    segmented = segment(
        slide.tile,
        tmp_path / "plan",
        tmp_path / "segment",
        model=str(model),
        options=SegmentOptions(device="cpu"),
    )
    assert segmented.results["predicted_seconds"] == planned.results["predicted_seconds"]
    assert segmented.results["network_seconds"] > 0


def test_a_forecast_takes_budgets_in_seconds(slide, model):
    short, long = what_if(
        slide.tile, slide.detect, model=str(model), budgets=["50s", "500s"], device="cpu"
    )
    assert (short.budget, long.budget) == ("50s", "500s")
    assert short.samples <= long.samples
    assert long.uniform_error is None
