"""A few extreme eigenpairs of large symmetric matrices, by products with them alone.

Source: A. Knyazev, "Toward the optimal preconditioned eigensolver: LOBPCG", 2001; bases are made orthogonal
as in A. Stathopoulos, K. Wu, "A block orthogonalization procedure with constant synchronization
requirements", 2002.
"""

import lampas
from lampas.ops.one_node import one_node
from lampas.ops.register import composite


class LOBPCG:
    """One run on one matrix; what a tracker is shown after every step.

    A, B, iK (m, m); X (m, n): the block, E (n,): its Ritz values, R (m, n): residuals. ivars: m, n, k, niter,
    istep and converged_count; fvars: tol and norms; bvars: what the tracker may set ("force_stop").
    """

    def __init__(self, A, B, X, iK, iparams, fparams, method, largest, tracker):
        self.A, self.B, self.X, self.iK = A, B, X, iK
        self.method, self.largest, self.tracker = method, largest, tracker
        self.ivars = {**iparams, "istep": 0, "converged_count": 0}
        self.fvars = {**fparams, "A_norm": float(A.norm()), "B_norm": _norm(B, A.shape[0])}
        self.bvars, self.tvars = {}, {}
        self.P = X[:, :0]

    def times_b(self, X):
        return X if self.B is None else self.B @ X

    def orthogonal(self, S, against=None):
        """An orthonormal basis (by B) of the columns of S outside those of `against`, near-zeros dropped."""
        floor = lampas.finfo(S.dtype).eps * S.shape[0]
        for _ in range(2):  # once more, for what rounding left of the first time
            if against is not None:
                S = S - against @ (against.mT @ self.times_b(S))
            S = S / S.norm(dim=0).clamp_min(lampas.finfo(S.dtype).tiny)
            size, V = lampas.linalg.eigh(S.mT @ self.times_b(S))
            kept = size > floor * size[-1].clamp_min(floor)
            S = S @ (V[:, kept] / size[kept].sqrt())
        return S

    def ritz(self, S):
        """The best pairs within the span of S, wanted ones first: (values, coefficients)."""
        values, Z = lampas.linalg.eigh(S.mT @ (self.A @ S))
        if self.largest:
            values, Z = values.flip(0), Z.flip(1)
        return values, Z

    def update_residual(self):
        BX = self.times_b(self.X)
        self.R = self.A @ self.X - BX * self.E
        norms = self.R.norm(dim=0)
        scale = self.X.norm(dim=0) * (self.fvars["A_norm"] + self.E.abs() * self.fvars["B_norm"])
        self.tvars["rerr"] = norms / scale
        fine = (self.tvars["rerr"] < self.fvars["tol"]).tolist()
        self.ivars["converged_count"] = next((i for i, x in enumerate(fine) if not x), len(fine))

    def step(self):
        n = self.ivars["n"]
        W = self.R if self.iK is None else self.iK @ self.R
        others = lampas.cat((W, self.P), 1)
        others = self.orthogonal(others, self.X)
        S = lampas.cat((self.X, others), 1)
        values, Z = self.ritz(S)
        self.E, Z = values[:n], Z[:, :n]
        self.P = others @ Z[n:]
        self.X = S @ Z
        self.update_residual()

    def run(self):
        n = self.ivars["n"]
        self.X = self.orthogonal(self.X)
        values, Z = self.ritz(self.X)
        self.E, self.X = values[:n], self.X @ Z[:, :n]
        self.update_residual()
        limit = self.ivars["niter"]
        while self.ivars["converged_count"] < self.ivars["k"]:
            if self.tracker is not None:
                self.tracker(self)
            if self.bvars.get("force_stop") or self.ivars["istep"] == limit:
                break
            self.ivars["istep"] += 1
            self.step()
        k = self.ivars["k"]
        return self.E[:k], self.X[:, :k]


def _norm(B, rows):
    return rows**0.5 if B is None else float(B.norm())


