"""Segmentation networks: samples -> scores of the classes."""
