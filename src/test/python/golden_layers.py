"""Golden values of every layer type and of the loss, forward and every gradient.

Run:     python3 golden_layers.py ../resources/golden
Ran with PyTorch 1.13.0 (the file's metadata says which); needs torch and numpy, no GPU.
Writes:  layers.safetensors and cross_entropy.safetensors, the same bytes at each run.

Inputs and parameters are drawn in float32; PyTorch then computes in float64 and results are rounded
to float32 once, so that a tolerance speaks of the code under test alone.

layers: each case holds a model in the run file's words and the tensors x, dy, y, dx,
  parameters/<layer>.<name> before the step and gradients/<layer>.<name>. With a batch norm also
  after/<layer>.running_mean and .running_var (after that one training step) and y_eval, the output
  in evaluation with those. With a dropout y_eval too.
cross_entropy: each case holds logits, labels (int32), loss (mean over the batch), dlogits, correct.
"""
import sys
import zlib

import torch
import torch.nn.functional as F

import golden_file
from torch_model import TorchModel

NAMED = []  # (case, input shape of a sample, batch size, layers, how x is drawn)


def case(name, shape, n, *layers, x="normal"):
    NAMED.append((name, shape, n, list(layers), x))


def layer(kind, name=None, inputs=None, **keys):
    words = {"type": kind, "name": name, "inputs": inputs}
    return {k: v for k, v in words.items() if v is not None} | keys


def conv(out_channels, kernel_size, **keys):
    return layer("conv2d", out_channels=out_channels, kernel_size=kernel_size, **keys)


def convolutions():
    case("conv2d_one_input_channel", [1, 9, 9], 3, conv(8, 3, padding=1, bias=False))
    case("conv2d_one_input_channel_5x5_unpadded", [1, 12, 10], 1, conv(6, 5))
    case("conv2d_one_in_one_out", [1, 6, 5], 5, conv(1, 3, padding=1))
    case("conv2d_defaults", [3, 7, 7], 3, conv(5, 3))
    case("conv2d_wide_image_tall_kernel", [3, 5, 11], 3, conv(7, [5, 2]))
    case("conv2d_tall_image_wide_kernel", [5, 11, 4], 3, conv(3, [1, 4], bias=False))
    case("conv2d_stride_2", [3, 8, 7], 3, conv(5, 3, stride=2, padding=1))
    case("conv2d_stride_2_skips_last_row_and_column", [8, 8, 8], 3, conv(16, 3, stride=2, bias=False))
    case("conv2d_stride_2_1", [5, 9, 6], 1, conv(17, 3, stride=[2, 1], padding=1))
    case("conv2d_stride_larger_than_kernel", [3, 9, 8], 3, conv(8, 2, stride=3))
    case("conv2d_padding_1_2", [3, 6, 5], 3, conv(7, [3, 5], padding=[1, 2]))
    case("conv2d_padding_wider_than_needed", [2, 4, 4], 3, conv(3, 3, padding=[3, 2]))
    case("conv2d_same_odd", [7, 6, 5], 3, conv(3, [3, 5], padding="same"))
    case("conv2d_same_even", [3, 6, 7], 3, conv(5, [2, 4], padding="same"))
    case("conv2d_same_even_dilated", [3, 7, 6], 1, conv(4, [4, 2], dilation=[1, 3], padding="same"))
    case("conv2d_valid", [3, 5, 6], 3, conv(4, 3, padding="valid"))
    case("conv2d_dilation_2", [3, 9, 8], 3, conv(5, 3, dilation=2, padding=2))
    case("conv2d_dilation_1_2", [5, 7, 9], 3, conv(3, 3, dilation=[1, 2], bias=False))
    case("conv2d_dilation_2_stride_2", [3, 11, 10], 3, conv(4, 3, dilation=2, stride=2, padding=1))
    case("conv2d_groups_2", [6, 6, 5], 3, conv(10, 3, groups=2, padding=1))
    case("conv2d_groups_2_of_16", [16, 5, 5], 3, conv(32, 3, groups=2, padding=1, bias=False))
    case("conv2d_depthwise", [7, 6, 5], 3, conv(7, 3, groups=7, padding=1))
    case("conv2d_depthwise_16_stride_2", [16, 7, 6], 5, conv(16, 3, groups=16, stride=2, bias=False))
    case("conv2d_depthwise_multiplier_2", [5, 5, 6], 3, conv(10, [3, 2], groups=5))
    case("conv2d_1x1", [5, 6, 5], 3, conv(7, 1))
    case("conv2d_1x1_32_to_16", [32, 4, 5], 3, conv(16, 1, bias=False))
    case("conv2d_1x1_stride_2", [8, 7, 7], 3, conv(16, 1, stride=2))
    case("conv2d_1x1_on_one_pixel", [17, 1, 1], 5, conv(10, 1, bias=False))
    case("conv2d_8_to_16", [8, 6, 6], 3, conv(16, 3, padding=1, bias=False))
    case("conv2d_16_to_32", [16, 5, 6], 3, conv(32, 3, padding=1))
    case("conv2d_17_to_17", [17, 6, 5], 3, conv(17, 3, padding=1))
    case("conv2d_kernel_larger_than_image", [3, 3, 2], 3, conv(5, 5, padding=2))
    case("conv2d_kernel_as_large_as_image", [8, 4, 5], 5, conv(10, [4, 5]))


