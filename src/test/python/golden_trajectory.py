"""Golden training runs: the 19,192-parameter network, 60 steps on real MNIST images.

Run:     python3 golden_trajectory.py FOLDER_OF_MNIST ../resources/golden
Ran with PyTorch 1.13.0 (the file's metadata says which); needs torch and numpy, no GPU.
Writes:  trajectory.safetensors, and the images and labels it saw: train-images-idx3-ubyte.gz and
  train-labels-idx1-ubyte.gz, the first 2,528 of MNIST's training set in file order. The same bytes
  at each run on one machine; other machines may differ in the last digits of the fp32 values.

Three epochs over those images, unshuffled, in batches of 128: 20 steps each, the last of 96. Pixels
are (byte / 255 - 0.1307) / 0.3081; SGD with Nesterov momentum under OneCycleLR, stepped per batch.
Dropout has p = 0, so that no randomness enters. Every run is made twice, in fp64 and in fp32: what
they differ by, printed at the end, is the least a tolerance must allow.

Two cases. Where rounding moves an activation across ReLU's kink, or changes a max pool's winner, the
gradient jumps: at the first step, weights moved by 1e-5 of themselves change early layers' gradients
by 2 %. So fp32 and fp64 part by 2e-4 of the loss within 60 steps even at a peak rate of 0.003, and
no tolerance would mean anything at 0.3.
  mnist-19k         the network itself, at a peak rate of 0.001
  mnist-19k-smooth  SiLU for ReLU and mean for max pooling, no kinks: at a peak rate of 0.1

A case has "model", "optimizer" and "schedule" in the run file's words and the tensors
initial/<tensor>; of the fp64 run losses [60] (float64) and final/<tensor> (rounded to fp32); of the
fp32 run losses_fp32 [60] and final_fp32/<tensor>; learning_rates and momenta [60] (float64).
"""
import gzip
import struct
import sys

import numpy
import torch
import torch.nn.functional as F

import golden_file
from torch_model import TorchModel

