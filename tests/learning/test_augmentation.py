from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import ndimage

from lds_path.errors import UsageError
from lds_path.geometry import Size
from lds_path.learning.augmentation import degrade, move
from lds_path.learning.data.batches import Batch
from lds_path.learning.recipe import Augmentation
from lds_path.network.grid import uniform_grid
from lds_path.network.motion import area_factor, identity_motion, move_grid
from lds_path.network.warp import halve, warp, warp_labels


def make_batch(width=64, height=64):
    """Return a batch whose left half is dark and labelled."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    dark = ((columns < width // 2) & (rows < height // 4 * 3))[None, None]
    image = torch.where(dark, 60.0, 200.0).expand(1, 3, -1, -1)
    levels = [level.round().to(torch.uint8) for level in halve(image, 4)]
    fractions = [level.round().to(torch.uint8) for level in halve(dark.float() * 255, 4)]
    edges = halve(fractions[3].float(), 2)[1]  # a cell is 2 x 2 pixels of the view
    return Batch(
        view=levels[3],
        levels=levels,
        fractions=fractions,
        first_level=0,
        edges=edges,
        errors=2 * edges,
        labelled=edges / 255,
        motion=identity_motion(1),
    )


def draw(augmentation, count=40, **size):
    batch = make_batch(**size)
    return [move(batch, np.random.default_rng(seed), augmentation) for seed in range(count)]


def contrast(batch):
    """Return the difference between dark and pale, at the finest level."""
    dark = batch.fractions[0][0, 0] == 255
    image = batch.levels[0][0].float().mean(dim=0)
    return float(image[~dark].mean() - image[dark].mean())


@pytest.mark.parametrize("width", [64, 128])
def test_labels_stay_on_their_tissue(width):
    for batch in draw(Augmentation(0, 1, 1), 12, width=width):
        assert batch.view.shape == (1, 3, 8, width // 8)
        assert contrast(batch) > 110
        assert batch.levels[0].dtype == batch.view.dtype == torch.uint8


def test_without_chances_only_the_position_changes():
    for batch in draw(Augmentation(0, 0, 0)):
        assert set(batch.levels[0].unique().tolist()) == {60, 200}
    assert len({batch.levels[2].numpy().tobytes() for batch in draw(Augmentation(0, 0, 0))}) == 8


def samples():
    """Return three regions of samples whose left half is dark."""
    columns = torch.arange(32)
    return torch.where(columns < 16, 60.0, 200.0).expand(3, 3, 24, 32).clone()


def test_blur_softens_the_edges_and_keeps_what_is_far_from_them():
    clear = samples()
    blurred = degrade(clear, np.random.default_rng(1), Augmentation(0, 1, 0))
    step = (blurred[..., 1:] - blurred[..., :-1]).amax(dim=(1, 2, 3))
    assert (step < 140).all()
    assert len(step.unique()) == 3
    torch.testing.assert_close(blurred[..., :13], clear[..., :13])
    torch.testing.assert_close(blurred.mean(), clear.mean())


def test_noise_has_another_strength_in_each_region():
    noisy = degrade(samples(), np.random.default_rng(1), Augmentation(0, 0, 1))
    spread = (noisy - samples()).std(dim=(1, 2, 3))
    assert ((spread > 0.9) & (spread < 8.5)).all()
    assert len(spread.unique()) == 3


def test_without_chances_the_samples_stay_as_they_are():
    clear = samples()
    assert degrade(clear, np.random.default_rng(1), Augmentation(0, 0, 0)) is clear


def test_only_a_fraction_of_the_regions_is_changed():
    many = samples()[:1].expand(200, -1, -1, -1)
    changed = degrade(many, np.random.default_rng(1), Augmentation(0, 0.2, 0)) != many
    assert 20 < changed.any(dim=(1, 2, 3)).sum() < 60


def shown(batch, lattice):
    """Return image and share of dark tissue as a uniform grid sees them, (h, w) each."""
    grid = uniform_grid(lattice, batch.edges)
    place, area = (
        move_grid(grid, batch.motion),
        area_factor(batch.motion).expand(1, 1, lattice.height, lattice.width),
    )
    _, labelled = warp_labels(batch.fractions, place, area)
    return warp(batch.levels, place, area)[0, 0], labelled[0, 0]


@pytest.mark.parametrize("width", [64, 128])
def test_a_moved_region_keeps_its_labels_on_the_same_tissue(width):
    for batch in draw(Augmentation(1, 0, 0), 12, width=width):
        image, dark = shown(batch, Size(width // 2, 32))
        assert (image - (200 - 140 * dark)).abs().max() < 1
        assert 0.1 < dark.mean() < 0.7


@pytest.mark.parametrize("width", [64, 128])
def test_the_view_and_the_edges_of_a_moved_region_show_what_the_samples_show(width):
    for batch in draw(Augmentation(1, 0, 0), 12, width=width):
        image, dark = shown(batch, Size(width // 8, 8))
        assert (image - batch.view[0, 0].float()).abs().mean() < 8
        _, dark = shown(batch, Size(width // 16, 4))
        assert (dark * 255 - batch.edges[0, 0]).abs().mean() < 20
        assert torch.equal(batch.errors, 2 * batch.edges)
        assert torch.allclose(batch.labelled * 255, batch.edges, atol=1e-3)


def test_a_disc_stays_a_disc_when_its_region_is_moved():
    rows, columns = torch.meshgrid(torch.arange(128), torch.arange(256), indexing="ij")
    disc = ((rows - 63.5) ** 2 + (columns - 127.5) ** 2 < 20**2).float()[None, None] * 255
    batch = dataclasses.replace(make_batch(width=256, height=128), levels=[disc])
    widths = []
    for seed in range(20):
        moved = move(batch, np.random.default_rng(seed), Augmentation(1, 0, 0))
        place = move_grid(uniform_grid(Size(256, 128), moved.edges), moved.motion)
        found = np.pad(warp([disc], place)[0, 0].numpy() > 127, 1)
        for rows, columns in ndimage.find_objects(ndimage.label(found)[0]):
            if rows.start > 1 and rows.stop < 129 and columns.start > 1 and columns.stop < 257:
                widths.append(columns.stop - columns.start)
                assert abs(widths[-1] - (rows.stop - rows.start)) <= 2
    assert min(widths) < 36
    assert max(widths) > 44


def test_a_chance_that_is_none_is_named():
    with pytest.raises(UsageError, match="noise_chance is 2, expected 0 to 1"):
        Augmentation(0, 0, 2)
