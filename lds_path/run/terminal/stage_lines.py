"""What a person reads while a run lasts: a line for each slide and stage, with what is left."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE = 60
WORDS = {
    "demo": "painted", "tile": "tiled", "screen": "screened", "detect": "searched for tissue",
    "plan": "planned", "segment": "segmented", "stitch": "stitched", "export": "exported",
    "assess": "assessed", "evaluate": "scored", "report": "report written", "train": "model trained",
}  # fmt: skip
"""Stage -> what is said of a slide when it is done."""


class StageLines:
    """Counts the jobs of a run, and says of each what was done and how long the rest will take.

    What is left follows from the mean time of each stage so far, and from how many jobs ran at
    once; of a stage that has not run yet, from the mean of the others.

    Parameters
    ----------
    planned
        Stage -> jobs that the run has to do.
    """

    def __init__(self, planned: Mapping[str, int]) -> None:
        self._planned = planned
        self._ended: Counter[str] = Counter()
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)

    def end(
        self, stage: str, subject: str, *, seconds: float, elapsed: float, note: str = ""
    ) -> str:
        """Count a job that ended, and return its line.

        Parameters
        ----------
        stage
            Its stage.
        subject
            The slide, and its shard if there are several; empty for a job for all slides.
        seconds, elapsed
            That the job took, and that the run has lasted.
        note
            What to say instead of the stage's word.
        """
        self._ended[stage] += 1
        self._seconds[stage].append(seconds)
        count = f"[{self._ended[stage]}/{max(self._planned.get(stage, 0), self._ended[stage])}]"
        what = " ".join(filter(None, (subject, note or WORDS.get(stage, f"{stage} done"))))
        left = self._left(elapsed)
        return f"{count} {what}" + (f", about {in_words(left)} left" if left else "")

    def skip(self, stage: str) -> None:
        """Count a job of which nothing is said."""
        self._ended[stage] += 1

    def _left(self, elapsed: float) -> float:
        known = [seconds for each in self._seconds.values() for seconds in each]
        if not known or not elapsed:
            return 0.0
        usual = sum(known) / len(known)
        work = 0.0
        for stage, count in self._planned.items():
            taken = self._seconds.get(stage)
            mean = sum(taken) / len(taken) if taken else usual
            work += max(count - self._ended[stage], 0) * mean
        at_once = max(sum(known) / elapsed, 1.0)
        return work / at_once


def in_words(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 1.5 * MINUTE:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / MINUTE)
    return f"{minutes} min" if minutes < 2 * MINUTE else f"{minutes / MINUTE:.1f} h"
