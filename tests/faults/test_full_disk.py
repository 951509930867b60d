"""On a full disk a stage ends with one line, and goes on once there is space."""

from __future__ import annotations

import random
import shutil

import pytest
from small_disk import disk, leave_free, remount
from small_run import ARGUMENTS, OUTPUTS, differences, run_stage
from workflow_run import changes, finish, prepare, results, start

from lds_path.errors import StageInputError
from lds_path.provenance.manifest import read_manifest

FULL = "disk full under a stage"
READ_ONLY = "results folder that cannot be written"
RUN = "disk full under Snakemake"


@pytest.mark.parametrize("stage", ARGUMENTS)
def test_a_full_disk_ends_a_stage_with_one_line_until_there_is_space(
    undisturbed, tmp_path, ledger, stage
):
    with disk(tmp_path / "run") as folder:
        shutil.copytree(undisturbed.folder, folder, dirs_exist_ok=True)
        output = OUTPUTS[stage]
        size = sum(path.stat().st_size for path in (folder / output).rglob("*"))
        shutil.rmtree(folder / output)
        ledger.inject(FULL)
        leave_free(folder, int(size * random.Random(stage).uniform(0.1, 0.9)))
        full = run_stage(folder, stage)
        assert full.returncode == 1
        assert "Traceback" not in full.stderr, full.stderr
        assert full.stderr.splitlines()[-1].startswith("Error: "), full.stderr
        assert "No space left on device" in full.stderr.splitlines()[-1]
        with pytest.raises(StageInputError, match="did not finish"):
            read_manifest(folder / output)
        remount(folder)
        again = run_stage(folder, stage)
        assert again.returncode == 0, again.stderr
        assert differences(folder, undisturbed.folder, output) == []
        ledger.survive(FULL, identical=1)


@pytest.mark.parametrize("stage", ARGUMENTS)
def test_a_folder_that_cannot_be_written_ends_a_stage_with_one_line(
    undisturbed, tmp_path, ledger, stage
):
    with disk(tmp_path / "run") as folder:
        shutil.copytree(undisturbed.folder, folder, dirs_exist_ok=True)
        output = OUTPUTS[stage]
        shutil.rmtree(folder / output)
        ledger.inject(READ_ONLY)
        remount(folder, "ro")
        refused = run_stage(folder, stage)
        assert refused.returncode == 1
        assert "Traceback" not in refused.stderr, refused.stderr
        assert "Read-only file system" in refused.stderr.splitlines()[-1]
        remount(folder, "rw")
        (folder / output).parent.mkdir(exist_ok=True)
        (folder / output).write_text("in the way")
        refused = run_stage(folder, stage)
        assert refused.returncode == 1
        assert "Traceback" not in refused.stderr, refused.stderr
        assert output in refused.stderr.splitlines()[-1]
        assert (folder / output).read_text() == "in the way"
        (folder / output).unlink()
        again = run_stage(folder, stage)
        assert again.returncode == 0, again.stderr
        assert differences(folder, undisturbed.folder, output) == []
        ledger.survive(READ_ONLY, identical=1)


def test_a_disk_that_fills_up_stops_a_run_that_goes_on_once_there_is_space(
    undisturbed, undisturbed_workflow, tmp_path, ledger
):
    with disk(tmp_path / "run") as folder:
        prepare(folder, undisturbed.painted)
        size = sum(path.stat().st_size for path in (undisturbed_workflow / "results").rglob("*"))
        ledger.inject(RUN)
        leave_free(folder, size // 2)
        process = start(folder)
        output, _ = process.communicate()
        assert process.returncode == 1
        assert "No space left on device" in output
        assert "2 slides:" not in output
        half = results(folder)
        whole = results(undisturbed_workflow)
        finished = {name.rpartition("/")[0] for name in half if name.endswith("manifest.json")}
        assert 0 < len(finished) < len([name for name in whole if name.endswith("manifest.json")])
        for name in finished:
            assert {key: half.get(key) for key in whole if key.startswith(f"{name}/")} == {
                key: whole[key] for key in whole if key.startswith(f"{name}/")
            }
        remount(folder)
        assert "2 slides: 2 done (" in finish(folder)
        assert changes(folder, undisturbed_workflow) == []
        ledger.survive(RUN, identical=1)
