"""Golden losses: label smoothing, soft targets and the mean squared error, in PyTorch's words.

Run:     python3 golden_losses.py ../resources/golden
Ran with PyTorch 1.13.0 (the file's metadata says which); needs torch and numpy, no GPU.
Writes:  losses.safetensors. The same bytes at each run on one machine.

Values are computed in fp64 and rounded to fp32. A case has "loss" in the run file's words and the
tensors z [N, K], labels [N], targets [N, K] (soft ones, each row summing to 1; absent: the labels),
loss [1], dz [N, K], correct [1] (how often the largest z is the label).
"""
import sys
import zlib

import torch

import golden_file


def soft_targets(labels, classes, random):
    """As mixup makes them: of each sample's label and another's."""
    one_hot = torch.nn.functional.one_hot(labels, classes).double()
    share = torch.rand(len(labels), 1, generator=random).double()
    other = one_hot[torch.randperm(len(labels), generator=random)]
    return share * one_hot + (1 - share) * other


def criterion(words):
    if words["type"] == "mse":
        return torch.nn.MSELoss()
    return torch.nn.CrossEntropyLoss(label_smoothing=words.get("label_smoothing", 0.0))


def case(name, words, n, classes, tensors, soft=False, scale=2.0):
    random = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    z = (scale * torch.randn(n, classes, generator=random)).double().requires_grad_()
    labels = torch.randint(0, classes, [n], generator=random)
    # Rounded first, so that both sides start from the same targets.
    targets = soft_targets(labels, classes, random).float().double()
    one_hot = torch.nn.functional.one_hot(labels, classes).double()
    takes_classes = words["type"] == "cross_entropy" and not soft
    loss = criterion(words)(z, labels if takes_classes else targets if soft else one_hot)
    (dz,) = torch.autograd.grad(loss, z)
    found = {"z": z.float(), "labels": labels.int(), "loss": loss.float().reshape(1), "dz": dz.float(),
             "correct": (z.argmax(1) == labels).sum().int().reshape(1)}
    if soft:
        found["targets"] = targets.float()
    tensors |= {f"{name}/{key}": value for key, value in found.items()}
    return {"name": name, "loss": words}


def smoothed(smoothing):
    return {"type": "cross_entropy", "label_smoothing": smoothing}


def main(folder):
    torch.set_num_threads(1)
    tensors = {}
    plain, mse = {"type": "cross_entropy"}, {"type": "mse"}
    cases = [
        case("smoothed", smoothed(0.02), 128, 10, tensors),
        case("smoothed_much", smoothed(0.5), 9, 3, tensors),
        case("smoothed_to_uniform", smoothed(1.0), 5, 4, tensors),
        case("smoothed_forty_classes", smoothed(0.1), 7, 40, tensors),
        case("smoothed_huge_logits", smoothed(0.1), 7, 10, tensors, scale=1e4),
        case("soft_targets", plain, 64, 10, tensors, soft=True),
        case("soft_targets_smoothed", smoothed(0.1), 33, 10, tensors, soft=True),
        case("soft_targets_forty_classes", plain, 3, 40, tensors, soft=True),
        case("mse", mse, 128, 10, tensors),
        case("mse_one_output", mse, 1, 1, tensors),
        case("mse_forty_classes", mse, 5, 40, tensors),
        case("mse_soft_targets", mse, 17, 10, tensors, soft=True),
    ]
    golden_file.write(f"{folder}/losses.safetensors", tensors, cases)


if __name__ == "__main__":
    main(sys.argv[1])
