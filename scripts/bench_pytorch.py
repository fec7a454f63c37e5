#!/usr/bin/env python3
"""Trains a run file's network with the PyTorch of this machine and prints one line of JSON per mode.

    scripts/bench_pytorch.py configs/mnist-19k.json --data data/mnist
    scripts/bench_pytorch.py configs/mnist-19k.json --data data/mnist --device cpu --batch 64 --limit 512

Every mode trains what Convtrain trains: the same layers, optimizer, images per epoch (the last, smaller
batch too) and sums of loss and hits on the device. The bytes of all images lie on the device and batches
are gathered there, as they are: `data.augment` is left out. An epoch's seconds are taken from the first
gather to the device's last result.

    eager, channels_last     one call per operator, in one of the two memory formats
    graph, graph_channels_last   the whole step captured once and replayed as a CUDA graph
    compile, compile_graph   torch.compile over network and loss; and that captured as a CUDA graph

A line with "skipped" says why a mode was not run. Exit codes: 0 done, 2 wrong usage, 3 no PyTorch here.
"""
import argparse
import gzip
import json
import math
import os
import statistics
import struct
import sys
import time

try:
    import torch
    from torch import nn
except ImportError as missing:
    print(json.dumps({"engine": "pytorch", "skipped": f"no PyTorch for {sys.executable}: {missing}"}))
    sys.exit(3)

MODES = ["graph_channels_last", "graph", "channels_last", "eager", "compile_graph", "compile"]
PRECISIONS = ["fp32", "tf32", "bf16"]


def emit(**line):
    print(json.dumps({"engine": "pytorch", **line}), flush=True)


# ---------------------------------------------------------------- the run file


class Add(nn.Module):
    def forward(self, *x):
        return sum(x[1:], x[0])


class Concat(nn.Module):
    def forward(self, *x):
        return torch.cat(x, dim=1)


class GlobalAveragePool(nn.Module):
    def forward(self, x):
        return x.mean((2, 3), keepdim=True)


def pair(value):
    return tuple(value) if isinstance(value, list) else value


def layer_of(keys, shape):
    """The module of one layer; shape is the [C, H, W] or [features] of its first input."""
    kind = keys["type"]
    rest = {k: pair(v) for k, v in keys.items() if k not in ("type", "name", "inputs", "init")}
    if kind == "conv2d":
        return nn.Conv2d(shape[0], **rest)
    if kind == "linear":
        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), **rest))
    if kind == "batch_norm2d":
        return nn.BatchNorm2d(shape[0], **rest)
    if kind in ("softmax", "log_softmax"):
        # The loss works on what feeds a last softmax.
        return nn.Identity()
    types = {
        "max_pool2d": nn.MaxPool2d,
        "avg_pool2d": nn.AvgPool2d,
        "global_avg_pool": GlobalAveragePool,
        "flatten": nn.Flatten,
        "relu": nn.ReLU,
        "leaky_relu": nn.LeakyReLU,
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
        "silu": nn.SiLU,
        "gelu": nn.GELU,
        "dropout": nn.Dropout,
        "add": Add,
        "concat": Concat,
    }
    return types[kind](**rest)


class Network(nn.Module):
    """The run file's layers; each reads the one before it or those that its "inputs" name."""

    def __init__(self, model):
        super().__init__()
        self.steps = []
        self.layers = nn.ModuleList()
        ordinals, before = {}, "input"
        outputs = {"input": torch.zeros(2, *model["input"])}
        for keys in model["layers"]:
            kind = keys["type"]
            ordinals[kind] = ordinals.get(kind, 0) + 1
            name = keys.get("name", f"{kind}{ordinals[kind]}")
            inputs = keys.get("inputs", [before])
            layer = layer_of(keys, outputs[inputs[0]].shape[1:])
            with torch.no_grad():
                outputs[name] = layer.eval()(*[outputs[i] for i in inputs])
            self.layers.append(layer.train())
            self.steps.append((name, inputs))
            before = name
        self.last = before

    def forward(self, x):
        outputs = {"input": x}
        for layer, (name, inputs) in zip(self.layers, self.steps):
            outputs[name] = layer(*[outputs[i] for i in inputs])
        return outputs[self.last].flatten(1)


