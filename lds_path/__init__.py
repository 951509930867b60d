"""Whole-slide segmentation that spends its samples where the tissue needs them."""

__version__ = "0.1.0"
