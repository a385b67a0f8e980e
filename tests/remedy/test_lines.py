"""Edits of a loop of which only the line is known."""

from pathlib import Path

import pytest

from trainingdoctor.observing.places import Place
from trainingdoctor.remedy import (
    AtEndOfLoop,
    BesideCall,
    CallOn,
    Edit,
    NumbersOnly,
    SetMode,
    UnwrapWithin,
    WithinContext,
)
from trainingdoctor.remedy.loops import turns
from trainingdoctor.remedy.source import Source, Unplaceable

FILE = Path("/train.py")
LOOP = """\
import torch
net = Net()
opt = SGD(net)

def train(net, loader):
    for x, y in loader:
        out = net(x)
        loss = criterion(out, y)
        loss.backward()
        opt.step()

def test(net, loader):
    total = 0
    for x, y in loader:
        out = net(x)
        loss = criterion(out, y)
        total += loss
    return total

for epoch in range(3):
    train(net, a)
    test(net, b)
"""
TRAIN, BACKWARD, STEP, TEST, EPOCHS = 6, 9, 10, 14, 20


def at(line: int) -> Place:
    return Place(FILE, line, 0, line, 0)


def changed(edit: Edit, text: str = LOOP) -> str:
    source = Source(FILE, text)
    edit.apply(source)
    return source.written()


def test_a_statement_goes_beside_the_call_of_a_method() -> None:
    made = changed(BesideCall(at(STEP), "step", "{receiver}.zero_grad()"))
    assert "        opt.step()\n        opt.zero_grad()\n" in made
    before = changed(BesideCall(at(STEP), "step", "{receiver}.check()", before=True))
    assert "        opt.check()\n        opt.step()\n" in before


def test_a_scalers_optimizer_is_its_first_argument() -> None:
    text = LOOP.replace("opt.step()", "scaler.step(opt)")
    assert "scaler.step(opt)\n        opt.zero_grad()\n" in changed(
        BesideCall(at(STEP), "step", "{first}.zero_grad()"), text
    )


def test_a_line_without_the_call_is_refused() -> None:
    with pytest.raises(Unplaceable, match="calls no step"):
        changed(BesideCall(at(BACKWARD), "step", "x"))


def test_the_receiver_is_exchanged() -> None:
    assert "        (loss / 4).backward()\n" in changed(CallOn(at(BACKWARD), "backward", "({receiver} / 4)"))
    scaled = LOOP.replace("loss.backward()", "scaler.scale(loss).backward()")
    assert "scaler.scale(loss / 4).backward()" in changed(CallOn(at(BACKWARD), "backward", "({receiver} / 4)"), scaled)


def test_a_mode_is_set_before_the_loop() -> None:
    assert "    net.eval()\n    for x, y in loader:\n" in changed(SetMode(at(TEST), "eval"))
    assert (
        "    net.train()\n    for x, y in loader:\n        out = net(x)\n        loss = criterion(out, y)\n        loss.back"
        in changed(SetMode(at(TRAIN), "train"))
    )


def test_the_wrong_mode_is_exchanged_where_it_stands() -> None:
    text = LOOP.replace("    total = 0\n", "    net.train()\n    total = 0\n")
    made = changed(SetMode(at(TEST + 1), "eval"), text)
    assert made == text.replace("net.train()", "net.eval()")


def test_a_mode_that_stands_there_already_is_not_set_twice() -> None:
    text = LOOP.replace("    total = 0\n", "    net.eval()\n    total = 0\n")
    with pytest.raises(Unplaceable, match="already"):
        changed(SetMode(at(TEST + 1), "eval"), text)


def test_a_loop_goes_into_a_context() -> None:
    made = changed(WithinContext(at(TEST), "torch.no_grad()"))
    assert "    with torch.no_grad():\n        for x, y in loader:\n            out = net(x)\n" in made
    assert made.count("return total") == 1


def test_a_statement_goes_to_the_end_of_a_loop_that_knows_its_names() -> None:
    assert changed(AtEndOfLoop(at(EPOCHS), "opt.step()", "opt")).endswith("    test(net, b)\n    opt.step()\n")
    with pytest.raises(Unplaceable, match="sched is not known"):
        changed(AtEndOfLoop(at(EPOCHS), "sched.step()", "sched"))
    local = LOOP.replace("    total = 0\n", "    total = 0\n    sched = 1\n")
    with pytest.raises(Unplaceable, match="sched is not known"):
        changed(AtEndOfLoop(at(EPOCHS + 1), "sched.step()", "sched"), local)


@pytest.mark.parametrize(
    ("kept", "made"),
    [
        ("total += loss", "total += loss.item()"),
        ("total = total + loss", "total = total + loss.item()"),
        ("seen.append(out)", "seen.append(out.detach())"),
    ],
)
def test_what_is_added_up_becomes_numbers(kept: str, made: str) -> None:
    text = LOOP.replace("total += loss", kept)
    assert f"        {made}\n" in changed(NumbersOnly(at(TEST)), text)


def test_numbers_that_are_numbers_already_are_left_alone() -> None:
    text = LOOP.replace("total += loss", "total += 1")
    with pytest.raises(Unplaceable, match="was not found"):
        changed(NumbersOnly(at(TEST)), text)


def test_a_line_that_is_no_head_of_a_loop_is_refused() -> None:
    with pytest.raises(Unplaceable, match="head of no loop"):
        changed(SetMode(at(BACKWARD), "train"))


def test_the_only_softmax_of_a_loop_is_taken_away() -> None:
    text = LOOP.replace("out = net(x)", "out = F.softmax(net(x), dim=1)")
    made = changed(UnwrapWithin(at(TRAIN), "softmax"), text)
    assert made.splitlines()[6] == "        out = net(x)"
    assert made.count("softmax") == 1
    with pytest.raises(Unplaceable, match=r"the loop at train\.py:6 calls softmax 0 times"):
        changed(UnwrapWithin(at(TRAIN), "softmax"))


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("range(n)", "n"),
        ("range(0, args.n)", "args.n"),
        ("range(1, args.n + 1)", "args.n"),
        ("range(3)", None),
        ("range(late)", None),
        ("batches", None),
    ],
)
def test_what_a_loop_is_as_long_as_has_a_name(head: str, name: str | None) -> None:
    text = f"n, args = 3, parsed()\nopt = SGD(p)\nfor i in {head}:\n    late = i\n"
    assert turns(Source(FILE, text), at(3), Place(FILE, 2, 6, 2, 12)) == name


def test_the_length_of_a_loop_in_another_function_is_not_known() -> None:
    text = "n = 1\ndef made():\n    return SGD(p)\nfor i in range(n):\n    pass\n"
    assert turns(Source(FILE, text), at(4), Place(FILE, 3, 11, 3, 17)) is None


def test_nothing_is_put_behind_a_continue() -> None:
    text = "s = Step()\nfor i in range(3):\n    for j in i:\n        continue\n    if i:\n        continue\n"
    edit = AtEndOfLoop(at(2), "s.step()", "s")
    with pytest.raises(Unplaceable, match=r"the loop at train\.py:2 goes on before its end, at line 6"):
        changed(edit, text)
    assert changed(edit, text.replace("    if i:\n        continue\n", "")).endswith("    s.step()\n")
