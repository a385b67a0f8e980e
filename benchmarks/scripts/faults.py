"""Faults of the loop, and harmless peculiarities, as replaced lines of the script."""

from __future__ import annotations

from dataclasses import dataclass


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


NO_NO_GRAD = {"no_grad": "", "no_grad_block": "torch.enable_grad()"}
BOTH = {"zero_grad": "", "step": "if (i + 1) % 4 == 0:\n    optimizer.step()\n    optimizer.zero_grad()"}
SCALER = "scaler = torch.amp.GradScaler('cpu')"
SCALED = {
    "before_epoch": SCALER,
    "backward": "scaler.scale(loss).backward()",
    "step": "scaler.step(optimizer)\nscaler.update()",
}

FAULTS: tuple[Variant, ...] = (
    sick("no zero_grad", "loop.zero_grad_missing", zero_grad=""),
    sick("zero_grad once per epoch", "loop.zero_grad_missing", zero_grad="", before_epoch="optimizer.zero_grad()"),
    sick("zero_grad between backward and step", "loop.detached", ("model.unused_parameters",), zero_grad="", backward="loss.backward()\noptimizer.zero_grad()"),
    sick("no step", "loop.step_missing", step=""),
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
)  # fmt: skip

HEALTHY: tuple[Variant, ...] = (
    Variant("plain", (), {}),
    Variant("zero_grad after step", (), {"zero_grad": "", "after_step": "optimizer.zero_grad(set_to_none=True)"}),
    Variant("gradients set to None by hand", (), {"zero_grad": "for p in net.parameters():\n    p.grad = None"}),
    Variant("accumulation, divided", (), {**BOTH, "backward": "(loss / 4).backward()"}),
    Variant("one-cycle per batch", (), {"scheduler": "torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, epochs=args.epochs, steps_per_epoch=len(train_loader))", "after_step": "scheduler.step()", "epoch_end": ""}),
    Variant("rate by hand", (), {"scheduler": "None", "epoch_end": "for group in optimizer.param_groups:\n    group['lr'] = args.lr * 0.5 ** (1 + globals().get('done', 0) // 10)\nglobals()['done'] = globals().get('done', 0) + 1"}),
    Variant("clipped", (), {"clip": "nn.utils.clip_grad_norm_(net.parameters(), 5.0)"}),
    Variant("scaler, clipped after unscaling", (), {**SCALED, "clip": "scaler.unscale_(optimizer)\nnn.utils.clip_grad_norm_(net.parameters(), 5.0)"}),
    Variant("predictions as NumPy arrays", (), {"count": "correct += int((output.cpu().numpy().argmax(1) == y.numpy()).sum())"}),
    Variant("functional loss, smoothed", (), {"loss": "loss = F.cross_entropy(output, y, label_smoothing=0.1)"}),
    Variant("mixup", (), {"loss": "mix = torch.randperm(len(x))\noutput = net(0.7 * x + 0.3 * x[mix])\nloss = 0.7 * criterion(output, y) + 0.3 * criterion(output, y[mix])"}),
    Variant("weight average evaluated", (), {"before_epoch": "global average\naverage = globals().get('average') or torch.optim.swa_utils.AveragedModel(net)" , "after_step": "average.update_parameters(net)"}, styles=("functions", "trainer")),
)  # fmt: skip
