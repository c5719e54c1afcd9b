"""The case study's network in Keras: how long 4000 epochs take, and how good it is.

    pip install keras jax
    KERAS_BACKEND=jax python benches/peers/keras_circles.py [seeds]

Beside it: cargo run --release -p quietgrad-lab --example two_circles -- --time

Two circles of 100 points, noise 0.1, the first 30 to learn from; 500 relu units, one sigmoid; Adam, 4000 epochs, full batch.
Keras divides the penalty by the batch from version 3.14 on, and summed it before.
"""

import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np


def make_circles(n, noise, seed):
    """scikit-learn's make_circles(n, noise=noise, random_state=seed), factor 0.8."""
    random = np.random.RandomState(seed)
    outer = n // 2

    def circle(count, radius):
        angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
        return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)

    points = np.concatenate([circle(outer, 1.0), circle(n - outer, 0.8)])
    classes = np.repeat([0, 1], [outer, n - outer])
    order = np.arange(n)
    random.shuffle(order)
    points, classes = points[order], classes[order]
    return points + random.normal(scale=noise, size=points.shape), classes


def model(place, coefficient):
    penalty = keras.regularizers.L1(coefficient)
    layers = {
        "none": [keras.layers.Dense(500, activation="relu")],
        "before": [keras.layers.Dense(500, activity_regularizer=penalty), keras.layers.Activation("relu")],
        "after": [keras.layers.Dense(500, activation="relu", activity_regularizer=penalty)],
    }
    net = keras.Sequential([keras.Input((2,)), *layers[place], keras.layers.Dense(1, activation="sigmoid")])
    net.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return net


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    x, y = make_circles(100, 0.1, 1)
    x, y = x.astype("float32"), y.astype("float32")
    print(f"keras {keras.__version__} on {keras.backend.backend()}, {seeds} seeds")
    # 3e-3 divided by the batch of 30 is 1e-4 summed over it.
    for place, coefficient in [("none", 0), ("before", 1e-4), ("after", 1e-4), ("before", 3e-3), ("after", 3e-3)]:
        train, test, seconds = [], [], []
        for seed in range(seeds):
            keras.utils.set_random_seed(seed)
            net = model(place, coefficient)
            net.fit(x[:30], y[:30], epochs=2, batch_size=30, verbose=0)  # compiles
            keras.utils.set_random_seed(seed)
            net = model(place, coefficient)
            start = time.perf_counter()
            net.fit(x[:30], y[:30], epochs=4000, batch_size=30, verbose=0)
            seconds.append(time.perf_counter() - start)
            train.append(net.evaluate(x[:30], y[:30], verbose=0)[1])
            test.append(net.evaluate(x[30:], y[30:], verbose=0)[1])
        print(
            f"{place:7}{coefficient:7} train {np.mean(train):.3f}  test {np.mean(test):.3f} ± {np.std(test, ddof=min(1, seeds - 1)):.3f}"
            f"  {np.mean(seconds):.2f} s a run"
        )


if __name__ == "__main__":
    main()
