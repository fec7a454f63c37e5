"""What bench_pytorch.py and bench_jax.py have in common: run file, images, command line, JSON lines."""
import argparse
import gzip
import json
import math
import os
import statistics
import struct
import sys
import time
from typing import NamedTuple

PRECISIONS = ["fp32", "tf32", "bf16"]

# What the scripts make of a run file's "train"; the rest of the keys that are let pass concern no step.
OPTIMIZERS = {
    "sgd": {"lr", "momentum", "nesterov", "weight_decay"},
    "adam": {"lr", "betas", "eps", "weight_decay"},
    "adamw": {"lr", "betas", "eps", "weight_decay"},
}
ONE_CYCLE = {"max_lr", "pct_start", "anneal_strategy", "div_factor", "final_div_factor"}
# Let pass, though the momentum stays as it is: its cycle takes no time.
ONE_CYCLE |= {"cycle_momentum", "base_momentum", "max_momentum"}
TRAIN = {"epochs", "batch_size", "loss", "optimizer", "schedule", "precision", "deterministic"}
TRAIN |= {"cuda_graph", "keep", "monitor", "checkpoint_every"}


def layers(model):
    """(name, names of the inputs, keys) of each layer, named as Convtrain names them."""
    ordinals, before = {}, "input"
    for keys in model["layers"]:
        kind = keys["type"]
        ordinals[kind] = ordinals.get(kind, 0) + 1
        name = keys.get("name", f"{kind}{ordinals[kind]}")
        yield name, keys.get("inputs", [before]), keys
        before = name


def learning_rates(train, total):
    """The learning rate of each of the run's steps; constant where the schedule is not one_cycle."""
    schedule = train.get("schedule", {"type": "constant"})
    if schedule["type"] != "one_cycle":
        return [train["optimizer"].get("lr", 0.001)] * total
    # The phases and their ends are those of torch.optim.lr_scheduler.OneCycleLR.
    most = schedule["max_lr"]
    first = most / schedule.get("div_factor", 25.0)
    last = first / schedule.get("final_div_factor", 1e4)
    peak = schedule.get("pct_start", 0.3) * total - 1

    def between(start, end, share):
        if schedule.get("anneal_strategy", "cos") == "cos":
            share = (1 - math.cos(math.pi * share)) / 2
        return start + (end - start) * share

    return [
        between(first, most, at / peak)
        if at <= peak
        else between(most, last, (at - peak) / (total - 1 - peak))
        for at in range(total)
    ]


def idx(folder, name):
    """Bytes and shape of an IDX file, raw or gzipped."""
    path = os.path.join(folder, name)
    opener = open if os.path.exists(path) else gzip.open
    with opener(path if opener is open else path + ".gz", "rb") as file:
        content = file.read()
    dims = content[3]
    shape = struct.unpack(f">{dims}I", content[4 : 4 + 4 * dims])
    return bytearray(content[4 + 4 * dims :]), shape


class Unfit(Exception):
    """A run file that asks for more than these scripts do."""


def load(path):
    """The run file with its defaults and the network that it names."""
    with open(path, encoding="utf-8") as file:
        run = json.load(file)
    if isinstance(run["model"], str):
        with open(os.path.join(os.path.dirname(path), run["model"]), encoding="utf-8") as file:
            run["model"] = json.load(file)
    run.setdefault("name", os.path.splitext(os.path.basename(path))[0])
    train = run["train"]
    train.setdefault("batch_size", 128)
    train.setdefault("optimizer", {"type": "sgd"})
    only(path, "train", train, TRAIN)
    loss = train.get("loss", "cross_entropy")
    train["loss"] = loss = {"type": loss} if isinstance(loss, str) else loss
    if loss["type"] != "cross_entropy":
        raise Unfit(f"{path}: train.loss: found {loss['type']}; expected cross_entropy")
    only(path, "train.loss", loss, {"type", "label_smoothing"})
    optimizer = train["optimizer"]
    if optimizer["type"] not in OPTIMIZERS:
        raise Unfit(f"{path}: train.optimizer: found {optimizer['type']}; expected {', '.join(OPTIMIZERS)}")
    only(path, "train.optimizer", optimizer, OPTIMIZERS[optimizer["type"]] | {"type"})
    schedule = train.get("schedule", {"type": "constant"})
    if schedule["type"] not in ("constant", "one_cycle"):
        raise Unfit(f"{path}: train.schedule: found {schedule['type']}; expected constant, one_cycle")
    of_schedule = ONE_CYCLE if schedule["type"] == "one_cycle" else set()
    only(path, "train.schedule", schedule, of_schedule | {"type"})
    return run


def only(path, where, found, known):
    if unknown := set(found) - known:
        raise Unfit(
            f"{path}: {where}: {', '.join(sorted(unknown))}: not done by these scripts, whose times would"
            f" be of another training; known: {', '.join(sorted(known))}"
        )


class Facts(NamedTuple):
    """What was measured on: the framework's version, the device, and versions of libraries by name."""

    version: str
    device: str
    libraries: dict


