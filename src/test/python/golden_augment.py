"""Golden values of augmented images: what the network sees of given bytes in a given epoch.

Run:     python3 golden_augment.py ../resources/golden
Ran with PyTorch 1.13.0 (the file's metadata says which); needs torch and numpy, no GPU.
Writes:  augment.safetensors, the same bytes at each run.

The parameters are drawn here anew, in Python's own arithmetic, from Philox words as the Javadoc of
convtrain.graph.AugmentDraw counts them; the affine matrix is torchvision's formula; the image is
normalised and sampled by affine_grid and grid_sample in float64; the displacement's noise is
smoothed by conv2d over reflected padding. Results are rounded to float32 once.

Each case holds "augment" in the run file's words, seed, epoch, mean and std; bytes [N, C, H, W]
(int32), samples [N] (int32, their indices in the data set) and x [N, C, H, W].
"""
import math
import random
import sys

import numpy
import torch
import torch.nn.functional as F

import golden_file

AUGMENT = 4  # the purpose's number
WORD = 0xFFFFFFFF


def philox(key, counter):
    c0, c1, c2, c3 = counter
    k0, k1 = key & WORD, key >> 32
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & WORD, (p0 >> 32) ^ c3 ^ k1, p0 & WORD
        k0, k1 = k0 + 0x9E3779B9 & WORD, k1 + 0xBB67AE85 & WORD
    return c0, c1, c2, c3


class Draws:
    def __init__(self, seed, epoch, sample):
        self.seed, self.epoch, self.sample = seed, epoch, sample

    def words(self, block):
        return philox(self.seed, (block, self.sample, self.epoch, AUGMENT))


def uniform(low, high, word):
    return low + (high - low) * word / 2**32


def both_ways(value):
    values = value if isinstance(value, list) else [value]
    return [-values[0], values[0]] if len(values) == 1 else values


def inverse_matrix(angle, translate, scale, shear):
    """torchvision.transforms.functional._get_inverse_affine_matrix with the centre at 0."""
    rot, sx, sy = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    a = math.cos(rot - sy) / math.cos(sy)
    b = -math.cos(rot - sy) * math.tan(sx) / math.cos(sy) - math.sin(rot)
    c = math.sin(rot - sy) / math.cos(sy)
    d = -math.sin(rot - sy) * math.tan(sx) / math.cos(sy) + math.cos(rot)
    matrix = [d, -b, 0.0, -c, a, 0.0]
    matrix = [x / scale for x in matrix]
    matrix[2] += matrix[0] * -translate[0] + matrix[1] * -translate[1]
    matrix[5] += matrix[3] * -translate[0] + matrix[4] * -translate[1]
    return matrix


def affine(augment, draws, height, width):
    spec = augment.get("random_affine")
    angle, tx, ty, scale, shear = 0.0, 0, 0, 1.0, [0.0, 0.0]
    if spec is not None:
        w = draws.words(0)
        angle = uniform(*both_ways(spec["degrees"]), w[0])
        if "translate" in spec:
            tx = round(uniform(*both_ways(spec["translate"][0] * width), w[1]))
            ty = round(uniform(*both_ways(spec["translate"][1] * height), w[2]))
        if "scale" in spec:
            scale = uniform(*spec["scale"], w[3])
        if "shear" in spec:
            w = draws.words(1)
            ranges = both_ways(spec["shear"])
            shear[0] = uniform(ranges[0], ranges[1], w[0])
            if len(ranges) == 4:
                shear[1] = uniform(ranges[2], ranges[3], w[1])
    return inverse_matrix(angle, (tx, ty), scale, shear)


def crop(augment, draws):
    if "random_crop" not in augment:
        return 0, 0
    padding = augment["random_crop"]["padding"]
    w = draws.words(1)
    return tuple((w[2 + i] * (2 * padding + 1) >> 32) - padding for i in range(2))


