#!/usr/bin/env python3
"""Trains a run file's network with the JAX of this machine and prints one line of JSON per mode.

    scripts/bench_jax.py configs/mnist-19k.json --data data/mnist
    scripts/bench_jax.py configs/mnist-19k.json --data data/mnist --device cpu --batch 64 --limit 512

Every mode trains what Convtrain trains, as scripts/bench_pytorch.py does: the same layers, optimizer,
images per epoch (the last, smaller batch too) and sums of loss and hits on the device, where the bytes of
all images lie. XLA compiles the whole step, from the gathering of a batch to the update of the weights,
which start as PyTorch's do; dropout's masks come from JAX's `rbg` generator, its fastest that is not
called unsafe. bf16 rounds the activations and, where they are used, the weights.

    step, step_nchw   one compiled call per step, which takes over the memory of the state before
    scan, scan_nchw   one compiled call per epoch, a `lax.scan` over its steps

Arrays are NHWC unless the mode says otherwise. A line with "skipped" says why a mode was not run.
Exit codes: 0 done, 2 wrong usage, 3 no JAX here, or no GPU for it.
"""
import functools
import math
import os
import sys
import time

import bench_engine


try:
    import jax
    import numpy
    from jax import lax
    from jax import numpy as jnp
except ImportError as missing:
    bench_engine.not_installed("jax", "JAX", missing)


# ---------------------------------------------------------------- the network


def two(value):
    return tuple(value) if isinstance(value, (list, tuple)) else (value, value)


def uniform(key, shape, fan_in):
    bound = 1 / math.sqrt(fan_in)
    return jax.random.uniform(key, shape, jnp.float32, -bound, bound)


class Layer:
    """One layer without its values: those are handed in.

    `start` draws parameters and running statistics for inputs of some shapes; `apply` is the output and
    the statistics after it. Spatial dimensions are `layout.hw`, channels `layout.c`.
    """

    def __init__(self, keys, layout):
        self.keys, self.layout = keys, layout

    def start(self, key, shapes):
        return {}, {}

    def apply(self, params, stats, inputs, train, key):
        return self.value(params, *inputs), stats

    def value(self, params, *inputs):
        raise NotImplementedError


class Layout:
    """Which dimension is which."""

    def __init__(self, nchw):
        self.c = 1 if nchw else 3
        self.hw = (2, 3) if nchw else (1, 2)
        self.images = "NCHW" if nchw else "NHWC"
        self.weights = "OIHW" if nchw else "HWIO"

    def per_channel(self, values, rank):
        shape = [1] * rank
        shape[self.c if rank == 4 else 1] = -1
        return values.reshape(shape)

    def window(self, hw):
        """A window's extents, strides or paddings in all dimensions."""
        one = (0, 0) if isinstance(hw[0], tuple) else 1
        return (one, one, *hw) if self.c == 1 else (one, *hw, one)

    def shape(self, c, h, w):
        return (c, h, w) if self.c == 1 else (h, w, c)


class Conv2d(Layer):
    def start(self, key, shapes):
        keys = self.keys
        channels = shapes[0][self.layout.c] // keys.get("groups", 1)
        kernel = two(keys["kernel_size"])
        outputs = keys["out_channels"]
        sizes = {"O": outputs, "I": channels, "H": kernel[0], "W": kernel[1]}
        fan_in = channels * math.prod(kernel)
        weight_key, bias_key = jax.random.split(key)
        params = {"weight": uniform(weight_key, [sizes[d] for d in self.layout.weights], fan_in)}
        if keys.get("bias", True):
            params["bias"] = uniform(bias_key, (outputs,), fan_in)
        return params, {}

    def value(self, params, x):
        keys, layout = self.keys, self.layout
        dilation = two(keys.get("dilation", 1))
        padding = keys.get("padding", 0)
        if padding == "same":
            padding = "SAME"
        else:
            padding = [(each, each) for each in two(padding)]
        y = lax.conv_general_dilated(
            x,
            params["weight"].astype(x.dtype),
            two(keys.get("stride", 1)),
            padding,
            rhs_dilation=dilation,
            dimension_numbers=(layout.images, layout.weights, layout.images),
            feature_group_count=keys.get("groups", 1),
        )
        if "bias" in params:
            y = y + layout.per_channel(params["bias"], 4).astype(y.dtype)
        return y


