"""The networks and blocks of MONAI that are used, imported without the rest of it.

`from monai.networks.nets.unet import UNet` runs the `__init__` of each package on the way, and these
import all of MONAI, matplotlib, pandas and scikit-image: twice the time of torch itself. Here other packages
stand in for these. Each knows from the text of the `__init__` where its names come from, and imports them when
they are asked for. Afterwards MONAI is as if it had not been imported: `import monai` gives the whole.
"""

from __future__ import annotations

import ast
import sys
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import PathFinder
from importlib.metadata import version
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from importlib.machinery import ModuleSpec


class _Package(ModuleType):
    """Stands in for a package whose `__init__` does not run."""

    _origins: Mapping[str, str] = {}
    """Name -> module that it is imported from."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name == "__version__":
            return version(self.__name__)
        if name not in self._origins:
            raise AttributeError(name)
        return getattr(import_module(self._origins[name]), name)


class _Finder(MetaPathFinder, Loader):
    """Finds the packages of one distribution, and leaves its modules to others."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != self._name:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not spec.submodule_search_locations:
            return None
        spec.loader = self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Package(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        if isinstance(module, _Package) and module.__file__:
            module._origins = dict(_imported_names(Path(module.__file__), module.__name__))


def _imported_names(init: Path, package: str) -> Iterator[tuple[str, str]]:
    """Yield each name that an `__init__` imports from its own package, and from which module."""
    for node in ast.parse(init.read_bytes()).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            module = resolve_name("." * node.level + (node.module or ""), package)
            yield from ((alias.name, module) for alias in node.names if alias.asname is None)


@contextmanager
def _without_the_rest(name: str) -> Iterator[None]:
    """Import only what is asked for of a distribution, unless it is imported already."""
    if name in sys.modules:
        yield
        return
    finder = _Finder(name)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for module in [module for module in sys.modules if module.partition(".")[0] == name]:
            del sys.modules[module]


with _without_the_rest("monai"):
    from monai.networks.blocks.convolutions import Convolution
    from monai.networks.nets.flexible_unet import FlexibleUNet
    from monai.networks.nets.segresnet import SegResNet
    from monai.networks.nets.unet import UNet


@cache
def dice_loss() -> Any:  # noqa: ANN401 - a class of MONAI, which has no types
    """Return MONAI's Dice loss; its import takes seconds, and only training needs it."""
    with _without_the_rest("monai"):
        from monai.losses.dice import DiceLoss
    return DiceLoss


__all__ = ["Convolution", "FlexibleUNet", "SegResNet", "UNet", "dice_loss"]
