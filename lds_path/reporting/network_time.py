"""The time of the network on a slide, beside what the plan predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lds_path.formats.results import SegmentResults

if TYPE_CHECKING:
    from lds_path.provenance.cohort import SlideRecord


@dataclass(frozen=True)
class NetworkTime:
    """What a budget in seconds promised for a slide, and what became of it."""

    predicted: float
    needed: float
    """Of all shards together."""


def network_time(record: SlideRecord) -> NetworkTime | None:
    """Return the seconds of the network; None where the budget was not in seconds."""
    segment = record.stages["segment"]
    shards = [folder.read(SegmentResults) for folder in segment.folders if segment.status == "done"]
    if not shards or any(None in (one.predicted_seconds, one.network_seconds) for one in shards):
        return None
    needed = sum(one.network_seconds or 0.0 for one in shards)
    return NetworkTime(shards[0].predicted_seconds or 0.0, needed)
