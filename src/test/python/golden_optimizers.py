"""Golden values of every optimizer over 50 steps of given gradients.

Run:     python3 golden_optimizers.py ../resources/golden
Ran with PyTorch 1.13.0 (the file's metadata says which); needs torch and numpy, no GPU.
Writes:  optimizers.safetensors, the same bytes at each run.

Each case holds an optimizer in the run file's words and, all float32 and computed in it: w0 [37],
gradients [50, 37], schedule [50, 2] (learning rate and momentum, or beta1, of each step) and the
parameters w1, w2, w10, w50 after so many steps.
"""
import sys
import zlib

import torch

import golden_file

SIZE, STEPS, KEPT = 37, 50, (1, 2, 10, 50)
CLASSES = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
# name, the optimizer's words, learning rate at its peak, whether momentum moves from step to step
CASES = [
    ("sgd", {"type": "sgd"}, 0.1, False),
    ("sgd_weight_decay", {"type": "sgd", "weight_decay": 0.05}, 0.1, False),
    ("sgd_momentum", {"type": "sgd", "momentum": 0.9}, 0.1, False),
    ("sgd_momentum_dampening", {"type": "sgd", "momentum": 0.8, "dampening": 0.3}, 0.1, False),
    ("sgd_momentum_dampening_weight_decay",
     {"type": "sgd", "momentum": 0.8, "dampening": 0.5, "weight_decay": 0.01}, 0.1, False),
    ("sgd_nesterov", {"type": "sgd", "momentum": 0.9, "nesterov": True}, 0.1, False),
    ("sgd_nesterov_weight_decay",
     {"type": "sgd", "momentum": 0.95, "nesterov": True, "weight_decay": 5e-4}, 0.1, False),
    ("sgd_cycled_momentum", {"type": "sgd", "momentum": 0.9}, 0.1, True),
    ("sgd_nesterov_cycled_momentum", {"type": "sgd", "momentum": 0.9, "nesterov": True}, 0.1, True),
    ("adam", {"type": "adam"}, 0.01, False),
    ("adam_weight_decay", {"type": "adam", "weight_decay": 0.1}, 0.01, False),
    ("adam_odd_betas_eps", {"type": "adam", "betas": [0.7, 0.95], "eps": 1e-3}, 0.02, False),
    ("adam_cycled_beta1", {"type": "adam", "betas": [0.9, 0.99]}, 0.01, True),
    ("adamw", {"type": "adamw"}, 0.01, False),
    ("adamw_weight_decay", {"type": "adamw", "weight_decay": 0.3}, 0.01, False),
    ("adamw_odd_betas_eps",
     {"type": "adamw", "betas": [0.6, 0.9], "eps": 1e-2, "weight_decay": 0.05}, 0.05, False),
    ("adamw_cycled_beta1", {"type": "adamw", "betas": [0.9, 0.98], "weight_decay": 0.1}, 0.01, True),
]


def momentum_like(words):
    return words.get("momentum", 0.0) if words["type"] == "sgd" else words.get("betas", [0.9, 0.999])[0]


def make_schedule(words, peak, cycled):
    """Learning rate up, then down; momentum, where it moves, the other way (0.95 to 0.85)."""
    height = torch.sin(torch.linspace(0.1, 3.1, STEPS, dtype=torch.float64))
    momentum = 0.95 - 0.1 * height if cycled else torch.full_like(height, momentum_like(words))
    return torch.stack([peak * height, momentum], dim=1).float()


def optimizer_case(name, words, peak, cycled, tensors):
    random = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    w0 = torch.randn(SIZE, generator=random)
    # Sizes from 1e-3 to 10 over the vector: eps and the second moment matter for some, not for others.
    gradients = torch.randn(STEPS, SIZE, generator=random) * torch.logspace(-3, 1, SIZE)
    schedule = make_schedule(words, peak, cycled)
    w = w0.clone().requires_grad_()
    keys = {k: tuple(v) if k == "betas" else v for k, v in words.items() if k != "type"}
    optimizer = CLASSES[words["type"]]([w], lr=peak, **keys)
    tensors |= {f"{name}/w0": w0, f"{name}/gradients": gradients, f"{name}/schedule": schedule}
    for step in range(STEPS):
        group = optimizer.param_groups[0]
        group["lr"], momentum = schedule[step].tolist()
        if words["type"] != "sgd":
            group["betas"] = (momentum, group["betas"][1])
        elif words.get("momentum"):
            group["momentum"] = momentum
        w.grad = gradients[step].clone()
        optimizer.step()
        if step + 1 in KEPT:
            tensors[f"{name}/w{step + 1}"] = w.detach().clone()
    return {"name": name, "optimizer": words}


def main(folder):
    torch.set_num_threads(1)
    tensors = {}
    cases = [optimizer_case(*each, tensors) for each in CASES]
    golden_file.write(f"{folder}/optimizers.safetensors", tensors, cases)


if __name__ == "__main__":
    main(sys.argv[1])