def learning_rates(train, total):
    """The learning rate of each of the run's steps; constant where the schedule is not one_cycle."""
    schedule = train.get("schedule", {"type": "constant"})
    base = train["optimizer"].get("lr", 0.001)
    if schedule["type"] != "one_cycle":
        return [base] * total
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=base)
    keys = {k: v for k, v in schedule.items() if k not in ("type", "warmup_steps")}
    keys["cycle_momentum"] = False
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, total_steps=total, **keys)
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(rates) < total:
            scheduler.step()
    return rates


def make_optimizer(train, parameters, rate, device):
    """The run file's optimizer, fused into one kernel per step where this PyTorch can."""
    keys = {k: pair(v) for k, v in train["optimizer"].items() if k != "type"}
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    make = kind[train["optimizer"]["type"]]
    parameters = list(parameters)
    if device.type == "cuda":
        try:
            extra = {} if make is torch.optim.SGD else {"capturable": True}
            return make(parameters, **{**keys, "lr": rate}, fused=True, **extra), True
        except (TypeError, ValueError, RuntimeError):
            pass
    return make(parameters, **{**keys, "lr": float(rate)}), False


# ---------------------------------------------------------------- the data


def idx(folder, name):
    path = os.path.join(folder, name)
    opener = open if os.path.exists(path) else gzip.open
    with opener(path if opener is open else path + ".gz", "rb") as file:
        content = file.read()
    dims = content[3]
    shape = struct.unpack(f">{dims}I", content[4 : 4 + 4 * dims])
    return torch.frombuffer(bytearray(content[4 + 4 * dims :]), dtype=torch.uint8).reshape(shape)


class Data:
    """Images as bytes and labels, on the device."""

    def __init__(self, run, folder, part, limit, device):
        images = idx(folder, part + "-images-idx3-ubyte")[:limit]
        labels = idx(folder, part + "-labels-idx1-ubyte")[:limit]
        c, h, w = run["model"]["input"]
        self.images = images.reshape(-1, c, h, w).to(device)
        self.labels = labels.to(torch.int64).to(device)
        normalize = run["data"].get("normalize", {"mean": 0.0, "std": 1.0})
        self.scale = 1.0 / (255.0 * torch.tensor(normalize["std"], device=device)).reshape(-1, 1, 1)
        self.shift = (torch.tensor(normalize["mean"], device=device) * 255.0).reshape(-1, 1, 1)
        self.count = len(self.labels)

    def batch(self, index):
        x = self.images.index_select(0, index).to(torch.float32).sub_(self.shift).mul_(self.scale)
        return x, self.labels.index_select(0, index)


# ---------------------------------------------------------------- training


