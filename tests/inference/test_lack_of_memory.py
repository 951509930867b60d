"""Where the memory of a GPU is too little for a batch; a CPU stands in for the GPU."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from small_slides import make_slide

from lds_path.errors import UsageError
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.regions import REGIONS_NAME, read_regions
from lds_path.inference.runner import Runner
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec

SPEC = NetworkSpec(class_count=2, channels=(4, 8), density_channels=(4, 8))


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return make_slide(tmp_path_factory.mktemp("slides"), "a")


@pytest.fixture
def predict(slide, monkeypatch):
    """Runs a network in batches, of which a GPU is said to hold those of some regions at most."""
    regions = read_regions(slide.detect / REGIONS_NAME)
    assert len(regions) == 6

    def run(batch_size, *, limit=100, part="_classify"):
        torch.manual_seed(1)
        segmenter = Segmenter(SPEC).eval()
        whole = getattr(Runner, part)

        def limited(runner, given, *others):
            batch = getattr(given, "regions", given)
            if len(batch) > limit:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
            return whole(runner, given, *others)

        runner = Runner(segmenter, open_pyramid(slide.tile), torch.device("cpu"), batch_size, 1)
        with monkeypatch.context() as patch:
            patch.setattr(Runner, part, limited)
            return [each for batch in runner._run_gpu(regions) for each in batch]

    return run


@pytest.mark.parametrize("part", ["_sample", "_classify"])
def test_batches_that_a_gpu_does_not_hold_are_halved_until_it_does(predict, part, caplog):
    with caplog.at_level(logging.WARNING):
        found = predict(5, limit=1, part=part)
    assert [one.region.index for one in found] == list(range(6))
    for one, other in zip(found, predict(1), strict=True):
        assert np.array_equal(one.probability, other.probability)
        assert np.array_equal(one.positions, other.positions)
    assert [message.split(";")[0] for message in caplog.messages] == [
        "the memory of the GPU does not hold 5 regions at once: 2 at once from here on",
        "the memory of the GPU does not hold 2 regions at once: 1 at once from here on",
    ]
    assert caplog.messages[-1].endswith("to begin with that, set `segment: batch_size` to 1")


def test_what_was_predicted_before_is_kept(predict, monkeypatch):
    calls = []
    whole = Runner._classify

    def third_fails(runner, sampled, levels):
        calls.append([region.index for region in sampled.regions[: sampled.count]])
        if len(calls) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return whole(runner, sampled, levels)

    monkeypatch.setattr(Runner, "_classify", third_fails)
    found = predict(2)
    assert [one.region.index for one in found] == list(range(6))
    assert calls == [[0, 1], [2, 3], [4, 5], [4], [5]]


def test_a_gpu_without_memory_for_one_region_is_told_with_a_remedy(predict):
    with pytest.raises(UsageError, match=r"one region of 512 x 512 pixels.*CUDA_VISIBLE_DEVICES"):
        predict(4, limit=0)
