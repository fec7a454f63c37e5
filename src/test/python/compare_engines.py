#!/usr/bin/env python3
"""Compares what scripts/bench_jax.py computes with PyTorch, by way of scripts/bench_pytorch.py's network.

Both get the same weights and images, in both layouts of JAX: logits and running statistics after one
forward pass, each gradient of the loss, logits in evaluation, and the weights after five updates of each kind
of optimizer. Then both train two epochs in the same order, in each mode: losses, hits, test accuracy and
weights. Learning rates are compared with torch.optim.lr_scheduler.OneCycleLR.

Prints a line per comparison. Exit codes: 0 all agree, 1 some do not, 3 PyTorch or JAX is not installed.
"""
import os
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../scripts"))

import bench_engine  # noqa: E402
import bench_jax  # noqa: E402
import bench_pytorch  # noqa: E402
import jax  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402
from jax import numpy as jnp  # noqa: E402

TOLERANCE = 2e-5  # of the largest value: both add float32 in their own order
BF16 = 2e-2  # eight bits of a number; the two round after different operations
failures = 0

NETWORKS = {
    "every layer": [
        {"type": "conv2d", "out_channels": 6, "kernel_size": 3, "padding": 1, "bias": False},
        {"type": "batch_norm2d", "momentum": 0.3, "eps": 1e-3},
        {"type": "leaky_relu", "negative_slope": 0.2, "name": "stem"},
        {"type": "conv2d", "out_channels": 6, "kernel_size": [3, 1], "padding": "same", "dilation": 2,
         "groups": 3},
        {"type": "silu", "name": "branch"},
        {"type": "add", "inputs": ["stem", "branch"]},
        {"type": "max_pool2d", "kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
        {"type": "gelu"},
        {"type": "batch_norm2d", "affine": False, "name": "a"},
        {"type": "conv2d", "out_channels": 4, "kernel_size": 1, "stride": [1, 1], "name": "b"},
        {"type": "concat", "inputs": ["a", "b"]},
        {"type": "avg_pool2d", "kernel_size": 2, "stride": 2, "padding": 1, "ceil_mode": True},
        {"type": "tanh"},
        {"type": "avg_pool2d", "kernel_size": 2, "stride": 1, "padding": 1, "count_include_pad": False},
        {"type": "sigmoid"},
        {"type": "dropout", "p": 0.0},
        {"type": "flatten"},
        {"type": "linear", "out_features": 12},
        {"type": "gelu", "approximate": "tanh"},
        {"type": "linear", "out_features": 10, "bias": False},
        {"type": "softmax"},
    ],
    "no flatten": [
        {"type": "conv2d", "out_channels": 8, "kernel_size": 5, "stride": 2, "padding": [2, 1]},
        {"type": "relu"},
        {"type": "max_pool2d", "kernel_size": 2, "ceil_mode": True},
        {"type": "conv2d", "out_channels": 10, "kernel_size": 1},
        {"type": "global_avg_pool"},
    ],
}

OPTIMIZERS = [
    {"type": "sgd", "lr": 0.1, "weight_decay": 0.01},
    {"type": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    {"type": "adam", "lr": 0.01, "betas": [0.8, 0.95], "weight_decay": 0.1},
    {"type": "adamw", "lr": 0.01},
]


def check(what, found, expected, tolerance=TOLERANCE):
    global failures
    found, expected = numpy.asarray(found), numpy.asarray(expected)
    off = numpy.abs(found - expected).max() / max(1e-6, numpy.abs(expected).max())
    agrees = found.shape == expected.shape and off <= tolerance
    failures += not agrees
    print(f"{'agrees' if agrees else 'DIFFERS'}  {off:.1e}  {what}")


def array(tensor):
    return tensor.detach().numpy()


def weights_of(network, layout, gradients=False):
    """PyTorch's parameters or their gradients as JAX's network has them, by layer."""
    params = {}
    for layer, (name, _) in zip(network.layers, network.steps):
        params[name] = {}
        for key, value in layer.named_parameters():
            value = array(value.grad if gradients else value)
            if value.ndim == 4 and layout.c == 3:
                value = value.transpose(2, 3, 1, 0)
            # Linear is its flatten and the product, whose weights JAX has as [inputs, outputs].
            params[name][key.split(".")[-1]] = value.T if value.ndim == 2 else value
    return params


def check_each(what, found, expected, tolerance=TOLERANCE):
    leaves = jax.tree.leaves_with_path(expected)
    for (path, value), own in zip(leaves, jax.tree.leaves(found), strict=True):
        check(f"{what} {jax.tree_util.keystr(path)}", own, value, tolerance)


def compare_network(title, layers, nchw):
    torch.manual_seed(3)
    model = {"input": [2, 11, 9], "layers": layers}
    theirs, layout = bench_pytorch.Network(model), bench_jax.Layout(nchw)
    ours = bench_jax.Network(model, layout)
    x, y = torch.randn(7, 2, 11, 9), torch.randint(10, (7,))
    images = array(x) if nchw else array(x).transpose(0, 2, 3, 1)
    start, stats = ours.start(jax.random.key(1))
    params = weights_of(theirs, layout)
    assert jax.tree.map(jnp.shape, start) == jax.tree.map(jnp.shape, params)

    def loss(params):
        logits, after = ours.apply(params, stats, images, True, jax.random.key(2))
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), array(y)[:, None], 1)
        return -picked.mean(), (logits, after)

    (value, (logits, after)), grads = jax.value_and_grad(loss, has_aux=True)(params)
    expected = theirs(x)
    expected_loss = torch.nn.functional.cross_entropy(expected, y)
    expected_loss.backward()
    where = f"{title}, {'NCHW' if nchw else 'NHWC'}"
    check(f"{where}: logits", logits, array(expected))
    check(f"{where}: loss", value, array(expected_loss))
    check_each(f"{where}: gradient", grads, weights_of(theirs, layout, gradients=True))
    for layer, (name, _) in zip(theirs.layers, theirs.steps):
        if isinstance(layer, torch.nn.BatchNorm2d):
            check(f"{where}: {name} mean", after[name]["mean"], array(layer.running_mean))
            check(f"{where}: {name} var", after[name]["var"], array(layer.running_var))
    scored, _ = ours.apply(params, after, images, False, None)
    check(f"{where}: evaluation", scored, array(theirs.eval()(x)))