class Linear(Layer):
    def start(self, key, shapes):
        inputs, outputs = math.prod(shapes[0][1:]), self.keys["out_features"]
        weight_key, bias_key = jax.random.split(key)
        params = {"weight": uniform(weight_key, (inputs, outputs), inputs)}
        if self.keys.get("bias", True):
            params["bias"] = uniform(bias_key, (outputs,), inputs)
        return params, {}

    def value(self, params, x):
        y = x.reshape(x.shape[0], -1) @ params["weight"].astype(x.dtype)
        return y + params["bias"].astype(y.dtype) if "bias" in params else y


class BatchNorm2d(Layer):
    """As PyTorch: normalises by the biased variance, keeps the unbiased one; both in fp32."""

    def start(self, key, shapes):
        channels = shapes[0][self.layout.c]
        zeros, ones = jnp.zeros(channels), jnp.ones(channels)
        affine = {"weight": ones, "bias": zeros} if self.keys.get("affine", True) else {}
        return affine, {"mean": zeros, "var": ones}

    def apply(self, params, stats, inputs, train, key):
        (x,) = inputs
        wide = x.astype(jnp.float32)
        if train:
            dims = (0, *self.layout.hw)
            mean, var = wide.mean(dims), wide.var(dims)
            count = x.size // mean.size
            momentum = self.keys.get("momentum", 0.1)
            unbiased = var * (count / (count - 1))
            stats = {
                "mean": (1 - momentum) * stats["mean"] + momentum * lax.stop_gradient(mean),
                "var": (1 - momentum) * stats["var"] + momentum * lax.stop_gradient(unbiased),
            }
        else:
            mean, var = stats["mean"], stats["var"]
        scale = lax.rsqrt(var + self.keys.get("eps", 1e-5))
        if params:
            scale = scale * params["weight"]
        shift = params["bias"] - mean * scale if params else -mean * scale
        per_channel = self.layout.per_channel
        return (wide * per_channel(scale, 4) + per_channel(shift, 4)).astype(x.dtype), stats


class Pool(Layer):
    def windows(self, x):
        """Extents and strides; and the paddings that the user asked for, and with ceil_mode's rest."""
        keys = self.keys
        kernel = two(keys["kernel_size"])
        stride = two(keys.get("stride", keys["kernel_size"]))
        padding = two(keys.get("padding", 0))
        asked, whole = [], []
        for axis, k, s, p in zip(self.layout.hw, kernel, stride, padding):
            size = x.shape[axis] + 2 * p
            steps = (size - k) // s
            if keys.get("ceil_mode", False) and steps * s < size - k:
                # A window beyond the last must begin within the input or its left padding.
                steps += (steps + 1) * s < x.shape[axis] + p
            asked.append((p, p))
            whole.append((p, p + max(0, steps * s + k - size)))
        spread = self.layout.window
        return spread(kernel), spread(stride), spread(asked), spread(whole)


class MaxPool2d(Pool):
    def value(self, params, x):
        kernel, stride, _, whole = self.windows(x)
        return lax.reduce_window(x, -jnp.inf, lax.max, kernel, stride, whole)


class AvgPool2d(Pool):
    def value(self, params, x):
        kernel, stride, asked, whole = self.windows(x)
        sums = lax.reduce_window(x, 0.0, lax.add, kernel, stride, whole)
        inside = jnp.ones((1, *x.shape[1:]), x.dtype)
        if self.keys.get("count_include_pad", True):
            # What ceil_mode adds beyond the padding counts never.
            inside = jnp.pad(inside, asked, constant_values=1)
            whole = [(0, b - a) for (a, b) in whole]
        return sums / lax.reduce_window(inside, 0.0, lax.add, kernel, stride, whole)


class Dropout(Layer):
    def apply(self, params, stats, inputs, train, key):
        (x,) = inputs
        keep = 1 - self.keys.get("p", 0.5)
        if not train or keep == 1:
            return x, stats
        return jnp.where(jax.random.bernoulli(key, keep, x.shape), x / keep, 0), stats


class Concat(Layer):
    def value(self, params, *inputs):
        return jnp.concatenate(inputs, self.layout.c if inputs[0].ndim == 4 else 1)


