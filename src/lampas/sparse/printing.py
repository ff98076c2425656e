"""repr of sparse tensors."""

from lampas import printing
from lampas.sparse.tensor import Coo, content


def _part(name, tensor, indent):
    """indices=tensor([[...]]), with the size of what is empty."""
    head = f"{name}=tensor("
    text = "[]" if tensor.numel() == 0 else printing._values(tensor, indent + len(head))
    if tensor.numel() == 0:
        text += f", size={tuple(tensor.shape)}"
    return head + text + ")"


def to_text(x):
    """The text of a sparse tensor, as PyTorch prints it."""
    c, prefix = content(x), "tensor("
    indent = len(prefix)
    parts = (
        [("indices", c.indices)]
        if isinstance(c, Coo)
        else [(c.outer_name, c.outer), (c.inner_name, c.inner)]
    )
    parts.append(("values", c.values))
    gap = ",\n" + " " * indent
    text = prefix + gap.join(_part(name, t.detach(), indent) for name, t in parts)
    suffixes = [f"size={tuple(x.shape)}", f"nnz={c.values.size(0)}"]
    if not printing._usual_type(x):
        suffixes.append(f"dtype={x.dtype}")
    suffixes.append(f"layout={c.layout}")
    suffixes += printing._grad_suffix(x)
    if isinstance(c, Coo):  # the size begins a line of its own
        text += gap + suffixes.pop(0)
        return printing._with_suffixes(text, suffixes, indent)
    return printing._with_suffixes(text, suffixes, indent, slack=2)  # as PyTorch counts here