def linears():
    case("linear_bias", [13], 5, layer("linear", out_features=7))
    case("linear_no_bias", [17], 3, layer("linear", out_features=10, bias=False))
    case("linear_one_to_one", [1], 3, layer("linear", out_features=1))
    case("linear_batch_of_one", [33], 1, layer("linear", out_features=3))
    case("linear_64_to_32", [64], 3, layer("linear", out_features=32))
    case("linear_of_one_pixel_image", [19, 1, 1], 5, layer("linear", out_features=10))
    case("linear_after_flatten", [3, 4, 5], 3, layer("flatten"), layer("linear", out_features=9))


def batch_norms():
    case("batch_norm2d_defaults", [5, 4, 3], 3, layer("batch_norm2d"))
    case("batch_norm2d_16_channels", [16, 5, 5], 3, layer("batch_norm2d"))
    case("batch_norm2d_not_affine", [7, 3, 5], 5, layer("batch_norm2d", affine=False))
    case("batch_norm2d_momentum_eps", [3, 4, 5], 3, layer("batch_norm2d", momentum=0.3, eps=0.01))
    case("batch_norm2d_momentum_0", [3, 2, 2], 3, layer("batch_norm2d", momentum=0.0))
    case("batch_norm2d_momentum_1", [4, 3, 3], 3, layer("batch_norm2d", momentum=1.0))
    case("batch_norm2d_batch_of_one", [6, 5, 4], 1, layer("batch_norm2d"))
    case("batch_norm2d_single_pixel", [8, 1, 1], 5, layer("batch_norm2d"))
    case("batch_norm2d_large_mean", [3, 4, 4], 5, layer("batch_norm2d"), x="shifted")


