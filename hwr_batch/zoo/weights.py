"""Weight files, looked at before anything loads them: no entities, no pickles, no paths outwards."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, NoReturn
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from hwr_batch.errors import ModelError
from hwr_batch.zoo.onnx_file import refuse_external_data

_UNPACKED = 2 << 30  # bytes; the cap on what an .npz may claim to hold


def weight_names(weights: str) -> tuple[str, ...]:
    """The files that the card's `weights` stands for: an IR is an .xml with its .bin beside it."""
    path = PurePosixPath(weights)
    return (weights, path.with_suffix(".bin").name) if path.suffix == ".xml" else (weights,)


def check_weights(files: Mapping[str, bytes]) -> None:
    """Raises ModelError where a file (name → bytes) is not what its suffix says, or not safe to load."""
    for name, data in files.items():
        suffix = PurePosixPath(name).suffix
        if suffix == ".xml":
            _check_ir(data, name)
        elif suffix == ".onnx":
            refuse_external_data(data, name)
        elif suffix == ".npz":
            read_tensors(data, name)


def class_count(files: Mapping[str, bytes]) -> int | None:
    """C, the number of classes, where the weights say it without a graph: the rows of `fc.weight`.

    None for an IR or ONNX file: the engine reads C from the compiled model and checks the charset then.
    """
    for name, data in files.items():
        if name.endswith(".npz"):
            tensors = read_tensors(data, name)
            if "fc.weight" in tensors:
                return int(tensors["fc.weight"].shape[0])
    return None


def read_tensors(data: bytes, where: str) -> dict[str, NDArray[Any]]:
    """Name → tensor of an .npz, each with the dtype and shape it was saved with. Never unpickles.

    Raises ModelError where the file is damaged or holds Python objects.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as listing:
            if sum(member.file_size for member in listing.infolist()) > _UNPACKED:
                raise ModelError(f"{where} would unpack to more than {_UNPACKED >> 20} MiB; refused")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in archive.files}
    except (ValueError, OSError, EOFError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error) as exc:
        raise ModelError(f"{where} is not a readable .npz of plain tensors: {exc}") from exc


def _check_ir(data: bytes, where: str) -> None:
    """An OpenVINO IR is one `<net>` without a document type, so without entities or outside files."""

    def refuse_doctype(*_: object) -> NoReturn:
        raise ModelError(f"{where} has a document type declaration, which no OpenVINO IR needs; refused")

    def check_root(tag: str, _: object) -> None:
        parser.StartElementHandler = None
        if tag != "net":
            raise ModelError(f"{where} is not an OpenVINO IR: its root is <{tag}>, not <net>")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = check_root
    try:
        parser.Parse(data, True)
    except expat.ExpatError as exc:
        raise ModelError(f"{where} is not well-formed XML: {exc}") from exc
