"""The study's tables are written by the benchmarks' page."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "benchmark"))
