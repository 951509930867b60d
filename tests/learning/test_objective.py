"""The parts of the training objective, on batches made on the spot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from label_shares import label_fractions

from lds_path.errors import UsageError
from lds_path.geometry import Size
from lds_path.learning.data.batches import Batch
from lds_path.learning.data.labelled_regions import LabelledRegion
from lds_path.learning.densities import imposed_density, wanted_density
from lds_path.learning.rates import learning_rate_factor
from lds_path.learning.recipe import JIN2022, PRESETS, Recipe
from lds_path.learning.trainer import Trainer
from lds_path.learning.tuning.score import tune_dice
from lds_path.network.benefit import round_trip_errors
from lds_path.network.losses import edge_density
from lds_path.network.motion import identity_motion
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec, lattices_on
from lds_path.network.warp import halve

CPU = torch.device("cpu")
LATTICE = Size(32, 32)
SPEC = NetworkSpec(
    2,
    channels=(8, 16),
    density_channels=(4, 8),
    view_level=2,
    sampler="knothe-rosenblatt",
    shared_features=False,
)
RECIPE = Recipe(steps=20, learning_rate=0.01, density_learning_rate=0.003, edge_weight=0.5, seed=3)


def make_batch(regions=2, side=128, ladder=()):
    """Dark discs on pale ground, with noise."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[:side, :side]
    labels = np.ones((regions, side, side), np.uint8)
    for one in labels:
        for _ in range(4):
            at, radius = random.uniform(0, side, 2), random.uniform(6, 14)
            one[(y - at[0]) ** 2 + (x - at[1]) ** 2 < radius**2] = 2
    image = 200 - 90.0 * (labels == 2) + random.normal(0, 10, labels.shape)
    rgb = torch.tensor(np.repeat(image[:, None], 3, axis=1), dtype=torch.float32)
    found = torch.from_numpy(labels)
    fractions = [(255 * level).to(torch.uint8) for level in halve(label_fractions(found, 2), 4)]
    lattices = lattices_on(ladder, Size(side, side))
    errors, labelled = round_trip_errors(fractions, lattices, Size(16, 16), torch.ones(2))
    return Batch(
        view=halve(rgb, 3)[2].to(torch.uint8),
        levels=[level.to(torch.uint8) for level in halve(rgb, 4)],
        fractions=fractions,
        first_level=0,
        edges=edge_density(found, Size(16, 16)),
        errors=errors,
        labelled=labelled,
        motion=identity_motion(regions),
    )


def make_trainer(recipe=RECIPE, spec=SPEC):
    torch.manual_seed(3)
    return Trainer(Segmenter(spec), LATTICE, recipe, CPU, error_weights=(0.5, 2.0))


def train(recipe=RECIPE, spec=SPEC, steps=20):
    trainer, batch = make_trainer(recipe, spec), make_batch(ladder=spec.ladder)
    return trainer, np.array([trainer.step(number, batch) for number in range(steps)])


class Kept:
    """A cache of one batch."""

    regions = (LabelledRegion("slide", None, None, None),)

    def __len__(self):
        return 1

    def read(self, _):
        return make_batch()


@pytest.mark.parametrize("sampler", ["uniform", "kernel", "separable", "knothe-rosenblatt"])
def test_every_sampler_learns(sampler):
    _, losses = train(spec=replace(SPEC, sampler=sampler))
    assert losses[-3:, 0].mean() < 0.7 * losses[:3, 0].mean()
    if sampler != "uniform":
        assert losses[-3:, 1].mean() < losses[:3, 1].mean()


def test_a_uniform_grid_trains_nothing_that_nobody_reads():
    trainer, losses = train(spec=replace(SPEC, sampler="uniform"), steps=2)
    assert all(weights.grad is None for weights in trainer.segmenter.density.parameters())
    assert losses[0, 1] == losses[1, 1]


def test_half_precision_learns_every_part_as_full_precision_does():
    spec = replace(SPEC, ladder=(8, 16), shared_features=True)
    _, full = train(replace(RECIPE, precision="float32"), spec)
    _, half = train(replace(RECIPE, precision="bfloat16"), spec)
    assert not np.array_equal(half, full)
    assert half[0] == pytest.approx(full[0], rel=0.02)
    assert half[-3:].mean(axis=0) == pytest.approx(full[-3:].mean(axis=0), rel=0.3)


