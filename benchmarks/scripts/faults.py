"""Faults of the loop, and harmless peculiarities, as replaced lines of the script."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Variant:
    """One script. codes: any of these names the fault; none for a healthy one.  lines: what is replaced.

    consequences: codes that may be said as well.  styles: those that it makes sense in, all by default.
    """

    name: str
    codes: tuple[str, ...]
    lines: dict[str, str]
    consequences: tuple[str, ...] = ()
    styles: tuple[str, ...] = ("functions", "trainer", "module")


def sick(name: str, code: str, consequences: tuple[str, ...] = (), also: tuple[str, ...] = (), **lines: str) -> Variant:
    """A fault, with the code that names it."""
    return Variant(name, (code, *also), lines, consequences)


def only(style: str, variant: Variant, *others: str) -> Variant:
    """The same in these styles alone."""
    return replace(variant, styles=(style, *others))


NO_NO_GRAD = {"no_grad": "", "no_grad_block": "torch.enable_grad()"}
BOTH = {"zero_grad": "", "step": "if (i + 1) % 4 == 0:\n    optimizer.step()\n    optimizer.zero_grad()"}
SCALER = "scaler = torch.amp.GradScaler('cpu')"
SCALED = {
    "before_epoch": SCALER,
    "backward": "scaler.scale(loss).backward()",
    "step": "scaler.step(optimizer)\nscaler.update()",
}

STEP_LR = "torch.optim.lr_scheduler.StepLR(optimizer, step_size=20, gamma=0.1)"
BINARY = """\
class Binary(torch.utils.data.Dataset):
    def __init__(self, inner):
        self.inner = inner

    def __len__(self):
        return len(self.inner)

    def __getitem__(self, index):
        x, y = self.inner[index]
        return x, torch.tensor([float(1 < y < 8)])

train_set, test_set = Binary(train_set), Binary(test_set)"""
SINGLE = {
    "data": BINARY,
    "layers": "self.head = nn.Linear(64, 1)",
    "loss": "loss = F.binary_cross_entropy_with_logits(output, y)",
}
RIGHT_SINGLE = "correct += ((output > 0) == (y.to(output.device) > 0.5)).sum().item()"
TEACHER = "globals().setdefault('teacher', Net())\nfor p in teacher.parameters():\n    p.requires_grad_(False)\n"
TAUGHT = """\
xs, ys = zip(*(train_set[i] for i in range(1000)))
body = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.BatchNorm1d(192)).eval()
seen = body(torch.stack(xs)).detach()
teacher = globals().setdefault('teacher', nn.Sequential(body, nn.Linear(192, 10)))
with torch.no_grad():
    wanted = F.one_hot(torch.tensor(ys), 10).float() - 0.1
    teacher[1].weight.copy_(5 * torch.linalg.solve(seen.T @ seen + 30 * torch.eye(192), seen.T @ wanted).T)
for p in teacher.parameters():
    p.requires_grad_(False)
"""
DISTILLED = "with torch.no_grad():\n    soft = teacher(x).softmax(1)\nloss = 0.5 * criterion(output, y) + 0.5 * F.kl_div(output.log_softmax(1), soft, reduction='batchmean')"
AVERAGED = {
    "built": "global average, raw\naverage, raw = copy.deepcopy(net), net",
    "eval_mode": "net = average\nnet.eval()",
}
KEYS = "self.query, self.key = nn.Linear(64, 64), nn.Linear(64, 64)\nself.seen = nn.Parameter(torch.randn(16, 64))"

AHEAD = """\
class Prefetcher:
    def __init__(self, loader):
        self.batches = iter(loader)
        self.preload()

    def preload(self):
        try:
            x, y = next(self.batches)
        except StopIteration:
            self.following = None
            return
        self.following = x.cuda(non_blocking=True).mul(1.0), y.cuda(non_blocking=True)

    def __iter__(self):
        while self.following is not None:
            batch = self.following
            self.preload()
            yield batch"""
BACKGROUND = """\
import queue, threading

