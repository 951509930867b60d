"""A training that is cut off resumes where it was: the same bytes, and never other labels."""

from __future__ import annotations

import shutil
import signal

import numpy as np
import pytest
import tifffile
from small_disk import disk, leave_free, remount
from small_run import ARGUMENTS, LABELS, OUTPUTS, run_stage

KILLED = "kill -9 of a training that keeps its state"
FULL = "disk full while the state of a training is written"
REPLACED = "labels replaced while a training was interrupted"
MODEL = ("weights.safetensors", "model.json")
STATE = ["--state", "state"]


@pytest.fixture
def keep_state(monkeypatch):
    monkeypatch.setitem(ARGUMENTS, "train", [*ARGUMENTS["train"], *STATE])


def copy_run(undisturbed, folder):
    shutil.copytree(undisturbed.folder, folder, dirs_exist_ok=True)
    shutil.rmtree(folder / OUTPUTS["train"])


def kill_training(undisturbed, folder, share):
    """Kill the training at a share of its work."""
    (folder / "train").write_text(str(int(share * undisturbed.moments["train"])))
    killed = run_stage(folder, "train", KILL_AT=str(folder))
    assert killed.returncode == -signal.SIGKILL, killed.stderr


def weights(folder):
    return (folder / OUTPUTS["train"] / MODEL[0]).read_bytes()


@pytest.mark.usefixtures("keep_state")
@pytest.mark.parametrize("share", [0.6, 0.75, 0.9])
def test_a_killed_training_resumes_to_the_same_weights(undisturbed, tmp_path, ledger, share):
    ledger.inject(KILLED)
    copy_run(undisturbed, tmp_path / "run")
    kill_training(undisturbed, tmp_path / "run", share)
    again = run_stage(tmp_path / "run", "train")
    assert again.returncode == 0, again.stderr
    assert weights(tmp_path / "run") == weights(undisturbed.folder)
    assert not (tmp_path / "run/state").exists()
    ledger.survive(KILLED, identical=1)


@pytest.mark.usefixtures("keep_state")
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_a_disk_that_is_full_while_the_state_is_written_ends_a_training_until_there_is_space(
    undisturbed, tmp_path, ledger, share
):
    size = sum(file.stat().st_size for file in (undisturbed.folder / "results/train").iterdir())
    with disk(tmp_path / "run") as folder:
        copy_run(undisturbed, folder)
        ledger.inject(FULL)
        leave_free(folder, int(share * size))
        full = run_stage(folder, "train")
        assert full.returncode == 1
        assert "Traceback" not in full.stderr, full.stderr
        assert "No space left on device" in full.stderr.splitlines()[-1]
        assert not list(folder.rglob("*.partial"))
        remount(folder)
        again = run_stage(folder, "train")
        assert again.returncode == 0, again.stderr
        assert weights(folder) == weights(undisturbed.folder)
        ledger.survive(FULL, identical=1)


@pytest.mark.usefixtures("keep_state")
def test_a_training_whose_labels_were_replaced_begins_anew(undisturbed, tmp_path, ledger):
    """As if it had never seen the others: the weights are those of a training that did not."""
    ledger.inject(REPLACED)
    for name in ("resumed", "anew"):
        copy_run(undisturbed, tmp_path / name)
    kill_training(undisturbed, tmp_path / "resumed", 0.75)
    assert (tmp_path / "resumed/state/state.safetensors").exists()
    for name in ("resumed", "anew"):
        replace_labels(tmp_path / name / LABELS)
        again = run_stage(tmp_path / name, "train")
        assert again.returncode == 0, again.stderr
    assert weights(tmp_path / "resumed") == weights(tmp_path / "anew")
    assert weights(tmp_path / "anew") != weights(undisturbed.folder)
    ledger.survive(REPLACED, identical=1)


def replace_labels(path):
    """Turn labels round."""
    turned = np.flip(tifffile.imread(path, key=0), axis=(0, 1))
    tifffile.imwrite(path, np.ascontiguousarray(turned), tile=(256, 256), compression="deflate")
