"""Faults that raise no error and leave a falling loss: each on a small training, beside a healthy one that looks like it."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence
from torch.optim import SGD, Adam
from torch.utils.data import DataLoader, Dataset, TensorDataset

from trainingdoctor import Training
from trainingdoctor.measure.batches import Batch, forward
from trainingdoctor.measure.outputs import outputs
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks import (
    augmentation,
    augmentation_strength,
    labels,
    loss,
    loss_targets,
    model,
    model_sequences,
    model_use,
    normalization,
    shown,
)

G = torch.Generator().manual_seed(0)
TOKENS = torch.randint(1, 20, (64, 17), generator=G)
TABLE = torch.randn(256, 6, generator=G)
WORDS = torch.randint(1, 20, (32, 24), generator=G)
LENGTHS = torch.arange(6, 22).repeat(2)
PADDED = WORDS.masked_fill(torch.arange(24) >= LENGTHS[:, None], 0)


def training(net: nn.Module, *data: Tensor, criterion: Any, **fields: Any) -> Training:
    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(*data), batch_size=32)
    return Training(model=net, train_loader=loader, criterion=criterion, **fields)


class Language(nn.Module):
    """One layer of attention over tokens; classes second, as torch's losses take them."""

    def __init__(self, causal: bool = True, turn: str = "transpose") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.mix, self.head = nn.Embedding(20, 8), nn.Linear(8, 24), nn.Linear(8, 20)
        self.causal, self.turn = causal, turn

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.mix(self.embedding(x)).chunk(3, -1)
        logits = self.head(F.scaled_dot_product_attention(q, k, v, is_causal=self.causal))
        return logits.transpose(1, 2) if self.turn == "transpose" else logits.view(len(x), 20, -1)


def shifted_inside(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits[:, :, :-1], targets[:, 1:])


NEXT = (TOKENS[:, :-1], TOKENS[:, 1:])
CE = nn.CrossEntropyLoss()


@pytest.mark.parametrize(
    ("net", "data", "criterion"),
    [
        (Language(causal=False), NEXT, CE),
        (Language(turn="view"), NEXT, CE),
        (Language(causal=False), (TOKENS, TOKENS), shifted_inside),
        (Language(), (TOKENS, TOKENS), CE),
    ],
    ids=["no mask", "view in place of transpose", "no mask, shifted by the loss", "not shifted"],
)
def test_a_language_model_that_sees_its_target(net: nn.Module, data: tuple[Tensor, Tensor], criterion: Any) -> None:
    assert_unwell(shown.visible, training(net, *data, criterion=criterion), severity="critical")


@pytest.mark.parametrize(
    ("net", "data", "criterion"),
    [
        (Language(), NEXT, CE),
        (Language(), (TOKENS, TOKENS), shifted_inside),
        (Language(causal=False), (TOKENS, TOKENS), CE),
    ],
    ids=["masked", "shifted by the loss", "autoencoder"],
)
def test_language_models_that_predict(net: nn.Module, data: tuple[Tensor, Tensor], criterion: Any) -> None:
    assert_healthy(shown.visible, training(net, *data, criterion=criterion))


def test_a_column_that_is_the_target() -> None:
    target = (TABLE[:, :1] + torch.randn(256, 1, generator=G) > 0).float()
    told = torch.cat([TABLE, 3 * target - 1], 1)
    criterion = nn.BCEWithLogitsLoss()
    assert_unwell(shown.in_inputs, training(nn.Linear(7, 1), told, target, criterion=criterion), mentions="Column 6")
    assert_healthy(shown.in_inputs, training(nn.Linear(6, 1), TABLE, target, criterion=criterion))


@pytest.mark.parametrize("tail", [nn.Sigmoid(), nn.Tanh(), nn.ReLU()])
def test_targets_beyond_a_bounded_output(tail: nn.Module) -> None:
    wanted = TABLE @ torch.randn(6, 1, generator=G)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1), tail)
    assert_unwell(loss_targets.unreachable, training(net, TABLE, wanted, criterion=nn.MSELoss()), severity="critical")
    assert_healthy(loss_targets.unreachable, training(net, TABLE, wanted.sigmoid(), criterion=nn.MSELoss()))
    assert_healthy(loss_targets.unreachable, training(net[:3], TABLE, wanted, criterion=nn.MSELoss()))