class Flatten(Layer):
    """In the order of NCHW, as everywhere else."""

    def value(self, params, x):
        if x.ndim == 4 and self.layout.c == 3:
            x = x.transpose(0, 3, 1, 2)
        return x.reshape(x.shape[0], -1)


class GlobalAveragePool(Layer):
    def value(self, params, x):
        return x.mean(self.layout.hw, keepdims=True)


class Elementwise(Layer):
    functions = {
        "relu": lambda keys, x: jax.nn.relu(x),
        "leaky_relu": lambda keys, x: jax.nn.leaky_relu(x, keys.get("negative_slope", 0.01)),
        "sigmoid": lambda keys, x: jax.nn.sigmoid(x),
        "tanh": lambda keys, x: jnp.tanh(x),
        "silu": lambda keys, x: jax.nn.silu(x),
        "gelu": lambda keys, x: jax.nn.gelu(x, keys.get("approximate", "none") == "tanh"),
        "add": lambda keys, *x: functools.reduce(jnp.add, x),
        # The loss works on what feeds a last softmax.
        "softmax": lambda keys, x: x,
        "log_softmax": lambda keys, x: x,
    }

    def value(self, params, *inputs):
        return self.functions[self.keys["type"]](self.keys, *inputs)


LAYERS = {
    "conv2d": Conv2d,
    "linear": Linear,
    "batch_norm2d": BatchNorm2d,
    "max_pool2d": MaxPool2d,
    "avg_pool2d": AvgPool2d,
    "global_avg_pool": GlobalAveragePool,
    "flatten": Flatten,
    "dropout": Dropout,
    "concat": Concat,
}


class Network:
    """The run file's layers; each reads the one before it or those that its "inputs" name."""

    def __init__(self, model, layout):
        self.input = (1, *layout.shape(*model["input"]))
        self.steps = [
            (name, inputs, LAYERS.get(keys["type"], Elementwise)(keys, layout))
            for name, inputs, keys in bench_engine.layers(model)
        ]

    def start(self, key):
        """Parameters and running statistics by layer."""
        params, stats = {}, {}
        outputs = {"input": jnp.zeros(self.input)}
        for at, (name, inputs, layer) in enumerate(self.steps):
            x = [outputs[i] for i in inputs]
            draw = jax.random.fold_in(key, at)
            params[name], stats[name] = layer.start(draw, [each.shape for each in x])
            outputs[name], _ = layer.apply(params[name], stats[name], x, False, None)
        return params, stats

    def apply(self, params, stats, x, train, key):
        """Logits [N, classes] and the statistics after them."""
        outputs, after = {"input": x}, {}
        for at, (name, inputs, layer) in enumerate(self.steps):
            draw = jax.random.fold_in(key, at) if train else None
            outputs[name], after[name] = layer.apply(
                params[name], stats[name], [outputs[i] for i in inputs], train, draw
            )
        return outputs[name].reshape(x.shape[0], -1), after


# ---------------------------------------------------------------- the optimizer


def update_rule(keys):
    """(parameters, state, gradients, rate) to parameters and state, as PyTorch's of that name.

    A state is a tree like the parameters, with zeros to begin with; adam's holds two and counts steps.
    """
    kind = keys["type"]
    decay = keys.get("weight_decay", 0.01 if kind == "adamw" else 0)
    if kind == "sgd":
        momentum, nesterov = keys.get("momentum", 0), keys.get("nesterov", False)
        kept = 1 - keys.get("dampening", 0)

        def sgd(w, v, g, rate):
            g = g + decay * w
            v = momentum * v + kept * g
            return w - rate * (g + momentum * v if nesterov else v), v

        def sgd_all(params, state, grads, rate):
            if not momentum:
                return jax.tree.map(lambda w, g: w - rate * (g + decay * w), params, grads), state
            pairs = jax.tree.map(lambda w, v, g: sgd(w, v, g, rate), params, state, grads)
            return unzip(pairs, params, 2)

        return (lambda params: jax.tree.map(jnp.zeros_like, params)), sgd_all

    beta1, beta2 = keys.get("betas", (0.9, 0.999))
    eps = keys.get("eps", 1e-8)

    def adam(w, m, v, g, rate, t):
        if kind == "adamw":
            w = w - rate * decay * w
        else:
            g = g + decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        root = jnp.sqrt(v / (1 - beta2**t)) + eps
        return w - rate * m / (1 - beta1**t) / root, m, v

    def adam_all(params, state, grads, rate):
        m, v, t = state
        triples = jax.tree.map(
            lambda w, m, v, g: adam(w, m, v, g, rate, t + 1), params, m, v, grads
        )
        params, m, v = unzip(triples, params, 3)
        return params, (m, v, t + 1)

    def zeros(params):
        return (*(jax.tree.map(jnp.zeros_like, params) for _ in range(2)), jnp.zeros(()))

    return zeros, adam_all


