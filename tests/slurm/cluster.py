"""A SLURM cluster of one node on loopback, started and ended by the tests."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
ENDS_WITH_TESTS = ("setpriv", "--pdeathsig", "TERM")
"""Before a command: Linux ends it when the process that started it is gone, killed or not."""


def missing_programs() -> list[str]:
    """Return the programs of SLURM and munge that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program, path=search_path()) is None]


def search_path() -> str:
    """Return PATH with the folder of this Python before it and those of daemons behind it."""
    own = [str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", "/sbin"]
    return os.pathsep.join(own)


def wait_until(holds: Callable[[], object], seconds: float, expected: str) -> None:
    """Wait for a condition; end the test if it does not hold after so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"after {seconds} s still not so: {expected}")
        time.sleep(0.2)


@dataclass
class Cluster:
    """The daemons of a cluster: munge for its credentials, the controller, and one node."""

    folder: Path
    """Outside the home folders, as munge wants it."""
    environment: dict[str, str] = field(init=False)
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        conf = self.folder / "slurm.conf"
        path = os.pathsep.join([str(self.folder / "bin"), search_path()])
        self.environment = {**os.environ, "PATH": path, "SLURM_CONF": str(conf)}

    def start(self) -> None:
        """Write the configuration and start the daemons; return when the node takes jobs."""
        self.folder.chmod(0o755)
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir()
        # Snakemake's job steps forget SLURM_CONF; a cluster of its own has /etc/slurm/slurm.conf.
        srun = self.folder / "bin/srun"
        conf, real = self.environment["SLURM_CONF"], shutil.which("srun", path=search_path())
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={conf} exec {real} "$@"\n')
        srun.chmod(0o755)
        for number in range(2):
            (self.folder / f"gpu{number}").touch()
        ports = free_ports(2)
        values = {
            "folder": self.folder,
            "host": socket.gethostname().split(".")[0],
            "user": getpass.getuser(),
            "controller_port": ports[0],
            "node_port": ports[1],
        }
        for name in ("slurm.conf", "gres.conf"):
            text = Template((HERE / name).read_text()).substitute(values)
            (self.folder / name).write_text(text)
        self._start_munge()
        self._start("slurmctld", "-D", "-i")
        self.start_node()

    def start_node(self) -> None:
        """Start the node daemon; return when the node takes jobs."""
        self._start("slurmd", "-D")
        wait_until(
            lambda: self.run("sinfo", "--noheader", "--format=%T").strip() in ("idle", "mixed"),
            60,
            f"the node takes jobs:\n{self.logs()}",
        )

    def kill_node(self) -> None:
        """End the node daemon and all its jobs at once, as a power cut does."""
        daemon = self.daemons.pop("slurmd")
        daemon.kill()
        tasks = [process for process in psutil.process_iter() if self._is_task(process)]
        parents = {parent for task in tasks if (parent := task.parent()) is not None}
        steps = [process for process in parents if process.name() == "slurmstepd"]
        # The step daemons first: they would tell the controller how their tasks ended.
        for process in steps + tasks:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        daemon.wait()

    def stop(self) -> None:
        """End all jobs and daemons."""
        if "slurmctld" in self.daemons:
            self.run("scancel", f"--user={getpass.getuser()}")
            wait_until(lambda: not self.run("squeue", "--noheader"), 60, "no job is left")
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self.daemons.clear()

    def run(self, *command: str) -> str:
        """Run a command of SLURM and return its output."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    def job(self, number: str) -> dict[str, str]:
        """Return what the controller knows of a job."""
        text = self.run("scontrol", "show", "job", number)
        return dict(pair.split("=", 1) for pair in text.split() if "=" in pair)

    def jobs(self) -> list[dict[str, str]]:
        """Return what the controller knows of all jobs, the first one first."""
        numbers = self.run("squeue", "--states=all", "--noheader", "--format=%i").split()
        return [self.job(number) for number in sorted(numbers, key=int)]

    def logs(self) -> str:
        """Return the end of each daemon's output."""
        parts = [f"{path.name}:\n{path.read_text()[-2000:]}" for path in self.folder.glob("*.log")]
        return "\n".join(parts)

    def _is_task(self, process: psutil.Process) -> bool:
        """Whether a process belongs to a job of this cluster."""
        try:
            environment = process.environ()
        except psutil.Error:
            return False
        conf = self.environment["SLURM_CONF"]
        return environment.get("SLURM_CONF") == conf and "SLURM_JOB_ID" in environment

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        files = {
            "key-file": key,
            "socket": self.folder / "munge.socket",
            "pid-file": self.folder / "munged.pid",
            "log-file": self.folder / "munge.log",
            "seed-file": self.folder / "munge.seed",
        }
        self._start("munged", "--foreground", *(f"--{key}={path}" for key, path in files.items()))
        wait_until(files["socket"].exists, 20, f"munge answers:\n{self.logs()}")

    def _start(self, program: str, *arguments: str) -> None:
        with (self.folder / f"{program}.log").open("ab") as output:
            self.daemons[program] = subprocess.Popen(
                [*ENDS_WITH_TESTS, program, *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens to."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
