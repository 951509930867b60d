"""The workflow on a cluster: `snakemake --workflow-profile profiles/slurm` on a SLURM of one node."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cluster import ENDS_WITH_TESTS, Cluster, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parent.parent.parent
SLIDES = ("painted-101", "painted-102")
OUTPUT = "snakemake.out"

PAINTED = "results/demo/painted-101/manifest.json"
PAINTING = "logs/demo/painted-101.log"
"""The target of a run of one job, and the file that shows that its stage is under way."""


@contextmanager
def start_run(cluster: Cluster, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start Snakemake with the shipped configuration and profile; only the waits are shorter."""
    command = [*ENDS_WITH_TESTS, "snakemake", *arguments]
    command += ["--directory", str(folder), "--configfile", "config.yaml"]
    command += ["--workflow-profile", "profiles/slurm", "--latency-wait", "10"]
    command += ["--slurm-init-seconds-before-status-checks", "1", "--verbose"]
    with (
        (folder / OUTPUT).open("w") as output,
        subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**cluster.environment, "PYTHONPATH": str(REPOSITORY)},
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as run,
    ):
        try:
            yield run
        finally:
            run.kill()


def finish_run(run: subprocess.Popen[bytes], cluster: Cluster, folder: Path) -> str:
    """Wait for Snakemake to end and return its output."""
    run.wait(timeout=600)
    output = (folder / OUTPUT).read_text()
    assert run.returncode == 0, f"{output[-8000:]}\n{cluster.logs()}"
    return output


def wait_for_job(cluster: Cluster, folder: Path) -> str:
    """Wait until the stage of a run of one job is under way; return the number of the job."""
    wait_until((folder / PAINTING).exists, 120, "the slide is being painted")
    (job,) = jobs_of(cluster, folder)
    assert job["JobState"] == "RUNNING"
    return job["JobId"]


def jobs_of(cluster: Cluster, folder: Path) -> list[dict[str, str]]:
    return [job for job in cluster.jobs() if job["WorkDir"] == str(folder)]


def planned_jobs(output: str) -> Counter[str]:
    """Return rule -> number of jobs for the cluster, from Snakemake's table."""
    table = output.split("Job stats:")[1].split("total")[0]
    return Counter(
        {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    ) - Counter(all=1)


def is_painted(folder: Path) -> bool:
    return json.loads((folder / PAINTED).read_text())["status"] == "done"


@pytest.fixture(scope="module")
def started_cohort(cluster, tmp_path_factory) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A run of the demo that nothing disturbs, and its folder."""
    folder = tmp_path_factory.mktemp("cohort")
    with start_run(cluster, folder) as run:
        yield run, folder


@pytest.fixture(scope="module")
def cohort(cluster, started_cohort) -> tuple[Path, str]:
    """Folder and output of the run of the demo when it has ended."""
    run, folder = started_cohort
    return folder, finish_run(run, cluster, folder)


def test_a_cancelled_job_is_repeated_with_more_memory_and_time(cluster, started_cohort, tmp_path):
    """Another run's job, while the cohort goes on."""
    with start_run(cluster, tmp_path, PAINTED) as run:
        cluster.run("scancel", wait_for_job(cluster, tmp_path))
        finish_run(run, cluster, tmp_path)
    first, second = jobs_of(cluster, tmp_path)
    assert (first["JobState"], second["JobState"]) == ("CANCELLED", "COMPLETED")
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("2000M", "4000M")
    assert (first["TimeLimit"], second["TimeLimit"]) == ("00:10:00", "00:20:00")
    assert is_painted(tmp_path)


def test_the_demo_cohort_is_done_by_jobs_of_slurm(cluster, cohort):
    folder, output = cohort
    assert "2 slides: 2 done" in output
    for slide in SLIDES:
        assert (folder / f"results/stitch/{slide}/{slide}.labels.ome.tif").stat().st_size > 0
    jobs = jobs_of(cluster, folder)
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    rules = [re.match(r"rule_([a-z]+)", job["Comment"])[1] for job in jobs]
    assert Counter(rules) == planned_jobs(output)
    on_gpus = {job["Comment"] for job in jobs if job.get("TresPerJob") == "gres:gpu:1"}
    assert {comment.split("_")[1] for comment in on_gpus} == {"segment"}
    assert len(on_gpus) == len(SLIDES)


def test_a_cluster_without_accounting_is_asked_by_squeue(cluster, cohort):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        cluster.run("sacct")
    assert "accounting storage is disabled" in caught.value.stderr
    assert "(cycle): command=squeue" in cohort[1]
    assert "command=sacct" not in cohort[1]


def test_the_job_of_a_lost_node_starts_again_when_the_node_is_back(cluster, cohort, tmp_path):
    with start_run(cluster, tmp_path, PAINTED) as run:
        number = wait_for_job(cluster, tmp_path)
        cluster.kill_node()
        wait_until(lambda: cluster.job(number)["JobState"] == "PENDING", 60, "the job is put back")
        assert not (tmp_path / PAINTED).exists()
        cluster.start_node()
        finish_run(run, cluster, tmp_path)
    (job,) = jobs_of(cluster, tmp_path)
    assert (job["JobId"], job["JobState"], job["Restarts"]) == (number, "COMPLETED", "1")
    assert is_painted(tmp_path)