def unzip(tuples, like, count):
    """A tree of tuples as a tuple of trees."""
    return jax.tree.transpose(jax.tree.structure(like), jax.tree.structure((0,) * count), tuples)


# ---------------------------------------------------------------- the data


class Data:
    """Images as bytes [N, ...] and labels, on the device."""

    def __init__(self, run, folder, part, limit):
        self.images, self.labels = (
            self.array(folder, f"{part}-{what}")[:limit]
            for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
        )
        self.channels_first = self.images.reshape(-1, *run["model"]["input"])
        normalize = run["data"].get("normalize", {"mean": 0.0, "std": 1.0})
        self.mean, self.std = (
            numpy.float32(normalize[key]).reshape(-1, 1, 1) for key in ("mean", "std")
        )
        self.count = len(self.labels)

    @staticmethod
    def array(folder, name):
        content, shape = bench_engine.idx(folder, name)
        return numpy.frombuffer(content, numpy.uint8).reshape(shape)

    def on_device(self, layout):
        """(images, labels), images in that layout."""
        images = self.channels_first
        if layout.c == 3:
            images = images.transpose(0, 2, 3, 1)
        return jax.device_put((images, self.labels.astype(numpy.int32)))

    def normalized(self, images, layout):
        mean, std = self.mean, self.std
        if layout.c == 3:
            mean, std = mean.reshape(-1), std.reshape(-1)
        return (images.astype(jnp.float32) - mean * 255) * (1 / (std * 255))


# ---------------------------------------------------------------- training


