#!/usr/bin/env python3
"""Trains a run file's network with the JAX of this machine and prints one line of JSON per mode.

    scripts/bench_jax.py configs/mnist-19k.json --data data/mnist
    scripts/bench_jax.py configs/mnist-19k.json --data data/mnist --device cpu --batch 64 --limit 512

Every mode trains what Convtrain trains, as scripts/bench_pytorch.py does: the same layers, optimizer,
images per epoch (the last, smaller batch too) and sums of loss and hits on the device, where the bytes of
all images lie; they are trained as they are, without `data.augment`. XLA compiles the whole step, from the
gathering of a batch to the update of the weights, which start as PyTorch's do; dropout's masks come from
JAX's `rbg` generator, its fastest that is not called unsafe. bf16 rounds the activations and, where they
are used, the weights. An epoch's seconds are taken from its shuffling to the device's last result.

    step, step_nchw   one compiled call per step, which takes over the memory of the state before
    scan, scan_nchw   one compiled call per epoch, a `lax.scan` over its steps; --warmup is an epoch then

Arrays are NHWC unless the mode says otherwise. A line with "skipped" says why a mode was not run.
Exit codes: 0 done, 2 wrong usage or a run file that asks for more than this, 3 no JAX here, or no GPU for it.
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
except (ImportError, RuntimeError) as missing:  # the second for a jaxlib of another version
    bench_engine.not_installed("jax", missing)


# ---------------------------------------------------------------- the network


def two(value):
    return tuple(value) if isinstance(value, list) else (value, value)


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

    def per_channel(self, values):
        """[C] as it spreads over images."""
        return values.reshape((1, -1, 1, 1) if self.c == 1 else (1, 1, 1, -1))

    def spread(self, hw, other):
        """A pair for height and width, and the same for the other two dimensions."""
        return (other, other, *hw) if self.c == 1 else (other, *hw, other)

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
        if isinstance(padding, str):
            padding = padding.upper()
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
            # In fp32, so that its gradient is summed in fp32.
            y = (y + layout.per_channel(params["bias"])).astype(x.dtype)
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
        y = flattened(x, self.layout) @ params["weight"].astype(x.dtype)
        return (y + params["bias"]).astype(x.dtype) if "bias" in params else y


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
            mean = wide.mean(dims)
            # In one pass over x, as Flax does.
            var = jnp.maximum((wide * wide).mean(dims) - mean * mean, 0)
            count = x.size // mean.size
            momentum = self.keys.get("momentum", 0.1)
            unbiased = var * (count / (count - 1))
            stats = {
                "mean": (1 - momentum) * stats["mean"] + momentum * mean,
                "var": (1 - momentum) * stats["var"] + momentum * unbiased,
            }
        else:
            mean, var = stats["mean"], stats["var"]
        scale = lax.rsqrt(var + self.keys.get("eps", 1e-5))
        if params:
            scale = scale * params["weight"]
        shift = params["bias"] - mean * scale if params else -mean * scale
        per_channel = self.layout.per_channel
        return (wide * per_channel(scale) + per_channel(shift)).astype(x.dtype), stats


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
        spread = self.layout.spread
        return spread(kernel, 1), spread(stride, 1), spread(asked, (0, 0)), spread(whole, (0, 0))


class MaxPool2d(Pool):
    def value(self, params, x):
        kernel, stride, _, whole = self.windows(x)
        return lax.reduce_window(x, -jnp.inf, lax.max, kernel, stride, whole)


class AvgPool2d(Pool):
    def value(self, params, x):
        kernel, stride, asked, whole = self.windows(x)
        sums = lax.reduce_window(x.astype(jnp.float32), 0.0, lax.add, kernel, stride, whole)
        inside = jnp.ones((1, *x.shape[1:]))
        if self.keys.get("count_include_pad", True):
            # What ceil_mode adds beyond the padding counts never.
            inside = jnp.pad(inside, asked, constant_values=1)
            whole = [(0, b - a) for (a, b) in whole]
        counts = lax.reduce_window(inside, 0.0, lax.add, kernel, stride, whole)
        return (sums / counts).astype(x.dtype)


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


def flattened(x, layout):
    """[N, features] in the order of NCHW, as in every other engine."""
    if x.ndim == 4 and layout.c == 3:
        x = x.transpose(0, 3, 1, 2)
    return x.reshape(x.shape[0], -1)


class Flatten(Layer):
    def value(self, params, x):
        return flattened(x, self.layout)


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
    """As PyTorch's of that name: what makes its state, and what makes new parameters and state of
    (parameters, state, gradients, rate).

    A state is a tree like the parameters, with zeros to begin with; adam's holds two and counts steps.
    """
    kind = keys["type"]
    decay = keys.get("weight_decay", 0.01 if kind == "adamw" else 0)
    if kind == "sgd":
        momentum, nesterov = keys.get("momentum", 0), keys.get("nesterov", False)

        def sgd(w, v, g, rate):
            g = g + decay * w
            v = momentum * v + g
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
    """Images as bytes [N, C, H, W] and labels, in the host's memory."""

    def __init__(self, run, folder, part, limit):
        images, self.labels = (
            self.array(folder, f"{part}-{what}")[:limit]
            for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
        )
        self.images = images.reshape(-1, *run["model"]["input"])
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
        images = self.images
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
        # JAX's own choice is tf32 for float32 on a GPU, and leaves XLA every implementation for bf16.
        self.products = "float32" if precision == "fp32" else None
        self.network = Network(run["model"], self.layout)
        self.zeros, self.update = update_rule(run["train"]["optimizer"])
        self.smoothing = run["train"]["loss"].get("label_smoothing", 0.0)
        self.samples = data.on_device(self.layout)
        self.steps = math.ceil(data.count / self.batch)
        rates = bench_engine.learning_rates(run["train"], self.steps * epochs)
        self.rates = jnp.asarray(rates, jnp.float32)
        seed = jax.random.key(run.get("seed", 1), impl="rbg")
        start_key, self.order_key, self.dropout_key = jax.random.split(seed, 3)
        self.start = jax.jit(self.begin)(start_key)
        self.one_step = jax.jit(self.step, static_argnums=3, donate_argnums=0)
        self.all_steps = jax.jit(self.scan, donate_argnums=0)
        self.anew = jax.jit(lambda state: {**state, **self.no_sums()}, donate_argnums=0)
        self.shuffle = jax.jit(lambda key: jax.random.permutation(key, data.count))

    def begin(self, key):
        """Everything that a step changes."""
        params, stats = self.network.start(key)
        values = {"params": params, "stats": stats, "optimizer": self.zeros(params)}
        return {**values, "step": jnp.zeros((), jnp.int32), **self.no_sums()}

    @staticmethod
    def no_sums():
        """Where an epoch begins: the place in its order, and nothing summed."""
        zero = jnp.zeros((), jnp.int32)
        return {"position": zero, "loss": jnp.zeros(()), "hits": zero}

    def logits(self, params, stats, x, train, key):
        with jax.default_matmul_precision(self.products):
            logits, stats = self.network.apply(params, stats, x, train, key)
        return logits.astype(jnp.float32), stats

    def loss(self, params, stats, x, y, key):
        logits, stats = self.logits(params, stats, x.astype(self.dtype), True, key)
        likely = jax.nn.log_softmax(logits)
        picked = jnp.take_along_axis(likely, y[:, None], 1)
        # A smoothed label is partly every class.
        loss = -(1 - self.smoothing) * picked.mean() - self.smoothing * likely.mean()
        return loss, (stats, (logits.argmax(1) == y).sum())

    def step(self, state, samples, order, size):
        """Trains on the next `size` samples of the order."""
        images, labels = samples
        index = lax.dynamic_slice_in_dim(order, state["position"], size)
        x, y = self.data.normalized(images[index], self.layout), labels[index]
        key = jax.random.fold_in(self.dropout_key, state["step"])
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
            "position": state["position"] + size,
            "loss": state["loss"] + loss * size,
            "hits": state["hits"] + hits,
        }

    def scan(self, state, samples, order):
        """All steps of an epoch."""
        whole, rest = divmod(self.data.count, self.batch)

        def body(state, _):
            return self.step(state, samples, order, self.batch), None

        state, _ = lax.scan(body, state, length=whole)
        return self.step(state, samples, order, rest) if rest else state

    def prepare(self, steps):
        """Compiles, runs some steps of each batch size, or an epoch where that is one call; starts anew."""
        order = self.shuffle(self.order_key)
        state = self.copy()
        if self.by_epoch:
            state = self.all_steps(state, self.samples, order)
        else:
            for size in {self.batch, self.data.count % self.batch or self.batch}:
                for _ in range(steps):
                    state = self.one_step(self.anew(state), self.samples, order, size)
        jax.block_until_ready(self.anew(state))
        self.state, self.epochs = self.copy(), 0
        jax.block_until_ready(self.state)

    def copy(self):
        """The start, in memory that a step may take over."""
        return jax.tree.map(jnp.copy, self.start)

    def epoch(self):
        """Seconds, mean loss and accuracy of one pass over the data."""
        begun = time.perf_counter()
        order = self.shuffle(jax.random.fold_in(self.order_key, self.epochs))
        state = self.anew(self.state)
        if self.by_epoch:
            state = self.all_steps(state, self.samples, order)
        else:
            for at in range(0, self.data.count, self.batch):
                state = self.one_step(state, self.samples, order, min(self.batch, self.data.count - at))
        loss, hits = float(state["loss"]), int(state["hits"])
        self.state = state
        self.epochs += 1
        return time.perf_counter() - begun, loss / self.data.count, hits / self.data.count

    def evaluate(self, test):
        """Share of the test images that are named right."""
        images, labels = test.on_device(self.layout)

        @jax.jit
        def hits(params, stats, images, labels):
            x = test.normalized(images, self.layout)
            logits, _ = self.logits(params, stats, x, False, None)
            return (logits.argmax(1) == labels).sum()

        right = 0
        for at in range(0, test.count, 1000):
            part = slice(at, at + 1000)
            right += int(hits(self.state["params"], self.state["stats"], images[part], labels[part]))
        return right / test.count