def pools():
    for kind in ("max_pool2d", "avg_pool2d"):
        pool = lambda kernel_size, **keys: layer(kind, kernel_size=kernel_size, **keys)
        case(f"{kind}_2", [3, 6, 8], 3, pool(2))
        case(f"{kind}_2_of_16_channels_drops_last_row", [16, 7, 5], 3, pool(2))
        case(f"{kind}_overlap", [5, 7, 6], 3, pool(3, stride=2))
        case(f"{kind}_overlap_stride_1", [3, 5, 4], 1, pool([3, 2], stride=1))
        case(f"{kind}_padding", [4, 6, 5], 3, pool(3, stride=2, padding=1))
        case(f"{kind}_padding_0_1", [3, 5, 6], 3, pool([2, 3], stride=[2, 1], padding=[0, 1]))
        case(f"{kind}_ceil_overhang", [3, 6, 5], 3, pool(3, stride=2, ceil_mode=True))
        case(f"{kind}_ceil_exact", [3, 6, 6], 3, pool(2, ceil_mode=True))
        case(f"{kind}_ceil_padding_overhang", [5, 6, 7], 3, pool(4, stride=3, padding=1, ceil_mode=True))
        case(f"{kind}_ceil_window_in_padding_dropped", [2, 5, 5], 3,
             pool(2, stride=2, padding=1, ceil_mode=True))
        case(f"{kind}_non_square", [7, 8, 9], 3, pool([2, 3], stride=[3, 2]))
        case(f"{kind}_whole_image", [8, 3, 4], 5, pool([3, 4]))
    case("max_pool2d_ties", [5, 7, 6], 3, layer("max_pool2d", kernel_size=3, stride=2), x="few_values")
    case("max_pool2d_ties_2", [16, 6, 6], 3, layer("max_pool2d", kernel_size=2), x="few_values")
    case("max_pool2d_all_negative_padded", [3, 5, 5], 3,
         layer("max_pool2d", kernel_size=3, stride=2, padding=1), x="negative")
    case("max_pool2d_of_relu", [8, 6, 7], 3, layer("relu"), layer("max_pool2d", kernel_size=2))
    excluding = dict(count_include_pad=False)
    case("avg_pool2d_excluding_padding", [4, 6, 5], 3,
         layer("avg_pool2d", kernel_size=3, stride=2, padding=1, **excluding))
    case("avg_pool2d_excluding_padding_ceil", [5, 6, 7], 3,
         layer("avg_pool2d", kernel_size=4, stride=3, padding=1, ceil_mode=True, **excluding))
    case("avg_pool2d_excluding_padding_non_square", [3, 5, 6], 3,
         layer("avg_pool2d", kernel_size=[2, 3], stride=[2, 1], padding=[0, 1], ceil_mode=True, **excluding))
    case("global_avg_pool", [5, 4, 7], 3, layer("global_avg_pool"))
    case("global_avg_pool_16_channels", [16, 7, 7], 3, layer("global_avg_pool"))
    case("global_avg_pool_one_pixel", [3, 1, 1], 3, layer("global_avg_pool"))


def elementwise():
    for name, activation in {
        "relu": layer("relu"),
        "leaky_relu": layer("leaky_relu"),
        "leaky_relu_slope": layer("leaky_relu", negative_slope=0.2),
        "sigmoid": layer("sigmoid"),
        "tanh": layer("tanh"),
        "silu": layer("silu"),
        "gelu": layer("gelu"),
        "gelu_none": layer("gelu", approximate="none"),
        "gelu_tanh": layer("gelu", approximate="tanh"),
    }.items():
        case(name, [5, 3, 4], 3, activation, x="extremes")
        case(name + "_of_vector", [17], 3, activation)
    case("dropout_p_0", [3, 4, 5], 3, layer("dropout", p=0.0))
    for kind in ("softmax", "log_softmax"):
        case(f"{kind}_vector", [10], 5, layer(kind))
        case(f"{kind}_two_classes", [2], 3, layer(kind))
        case(f"{kind}_one_pixel_image", [7, 1, 1], 3, layer(kind))
        case(f"{kind}_per_pixel", [5, 2, 3], 3, layer(kind))
        case(f"{kind}_huge", [9], 3, layer(kind), x="extremes")
    case("flatten", [3, 4, 5], 3, layer("flatten"))
    case("flatten_of_vector", [7], 3, layer("flatten"))


