"""Generated images as the published Python version of CIFAR-10 has them: pickles in cifar-10-batches-py."""

import pickle

from pwlact.data import cifar_shaped
from pwlact.data.layouts import PYTHON


def write_python_version(folder, train, test, seed=0):
    """Folder `folder`/cifar-10-batches-py with so many images; returns `folder`."""
    images = cifar_shaped(train + test, seed)
    place = folder / PYTHON.folder
    place.mkdir(parents=True)
    pixels, labels = images.images.flatten(1), images.labels
    parts = [(*p[:train].tensor_split(len(PYTHON.files) - 1), p[train:]) for p in (pixels, labels)]
    for name, data, part in zip(PYTHON.files, *parts, strict=True):
        content = {"data": data.numpy(), "labels": part.tolist(), "batch_label": name, "filenames": []}
        (place / name).write_bytes(pickle.dumps(content))
    return folder