class Training:
    """One network with its optimizer; `epoch` trains over all samples once."""

    def __init__(self, run, data, mode, precision, batch, epochs, device):
        self.data, self.mode, self.batch, self.device = data, mode, batch, device
        self.autocast = precision == "bf16"
        tf32 = precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = True
        torch.manual_seed(run.get("seed", 1))
        self.format = (
            torch.contiguous_format if mode in ("eager", "graph") else torch.channels_last
        )
        self.network = Network(run["model"]).to(device).to(memory_format=self.format)
        steps = math.ceil(data.count / batch)
        # Warm-up steps need rates too; they are taken from the table's end and hardly move.
        self.rates = learning_rates(run["train"], steps * epochs)
        self.rate_table = torch.tensor(self.rates, device=device)
        self.rate = self.rate_table[:1].clone()[0]
        self.optimizer, self.rate_on_device = make_optimizer(
            run["train"], self.network.parameters(), self.rate, device
        )
        if self.rate_on_device:
            self.rate = self.optimizer.param_groups[0]["lr"]
        self.step_count = torch.zeros(1, dtype=torch.int64, device=device)
        self.steps_done = 0
        self.position = torch.zeros(1, dtype=torch.int64, device=device)
        self.offsets = torch.arange(batch, device=device)
        self.order = torch.zeros(data.count, dtype=torch.int64, device=device)
        self.loss_sum = torch.zeros((), device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)
        self.plain = self.network_and_loss
        self.compiled = self.plain
        if mode.startswith("compile"):
            # Else the many networks of this process would count as recompilations of one.
            torch._dynamo.reset()
            self.compiled = torch.compile(self.network_and_loss)
        self.graphs = {}

    def network_and_loss(self, x, y):
        logits = self.network(x)
        return nn.functional.cross_entropy(logits.float(), y), (logits.argmax(1) == y).sum()

    def step(self, forward, size):
        index = self.order.index_select(0, self.position + self.offsets[:size])
        x, y = self.data.batch(index)
        x = x.contiguous(memory_format=self.format)
        if self.rate_on_device:
            self.rate.copy_(self.rate_table.index_select(0, self.step_count)[0])
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.autocast, cache_enabled=False
        ):
            loss, correct = forward(x, y)
        loss.backward()
        self.optimizer.step()
        self.loss_sum.add_(loss.detach(), alpha=size)
        self.correct.add_(correct)
        self.position.add_(size)
        self.step_count.add_(1).clamp_(max=len(self.rates) - 1)

    def forward_of(self, size):
        # A compiled network would be compiled again for the one smaller batch of an epoch.
        return self.compiled if size == self.batch else self.plain

    def run(self, size):
        if not self.rate_on_device:
            for group in self.optimizer.param_groups:
                group["lr"] = self.rates[min(self.steps_done, len(self.rates) - 1)]
        self.steps_done += 1
        if size in self.graphs:
            self.graphs[size].replay()
        else:
            self.step(self.forward_of(size), size)

    def sizes(self):
        rest = self.data.count % self.batch
        return [min(self.batch, self.data.count)] + ([rest] if rest and rest < self.data.count else [])

    def prepare(self, steps):
        """Runs some steps of each batch size, captures them where the mode says so, starts anew."""
        state = {k: v.clone() for k, v in self.network.state_dict().items()}
        stream = torch.cuda.Stream() if self.device.type == "cuda" else None
        if stream:
            stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for size in self.sizes():
                for _ in range(steps):
                    self.position.zero_()
                    self.run(size)
        if stream:
            torch.cuda.current_stream().wait_stream(stream)
        if "graph" in self.mode:
            for size in self.sizes():
                self.position.zero_()
                self.optimizer.zero_grad(set_to_none=True)
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph):
                    self.step(self.forward_of(size), size)
                self.graphs[size] = graph
        with torch.no_grad():
            for key, value in self.network.state_dict().items():
                value.copy_(state[key])
            for each in self.optimizer.state.values():
                for value in each.values():
                    if torch.is_tensor(value):
                        value.zero_()
        self.step_count.zero_()
        self.steps_done = 0
        self.synchronize()

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def epoch(self):
        """Seconds, mean loss and accuracy of one pass over the data."""
        self.synchronize()
        start = time.perf_counter()
        self.order.copy_(torch.randperm(self.data.count, device=self.device))
        self.position.zero_()
        self.loss_sum.zero_()
        self.correct.zero_()
        done = 0
        while done < self.data.count:
            size = min(self.batch, self.data.count - done)
            self.run(size)
            done += size
        loss, correct = self.loss_sum.item(), self.correct.item()
        return time.perf_counter() - start, loss / self.data.count, correct / self.data.count

    @torch.no_grad()
    def evaluate(self, test):
        self.network.eval()
        correct = 0
        for at in range(0, test.count, 1000):
            index = torch.arange(at, min(at + 1000, test.count), device=self.device)
            x, y = test.batch(index)
            correct += (self.network(x).argmax(1) == y).sum().item()
        self.network.train()
        return correct / test.count


# ---------------------------------------------------------------- the command


def impossible(mode, precision, device):
    """Why a mode cannot run here, or None."""
    if device.type != "cuda" and "graph" in mode:
        return "CUDA graphs need a GPU"
    if mode.startswith("compile") and not hasattr(torch, "compile"):
        return f"PyTorch {torch.__version__} has no torch.compile"
    if device.type != "cuda" and precision == "tf32":
        return "tf32 needs a GPU"
    return None


