"""Lookups whose gradient with respect to the table is sparse: one row for each index."""

import lampas
from lampas import _core
from lampas.sparse.nodes import node
from lampas.sparse.tensor import Coo, make


def _rows(g, index, weight, padding_idx):
    """The gradient of weight (n, D) from g (..., D): an uncoalesced COO of the rows looked up."""
    flat, values = index.reshape(-1).to(lampas.int64), g.reshape(-1, *weight.shape[1:])
    if padding_idx >= 0:
        kept = lampas.nonzero(flat != padding_idx).reshape(-1)
        flat, values = flat[kept], values[kept]
    return make(Coo(flat.unsqueeze(0), values, tuple(weight.shape), flat.numel() < 2))


def _gradient(g, args, _):
    weight, index, padding_idx, scale_grad_by_freq = args
    if scale_grad_by_freq:
        raise RuntimeError(
            "embedding_backward: scale_grad_by_freq not supported with sparse gradients"
        )
    return [_rows(g, index, weight, padding_idx), None]


_embedding = node(
    "EmbeddingBackward0",
    lambda weight, index, padding_idx, _: _core.embedding(weight, index),
    _gradient,
)


def embedding(weight, index, padding_idx, scale_grad_by_freq):
    """Rows of weight by index; the row padding_idx (-1: none) gets no gradient.

    Errors: RuntimeError in backward with scale_grad_by_freq.
    """
    return _embedding(weight, index, padding_idx, scale_grad_by_freq)
