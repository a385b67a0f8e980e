"""What a criterion was called with, from the output to its value."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.measure.batches import Batch, forward
from trainingdoctor.observing.assemble import assembled, main_model
from trainingdoctor.observing.calls import CriterionCall, Followed
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder

TOKENS = torch.arange(24).reshape(4, 6) % 5


class Language(nn.Module):
    """Logits of the next token, (N, T, 5); with targets also its own loss, as nanoGPT has it."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 5)

    def forward(self, tokens: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        logits = self.table(tokens)
        if targets is None:
            return logits, None
        return logits, functional.cross_entropy(logits.view(-1, 5), targets.view(-1), ignore_index=-1)


def watched(model: nn.Module, loss: Callable[[], Tensor], steps: int = 3) -> Recorder:
    """What was seen of a loop that makes so many steps on that loss."""
    recorder, optimizer = Recorder(), torch.optim.SGD(model.parameters(), 0.1)
    with observed(recorder):
        for _ in range(steps):
            optimizer.zero_grad()
            loss().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return recorder


def test_rows_are_examined_sample_by_sample() -> None:
    model = Language()
    logits, loss = model(TOKENS, TOKENS)
    call = CriterionCall.of(functional.cross_entropy, (logits.view(-1, 5), TOKENS.view(-1)), {}, (logits, loss))
    assert call is not None
    assert (call.between, call.target.shape) == ("rows", (4, 6))
    followed = Followed(model, call.between)
    assert type(followed).__name__ == "Language"
    output = followed(TOKENS, TOKENS)
    assert output.shape == (4, 5, 6)
    assert torch.allclose(call.criterion()(output, call.target), loss)


def test_classes_that_the_loop_puts_second_are_followed() -> None:
    model = Language()
    recorder = watched(
        model, lambda: functional.cross_entropy(model(TOKENS)[0].transpose(1, 2), TOKENS, reduction="none").mean()
    )
    call = recorder.losses.criterion
    assert call is not None
    assert (call.between, call.reduced) == ("classes second", "mean")
    output = Followed(model, call.between)(TOKENS)
    assert output.shape == (4, 5, 6)
    assert torch.allclose(call.criterion()(output, TOKENS), functional.cross_entropy(output, TOKENS))


def test_validation_data_may_run_between_a_call_and_its_loss() -> None:
    torch.manual_seed(0)
    model, (x, y), (a, b) = nn.Linear(1, 1), torch.randn(2, 11, 1), torch.randn(2, 7, 1)

    def loss() -> Tensor:
        made, other = model(x), model(a)
        trained, _ = functional.mse_loss(made, y), functional.mse_loss(other, b)
        return trained

    recorder = watched(model, loss)
    assert recorder.losses.criterion is not None
    assert {b.size for b in recorder.losses.samples.of("training", id(model))} == {7, 11}


def test_a_model_whose_forward_is_called_by_name_is_seen_as_a_whole() -> None:
    model, forward = Language(), Language.forward
    start = {n: v.clone() for n, v in model.state_dict().items()}
    recorder = watched(
        model, lambda: functional.cross_entropy(model.forward(TOKENS)[0].flatten(0, 1), TOKENS.flatten())
    )
    assert main_model(recorder) is model
    assert list(recorder.models) == [id(model)]
    assert torch.equal(recorder.initial[id(model)]["table.weight"], start["table.weight"])
    assert recorder.losses.criterion is not None
    assert Language.forward is forward


def test_batches_of_an_attacks_own_loss_are_none_of_the_training() -> None:
    model, inputs, classes = nn.Linear(6, 5), torch.randn(4, 6), torch.arange(4)

    def loss() -> Tensor:
        near = (inputs + 0.1).requires_grad_()
        apart = functional.kl_div(model(near).log_softmax(1), model(inputs).softmax(1), reduction="sum")
        torch.autograd.grad(apart, near)
        return functional.cross_entropy(model(inputs), classes)

    batches = watched(model, loss).losses.samples.of("training", id(model))
    assert [b.targets.tolist() for b in batches] == [[0, 1, 2, 3]] * 3


@pytest.mark.parametrize("logarithm", [True, False])
def test_a_divergence_beside_a_criterion_of_classes_is_seen(logarithm: bool) -> None:
    model, inputs, classes = nn.Linear(6, 5), torch.randn(4, 6), torch.arange(4)

    def loss() -> Tensor:
        logits = model(inputs)
        mixture = logits.softmax(1).clamp(1e-7, 1)
        apart = functional.kl_div(mixture.log() if logarithm else mixture, logits.softmax(1), reduction="batchmean")
        return functional.cross_entropy(logits, classes) + apart

    seen = watched(model, loss).losses.divergence
    assert seen is not None
    assert seen.probabilities is not logarithm


class Headed(nn.Module):
    """Its forward leaves the calls of its parts to other methods, whose first argument may have any name."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.heads = nn.Embedding(5, 8), nn.ModuleDict({"all": nn.Linear(8, 5)})

    def features(self, tokens: Tensor) -> Tensor:
        return self.table(tokens)

    def logits(net, code: Tensor) -> dict[str, Tensor]:
        return {name: head(code) for name, head in net.heads.items()}

    def forward(self, tokens: Tensor) -> dict[str, Tensor]:
        return self.logits(self.features(tokens))


def test_parts_that_are_called_in_other_methods_of_a_model_are_no_models() -> None:
    model = Headed()
    recorder = watched(
        model, lambda: functional.cross_entropy(model.forward(TOKENS)["all"].flatten(0, 1), TOKENS.flatten())
    )
    assert main_model(recorder) is model


def test_a_loss_among_a_models_results_is_its_criterion() -> None:
    model = Language()
    recorder = watched(model, lambda: model(TOKENS, TOKENS)[1])
    assert recorder.losses.criterion is not None
    assert recorder.losses.criterion.arguments == {"ignore_index": -1}
    batches = recorder.losses.samples.of("training", id(model))
    assert [b.targets.shape for b in batches] == [(4, 6)] * 3


def test_indices_of_mined_triplets_hold_for_their_batch_alone() -> None:
    output, labels = nn.Linear(3, 4)(torch.ones(6, 3)), torch.arange(6)
    mined = tuple(torch.randint(6, (9,)) for _ in range(3))
    assert CriterionCall.of(lambda o, t, i: o.sum(), (output, labels, mined), {}, output) is None


def test_what_was_done_before_the_loss_belongs_to_the_model() -> None:
    net, x = nn.Linear(3, 4), torch.ones(2, 3)
    output = net(x)
    call = CriterionCall.of(functional.cross_entropy, (output.softmax(1), torch.tensor([0, 1])), {}, output)
    assert call is not None
    assert torch.allclose(Followed(net, call.between)(x), output.softmax(1))


class Autoencoder(nn.Module):
    """Code and reconstruction."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(6, 2), nn.Linear(2, 6)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        code = self.encoder(x)
        return code, self.decoder(code)


def test_the_output_that_the_loss_got_is_the_one_that_is_examined() -> None:
    model, criterion, x = Autoencoder(), nn.MSELoss(), torch.randn(4, 6)
    recorder = watched(model, lambda: criterion(model(x)[1], x))
    training, _ = assembled(recorder, Path("script.py"))
    assert training.model is not None
    assert training.criterion is criterion
    assert training.model(x).shape == (4, 6)
    assert type(training.model).__name__ == "Autoencoder"


def test_the_loss_of_an_auxiliary_output_is_not_the_one_that_is_examined() -> None:
    model, criterion, x = Autoencoder(), nn.CrossEntropyLoss(), torch.randn(4, 6)

    def loss() -> Tensor:
        main, auxiliary = model(x)
        both: Tensor = criterion(main, torch.tensor([0, 1, 0, 1])) + criterion(auxiliary, torch.arange(4))
        return both

    recorder = watched(model, loss, steps=2)
    assert recorder.losses.criterion is not None
    assert recorder.losses.criterion.part == 0
    assert [b.targets.tolist() for b in recorder.losses.samples.of("training", id(model))] == [[0, 1, 0, 1]] * 2


class Tagger(nn.Module):
    """Takes a dictionary by name; gives a code and logits."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 5)

    def forward(self, tokens: Tensor, mask: Tensor) -> dict[str, Tensor]:
        code = self.table(tokens) * mask[..., None]
        return {"code": code, "logits": code.mean(1)}


def test_what_follows_a_model_takes_a_dictionary_as_the_model_does() -> None:
    model, inputs = Tagger(), {"tokens": TOKENS, "mask": torch.ones(4, 6)}
    output = model(**inputs)
    call = CriterionCall.of(functional.cross_entropy, (output["logits"], torch.arange(4)), {}, output)
    assert call is not None
    assert (call.part, call.is_followed) == (1, True)
    assert torch.equal(forward(Followed(model, call.between, call.part), Batch(inputs, None)), output["logits"])


def test_a_models_own_loss_is_no_output_of_its_own() -> None:
    logits = torch.randn(4, 5, requires_grad=True)
    output = {"loss": functional.cross_entropy(logits, torch.arange(4)), "logits": logits}
    call = CriterionCall.of(functional.cross_entropy, (logits, torch.arange(4)), {}, output)
    assert call is not None
    assert not call.is_followed


@pytest.mark.parametrize(
    ("made", "reduced"),
    [
        (lambda each: each.mean(), "mean"),
        (lambda each: each.sum(), "sum"),
        (lambda each: each.sum(-1).mean(), "mean of sums"),
        (lambda each: (each * torch.arange(6.0)[:, None]).mean(), None),
    ],
)
def test_a_loss_for_each_sample_is_examined_as_the_loop_reduces_it(
    made: Callable[[Tensor], Tensor], reduced: str | None
) -> None:
    model, x, y = nn.Linear(4, 3), torch.randn(6, 4), torch.rand(6, 3)
    recorder = watched(model, lambda: made(functional.mse_loss(model(x), y, reduction="none")))
    if reduced is None:
        assert recorder.losses.criterion is None
        return
    assert recorder.losses.criterion is not None
    assert recorder.losses.criterion.reduced == reduced
    output = torch.randn(6, 3)
    expected = made(functional.mse_loss(output, y, reduction="none"))
    assert torch.allclose(recorder.losses.criterion.criterion()(output, y), expected)


@pytest.mark.parametrize("mask", [torch.arange(6) < 4, torch.tensor([1, 3, 4])])
def test_a_loss_over_some_nodes_of_a_graph_is_one_of_all_with_the_others_ignored(mask: Tensor) -> None:
    model, features, labels = nn.Linear(3, 2), torch.randn(6, 3), torch.arange(6) % 2
    losses = []

    def loss() -> Tensor:
        output = model(features)
        losses.append(functional.cross_entropy(output[mask], labels[mask]))
        functional.cross_entropy(output[5:], labels[5:])
        return losses[-1]

    recorder = watched(model, loss)
    training, known = assembled(recorder, Path("train.py"))
    (batch,) = known["train_batches"]
    assert (batch.one, batch.size, batch.targets.shape) == (True, 1, (6,))
    assert torch.equal(batch.targets[mask], labels[mask])
    assert int((batch.targets == -100).sum()) == 6 - len(labels[mask])
    assert training.criterion is not None
    model.load_state_dict(recorder.initial[id(model)])
    assert torch.allclose(training.criterion(model(batch.inputs), batch.targets), losses[0])


class Pair(nn.Module):
    """One argument, which is a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 5)

    def forward(self, given: tuple[Tensor, Tensor]) -> Tensor:
        tokens, lengths = given
        return self.table(tokens)[:, 0] * lengths[:, None]