class Engine:
    """One framework. A script fills this in and calls `main`."""

    name = ""
    title = ""
    modes = []

    def usual_modes(self, device):
        """Those that are measured unless others are named; `--accuracy-epochs` trains in the first."""
        raise NotImplementedError

    def needs_compiler(self, mode):
        """Whether a mode takes long to prepare; such modes come last."""
        return False

    def facts(self, device):
        """Raises `Missing` where the device is not there."""
        raise NotImplementedError

    def impossible(self, mode, precision, device):
        """Why a mode cannot run here, or None."""
        raise NotImplementedError

    def data(self, run, folder, part, limit, device):
        """Images and labels of "train" or "t10k"; has `count`."""
        raise NotImplementedError

    def training(self, run, data, mode, precision, batch, epochs, device):
        """A network with its optimizer.

        `prepare(steps)` compiles, runs some steps of each batch size and starts anew; `epoch()` is
        seconds, mean loss and accuracy of a pass over the data; `evaluate(test)` an accuracy in fp32.
        """
        raise NotImplementedError


class Missing(Exception):
    """The device is not there."""


def emit(engine, **line):
    print(json.dumps({"engine": engine, **line}), flush=True)


def numbers(text):
    return [int(word) for word in text.split(",")]


def arguments(engine, description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("run", help="run file")
    parser.add_argument("--data", required=True, help="folder of the IDX files, raw or gzipped")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--batch", type=numbers, default=[128, 512, 2048], help="128,512,2048")
    parser.add_argument("--precision", default=",".join(PRECISIONS), help="fp32,tf32,bf16")
    parser.add_argument("--mode", help=",".join(engine.modes))
    parser.add_argument("--epochs", type=int, default=3, help="timed epochs of a mode, at most")
    parser.add_argument("--seconds", type=float, default=4, help="of timed epochs of a mode, about")
    parser.add_argument("--warmup", type=int, default=12, help="steps of each batch size before")
    parser.add_argument("--limit", type=int, help="train on this many samples")
    parser.add_argument("--accuracy-epochs", type=int, default=0, help="also train that long in fp32")
    parser.add_argument("--test", action="store_true", help="score the test images after each mode")
    parser.add_argument("--budget", type=float, default=1e9, help="seconds; then modes are skipped")
    parser.add_argument(
        "--compile-only", action="store_true", help="prepare each mode, time nothing"
    )
    options = parser.parse_args()
    options.mode = options.mode.split(",") if options.mode else engine.usual_modes(options.device)
    options.precision = options.precision.split(",")
    unknown = set(options.mode) - set(engine.modes) | set(options.precision) - set(PRECISIONS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return options


def configurations(engine, options):
    """What needs no compiler first, so that a budget that ends cuts off the slowest to prepare."""
    for compiling in (False, True):
        for batch in options.batch:
            for precision in options.precision:
                for mode in options.mode:
                    if engine.needs_compiler(mode) == compiling:
                        yield mode, precision, batch


def measure(engine, run, data, options, mode, precision, batch):
    began = time.perf_counter()
    training = engine.training(run, data, mode, precision, batch, options.epochs, options.device)
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
        line["test_accuracy"] = score(engine, run, options, training)
    return line


def score(engine, run, options, training):
    return training.evaluate(engine.data(run, options.data, "t10k", None, options.device))


def train_whole_run(engine, run, data, options):
    """The run file's training in fp32, in the mode that is the device's first, and its accuracy."""
    mode, batch = engine.usual_modes(options.device)[0], run["train"]["batch_size"]
    training = engine.training(run, data, mode, "fp32", batch, options.accuracy_epochs, options.device)
    training.prepare(options.warmup)
    seconds = [training.epoch()[0] for _ in range(options.accuracy_epochs)]
    return {
        "mode": mode,
        "precision": "fp32",
        "batch_size": batch,
        "epochs": options.accuracy_epochs,
        "median_seconds": statistics.median(seconds),
        "test_accuracy": score(engine, run, options, training),
    }


def main(engine, description):
    """The command; the exit code."""
    options = arguments(engine, description)
    try:
        found = engine.facts(options.device)
        run = load(options.run)
    except Missing as missing:
        emit(engine.name, skipped=str(missing))
        return 3
    except Unfit as unfit:
        print(unfit, file=sys.stderr)
        return 2
    began = time.perf_counter()
    python = sys.version.split()[0]
    facts = {"version": found.version, "python": python, "device": found.device, **found.libraries}
    emit(engine.name, facts=facts)
    about = {"run": run["name"], "version": version(engine, python, found)}
    data = engine.data(run, options.data, "train", options.limit, options.device)
    if options.accuracy_epochs:
        try:
            emit(engine.name, accuracy=train_whole_run(engine, run, data, options))
        except Exception as error:  # one mode's failure must not take the others' figures
            emit(engine.name, accuracy={"skipped": f"{type(error).__name__}: {error}"[:300]})
    for mode, precision, batch in configurations(engine, options):
        line = {**about, "mode": mode, "precision": precision, "batch_size": batch}
        why = engine.impossible(mode, precision, options.device)
        if why is None and time.perf_counter() - began > options.budget:
            why = f"the budget of {options.budget:.0f} s was spent"
        if why is None:
            try:
                line.update(measure(engine, run, data, options, mode, precision, batch))
            except Exception as error:  # as above
                why = f"{type(error).__name__}: {error}"[:300]
        emit(engine.name, **line, **({"skipped": why} if why else {}))
    return 0


def version(engine, python, found):
    """The facts in one line, which is told beside each measurement."""
    words = [f"{engine.title} {found.version}", f"Python {python}", found.device]
    return ", ".join(words + [f"{library} {number}" for library, number in found.libraries.items()])


def not_installed(name, error):
    """Ends a script whose framework cannot be imported."""
    emit(name, skipped=f"no {name} for {sys.executable}: {error}")
    sys.exit(3)
