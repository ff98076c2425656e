"""einops: functions and layers, and a network of them trained for three steps."""

import torch
from einops import einsum, pack, parse_shape, rearrange, reduce, repeat, unpack
from einops.layers.torch import EinMix, Rearrange, Reduce
from torch import nn

torch.manual_seed(0)
x = torch.randn(2, 3, 8, 8)
print(rearrange(x, "b c (h p) (w q) -> b (h w) (p q c)", p=4, q=4).sum(-1))
print(reduce(x, "b c (h 2) (w 2) -> b c h w", "max").shape, reduce(x, "b c h w -> b c", "mean"))
print(repeat(x[0, 0], "h w -> (h 2) w").shape, parse_shape(x, "b c h w"))
print(rearrange([x[0], x[1]], "b c h w -> h (b w) c").shape)
print(einsum(x, x, "b c h w, b d h w -> b c d"))
packed, shapes = pack([x[:, 0], x[:, 1:].mean(1)], "b * w")
print(packed.shape, shapes, [part.shape for part in unpack(packed, shapes, "b * w")])
try:
    rearrange(x, "b c (h p) w -> b c h p w", p=3)
except Exception as error:
    print(type(error).__name__, str(error).splitlines()[-1])

net = nn.Sequential(
    nn.Conv2d(3, 4, 3, padding=1),
    Reduce("b c (h 2) (w 2) -> b c h w", "max"),
    nn.ReLU(),
    Rearrange("b c h w -> b (h w) c"),
    EinMix("b t c -> b t d", weight_shape="c d", bias_shape="d", c=4, d=5),
    Rearrange("b t d -> b (t d)"),
    nn.Linear(80, 2),
)
print(net)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    loss = nn.functional.cross_entropy(net(x), torch.tensor([0, 1]))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.5f}")
print(sorted(net.state_dict()))
