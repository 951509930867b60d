"""Which squares of a cohort are suggested: by rank, and spread over slides and patients."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lds_path.suggesting.squares import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from lds_path.options.suggesting import By
    from lds_path.suggesting.squares import Squares

WEIGHTS = {"doubt": 1.0, "distance": 0.25, "error": 0.25}
"""Of the parts in the score."""
MIDDLE = 0.5
"""Rank of what is not known."""
EQUAL_SHARES = 1.5
"""A slide or patient gets at most so many times its equal share of the areas, unless others have too few."""


@dataclass(frozen=True)
class Chosen:
    """A square that is suggested."""

    slide: int
    """Number of its slide."""
    square: int
    """Number among the squares of the slide."""
    score: float
    """0 to 1."""
    ranks: Mapping[str, float]
    """Part of the score -> fraction of all squares of the cohort where it is smaller; only where known."""


def choose(
    slides: Sequence[Squares],
    patients: Sequence[str],
    count: int,
    *,
    by: By = "score",
    seed: int = 1,
) -> list[Chosen]:
    """Return the squares with the highest scores, best first, of which no two overlap.

    The same squares give the same choice. There are fewer than `count` if there is no room for more.

    Parameters
    ----------
    slides
        Squares of each slide.
    patients
        Patient of each slide.
    count
        Squares to choose.
    by
        What the score is: all parts, one of them, or a random number.
    seed
        Of random numbers.
    """
    ranks = {name: rank(slides, name) for name in WEIGHTS}
    scores = _random(slides, seed) if by == "random" else _score(ranks, by)
    owner = np.repeat(np.arange(len(slides)), [len(squares.rows) for squares in slides])
    first = np.searchsorted(owner, np.arange(len(slides)))
    chosen = []
    for index in _pick(slides, patients, count, scores, owner, first):
        known = {name: float(each[index]) for name, each in ranks.items()}
        known = {name: value for name, value in known.items() if not math.isnan(value)}
        slide = int(owner[index])
        chosen.append(Chosen(slide, index - int(first[slide]), float(scores[index]), known))
    return sorted(chosen, key=lambda item: (-item.score, item.slide, item.square))


def rank(slides: Sequence[Squares], part: str) -> NDArray[np.float64]:
    """Return for each square of the cohort the fraction of those known where a part is smaller.

    NaN where it is not known.
    """
    values = np.concatenate(
        [squares.parts.get(part, np.full(len(squares.rows), np.nan)) for squares in slides]
    )
    known = np.sort(values[~np.isnan(values)])
    below = np.searchsorted(known, values) / max(len(known) - 1, 1)
    ranks: NDArray[np.float64] = np.where(np.isnan(values), np.nan, below)
    return ranks


def _score(ranks: Mapping[str, NDArray[np.float64]], by: By) -> NDArray[np.float64]:
    """Return the weighted mean of the ranks; one that is not known counts as the middle.

    It is -1 everywhere if no part is known of any square.
    """
    names = [
        name for name in (WEIGHTS if by == "score" else [by]) if np.isfinite(ranks[name]).any()
    ]
    if not names:
        return np.full(len(next(iter(ranks.values()))), -1.0)
    values = [np.nan_to_num(ranks[name], nan=MIDDLE) for name in names]
    scores: NDArray[np.float64] = np.average(
        values, axis=0, weights=[WEIGHTS[name] for name in names]
    )
    return scores


def _random(slides: Sequence[Squares], seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).random(sum(len(squares.rows) for squares in slides))


def _pick(
    slides: Sequence[Squares],
    patients: Sequence[str],
    count: int,
    scores: NDArray[np.float64],
    owner: NDArray[np.intp],
    first: NDArray[np.intp],
) -> Iterator[int]:
    """Yield squares by falling score; what was left out for the shares comes after all others."""
    most = math.ceil(EQUAL_SHARES * count / max(len(slides), 1))
    most_of_patient = math.ceil(EQUAL_SHARES * count / max(len(set(patients)), 1))
    taken: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    of_patient: Counter[str] = Counter()
    left = count
    order = [index for index in np.argsort(-scores, kind="stable").tolist() if scores[index] >= 0]
    for has_limits in (True, False):
        later = []
        for index in order:
            if left == 0:
                return
            slide = int(owner[index])
            squares, number = slides[slide], index - int(first[slide])
            place = (int(squares.rows[number]), int(squares.columns[number]))
            if any(_overlap(place, other) for other in taken[slide]):
                continue
            is_full = len(taken[slide]) >= most or of_patient[patients[slide]] >= most_of_patient
            if has_limits and is_full:
                later.append(index)
                continue
            taken[slide].append(place)
            of_patient[patients[slide]] += 1
            left -= 1
            yield index
        order = later


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return abs(one[0] - other[0]) < STEPS and abs(one[1] - other[1]) < STEPS
