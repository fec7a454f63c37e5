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

A line with "skipped" says why a mode was not run. Exit codes: 0 done, 2 wrong usage or a run file that asks
for more than this, 3 no PyTorch here, or no GPU for it.
"""
import math
import sys
import time

import bench_engine

try:
    import torch
    from torch import nn
except ImportError as missing:
    bench_engine.not_installed("pytorch", missing)


# ---------------------------------------------------------------- the network


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
        outputs = {"input": torch.zeros(2, *model["input"])}
        for name, inputs, keys in bench_engine.layers(model):
            layer = layer_of(keys, outputs[inputs[0]].shape[1:])
            with torch.no_grad():
                outputs[name] = layer.eval()(*[outputs[i] for i in inputs])
            self.layers.append(layer.train())
            self.steps.append((name, inputs))
        self.last = name

    def forward(self, x):
        outputs = {"input": x}
        for layer, (name, inputs) in zip(self.layers, self.steps):
            outputs[name] = layer(*[outputs[i] for i in inputs])
        return outputs[self.last].flatten(1)


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


def tensor(folder, name):
    content, shape = bench_engine.idx(folder, name)
    return torch.frombuffer(content, dtype=torch.uint8).reshape(shape)


class Data:
    """Images as bytes and labels, on the device."""

    def __init__(self, run, folder, part, limit, device):
        images = tensor(folder, part + "-images-idx3-ubyte")[:limit]
        labels = tensor(folder, part + "-labels-idx1-ubyte")[:limit]
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
        self.rates = bench_engine.learning_rates(run["train"], steps * epochs)
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
        self.smoothing = run["train"]["loss"].get("label_smoothing", 0.0)
        self.plain = self.network_and_loss
        self.compiled = self.plain
        if mode.startswith("compile"):
            # Else the many networks of this process would count as recompilations of one.
            torch._dynamo.reset()
            self.compiled = torch.compile(self.network_and_loss)
        self.graphs = {}

    def network_and_loss(self, x, y):
        logits = self.network(x)
        loss = nn.functional.cross_entropy(logits.float(), y, label_smoothing=self.smoothing)
        return loss, (logits.argmax(1) == y).sum()

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


class PyTorch(bench_engine.Engine):
    name = "pytorch"
    title = "PyTorch"
    # The first that needs no compiler is the fastest, by what is known of GPUs.
    modes = ["graph_channels_last", "graph", "channels_last", "eager", "compile_graph", "compile"]

    def usual_modes(self, device):
        return [mode for mode in self.modes if device == "cuda" or "graph" not in mode]

    def needs_compiler(self, mode):
        return mode.startswith("compile")

    def facts(self, device):
        if device == "cpu":
            threads = f"CPU, {torch.get_num_threads()} threads"
            return bench_engine.Facts(torch.__version__, threads, {})
        if not torch.cuda.is_available():
            raise bench_engine.Missing(f"PyTorch {torch.__version__} finds no GPU")
        libraries = {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
        return bench_engine.Facts(torch.__version__, torch.cuda.get_device_name(), libraries)

    def impossible(self, mode, precision, device):
        if device != "cuda" and "graph" in mode:
            return "CUDA graphs need a GPU"
        if mode.startswith("compile") and not hasattr(torch, "compile"):
            return f"PyTorch {torch.__version__} has no torch.compile"
        if device != "cuda" and precision == "tf32":
            return "tf32 needs a GPU"
        return None

    def data(self, run, folder, part, limit, device):
        return Data(run, folder, part, limit, torch.device(device))

    def training(self, run, data, mode, precision, batch, epochs, device):
        return Training(run, data, mode, precision, batch, epochs, torch.device(device))


if __name__ == "__main__":
    sys.exit(bench_engine.main(PyTorch(), __doc__.splitlines()[0]))
