"""A writer of the few ONNX fields that the zoo reads, from the protobuf encoding rules."""

from __future__ import annotations


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def chunk(field: int, data: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(*, external: bool) -> bytes:
    location = number(14, 1) if external else number(14, 0)
    return number(1, 3) + number(2, 1) + chunk(8, b"w") + chunk(9, bytes(12)) + location


def onnx_model(metadata: dict[str, str], *, external: bool = False) -> bytes:
    """IR version, producer, a graph with two tensors and a fixed-width field, an opset, metadata."""
    graph = chunk(2, b"g") + chunk(5, tensor(external=False)) + chunk(5, tensor(external=external))
    fixed = varint(99 << 3 | 5) + bytes(4) + varint(98 << 3 | 1) + bytes(8)  # unknown fields are skipped
    entries = b"".join(chunk(14, chunk(1, k.encode()) + chunk(2, v.encode())) for k, v in metadata.items())
    return number(1, 8) + chunk(2, b"test") + chunk(7, graph) + fixed + chunk(8, number(2, 17)) + entries