IMAGES, BATCH, EPOCHS = 2528, 128, 3
STEPS = EPOCHS * -(-IMAGES // BATCH)


def optimizer_words(max_lr):
    return {"type": "sgd", "lr": max_lr / 10, "momentum": 0.9, "nesterov": True}


def schedule_words(max_lr):
    return {"type": "one_cycle", "max_lr": max_lr, "pct_start": 0.2, "div_factor": 10, "final_div_factor": 100}


def without_type(words):
    return {key: value for key, value in words.items() if key != "type"}


def network(activation, pooling):
    layers = []

    def conv(out_channels, size):
        layers.append({"type": "conv2d", "out_channels": out_channels, "kernel_size": size,
                       "padding": size // 2, "bias": False})

    def block(out_channels, size):
        conv(out_channels, size)
        layers.extend([{"type": "batch_norm2d"}, {"type": activation}, {"type": "dropout", "p": 0.0}])

    def halve():
        layers.append({"type": pooling, "kernel_size": 2})

    block(8, 3), block(16, 3), halve()
    block(8, 1), block(8, 3), block(32, 3), halve()
    block(16, 1), block(32, 3), block(32, 3)
    layers.append({"type": "global_avg_pool"})
    conv(10, 1)
    return {"input": [1, 28, 28], "layers": layers}


def make_parameter(kind, name, shape):
    if kind == "conv2d":
        k, c, r, s = shape
        return torch.nn.Conv2d(c, k, (r, s), bias=False).weight.detach()  # PyTorch's default
    return torch.ones(shape) if name.endswith(("weight", "running_var")) else torch.zeros(shape)


def head_of_idx(path, rank):
    """The first IMAGES entries of an IDX file: their bytes with a header that says so."""
    with open(path, "rb") as file:
        magic, _, *dims = struct.unpack(f">{1 + rank}i", file.read(4 * (1 + rank)))
        size = int(numpy.prod(dims)) * IMAGES
        return struct.pack(f">{1 + rank}i", magic, IMAGES, *dims), file.read(size), dims


def read_and_keep(source, folder, name, rank):
    header, data, dims = head_of_idx(f"{source}/{name}", rank)
    with open(f"{folder}/{name}.gz", "wb") as file:
        file.write(gzip.compress(header + data, 9, mtime=0))
    return numpy.frombuffer(data, numpy.uint8).reshape([IMAGES] + dims)


def initial_parameters(network):
    torch.manual_seed(1)
    model = TorchModel(network, make_parameter)
    with torch.no_grad():
        model.forward(torch.zeros(1, 1, 28, 28), training=False)
    return model.parameters


def train(network, max_lr, images, labels, initial, dtype):
    model = TorchModel(network, make_parameter)
    model.parameters = {name: value.to(dtype).clone().requires_grad_(".running_" not in name)
                        for name, value in initial.items()}
    optimizer = torch.optim.SGD(model.trained().values(), **without_type(optimizer_words(max_lr)))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, total_steps=STEPS, **without_type(schedule_words(max_lr)))
    x = ((images.to(dtype) / 255 - 0.1307) / 0.3081).unsqueeze(1)
    losses, rates, momenta = [], [], []
    for step in range(STEPS):
        first = step % (STEPS // EPOCHS) * BATCH
        batch = slice(first, min(first + BATCH, IMAGES))
        loss = F.cross_entropy(model.forward(x[batch], training=True).flatten(1), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        if step + 1 < STEPS:
            schedule.step()
        losses.append(loss.item())
    curves = [torch.tensor(values, dtype=torch.float64) for values in (losses, rates, momenta)]
    return *curves, model.parameters


def report(name, losses, losses32, final, final32):
    relative = ((losses32 - losses) / losses).abs()
    print(f"{name}: loss {losses[0]:.6f} to {losses[-1]:.6f}; fp32 differs from fp64 by at most"
          f" {relative.max():.2g} of it (step {relative.argmax() + 1})")
    for group in ("weight", "bias", "running_mean", "running_var"):
        of_group = [key for key in final if key.endswith(group)]
        worst = max((final32[key].double() - final[key]).abs().max() for key in of_group)
        largest = max(final[key].abs().max() for key in of_group)
        print(f"  {group}: differs by at most {worst:.2g}, largest value {largest:.3g}")


def trajectory_case(name, network, max_lr, images, labels, tensors):
    initial = initial_parameters(network)
    losses, rates, momenta, final = train(network, max_lr, images, labels, initial, torch.float64)
    losses32, _, _, final32 = train(network, max_lr, images, labels, initial, torch.float32)
    report(name, losses, losses32, final, final32)
    groups = {"initial": initial, "final": final, "final_fp32": final32}
    for group, parameters in groups.items():
        tensors |= {f"{name}/{group}/{key}": value.float() for key, value in parameters.items()}
    curves = {"losses": losses, "losses_fp32": losses32.float(), "learning_rates": rates, "momenta": momenta}
    tensors |= {f"{name}/{key}": value for key, value in curves.items()}
    return {"name": name, "model": network, "optimizer": optimizer_words(max_lr),
            "schedule": schedule_words(max_lr)}


def main(source, folder):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    images = torch.tensor(read_and_keep(source, folder, "train-images-idx3-ubyte", 3))
    labels = torch.tensor(read_and_keep(source, folder, "train-labels-idx1-ubyte", 1)).long()
    tensors = {}
    cases = [
        trajectory_case("mnist-19k", network("relu", "max_pool2d"), 0.001, images, labels, tensors),
        trajectory_case("mnist-19k-smooth", network("silu", "avg_pool2d"), 0.1, images, labels, tensors),
    ]
    golden_file.write(f"{folder}/trajectory.safetensors", tensors, cases)


if __name__ == "__main__":
    main(*sys.argv[1:])
