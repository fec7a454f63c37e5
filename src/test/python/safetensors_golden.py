"""Writes src/test/resources/convtrain/train/golden.safetensors, one tensor per element type.

Independent of Convtrain: struct, json and numpy (2.4.6) only. Run from the project's root:

    python3 src/test/python/safetensors_golden.py
"""

import json
import struct
import sys

import numpy as np

values = np.array([0.0, -0.0, 1.0, -2.5, 65504.0, 6.103515625e-05, 5.960464477539063e-08, np.inf])
bf16 = (np.array([1.0, -3.140625, 1e38], dtype="<f4").view("<u4") >> 16).astype("<u2")
tensors = {
    "conv1.weight": ("F32", np.arange(12, dtype="<f4").reshape(2, 1, 2, 3) / 7),
    "doubles": ("F64", np.array([[1 / 3], [-1e300]], dtype="<f8")),
    "halves": ("F16", values.astype("<f2")),
    "brains": ("BF16", bf16),
    "bn1.num_batches_tracked": ("I64", np.array(469, dtype="<i8")),
    "empty": ("F32", np.zeros((0, 4), dtype="<f4")),
}
header, data = {"__metadata__": {"format": "pt", "who": "Zo\u00eb"}}, b""
for name, (dtype, array) in tensors.items():
    raw = array.tobytes()
    header[name] = {
        "dtype": dtype,
        "shape": list(array.shape),
        "data_offsets": [len(data), len(data) + len(raw)],
    }
    data += raw
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
path = sys.argv[1] if len(sys.argv) > 1 else "src/test/resources/convtrain/train/golden.safetensors"
with open(path, "wb") as out:
    out.write(struct.pack("<Q", len(text)) + text + data)