def write_images(folder, part, count, random):
    """Noise with the label's column lit."""
    labels = random.integers(0, 10, count, numpy.uint8)
    images = random.integers(0, 100, (count, 14, 14), numpy.uint8)
    images[numpy.arange(count), :, labels] = 255
    for what, values in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
        with open(os.path.join(folder, f"{part}-{what}"), "wb") as file:
            file.write(struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape))
            file.write(values.tobytes())


TRAINED = [
    {"type": "conv2d", "out_channels": 4, "kernel_size": 3, "padding": "same", "bias": False},
    {"type": "batch_norm2d"},
    {"type": "relu"},
    {"type": "max_pool2d", "kernel_size": 2},
    {"type": "conv2d", "out_channels": 8, "kernel_size": 3, "padding": "valid"},
    {"type": "avg_pool2d", "kernel_size": 2},
    {"type": "linear", "out_features": 10},
]


def compare_training(folder, mode, precision):
    """Two epochs of seven batches and a smaller one."""
    run = {
        "data": {"normalize": {"mean": 0.3, "std": 0.4}},
        "model": {"input": [1, 14, 14], "layers": TRAINED},
        "train": {
            "optimizer": {"type": "sgd", "momentum": 0.9, "nesterov": True},
            "schedule": {"type": "one_cycle", "max_lr": 0.05},
        },
    }
    cpu = torch.device("cpu")
    ours_data = bench_jax.Data(run, folder, "train", 500)
    theirs_data = bench_pytorch.Data(run, folder, "train", 500, cpu)
    theirs = bench_pytorch.Training(run, theirs_data, "eager", precision, 64, 2, cpu)
    ours = bench_jax.Training(run, ours_data, mode, precision, 64, 2)
    ours.start["params"] = jax.tree.map(jnp.asarray, weights_of(theirs.network, ours.layout))
    ours.prepare(2)
    theirs.prepare(2)
    order = numpy.random.default_rng(5).permutation(500)
    ours.shuffle = lambda key: jnp.asarray(order)
    torch.randperm = lambda count, device: torch.from_numpy(order)
    tolerance = BF16 if precision == "bf16" else 20 * TOLERANCE  # sixteen updates, each on the last
    where = f"training, {mode}, {precision}"
    for epoch in (1, 2):
        _, loss, accuracy = ours.epoch()
        _, expected_loss, expected_accuracy = theirs.epoch()
        check(f"{where}: epoch {epoch} loss", loss, expected_loss, tolerance)
        check(f"{where}: epoch {epoch} accuracy", accuracy, expected_accuracy, tolerance)
    if precision == "fp32":
        check_each(where, ours.state["params"], weights_of(theirs.network, ours.layout), tolerance)
    expected = theirs.evaluate(bench_pytorch.Data(run, folder, "t10k", None, cpu))
    found = ours.evaluate(bench_jax.Data(run, folder, "t10k", None))
    check(f"{where}: test accuracy", found, expected, tolerance)


def compare_optimizer(keys):
    random = numpy.random.default_rng(1)
    start, grads = random.normal(size=(2, 50)).astype(numpy.float32)
    parameter = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer, _ = bench_pytorch.make_optimizer(
        {"optimizer": keys}, [parameter], keys["lr"], torch.device("cpu")
    )
    zeros, update = bench_jax.update_rule(keys)
    params = {"w": jnp.asarray(start)}
    state = zeros(params)
    for step in range(5):
        grad = grads * (1 + step)
        parameter.grad = torch.from_numpy(grad)
        optimizer.step()
        params, state = update(params, state, {"w": grad}, keys["lr"])
    check(f"{keys}", params["w"], array(parameter))


def compare_schedule(keys, total):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, total_steps=total, cycle_momentum=False, **keys
    )
    expected = []
    for _ in range(total):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(expected) < total:
            scheduler.step()
    train = {"schedule": {"type": "one_cycle", **keys}, "optimizer": {}}
    check(f"one_cycle {keys}", bench_engine.learning_rates(train, total), expected)


def main():
    jax.config.update("jax_platforms", "cpu")
    for title, layers in NETWORKS.items():
        for nchw in (True, False):
            compare_network(title, layers, nchw)
    for keys in OPTIMIZERS:
        compare_optimizer(keys)
    with tempfile.TemporaryDirectory() as folder:
        for part, count in (("train", 600), ("t10k", 1500)):
            write_images(folder, part, count, numpy.random.default_rng(count))
        for mode in bench_jax.Jax.modes:
            compare_training(folder, mode, "fp32")
        compare_training(folder, "step", "bf16")
    compare_schedule({"max_lr": 0.3, "pct_start": 0.2, "div_factor": 10, "final_div_factor": 100}, 97)
    compare_schedule({"max_lr": 0.1, "anneal_strategy": "linear"}, 40)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
