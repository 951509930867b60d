"""Which squares of a cohort are suggested: by rank, and spread over slides, patients and classes."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lds_path.suggesting.squares import STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lds_path.options.suggesting import By
    from lds_path.suggesting.squares import Squares

WEIGHTS = {"doubt": 1.0, "distance": 0.25, "error": 0.25}
"""Of the parts in the score."""
MIDDLE = 0.5
"""Rank of what is not known."""
EQUAL_SHARES = 1.5
"""A slide or patient gets at most so many times its equal share of the areas, unless others have too few."""
RARE_AREAS = 4
"""One area in so many goes to the classes that the model predicts rarely, where it doubts them most."""
RARE = 0.5
"""A class is rare if it was predicted in less than so many times its equal share of the tissue."""


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
    rare: int | None = None
    """Value of the class that is rarely predicted, for whose sake it was chosen."""


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
    picker = _Picker(slides, patients, count)
    found: dict[int, int | None] = {}
    for value, share in _shares(slides, count).items() if by == "score" else ():
        doubted = np.concatenate([squares.doubted[value] for squares in slides])
        found |= dict.fromkeys(picker.pick(doubted, share, above=0), value)
    for has_limits in (True, False):
        left = count - len(found)
        found |= dict.fromkeys(picker.pick(scores, left, above=-1, has_limits=has_limits))
    chosen = []
    for index, rare in found.items():
        known = {name: float(each[index]) for name, each in ranks.items()}
        known = {name: value for name, value in known.items() if not math.isnan(value)}
        slide, square = picker.place(index)
        chosen.append(Chosen(slide, square, float(scores[index]), known, rare))
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


def _shares(slides: Sequence[Squares], count: int) -> dict[int, int]:
    """Return the classes that were predicted rarely, the rarest first, with their areas."""
    pixels: Counter[int] = Counter()
    for squares in slides:
        pixels.update(squares.pixels)
    limit = RARE * pixels.total() / max(len(pixels), 1)
    rare = [value for value, found in reversed(pixels.most_common()) if 0 < found < limit]
    whole, more = divmod(count // RARE_AREAS, max(len(rare), 1))
    return {value: whole + (number < more) for number, value in enumerate(rare)}


class _Picker:
    """Picks squares that do not overlap, as long as their slides and patients have room."""

    def __init__(self, slides: Sequence[Squares], patients: Sequence[str], count: int) -> None:
        self._slides, self._patients = slides, patients
        self._owner = np.repeat(np.arange(len(slides)), [len(each.rows) for each in slides])
        self._first = np.searchsorted(self._owner, np.arange(len(slides)))
        self._most = math.ceil(EQUAL_SHARES * count / max(len(slides), 1))
        self._most_of_patient = math.ceil(EQUAL_SHARES * count / max(len(set(patients)), 1))
        self._taken: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        self._of_patient: Counter[str] = Counter()

    def place(self, index: int) -> tuple[int, int]:
        """Return the slide of a square of the cohort, and its number there."""
        slide = int(self._owner[index])
        return slide, index - int(self._first[slide])

    def pick(
        self, scores: NDArray[np.floating], count: int, *, above: float, has_limits: bool = True
    ) -> list[int]:
        """Return up to `count` squares with scores above a bound, by falling score."""
        picked: list[int] = []
        for index in np.argsort(-scores, kind="stable").tolist():
            if len(picked) >= count or scores[index] <= above:
                break
            if self._take(index, has_limits=has_limits):
                picked.append(index)
        return picked

    def _take(self, index: int, *, has_limits: bool) -> bool:
        """Take a square if there is room for it."""
        slide, number = self.place(index)
        squares, patient, taken = self._slides[slide], self._patients[slide], self._taken[slide]
        place = (int(squares.rows[number]), int(squares.columns[number]))
        is_full = len(taken) >= self._most or self._of_patient[patient] >= self._most_of_patient
        if (has_limits and is_full) or any(_overlap(place, other) for other in taken):
            return False
        taken.append(place)
        self._of_patient[patient] += 1
        return True


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return abs(one[0] - other[0]) < STEPS and abs(one[1] - other[1]) < STEPS
