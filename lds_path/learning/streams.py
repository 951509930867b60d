"""Streams of random numbers, one for each purpose and step, none of which is used twice."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, name: str, step: int) -> np.random.Generator:
    """Return the random numbers of one purpose in one step.

    Any other seed, name or step gives other numbers, so that what one draw takes never shifts
    another.

    Parameters
    ----------
    seed
        Of the training.
    name
        What the numbers are for, such as "stain".
    step
        Number of the step, or whatever else counts the draws.
    """
    # A hash, because numpy takes [1, 2] and [1, 2, 0] for the same seed.
    digest = hashlib.sha256(f"{seed} {step} {name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))
