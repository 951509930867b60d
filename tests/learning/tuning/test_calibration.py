from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from small_slides import CLASSES, make_slide

from lds_path.learning.data.labelled_regions import RegionCache, read_labelled
from lds_path.learning.data.training_set import LabelledSlide, open_training_set
from lds_path.learning.tuning.calibration import calibrate
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec
from lds_path.reference.legend import Legend

CPU = torch.device("cpu")
SPEC = NetworkSpec(
    2, channels=(8, 16), density_channels=(4, 8, 8), ladder=(16, 32), shared_features=False
)


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    found = make_slide(tmp_path_factory.mktemp("slides"), "a")
    slide = LabelledSlide("a", found.tile, found.detect, found.labels, None, "", 0.5, 0.5)
    return open_training_set([slide], Legend(CLASSES)).regions


def test_a_region_with_hardly_a_label_spoils_no_calibration(regions):
    class Blank(RegionCache):
        def read(self, index):
            batch = read_labelled(regions[index], SPEC)
            if index:
                return batch
            return replace(batch, labelled=0 * batch.labelled, errors=0 * batch.errors)

    torch.manual_seed(0)
    segmenter = Segmenter(SPEC)
    summary = calibrate(segmenter, Blank(regions[:2], SPEC, mib=1), CPU).summary()
    json.dumps(summary, allow_nan=False)
    alone = calibrate(segmenter, RegionCache(regions[1:2], SPEC, mib=1), CPU).summary()
    for name in ("expected_error", "found_error"):
        assert summary[name] == pytest.approx(alone[name], abs=2e-4)


def test_a_model_that_predicts_its_own_errors_is_measured_against_these(regions):
    torch.manual_seed(0)
    segmenter, cache = Segmenter(SPEC), RegionCache(regions[:2], SPEC, mib=1)
    by_labels = calibrate(segmenter, cache, CPU).measured
    by_network = calibrate(segmenter, cache, CPU, (1.0, 1.0)).measured
    assert by_network.shape == by_labels.shape
    assert (by_network > by_labels).all()  # a fresh network knows nothing
    dearer = calibrate(segmenter, cache, CPU, (2.0, 2.0)).measured
    assert dearer == pytest.approx(2 * by_network, rel=1e-4)
