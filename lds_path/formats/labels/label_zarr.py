"""The label image as an OME-Zarr: NGFF 0.5 (Zarr 3), or 0.4 (Zarr 2) for QuPath and Bio-Formats.

The store is a label image of its own, since no stage writes into the pyramid of another: its
`source` names the pyramid, whose levels it has where the label image has the working resolution.

A store of version 0.4 also holds OME/METADATA.ome.xml: the reader in QuPath (OMEZarrReader) takes
pixel size and channel name from there, and none from the coordinate transformations.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import zarr
from zarr.codecs import ZstdCodec

from lds_path.formats.labels.label_images import Labels, label_blocks
from lds_path.formats.ome_xml import write_ome_xml
from lds_path.formats.ome_zarr.ngff import PLANE, describe_levels

if TYPE_CHECKING:
    from pathlib import Path

Version = Literal["0.4", "0.5"]
CHUNK = 512
SHARD = 2048


def write_label_zarr(path: Path, labels: Labels, *, pyramid: Path, version: Version) -> None:
    """Write a label image with all its levels as OME-Zarr.

    Parameters
    ----------
    path
        Store to make.
    labels
        The label image.
    pyramid
        The image that it belongs to, referenced by its path from the store.
    version
        Of NGFF.
    """
    source = os.path.relpath(pyramid, path).replace(os.sep, "/")
    name = path.name.partition(".")[0]
    content = _metadata(labels, name, source)
    group = _create_group(path, content, version)
    if version == "0.4":
        group.create_group("OME")
        xml = write_ome_xml(name, labels.size, labels.mpp, labels.classes, in_tiff=False)
        (path / "OME" / "METADATA.ome.xml").write_bytes(xml)
    for level in range(labels.level_count):
        size = labels.level_size(level)
        array = _create_array(group, str(level), (size.height, size.width), version)
        for block in label_blocks(size, SHARD):
            pixels = labels.read(level, block.left, block.top, block.size)
            if pixels.any():
                array[block.slices] = pixels


def _create_group(path: Path, content: dict[str, Any], version: Version) -> zarr.Group:
    if version == "0.5":
        attributes: dict[str, Any] = {"ome": {"version": version, **content}}
        return zarr.open_group(path, mode="w", zarr_format=3, attributes=attributes)
    for part in (content["multiscales"][0], content["image-label"]):
        part["version"] = version
    return zarr.open_group(path, mode="w", zarr_format=2, attributes=content)


def _create_array(
    group: zarr.Group, name: str, shape: tuple[int, int], version: Version
) -> zarr.Array[Any]:
    chunks = (CHUNK, CHUNK)
    if version == "0.5":
        return group.create_array(
            name,
            shape=shape,
            chunks=chunks,
            shards=(SHARD, SHARD),
            dtype="uint8",
            fill_value=0,
            compressors=[ZstdCodec(level=3, checksum=True)],
            dimension_names=[axis["name"] for axis in PLANE],
        )
    return group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype="uint8",
        fill_value=0,
        compressors=[{"id": "zlib", "level": 6}],  # which every reader of Zarr 2 has
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )


def _metadata(labels: Labels, name: str, source: str) -> dict[str, Any]:
    """Return the metadata that both versions have."""
    classes = labels.classes
    return {
        "multiscales": describe_levels(
            PLANE, labels.mpp, range(labels.level_count), name=f"{name} labels", method="majority"
        ),
        "image-label": {
            "colors": [
                {"label-value": 0, "rgba": [0, 0, 0, 0]},
                *({"label-value": item.value, "rgba": [*item.color, 255]} for item in classes),
            ],
            "properties": [
                {"label-value": 0, "name": "not analysed"},
                *({"label-value": item.value, "name": item.name} for item in classes),
            ],
            "source": {"image": source},
        },
    }
