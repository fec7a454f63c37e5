"""Learning rate and momentum of every schedule, step by step, as PyTorch computes them.

Run from the repository's root (made with torch 1.13.1):

    python3 src/test/python/golden_schedules.py > src/test/resources/golden/schedules.json

Step sizes and milestones count epochs in the run file and steps here. A warm-up of W steps is
LinearLR from 1/W over W - 1 steps, chained with the schedule.
"""
import json
import sys
import warnings

import torch
from torch.optim import lr_scheduler as torch_schedules

EPOCHS, STEPS_PER_EPOCH = 6, 11
TOTAL = EPOCHS * STEPS_PER_EPOCH

SGD = {"type": "sgd", "lr": 0.07, "momentum": 0.9}
PLAIN = {"type": "sgd", "lr": 0.07}
ADAM = {"type": "adam", "lr": 0.002}
ADAMW = {"type": "adamw", "lr": 0.004, "betas": [0.8, 0.99]}

CASES = [
    (SGD, {"type": "constant"}),
    (ADAMW, {"type": "constant", "warmup_steps": 7}),
    (SGD, {"type": "step", "step_size": 2}),
    (PLAIN, {"type": "step", "step_size": 1, "gamma": 0.7, "warmup_steps": 5}),
    (SGD, {"type": "multi_step", "milestones": [1, 2, 5]}),
    (ADAM, {"type": "multi_step", "milestones": [3, 9], "gamma": 0.5}),
    (SGD, {"type": "cosine"}),
    (ADAM, {"type": "cosine", "eta_min": 0.0001}),
    (SGD, {"type": "cosine", "warmup_steps": 10}),
    (SGD, {"type": "one_cycle", "max_lr": 0.3}),
    (SGD, {"type": "one_cycle", "max_lr": 0.3, "pct_start": 0.2, "div_factor": 10, "final_div_factor": 100}),
    (SGD, {"type": "one_cycle", "max_lr": 0.3, "anneal_strategy": "linear"}),
    (ADAM, {"type": "one_cycle", "max_lr": 0.01, "anneal_strategy": "linear", "pct_start": 0.37,
            "base_momentum": 0.7, "max_momentum": 0.92}),
    (ADAMW, {"type": "one_cycle", "max_lr": 0.01, "pct_start": 0.0}),
    (SGD, {"type": "one_cycle", "max_lr": 0.2, "pct_start": 1.0}),
    (PLAIN, {"type": "one_cycle", "max_lr": 0.2, "cycle_momentum": False}),
]


def make_optimizer(spec):
    options = {key: value for key, value in spec.items() if key != "type"}
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[spec["type"]]
    return kind([torch.zeros(1, requires_grad=True)], **options)


def make_schedule(spec, optimizer):
    options = {key: value for key, value in spec.items() if key not in ("type", "warmup_steps")}
    if spec["type"] == "constant":
        schedule = torch_schedules.LambdaLR(optimizer, lambda step: 1.0)
    elif spec["type"] == "step":
        steps = options.pop("step_size") * STEPS_PER_EPOCH
        schedule = torch_schedules.StepLR(optimizer, steps, **{"gamma": 0.1, **options})
    elif spec["type"] == "multi_step":
        steps = [epoch * STEPS_PER_EPOCH for epoch in options.pop("milestones")]
        schedule = torch_schedules.MultiStepLR(optimizer, steps, **{"gamma": 0.1, **options})
    elif spec["type"] == "cosine":
        schedule = torch_schedules.CosineAnnealingLR(optimizer, TOTAL, **options)
    else:
        schedule = torch_schedules.OneCycleLR(optimizer, total_steps=TOTAL, **options)
    warmup = spec.get("warmup_steps", 0)
    if warmup == 0:
        return schedule
    if spec["type"] == "constant":
        return torch_schedules.LinearLR(optimizer, 1 / warmup, total_iters=warmup - 1)
    ramp = torch_schedules.LinearLR(optimizer, 1 / warmup, total_iters=warmup - 1)
    return torch_schedules.ChainedScheduler([ramp, schedule])


def trace(optimizer_spec, schedule_spec):
    optimizer = make_optimizer(optimizer_spec)
    schedule = make_schedule(schedule_spec, optimizer)
    lr, momentum = [], []
    for step in range(TOTAL):
        group = optimizer.param_groups[0]
        lr.append(group["lr"])
        momentum.append(group["betas"][0] if "betas" in group else group["momentum"])
        optimizer.step()
        if step + 1 < TOTAL:
            schedule.step()
    varied = [momentum[0]] if len(set(momentum)) == 1 else momentum
    return {"optimizer": optimizer_spec, "schedule": schedule_spec, "lr": lr, "momentum": varied}


warnings.simplefilter("ignore")
rows = ",\n".join(json.dumps(trace(*case)) for case in CASES)
print('{"torch": "%s", "epochs": %d, "steps_per_epoch": %d, "cases": [\n%s\n]}'
      % (torch.__version__.split("+")[0], EPOCHS, STEPS_PER_EPOCH, rows), file=sys.stdout)
