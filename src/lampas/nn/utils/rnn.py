"""Sequences of different lengths: padded, packed, and lists of them."""

from collections import namedtuple

import lampas

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpad_sequence",
    "pack_sequence",
    "unpack_sequence",
]

PackedSequence_ = namedtuple(
    "PackedSequence_", ("data", "batch_sizes", "sorted_indices", "unsorted_indices")
)


class PackedSequence(PackedSequence_):
    """Sequences sorted by falling length, stored step by step without padding.

    data: (sum of lengths, *); batch_sizes: how many sequences reach each step, int64 on the CPU;
    sorted_indices: which sequence of the batch comes first, second, ...; unsorted_indices: the
    way back. Made by `pack_padded_sequence` and `pack_sequence`.
    """

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if batch_sizes is None:
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. "
                "Instances of PackedSequence should never be created manually. "
                "They should be instantiated by functions like pack_sequence "
                "and pack_padded_sequences in nn.utils.rnn. "
                "https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
            )
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args, **kwargs):
        """The sequence with its data converted as by `Tensor.to`; itself if nothing changes."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        options = {key: kwargs[key] for key in ("non_blocking", "copy") if key in kwargs}
        # Only the device: the indices keep their dtype. batch_sizes stay on the CPU.
        indices = (
            bind(index, lambda tensor: tensor.to(data.device, **options))
            for index in (self.sorted_indices, self.unsorted_indices)
        )
        return type(self)(data, self.batch_sizes, *indices)

    def cuda(self, *args, **kwargs):
        """The sequence on a CUDA device."""
        if self.data.is_cuda and not args and not kwargs:
            return self
        device = kwargs.pop("device", args[0] if args else None)
        return self.to("cuda" if device is None else device, *args[1:], **kwargs)

    def cpu(self, *args, **kwargs):
        """The sequence on the CPU."""
        return self.to("cpu", *args, **kwargs)

    def pin_memory(self):
        """The sequence in pinned memory."""
        pinned = (
            bind(tensor, lambda t: t.pin_memory())
            for tensor in (self.sorted_indices, self.unsorted_indices)
        )
        return type(self)(self.data.pin_memory(), self.batch_sizes, *pinned)

    def double(self):
        """The sequence in float64."""
        return self.to(dtype=lampas.double)

    def float(self):
        """The sequence in float32."""
        return self.to(dtype=lampas.float)

    def half(self):
        """The sequence in float16."""
        return self.to(dtype=lampas.half)

    def long(self):
        """The sequence in int64."""
        return self.to(dtype=lampas.long)

    def int(self):
        """The sequence in int32."""
        return self.to(dtype=lampas.int)

    def short(self):
        """The sequence in int16."""
        return self.to(dtype=lampas.short)

    def char(self):
        """The sequence in int8."""
        return self.to(dtype=lampas.int8)

    def byte(self):
        """The sequence in uint8."""
        return self.to(dtype=lampas.uint8)

    @property
    def is_cuda(self):
        """Whether the data are on a CUDA device."""
        return self.data.is_cuda

    def is_pinned(self):
        """Whether the data are in pinned memory."""
        return self.data.is_pinned()


def bind(optional, fn):
    """fn(optional), or None for None."""
    return None if optional is None else fn(optional)


def invert_permutation(permutation):
    """The permutation that undoes the given one; None for None."""
    if permutation is None:
        return None
    positions = lampas.arange(permutation.numel(), device=permutation.device)
    return lampas.empty_like(permutation).scatter_(0, permutation, positions)


def _pack_padded_sequence(input, lengths, batch_first):
    """Data and batch sizes of a padded batch whose lengths fall."""
    if batch_first:
        input = input.transpose(0, 1)
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if lengths.dim() != 1 or lengths.dtype != lampas.int64 or lengths.device.type != "cpu":
        kind = lampas.typename(lengths).rsplit(".", 1)[-1].removesuffix("Tensor")
        raise RuntimeError(
            "'lengths' argument should be a 1D CPU int64 tensor, but got "
            f"{lengths.dim()}D {lengths.device.type} {kind} tensor"
        )
    if lengths.numel() != input.size(1):
        raise RuntimeError(
            "Expected `len(lengths)` to be equal to batch_size, but got "
            f"{lengths.numel()} (batch_size={input.size(1)})"
        )
    values = lengths.tolist()
    if min(values) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in "
            "'lengths' that is <= 0"
        )
    if any(later > earlier for earlier, later in zip(values, values[1:])):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence "
            "to sidestep this requirement if you do not need ONNX exportability."
        )
    # (longest, B): which steps belong to a sequence
    mask = lampas.arange(values[0]).unsqueeze(1) < lengths
    present = mask[: input.size(0)].to(input.device)
    return input[: values[0]][present], mask.sum(1)


def _pad_packed_sequence(data, batch_sizes, batch_first, padding_value, total_length):
    """The padded batch and its lengths; undoes `_pack_padded_sequence`."""
    steps, batch = batch_sizes.numel(), int(batch_sizes[0])
    if total_length > 0 and total_length < steps:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, "
            f"but got total_length={total_length} and max sequence length being {steps}"
        )
    mask = lampas.arange(batch) < batch_sizes.unsqueeze(1)
    output = data.new_full((max(steps, total_length), batch, *data.shape[1:]), padding_value)
    output[:steps][mask.to(data.device)] = data
    return output.transpose(0, 1) if batch_first else output, mask.sum(0)


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """Pack a padded batch, (T, B, *) or (B, T, *) with `batch_first`.

    `lengths` must fall, unless `enforce_sorted` is False: then the batch is sorted here.

    Raises:
        RuntimeError: empty input, or lengths of a wrong number, order or sign.
    """
    lengths = lampas.as_tensor(lengths, dtype=lampas.int64, device="cpu")
    sorted_indices = None
    if not enforce_sorted:
        lengths, sorted_indices = lampas.sort(lengths, descending=True)
        sorted_indices = sorted_indices.to(input.device)
        input = input.index_select(0 if batch_first else 1, sorted_indices)
    data, batch_sizes = _pack_padded_sequence(input, lengths, batch_first)
    return PackedSequence(data, batch_sizes, sorted_indices, None)


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """The padded batch, (T, B, *) or (B, T, *) with `batch_first`, and the lengths.

    Raises:
        ValueError: `total_length` is less than the longest sequence.
    """
    steps = sequence.batch_sizes.size(0)
    if total_length is not None and total_length < steps:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, "
            f"but got total_length={total_length} and max sequence length being {steps}"
        )
    padded, lengths = _pad_packed_sequence(
        sequence.data, sequence.batch_sizes, batch_first, padding_value, total_length or 0
    )
    back = sequence.unsorted_indices
    if back is None:
        return padded, lengths
    return padded.index_select(0 if batch_first else 1, back), lengths[back.cpu()]


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Stack sequences (L_i, *) into (T, B, *), or (B, T, *) with `batch_first`, padded to T.

    Raises:
        RuntimeError: no sequences, not an iterable, sizes that differ beyond the first
            dimension, or an unknown side.
    """
    if isinstance(sequences, lampas.Tensor):
        sequences = sequences.unbind(0)
    elif not hasattr(sequences, "__iter__"):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    sequences = tuple(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    first = sequences[0]
    steps = max(sequence.size(0) for sequence in sequences)
    sizes = (len(sequences), steps) if batch_first else (steps, len(sequences))
    padded = first.new_full((*sizes, *first.shape[1:]), padding_value)
    for index, sequence in enumerate(sequences):
        length = sequence.size(0)
        start = 0 if padding_side == "right" else steps - length
        row = padded[index] if batch_first else padded[:, index]
        row[start : start + length].copy_(sequence)
    return padded


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """The list of sequences without padding."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [row[:length] for row, length in zip(padded_sequences, lengths.tolist())]


def pack_sequence(sequences, enforce_sorted=True):
    """Pack a list of sequences (L_i, *), sorted by falling length unless told otherwise."""
    lengths = lampas.as_tensor([sequence.size(0) for sequence in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences):
    """The list of sequences of a PackedSequence, in the order of the batch."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


def copy_method_params(source_method):
    """Decorator for type checkers: the method takes the parameters of another. It changes nothing."""
    return lambda method: method
