"""The step of benches/conv.rs in PyTorch: `pip install torch`, then `python benches/peers/cnn.py [threads]`.

Prints the median time of a step in milliseconds, forward, backward and Adam, on data already in memory.
"""

import statistics
import sys
import time

import torch
from torch import nn

BATCH, LAMBDA = 64, 1e-4

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
torch.manual_seed(1)
first, second, last = nn.Conv2d(1, 16, 3), nn.Conv2d(16, 32, 3), nn.Linear(800, 10)
parameters = [p for layer in (first, second, last) for p in layer.parameters()]
adam = torch.optim.Adam(parameters, lr=1e-7)
x, classes = torch.randn(BATCH, 1, 28, 28), torch.arange(BATCH) % 10


def step():
    adam.zero_grad(set_to_none=True)
    a = torch.relu(first(x))
    b = torch.relu(second(torch.max_pool2d(a, 2)))
    logits = last(torch.max_pool2d(b, 2).flatten(1))
    penalty = LAMBDA * (a.abs().sum() + b.abs().sum()) / BATCH
    (nn.functional.cross_entropy(logits, classes) + penalty).backward()
    adam.step()


for _ in range(20):
    step()
times = []
for _ in range(200):
    start = time.perf_counter()
    step()
    times.append(time.perf_counter() - start)
print(f"{torch.get_num_threads()} thread(s): {1e3 * statistics.median(times):.2f} ms a step")