def numbers(text):
    return [int(word) for word in text.split(",")]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="run file")
    parser.add_argument("--data", required=True, help="folder of the IDX files, raw or gzipped")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--batch", type=numbers, default=[128, 512, 2048], help="128,512,2048")
    parser.add_argument("--precision", default=",".join(PRECISIONS), help="fp32,tf32,bf16")
    parser.add_argument("--mode", default=",".join(MODES), help=",".join(MODES))
    parser.add_argument("--epochs", type=int, default=3, help="timed epochs of a mode, at most")
    parser.add_argument("--seconds", type=float, default=4, help="of timed epochs of a mode, about")
    parser.add_argument("--warmup", type=int, default=12, help="steps of each batch size before")
    parser.add_argument("--limit", type=int, help="train on this many samples")
    parser.add_argument("--accuracy-epochs", type=int, default=0, help="also train that long in fp32")
    parser.add_argument("--test", action="store_true", help="score the test images after each mode")
    parser.add_argument("--budget", type=float, default=1e9, help="seconds; then modes are skipped")
    parser.add_argument(
        "--compile-only", action="store_true", help="fill torch.compile's cache on disk, time nothing"
    )
    options = parser.parse_args()
    options.mode = options.mode.split(",")
    options.precision = options.precision.split(",")
    if unknown := set(options.mode) - set(MODES) | set(options.precision) - set(PRECISIONS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return options


def configurations(options):
    """What needs no compiler first, so that a budget that ends cuts off the slowest to prepare."""
    for compiling in (False, True):
        for batch in options.batch:
            for precision in options.precision:
                for mode in options.mode:
                    if mode.startswith("compile") == compiling:
                        yield mode, precision, batch


def measure(run, data, options, device, mode, precision, batch):
    began = time.perf_counter()
    training = Training(run, data, mode, precision, batch, options.epochs + 1, device)
    training.prepare(options.warmup)
    prepared = time.perf_counter() - began
    if options.compile_only:
        return {"prepare_seconds": prepared}
    seconds, loss, accuracy = [], 0.0, 0.0
    while len(seconds) < options.epochs and (not seconds or sum(seconds) < options.seconds):
        elapsed, loss, accuracy = training.epoch()
        seconds.append(elapsed)
    line = {
        "median_seconds": statistics.median(seconds),
        "seconds": seconds,
        "images": data.count,
        "train_loss": loss,
        "train_accuracy": accuracy,
        "prepare_seconds": prepared,
    }
    if options.test:
        line["test_accuracy"] = training.evaluate(Data(run, options.data, "t10k", None, device))
    return line


def train_whole_run(run, data, options, device):
    """The run file's training in the fastest fp32 mode that needs no compiler, and its accuracy."""
    test = Data(run, options.data, "t10k", None, device)
    mode = "graph_channels_last" if device.type == "cuda" else "channels_last"
    batch = run["train"]["batch_size"]
    training = Training(run, data, mode, "fp32", batch, options.accuracy_epochs, device)
    training.prepare(options.warmup)
    seconds = [training.epoch()[0] for _ in range(options.accuracy_epochs)]
    return {
        "mode": mode,
        "precision": "fp32",
        "batch_size": batch,
        "epochs": options.accuracy_epochs,
        "median_seconds": statistics.median(seconds),
        "test_accuracy": training.evaluate(test),
    }


def facts(device):
    line = {"torch": torch.__version__, "python": sys.version.split()[0]}
    if device.type == "cuda":
        line["device"] = torch.cuda.get_device_name()
        line["cuda"] = torch.version.cuda
        line["cudnn"] = torch.backends.cudnn.version()
    else:
        line["device"] = f"CPU, {torch.get_num_threads()} threads"
    return line


def main():
    options = arguments()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        emit(skipped=f"PyTorch {torch.__version__} finds no GPU", torch=torch.__version__)
        return 3
    with open(options.run, encoding="utf-8") as file:
        run = json.load(file)
    if isinstance(run["model"], str):
        with open(os.path.join(os.path.dirname(options.run), run["model"]), encoding="utf-8") as file:
            run["model"] = json.load(file)
    began = time.perf_counter()
    emit(facts=facts(device))
    found = facts(device)
    version = f"PyTorch {found.pop('torch')}, Python {found.pop('python')}, {found.pop('device')}"
    version += "".join(f", {library} {number}" for library, number in found.items())
    about = {"run": run["name"], "version": version}
    data = Data(run, options.data, "train", options.limit, device)
    if options.accuracy_epochs:
        try:
            emit(accuracy=train_whole_run(run, data, options, device))
        except Exception as error:  # one mode's failure must not take the others' figures
            emit(accuracy={"skipped": f"{type(error).__name__}: {error}"[:300]})
    for mode, precision, batch in configurations(options):
        line = {**about, "mode": mode, "precision": precision, "batch_size": batch}
        why = impossible(mode, precision, device)
        if why is None and time.perf_counter() - began > options.budget:
            why = f"the budget of {options.budget:.0f} s was spent"
        if why is None:
            try:
                line.update(measure(run, data, options, device, mode, precision, batch))
            except Exception as error:  # as above
                why = f"{type(error).__name__}: {error}"[:300]
        emit(**line, **({"skipped": why} if why else {}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
