"""Prototype layers: what they compute, where they start, copies side by side, objectives, diagnostics, hard input."""

import copy
import math

import pytest
import torch
from asserts import assert_close, assert_refused

from pwlact.implicit_em import (
    DISTANCES,
    Objective,
    PrototypeLayer,
    dead_components,
    descend,
    diagnose,
    effective_components,
    effective_counts,
    gradient_norm,
    k_means,
    lse_loss,
    responsibilities,
    responsibility_entropy,
    spread_samples,
    variance_floor,
)

F64 = torch.float64
MAHALANOBIS = ["diagonal", "full"]


def layer(distance="diagonal", K=3, **settings):
    """A layer with parameters that are all different."""
    made = PrototypeLayer(2, K, distance, **settings).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return made


@pytest.mark.parametrize("distance", MAHALANOBIS)
def test_with_log_determinant_the_loss_is_a_mixture_s_likelihood(distance):
    made = layer(distance, volume={"log-det": 1, "temperature": 1}, weights="learned", learn_temperature=True)
    factor = made.factor()
    precision = factor @ factor.mT if distance == "full" else torch.diag_embed(factor.square())
    covariances = precision.inverse() * made.log_temperature.exp()[..., None]
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=made.logits),
        torch.distributions.MultivariateNormal(made.means, covariances),
    )
    x = torch.randn(20, 2, dtype=F64) * 3
    assert_close(made.loss(x, "none"), -mixture.log_prob(x), rtol=1e-9)


@pytest.mark.parametrize("distance", DISTANCES)
def test_gradients_by_differences(distance):
    volume = {"log-det": 1.0, "ridge": 0.5} if distance in MAHALANOBIS else {}
    made = layer(distance, volume=volume, weights="learned", learn_temperature=True)
    names, values = zip(*made.named_parameters(), strict=True)
    x = torch.randn(5, 2, dtype=F64)

    def loss(x, *values):
        return torch.func.functional_call(_Loss(made), {f"of.{n}": v for n, v in zip(names, values, strict=True)}, (x,))

    assert torch.autograd.gradcheck(loss, (x.requires_grad_(), *values))


class _Loss(torch.nn.Module):
    def __init__(self, of):
        super().__init__()
        self.of = of

    def forward(self, x):
        return self.of.loss(x)


@pytest.mark.parametrize("distance", DISTANCES)
def test_forward_gives_what_output_names_in_the_type_of_x(distance):
    x = torch.randn(7, 2, dtype=F64)
    made = layer(distance, weights="learned")
    d = made.distances(x)
    assert torch.equal(made(x), d)
    made.output = "negated"
    assert torch.equal(made(x), -d)
    made.output = "responsibilities"
    assert_close(made(x), responsibilities(d, made.logits.log_softmax(-1)))
    assert made.bfloat16()(x.bfloat16()).dtype == torch.bfloat16
    assert made.loss(x.bfloat16()).dtype == torch.float32


def test_weight_norm_holds_the_biases_of_linear_units():
    """Without it a common shift of all would lower the loss without end."""
    made = layer("linear")
    low = copy.deepcopy(made)
    with torch.no_grad():
        low.bias -= 100
    x = torch.randn(9, 2, dtype=F64)
    objective = Objective({"weight-norm": 1.0})
    assert_close(low.loss(x), made.loss(x) - 100)
    assert objective(low, x).total > objective(made, x).total


def test_weights():
    x = torch.randn(7, 2, dtype=F64)
    none, equal = layer(), PrototypeLayer(2, 3, weights="equal").double()
    equal.load_state_dict(none.state_dict())
    assert_close(equal.loss(x), none.loss(x) + math.log(3))
    assert none.log_weights() is None
    learned = layer(weights="learned")
    assert_close(learned.log_weights().exp().sum(), torch.tensor(1.0, dtype=F64))


def test_temperature_divides_distances():
    x, made = torch.randn(7, 2, dtype=F64), layer("linear", learn_temperature=True)
    cold = PrototypeLayer(2, 3, "linear").double()
    cold.load_state_dict({name: v for name, v in made.state_dict().items() if name != "log_temperature"})
    assert_close(made.distances(x) * made.log_temperature.exp(), cold.distances(x))


