from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_slides import CLASSES, ArrayPyramid, make_slide

from lds_path.errors import TrainingError
from lds_path.learning.data.labelled_regions import RegionCache, read_labelled
from lds_path.learning.data.training_set import LabelledSlide, open_training_set
from lds_path.learning.rates import learning_rate_factor
from lds_path.learning.recipe import Recipe
from lds_path.learning.trainer import Trainer
from lds_path.learning.tuning.score import tune_dice
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec
from lds_path.reference.legend import Legend

CPU = torch.device("cpu")
SPEC = NetworkSpec(
    2, channels=(8, 16), density_channels=(4, 8, 8), kernel_width=0.15, shared_features=False
)


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    found = make_slide(tmp_path_factory.mktemp("slides"), "a")
    slide = LabelledSlide("a", found.tile, found.detect, found.labels, None, "", 0.5, 0.5)
    return open_training_set([slide], Legend(CLASSES)).regions


def make_trainer(regions, **changes):
    recipe = {
        "steps": 30,
        "learning_rate": 0.01,
        "density_learning_rate": 0.003,
        "edge_weight": 0.5,
        "seed": 3,
    }
    torch.manual_seed(3)
    return Trainer(Segmenter(SPEC), regions[0].region.lattice, Recipe(**recipe | changes), CPU)


def test_training_lowers_both_losses_and_finds_the_classes(regions):
    trainer = make_trainer(regions)
    batch = read_labelled(regions[0], SPEC)
    losses = np.array([trainer.step(number, batch) for number in range(30)])
    assert losses[-5:, 0].mean() < 0.5 * losses[:3, 0].mean()
    assert losses[-5:, 1].mean() < losses[:3, 1].mean()
    cache = RegionCache(regions[:1], SPEC, mib=10)
    dice = tune_dice(trainer.segmenter, cache, regions[0].region.lattice, CPU)
    assert dice.min() > 0.8


def test_a_step_that_is_too_small_for_a_batch_normalisation_says_so(regions):
    deep = Segmenter(replace(SPEC, channels=(4,) * 6))
    trainer = Trainer(deep, regions[0].region.lattice, Recipe(steps=1), CPU)
    with pytest.raises(TrainingError, match="set `batch_size` to 2 or more"):
        trainer.step(0, read_labelled(regions[0], SPEC))


def test_texture_tells_apart_what_has_the_same_colours(regions):
    first = regions[0]
    labels = first.reference.read(0, 0, first.region.size)
    rows, columns = np.indices(labels.shape) // 2
    grey = np.where(labels == 2, 120 + 60 * ((rows + columns) % 2), 150)
    pyramid = ArrayPyramid(np.repeat(grey[..., None], 3, axis=2).astype(np.uint8))
    alike = [replace(first, pyramid=pyramid)]
    dice = {}
    for texture in (False, True):
        spec = replace(SPEC, sampler="uniform", texture=texture, texture_level=0)
        torch.manual_seed(3)
        recipe = Recipe(steps=30, learning_rate=0.01, edge_weight=0.0, seed=3)
        trainer = Trainer(Segmenter(spec), first.region.lattice, recipe, CPU)
        batch = read_labelled(alike[0], spec)
        for number in range(30):
            trainer.step(number, batch)
        cache = RegionCache(alike, spec, mib=10)
        dice[texture] = tune_dice(trainer.segmenter, cache, first.region.lattice, CPU).min()
    assert dice[True] > dice[False] + 0.2, dice


def test_the_labels_alone_teach_the_density_network(regions):
    trainer = make_trainer(regions, edge_weight=0.0)
    trainer.step(0, read_labelled(regions[0], SPEC))
    assert trainer.segmenter.density.head.weight.abs().max() > 0


def test_dice_is_that_of_the_pixels_whatever_the_network_says(regions):
    """A network that calls everything Pale has the Dice of the pale share."""

    class Pale(torch.nn.Module):
        def forward(self, image):
            return torch.stack((torch.ones_like(image[:, 0]), torch.zeros_like(image[:, 0])), 1)

    segmenter = Segmenter(SPEC)
    segmenter.network = Pale()
    torch.nn.init.normal_(segmenter.density.head.weight, std=3)
    one = regions[0]
    dice = tune_dice(segmenter, RegionCache([one], SPEC, mib=10), one.region.lattice, CPU)
    share = (one.reference.read(0, 0, one.region.size) == 1).mean()
    assert dice[0] == pytest.approx(2 * share / (1 + share), abs=0.01)
    assert dice[1] == 0


def test_a_loss_that_is_no_number_names_the_step(regions):
    trainer = make_trainer(regions)
    with torch.no_grad():
        next(trainer.segmenter.network.parameters()).fill_(torch.nan)
    with pytest.raises(TrainingError, match=r"nan at step 8; lower `learning_rate` \(now 0\.01\)"):
        trainer.step(7, read_labelled(regions[0], SPEC))


@pytest.mark.parametrize(("schedule", "highest"), [("one-cycle", 300), ("cosine", 50)])
def test_the_learning_rate_rises_and_then_falls(schedule, highest):
    shares = [learning_rate_factor(number, 1000, schedule) for number in range(1000)]
    peak = int(np.argmax(shares))
    assert 0.9 < max(shares) <= 1
    assert peak == pytest.approx(highest, abs=10)
    assert np.all(np.diff(shares[:peak]) > 0)
    assert np.all(np.diff(shares[peak:]) < 0)
    assert 0 < shares[-1] < 0.02
