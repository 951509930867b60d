"""What the profiles give to jobs: memory and time that grow with the attempt, and GPUs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake_run import REPOSITORY, snakemake

TRAIN_ALL = ("--config", "slides=demo-training", "model=train")

JOBS = """
rule all:
    input: expand("{number}", number=range(6))

rule segment:
    output: "{number}"
    shell: "python %s {wildcards.number} > {output}"
"""

JOB = """
import os, sys, time
from pathlib import Path
from lds_path.run.gpu_locks import lock_device, name_devices
names = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
with lock_device(names, folder=Path("locks")) as index:
    mine, other = (Path(f"held-{number}") for number in (index, 1 - index))
    mine.touch(exist_ok=False)
    while not Path("both-were-held").exists():  # waits for ever where one job runs at a time
        if other.exists():
            Path("both-were-held").touch()
        time.sleep(0.05)
    time.sleep(1)  # long enough for a third job to show itself
    mine.unlink()
print(names[index])
"""


def resources_of(folder: Path, *arguments: str) -> dict[str, dict[str, str]]:
    """Return rule -> the resources that a dry run gives its jobs."""
    run = snakemake(folder, "-n", *TRAIN_ALL, *arguments)
    assert run.returncode == 0, run.stderr + run.stdout
    rules = {}
    for job in re.split(r"^rule ", run.stdout, flags=re.MULTILINE)[1:]:
        line = re.search(r"^    resources: (.*)$", job, re.MULTILINE)
        pairs = [pair.split("=") for pair in line[1].split(", ")] if line else []
        rules[job.split(":")[0]] = dict(pairs)
    rules.pop("all")
    return rules


@pytest.mark.parametrize("profile", ["default", "slurm"])
def test_an_attempt_after_a_failure_gets_more_memory_and_time(tmp_path, profile):
    chosen = ("--workflow-profile", str(REPOSITORY / "profiles" / profile))
    first, third = (resources_of(tmp_path, *chosen, "--attempt", n) for n in ("1", "3"))
    assert first.keys() == third.keys() >= {"tile", "train", "segment", "stitch", "report"}
    for rule, resources in first.items():
        assert int(third[rule]["mem_mb"]) == 3 * int(resources["mem_mb"]), rule
        # A training goes on where it was; more time than a day is more than partitions grant.
        growth = 1 if rule == "train" else 3
        assert int(third[rule]["runtime"]) == growth * int(resources["runtime"]), rule


def test_the_network_alone_asks_a_cluster_for_a_gpu(tmp_path):
    chosen = ("--workflow-profile", str(REPOSITORY / "profiles/slurm"))
    resources = resources_of(tmp_path, *chosen)
    assert {rule for rule in resources if resources[rule].get("gpu", "0") != "0"} == {
        "segment",
        "train",
    }


@pytest.mark.parametrize(("visible", "gpus"), [("0,1", "1"), ("GPU-1f,GPU-2b", "1"), ("", "0")])
def test_a_job_waits_for_a_gpu_only_where_there_is_one(tmp_path, monkeypatch, visible, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert resources_of(tmp_path)["segment"]["gpu"] == gpus


@pytest.mark.slow
def test_jobs_of_a_workstation_share_its_gpus_and_no_job_starts_without_one(tmp_path):
    """Six jobs on four cores and two devices: two run together, and no two hold the same."""
    (tmp_path / "job.py").write_text(JOB)
    (tmp_path / "Snakefile").write_text(JOBS % (tmp_path / "job.py"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["snakemake", "--directory", tmp_path, "--snakefile", tmp_path / "Snakefile"]
    command += ["--workflow-profile", REPOSITORY / "profiles/default", "--cores", "4"]
    devices = {"stand-in-1", "stand-in-2"}
    run = subprocess.run(
        command,
        env={
            **os.environ,
            "PATH": path,
            "PYTHONPATH": str(REPOSITORY),
            "CUDA_VISIBLE_DEVICES": ",".join(sorted(devices)),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "waiting for one" not in run.stderr
    assert {(tmp_path / str(number)).read_text().strip() for number in range(6)} <= devices
