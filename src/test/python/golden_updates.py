"""Golden training runs of what stands between gradients and weights: clipped norms, weight decay
that spares vectors, moving averages, accumulated gradients; and of the losses, through a network.

Run:     python3 golden_updates.py ../resources/golden
Ran with PyTorch 1.13.0 (the file's metadata says which); needs torch and numpy, no GPU; reads the
  images and labels that golden_trajectory.py kept in that folder.
Writes:  updates.safetensors. The same bytes at each run on one machine.

Each case is a run of some 20 updates in fp64, on a network of 430 parameters without kinks, over the
first images of MNIST in file order. (No bias stands before a batch norm: its gradient would be
rounding alone, which Adam makes large.) Pixels are (byte / 255 - 0.1307) / 0.3081. With accumulate_steps
k, k batches' gradients are averaged for one update; at the end of an epoch fewer, by their own number.
The moving average is a loop of our own: after update u, if every divides it, with t = u / every,
average += (1 - min(decay, (1 + t) / (10 + t))) (value - average), over parameters and running
statistics alike.

A case has "model", "loss", "optimizer", "clip_grad_norm", "ema", "accumulate_steps" in the run file's
words, "images", "batch_size", "epochs", and the tensors initial/<tensor>, losses (of each batch,
float64), final/<tensor>, with ema average/<tensor>, and scored_loss [1]: of all images, in evaluation
mode, with the averages if there are any, without label smoothing (float64).
"""
import gzip
import sys

import numpy
import torch
import torch.nn.functional as F

import golden_file
from golden_losses import criterion
from torch_model import TorchModel

LAYERS = [
    {"type": "conv2d", "out_channels": 4, "kernel_size": 3, "stride": 2, "padding": 1, "bias": False},
    {"type": "batch_norm2d"}, {"type": "silu"},
    {"type": "conv2d", "out_channels": 8, "kernel_size": 3, "stride": 2, "padding": 1}, {"type": "silu"},
    {"type": "global_avg_pool"}, {"type": "linear", "out_features": 10}]

SGD = {"type": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True}


def make_parameter(kind, name, shape):
    if kind in ("conv2d", "linear"):
        bound = numpy.prod(shape[1:] if len(shape) > 1 else shape) ** -0.5
        return (2 * torch.rand(shape) - 1) * bound
    return torch.ones(shape) if name.endswith(("weight", "running_var")) else torch.zeros(shape)


def optimizer_of(words, trained):
    keys = {key: value for key, value in words.items() if key not in ("type", "decay_bias_and_norm")}
    groups = [{"params": list(trained.values())}]
    if not words.get("decay_bias_and_norm", True):
        groups = [{"params": [p for p in trained.values() if p.dim() > 1]},
                  {"params": [p for p in trained.values() if p.dim() == 1], "weight_decay": 0.0}]
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[words["type"]]
    return kind(groups, **keys)


def loss_of(words, z, labels):
    takes_classes = words["type"] == "cross_entropy"
    return criterion(words)(z, labels if takes_classes else F.one_hot(labels, 10).to(z.dtype))


def train(model, words, x, labels, batch):
    optimizer = optimizer_of(words["optimizer"], model.trained())
    clip, ema, k = words.get("clip_grad_norm"), words.get("ema"), words.get("accumulate_steps", 1)
    average = {name: value.detach().clone() for name, value in model.parameters.items()}
    starts = range(0, len(x), batch)
    losses, norms, updates = [], [], 0
    for _ in range(words["epochs"]):
        for first in range(0, len(starts), k):
            group = starts[first : first + k]
            optimizer.zero_grad()
            for start in group:
                part = slice(start, start + batch)
                z = model.forward(x[part], training=True).flatten(1)
                loss = loss_of(words["loss"], z, labels[part])
                (loss / len(group)).backward()
                losses.append(loss.item())
            if clip is not None:
                norms.append(torch.nn.utils.clip_grad_norm_(model.trained().values(), clip).item())
            optimizer.step()
            updates += 1
            if ema is not None and updates % ema["every"] == 0:
                t = updates // ema["every"]
                take = 1 - min(ema["decay"], (1 + t) / (10 + t))
                for name, value in model.parameters.items():
                    average[name] += take * (value.detach() - average[name])
    return losses, norms, updates, average if ema is not None else None


