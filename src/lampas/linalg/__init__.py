"""Linear algebra: factorisations, solvers, spectra and norms of matrices. The functions are in `lampas.ops`."""

from lampas.ops.register import NAMESPACES

globals().update(NAMESPACES["linalg"])

__all__ = sorted(name for name in NAMESPACES["linalg"] if not name.startswith("_"))