def _check(A, k, X, n):
    if A.dim() < 2 or A.shape[-1] != A.shape[-2]:
        raise AssertionError(f"A must be square, got shape {A.shape}")
    m = A.shape[-1]
    if X is not None and X.shape[-2:] != (m, n):
        raise AssertionError(f"X shape mismatch: got {X.shape}, expected {(m, n)}")
    if m < 3 * n:
        raise ValueError(
            f"LOBPCG algorithm is not applicable when the number of A rows (={m}) is smaller than 3 x the "
            f"number of requested eigenpairs (={n})"
        )
    if not 1 <= k <= n:
        raise ValueError(f"k must be between 1 and the size of the block n={n}, got {k}")


def _pairs(A, B, X, iK, k, niter, tol, method, largest, tracker):
    """(E, X) for a matrix or a batch of them; B, X and iK are broadcast."""
    m, n = X.shape[-2:]
    batch = A.shape[:-2]

    def each(T):
        if T is None:
            return [None] * max(A[..., 0, 0].numel(), 0)
        return T.expand(*batch, *T.shape[-2:]).reshape(-1, *T.shape[-2:]).unbind(0)

    found = []
    for a, b, x, inverse in zip(each(A), each(B), each(X), each(iK)):
        numbers = {"m": m, "n": n, "k": k, "niter": niter}
        found.append(
            LOBPCG(a, b, x, inverse, numbers, {"tol": tol}, method, largest, tracker).run()
        )
    values, vectors = (lampas.stack(parts) for parts in zip(*found))
    return values.reshape(*batch, k), vectors.reshape(*batch, m, k)


def _gradient(grads, args, outputs):
    """For simple eigenvalues: dE = diag(Xᵀ dA X), dx = -(A - e B)⁺ dA x."""
    (gE, gX), (A, B), (E, X) = grads, args[:2], outputs
    if B is not None and B.requires_grad:
        raise NotImplementedError("lobpcg: the derivative with respect to B")
    BX = X if B is None else B @ X
    metric = lampas.eye(A.shape[-1], dtype=A.dtype, device=A.device) if B is None else B
    columns = []
    for i in range(E.shape[-1]):
        x, Bx, g = X[..., i : i + 1], BX[..., i : i + 1], gX[..., i : i + 1]
        free = g - Bx @ (x.mT @ g)  # what is left of g beside x
        shifted = A - E[..., i, None, None] * metric + Bx @ Bx.mT
        columns.append(gE[..., i, None, None] * x - lampas.linalg.solve(shifted, free))
    G = lampas.cat(columns, -1) @ X.mT
    return ((G + G.mT) / 2, None, None, None)


_lobpcg = one_node("LOBPCGAutogradFunctionBackward", _pairs, _gradient)


@composite
def lobpcg(
    A, k=None, B=None, X=None, n=None, iK=None, niter=None, tol=None, largest=None, method=None,
    tracker=None, ortho_iparams=None, ortho_fparams=None, ortho_bparams=None,
):  # fmt: skip
    """(E, X): k eigenvalues (..., k) of A x = e B x, the largest or smallest, and their vectors (..., m, k).

    A, B (..., m, m): symmetric, B positive definite, the identity by default. X: where to begin, random by
    default. n: the size of the block, k by default; m >= 3 n. iK: a preconditioner, near the inverse of A.
    niter: steps at most, default 1000; tol: of the relative residual, default sqrt(eps). tracker: called with
    the state before every step. method "basic" and "ortho" are one here, and ortho_* are not needed.
    """
    if k is None:
        k = 1 if X is None else X.shape[-1]
    if n is None:
        n = k if X is None else X.shape[-1]
    _check(A, k, X, n)
    if X is None:
        X = lampas.randn(*A.shape[:-1], n, dtype=A.dtype, device=A.device)
    tol = lampas.finfo(A.dtype).eps ** 0.5 if tol is None else tol
    niter = 1000 if niter is None else niter
    largest = True if largest is None else largest
    return _lobpcg(A, B, X.detach(), iK, k, niter, tol, method or "ortho", largest, tracker)
