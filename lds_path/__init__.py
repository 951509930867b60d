"""Whole-slide segmentation that spends its samples where the tissue needs them."""

from typing import Any

__version__ = "0.1.0"

_API = ("MultiscaleImage", "Result", "open_result", "open_slide", "segment")
"""Names of `lds_path.api`, imported when one is used: dask takes as long as a whole stage."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a class or a function
    if name in _API:
        from importlib import import_module

        return getattr(import_module("lds_path.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_API})
