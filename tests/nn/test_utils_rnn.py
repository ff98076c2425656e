"""nn.utils.rnn: packing and padding sequences."""

import pickle

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
from agreement import agree

TEXTS = """
pack_padded_sequence(x, [4, 2, 1]) | pack_padded_sequence(x, [2, 4, 1])
pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False) | pack_padded_sequence(x, T([4, 2, 1]))
pack_padded_sequence(x.transpose(0, 1), [4, 2, 2], batch_first=True)
pack_padded_sequence(x, [4, 2, 0])
pack_padded_sequence(x, [4, 2])
pack_padded_sequence(x, [3, 2, 1]) | pack_padded_sequence(x, [5, 2, 1])
pack_padded_sequence(x, T([[4, 2, 1]])) | pack_padded_sequence(x[:0], [0, 0, 0])
pack_padded_sequence(x, [2, 2, 2], enforce_sorted=False)
pack_padded_sequence(x[:, :, 0], [4, 2, 2])
pad_packed_sequence(pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False))
pad_packed_sequence(pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False), True, -1.0)
pad_packed_sequence(pack_padded_sequence(x, [3, 2, 1]), total_length=5)
pad_packed_sequence(pack_padded_sequence(x, [3, 2, 1]), total_length=2)
pack_sequence([T([1, 2]), T([1, 2, 3])])
pack_sequence([T([1, 2]), T([1, 2, 3])], enforce_sorted=False)
pack_sequence([]) | pad_sequence([T([1, 2]), T([1, 2, 3])]) | pad_sequence([]) | pad_sequence(5)
pad_sequence([T([1, 2]), T([1, 2, 3])], True, -1)
pad_sequence([T([1]), T([1, 2])], padding_side="left")
pad_sequence([T([1, 2])], padding_side="x") | pad_sequence(T([[1, 2], [3, 4]]))
pad_sequence([T([[1, 2]]), T([[1, 2], [3, 4.0]])]) | unpad_sequence(x, T([1, 2, 3]))
unpack_sequence(pack_sequence([T([1, 2]), T([1, 2, 3])], enforce_sorted=False))
invert_permutation(T([2, 0, 1])) | invert_permutation(None) | PackedSequence(x[:, 0])
PackedSequence(x[:, 0], T([2, 2]), T([1, 0])) | PackedSequence((x[:, 0], T([2, 2])))
pack_padded_sequence(x, [4, 2, 1]).double() | pack_padded_sequence(x, [4, 2, 1]).int()
pack_padded_sequence(x, [4, 2, 1]).cpu() | pack_padded_sequence(x, [4, 2, 1]).is_cuda
"""


@pytest.mark.parametrize(
    "text", [t.strip() for line in TEXTS.strip().splitlines() for t in line.split(" | ")]
)
def test_agreement(text):
    def run(module):
        x = module.arange(24.0).reshape(4, 3, 2)
        return eval(text, {**vars(module.nn.utils.rnn), "x": x, "T": module.tensor})

    agree(run)


def test_gradients():
    def run(module):
        rnn = module.nn.utils.rnn
        x = module.arange(24.0).reshape(4, 3, 2).requires_grad_()
        packed = rnn.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False)
        padded, lengths = rnn.pad_packed_sequence(packed)
        (padded * module.arange(24.0).reshape(4, 3, 2)).sum().backward()
        y = module.ones(3).requires_grad_()
        (rnn.pad_sequence([y, y[:1] * 2]) * module.arange(6.0).reshape(3, 2)).sum().backward()
        return x.grad, lengths, y.grad

    agree(run)


def test_identity_and_pickling():
    import lampas

    rnn = lampas.nn.utils.rnn
    packed = rnn.pack_padded_sequence(lampas.ones(4, 3, 2), [4, 2, 1])
    assert packed.to("cpu") is packed and packed.float() is packed
    twin = pickle.loads(pickle.dumps(packed))
    assert type(twin) is rnn.PackedSequence and (twin.data == packed.data).all()
