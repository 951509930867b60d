"""A stage that needs more memory than it may have fails, with one line, and is not quarantined."""

from __future__ import annotations

import shutil

import pytest
from small_run import ARGUMENTS, OUTPUTS, differences, run_stage

from lds_path.errors import StageInputError
from lds_path.provenance.manifest import read_manifest

KIND = "memory limit"
MIB = 1
"""What each stage may take beyond what it begins with."""


@pytest.mark.parametrize("stage", ARGUMENTS)
def test_too_little_memory_ends_a_stage_with_one_line_and_is_no_quarantine(
    undisturbed, tmp_path, ledger, stage
):
    ledger.inject(KIND)
    output = OUTPUTS[stage]
    shutil.copytree(undisturbed.folder, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / output)
    limited = run_stage(tmp_path, stage, MEMORY_MIB=str(MIB))
    assert limited.returncode != 0
    assert "Traceback" not in limited.stderr
    assert "Error: not enough memory" in limited.stderr.splitlines()[-1]
    with pytest.raises(StageInputError, match="did not finish"):
        read_manifest(tmp_path / output)
    again = run_stage(tmp_path, stage)
    assert again.returncode == 0, again.stderr
    assert differences(tmp_path, undisturbed.folder, output) == []
    ledger.survive(KIND, identical=1)
