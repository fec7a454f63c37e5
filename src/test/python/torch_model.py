"""Runs the run file's "model" with PyTorch's own operators: {"input": [C, H, W], "layers": [...]}.

Defaults are left to PyTorch, so that a default of ours that differs from PyTorch's shows.
"""
import torch
import torch.nn.functional as F


class TorchModel:
    """A model whose parameters are made when a forward pass first needs them.

    make(layer_type, name, shape) returns a new tensor; `parameters` keeps them by full name
    (conv2d1.weight), running statistics among them. They are made in PyTorch's order.
    """

    def __init__(self, model, make):
        self.model = model
        self.make = make
        self.parameters = {}

    def trained(self):
        return {n: p for n, p in self.parameters.items() if ".running_" not in n}

    def forward(self, x, training):
        ordinals = {}
        outputs = {"input": x}
        before = "input"
        for layer in self.model["layers"]:
            kind = layer["type"]
            ordinals[kind] = ordinals.get(kind, 0) + 1
            name = layer.get("name", f"{kind}{ordinals[kind]}")
            inputs = [outputs[i] for i in layer.get("inputs", [before])]
            keys = {k: v for k, v in layer.items() if k not in ("type", "name", "inputs")}
            parameter = lambda key, *shape: self._parameter(kind, f"{name}.{key}", shape)
            outputs[name] = getattr(self, "_" + kind)(inputs, parameter, training, **keys)
            before = name
        return outputs[before]

    def _parameter(self, kind, name, shape):
        if name not in self.parameters:
            self.parameters[name] = self.make(kind, name, shape)
        return self.parameters[name]

    def _conv2d(self, x, parameter, training, out_channels, kernel_size, bias=True, **keys):
        r, s = kernel_size if isinstance(kernel_size, list) else (kernel_size, kernel_size)
        c = x[0].shape[1] // keys.get("groups", 1)
        w = parameter("weight", out_channels, c, r, s)
        b = parameter("bias", out_channels) if bias else None
        return F.conv2d(x[0], w, b, **keys)

    def _linear(self, x, parameter, training, out_features, bias=True):
        x = x[0].flatten(1)
        w = parameter("weight", out_features, x.shape[1])
        return F.linear(x, w, parameter("bias", out_features) if bias else None)

    def _batch_norm2d(self, x, parameter, training, affine=True, **keys):
        c = x[0].shape[1]
        w = parameter("weight", c) if affine else None
        b = parameter("bias", c) if affine else None
        mean, var = parameter("running_mean", c), parameter("running_var", c)
        return F.batch_norm(x[0], mean, var, w, b, training=training, **keys)

    def _max_pool2d(self, x, parameter, training, **keys):
        return F.max_pool2d(x[0], **keys)

    def _avg_pool2d(self, x, parameter, training, **keys):
        return F.avg_pool2d(x[0], **keys)

    def _global_avg_pool(self, x, parameter, training):
        return F.adaptive_avg_pool2d(x[0], 1)

    def _relu(self, x, parameter, training):
        return F.relu(x[0])

    def _leaky_relu(self, x, parameter, training, **keys):
        return F.leaky_relu(x[0], **keys)

    def _sigmoid(self, x, parameter, training):
        return torch.sigmoid(x[0])

    def _tanh(self, x, parameter, training):
        return torch.tanh(x[0])

    def _silu(self, x, parameter, training):
        return F.silu(x[0])

    def _gelu(self, x, parameter, training, **keys):
        return F.gelu(x[0], **keys)

    def _dropout(self, x, parameter, training, **keys):
        return F.dropout(x[0], training=training, **keys)

    def _softmax(self, x, parameter, training):
        return F.softmax(x[0], dim=1)

    def _log_softmax(self, x, parameter, training):
        return F.log_softmax(x[0], dim=1)

    def _flatten(self, x, parameter, training):
        return x[0].flatten(1)

    def _add(self, x, parameter, training):
        return sum(x[1:], x[0])

    def _concat(self, x, parameter, training):
        return torch.cat(x, dim=1)