def joins():
    two = [layer("tanh", "a"), conv(5, 3, name="b", padding=1)]
    case("add_two", [5, 4, 3], 3, *two, layer("add", inputs=["a", "b"]))
    case("add_three", [5, 4, 3], 3, layer("tanh", "a"), layer("silu", "b", ["input"]),
         layer("add", inputs=["a", "input", "b"]))
    case("add_one_tensor_twice", [3, 4, 5], 3, layer("sigmoid", "a"), layer("add", inputs=["a", "a"]))
    case("add_vectors", [7], 3, layer("linear", "a", out_features=7), layer("add", inputs=["input", "a"]))
    case("concat_two_odd", [3, 4, 5], 3, conv(5, 1, name="a"), layer("concat", inputs=["input", "a"]))
    case("concat_three_odd", [3, 3, 4], 3, conv(1, 1, name="a"), conv(7, 3, name="b", padding=1),
         layer("concat", inputs=["b", "input", "a"]))
    case("concat_of_16_and_8", [16, 4, 4], 3, conv(8, 1, name="a"), layer("concat", inputs=["input", "a"]))
    case("concat_one_tensor_twice", [3, 2, 3], 3, layer("tanh", "a"), layer("concat", inputs=["a", "a"]))
    case("concat_vectors", [5], 3, layer("linear", "a", out_features=3),
         layer("concat", inputs=["a", "input"]))


def blocks():
    norm, relu = layer("batch_norm2d"), layer("relu")
    case("fan_out_to_conv_add_concat", [3, 5, 4], 3,
         conv(5, 3, name="stem", padding=1), conv(5, 1, name="side"),
         layer("add", "sum", ["stem", "side"]), layer("concat", inputs=["stem", "sum"]))
    case("residual_block", [8, 6, 5], 3,
         conv(8, 3, padding=1, bias=False), norm, relu, conv(8, 3, padding=1, bias=False),
         layer("batch_norm2d", "end"), layer("add", inputs=["end", "input"]), relu)
    case("residual_block_stride_2", [5, 6, 7], 3,
         conv(8, 3, stride=2, padding=1, bias=False), norm, relu, conv(8, 3, padding=1, bias=False),
         layer("batch_norm2d", "end"),
         layer("conv2d", "shortcut", ["input"], out_channels=8, kernel_size=1, stride=2, bias=False),
         layer("batch_norm2d", "shortcut_norm"), layer("add", inputs=["end", "shortcut_norm"]), relu)
    case("dense_block", [5, 5, 4], 3,
         conv(3, 3, name="a", padding=1), layer("concat", "ab", ["input", "a"]),
         conv(3, 3, name="b", padding=1), layer("concat", "abc", ["ab", "b"]),
         conv(4, 1))
    case("batch_norm2d_relu", [5, 4, 5], 3, norm, relu)
    case("batch_norm2d_relu_16_channels", [16, 5, 4], 3, norm, relu)
    case("conv2d_batch_norm2d_relu_max_pool2d", [3, 8, 7], 3,
         conv(8, 3, padding=1, bias=False), norm, relu, layer("max_pool2d", kernel_size=2))
    case("batch_norm2d_relu_read_twice", [4, 5, 4], 3, norm, layer("relu", "r"),
         conv(4, 3, name="c", padding=1), layer("add", inputs=["r", "c"]))
    case("batch_norm2d_read_by_relu_and_add", [4, 5, 4], 3, layer("batch_norm2d", "bn"),
         layer("relu", "r"), layer("add", inputs=["bn", "r"]))
    case("batch_norm2d_dropout_relu", [3, 4, 4], 3, norm, layer("dropout", p=0.0), relu)
    case("classifier", [1, 9, 8], 5,
         conv(8, 3, padding=1, bias=False), norm, relu, layer("dropout", p=0.0),
         layer("max_pool2d", kernel_size=2), conv(10, 1), layer("global_avg_pool"), layer("log_softmax"))


