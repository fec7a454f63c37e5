"""Writes a golden file: the safetensors format, read in Java by convtrain.testing.Golden.

Tensors are named <case>/<tensor>; the metadata holds "torch" (the version that computed them),
"cases" (a JSON list: each case's "name" and what it was made from) and further strings.
"""
import json
import struct

import numpy
import torch

DTYPES = {"float32": "F32", "float64": "F64", "int32": "I32"}


def write(path, tensors, cases, **metadata):
    header = {"__metadata__": {"torch": torch.__version__, "cases": json.dumps(cases), **metadata}}
    data = bytearray()
    for name, tensor in tensors.items():
        values = numpy.ascontiguousarray(tensor.detach().numpy())
        start = len(data)
        data += values.tobytes()
        header[name] = {
            "dtype": DTYPES[str(values.dtype)],
            "shape": list(values.shape),
            "data_offsets": [start, len(data)],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data starts aligned
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    print(f"{path}: {len(cases)} cases, {len(tensors)} tensors, {8 + len(text) + len(data)} bytes")
