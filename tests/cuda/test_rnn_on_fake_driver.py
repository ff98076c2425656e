"""Recurrent layers on a device, beside the CPU's."""

import pytest

SOURCE = """
warnings.filterwarnings("ignore", message=".*operator .(reduce|place_run|index.*|_index.*)..*")  # other families
dtype = torch.{dtype}
limit = {{torch.float16: 5e-3, torch.bfloat16: 6e-2, torch.float32: 1e-4}}.get(dtype, 1e-10)
def near(ours, theirs):
    assert ours.is_cuda and ours.dtype == theirs.dtype and ours.shape == theirs.shape
    assert torch.allclose(ours.cpu().double(), theirs.double(), rtol=limit, atol=limit), (ours, theirs)

def compare(network, batch, steps, states=True, packed=None):
    network = network.to(dtype)
    found = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(1)
        shape = (batch, steps) if network.batch_first else (steps, batch)
        x = torch.randn(*shape, network.input_size).to(dtype).to(device).requires_grad_()
        directions = network.num_layers * (2 if network.bidirectional else 1)
        given = [torch.randn(directions, batch, network.hidden_size).to(dtype).to(device).requires_grad_()
                 for _ in range(2 if network.mode == "LSTM" else 1)]
        network = network.to(device)
        network.zero_grad()
        hidden = (tuple(given) if len(given) == 2 else given[0]) if states else None
        inputs = x if packed is None else torch.nn.utils.rnn.pack_padded_sequence(x, packed)
        y, last = network(inputs, hidden)
        y = y if packed is None else y.data
        last = last if isinstance(last, tuple) else (last,)
        torch.manual_seed(2)
        roots = [y, *last]
        gradients = [torch.randn(r.shape).to(dtype).to(device) for r in roots]
        torch.autograd.backward(roots, gradients)
        inputs = [x, *given] if states else [x]
        found.append([t.detach() for t in roots] + [t.grad for t in inputs] + [p.grad for p in network.parameters()])
    for theirs, ours in zip(*found):
        near(ours, theirs)

torch.manual_seed(0)
"""

LAYERS = """
nn = torch.nn
compare(nn.LSTM(3, 5, num_layers=2, bidirectional=True), batch=2, steps=4)
compare(nn.GRU(3, 5, bidirectional=True, batch_first=True), batch=3, steps=4)
compare(nn.RNN(3, 5), batch=2, steps=3)
compare(nn.RNN(3, 5, nonlinearity="relu", bias=False), batch=2, steps=1, states=False)
compare(nn.LSTM(3, 5), batch=1, steps=3, states=False)
"""


def test_layers(run):
    run(SOURCE.format(dtype="float32") + LAYERS)


@pytest.mark.full
@pytest.mark.parametrize("dtype", ["float64"])
def test_layers_of_other_types(run, dtype):
    run(SOURCE.format(dtype=dtype) + LAYERS)


def test_cells_packed_sequences_and_sixteen_bits(run):
    run(
        SOURCE.format(dtype="float32")
        + """
nn = torch.nn
compare(nn.GRU(3, 5), batch=3, steps=4, packed=[4, 2, 1])
for cell in (nn.LSTMCell(3, 5), nn.GRUCell(3, 5), nn.RNNCell(3, 5)):
    x = torch.randn(2, 3)
    theirs = cell(x)
    ours = cell.to("cuda")(x.cuda())
    for a, b in zip(ours if isinstance(ours, tuple) else [ours], theirs if isinstance(theirs, tuple) else [theirs]):
        near(a, b)
# 16-bit floats: against the same layer in float32
dtype, limit = torch.bfloat16, 6e-2
layer, x = nn.LSTM(3, 5), torch.randn(4, 2, 3).to(dtype)
theirs = layer(x.float())[0].to(dtype)
near(layer.to("cuda", dtype)(x.cuda())[0], theirs)
"""
    )


def test_layers_by_cublaslt(run, cublaslt):
    run(SOURCE.format(dtype="float32") + LAYERS, LAMPAS_CUBLASLT=cublaslt)