def test_the_papers_preset_fits_spec_and_recipe_and_learns():
    spec, recipe = replace(SPEC, **JIN2022.network), replace(RECIPE, **JIN2022.recipe)
    assert (recipe.edge_weight, recipe.edge_loss, recipe.area_power) == (100, "mse", 0)
    assert (spec.sampler, spec.density_network) == ("kernel", "local")
    trainer, losses = train(recipe, spec, steps=6)
    assert np.isfinite(losses).all()
    assert losses[-1].sum() < losses[0].sum()
    assert isinstance(trainer.optimizer, torch.optim.Adam)
    assert not isinstance(trainer.optimizer, torch.optim.AdamW)


@pytest.mark.parametrize("preset", PRESETS.values())
def test_a_preset_sets_every_part_of_the_objective(preset):
    """So that no other default changes what it means."""
    free = {"steps", "seed", "points", "precision", "encoder_weights"}
    assert set(preset.recipe) == set(vars(RECIPE)) - free


def test_the_first_five_fields_are_those_of_every_recipe():
    assert Recipe(20, 0.01, 0.003, 0.5, 3) == RECIPE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"schedule": "linear"},
            "schedule 'linear' is unknown; there are one-cycle, cosine, steps",
        ),
        ({"optimizer": "SGD"}, "optimizer 'SGD' is unknown"),
        ({"edge_loss": "l1"}, "edge_loss 'l1' is unknown"),
        ({"precision": "float64"}, "precision 'float64' is unknown"),
        ({"edge_floor": 0.0}, "edge_floor is 0, expected more than 0 and at most 1"),
        ({"rarity": 1.5}, "rarity is 1.5, expected 0 to 1"),
        ({"withhold_chance": -0.1}, "withhold_chance is -0.1, expected 0 to 1"),
        ({"error_source": "me"}, "error_source 'me' is unknown; there are labels, network"),
        ({"rungs_per_step": 0}, "rungs_per_step is 0, expected a whole number from 1 to 12"),
    ],
)
def test_a_recipe_names_what_is_impossible(change, message):
    with pytest.raises(UsageError, match=message):
        replace(RECIPE, **change)


def first_loss(**change):
    trainer = make_trainer(replace(RECIPE, **change))
    torch.nn.init.normal_(trainer.segmenter.density.head.weight)
    return trainer.step(0, make_batch())


def test_every_part_of_the_segmentation_loss_can_be_switched():
    both, dice, surprise = (
        first_loss(dice_weight=dice, cross_entropy_weight=surprise)[0]
        for dice, surprise in ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0))
    )
    assert both == pytest.approx(dice + surprise, rel=1e-5)
    changes = (
        {"area_power": 0.0},
        {"class_weights": (1.0, 5.0)},
        {"point_weight": 1.0},
        {"stain_jitter": 0.0},
        {"view_blur": 1.0},
    )
    for change in changes:
        assert first_loss(**change)[0] != pytest.approx(both, rel=1e-5), change


def test_every_part_of_the_edge_loss_can_be_switched():
    usual = first_loss()[1]
    for change in ({"edge_blur": 2.0}, {"edge_floor": 0.5}, {"rarity": 0.5}, {"edge_loss": "mse"}):
        assert first_loss(**change)[1] != pytest.approx(usual, rel=1e-5), change


@pytest.mark.parametrize("error_source", ["labels", "network"])
def test_a_step_may_learn_from_several_rungs_and_predict_either_error(error_source):
    spec = replace(SPEC, ladder=(8, 16, 32), shared_features=True)
    recipe = replace(RECIPE, rungs_per_step=2, error_source=error_source)
    trainer, losses = train(recipe, spec)
    assert losses[-3:, 0].mean() < 0.7 * losses[:3, 0].mean()
    assert losses[-3:, 2].mean() < losses[:3, 2].mean()
    drawn = [trainer._draw_rungs(number) for number in range(20)]
    assert {len(set(rungs)) for rungs in drawn} == {2}
    assert {rung for rungs in drawn for rung in rungs} == {0, 1, 2}


