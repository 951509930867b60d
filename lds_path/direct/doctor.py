"""What a run needs of this computer, checked one by one; each check survives a broken other one."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lds_path.errors import DAMAGE, LdsPathError
from lds_path.provenance.complete_file import complete_file
from lds_path.provenance.stage_run import installed_versions
from lds_path.system.memory import free_and_total_memory
from lds_path.system.processes import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Word = Literal["ok", "warn", "fail"]

GIB = 2**30
LITTLE_MEMORY = 4 * GIB
LITTLE_DISK = 10 * GIB
LOWEST_DICE = 0.7
"""Of the painted slide of the self-test, mean of the classes; it reaches more than 0.9."""


@dataclass(frozen=True)
class Check:
    """What a check found."""

    name: str
    word: Word
    text: str

    def __str__(self) -> str:
        return f"{self.word:<4}  {self.name:<9}  {self.text}"


def examine(folder: Path) -> Iterator[Check]:
    """Yield the checks one after the other.

    Parameters
    ----------
    folder
        Where results are to be written; it need not exist yet.
    """
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    checks: dict[str, Callable[[], Check]] = {
        "versions": check_versions,
        "threads": check_threads,
        "GPU": check_gpu,
        "memory": check_memory,
        "disk": lambda: check_disk(place),
        "writing": lambda: check_writing(place),
        "OpenSlide": check_openslide,
        "codecs": check_codecs,
        "self-test": check_itself,
    }
    for name, check in checks.items():
        try:
            yield check()
        except (LdsPathError, ImportError, MemoryError, *DAMAGE) as error:
            found = " ".join(str(error).split()) or type(error).__name__
            yield Check(name, "fail", f"{found}; install lds-path again if it persists")


def check_versions() -> Check:
    """Return the versions of what shapes a result."""
    found = installed_versions()
    return Check("versions", "ok", ", ".join(f"{name} {number}" for name, number in found.items()))


def check_threads() -> Check:
    """Return how many cores this process may use."""
    return Check("threads", "ok", f"{usable_cores()} of {os.cpu_count()} cores")


def check_gpu() -> Check:
    """Return the GPUs that the network can run on."""
    from lds_path.network.device import describe_gpus

    return Check("GPU", "ok", ", ".join(describe_gpus()) or "none: the network runs on the CPU")


def check_memory() -> Check:
    """Return the memory that is free, and what a container allows."""
    free, total = free_and_total_memory()
    text = f"{free / GIB:.1f} of {total / GIB:.1f} GiB are free"
    if free < LITTLE_MEMORY:
        return Check("memory", "warn", f"{text}; 4 GiB or more are better for large slides")
    return Check("memory", "ok", text)


def check_disk(folder: Path) -> Check:
    """Return the free space where results are written."""
    free = shutil.disk_usage(folder).free
    text = f"{free / GIB:.1f} GiB are free in {folder}"
    if free < LITTLE_DISK:
        return Check("disk", "warn", f"{text}; a slide may take several GiB")
    return Check("disk", "ok", text)


def check_writing(folder: Path) -> Check:
    """Return whether results can be written."""
    place = folder / f".lds-path-doctor-{os.getpid()}"
    try:
        with complete_file(place) as partial:
            partial.write_bytes(b"written")
        place.unlink()
    except OSError as error:
        return Check("writing", "fail", f"{folder} cannot be written: {error.strerror}")
    return Check("writing", "ok", f"{folder} can be written")


def check_openslide() -> Check:
    """Return the version of the OpenSlide library."""
    from lds_path.slides.readers.openslide import library_version

    return Check("OpenSlide", "ok", library_version())


def check_codecs() -> Check:
    """Return the compressions of tiles that can be decoded, each tried on a few pixels."""
    from lds_path.direct.codecs import CODECS, find_broken_codecs

    broken = find_broken_codecs()
    if broken:
        return Check(
            "codecs", "fail", f"{', '.join(broken)} do not work; install imagecodecs again"
        )
    return Check("codecs", "ok", ", ".join(CODECS))


def check_itself() -> Check:
    """Return how well and how fast a small painted slide is segmented."""
    from lds_path.direct.self_test import segment_painted

    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lds-path-doctor-") as folder:
        dice = segment_painted(Path(folder), threads=usable_cores())
    text = f"a painted slide in {time.monotonic() - started:.0f} s, Dice {dice:.2f}"
    if dice < LOWEST_DICE:
        return Check("self-test", "fail", f"{text}, expected {LOWEST_DICE} or more")
    return Check("self-test", "ok", text)
