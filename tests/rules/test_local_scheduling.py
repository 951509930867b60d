"""Local jobs start without the limit whose book-keeping takes over with many slides."""

import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from lds_path.rules.local_scheduling import start_without_limit

snakemake = pytest.importorskip("snakemake.scheduling.job_scheduler")
PROFILES = Path(__file__).parents[2] / "profiles"


def test_the_limit_of_snakemakes_scheduler_is_lifted():
    scheduler = SimpleNamespace(job_rate_limiter=object())
    start_without_limit(scheduler)
    assert scheduler.job_rate_limiter is None


def test_a_scheduler_without_a_limit_stays_as_it_is():
    scheduler = SimpleNamespace()
    start_without_limit(scheduler)
    assert vars(scheduler) == {}


def test_snakemake_still_has_this_limit_and_takes_none_for_it():
    source = inspect.getsource(snakemake.JobScheduler)
    assert "self.job_rate_limiter = (" in source
    assert "if self.job_rate_limiter is None:" in source
    assert "if self.job_rate_limiter is not None:" in source


@pytest.mark.parametrize("name", ["default", "slurm"])
def test_the_profiles_bound_how_many_jobs_are_compared(name):
    text = (PROFILES / name / "profile.yaml").read_text()
    assert "scheduler-subsample: 64" in text
    if name == "slurm":
        assert yaml.safe_load(text)["scheduler-subsample"] == 64
