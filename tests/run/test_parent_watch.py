import os
import subprocess
import sys
from pathlib import Path

from lds_path.run.parent_watch import VARIABLE

REPOSITORY = Path(__file__).parent.parent.parent
STAGE = "from lds_path.run.parent_watch import end_with_run; end_with_run(); print('on', flush=True); input(); print('end')"
RUN = f"""
import os, subprocess, sys
os.environ["{VARIABLE}"] = str(os.getpid())
stage = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=int(sys.argv[2]))
stage.wait()
"""


def test_a_stage_ends_with_the_run_that_started_it():
    reading, writing = os.pipe()  # the stage waits for a line that never comes
    with subprocess.Popen(
        [sys.executable, "-c", RUN, STAGE, str(reading)],
        stdout=subprocess.PIPE, pass_fds=[reading], text=True, cwd=REPOSITORY,
    ) as run:  # fmt: skip
        assert run.stdout.readline() == "on\n"
        run.kill()
        assert run.stdout.read() == ""  # ends when nobody can write to it any more
    os.close(reading)
    os.close(writing)


def test_a_stage_by_hand_or_below_another_run_is_not_ended():
    for run in ("", "1e9", "999999999", str(os.getpid())):
        ended = subprocess.run(
            [sys.executable, "-c", STAGE], input="\n", capture_output=True, text=True,
            cwd=REPOSITORY, env={**os.environ, VARIABLE: run}, check=True,
        )  # fmt: skip
        assert ended.stdout == "on\nend\n"
