"""Puts into the wheel what lies beside the package in a clone: the workflow, as `lds_path/workflow_files`."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Workflow(BuildHookInterface):
    """Maps the files that pyproject.toml lists; an editable install finds them in the clone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files to a wheel that holds the package."""
        if version != "editable":
            build_data["force_include"] |= {
                name: f"lds_path/workflow_files/{name}" for name in self.config["files"]
            }
