"""Snakemake or its jobs are killed: the next run finishes, with the same results."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress

import pytest
from workflow_run import (
    changes,
    finish,
    finished_stages,
    kill,
    prepare,
    stage_workers,
    start,
    wait_for,
)

JOBS = "kill -9 of a stage under Snakemake"
WORKERS = "kill -9 of the server's workers under Snakemake"
SNAKEMAKE = "kill -9 of Snakemake"
TWICE = "two runs on one results folder"
STAGES = ("tile", "detect", "plan", "segment", "stitch", "export", "assess", "evaluate", "report")
KILLS = 4


def test_every_stage_is_killed_once_in_a_run_that_still_finishes(
    undisturbed, undisturbed_workflow, tmp_path, ledger
):
    ledger.inject(JOBS, len(STAGES))
    prepare(tmp_path, undisturbed.painted)
    plan = tmp_path / "plan"
    plan.mkdir()
    for stage in STAGES:
        share = random.Random(f"{stage} of a run").uniform(0, 0.9)
        (plan / stage).write_text(str(max(int(share * undisturbed.moments[stage]), 1)))
    output = finish(tmp_path, KILL_AT=str(plan))
    assert list(plan.iterdir()) == []
    assert output.count("Killed") >= len(STAGES)
    assert changes(tmp_path, undisturbed_workflow) == []
    ledger.survive(JOBS, len(STAGES), identical=len(STAGES))


def test_workers_of_the_server_are_killed_in_a_run_that_still_finishes(
    undisturbed, undisturbed_workflow, tmp_path, ledger
):
    prepare(tmp_path, undisturbed.painted)
    process = start(tmp_path, "--retries", "9", warm=True)
    for stage in ("tile", "segment", "export"):
        wait_for(lambda stage=stage: any((tmp_path / "results" / stage).glob("[ab]")))
        workers = stage_workers(process.pid)
        ledger.inject(WORKERS, len(workers))
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        ledger.survive(WORKERS, len(workers), identical=len(workers))
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert changes(tmp_path, undisturbed_workflow) == []


@pytest.mark.parametrize("number", range(KILLS))
def test_snakemake_is_killed_and_the_next_run_finishes(
    undisturbed, undisturbed_workflow, tmp_path, ledger, number
):
    """Alone, or with its jobs as by a power cut."""
    ledger.inject(SNAKEMAKE)
    prepare(tmp_path, undisturbed.painted)
    last = finished_stages(undisturbed_workflow)
    stop = random.Random(number).randrange(last)
    process = start(tmp_path)
    wait_for(lambda: finished_stages(tmp_path) >= stop and (tmp_path / "results").exists())
    kill(process, group=bool(number % 2))
    output = finish(tmp_path)
    assert "The last run was killed and left a lock; it is removed." in output
    assert "2 slides: 2 done (" in output
    assert changes(tmp_path, undisturbed_workflow) == []
    ledger.survive(SNAKEMAKE, identical=1)


def test_a_second_run_on_a_folder_is_refused_and_the_first_one_finishes(
    undisturbed, undisturbed_workflow, tmp_path, ledger
):
    ledger.inject(TWICE)
    prepare(tmp_path, undisturbed.painted)
    first = start(tmp_path)
    wait_for(lambda: (tmp_path / "results" / "tile").exists())
    second = start(tmp_path)
    refusal, _ = second.communicate()
    assert second.returncode != 0
    assert "Traceback" not in refusal
    assert "no other Snakemake process" in refusal
    assert str(tmp_path) in refusal
    output, _ = first.communicate()
    assert first.returncode == 0, output
    assert changes(tmp_path, undisturbed_workflow) == []
    assert "Nothing to be done" in finish(tmp_path)
    ledger.survive(TWICE, identical=1)