def noise(draws, height, width, alpha):
    words = [w for block in range(-(-2 * height * width // 8)) for w in draws.words(16 + block)]
    halves = [h for w in words for h in (w & 0xFFFF, w >> 16)][: 2 * height * width]
    values = torch.tensor([(2 * h - 65535) * 2.0**-17 * alpha for h in halves], dtype=torch.float64)
    return values.view(width, 2, height).permute(1, 2, 0)  # [2, H, W]


def gaussian(sigma):
    size = int(8 * sigma + 1)
    size += size % 2 == 0
    x = torch.arange(size, dtype=torch.float64) - size // 2
    weights = torch.exp(-0.5 * (x / sigma) ** 2)
    return weights / weights.sum()


def displacement(augment, draws, height, width):
    spec = augment.get("elastic_transform")
    if spec is None:
        return torch.zeros(2, height, width, dtype=torch.float64)
    kernel = gaussian(spec.get("sigma", 5.0))
    r = len(kernel) // 2
    field = noise(draws, height, width, spec.get("alpha", 50.0)).unsqueeze(1)
    padded = F.pad(field, (r, r, r, r), mode="reflect")
    return F.conv2d(padded, torch.outer(kernel, kernel)[None, None]).squeeze(1)


def erase(augment, draws, x):
    spec = augment.get("random_erasing")
    if spec is None or not draws.words(2)[0] / 2**32 < spec.get("p", 0.5):
        return
    height, width = x.shape[-2:]
    scale, ratio = spec.get("scale", [0.02, 0.33]), spec.get("ratio", [0.3, 3.3])
    for attempt in range(10):
        w = draws.words(3 + attempt)
        area = height * width * uniform(*scale, w[0])
        aspect = math.exp(uniform(math.log(ratio[0]), math.log(ratio[1]), w[1]))
        h, v = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if h < height and v < width:
            i = w[2] * (height - h + 1) >> 32
            j = w[3] * (width - v + 1) >> 32
            x[..., i : i + h, j : j + v] = spec.get("value", 0)
            return


def augmented(augment, draws, image, mean, std):
    """image [C, H, W] in 0..255 -> x [C, H, W]."""
    _, height, width = image.shape
    matrix = affine(augment, draws, height, width)
    column, row = crop(augment, draws)
    d = displacement(augment, draws, height, width)
    ys, xs = torch.meshgrid(
        torch.arange(height, dtype=torch.float64) - (height - 1) / 2,
        torch.arange(width, dtype=torch.float64) - (width - 1) / 2,
        indexing="ij",
    )
    xs, ys = xs + d[0] + column, ys + d[1] + row
    theta = torch.tensor(matrix, dtype=torch.float64).view(2, 3)
    places = torch.einsum("ij,jhw->hwi", theta, torch.stack([xs, ys, torch.ones_like(xs)]))
    grid = places / torch.tensor([width / 2, height / 2])
    sampled = F.grid_sample(image[None], grid[None], padding_mode="zeros", align_corners=False)[0]
    x = (sampled / 255 - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    erase(augment, draws, x)
    return x


def check_against_affine_grid():
    """The grid above is affine_grid's for an image without crop and displacement."""
    image = torch.rand(1, 9, 9, dtype=torch.float64)
    words = {"random_affine": {"degrees": 40, "translate": [0.2, 0.2], "scale": [0.8, 1.2], "shear": 9}}
    matrix = affine(words, Draws(5, 1, 2), 9, 9)
    theta = torch.tensor(matrix, dtype=torch.float64).view(1, 2, 3)
    theta[:, :, 2] /= 4.5  # affine_grid counts in half sizes
    grid = F.affine_grid(theta, (1, 1, 9, 9), align_corners=False)
    expected = F.grid_sample(image[None] * 255, grid, padding_mode="zeros", align_corners=False)[0]
    found = augmented(words, Draws(5, 1, 2), image * 255, [0.0], [1 / 255])
    assert torch.allclose(found, expected, atol=1e-9)


GRAY = dict(mean=[0.1307], std=[0.3081])
CASES = [
    ("affine", [1, 28, 28], 6, 1, 3, GRAY,
     {"random_affine": {"degrees": 15, "translate": [0.1, 0.15], "scale": [0.8, 1.2], "shear": 10}}),
    ("rotation", [1, 28, 28], 4, 7, 1, GRAY, {"random_affine": {"degrees": 180}}),
    ("ranges", [3, 11, 8], 4, 2**63 + 11, 2, dict(mean=[0.5, 0.4, 0.3], std=[0.2, 0.3, 0.25]),
     {"random_affine": {"degrees": [-100, 200], "translate": [0.5, 0.0], "scale": [0.3, 3.0],
                        "shear": [-40, 20, 5, 60]}}),
    ("elastic", [1, 28, 28], 3, 2, 9, GRAY, {"elastic_transform": {"alpha": 60, "sigma": 4}}),
    ("elastic_wide", [2, 7, 13], 3, 3, 1, dict(mean=[0.0, 0.1], std=[1.0, 0.5]),
     {"elastic_transform": {"alpha": 30, "sigma": 0.7}}),
    ("crop", [1, 28, 28], 6, 4, 5, GRAY, {"random_crop": {"padding": 3}}),
    ("erasing", [3, 12, 17], 8, 5, 2, dict(mean=[0.5, 0.4, 0.3], std=[0.2, 0.3, 0.25]),
     {"random_erasing": {"p": 0.75, "scale": [0.1, 0.9], "ratio": [0.2, 6], "value": 1.25}}),
    ("everything", [1, 28, 28], 8, 6, 4, GRAY,
     {"random_affine": {"degrees": 7, "translate": [0.1, 0.1], "scale": [0.9, 1.1], "shear": 5},
      "elastic_transform": {"alpha": 34, "sigma": 5}, "random_crop": {"padding": 2},
      "random_erasing": {}}),
]


def main(folder):
    check_against_affine_grid()
    tensors, cases = {}, []
    numbers = random.Random(1)
    for name, shape, count, seed, epoch, norm, augment in CASES:
        generator = numpy.random.Generator(numpy.random.PCG64(len(name)))
        images = torch.tensor(generator.integers(0, 256, [count] + shape)).double()
        # Smooth, so that a wrong place shows by how far it is off, with some black and some white.
        images = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="reflect"), 3, 1)
        images = ((images - 127) * 2 + 127).clamp(0, 255).round()
        samples = [numbers.randrange(0, 60000) for _ in range(count)]
        x = torch.stack(
            [augmented(augment, Draws(seed, epoch, s), image, norm["mean"], norm["std"])
             for image, s in zip(images, samples)])
        tensors[name + "/bytes"] = images.to(torch.int32)
        tensors[name + "/samples"] = torch.tensor(samples, dtype=torch.int32)
        tensors[name + "/x"] = x.float()
        cases.append({"name": name, "augment": augment, "seed": str(seed), "epoch": epoch, **norm})
    golden_file.write(folder + "/augment.safetensors", tensors, cases)


if __name__ == "__main__":
    main(sys.argv[1])
