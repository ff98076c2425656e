"""Small programs that train with distributions: the same losses, step by step, for a seed."""

import pytest
from agreement import agree


def steps(module, parameters, loss_of, count=8):
    """Losses of Adam steps."""
    optimizer = module.optim.Adam(parameters, lr=0.05)
    losses = []
    for _ in range(count):
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def autoencoder(torch):
    """Normal latents, Bernoulli pixels, divergence from the prior."""
    D, nn = torch.distributions, torch.nn
    x = torch.bernoulli(torch.rand(16, 12))
    encoder = nn.Sequential(nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 6))
    decoder = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 12))

    def loss():
        loc, log_scale = encoder(x).chunk(2, -1)
        posterior = D.Independent(D.Normal(loc, log_scale.exp()), 1)
        prior = D.Independent(D.Normal(torch.zeros_like(loc), torch.ones_like(loc)), 1)
        pixels = D.Independent(D.Bernoulli(logits=decoder(posterior.rsample())), 1)
        return (D.kl_divergence(posterior, prior) - pixels.log_prob(x)).mean()

    return steps(torch, [*encoder.parameters(), *decoder.parameters()], loss)


def policy_gradient(torch):
    """A categorical policy with an entropy bonus."""
    D, nn = torch.distributions, torch.nn
    policy = nn.Linear(4, 3)

    def loss():
        actions = D.Categorical(logits=policy(torch.randn(32, 4)))
        action = actions.sample()
        reward = (action == 1).float()
        return -(actions.log_prob(action) * reward).mean() - 0.01 * actions.entropy().mean()

    return steps(torch, policy.parameters(), loss)


def squashed_policy(torch):
    """Actions tanh(x) of normal x, with the cached inverse (soft actor-critic)."""
    D, nn = torch.distributions, torch.nn
    net = nn.Linear(4, 4)

    def loss():
        loc, log_scale = net(torch.randn(16, 4)).chunk(2, -1)
        base = D.Normal(loc, log_scale.clamp(-5, 2).exp())
        actions = D.TransformedDistribution(base, [D.TanhTransform(cache_size=1)])
        action = actions.rsample()
        return (0.1 * actions.log_prob(action).sum(-1) + (action - 0.5).pow(2).sum(-1)).mean()

    return steps(torch, net.parameters(), loss)


def flow(torch):
    """A chain of transforms fitted by maximum likelihood."""
    D = torch.distributions
    loc, scale = (torch.tensor(start, requires_grad=True) for start in ([0.0, 1.0], [1.0, 2.0]))
    data = D.LogNormal(torch.tensor([0.3, -0.2]), 0.5).sample((64,))

    def loss():
        chain = [D.AffineTransform(loc, scale), D.ExpTransform()]
        return (
            -D.TransformedDistribution(D.Normal(torch.zeros(2), 1.0), chain).log_prob(data).mean()
        )

    return steps(torch, [loc, scale], loss)


def mixture(torch):
    """Mixture density estimation with full covariances through transform_to."""
    D = torch.distributions
    onto = D.transform_to(D.constraints.lower_cholesky)
    weights, locs = torch.zeros(3, requires_grad=True), torch.randn(3, 2, requires_grad=True)
    factors = torch.randn(3, 2, 2, requires_grad=True)
    data = torch.randn(50, 2) * torch.tensor([1.0, 3.0]) + 1

    def loss():
        parts = D.MultivariateNormal(locs, scale_tril=onto(factors))
        return -D.MixtureSameFamily(D.Categorical(logits=weights), parts).log_prob(data).mean()

    return steps(torch, [weights, locs, factors], loss)


def gumbel_softmax(torch):
    """Relaxed one-hot latents with a falling temperature."""
    D, nn = torch.distributions, torch.nn
    logits, codes = torch.zeros(5, 4, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    target, temperature = torch.randn(5, 3), [1.0]

    def loss():
        temperature[0] *= 0.9
        relaxed = D.RelaxedOneHotCategorical(torch.tensor(temperature[0]), logits=logits)
        return (relaxed.rsample() @ codes - target).pow(2).mean()

    return steps(torch, [logits, codes], loss)


def exact_gamma_posterior(torch):
    """The divergence between gamma distributions, which needs no draws."""
    D = torch.distributions
    raw = torch.zeros(2, 3, requires_grad=True)
    target = D.Gamma(torch.tensor([1.0, 2.0, 5.0]), torch.tensor([1.0, 0.5, 2.0]))

    def loss():
        shape, rate = torch.nn.functional.softplus(raw)
        return D.kl_divergence(D.Gamma(shape, rate), target).sum()

    return steps(torch, [raw], loss)


PROGRAMS = [autoencoder, policy_gradient, squashed_policy, flow, mixture, gumbel_softmax, exact_gamma_posterior]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_the_same_losses(program):
    def run(module):
        module.manual_seed(11)
        return program(module)

    losses = agree(run, rtol=1e-4, atol=1e-5)
    assert losses[-1] != losses[0]