@pytest.mark.parametrize("distance", DISTANCES)
def test_copies_are_independent_layers(distance):
    volume = {"log-det": 1} if distance in MAHALANOBIS else {}
    many = layer(distance, copies=(2,), volume=volume, weights="learned")
    x = torch.randn(30, 2, dtype=F64)
    alone = PrototypeLayer(2, 3, distance, volume=volume, weights="learned").double()
    alone.load_state_dict({name: value[1] for name, value in many.state_dict().items()})
    penalties = {"variance": 1.0, "decorrelation": 1.0, "weight-norm": 1.0, "orthogonality": 1.0, "balance": 1.0}
    found, expected = (descend(each, x, Objective(penalties), steps=5, lr=0.1) for each in (many, alone))
    assert_close(found.total[1], expected.total, rtol=1e-9)
    assert not torch.allclose(found.total[0], found.total[1])
    assert_close(many.distances(x)[1], alone.distances(x), rtol=1e-7)


@pytest.mark.parametrize("distance", DISTANCES)
def test_order_of_components_does_not_matter(distance):
    made, x = layer(distance, K=4, weights="learned"), torch.randn(9, 2, dtype=F64)
    order = torch.randperm(4)
    turned = PrototypeLayer(2, 4, distance, weights="learned").double()
    turned.load_state_dict({name: value[order] for name, value in made.state_dict().items()})
    objective = Objective({"variance": 1, "decorrelation": 1, "weight-norm": 1, "orthogonality": 1, "balance": 1})
    assert_close(objective(turned, x).total, objective(made, x).total)
    assert_close(turned(x), made(x)[:, order])


def test_objective_is_the_sum_of_its_parts():
    made, x = layer(), torch.randn(9, 2, dtype=F64)
    found = Objective({"variance": 2.0, "balance": 3.0}, lse=0.5)(made, x)
    assert_close(found.lse, made.loss(x))
    assert_close(found.penalties["variance"], variance_floor(made.distances(x)))
    assert_close(found.total, 0.5 * found.lse + 2 * found.penalties["variance"] + 3 * found.penalties["balance"])
    control_alone = Objective({"variance": 2.0}, lse=0.0)(made, x)
    assert_close(control_alone.total, 2 * control_alone.penalties["variance"])


@pytest.mark.parametrize("distance", DISTANCES)
def test_place_scales_with_the_data(distance):
    x = torch.randn(80, 2, dtype=F64) * torch.tensor([1.0, 50.0], dtype=F64) + torch.tensor([7.0, -3.0], dtype=F64)
    made, large = (PrototypeLayer(2, 3, distance).double() for _ in range(2))
    made.place(x, seed=5)
    large.place(x * 1e6, seed=5)
    assert_close(large.distances(x * 1e6), made.distances(x), rtol=1e-9)
    again = PrototypeLayer(2, 3, distance).double()
    again.place(x, seed=5)
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), again.parameters(), strict=True))
    again.place(x, seed=6)
    assert not torch.equal(again.distances(x), made.distances(x))


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("samples", [1, 2, 200])
def test_place_on_few_and_equal_samples(distance, samples):
    made = PrototypeLayer(2, 4, distance)
    made.place(torch.full((samples, 2), 3.0))
    assert all(parameter.isfinite().all() for parameter in made.parameters())
    assert made.loss(torch.full((samples, 2), 3.0)).isfinite()
    if distance in MAHALANOBIS:
        assert_close(made.means, torch.full((4, 2), 3.0))  # centres that are nearest to no sample stay


def test_spread_samples_takes_each_cluster():
    centres = torch.tensor([[0.0, 0.0], [1e15, 0.0], [0.0, 1e15]])
    x = centres[torch.arange(60) % 3] + torch.randn(60, 2)
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)
        assert {tuple(row) for row in (spread_samples(x, 3, generator) / 1e15).round().tolist()} == {
            (0, 0),
            (1, 0),
            (0, 1),
        }
        assert_close(k_means(x.double(), 3, generator).sum(0) / 1e15, torch.ones(2, dtype=F64), rtol=1e-6)
    assert spread_samples(x[:1], 3).shape == (3, 2)
    means = k_means(torch.tensor([[0.0], [1.0], [10.0], [11.0]]), 2, torch.Generator().manual_seed(0))
    assert sorted(means[:, 0].tolist()) == [0.5, 10.5]


@pytest.mark.parametrize("scale", [1e-15, 1e15])
@pytest.mark.parametrize("distance", DISTANCES)
def test_far_and_near_samples_have_finite_gradients(distance, scale):
    made = PrototypeLayer(2, 3, distance)
    objective = Objective({"variance": 1, "decorrelation": 1, "weight-norm": 1, "orthogonality": 1, "balance": 1})
    losses = objective(made, torch.randn(6, 2) * scale)
    losses.total.backward()
    assert losses.total.isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in made.parameters())