def test_all_rungs_a_step_are_all_lattices_of_the_ladder():
    spec = replace(SPEC, ladder=(8, 16), shared_features=True)
    trainer = make_trainer(replace(RECIPE, rungs_per_step=9), spec)
    assert sorted(trainer._draw_rungs(0)) == [0, 1]


def test_what_is_withheld_changes_nothing_for_the_segmentation_network():
    def loss(chance, context):
        spec = replace(SPEC, shared_features=True)
        trainer = make_trainer(replace(RECIPE, withhold_chance=chance), spec)
        place_samples = trainer.segmenter.place_samples
        trainer.segmenter.place_samples = lambda *what: replace(
            place_samples(*what), context=torch.full_like(place_samples(*what).context, context)
        )
        return trainer.step(0, make_batch())[0]

    assert loss(0.0, 1.0) != pytest.approx(loss(0.0, 2.0), rel=1e-5)
    assert loss(1.0, 1.0) == loss(1.0, 2.0)


def test_context_is_withheld_from_a_share_of_the_regions_the_same_ones_each_time():
    trainer = make_trainer(replace(RECIPE, withhold_chance=0.25))
    shown = [trainer._draw_context_mask(number, 20) for number in range(50)]
    assert torch.stack(shown).mean() == pytest.approx(0.75, abs=0.05)
    assert torch.equal(shown[7], trainer._draw_context_mask(7, 20))


def test_points_teach_both_networks():
    recipe = replace(RECIPE, edge_weight=0.0, dice_weight=0.0, cross_entropy_weight=0.0)
    trainer = make_trainer(replace(recipe, point_weight=1.0))
    trainer.step(0, make_batch())
    assert trainer.segmenter.density.head.weight.abs().max() > 0


def test_sampling_by_the_labels_is_what_they_ask_for_and_leaves_the_density_network_alone():
    recipe = replace(RECIPE, sample_by="labels", weight_decay=0.0)
    before = make_trainer().segmenter.density.state_dict()
    trainer, losses = train(recipe, steps=5)
    assert losses[:, 1] == pytest.approx(np.zeros(5), abs=1e-6)
    for name, weights in trainer.segmenter.density.named_parameters():
        assert torch.equal(weights, before[name]), name
    by_network = tune_dice(trainer.segmenter, Kept(), LATTICE, CPU)
    by_labels = tune_dice(trainer.segmenter, Kept(), LATTICE, CPU, recipe=recipe)
    assert not np.array_equal(by_network, by_labels)


def test_sampling_at_random_knows_nothing_of_the_region_and_repeats():
    recipe = replace(RECIPE, sample_by="random")
    wanted = wanted_density(make_batch(), recipe)
    found = [imposed_density(wanted, recipe, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert found[0].mean(dim=(2, 3)) == pytest.approx(1.0)
    assert found[0].max() > 2
    assert found[0].min() >= recipe.edge_floor
    assert imposed_density(wanted, RECIPE, np.random.default_rng(1)) is None
    _, losses = train(recipe, steps=5)
    assert np.isfinite(losses).all()


def test_the_weight_of_the_edge_loss_decays_or_stays():
    """Without a segmentation loss, the gradient is that of the edge loss times its weight."""

    def gradient(number, edge_decay):
        recipe = replace(
            RECIPE,
            dice_weight=0.0,
            cross_entropy_weight=0.0,
            edge_decay=edge_decay,
            largest_gradient=None,
            stain_jitter=0.0,
            brightness_jitter=0.0,
            white_balance_jitter=0.0,
        )
        trainer = make_trainer(recipe)
        trainer.step(number, make_batch())
        return trainer.segmenter.density.head.weight.grad.norm().item()

    assert gradient(18, 0.0) == pytest.approx(gradient(0, 0.0), rel=1e-2)
    assert gradient(18, 1.0) == pytest.approx(0.1 * gradient(0, 1.0), rel=1e-2)


def test_steps_lower_the_learning_rate_twice():
    shares = [learning_rate_factor(number, 10, "steps") for number in range(10)]
    assert shares == pytest.approx([1.0] * 4 + [0.1] * 4 + [0.01] * 2)
