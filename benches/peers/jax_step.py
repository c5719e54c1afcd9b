"""Training steps of three small networks in JAX, compiled, many steps in one `lax.scan`.

python benches/peers/jax_step.py [--seed 1] [--quick]
The same networks as `cargo bench --bench step`. One thread: the script asks XLA for it before it is loaded.
"""

import argparse
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--quick", action="store_true")
options = parser.parse_args()
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def bce_with_logits(z, t):
    return jnp.mean(jnp.maximum(z, 0) - z * t + jnp.log1p(jnp.exp(-jnp.abs(z))))


def mse(y, x):
    return jnp.mean((y - x) ** 2)


NETWORKS = [
    # name, batch, inputs, units, outputs, activation function, fit, coefficient, step size, steps in a scan
    ("XOR, 4 x 2-8-1, tanh", 4, 2, 8, 1, jnp.tanh, bce_with_logits, 1e-3, 1e-2, 1000),
    ("circles, 30 x 2-500-1, relu", 30, 2, 500, 1, jax.nn.relu, bce_with_logits, 1e-4, 1e-3, 100),
    ("autoencoder, 128 x 64-256-64, relu", 128, 64, 256, 64, jax.nn.relu, mse, 1e-3, 1e-3, 100),
]

print(f"JAX {jax.__version__}, microseconds a step")
for name, batch, inputs, units, outputs, activation, fit, coefficient, lr, steps in NETWORKS:
    keys = jax.random.split(jax.random.key(options.seed), 3)
    x = jax.random.normal(keys[0], (batch, inputs))
    target = x if fit is mse else (jnp.arange(batch * outputs) % 2).astype(jnp.float32).reshape(batch, outputs)
    params = [
        jax.random.normal(keys[1], (inputs, units)) * (2 / inputs) ** 0.5,
        jnp.zeros(units),
        jax.random.normal(keys[2], (units, outputs)) * (2 / (units + outputs)) ** 0.5,
        jnp.zeros(outputs),
    ]

    def loss(params):
        w1, b1, w2, b2 = params
        h = activation(x @ w1 + b1)
        return fit(h @ w2 + b2, target) + coefficient * jnp.abs(h).sum() / batch

    def step(state, _):
        params, mean, square, t = state
        gradient = jax.grad(loss)(params)
        t = t + 1
        mean = [BETA1 * m + (1 - BETA1) * g for m, g in zip(mean, gradient)]
        square = [BETA2 * s + (1 - BETA2) * g * g for s, g in zip(square, gradient)]
        params = [
            p - lr * (m / (1 - BETA1**t)) / (jnp.sqrt(s / (1 - BETA2**t)) + EPS)
            for p, m, s in zip(params, mean, square)
        ]
        return (params, mean, square, t), None

    train = jax.jit(lambda state: jax.lax.scan(step, state, None, length=steps)[0])
    state = (params, [jnp.zeros_like(p) for p in params], [jnp.zeros_like(p) for p in params], jnp.float32(0))
    jax.block_until_ready(train(state))  # compiled
    best = float("inf")
    for _ in range(2 if options.quick else 50):
        begun = time.perf_counter()
        jax.block_until_ready(train(state))
        best = min(best, time.perf_counter() - begun)
    print(f"{name:36} {1e6 * best / steps:8.2f}")