def in_background(loader, batches=None):
    def fetch():
        for x, y in loaded:
            batches.put((x.mul(1.0), y))
        batches.put(None)

    loaded, batches = iter(loader), queue.Queue(2)
    threading.Thread(target=fetch, daemon=True).start()
    return iter(batches.get, None)"""

OWN_RATE = {"scheduler": "None", "epoch_start": "adjust(optimizer, epoch)", "epoch_end": ""}
ADJUST = "def adjust(optimizer, epoch):\n    for group in optimizer.param_groups:\n        group['lr'] = args.lr * {}"
HERE = "rate = args.lr * {}\nfor group in optimizer.param_groups:\n    group['lr'] = rate"
PLATEAU = "torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer{}, patience=3)"
BY_HAND = {"scaled": "x_test = (x_test - mean) / std", "shuffled": ""}
MEAN_LOSS = "reconstruction = F.mse_loss(recon, x.flatten(1))"
BINARY_LOSS = "reconstruction = F.binary_cross_entropy(recon, x.flatten(1))"

FAULTS: tuple[Variant, ...] = (
    sick("no zero_grad", "loop.zero_grad_missing", zero_grad=""),
    sick("zero_grad once per epoch", "loop.zero_grad_missing", zero_grad="", before_epoch="optimizer.zero_grad()"),
    sick("zero_grad between backward and step", "loop.gradients_lost", ("model.unused_parameters",), zero_grad="", backward="loss.backward()\noptimizer.zero_grad()"),
    sick("no step", "loop.step_missing", step=""),
    sick("targets in another order than their inputs", "loop.targets_reordered", loss="loss = criterion(output, y[torch.randperm(len(y))])"),
    sick("mixup without its targets", "loop.targets_unmixed", ("labels.*", "augmentation.*"), loss="share, mix = torch.rand(()).item(), torch.randperm(len(x))\noutput = net((1 - share) * x + share * x[mix])\nloss = criterion(output, y)"),
    sick("no backward", "loop.backward_missing", backward=""),
    sick("loss detached", "loop.detached", loss="loss = criterion(output.detach(), y).requires_grad_()"),
    sick("loss from a new tensor", "loop.detached", loss="loss = torch.tensor(criterion(output, y).item(), requires_grad=True)"),
    sick("never back to train mode", "loop.eval_mode_in_training", train_mode="net.train() if 'started' not in globals() else None\nglobals()['started'] = 1"),
    sick("eval mode throughout", "loop.eval_mode_in_training", train_mode="net.eval()"),
    sick("evaluation in train mode", "loop.train_mode_in_evaluation", eval_mode="net.train()"),
    sick("no eval()", "loop.train_mode_in_evaluation", eval_mode="pass"),
    sick("no no_grad", "loop.grad_in_evaluation", **NO_NO_GRAD),
    sick("losses summed with their graphs", "loop.graph_accumulated", keep="total = total + loss"),
    sick("outputs kept with their graphs", "loop.graph_accumulated", keep="total += loss.item()\nhistory.append(output)"),
    sick("accumulation not divided", "loop.accumulation_not_divided", **BOTH),
    sick("trains on the test set", "loop.trains_on_evaluation_data", ("data.*", "augmentation.*", "metric.wrong"), train_data="test_set", test_data="train_set"),
    sick("evaluates on the training set", "loop.evaluates_on_training_data", ("data.leakage", "augmentation.on_evaluation", "metric.wrong"), test_data="train_set"),
    sick("weights made anew in each epoch", "loop.inplace_weights", epoch_start="for m in net.modules():\n    if hasattr(m, 'reset_parameters'):\n        m.reset_parameters()"),
    sick("weights set back every few steps", "loop.inplace_weights", after_step="if i % 4 == 3:\n    with torch.no_grad():\n        for p in net.parameters():\n            p.mul_(0.5)"),
    sick("scheduler never stepped", "loop.scheduler_never_stepped", ("schedule.*",), epoch_end=""),
    sick("scheduler stepped per batch", "loop.scheduler_every_batch", ("schedule.*",), after_step="scheduler.step()", epoch_end=""),
    sick("optimizer made anew in each epoch", "optimizer.state_lost", ("schedule.*",), epoch_start="optimizer = make_optimizer(net)"),
    sick("clipped before unscaling", "clip.before_unscale", ("clip.too_small",), **{**SCALED, "clip": "nn.utils.clip_grad_norm_(net.parameters(), 1.0)"}),
    sick("softmax before the loss", "loss.softmax_before_cross_entropy", loss="loss = criterion(F.softmax(output, dim=1), y)"),
    sick("largest outputs in place of their numbers", "metric.wrong", count="correct += (output.max(1)[0] == y.to(output.device)).sum().item()"),
    sick("predictions against targets of another shape", "metric.wrong", count="correct += (output.argmax(1, keepdim=True) == y.to(output.device)).sum().item()"),
    sick("shares of batches summed as counts", "metric.wrong", count="correct += (output.argmax(1) == y.to(output.device)).float().mean().item()"),
    only("functions", sick("scheduler stepped twice per epoch", "loop.scheduler_twice", ("schedule.*",), epoch_end="scheduler.step()\nscheduler.step()"), "module"),
    only("phases", sick("scheduler stepped in each phase", "loop.scheduler_twice", ("schedule.*",), after_phase="scheduler.step()", epoch_end="")),
    only("phases", sick("StepLR stepped in each phase", "loop.scheduler_twice", ("schedule.*",), scheduler=STEP_LR, after_phase="scheduler.step()", epoch_end="")),
    only("phases", sick("scheduler stepped per batch of each phase", "loop.scheduler_every_batch", ("schedule.*",), after_batch="scheduler.step()", epoch_end="")),
    only("phases", sick("StepLR stepped per training batch", "loop.scheduler_every_batch", ("schedule.*",), scheduler=STEP_LR, after_step="scheduler.step()", epoch_end="")),
    only("functions", sick("dropout called without its mode, at the input", "dropout.without_mode", ("metric.*",), features="x = self.features(F.dropout(x, 0.1)).mean((2, 3))")),
    only("functions", sick("dropout called without its mode, before the head", "dropout.without_mode", ("metric.*",), output="self.head(F.dropout(x, 0.1))")),
    only("functions", sick("teacher in train mode", "loop.teacher_in_train_mode", built=TAUGHT + "teacher.train()", loss=DISTILLED)),
    only("functions", sick("teacher without its checkpoint", "loop.teacher_untrained", built=TEACHER + "teacher.eval()", loss=DISTILLED)),
    only("functions", sick("initialized behind the checkpoint", "init.pretrained_lost", built="net.load_state_dict(Net().state_dict())\nfor m in net.modules():\n    if hasattr(m, 'reset_parameters'):\n        m.reset_parameters()")),
    only("functions", sick("average that hardly moves", "loop.average_stuck", ("metric.*",), **AVERAGED, after_step="with torch.no_grad():\n    for a, p in zip(average.parameters(), net.parameters()):\n        a.mul_(0.99999).add_(p, alpha=0.00001)\n    for a, p in zip(average.buffers(), net.buffers()):\n        a.copy_(p)")),
    sick("gradients cleared before the step", "loop.gradients_lost", zero_grad="", backward="loss.backward()\noptimizer.zero_grad()"),
    sick("gradients cleared before each part of a batch", "loop.gradients_lost", step="if (i + 1) % 4 == 0:\n    optimizer.step()"),
    only("functions", sick("scaler passed by", "precision.scaler_bypassed", ("lr.*", "loss.*"), **{**SCALED, "step": "optimizer.step()"}), "module"),
    only("functions", sick("average without statistics", "loop.average_statistics", ("metric.*",), **AVERAGED, after_step="with torch.no_grad():\n    for a, p in zip(average.parameters(), net.parameters()):\n        a.mul_(0.9).add_(p, alpha=0.1)")),
    only("functions", sick("break left in the loop", "loop.epoch_cut", after_step="if i == 3:\n    break"), "module"),
    only("functions", sick("seed set in each epoch", "loop.reseeded", epoch_start="torch.manual_seed(0)"), "module"),
    only("functions", sick("seed set after each epoch", "loop.reseeded", epoch_end="scheduler.step()\ntorch.manual_seed(0)\nprint(torch.randn(2))")),
    only("functions", sick("mean divided by the batch size", "loss.divided_twice", ("lr.*",), loss="loss = criterion(output, y) / len(x)"), "module", "trainer"),
    only("functions", sick("rate of one's own, drops after the end", "schedule.never_decays", ("schedule.*",), **OWN_RATE, built=ADJUST.format("0.1 ** (epoch // (2 * args.epochs))"))),
    only("functions", sick("rate of one's own, drops at once", "schedule.decays_too_early", ("schedule.*", "decay.*"), **OWN_RATE, built=ADJUST.format("(0.001 if epoch > args.epochs // 10 else 1.0)"))),
    only("functions", sick("rate set in the loop, drops after the end", "schedule.never_decays", ("schedule.*",), scheduler="None", epoch_start=HERE.format("0.1 ** (epoch // (2 * args.epochs))"), epoch_end=""), "module"),
    only("functions", sick("penalty of one's own, too large", "regularization.excessive", ("decay.*",), loss="loss = criterion(output, y) + 0.1 * sum(p.square().sum() for p in net.parameters())"), "module"),
    only("functions", sick("softmax over the batch in attention", "model.softmax_over_batch", (), layers=KEYS, features="x = self.features(x).mean((2, 3))\nx = x + 0.02 * (self.query(x) @ self.key(self.seen).T).softmax(0) @ self.seen")),
    only("functions", sick("softmax over the batch of logits", "model.softmax_over_batch", ("loss.*",), output="F.softmax(self.head(x), dim=0)")),
    only("functions", sick("softmax over the batch before the loss", "model.softmax_over_batch", ("loss.*",), loss="loss = criterion(F.softmax(output, dim=0), y)")),
    only("functions", sick("logits of one output against a half", "metric.wrong", **SINGLE, count="correct += ((output > 0.5) == (y.to(output.device) > 0.5)).sum().item()"), "module"),
    only("functions", sick("largest of one output", "metric.wrong", **SINGLE, count="correct += (output.argmax(1) == y.to(output.device)[:, 0]).sum().item()"), "module"),
    only("forked", sick("no zero_grad in a child", "loop.zero_grad_missing", zero_grad="")),
    only("functions", sick("plateau told the accuracy", "schedule.plateau_mode", ("schedule.*",), scheduler=PLATEAU.format(""), epoch_end="scheduler.step(accuracy)")),
    only("functions", sick("plateau of a rising loss", "schedule.plateau_mode", ("schedule.*",), scheduler=PLATEAU.format(", mode='max'"), epoch_end="scheduler.step(loss)")),
    only("module", sick("plateau told the accuracy", "schedule.plateau_mode", ("schedule.*",), scheduler=PLATEAU.format(""), epoch_end="scheduler.step(correct / len(test_set))")),
    sick("a term for one class that a batch may lack", "loop.nonfinite", ("loss.*", "lr.*"), batch_size="16", loss="loss = criterion(output, y) + 0.5 * criterion(output[y == 3], y[y == 3])"),
    only("functions", sick("root of sums of squares that are zero", "loop.nonfinite", ("loss.*", "lr.*"), loss="loss = criterion(output, y) + 1e-4 * sum(torch.sqrt((p ** 2).sum()) for p in net.parameters())"), "module"),
    only("tensors", sick("index forgotten", "loop.same_slice", ("augmentation.*",), cut="xb, yb = x_train[:size], y_train[:size]", shuffled="", flipped="")),
    only("tensors", sick("index forgotten, batches cropped", "loop.same_slice", cut="xb, yb = x_train[:size], y_train[:size]", shuffled="")),
    only("tensors", sick("batches centred in place", "loop.data_overwritten", ("augmentation.*",), **BY_HAND, prepared="xb -= mean\nxb /= std", flipped="")),
    only("tensors", sick("batches centred in place, then cropped", "loop.data_overwritten", **BY_HAND, prepared="xb -= mean\nxb /= std")),
    only("tensors", sick("batches divided in place", "loop.data_overwritten", ("augmentation.*",), scaled="", shuffled="", prepared="xb.div_(255)", tested="xb = xb / 255", flipped="")),
    only("table", sick("column minus row", "loss.broadcast", given="net(x)")),
    only("table", sick("column minus row in a Huber loss", "loss.broadcast", given="net(x)", objective="error = torch.abs(target - prediction)\nreturn torch.where(error < 1, 0.5 * error ** 2, error - 0.5).mean()")),
    only("vae", sick("divergence summed, squares averaged", "loss.term_summed", reconstruction=MEAN_LOSS, divergence="kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())")),
    only("vae", sick("divergence summed over the batch, weighted", "loss.term_summed", reconstruction=BINARY_LOSS, divergence="kl = 0.1 * -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum(1).sum()")),
    only("gan", sick("both schedulers on one optimizer", "schedule.twins", schedulers="schedulerD = torch.optim.lr_scheduler.CosineAnnealingLR(optimizerD, 30)\nschedulerG = torch.optim.lr_scheduler.CosineAnnealingLR(optimizerD, 30)")),
    only("gan", sick("both steps on one optimizer", "schedule.twins", schedulers="schedulerD = torch.optim.lr_scheduler.StepLR(optimizerG, 10, gamma=0.5)\nschedulerG = torch.optim.lr_scheduler.StepLR(optimizerG, step_size=10, gamma=0.5)")),
)  # fmt: skip

HEALTHY: tuple[Variant, ...] = (
    Variant("plain", (), {}),
    Variant("zero_grad after step", (), {"zero_grad": "", "after_step": "optimizer.zero_grad(set_to_none=True)"}),
    Variant("gradients set to None by hand", (), {"zero_grad": "for p in net.parameters():\n    p.grad = None"}),
    Variant("accumulation, divided", (), {**BOTH, "backward": "(loss / 4).backward()"}),
    Variant("seed of its own after each epoch", (), {"epoch_end": "scheduler.step()\nwith torch.random.fork_rng():\n    torch.manual_seed(0)\n    print(torch.randn(2))"}, styles=("functions",)),
    Variant("one-cycle per batch", (), {"scheduler": "torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, epochs=args.epochs, steps_per_epoch=len(train_loader))", "after_step": "scheduler.step()", "epoch_end": ""}),
    Variant("rate of one's own", (), {**OWN_RATE, "built": ADJUST.format("0.1 ** (2 * epoch // args.epochs + epoch // (0.75 * args.epochs))")}, styles=("functions",)),
    Variant("rate set in the loop", (), {"scheduler": "None", "epoch_start": HERE.format("(1 - epoch / args.epochs)"), "epoch_end": ""}, styles=("functions", "module")),
    Variant("rate by hand", (), {"scheduler": "None", "epoch_end": "for group in optimizer.param_groups:\n    group['lr'] = args.lr * 0.5 ** (1 + globals().get('done', 0) // 10)\nglobals()['done'] = globals().get('done', 0) + 1"}),
    Variant("clipped", (), {"clip": "nn.utils.clip_grad_norm_(net.parameters(), 5.0)"}),
    Variant("scaler, clipped after unscaling", (), {**SCALED, "clip": "scaler.unscale_(optimizer)\nnn.utils.clip_grad_norm_(net.parameters(), 5.0)"}),
    Variant("predictions as NumPy arrays", (), {"count": "correct += int((output.cpu().numpy().argmax(1) == y.numpy()).sum())"}),
    Variant("functional loss, smoothed", (), {"loss": "loss = F.cross_entropy(output, y, label_smoothing=0.1)"}),
    Variant("mixup", (), {"loss": "mix = torch.randperm(len(x))\noutput = net(0.7 * x + 0.3 * x[mix])\nloss = 0.7 * criterion(output, y) + 0.3 * criterion(output, y[mix])"}),
    Variant("weight average evaluated", (), {"before_epoch": "global average\naverage = globals().get('average') or torch.optim.swa_utils.AveragedModel(net)" , "after_step": "average.update_parameters(net)"}, styles=("functions", "trainer")),
    Variant("plain", (), {}, styles=("phases", "forked")),
    Variant("half a schedule in each phase", (), {"scheduler": "torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2 * args.epochs)", "after_phase": "scheduler.step()", "epoch_end": ""}, styles=("phases",)),
    Variant("one-cycle per training batch", (), {"scheduler": "torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, epochs=args.epochs, steps_per_epoch=len(train_loader))", "after_step": "scheduler.step()", "epoch_end": ""}, styles=("phases",)),
    Variant("dropout called with its mode, at the input", (), {"features": "x = self.features(F.dropout(x, 0.1, self.training)).mean((2, 3))"}, styles=("functions",)),
    Variant("teacher in eval mode", (), {"built": TAUGHT + "teacher.eval()", "loss": DISTILLED}, styles=("functions",)),
    Variant("average that follows", (), {**AVERAGED, "after_step": "with torch.no_grad():\n    for a, p in zip(average.parameters(), net.parameters()):\n        a.mul_(0.99).add_(p, alpha=0.01)\n    for a, p in zip(average.buffers(), net.buffers()):\n        a.copy_(p)"}, styles=("functions",)),
    Variant("softmax over what was seen in attention", (), {"layers": KEYS, "features": "x = self.features(x).mean((2, 3))\nx = x + 0.02 * (self.query(x) @ self.key(self.seen).T).softmax(1) @ self.seen"}, styles=("functions",)),
    Variant("batches fetched ahead", (), {"data": AHEAD, "train_on": "Prefetcher(loader)", "test_on": "Prefetcher(test_loader)"}, styles=("functions",)),
    Variant("batches fetched by a thread", (), {"data": BACKGROUND, "train_on": "in_background(loader)", "test_on": "in_background(test_loader)"}, styles=("functions",)),
    Variant("plain", (), {}, styles=("tensors", "table", "vae", "gan")),
    Variant("batches scaled as copies", (), {**BY_HAND, "prepared": "xb = (xb - mean) / std"}, styles=("tensors",)),
    Variant("row of targets as a column", (), {"targets": "y = y[:, None]", "given": "net(x)"}, styles=("table",)),
    Variant("plateau of an accuracy", (), {"scheduler": PLATEAU.format(", 'max'"), "epoch_end": "scheduler.step(accuracy)"}, styles=("functions",)),
    Variant("one output", (), {**SINGLE, "count": RIGHT_SINGLE}, styles=("functions", "module")),
)  # fmt: skip
