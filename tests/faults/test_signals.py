"""A stage, or Snakemake, that is asked to end: no traceback, and nothing that passes for finished."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from small_run import ARGUMENTS, OUTPUTS, REPOSITORY, differences, run_stage
from workflow_run import (
    changes,
    finish,
    finished_stages,
    heed_interrupts,
    is_group_alive,
    kill,
    prepare,
    start,
    wait_for,
)

from lds_path.errors import StageInputError
from lds_path.provenance.manifest import read_manifest

STAGE = "signal to a stage"
SNAKEMAKE = "signal to Snakemake"
STAGES = ("tile", "segment", "train")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
PAUSE = 0.02
"""Seconds between two signals."""
PATIENCE = 120
"""Seconds after which Snakemake counts as stuck."""


def start_stage(folder, stage):
    """Start a stage and return once it works in its private folder."""
    output = folder / OUTPUTS[stage]
    heed_interrupts()
    process = subprocess.Popen(
        [sys.executable, "-m", "lds_path.cli", stage, *ARGUMENTS[stage]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(output.parent.glob(f".{output.name}.*.lds-path")):
        assert process.poll() is None
        time.sleep(0.001)
    return process


def send(process, number, times):
    for _ in range(times):
        process.send_signal(number)
        time.sleep(PAUSE)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_is_asked_to_end_says_so_in_one_line_and_is_run_again(
    undisturbed, tmp_path, ledger, stage, number, times
):
    ledger.inject(STAGE)
    folder = tmp_path / "run"
    shutil.copytree(undisturbed.folder, folder)
    output = OUTPUTS[stage]
    shutil.rmtree(folder / output)
    process = start_stage(folder, stage)
    send(process, number, times)
    _, messages = process.communicate()
    assert process.returncode != 0
    assert "Traceback" not in messages, messages
    with pytest.raises(StageInputError, match="did not finish"):
        read_manifest(folder / output)
    again = run_stage(folder, stage)
    assert again.returncode == 0, again.stderr
    assert differences(folder, undisturbed.folder, output) == []
    ledger.survive(STAGE, identical=1)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_that_is_asked_to_end_ends_and_the_next_one_finishes(
    undisturbed, undisturbed_workflow, tmp_path, ledger, number, times
):
    """By Ctrl-C all processes of the terminal get the signal, else Snakemake alone.

    What Snakemake itself makes of two signals is not asked: it may show where it was, or wait for a
    lock that it holds itself. Then it is killed, as a user would do.
    """
    ledger.inject(SNAKEMAKE)
    prepare(tmp_path, undisturbed.painted)
    process = start(tmp_path)
    wait_for(lambda: finished_stages(tmp_path) >= 4)
    for _ in range(times):
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        time.sleep(PAUSE)
    try:
        output, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        output = ""
        kill(process, group=True)
    assert process.returncode != 0
    assert "lds_path/" not in output.partition("Traceback")[2], output
    wait_for(lambda: not is_group_alive(process.pid))
    finish(tmp_path)
    assert changes(tmp_path, undisturbed_workflow) == []
    ledger.survive(SNAKEMAKE, identical=1)
