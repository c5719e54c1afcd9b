"""A training step of an autoencoder in PyTorch (eager), over the share of zeros of its hidden layer.

python benches/peers/torch_step.py [--threads 1] [--seed 1] [--sizes 1024 768 6144] [--quick]
The same step as `cargo bench --bench sparse_step`.
"""

import argparse
import time

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--sizes", type=int, nargs=3, default=[1024, 768, 6144], metavar=("BATCH", "INPUTS", "UNITS"))
parser.add_argument("--quick", action="store_true")
options = parser.parse_args()

torch.set_num_threads(options.threads)
torch.manual_seed(options.seed)
batch, inputs, units = options.sizes
rounds = 1 if options.quick else 8
x = torch.randn(batch, inputs)

print(f"PyTorch {torch.__version__}, {options.threads} thread(s), {batch} x {inputs}-{units}-{inputs}, best of {rounds}")
for zeros in [0.5, 0.9, 0.99]:
    encoder, decoder = torch.nn.Linear(inputs, units), torch.nn.Linear(units, inputs)
    with torch.no_grad():
        torch.nn.init.normal_(encoder.weight, std=inputs**-0.5)
        torch.nn.init.normal_(decoder.weight, std=units**-0.5)
        encoder.bias.zero_()
        z = encoder(x).flatten()
        # The quantile, so that this share of the sums is not above 0.
        encoder.bias.fill_(-z.kthvalue(max(1, int(zeros * z.numel()))).values)
    # So small a step that the share of zeros stays.
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-12)

    def step():
        h = torch.relu(encoder(x))
        loss = torch.nn.functional.mse_loss(decoder(h), x) + 1e-3 * h.abs().sum() / batch
        adam.zero_grad(set_to_none=False)
        loss.backward()
        adam.step()
        return h

    share = 1 - (step() > 0).float().mean().item()
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - begun)
    print(f"{100 * share:5.1f} % zeros: {1e3 * best:8.2f} ms")
