"""What only a CUDA GPU can show: its results, its precision, its locks and its memory."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from small_slides import CLASSES, make_slide, save_random_model

from lds_path.formats.predictions import Predictions
from lds_path.learning.data.labelled_regions import read_labelled
from lds_path.learning.data.training_set import LabelledSlide, open_training_set
from lds_path.learning.recipe import Recipe
from lds_path.learning.trainer import Trainer
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec
from lds_path.options.labels import SegmentOptions
from lds_path.options.slides import DemoOptions, DetectOptions
from lds_path.provenance.manifest import read_manifest
from lds_path.reference.legend import Legend
from lds_path.stages.demo import SLIDE_NAME, demo
from lds_path.stages.detect import detect
from lds_path.stages.segment import segment
from lds_path.stages.tile import tile

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]
SPEC = NetworkSpec(2, channels=(8, 16), density_channels=(4, 8, 8), kernel_width=0.15)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return make_slide(tmp_path_factory.mktemp("slides"), "a")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_random_model(tmp_path_factory.mktemp("model"), SPEC)


def run(slide, model, output, **options):
    """Segment a slide on the GPU, and return region -> probabilities and positions."""
    options = SegmentOptions(**{"device": "cuda"} | options)
    segment(slide.tile, slide.detect, output, model=str(model), options=options)
    return read(output)


def read(folder):
    with Predictions([folder / "predictions.npz"]) as found:
        read_all = [found.read(region.index) for region in found.regions]
    return {one.region.index: (one.probability.astype(int), one.positions) for one in read_all}


def test_a_shipped_model_gives_the_labels_that_it_gives_on_a_cpu(tmp_path):
    demo(tmp_path / "a", options=DemoOptions(seed=5, width=2048, height=2048))
    tile(tmp_path / "a" / SLIDE_NAME, tmp_path / "tile")
    sizes = {"region_size": 2048, "overlap": 256, "lattice": 256}
    detect(tmp_path / "tile", tmp_path / "detect", options=DetectOptions(**sizes))
    for device in ("cpu", "cuda"):
        options = SegmentOptions(device=device)
        segment(
            tmp_path / "tile", tmp_path / "detect", tmp_path / device, model="demo", options=options
        )
    cpu, gpu = read(tmp_path / "cpu"), read(tmp_path / "cuda")
    assert list(cpu) == list(gpu) != []
    for (one, positions), (other, others) in zip(cpu.values(), gpu.values(), strict=True):
        assert np.abs(positions - others).max() < 0.01
        assert np.abs(one - other).mean() < 2  # of 255
        assert (one.argmax(axis=0) == other.argmax(axis=0)).mean() > 0.995
    name = read_manifest(tmp_path / "cuda").device
    assert name == torch.cuda.get_device_name()


def test_the_segmentation_network_computes_in_float16(slide, model, tmp_path):
    seen = []

    def note(module, _, output):
        if isinstance(module, torch.nn.Conv2d):
            seen.append(output.dtype)

    hook = torch.nn.modules.module.register_module_forward_hook(note)
    try:
        found = run(slide, model, tmp_path / "a")
    finally:
        hook.remove()
    assert torch.float16 in seen
    assert all(abs(one.sum(axis=0) - 255).max() <= 2 for one, _ in found.values())


@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_same_card_gives_the_same_bytes_however_the_slide_is_divided(
    slide, model, tmp_path, batch_size
):
    whole = run(slide, model, tmp_path / "whole", batch_size=batch_size)
    again = run(slide, model, tmp_path / "again", batch_size=batch_size)
    parts = {}
    for shard in ("1-of-2", "2-of-2"):
        parts |= run(slide, model, tmp_path / shard, batch_size=batch_size, shard=shard)
    assert set(whole) == set(again) == set(parts)
    for index, (probability, positions) in whole.items():
        for other in (again, parts):
            assert np.array_equal(probability, other[index][0])
            assert np.array_equal(positions, other[index][1])


def test_jobs_take_turns_on_one_card(slide, model, tmp_path):
    locks = tmp_path / "locks"
    locks.mkdir(mode=0o700)
    card = str(torch.cuda.get_device_properties(0).uuid)
    visible = card if card.startswith("GPU-") else f"GPU-{card}"
    command = [sys.executable, "-m", "lds_path.cli", "segment", slide.tile, slide.detect]
    jobs = [
        subprocess.Popen(
            [*command, tmp_path / f"{number}", "--model", model, "--device", "cuda"],
            env={**os.environ, "XDG_RUNTIME_DIR": str(locks), "CUDA_VISIBLE_DEVICES": visible},
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    said = [job.communicate(timeout=600)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0, 0], said
    found = [read(tmp_path / f"{number}") for number in range(3)]
    for other in found[1:]:
        assert all(np.array_equal(found[0][index][0], other[index][0]) for index in found[0])


def test_batches_shrink_to_the_memory_of_the_card(slide, model, tmp_path, caplog):
    reserved = {}
    for size in (1, 64):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        run(slide, model, tmp_path / f"{size}", batch_size=size)
        reserved[size] = torch.cuda.max_memory_reserved()
    assert reserved[64] > 2 * reserved[1]
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((reserved[1] + reserved[64]) / 2 / total)
    try:
        with caplog.at_level(logging.WARNING):
            found = run(slide, model, tmp_path / "little", batch_size=64)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "the memory of the GPU does not hold 64 regions at once" in caplog.text
    for index, (probability, _) in read(tmp_path / "1").items():
        assert np.abs(found[index][0] - probability).max() <= 12


def test_a_training_learns_on_a_gpu(slide):
    labelled = LabelledSlide("a", slide.tile, slide.detect, slide.labels, None, "", 0.5, 0.5)
    regions = open_training_set([labelled], Legend(CLASSES)).regions
    recipe = Recipe(steps=30, learning_rate=0.01, density_learning_rate=0.003, seed=3)
    torch.manual_seed(3)
    device = torch.device("cuda")
    trainer = Trainer(Segmenter(SPEC).to(device), regions[0].region.lattice, recipe, device)
    batch = read_labelled(regions[0], SPEC)
    losses = np.array([trainer.step(number, batch) for number in range(30)])
    assert np.isfinite(losses).all()
    assert losses[-5:, 0].mean() < 0.7 * losses[:3, 0].mean()