def test_a_model_that_takes_one_tuple_is_given_one() -> None:
    model, lengths, labels = Pair(), torch.ones(4), torch.arange(4)
    recorder = watched(model, lambda: functional.cross_entropy(model((TOKENS, lengths)), labels))
    batch = assembled(recorder, Path("train.py"))[1]["train_batches"][0]
    assert (batch.size, forward(model, batch.first(2)).shape) == (4, (2, 5))


class Smoothed(nn.Module):
    """A criterion that is made of no function of torch's losses."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return -output.log_softmax(1)[torch.arange(len(target)), target].mean()


class Task(nn.Module):
    """A model together with its criterion."""

    def __init__(self) -> None:
        super().__init__()
        self.model, self.criterion = nn.Linear(3, 2), Smoothed()

    def forward(self, given: Tensor, target: Tensor) -> dict[str, Tensor]:
        output = self.model(given)
        return {"loss": self.criterion(output, target), "output": output}


def test_a_criterion_of_ones_own_within_a_model_is_its_criterion() -> None:
    task, given, target = Task(), torch.randn(4, 3), torch.arange(4) % 2
    recorder = watched(task, lambda: task(given, target)["loss"])
    training, known = assembled(recorder, Path("train.py"))
    assert training.criterion is task.criterion
    assert training.model is not None
    output = forward(training.model, known["train_batches"][0])
    assert torch.equal(training.criterion(output, target), task(given, target)["loss"])


REVERSED = torch.arange(7, -1, -1)


@pytest.mark.parametrize(
    ("loss", "reordered"),
    [
        (lambda m, x, y: functional.cross_entropy(m(x), y[REVERSED]), 3),
        (lambda m, x, y: functional.cross_entropy(m(x[REVERSED]), y[REVERSED]), 0),
        (lambda m, x, y: functional.cross_entropy(m(x), y) + functional.cross_entropy(m(x), y[REVERSED]), 0),
        (lambda m, x, y: functional.cross_entropy(m(x), y[REVERSED]) + functional.cross_entropy(m(x), y), 0),
        (lambda m, x, y: functional.cross_entropy(m(x), y[REVERSED] if y[0] else y), 2),
    ],
    ids=["targets", "both", "mixed", "mixed the other way", "but for one batch, by chance"],
)
def test_targets_that_go_another_way_than_their_inputs(loss: Callable[..., Tensor], reordered: int) -> None:
    data = TensorDataset(torch.randn(24, 3), torch.arange(24) // 4)
    recorder, model = Recorder(), nn.Linear(3, 6)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with observed(recorder):
        for x, y in DataLoader(data, 8):
            optimizer.zero_grad()
            loss(model, x, y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    assert recorder.losses.reordered == reordered


def test_a_row_of_numbers_without_a_batch_is_one_sample() -> None:
    model, x, y = nn.Linear(7, 3), torch.randn(7), torch.randn(3)
    recorder = watched(model, lambda: functional.mse_loss(model(x), y))
    assert [b.size for b in recorder.losses.samples.of("training", id(model))] == [1] * 3
    single, values, wanted = nn.Identity(), torch.randn(7, requires_grad=True), torch.randn(7)
    assert not recorder.losses.samples.of("training", id(single))
    recorder.losses.samples.keep("training", id(single), ((values,), {}), wanted)
    assert recorder.losses.samples.of("training", id(single))[0].size == 7


def test_of_two_losses_of_one_batch_the_one_that_backward_is_called_on_counts() -> None:
    model, x, y = nn.Linear(4, 3), torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])

    def logged() -> Tensor:
        output = model(x)
        loss = functional.cross_entropy(output, y)
        functional.cross_entropy(output, y, reduction="sum").item()
        return loss

    recorder = watched(model, logged)
    assert recorder.losses.criterion is not None
    assert recorder.losses.criterion.arguments == {}
    assert recorder.losses.value == pytest.approx(recorder.loss_value)
