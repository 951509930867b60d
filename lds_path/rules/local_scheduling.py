"""How Snakemake chooses the next jobs of a local run with many slides."""

from __future__ import annotations

from typing import Any


def start_without_limit(scheduler: Any) -> None:  # noqa: ANN401 - Snakemake's
    """Start local jobs as soon as there is room for them, in place of at most 100 a second.

    For the sake of the limit Snakemake plans, after each look at the waiting jobs, another look a second later:
    after some hundred jobs it does little else. `scheduler-subsample` in the profiles bounds what a look takes.
    """
    if hasattr(scheduler, "job_rate_limiter"):
        scheduler.job_rate_limiter = None
