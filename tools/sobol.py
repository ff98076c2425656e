"""Writes `src/lampas/quasirandom/directions.bin` from the table of direction numbers that SciPy carries.

    python tools/sobol.py

Both are new-joe-kuo-6.21201 of Joe and Kuo; the file's form is described in `quasirandom/directions.py`.
"""

import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src" / "lampas" / "quasirandom" / "directions.bin"


def main():
    sys.path.insert(0, str(ROOT / "src"))
    import numpy
    import scipy.stats

    from lampas.quasirandom import directions

    source = Path(scipy.stats.__file__).parent / "_sobol_direction_numbers.npz"
    with numpy.load(source) as table:
        rows = zip(table["poly"][1:].tolist(), table["vinit"][1:].tolist())
    content = b"".join(
        directions.packed(polynomial, numbers[: polynomial.bit_length() - 1])
        for polynomial, numbers in rows
    )
    TARGET.write_bytes(zlib.compress(content, 9))
    print(f"wrote {TARGET.relative_to(ROOT)}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