class Training:
    """One network with its optimizer; `epoch` trains over all samples once."""

    def __init__(self, run, data, mode, precision, batch, epochs):
        self.data, self.batch = data, min(batch, data.count)
        self.by_epoch = mode.startswith("scan")
        self.layout = Layout(mode.endswith("_nchw"))
        self.dtype = jnp.bfloat16 if precision == "bf16" else jnp.float32
        # What a float32 product may be computed in; where there is no tf32 they are the same.
        self.products = "tensorfloat32" if precision == "tf32" else "float32"
        self.network = Network(run["model"], self.layout)
        self.zeros, self.update = update_rule(run["train"]["optimizer"])
        self.pixels, self.labels = data.on_device(self.layout)
        self.steps = math.ceil(data.count / self.batch)
        rates = bench_engine.learning_rates(run["train"], self.steps * epochs)
        self.rates = jnp.asarray(rates, jnp.float32)
        self.key = jax.random.key(run.get("seed", 1), impl="rbg")
        self.start = self.begin()
        self.one_step = jax.jit(self.step, static_argnums=4, donate_argnums=0)
        self.all_steps = jax.jit(self.scan, donate_argnums=0)
        self.shuffle = jax.jit(lambda key: jax.random.permutation(key, data.count))

    def begin(self):
        """Everything that a step changes."""
        params, stats = self.network.start(jax.random.fold_in(self.key, 0))
        counts = {"step": jnp.zeros((), jnp.int32), "loss": jnp.zeros(()), "hits": jnp.zeros((), jnp.int32)}
        return {"params": params, "stats": stats, "optimizer": self.zeros(params), **counts}

    def loss(self, params, stats, x, y, key):
        logits, stats = self.network.apply(params, stats, x.astype(self.dtype), True, key)
        logits = logits.astype(jnp.float32)
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1)
        return -picked.mean(), (stats, (logits.argmax(1) == y).sum())

    def step(self, state, images, order, position, size):
        """Trains on `size` samples of the order from `position` on."""
        pixels, labels = images
        with jax.default_matmul_precision(self.products):
            index = lax.dynamic_slice_in_dim(order, position, size)
            x, y = self.data.normalized(pixels[index], self.layout), labels[index]
            key = jax.random.fold_in(self.key, state["step"])
            (loss, (stats, hits)), grads = jax.value_and_grad(self.loss, has_aux=True)(
                state["params"], state["stats"], x, y, key
            )
            rate = self.rates[jnp.minimum(state["step"], len(self.rates) - 1)]
            params, optimizer = self.update(state["params"], state["optimizer"], grads, rate)
        return {
            "params": params,
            "stats": stats,
            "optimizer": optimizer,
            "step": state["step"] + 1,
            "loss": state["loss"] + loss * size,
            "hits": state["hits"] + hits,
        }

    def scan(self, state, images, order):
        """All steps of an epoch."""
        whole = self.data.count // self.batch

        def body(state, at):
            return self.step(state, images, order, at * self.batch, self.batch), None

        state, _ = lax.scan(body, state, jnp.arange(whole))
        rest = self.data.count - whole * self.batch
        return self.step(state, images, order, whole * self.batch, rest) if rest else state

    def passes(self, state, order):
        images = (self.pixels, self.labels)
        if self.by_epoch:
            return self.all_steps(state, images, order)
        for at in range(0, self.data.count, self.batch):
            size = min(self.batch, self.data.count - at)
            state = self.one_step(state, images, order, at, size)
        return state

    def prepare(self, steps):
        """Compiles, runs some steps of each batch size, or an epoch where that is one call; starts anew."""
        order = self.shuffle(self.key)
        state = self.copy()
        if self.by_epoch:
            state = self.all_steps(state, (self.pixels, self.labels), order)
        else:
            for size in {self.batch, self.data.count % self.batch or self.batch}:
                for _ in range(steps):
                    state = self.one_step(state, (self.pixels, self.labels), order, 0, size)
        jax.block_until_ready(state)
        self.state, self.epochs = self.copy(), 0
        jax.block_until_ready(self.state)

    def copy(self):
        """The start, in memory that a step may take over."""
        return jax.tree.map(jnp.copy, self.start)

    def epoch(self):
        """Seconds, mean loss and accuracy of one pass over the data."""
        begun = time.perf_counter()
        order = self.shuffle(jax.random.fold_in(self.key, self.epochs + 1))
        self.state = {**self.state, "loss": jnp.zeros(()), "hits": jnp.zeros((), jnp.int32)}
        self.state = self.passes(self.state, order)
        loss, hits = float(self.state["loss"]), int(self.state["hits"])
        self.epochs += 1
        return time.perf_counter() - begun, loss / self.data.count, hits / self.data.count

    def evaluate(self, test):
        """Share of the test images that are named right."""
        pixels, labels = test.on_device(self.layout)

        @jax.jit
        def hits(params, stats, pixels, labels):
            x = test.normalized(pixels, self.layout)
            logits, _ = self.network.apply(params, stats, x, False, None)
            return (logits.argmax(1) == labels).sum()

        right = 0
        for at in range(0, test.count, 1000):
            part = slice(at, at + 1000)
            right += int(hits(self.state["params"], self.state["stats"], pixels[part], labels[part]))
        return right / test.count


# ---------------------------------------------------------------- the command


class Jax(bench_engine.Engine):
    name = "jax"
    title = "JAX"
    modes = ["scan", "step", "scan_nchw", "step_nchw"]

    def facts(self, options):
        jax.config.update("jax_platforms", options.device)
        try:
            device = jax.devices()[0]
        except RuntimeError as error:
            raise bench_engine.Missing(f"JAX {jax.__version__} finds no GPU: {error}") from error
        threads = f"CPU, {len(os.sched_getaffinity(0))} threads"
        return {
            "jax": jax.__version__,
            "python": sys.version.split()[0],
            "device": device.device_kind if options.device == "cuda" else threads,
            "jaxlib": jax.lib.__version__,
        }

    def impossible(self, mode, precision, options):
        if options.device != "cuda" and precision == "tf32":
            return "tf32 needs a GPU"
        return None

    def data(self, run, options, part, limit=None):
        return Data(run, options.data, part, limit)

    def training(self, run, data, mode, precision, batch, epochs, options):
        return Training(run, data, mode, precision, batch, epochs)


if __name__ == "__main__":
    sys.exit(bench_engine.main(Jax(), __doc__.splitlines()[0]))
