"""Small home-made letters in every format that is read."""

import gzip

import numpy as np
import scipy.io
import torch
from redundancy.mnist_files import idx


def drawn(count, classes, seed=0):
    """Upright images with more ink above than below the diagonal, and labels from 1 on in the order of the classes."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)
    labels = (torch.arange(count) % classes).sort().values + 1
    return torch.where(torch.ones(28, 28).tril(-1) > 0, images // 4, images), labels.to(torch.uint8)


def write_idx(folder, train, test):
    """Transposed, as published; two of the four files packed."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, (images, labels) in (("train", train), ("test", test)):
        path = folder / f"emnist-letters-{part}-images-idx3-ubyte.gz"
        path.write_bytes(gzip.compress(idx(images.mT.contiguous()), 1))
        (folder / f"emnist-letters-{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    return folder


def write_mat(folder, train, test, labels_as=np.uint8):
    """Rows of transposed images, labels in a column, as published."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {
        part: {"images": images.mT.flatten(1).numpy(), "labels": labels.numpy().astype(labels_as)[:, None]}
        for part, (images, labels) in (("train", train), ("test", test))
    }
    scipy.io.savemat(folder / "emnist-letters.mat", {"dataset": parts | {"mapping": np.eye(3)}}, do_compression=True)
    return folder


def write_npz(folder, **arrays):
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez_compressed(folder / "emnist-letters.npz", **arrays)
    return folder
