"""Stages that need not run again: their folder already holds what they would write.

While `resuming` is active, `run_stage` asks it before it works. Inputs and parameters are those that
the stage itself names, so that nothing else has to know them.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path.errors import StageInputError
from lds_path.provenance.fingerprint import describe_input
from lds_path.provenance.manifest import read_manifest, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lds_path.provenance.fingerprint import InputFiles
    from lds_path.provenance.manifest import Manifest

_ACTIVE: ContextVar[Resumption | None] = ContextVar("resumption", default=None)


class Resumption:
    """Finds finished stages; knows the hashes of large inputs that did not change since."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._known = _read(record)
        self._before = dict(self._known)
        self.kept = 0
        """Stages that did not have to run."""

    def find(
        self,
        stage: str,
        output: Path,
        noted: Mapping[str, InputFiles],
        parameters: Mapping[str, Any],
    ) -> Manifest | None:
        """Return the manifest of a folder that a stage would write again as it is, if it is one.

        Stage, parameters and the hashes of the inputs are compared; outputs must be there, with
        their size. `lds-path verify` compares their bytes.
        """
        try:
            manifest = read_manifest(output)
        except StageInputError:
            return None
        asked = json.loads(json.dumps(dict(parameters)))
        if (manifest.stage, manifest.parameters) != (stage, asked):
            return None
        if not _has_outputs(output, manifest) or not self._has_inputs(noted, manifest):
            return None
        self.kept += 1
        return manifest

    def remember(self, noted: Mapping[str, InputFiles], hashed: Mapping[str, Any]) -> None:
        """Keep the hashes of inputs that no stage wrote, with what identifies their files."""
        for name, described in hashed.items():
            if not noted[name].is_stage:
                entry = {"identity": _identity(noted[name]), "sha256": described["sha256"]}
                self._known[_name(noted[name])] = entry

    def save(self) -> None:
        """Write the hashes for the next run."""
        if self._known != self._before:
            write_json(self._record, self._known)

    def _has_inputs(self, noted: Mapping[str, InputFiles], manifest: Manifest) -> bool:
        there = {name: item for name, item in noted.items() if item.exists}
        return there.keys() == manifest.inputs.keys() and all(
            self._hash(name, item) == manifest.inputs[name]["sha256"]
            for name, item in there.items()
        )

    def _hash(self, name: str, item: InputFiles) -> str:
        known = self._known.get(_name(item), {})
        if item.is_stage or known.get("identity") != _identity(item):
            described = describe_input(item)
            self.remember({name: item}, {name: described})
            return str(described["sha256"])
        return str(known["sha256"])


@contextmanager
def resuming(record: Path) -> Iterator[Resumption]:
    """Let stages in this context keep what is finished.

    Parameters
    ----------
    record
        JSON file for the hashes of large inputs, so that the next run need not read them.
    """
    resumption = Resumption(record)
    token = _ACTIVE.set(resumption)
    try:
        yield resumption
    finally:
        _ACTIVE.reset(token)
        resumption.save()


@contextmanager
def always_running() -> Iterator[None]:
    """Let stages in this context run in any case."""
    token = _ACTIVE.set(None)
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def active_resumption() -> Resumption | None:
    """Return the resumption of this context; None where every stage runs."""
    return _ACTIVE.get()


def _name(item: InputFiles) -> str:
    """Return absolute path or address of an input."""
    return str(item.path.absolute() if isinstance(item.path, Path) else item.path)


def _identity(item: InputFiles) -> list[list[Any]]:
    """Return what identifies the files of an input cheaply, as JSON."""
    return [[str(file), found] for file, found in zip(item.files, item.identities, strict=True)]


def _has_outputs(output: Path, manifest: Manifest) -> bool:
    for name, recorded in manifest.outputs.items():
        path = output / name
        if not path.exists() or (path.is_file() and path.stat().st_size != recorded.get("bytes")):
            return False
    return True


def _read(record: Path) -> dict[str, Any]:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # the first run, or a disk that was full
        return {}
    return content if isinstance(content, dict) else {}
