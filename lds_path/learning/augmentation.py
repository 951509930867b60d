"""Variation of the regions that a training sees: rotated, moved, blurred and with noise.

The stain varies too, where it costs least: `trainer` changes the colours of the samples.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from monai.transforms.intensity.array import GaussianSmooth, RandGaussianNoise

from lds_path.network.motion import move_image, with_margin

if TYPE_CHECKING:
    from torch import Tensor

    from lds_path.learning.batches import Batch
    from lds_path.learning.recipe import Augmentation

BLUR_PITCHES = (0.2, 0.8)
"""Range of the blur's standard deviation, in distances between samples of the uniform grid."""
NOISE = (1.0, 8.0)
"""Range of the noise's standard deviation, in grey levels of 255."""
SCALES = (0.75, 1.33)
"""Range of the factor on the size of what a moved region shows."""
SHIFT = 0.1
"""Largest shift of a moved region, as a fraction of its sides."""
_MIN_SIGMA = 0.25  # pixels; less changes nothing


def augment(batch: Batch, random: np.random.Generator, augmentation: Augmentation) -> Batch:
    """Return one region rotated or mirrored, and perhaps moved, blurred or with noise.

    Parameters
    ----------
    batch
        A batch of one.
    random
        Source of all draws; the same draws give the same batch.
    augmentation
        Chance of each change.
    """
    height, width = batch.edges.shape[2:]
    square = width == height
    batch = batch.oriented(int(random.choice(8 if square else [0, 2, 4, 6])))
    is_moved, is_blurred, is_noisy = random.random(3) < (
        augmentation.move_chance, augmentation.blur_chance, augmentation.noise_chance
    )  # fmt: skip
    motion = _draw_motion(random, width / height)
    pitches, grey = random.uniform(*BLUR_PITCHES), random.uniform(*NOISE)
    seed = int(random.integers(2**31))
    if is_moved:
        batch = _moved(batch, motion)
    if is_blurred:
        batch = _blurred(batch, float(pitches))
    return _with_noise(batch, float(grey), seed) if is_noisy else batch


def _draw_motion(random: np.random.Generator, aspect: float) -> Tensor:
    """Return a rotation, a scaling and a shift, (1, 2, 3), see `network.motion`."""
    angle, (x, y) = random.uniform(-math.pi, math.pi), random.uniform(-2 * SHIFT, 2 * SHIFT, 2)
    scale = math.exp(random.uniform(*np.log(SCALES)))
    cosine, sine = math.cos(angle) / scale, math.sin(angle) / scale
    rows = [[cosine, -sine / aspect, x], [sine * aspect, cosine, y]]
    return torch.tensor([rows], dtype=torch.float32)


def _moved(batch: Batch, motion: Tensor) -> Batch:
    height, width = batch.edges.shape[2:]  # a cell is 2 x 2 pixels of the view
    fractions = (2 * width / batch.view.shape[3], 2 * height / batch.view.shape[2])
    cells = move_image(torch.cat((batch.edges, batch.labelled, batch.errors), dim=1), motion)
    return replace(
        batch,
        view=_to_uint8(move_image(batch.view.float(), with_margin(motion, fractions))),
        edges=cells[:, :1],
        labelled=cells[:, 1:2],
        errors=cells[:, 2:],
        motion=motion,
    )


def _blurred(batch: Batch, pitches: float) -> Batch:
    """Return the batch out of focus, equally at all levels."""
    # The finest level's pixel is a quarter of the pitch or, near the working pixels, more.
    widths = [level.shape[-1] for level in batch.levels]
    finest = pitches * 2 ** (len(widths) - 2)
    sigmas = [finest * width / widths[0] for width in widths]
    view_sigma = finest * 2 * batch.edges.shape[-1] / widths[0]  # a cell is 2 x 2 of its pixels
    return replace(
        batch,
        view=_smooth(batch.view, view_sigma),
        levels=[_smooth(level, s) for level, s in zip(batch.levels, sigmas, strict=True)],
    )


def _smooth(image: Tensor, sigma: float) -> Tensor:
    if sigma < _MIN_SIGMA:
        return image
    # MONAI's filter takes what lies beyond the edges as black.
    reach = min(math.ceil(4 * sigma), *image.shape[-2:])
    padded = F.pad(image.float(), (reach,) * 4, mode="replicate")[0]
    smooth = GaussianSmooth(sigma=sigma)(padded)[:, reach:-reach, reach:-reach]
    return _to_uint8(smooth)[None]


def _with_noise(batch: Batch, grey: float, seed: int) -> Batch:
    noise = RandGaussianNoise(prob=1.0, std=grey, sample_std=False)
    noise.set_random_state(seed=seed)
    levels = [_to_uint8(noise(level[0].float()))[None] for level in batch.levels]
    return replace(batch, levels=levels)


def _to_uint8(image: Tensor) -> Tensor:
    # MONAI wraps tensors in a type of its own.
    return torch.as_tensor(np.asarray(image)).round().clamp(0, 255).to(torch.uint8)
