"""torchdiffeq: solvers, gradients through them and by the adjoint, events."""

import torch
from torch import nn
from torchdiffeq import odeint, odeint_adjoint, odeint_event

torch.manual_seed(0)


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))

    def forward(self, t, y):
        return self.net(y**3)


field = Field().double()
start = torch.tensor([[2.0, 0.0]], dtype=torch.float64)
times = torch.linspace(0.0, 2.0, 4, dtype=torch.float64)
for method in ("dopri5", "rk4", "euler", "midpoint", "bosh3", "dopri8", "explicit_adams"):
    print(method, odeint(field, start, times, method=method)[-1])
for solve in (odeint, odeint_adjoint):
    field.zero_grad()
    y = start.clone().requires_grad_()
    out = solve(field, y, times, rtol=1e-6, atol=1e-8)
    out.pow(2).mean().backward()
    print(f"{out[-1].sum().item():.6f}", y.grad)
    print([round(p.grad.norm().item(), 5) for p in field.parameters()])
optimizer = torch.optim.Adam(field.parameters(), 0.01)
for _ in range(2):
    optimizer.zero_grad()
    loss = (odeint_adjoint(field, start, times) - start).abs().mean()
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.6f}")


def falling(t, state):
    _, speed = state
    return speed, -9.81 * torch.ones_like(speed)


dropped = (torch.tensor([10.0]), torch.tensor([0.0]))
when, solution = odeint_event(
    falling, dropped, torch.tensor(0.0), event_fn=lambda t, s: s[0][0], atol=1e-8, rtol=1e-8
)
print(f"{when.item():.4f}", [part.shape for part in solution])
