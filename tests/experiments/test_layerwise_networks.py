"""Networks of the layer-wise experiments: attention over prototypes, competition across channels, kept weights."""

import pytest
import torch
from asserts import assert_refused

from pwlact.competitive import ACTIVATIONS, make
from pwlact.experiments.layerwise import pictures
from pwlact.experiments.layerwise.attention import PrototypeAttention
from pwlact.experiments.layerwise.channels import AcrossChannels, channel_activation
from pwlact.experiments.layerwise.networks import MOST_POSITIONS, attention, convnet, perceptron
from pwlact.models import activations, build


def test_attention_is_the_formula_and_that_of_torch():
    layer = PrototypeAttention(5, 7, 3).double()
    x = torch.randn(4, 5, dtype=torch.float64)
    r = layer.responsibilities(x)
    by_hand = torch.exp(x @ layer.keys.T / 5**0.5)
    torch.testing.assert_close(r, by_hand / by_hand.sum(-1, keepdim=True))
    torch.testing.assert_close(layer(x), r @ layer.values)
    there = torch.nn.functional.scaled_dot_product_attention(x[None], layer.keys[None], layer.values[None])[0]
    torch.testing.assert_close(layer(x), there)
    assert torch.autograd.gradcheck(layer, x.requires_grad_())
    layer(x).sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in layer.parameters())
    for sizes in ((0, 1, 1), (1, 0, 1), (1, 1, 0), (1.5, 1, 1)):
        assert_refused(lambda sizes=sizes: PrototypeAttention(*sizes), "whole number")
    assert "prototypes=7" in repr(layer)


def test_attention_far_from_all_keys_has_one_winner():
    layer = PrototypeAttention(2, 3, 2)
    with torch.no_grad():
        layer.keys.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
    torch.testing.assert_close(layer(torch.tensor([[1e6, 0.0]])), layer.values[:1])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_any_activation_acts_across_channels_at_each_position(name):
    torch.manual_seed(0)
    layer = AcrossChannels(name, 8).double()
    x = torch.randn(2, 8, 3, 4, dtype=torch.float64)
    a = layer(x)
    assert a.shape == x.shape
    torch.testing.assert_close(a[1, :, 2, 3], layer.back(layer.map(x[1, :, 2, 3][None]))[0])
    moved = x.clone()
    moved[:, :, 0, 0] += 1
    assert torch.equal(layer(moved)[:, :, 1:], a[:, :, 1:])  # positions do not act on each other


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_any_activation_works_in_the_models(name):
    torch.manual_seed(0)
    model = build("resnet10", width=0.0625, activation=channel_activation(name))
    assert len(activations(model)) == 9  # one a layer: what is inside is not counted again
    logits = model(torch.randn(2, 3, 32, 32))
    assert logits.shape == (2, 10)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
    first = next(model.parameters())
    assert first.grad is not None
    assert bool(first.grad.isfinite().all())


def test_channels_of_softmax_share_out_one():
    a = AcrossChannels("softmax", 5)(torch.randn(2, 5, 3, 3))
    torch.testing.assert_close(a.sum(1), torch.ones(2, 3, 3))
    assert_refused(lambda: AcrossChannels("gan", 5), "gan")


@pytest.mark.parametrize("name", ["relu", "softmax", "parallel-paths"])
def test_perceptron_is_its_layers(name):
    torch.manual_seed(0)
    network = perceptron(6, 4, 2, 3, name)
    x = torch.randn(5, 6)
    f = make(name, 4)
    with torch.no_grad():
        first = f(network.blocks[0][0](x))
        second = f(network.blocks[1][0](first))
    logits, units = network.passed(x)
    assert torch.equal(units[0], first)
    assert torch.equal(units[1], second)
    assert torch.equal(logits, network.head(second))
    assert torch.equal(logits, network(x))
    assert torch.equal(network.first_weights(), network.blocks[0][0].weight)


def test_units_of_attention_are_its_prototypes():
    network = attention(6, 4, 2, 3)
    x = torch.randn(5, 6)
    logits, units = network.passed(x)
    torch.testing.assert_close([a.sum(-1) for a in units], [torch.ones(5)] * 2)
    torch.testing.assert_close(units[1], network.blocks[1].responsibilities(network.blocks[0](x)))
    assert torch.equal(logits, network(x))
    assert torch.equal(network.first_weights(), network.blocks[0].keys)


@pytest.mark.parametrize("image", [(1, 28, 28), (3, 32, 32), (1, 4, 3), (1, 1, 1), (1, 5, 9)])
def test_convnet_takes_images_of_any_size(image):
    network = convnet(image, 4, 2, 3, "softmax").eval()
    x = torch.randn(2, torch.Size(image).numel())
    logits, units = network.passed(x)
    assert logits.shape == (2, 3)
    torch.testing.assert_close(logits, network(x))
    rows, columns = (-(-size // 4) for size in image[1:])
    assert units[0].shape == (2 * rows * columns, 4)
    torch.testing.assert_close(units[0].sum(-1), torch.ones(len(units[0])))


def test_many_positions_are_drawn_from_all_over_the_images(monkeypatch):
    network = convnet((1, 16, 16), 2, 1, 3, "identity").eval()
    with torch.no_grad():
        network.blocks[0][0].weight.zero_()[:, 0, 2, 2] = 1.0  # each position passes on its own pixel
    place = torch.arange(256.0).reshape(1, 16, 16).expand(800, 1, 16, 16).flatten(1)
    _, (units,) = network.passed(place)
    assert len(units) == MOST_POSITIONS < 800 * 16
    _, counts = units[:, 0].unique(return_counts=True)
    assert len(counts) == 16
    assert counts.min() > 500


def test_weights_are_kept_to_a_byte():
    weight = torch.randn(12, 28 * 28) * torch.logspace(-20, 20, 12)[:, None]
    weight[2] = 0
    kept = pictures.keep(weight, "mnist")
    assert kept["shape"] == [pictures.COUNT, 1, 28, 28]
    assert len(kept["values"]) < 9000
    largest = weight.abs().amax(1, keepdim=True)[:8]
    expected = (weight[:8] / torch.where(largest > 0, largest, 1.0)).reshape(8, 1, 28, 28)
    torch.testing.assert_close(torch.tensor(pictures.read(kept)).float(), expected, atol=0.5 / 127 + 1e-6, rtol=0)
    assert pictures.keep(torch.randn(2, 3072), "cifar10")["shape"] == [2, 3, 32, 32]


@pytest.mark.parametrize(("pixels", "shape"), [(784, (1, 28, 28)), (12, (1, 4, 3)), (7, (1, 7, 1)), (1, (1, 1, 1))])
def test_images_of_unknown_shape_are_near_to_squares(pixels, shape):
    assert pictures.image_shape("mnist", pixels) == shape


@pytest.mark.parametrize(
    "damage", [{"values": "§"}, {"values": "AAAA"}, {"values": None}, {"shape": [1, 2]}, {"shape": "x"}]
)
def test_damaged_weights_are_refused(damage):
    kept = pictures.keep(torch.randn(2, 4), "mnist") | damage
    assert_refused(lambda: pictures.read(kept), "prototypes", "again")
    assert_refused(lambda: pictures.read({}), "prototypes")