def test_nan_makes_its_own_row_nan():
    x = torch.tensor([[0.0, 1.0], [torch.nan, 0.0]])
    assert layer().loss(x, "none").isnan().tolist() == [False, True]


def test_diagnostics():
    hard = torch.eye(4)[torch.tensor([0, 0, 0, 1])]
    assert responsibility_entropy(hard) == 0
    assert effective_counts(hard).tolist() == [3, 1, 0, 0]
    assert dead_components(hard).tolist() == [False, False, True, True]
    assert_close(effective_components(hard), torch.tensor(math.exp(0.75 * math.log(4 / 3) + 0.25 * math.log(4))))
    even = torch.full((2, 5, 4), 0.25)
    assert_close(responsibility_entropy(even), torch.full((2,), math.log(4)))
    assert_close(effective_components(even), torch.full((2,), 4.0))
    made = layer("linear")
    assert gradient_norm(made.parameters()) == 0
    (3 * made.weight[0, 0] + 4 * made.bias[0]).backward()
    found = diagnose(hard, made.parameters())
    assert found.gradient_norm == pytest.approx(5)
    assert (found.dead, found.uniformity, found.counts) == ([2, 3], 0, [3, 1, 0, 0])
    assert diagnose(even[0]).uniformity == pytest.approx(1)
    assert diagnose(torch.ones(3, 1)).uniformity == 0
    assert_refused(lambda: diagnose(even), "one layer", "(2, 5, 4)")
    assert dead_components(torch.tensor([[0.94, 0.06]]), 0.2).tolist() == [False, True]
    assert dead_components(torch.tensor([[0.85, 0.15]]), 0.2).tolist() == [False, False]  # of its even part, a half
    for share in (0.0, 1.0, math.nan):
        assert_refused(lambda share=share: dead_components(hard, share), "share")


def test_bad_layers():
    for name, value in (
        ("inputs", 0),
        ("components", 1.5),
        ("distance", "cosine"),
        ("weights", "all"),
        ("output", "z"),
    ):
        settings = {"inputs": 2, "components": 3, name: value}
        assert_refused(lambda settings=settings: PrototypeLayer(**settings), name, repr(value).strip("'"))
    assert_refused(lambda: PrototypeLayer(2, 3, "linear", volume={"log-det": 1}), "log-det", "diagonal or full")
    assert_refused(lambda: PrototypeLayer(2, 3, volume={"temperature": 1}), "learn_temperature=True")
    assert_refused(lambda: PrototypeLayer(2, 3, volume={"variance": 1}), "volume", "variance", "log-det")
    assert_refused(lambda: PrototypeLayer(2, 3, volume={"ridge": -1}), "ridge", "-1")
    assert_refused(lambda: PrototypeLayer(2, 3, "linear").factor(), "linear")
    assert_refused(lambda: layer()(torch.zeros(4, 3)), "(4, 3)", "2")
    assert_refused(lambda: layer().loss(torch.zeros(0, 2)), "(0, 2)")
    assert_refused(lambda: layer().place(torch.tensor([[0.0, torch.inf]])), "1 of 2")


def test_bad_objectives():
    assert_refused(lambda: Objective({"log-det": 1}), "penalties", "log-det", "variance")
    assert_refused(lambda: Objective({"variance": math.nan}), "variance", "nan")
    assert_refused(lambda: Objective({"variance": 0}, lse=0), "above 0")
    assert_refused(lambda: Objective({"temperature-prior": 1})(layer(), torch.zeros(2, 2)), "learn_temperature=True")
    assert_refused(lambda: descend(layer(), torch.zeros(2, 2), Objective(), steps=0), "steps")
    assert_refused(lambda: descend(layer(), torch.zeros(2, 2), Objective(), lr=0), "lr")


def test_what_is_printed():
    assert repr(PrototypeLayer(2, 3, volume={"log-det": 1})) == (
        "PrototypeLayer(2, 3, diagonal, volume log-det=1, weights none, gives distances)"
    )
    assert repr(Objective({"variance": 2})) == "Objective(lse=1, variance=2)"
    assert_close(lse_loss(torch.zeros(1, 4)), torch.tensor(-math.log(4)))
