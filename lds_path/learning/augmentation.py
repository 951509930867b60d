"""Variation of what a training sees: regions rotated and moved, samples out of focus and with noise.

Nothing is resampled: a region is moved by taking its samples elsewhere (`network.motion`), and
colours, focus and noise are those of the samples.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

from lds_path.network.motion import move_image, with_margin

if TYPE_CHECKING:
    from torch import Tensor

    from lds_path.learning.data.batches import Batch
    from lds_path.learning.recipe import Augmentation

BLUR = (0.2, 0.8)
"""Range of the blur's standard deviation, in samples."""
NOISE = (1.0, 8.0)
"""Range of the noise's standard deviation, in grey levels of 255."""
SCALES = (0.75, 1.33)
"""Range of the factor on the size of what a moved region shows."""
SHIFT = 0.1
"""Largest shift of a moved region, as a fraction of its sides."""
_BLUR_REACH = 2  # samples


def move(batch: Batch, random: np.random.Generator, augmentation: Augmentation) -> Batch:
    """Return one region rotated or mirrored, and perhaps moved.

    Parameters
    ----------
    batch
        A batch of one.
    random
        Source of all draws; the same draws give the same batch.
    augmentation
        Chance of a motion.
    """
    height, width = batch.edges.shape[2:]
    square = width == height
    batch = batch.oriented(int(random.choice(8 if square else [0, 2, 4, 6])))
    is_moved = random.random() < augmentation.move_chance
    motion = _draw_motion(random, width / height)
    return _moved(batch, motion) if is_moved else batch


def degrade(samples: Tensor, random: np.random.Generator, augmentation: Augmentation) -> Tensor:
    """Return samples of which some regions are out of focus, and some have noise.

    Parameters
    ----------
    samples
        Colours, (B, 3, h, w), in 0..255.
    random
        Source of all draws.
    augmentation
        Chance of each change for a region.
    """
    regions = len(samples)
    is_blurred = random.random(regions) < augmentation.blur_chance
    is_noisy = random.random(regions) < augmentation.noise_chance
    sigmas, grey = random.uniform(*BLUR, regions), random.uniform(*NOISE, regions)
    changed = list(samples)
    for region in np.flatnonzero(is_blurred):
        changed[region] = _smooth(changed[region], float(sigmas[region]))
    for region in np.flatnonzero(is_noisy):
        noise = grey[region] * random.standard_normal(samples.shape[1:], dtype=np.float32)
        changed[region] = changed[region] + torch.from_numpy(noise).to(samples)
    return torch.stack(changed) if is_blurred.any() or is_noisy.any() else samples


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


def _smooth(image: Tensor, sigma: float) -> Tensor:
    """Return an image, (C, h, w), blurred by a Gaussian."""
    offset = torch.arange(-_BLUR_REACH, _BLUR_REACH + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (offset / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(image[:, None], (_BLUR_REACH,) * 4, mode="replicate")  # (C, 1, h + 4, w + 4)
    rows = F.conv2d(padded, kernel.view(1, 1, 1, -1))
    return F.conv2d(rows, kernel.view(1, 1, -1, 1))[:, 0]


def _to_uint8(image: Tensor) -> Tensor:
    return image.round().clamp(0, 255).to(torch.uint8)
