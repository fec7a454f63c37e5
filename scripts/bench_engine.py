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

PRECISIONS = ["fp32", "tf32", "bf16"]


def pair(value):
    return tuple(value) if isinstance(value, list) else value


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


def load(path):
    """The run file, with the network that it names."""
    with open(path, encoding="utf-8") as file:
        run = json.load(file)
    if isinstance(run["model"], str):
        with open(os.path.join(os.path.dirname(path), run["model"]), encoding="utf-8") as file:
            run["model"] = json.load(file)
    return run


class Engine:
    """One framework. A script fills this in and calls `main`."""

    name = ""
    title = ""
    modes = []

    def facts(self, options):
        """Version of the framework, of Python, the device and then other versions, by name.

        Raises `Missing` where the device is not there.
        """
        raise NotImplementedError

    def impossible(self, mode, precision, options):
        """Why a mode cannot run here, or None."""
        raise NotImplementedError

    def data(self, run, options, part, limit=None):
        """Images and labels of "train" or "t10k" on the device; has `count`."""
        raise NotImplementedError

    def training(self, run, data, mode, precision, batch, epochs, options):
        """A network with its optimizer.

        `prepare(steps)` compiles, runs some steps of each batch size and starts anew; `epoch()` is
        seconds, mean loss and accuracy of a pass over the data; `evaluate(test)` an accuracy.
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
    parser.add_argument("--mode", default=",".join(engine.modes), help=",".join(engine.modes))
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
    options.mode = options.mode.split(",")
    options.precision = options.precision.split(",")
    unknown = set(options.mode) - set(engine.modes) | set(options.precision) - set(PRECISIONS)
    if unknown:
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


def measure(engine, run, data, options, mode, precision, batch):
    began = time.perf_counter()
    training = engine.training(run, data, mode, precision, batch, options.epochs + 1, options)
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
        line["test_accuracy"] = training.evaluate(engine.data(run, options, "t10k"))
    return line


def train_whole_run(engine, run, data, options):
    """The run file's training in the first fp32 mode that this device can, and its accuracy."""
    mode = next(each for each in engine.modes if not engine.impossible(each, "fp32", options))
    batch = run["train"]["batch_size"]
    training = engine.training(run, data, mode, "fp32", batch, options.accuracy_epochs, options)
    training.prepare(options.warmup)
    seconds = [training.epoch()[0] for _ in range(options.accuracy_epochs)]
    return {
        "mode": mode,
        "precision": "fp32",
        "batch_size": batch,
        "epochs": options.accuracy_epochs,
        "median_seconds": statistics.median(seconds),
        "test_accuracy": training.evaluate(engine.data(run, options, "t10k")),
    }


def main(engine, description):
    """The command; the exit code."""
    options = arguments(engine, description)
    try:
        found = engine.facts(options)
    except Missing as missing:
        emit(engine.name, skipped=str(missing))
        return 3
    run = load(options.run)
    began = time.perf_counter()
    emit(engine.name, facts=found)
    about = {"run": run["name"], "version": version(engine, found)}
    data = engine.data(run, options, "train", options.limit)
    if options.accuracy_epochs:
        try:
            emit(engine.name, accuracy=train_whole_run(engine, run, data, options))
        except Exception as error:  # one mode's failure must not take the others' figures
            emit(engine.name, accuracy={"skipped": f"{type(error).__name__}: {error}"[:300]})
    for mode, precision, batch in configurations(options):
        line = {**about, "mode": mode, "precision": precision, "batch_size": batch}
        why = engine.impossible(mode, precision, options)
        if why is None and time.perf_counter() - began > options.budget:
            why = f"the budget of {options.budget:.0f} s was spent"
        if why is None:
            try:
                line.update(measure(engine, run, data, options, mode, precision, batch))
            except Exception as error:  # as above
                why = f"{type(error).__name__}: {error}"[:300]
        emit(engine.name, **line, **({"skipped": why} if why else {}))
    return 0


def version(engine, found):
    """The facts in one line, which is told beside each measurement."""
    own, python, device, *libraries = found.items()
    words = [f"{engine.title} {own[1]}", f"Python {python[1]}", device[1]]
    return ", ".join(words + [f"{library} {number}" for library, number in libraries])


def not_installed(name, title, error):
    """Ends a script whose framework cannot be imported."""
    emit(name, skipped=f"no {title} for {sys.executable}: {error}")
    sys.exit(3)