def generator(name):
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def draw_input(kind, shape, random):
    x = torch.randn(shape, generator=random)
    if kind == "extremes":
        special = torch.tensor([-1e4, -100, -20, -5, 0, 5, 20, 100, 1e4])
        x = 3 * x
        x.flatten()[: len(special)] = special
    elif kind == "few_values":
        x = torch.randint(0, 3, shape, generator=random).float()
    elif kind == "negative":
        x = -1 - x.abs()
    elif kind == "shifted":
        x = 100 + x
    return x


def make_parameter(kind, name, shape, random):
    values = torch.randn(shape, generator=random)
    if name.endswith("running_var") or (kind == "batch_norm2d" and name.endswith("weight")):
        values = 0.5 + values.abs()
    elif len(shape) > 1:
        values /= (values.numel() / shape[0]) ** 0.5
    return values.double()


def layer_case(name, shape, n, layers, kind, tensors):
    random = generator(name)

    def make(kind, name, shape):
        return make_parameter(kind, name, shape, random).requires_grad_(".running_" not in name)

    model = TorchModel({"input": shape, "layers": layers}, make)
    x = draw_input(kind, [n] + shape, random).double().requires_grad_()
    with torch.no_grad():
        model.forward(x, training=False)  # makes the parameters
    before = {key: value.detach().clone() for key, value in model.parameters.items()}
    y = model.forward(x, training=True)
    dy = torch.randn(y.shape, generator=random).double()
    trained = model.trained()
    dx, *gradients = torch.autograd.grad(y, [x, *trained.values()], dy)
    found = {"x": x, "dy": dy, "y": y, "dx": dx}
    found |= {"parameters/" + key: value for key, value in before.items()}
    found |= {"gradients/" + key: value for key, value in zip(trained, gradients)}
    if any(each["type"] in ("batch_norm2d", "dropout") for each in layers):
        found |= {"after/" + k: v for k, v in model.parameters.items() if ".running_" in k}
        found["y_eval"] = model.forward(x, training=False)
    tensors |= {f"{name}/{key}": value.float() for key, value in found.items()}
    return {"name": name, "model": model.model}


def cross_entropy_case(name, n, classes, tensors, scale=2.0, equal=False):
    random = generator(name)
    logits = (torch.zeros(n, classes) if equal else scale * torch.randn(n, classes, generator=random))
    labels = torch.randint(0, classes, [n], generator=random)
    z = logits.double().requires_grad_()
    loss = F.cross_entropy(z, labels)
    (dlogits,) = torch.autograd.grad(loss, z)
    correct = (logits.argmax(1) == labels).sum()
    tensors |= {
        f"{name}/logits": logits,
        f"{name}/labels": labels.int(),
        f"{name}/loss": loss.float().reshape(1),
        f"{name}/dlogits": dlogits.float(),
        f"{name}/correct": correct.int().reshape(1),
    }
    return {"name": name, "classes": classes}


def main(folder):
    torch.set_num_threads(1)
    for family in (convolutions, linears, batch_norms, pools, elementwise, joins, blocks):
        family()
    tensors = {}
    cases = [layer_case(*each, tensors) for each in NAMED]
    golden_file.write(f"{folder}/layers.safetensors", tensors, cases)
    tensors = {}
    cases = [
        cross_entropy_case("two_classes", 5, 2, tensors),
        cross_entropy_case("ten_classes", 128, 10, tensors),
        cross_entropy_case("one_sample", 1, 10, tensors),
        cross_entropy_case("seventeen_classes", 3, 17, tensors),
        cross_entropy_case("thousand_classes", 3, 1000, tensors),
        cross_entropy_case("equal_logits", 33, 4, tensors, equal=True),
        cross_entropy_case("huge_logits", 7, 10, tensors, scale=1e4),
        cross_entropy_case("huge_logits_two_classes", 9, 2, tensors, scale=1e4),
    ]
    golden_file.write(f"{folder}/cross_entropy.safetensors", tensors, cases)


if __name__ == "__main__":
    main(sys.argv[1])
