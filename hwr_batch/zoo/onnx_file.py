"""What the card needs from an ONNX file, read without the onnx package.

An ONNX file is one protocol-buffer message, and all that is wanted is its `metadata_props` and whether
a tensor lives in another file. Walking the fields takes a few lines; onnx would be a heavy dependency
for it. Field numbers: onnx/onnx.proto (ModelProto, GraphProto, TensorProto, StringStringEntryProto);
encoding: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from hwr_batch.errors import ModelError

_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_GRAPH_INITIALIZER = 5
_TENSOR_LOCATION, _EXTERNAL = 14, 1
_ENTRY_KEY, _ENTRY_VALUE = 1, 2

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZE = {_FIXED64: 8, _FIXED32: 4}

Field: TypeAlias = tuple[int, int | memoryview]


def read_metadata(data: bytes, where: str) -> dict[str, bytes]:
    """Key → value (UTF-8 bytes) of the model's metadata. Raises ModelError where it is no ONNX file."""
    found = {}
    for value in _messages(data, _MODEL_METADATA, where):
        entry = {number: bytes(part) for number, part in _fields(value, where) if not isinstance(part, int)}
        found[entry.get(_ENTRY_KEY, b"").decode("utf-8", "replace")] = entry.get(_ENTRY_VALUE, b"")
    return found


def refuse_external_data(data: bytes, where: str) -> None:
    """Raises ModelError if a weight lives in another file, or the bytes are no ONNX file.

    Actors receive the model as bytes, and a path inside a model must not make them open files.
    """
    graphs = list(_messages(data, _MODEL_GRAPH, where))
    if not graphs:
        raise ModelError(f"{where} is not an ONNX model: it holds no graph")
    for graph in graphs:
        for tensor in _messages(graph, _GRAPH_INITIALIZER, where):
            if (_TENSOR_LOCATION, _EXTERNAL) in _fields(tensor, where):
                raise ModelError(f"{where} keeps weights in another file; save it as one file")


def _messages(data: bytes | memoryview, wanted: int, where: str) -> Iterator[memoryview]:
    for number, value in _fields(memoryview(data), where):
        if number == wanted and not isinstance(value, int):
            yield value


def _fields(data: memoryview, where: str) -> Iterator[Field]:
    """(field number, value) of one message: ints for varints, a view of the bytes for all else."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position, where)
        kind = key & 7
        if kind == _VARINT:
            value, position = _varint(data, position, where)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, position = _varint(data, position, where)
        elif kind in _FIXED_SIZE:
            size = _FIXED_SIZE[kind]
        else:
            raise _damaged(where)
        if size > len(data) - position:
            raise _damaged(where)
        yield key >> 3, data[position : position + size]
        position += size


def _varint(data: memoryview, position: int, where: str) -> tuple[int, int]:
    """The unsigned integer at `position` (7 bits a byte, lowest first) and the position after it."""
    value = 0
    for index, byte in enumerate(data[position : position + 10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise _damaged(where)


def _damaged(where: str) -> ModelError:
    return ModelError(f"{where} is not a whole ONNX file: its fields do not add up")