def case(name, tensors, images, labels, batch=16, epochs=2, layers=LAYERS, loss=None, optimizer=SGD, **words):
    words = {"name": name, "model": {"input": [1, 28, 28], "layers": layers},
             "loss": loss or {"type": "cross_entropy"}, "optimizer": optimizer, "images": len(images),
             "batch_size": batch, "epochs": epochs, **words}
    x = ((images.double() / 255 - 0.1307) / 0.3081).unsqueeze(1)
    torch.manual_seed(1)
    model = TorchModel(words["model"], make_parameter)
    with torch.no_grad():
        model.forward(torch.zeros(1, 1, 28, 28), training=False)
    initial = {key: value.float() for key, value in model.parameters.items()}
    model.parameters = {key: value.double().requires_grad_(".running_" not in key)
                        for key, value in initial.items()}
    losses, norms, updates, average = train(model, words, x, labels, batch)
    final = {key: value.detach().clone() for key, value in model.parameters.items()}
    model.parameters = final if average is None else average
    plain = {"type": words["loss"]["type"]}
    scored = loss_of(plain, model.forward(x, training=False).flatten(1), labels)
    groups = {"initial": initial, "final": final} | ({} if average is None else {"average": average})
    for group, parameters in groups.items():
        tensors |= {f"{name}/{group}/{key}": value.float() for key, value in parameters.items()}
    tensors[f"{name}/losses"] = torch.tensor(losses, dtype=torch.float64)
    tensors[f"{name}/scored_loss"] = scored.detach().reshape(1)
    print(f"{name}: {updates} updates, loss {losses[0]:.4f} to {losses[-1]:.4f}, scored {scored:.4f}"
          + (f", norms {min(norms):.3f} to {max(norms):.3f}" if norms else ""))
    return words


def read(folder, name, header, count, size):
    with gzip.open(f"{folder}/{name}.gz") as file:
        return torch.tensor(numpy.frombuffer(file.read(), numpy.uint8)[header : header + count * size].copy())


def main(folder):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    images = read(folder, "train-images-idx3-ubyte", 16, 160, 784).reshape(160, 28, 28)
    labels = read(folder, "train-labels-idx1-ubyte", 8, 160, 1).long()
    tensors = {}

    def run(name, count=160, **words):
        return case(name, tensors, images[:count], labels[:count], **words)

    softmax = LAYERS + [{"type": "softmax"}]
    spare = {"decay_bias_and_norm": False}
    cases = [
        run("label_smoothing", loss={"type": "cross_entropy", "label_smoothing": 0.1}),
        run("mse_of_a_softmax", layers=softmax, loss={"type": "mse"}, optimizer={**SGD, "lr": 1.0}),
        run("clipped_norm", clip_grad_norm=0.3, optimizer={**SGD, "weight_decay": 0.01}),
        run("decay_everywhere", optimizer={**SGD, "weight_decay": 0.1}),
        run("sgd_decay_of_weights", optimizer={**SGD, "weight_decay": 0.1, **spare}),
        run("adam_decay_of_weights", optimizer={"type": "adam", "lr": 0.01, "weight_decay": 0.1, **spare}),
        run("adamw_decay_of_weights", optimizer={"type": "adamw", "lr": 0.01, "weight_decay": 2.0, **spare}),
        run("moving_average", ema={"decay": 0.5, "every": 1}),
        run("moving_average_of_every_third", ema={"decay": 0.3, "every": 3}),
        # Eight batches an epoch, the last of 8: updates of 3, 3 and 2 batches.
        run("accumulated", count=120, epochs=7, accumulate_steps=3),
        run("all_together", count=120, epochs=5, accumulate_steps=2, clip_grad_norm=0.25,
            ema={"decay": 0.4, "every": 2}, loss={"type": "cross_entropy", "label_smoothing": 0.05},
            optimizer={"type": "adamw", "lr": 0.02, "weight_decay": 1.0, **spare}),
    ]
    golden_file.write(f"{folder}/updates.safetensors", tensors, cases)


if __name__ == "__main__":
    main(sys.argv[1])
