"""Generated images: readable, repeatable, and possible to learn."""

import torch

from pwlact.data import Batches, channel_statistics, cifar_shaped, load, write_binary
from pwlact.data.layouts import BINARY


def test_generated_set_goes_through_the_reader(tmp_path):
    write_binary(tmp_path / "new" / "generated", 53, 11, seed=3)
    data = load(tmp_path / "new" / "generated")
    expected = cifar_shaped(64, seed=3)
    assert torch.equal(data.train.images, expected.images[:53])
    assert torch.equal(data.train.labels, expected.labels[:53])
    assert torch.equal(data.test.images, expected.images[53:])
    assert torch.equal(data.test.labels, expected.labels[53:])
    assert data.class_names == tuple(f"pattern-{number}" for number in range(10))
    assert sorted(path.name for path in data.source.iterdir()) == sorted([*BINARY.files, BINARY.names])


def test_generated_set_repeats_by_seed_and_has_equal_classes():
    one, same, other = (cifar_shaped(1_005, seed).images for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    counts = cifar_shaped(1_005, 1).labels.bincount()
    assert (counts.min(), counts.max(), len(counts)) == (100, 101, 10)


def test_generated_classes_can_be_learned():
    images = cifar_shaped(1_500, seed=0)
    mean, std = channel_statistics(images)
    ((x, labels),) = Batches(images, 1_500, mean=mean, std=std, augment=False, seed=0).epoch(0)
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 5, stride=2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(64, 10),
    )  # fmt: skip
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for part in torch.arange(1_000).repeat(4).split(100):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x[part]), labels[part]).backward()
        optimiser.step()
    accuracy = (net(x[1_000:]).argmax(1) == labels[1_000:]).float().mean()
    assert accuracy > 0.8


def test_generated_set_refuses_bad_numbers_and_to_overwrite(tmp_path, make_binary, refused):
    refused(lambda: cifar_shaped(0, 0), "count", "got 0")
    refused(lambda: cifar_shaped(5, -1), "seed", "got -1")
    refused(lambda: write_binary(tmp_path / "new", 4, 1, 0), "train_count", "got 4")
    refused(lambda: write_binary(tmp_path / "new", 5, 0, 0), "test_count", "got 0")
    refused(lambda: write_binary(tmp_path / BINARY.folder, 50_000, 1, 0), BINARY.folder, "10000", "another name")
    assert not (tmp_path / "new").exists()
    folder = make_binary(tmp_path / "mine")
    before = (folder / "data_batch_1.bin").read_bytes()
    refused(lambda: write_binary(folder, 10, 2, 0), str(folder), "already holds data_batch_1.bin")
    assert (folder / "data_batch_1.bin").read_bytes() == before
