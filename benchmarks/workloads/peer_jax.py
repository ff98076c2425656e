"""The small network's steps under JAX, the whole step jitted, its state handed from call to call."""

import jax
import jax.numpy as jnp

from workloads import Step

RATE, BETA1, BETA2, EPSILON = 0.01, 0.9, 0.999, 1e-8


def start():
    keys = jax.random.split(jax.random.PRNGKey(0), 5)

    def uniform(key, shape, fan_in):
        return jax.random.uniform(key, shape, minval=-(fan_in**-0.5), maxval=fan_in**-0.5)

    weights = [
        (uniform(keys[0], (4, 16), 4), uniform(keys[1], (16,), 4)),
        (uniform(keys[2], (16, 2), 16), uniform(keys[3], (2,), 16)),
    ]
    return weights, jax.random.normal(keys[4], (1, 4)), jnp.array([1])


def loss_of(weights, x, y):
    (w1, b1), (w2, b2) = weights
    logits = jax.nn.relu(x @ w1 + b1) @ w2 + b2
    return -jax.nn.log_softmax(logits)[jnp.arange(1), y].mean()


def sgd(state, x, y):
    loss, g = jax.value_and_grad(loss_of)(state, x, y)
    return jax.tree.map(lambda w, d: w - RATE * d, state, g), loss


def adam(state, x, y):
    weights, mean, square, count = state
    loss, g = jax.value_and_grad(loss_of)(weights, x, y)
    count = count + 1
    mean = jax.tree.map(lambda m, d: BETA1 * m + (1 - BETA1) * d, mean, g)
    square = jax.tree.map(lambda s, d: BETA2 * s + (1 - BETA2) * d * d, square, g)
    step = RATE / (1 - BETA1**count)

    def updated(w, m, s):
        return w - step * m / (jnp.sqrt(s / (1 - BETA2**count)) + EPSILON)

    return (jax.tree.map(updated, weights, mean, square), mean, square, count), loss


def trained(step, with_moments):
    weights, x, y = start()
    zeros = jax.tree.map(jnp.zeros_like, weights)
    state = [(weights, zeros, zeros, jnp.float32(0)) if with_moments else weights]
    step = jax.jit(step)

    def run():
        state[0], loss = step(state[0], x, y)
        return loss.block_until_ready()

    def check():
        # Other random numbers than PyTorch's: nothing to compare but that it trains.
        losses = [float(run()) for _ in range(20)]
        return [float(losses[0] > losses[-1])]

    return Step(run, check)


STEPS = {
    "mlp.sgd.compiled": lambda: trained(sgd, False),
    "mlp.adam.compiled": lambda: trained(adam, True),
}
