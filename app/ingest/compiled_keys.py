"""Row keys as machine code, to the bit what `app.ingest.row_keys` does with pandas and NumPy.

The hash is SipHash-2-4 (Aumasson and Bernstein, 2012), then the finaliser of splitmix64, as
`pandas.util.hash_array` has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled_as

SIP_KEY = "ssmtl-row-keys-1"  # 16 characters
MISSING = 0x9E3779B97F4A7C15
"""What stands for the key of a missing cell."""

_K0, _K1 = (np.uint64(word) for word in np.frombuffer(SIP_KEY.encode(), dtype="<u8"))
_V0, _V1 = _K0 ^ np.uint64(0x736F6D6570736575), _K1 ^ np.uint64(0x646F72616E646F6D)
_V2, _V3 = _K0 ^ np.uint64(0x6C7967656E657261), _K1 ^ np.uint64(0x7465646279746573)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_MISSING = np.uint64(MISSING)


@compiled_as(
    "void(Array(int32, 1, 'C', readonly=True), Array(uint8, 1, 'C', readonly=True), uint64[::1])"
)
def hash_texts(
    offsets: NDArray[np.int32], data: NDArray[np.uint8], keys: NDArray[np.uint64]
) -> None:
    """Write the key of each text.

    Shape:
        offsets: (N + 1,), data: (bytes,), keys: (N,)
    """
    for text in range(len(keys)):
        start, end = offsets[text], offsets[text + 1]
        v0, v1, v2, v3 = _V0, _V1, _V2, _V3
        words = (end - start) // 8
        for step in range(words + 3):
            word = np.uint64(0)
            if step < words:
                for byte in range(8):
                    word |= np.uint64(data[start + 8 * step + byte]) << np.uint64(8 * byte)
            elif step == words:
                word = np.uint64(end - start) << np.uint64(56)
                for byte in range(end - start - 8 * words):
                    word |= np.uint64(data[start + 8 * words + byte]) << np.uint64(8 * byte)
            else:  # four rounds at the end
                v2 ^= np.uint64(0xFF) if step == words + 1 else np.uint64(0)
            v3 ^= word
            for _ in range(2):
                v0 += v1
                v2 += v3
                v1 = ((v1 << np.uint64(13)) | (v1 >> np.uint64(51))) ^ v0
                v3 = ((v3 << np.uint64(16)) | (v3 >> np.uint64(48))) ^ v2
                v0 = (v0 << np.uint64(32)) | (v0 >> np.uint64(32))
                v2 += v1
                v0 += v3
                v1 = ((v1 << np.uint64(17)) | (v1 >> np.uint64(47))) ^ v2
                v3 = ((v3 << np.uint64(21)) | (v3 >> np.uint64(43))) ^ v0
                v2 = (v2 << np.uint64(32)) | (v2 >> np.uint64(32))
            v0 ^= word
        key = v0 ^ v1 ^ v2 ^ v3
        key = (key ^ (key >> np.uint64(30))) * _MIX_1
        key = (key ^ (key >> np.uint64(27))) * _MIX_2
        keys[text] = key ^ (key >> np.uint64(31))


@compiled_as("void(uint64[::1], Array(uint64, 1, 'C', readonly=True))")
def mix_into(combined: NDArray[np.uint64], part: NDArray[np.uint64]) -> None:
    """Let the cells of one more column into the keys of their rows.

    Shape:
        combined, part: (N,)
    """
    for row in range(len(combined)):
        cell = part[row] + _MISSING
        cell = (cell ^ (cell >> np.uint64(30))) * _MIX_1
        cell = (cell ^ (cell >> np.uint64(27))) * _MIX_2
        key = (combined[row] * np.uint64(31)) ^ (cell ^ (cell >> np.uint64(31)))
        key = (key ^ (key >> np.uint64(30))) * _MIX_1
        key = (key ^ (key >> np.uint64(27))) * _MIX_2
        combined[row] = key ^ (key >> np.uint64(31))
