"""What Bio-Formats, which QuPath opens OME-TIFF with, reads of image files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from groovy_run import run_groovy

REPOSITORY = Path(__file__).parents[1]
JAR = Path(os.environ.get("BIOFORMATS_JAR", REPOSITORY / "build/bioformats_package.jar"))
SCRIPT = Path(__file__).with_suffix(".groovy")


def ask_bioformats(folder, files):
    """Return what Bio-Formats says of files, in the order of the files, see bioformats.groovy.

    Parameters
    ----------
    folder
        To write its pixels into.
    files
        Path of a file -> the windows (resolution, left, top, width, height) to read of its first
        image; they come back as "windows", uint8, (height, width) each.
    """
    if not JAR.is_file():
        pytest.skip(f"no Bio-Formats in {JAR}; .ci/install brings it")
    request = [
        {
            "path": str(path),
            "windows": [
                [*window, str(folder / f"{number}-{index}.raw")]
                for index, window in enumerate(windows)
            ],
        }
        for number, (path, windows) in enumerate(files.items())
    ]
    asked, answer = folder / "request.json", folder / "answer.json"
    asked.write_text(json.dumps(request), encoding="utf-8")
    run_groovy(SCRIPT, asked, answer, classes=JAR)
    found = json.loads(answer.read_text(encoding="utf-8"))
    for one, each in zip(found, request, strict=True):
        one["windows"] = [
            np.fromfile(file, np.uint8).reshape(height, width)
            for _, _, _, width, height, file in each["windows"]
        ]
    return found
