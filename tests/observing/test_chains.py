"""Several models of one loop: which of them are examined, and with what."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainingdoctor.measure.batches import Batch, forward
from trainingdoctor.observing.assemble import assembled, main_model, rewound
from trainingdoctor.observing.chains import Chained
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder

X, Y = torch.randn(6, 3), torch.arange(6) % 2


class Encoder(nn.Linear):
    pass


class Decoder(nn.Linear):
    pass


def watched(optimizers: list[torch.optim.Optimizer], loss: Callable[[], Tensor]) -> Recorder:
    recorder = Recorder()
    with observed(recorder):
        for _ in range(3):
            loss().backward()  # type: ignore[no-untyped-call]
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
    return recorder


def test_an_encoder_and_its_decoder_are_examined_as_one() -> None:
    encoder, decoder = Encoder(3, 4), Decoder(4, 2)
    start = encoder.weight.detach().clone()
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], 0.1)
    recorder = watched([optimizer], lambda: functional.cross_entropy(decoder(encoder(X)), Y))
    model = main_model(recorder)
    assert isinstance(model, Chained)
    assert type(model).__name__ == "Encoder + Decoder"
    assert sum(p.numel() for p in model.parameters()) == 26
    rewound(recorder)
    assert torch.equal(encoder.weight, start)
    training, known = assembled(recorder, Path("train.py"))
    assert training.model is model
    assert training.optimizer is optimizer
    batch: Batch = known["train_batches"][0]
    assert torch.equal(batch.inputs, X)
    assert torch.equal(forward(model, batch), decoder(encoder(X)))


def test_a_generator_and_its_critic_are_two() -> None:
    generator, critic = Encoder(3, 4), Decoder(4, 1)
    optimizers: list[torch.optim.Optimizer] = [torch.optim.SGD(m.parameters(), 0.1) for m in (generator, critic)]
    real = torch.ones(6, 1)
    recorder = watched(optimizers, lambda: functional.binary_cross_entropy_with_logits(critic(generator(X)), real))
    assert main_model(recorder) is critic


def test_of_models_that_are_called_as_often_the_criterions_is_examined() -> None:
    encoder, decoder = Encoder(3, 4), Decoder(4, 2)
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], 0.1)

    def loss() -> Tensor:
        code = encoder(X)
        return functional.cross_entropy(decoder(code + 0.1 * torch.randn_like(code)), Y)

    assert main_model(watched([optimizer], loss)) is decoder
