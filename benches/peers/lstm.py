"""A training step of an LSTM encoder-decoder in JAX: the peer of `cargo bench --bench recurrent`.

Batch 32, 16 steps, 8 features, 64 units; the encoder's last h is given to the decoder at each step; mean squared error plus
an l1 penalty on the code; Adam. Run it on one core:

    pip install jax && taskset -c 0 python benches/peers/lstm.py

As a user writes it (`jit`, a `lax.scan` over time), with the decoder's input product made once, as quietgrad makes it, and
with the scans unrolled, which is a setting that JAX's documentation recommends for short loops.
"""

import os
import time

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import jax.numpy as jnp

BATCH, TIME, FEATURES, UNITS = 32, 16, 8, 64


def cell(wh, state, z):
    h, c = state
    i, f, g, o = jnp.split(z + h @ wh, 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def loss(p, x, unroll, once):
    zero = jnp.zeros((x.shape[0], UNITS))
    run = lambda wh, z: jax.lax.scan(lambda s, z: cell(wh, s, z), (zero, zero), z, unroll=unroll)
    z = jnp.swapaxes(x, 0, 1) @ p["e.wx"] + p["e.b"]
    (code, _), _ = run(p["e.wh"], z)
    if once:
        z = jnp.broadcast_to(code @ p["d.wx"] + p["d.b"], (TIME, x.shape[0], 4 * UNITS))
    else:
        z = jnp.broadcast_to(code, (TIME, x.shape[0], UNITS)) @ p["d.wx"] + p["d.b"]
    _, h = run(p["d.wh"], z)
    y = jnp.swapaxes(h, 0, 1) @ p["o.w"] + p["o.b"]
    return jnp.mean((y - x) ** 2) + 1e-3 * jnp.sum(jnp.abs(code)) / x.shape[0]


def make_step(unroll, once):
    @jax.jit
    def step(p, m, v, t, x):
        value, g = jax.value_and_grad(loss)(p, x, unroll, once)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        up = lambda p, m, v: p - 1e-3 * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return jax.tree.map(up, p, m, v), m, v, t + 1, value

    return step


def main():
    keys = iter(jax.random.split(jax.random.PRNGKey(0), 10))
    draw = lambda *shape: 0.1 * jax.random.normal(next(keys), shape)
    sizes = {"e": FEATURES, "d": UNITS}
    p = {f"{k}.wx": draw(n, 4 * UNITS) for k, n in sizes.items()}
    p |= {f"{k}.wh": draw(UNITS, 4 * UNITS) for k in sizes} | {f"{k}.b": jnp.zeros(4 * UNITS) for k in sizes}
    p |= {"o.w": draw(UNITS, FEATURES), "o.b": jnp.zeros(FEATURES)}
    x = jax.random.normal(next(keys), (BATCH, TIME, FEATURES))
    for name, unroll, once in [("jit", 1, False), ("product once", 1, True), ("product once, unrolled", TIME, True)]:
        step = make_step(unroll, once)
        state = (p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), jnp.float32(1))
        *state, _ = step(*state, x)
        times = []
        for _ in range(30):
            begun = time.perf_counter()
            for _ in range(10):
                *state, value = step(*state, x)
            value.block_until_ready()
            times.append((time.perf_counter() - begun) / 10)
        times.sort()
        print(f"JAX {jax.__version__}, {name:24} {1e3 * times[len(times) // 2]:.2f} ms a step (least {1e3 * times[0]:.2f})")


main()
