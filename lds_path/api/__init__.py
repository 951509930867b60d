"""From Python: slides and results as lazy dask arrays; `import lds_path as lds` offers these names."""

from lds_path.api.multiscale import MultiscaleImage
from lds_path.api.results import Result, open_result
from lds_path.api.segmentation import segment
from lds_path.api.slides import open_slide

__all__ = ["MultiscaleImage", "Result", "open_result", "open_slide", "segment"]