# ---------------------------------------------------------------- the command


class Jax(bench_engine.Engine):
    name = "jax"
    title = "JAX"
    modes = ["scan", "scan_nchw", "step", "step_nchw"]

    def usual_modes(self, device):
        # On the CPU XLA computes a loop's body on one core: 2.7 times a step's time (benchmarks/cpu.md).
        return self.modes if device == "cuda" else ["step", "step_nchw"]

    def facts(self, device):
        jax.config.update("jax_platforms", device)
        try:
            found = jax.devices()[0]
        except RuntimeError as error:
            raise bench_engine.Missing(f"JAX {jax.__version__} finds no GPU: {error}") from error
        threads = f"CPU, {len(os.sched_getaffinity(0))} threads"
        named = found.device_kind if device == "cuda" else threads
        return bench_engine.Facts(jax.__version__, named, {"jaxlib": jax.lib.__version__})

    def impossible(self, mode, precision, device):
        return "tf32 needs a GPU" if precision == "tf32" and device != "cuda" else None

    def data(self, run, folder, part, limit, device):
        return Data(run, folder, part, limit)

    def training(self, run, data, mode, precision, batch, epochs, device):
        return Training(run, data, mode, precision, batch, epochs)


if __name__ == "__main__":
    sys.exit(bench_engine.main(Jax(), __doc__.splitlines()[0]))
