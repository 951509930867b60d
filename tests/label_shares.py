"""Label images as the class shares that `warp_labels` and `round_trip_errors` take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def label_fractions(labels: Tensor, classes: int) -> Tensor:
    """Return the share of each class in each pixel, (B, classes, H, W), of labels, (B, H, W)."""
    values = torch.arange(1, classes + 1, dtype=labels.dtype)
    return (labels[:, None] == values[:, None, None]).float()
