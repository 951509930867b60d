"""What sampling alone can reach: labels sampled, carried back, and scored at full size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from label_shares import label_fractions

from lds_path.geometry import Size
from lds_path.network.grid import sampling_grid
from lds_path.network.losses import edge_density, target_density
from lds_path.network.warp import halve, warp_labels
from lds_path.unwarp.blend import unwarp

SIDE, LATTICE, CELLS = 512, Size(32, 32), Size(32, 32)
CLASSES = 3


def paint_labels(seed):
    """Ground, some large discs, and clusters of small ones."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    labels = np.ones((SIDE, SIDE), np.uint8)
    for _ in range(3):
        at, radius = random.uniform(0, SIDE, 2), random.uniform(40, 70)
        labels[(y - at[0]) ** 2 + (x - at[1]) ** 2 < radius**2] = 2
    for _ in range(3):
        centre = random.uniform(60, SIDE - 60, 2)
        for _ in range(12):
            at, radius = random.normal(centre, 25), random.uniform(4, 8)
            labels[(y - at[0]) ** 2 + (x - at[1]) ** 2 < radius**2] = 3
    return labels


def ceiling(sampler, *, rarity=0.0, **options):
    """The mIoU of the labels themselves, through the samples and back, over four pictures."""
    overlap, union = np.zeros(CLASSES), np.zeros(CLASSES)
    for seed in range(4):
        labels = paint_labels(seed)
        found = torch.from_numpy(labels)[None]
        levels = halve(label_fractions(found, CLASSES), 6)
        shares = torch.nn.functional.adaptive_avg_pool2d(levels[0], (CELLS.height, CELLS.width))
        density = target_density(edge_density(found, CELLS), shares, rarity=rarity)
        grid = sampling_grid(density, LATTICE, sampler=sampler, **options)
        scores, _ = warp_labels(levels, grid)
        back = unwarp(scores[0].numpy(), grid[0].numpy(), Size(SIDE, SIDE)).argmax(axis=0) + 1
        for value in range(1, CLASSES + 1):
            overlap[value - 1] += ((labels == value) & (back == value)).sum()
            union[value - 1] += ((labels == value) | (back == value)).sum()
    return float((overlap / union).mean())


@pytest.fixture(scope="module")
def uniform():
    return ceiling("uniform")


@pytest.mark.parametrize(
    ("sampler", "options"),
    [
        ("kernel", {"kernel_width": 0.05}),
        ("separable", {"smoothing": 0.03}),
        ("knothe-rosenblatt", {"smoothing": 0.03}),
        ("knothe-rosenblatt", {"smoothing": 0.03, "max_zoom": 4.0}),
        ("knothe-rosenblatt", {"smoothing": 0.03, "rarity": 0.5}),
    ],
)
def test_samples_where_the_labels_change_keep_more_of_them(uniform, sampler, options):
    assert uniform < 0.85
    assert ceiling(sampler, **options) > uniform + (0.08 if "knothe" in sampler else 0.02)