def test_targets_in_the_hundred_thousands() -> None:
    net, criterion = nn.Linear(6, 1), nn.MSELoss()
    price = 200_000 + 50_000 * TABLE[:, :1]
    assert_unwell(
        loss_targets.target_scale, training(net, TABLE, price, criterion=criterion), mentions="205,502 ± 50,352"
    )
    assert_healthy(loss_targets.target_scale, training(net, TABLE, 40 + 12 * TABLE[:, :1], criterion=criterion))
    nn.init.constant_(net.bias, 200_000.0)
    assert_healthy(loss_targets.target_scale, training(net, TABLE, price, criterion=criterion))


class Mask(nn.Module):
    """A loss on masks: binary cross-entropy and overlap, on logits or on probabilities that it clamps."""

    def __init__(self, logits: bool) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, output: Tensor, mask: Tensor) -> Tensor:
        p = output.sigmoid() if self.logits else output.clamp(1e-6, 1 - 1e-6)
        overlap = 1 - (2 * (p * mask).sum() + 1) / (p.sum() + mask.sum() + 1)
        return overlap - (mask * p.log() + (1 - mask) * (1 - p).log()).mean()


@pytest.mark.parametrize("criterion", [nn.BCEWithLogitsLoss(), Mask(logits=True)])
def test_a_single_sigmoid_output_before_logits(criterion: nn.Module) -> None:
    flags = (TABLE[:, :1] > 0).float()
    net = nn.Sequential(nn.Linear(6, 1), nn.Sigmoid())
    assert_unwell(loss.softmax_before_cross_entropy, training(net, TABLE, flags, criterion=criterion))
    assert_healthy(loss.softmax_before_cross_entropy, training(net[0], TABLE, flags, criterion=criterion))


@pytest.mark.parametrize("criterion", [nn.BCELoss(), Mask(logits=False), nn.MSELoss()])
def test_a_single_sigmoid_output_where_it_belongs(criterion: nn.Module) -> None:
    flags = (TABLE[:, :1] > 0).float()
    net = nn.Sequential(nn.Linear(6, 1), nn.Sigmoid())
    assert_healthy(loss.softmax_before_cross_entropy, training(net, TABLE, flags, criterion=criterion))


def test_masks_of_255() -> None:
    flags = (TABLE[:, :1] > 0).float()
    criterion = nn.BCEWithLogitsLoss()
    assert_unwell(
        loss_targets.target_format, training(nn.Linear(6, 1), TABLE, 255 * flags, criterion=criterion), mentions="255"
    )
    assert_healthy(loss_targets.target_format, training(nn.Linear(6, 1), TABLE, flags, criterion=criterion))


