"""What the metadata of Zarr say, formats 2 and 3: the attributes of a group, the chunks of an array."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from lds_path.errors import UnreadableSlideError
from lds_path.slides.readers.zarr_store.array import DECODERS, Coding, ZarrArray
from lds_path.slides.readers.zarr_store.storage import read_file, read_version
from lds_path.slides.tiff_check import DECODE_ERRORS, unsuitable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.remote.address import SlidePath

MAX_METADATA_BYTES = 2**24
MAX_CHUNK_BYTES = 2**26
MAX_SHARD_CHUNKS = 2**14
MAX_FILES = 2**24
MAX_SIDE = 2**31
REMEDY = "convert it with blosc, zstd or gzip"


def read_attributes(folder: SlidePath) -> Mapping[str, Any] | None:
    """Return the attributes of a group or an array; None if the folder is neither.

    Those of OME-Zarr 0.5 stand under the key `ome`, those of 0.4 by themselves.

    Raises
    ------
    UnreadableSlideError
        If they are damaged.
    """
    node = _read(folder / "zarr.json")
    if node is not None:
        attributes = node.get("attributes", {})
        return attributes if isinstance(attributes, dict) else {}
    attributes = _read(folder / ".zattrs")
    if attributes is not None:
        return attributes
    return {} if any(read_version(folder / name) for name in (".zgroup", ".zarray")) else None


def open_array(store: SlidePath, folder: SlidePath) -> ZarrArray:
    """Return an array of 8-bit numbers.

    Parameters
    ----------
    store
        The slide, for the messages.
    folder
        Of the array.

    Raises
    ------
    UnreadableSlideError
        If it is missing or damaged, or its numbers are of another kind.
    """
    name, node = _read_array(store, folder)
    try:
        parse = _parse_3 if name == "zarr.json" else _parse_2
        array = parse(store, folder, node)
        _check(array)
        _check_size(store, array)
    except UnreadableSlideError:
        raise
    except DECODE_ERRORS as error:
        raise damaged(folder / name, error) from None
    return array


def read_shape(store: SlidePath, folder: SlidePath) -> tuple[int, ...]:
    """Return the shape of an array, whatever its numbers are; raise as `open_array`."""
    name, node = _read_array(store, folder)
    try:
        return _integers(node["shape"])
    except DECODE_ERRORS as error:
        raise damaged(folder / name, error) from None


def damaged(path: SlidePath, error: BaseException) -> UnreadableSlideError:
    """Return the error for metadata that cannot be understood."""
    what = f"no {error}" if isinstance(error, KeyError) else str(error)
    found = " ".join(what.split())[:200]
    return UnreadableSlideError(f"{path} is damaged ({found}); copy it again from its source")


def _read_array(store: SlidePath, folder: SlidePath) -> tuple[str, dict[str, Any]]:
    """Return the name of the file with the metadata of an array, and its content."""
    for name in ("zarr.json", ".zarray"):
        node = _read(folder / name)
        if node is not None:
            return name, node
    raise UnreadableSlideError(
        f"{store} is incomplete: its level {folder.name} has no metadata; copy it again from its"
        " source"
    )


def _read(path: SlidePath) -> dict[str, Any] | None:
    """Return the content of a JSON file; None if it is missing."""
    try:
        text = read_file(path, MAX_METADATA_BYTES)
        content = None if text is None else json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, error) from None
    if text is None:
        return None
    if not isinstance(content, dict):
        raise damaged(path, ValueError("not an object"))
    return content


def _parse_2(store: SlidePath, folder: SlidePath, node: Mapping[str, Any]) -> ZarrArray:
    _check_type(store, str(node["dtype"]).strip("|<>"), "u1")
    compressor = node.get("compressor") or {}
    filters = [str(item["id"]) for item in node.get("filters") or []]
    shape, chunks = _integers(node["shape"]), _integers(node["chunks"])
    reverse = tuple(reversed(range(len(shape)))) if node.get("order") == "F" else ()
    return ZarrArray(
        folder, shape, chunks, chunks,
        prefix="",
        separator=_separator(node.get("dimension_separator", ".")),
        fill=int(node.get("fill_value") or 0),
        coding=Coding(_codec(store, [*filters, *([str(compressor["id"])] if compressor else [])]), order=reverse),
    )  # fmt: skip


def _parse_3(store: SlidePath, folder: SlidePath, node: Mapping[str, Any]) -> ZarrArray:
    if node["node_type"] != "array":
        raise ValueError("not an array")
    _check_type(store, str(node["data_type"]), "uint8")
    shape = _integers(node["shape"])
    files = chunks = _integers(node["chunk_grid"]["configuration"]["chunk_shape"])
    codecs, index, index_at_end = node["codecs"], None, True
    if codecs[0]["name"] == "sharding_indexed":
        shard = codecs[0]["configuration"]
        chunks, codecs = _integers(shard["chunk_shape"]), shard["codecs"]
        index = _coding(store, shard["index_codecs"])
        index_at_end = shard.get("index_location", "end") == "end"
    keys = node["chunk_key_encoding"]
    is_default = keys["name"] == "default"
    between = keys.get("configuration", {}).get("separator", "/" if is_default else ".")
    return ZarrArray(
        folder, shape, chunks, files,
        prefix=f"c{_separator(between)}" if is_default else "",
        separator=_separator(between),
        fill=int(node["fill_value"]),
        coding=_coding(store, codecs),
        shard_index=index,
        index_at_end=index_at_end,
    )  # fmt: skip


def _coding(store: SlidePath, codecs: Sequence[Mapping[str, Any]]) -> Coding:
    """Return what the codecs of format 3 amount to."""
    names = [str(codec["name"]).removeprefix("numcodecs.") for codec in codecs]
    order: tuple[int, ...] = ()
    if names[:1] == ["transpose"]:
        order = _integers(codecs[0]["configuration"]["order"])
        names = names[1:]
    has_checksum = names[-1:] == ["crc32c"]
    names = names[:-1] if has_checksum else names
    return Coding(_codec(store, [name for name in names if name != "bytes"]), has_checksum, order)


def _codec(store: SlidePath, names: Sequence[str]) -> str:
    """Return the only codec, one that can be decoded; empty if there is none."""
    if len(names) > 1 or not DECODERS.keys() >= set(names):
        raise UnreadableSlideError(
            f"{store} has chunks compressed by {' and '.join(names)}; expected one of"
            f" {', '.join(DECODERS)}; {REMEDY}"
        )
    return names[0] if names else ""


def _check_type(store: SlidePath, found: str, expected: str) -> None:
    if found != expected:
        names = {"u2": "uint16", "f4": "float32", "i1": "int8", "i2": "int16", "b1": "bool"}
        raise unsuitable(store, f"pixels of type {names.get(found, found)}")


def _check(array: ZarrArray) -> None:
    """Raise ValueError if an array is not one that can be read with bounded memory."""
    lengths = {len(array.shape), len(array.chunks), len(array.files)}
    if len(lengths) > 1 or not 0 < min(array.shape, default=0) <= max(array.shape) < MAX_SIDE:
        raise ValueError(f"an array of {array.shape} in chunks of {array.chunks}")
    if min(array.chunks + array.files) < 1 or any(
        file % chunk for file, chunk in zip(array.files, array.chunks, strict=True)
    ):
        raise ValueError(f"chunks of {array.chunks} in files of {array.files}")
    if math.prod(array.grid) > MAX_FILES:
        raise ValueError(f"{math.prod(array.grid)} files of chunks")
    across = [file // chunk for file, chunk in zip(array.files, array.chunks, strict=True)]
    if math.prod(across) > MAX_SHARD_CHUNKS:
        raise ValueError(f"{math.prod(across)} chunks in a shard")
    order = array.coding.order
    if not 0 <= array.fill < 256 or (order and sorted(order) != list(range(len(array.shape)))):
        raise ValueError(f"a fill value of {array.fill}, axes in the order {order}")


def _check_size(store: SlidePath, array: ZarrArray) -> None:
    if math.prod(array.chunks) > MAX_CHUNK_BYTES:
        raise UnreadableSlideError(
            f"{store} has chunks of {' x '.join(map(str, array.chunks))}; expected at most"
            f" {MAX_CHUNK_BYTES >> 20} MiB each; convert it to smaller chunks"
        )


def _integers(values: Sequence[Any]) -> tuple[int, ...]:
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        raise ValueError(f"{values} are not whole numbers")
    return tuple(values)


def _separator(text: object) -> str:
    if text not in ("/", "."):
        raise ValueError(f"indices separated by {text!r}")
    return str(text)
