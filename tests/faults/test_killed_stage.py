"""A stage that is killed leaves nothing that passes for finished, and is simply run again."""

from __future__ import annotations

import random
import shutil
import signal
from pathlib import Path

import pytest
from small_run import ARGUMENTS, OUTPUTS, differences, run_stage

import lds_path
from lds_path.errors import StageInputError
from lds_path.provenance.manifest import read_manifest

KILLS = 3
KIND = "kill -9 of a stage"


def test_every_stage_is_among_those_that_faults_are_injected_into():
    stages = (Path(lds_path.__file__).parent / "stages").glob("[a-z]*.py")
    assert set(ARGUMENTS) == {path.stem for path in stages}


@pytest.mark.parametrize("number", range(KILLS))
@pytest.mark.parametrize("stage", ARGUMENTS)
def test_a_killed_stage_is_run_again_with_the_same_result(
    undisturbed, tmp_path, ledger, stage, number
):
    ledger.inject(KIND)
    folder = tmp_path / "run"
    shutil.copytree(undisturbed.folder, folder)
    output = OUTPUTS[stage]
    shutil.rmtree(folder / output)
    share = random.Random(f"{stage} {number}").uniform(0, 0.95)
    (tmp_path / stage).write_text(str(max(int(share * undisturbed.moments[stage]), 1)))
    killed = run_stage(folder, stage, KILL_AT=str(tmp_path))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with pytest.raises(StageInputError, match="did not finish"):
        read_manifest(folder / output)
    again = run_stage(folder, stage)
    assert again.returncode == 0, again.stderr
    assert differences(folder, undisturbed.folder, output) == []
    ledger.survive(KIND, identical=1)