def test_the_logits_of_a_teacher_are_no_wrong_class_numbers() -> None:
    """The loss makes probabilities of them; nn.CrossEntropyLoss does not."""

    def distilled(output: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(output.log_softmax(1), target.softmax(1), reduction="batchmean")

    logits = TABLE[:, :3] - TABLE[:, :3].mean(1, keepdim=True)
    model = nn.Linear(6, 3)
    assert_healthy(loss_targets.target_format, training(model, TABLE, logits, criterion=distilled))
    plain = training(model, TABLE, logits, criterion=nn.CrossEntropyLoss())
    assert_unwell(loss_targets.target_format, plain, mentions="class indices")


def test_columns_in_raw_units() -> None:
    raw = TABLE * torch.tensor([1.0, 1, 1, 1, 12, 30_000]) + torch.tensor([0.0, 0, 0, 0, 45, 60_000])
    labels = (TABLE[:, 0] > 0).long()
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
    assert_unwell(normalization.features, training(net, raw, labels, criterion=CE), mentions=("2 of 6", "4: ", "5: "))
    assert_healthy(normalization.features, training(net, TABLE, labels, criterion=CE))
    pixels = 16 * TABLE.sigmoid()
    assert_healthy(normalization.features, training(net, pixels, labels, criterion=CE))


class Scaled(nn.Module):
    """Standardizes its inputs itself."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((x - 60_000) / 30_000)


def test_a_model_that_scales_its_inputs() -> None:
    labels = (TABLE[:, 0] > 0).long()
    assert_healthy(normalization.features, training(Scaled(), 30_000 * TABLE + 60_000, labels, criterion=CE))


def test_one_block_six_times() -> None:
    block = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
    assert_unwell(model_use.repeated_layer, Training(model=nn.Sequential(*[block] * 6)), mentions="6 times")
    act = nn.PReLU()
    assert_healthy(model_use.repeated_layer, Training(model=nn.Sequential(nn.Linear(6, 6), act, nn.Linear(6, 6), act)))


class Listed(nn.Module):
    """Layers in a list, torch's or Python's."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.layers, self.head = kind([nn.Linear(6, 6), nn.Linear(6, 6)]), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)


def test_layers_in_a_plain_list() -> None:
    labels = (TABLE[:, 0] > 0).long()
    lost, known = Listed(list), Listed(nn.ModuleList)
    for net, held, severity in ((lost, [], "critical"), (lost, lost.layers, "info")):
        parameters = [p for m in (net, *held) for p in m.parameters()]
        subject = training(net, TABLE, labels, criterion=CE, optimizer=SGD(parameters, lr=0.1))
        assert_unwell(model_use.unknown_layers, subject, severity=severity, mentions="4 parameter tensors")
    subject = training(known, TABLE, labels, criterion=CE, optimizer=Adam(known.parameters()))
    assert_healthy(model_use.unknown_layers, subject)


class Forgetful(nn.Module):
    """Makes a layer in each forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(nn.LayerNorm(6)(x))


def test_a_layer_that_forward_makes() -> None:
    subject = training(Forgetful(), TABLE, (TABLE[:, 0] > 0).long(), criterion=CE)
    assert_unwell(model_use.unknown_layers, subject, severity="critical", mentions="new in each pass")


class Reader(nn.Module):
    """An LSTM over padded text; what is read of it, and along which axis it runs."""

    def __init__(self, reads: str, batch_first: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.head, self.reads = nn.Embedding(20, 8, padding_idx=0), nn.Linear(8, 2), reads
        self.lstm = nn.LSTM(8, 8, batch_first=batch_first)

    def forward(self, x: Tensor) -> Tensor:
        seen = x != 0
        embedded = self.embedding(x)
        if self.reads == "packed":
            lengths = seen.sum(1).cpu()
            packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
            return self.head(self.lstm(packed)[1][0][-1])
        hidden = self.lstm(embedded)[0]
        if self.reads == "last":
            return self.head(hidden[:, -1])
        if self.reads == "all":
            return self.head(hidden.mean(1))
        return self.head((hidden * seen[..., None]).sum(1) / seen.sum(1, keepdim=True))


def test_padding_that_is_read() -> None:
    labels = torch.arange(32) % 2
    for reads, severity in (("last", "warning"), ("all", "info")):
        read = training(Reader(reads), PADDED, labels, criterion=CE)
        assert_unwell(model_sequences.reads_padding, read, severity=severity, mentions="token 0")
    for reads in ("packed", "mean"):
        assert_healthy(model_sequences.reads_padding, training(Reader(reads), PADDED, labels, criterion=CE))


def test_a_recurrent_layer_that_runs_along_the_batch() -> None:
    labels = torch.arange(32) % 2
    along = training(Reader("last", batch_first=False), PADDED, labels, criterion=CE)
    assert_unwell(model.batch_mixing, along, mentions="batch_first")
    assert_healthy(model.batch_mixing, training(Reader("last"), PADDED, labels, criterion=CE))


class Masks(Dataset[Any]):
    """A square on noise and its mask; half of the draws are mirrored, the mask as well or not."""

    def __init__(self, both: bool) -> None:
        self.both = both

    def __len__(self) -> int:
        return 32

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        mask = torch.zeros(1, 24, 24)
        mask[:, i % 12 : i % 12 + 8, 2:9] = 1
        image = mask + 0.3 * torch.randn(3, 24, 24, generator=torch.Generator().manual_seed(i))
        if torch.rand(()) < 0.5:
            image, mask = image.flip(-1), mask.flip(-1) if self.both else mask
        return image, mask


def test_masks_that_stay_behind() -> None:
    torch.manual_seed(0)
    lone, both = (Training(train_loader=DataLoader(Masks(b), batch_size=8)) for b in (False, True))
    assert_unwell(augmentation_strength.left_behind, lone, severity="critical", mentions="mirrored")
    assert_healthy(augmentation_strength.left_behind, both)


def test_a_class_that_the_criterion_ignores() -> None:
    classes = torch.arange(256) % 4
    net = nn.Linear(6, 4)
    ignoring = training(net, TABLE, classes, criterion=nn.CrossEntropyLoss(ignore_index=0))
    assert_unwell(labels.missing_class, ignoring, mentions=("ignore_index=0", "64 of 256"))
    assert_healthy(labels.missing_class, training(net, TABLE, classes, criterion=CE))


def test_a_softmax_over_independent_labels() -> None:
    flags = (TABLE[:, :4] > 0).float()
    net, criterion = nn.Sequential(nn.Linear(6, 4), nn.Softmax(dim=1)), nn.BCELoss()
    assert_unwell(loss_targets.unreachable, training(net, TABLE, flags, criterion=criterion), mentions="sum to 1")
    one_of_four = F.one_hot(torch.arange(256) % 4, 4).float()
    assert_healthy(loss_targets.unreachable, training(net, TABLE, one_of_four, criterion=criterion))
    net[1] = nn.Sigmoid()
    assert_healthy(loss_targets.unreachable, training(net, TABLE, flags, criterion=criterion))


def test_images_that_are_reconstructed_may_lie_in_0_to_1() -> None:
    images = torch.rand(64, 3, 8, 8, generator=G)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, 1, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 1, 1), nn.ReLU(), nn.Conv2d(4, 3, 3, 1, 1)
    )
    net.append(nn.Sigmoid())
    assert_unwell(normalization.missing, training(net, images, images, criterion=nn.MSELoss()), severity="info")
    labels = torch.arange(64) % 3
    told = nn.Sequential(*net[:5], nn.Flatten(), nn.Linear(192, 3))
    assert_unwell(normalization.missing, training(told, images, labels, criterion=CE), severity="warning")


def test_a_discriminator_needs_no_augmentation() -> None:
    images = torch.rand(64, 3, 8, 8, generator=G)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 1))
    flags = torch.arange(64).remainder(2)[:, None].float()
    for targets, severity in ((torch.ones(64, 1), "info"), (flags, "warning")):
        subject = training(net, images, targets, criterion=nn.BCEWithLogitsLoss(), epochs=20)
        assert_unwell(augmentation.missing, subject, severity=severity)


class TimeFirst(nn.Module):
    """A language model on (time, samples), with rows of all positions for the loss."""

    def __init__(self, flat: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.lstm, self.head, self.flat = nn.Embedding(20, 8), nn.LSTM(8, 8), nn.Linear(8, 20), flat

    def forward(self, x: Tensor) -> Tensor:
        logits = self.head(self.lstm(self.embedding(x))[0])
        return logits.flatten(0, 1) if self.flat else logits.transpose(1, 2)


@pytest.mark.parametrize("flat", [True, False])
def test_time_may_come_first(flat: bool) -> None:
    text = TOKENS.T.contiguous()
    batch = Batch(text[:16], text[1:].flatten() if flat else text[1:])
    few = batch.first(8)
    assert torch.equal(few.targets.reshape(8, 64), text[1:9])
    assert forward(TimeFirst(flat), few).shape[0] == (8 * 64 if flat else 8)
    assert_healthy(model.batch_mixing, outputs(TimeFirst(flat), (batch,)))
