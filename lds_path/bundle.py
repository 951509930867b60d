"""The name under which exported MONAI bundles look for `lds_path.models.bundle`."""

from lds_path.models.bundle import Evaluator, load_network, read_image

__all__ = ["Evaluator", "load_network", "read_image"]
