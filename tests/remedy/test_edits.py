"""Each edit on a source of a few lines: what changes, and that nothing else does."""

from pathlib import Path

import pytest

from trainingdoctor.observing.places import CallSite, Place
from trainingdoctor.remedy import (
    AddElements,
    AddField,
    AddStatement,
    DropArgument,
    Edit,
    MoveElement,
    MoveStatement,
    RemoveElement,
    RemoveStatement,
    Replace,
    ScaleArgument,
    SetArgument,
    SetAttribute,
    SetCallee,
    SetField,
    Unwrap,
    WithoutSteps,
    Wrap,
    WrapUse,
)
from trainingdoctor.remedy.arguments import SetDefault
from trainingdoctor.remedy.source import Source, Unplaceable

FILE = Path("/config.py")
SGD = ("params", "lr", "momentum", "dampening", "weight_decay")


def place(text: str, part: str) -> Place:
    """Where a part of a text stands, in it once."""
    assert text.count(part) == 1
    before = text[: text.index(part)]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n") - 1
    end = before + part
    return Place(FILE, line, column, end.count("\n") + 1, len(end) - end.rfind("\n") - 1)


def site(text: str, part: str, parameters: tuple[str, ...] = SGD) -> CallSite:
    return CallSite(place(text, part), parameters)


def changed(text: str, *edits: Edit) -> str:
    source = Source(FILE, text)
    for edit in edits:
        edit.apply(source)
    return source.written()


def test_a_keyword_gets_another_value_and_comments_stay() -> None:
    text = "opt = SGD(p, lr=0.5,  # high\n          momentum=0.9)\n"
    call = "SGD(p, lr=0.5,  # high\n          momentum=0.9)"
    assert changed(text, SetArgument(site(text, call), "lr", "0.1")) == text.replace("0.5", "0.1")


def test_an_argument_by_position_gets_another_value() -> None:
    text = "opt = SGD(p, 0.5)\n"
    assert changed(text, SetArgument(site(text, "SGD(p, 0.5)"), "lr", "0.1")) == "opt = SGD(p, 0.1)\n"


def test_a_new_keyword_stands_at_the_end() -> None:
    text = "opt = SGD(p, lr=0.5)\n"
    edits = [
        SetArgument(site(text, "SGD(p, lr=0.5)"), n, v) for n, v in (("momentum", "0.9"), ("weight_decay", "5e-4"))
    ]
    assert changed(text, *edits) == "opt = SGD(p, lr=0.5, momentum=0.9, weight_decay=5e-4)\n"


def test_a_new_keyword_gets_a_line_of_its_own_where_the_others_have() -> None:
    text = "opt = SGD(\n    p,\n    lr=0.5,\n)\n"
    call = text[len("opt = ") : -1]
    expected = "opt = SGD(\n    p,\n    lr=0.5,\n    momentum=0.9,\n)\n"
    assert changed(text, SetArgument(site(text, call), "momentum", "0.9")) == expected


def test_a_new_keyword_stands_on_the_last_line_where_lines_hold_several() -> None:
    text = "opt = SGD(p,\n          lr=0.5, momentum=0.9)\n"
    made = changed(text, SetArgument(site(text, text[6:-1]), "weight_decay", "5e-4"))
    assert made == text.replace("0.9)", "0.9, weight_decay=5e-4)")


def test_a_comment_of_a_neighbour_is_not_repeated() -> None:
    text = "opt = SGD(\n    p,  # all of them\n    lr=0.5,\n)\n"
    call = text[len("opt = ") : -1]
    assert changed(text, SetArgument(site(text, call), "momentum", "0.9")).count("all of them") == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("LR = 0.5\nopt = SGD(p, lr=LR)\n", "LR = 0.1\nopt = SGD(p, lr=LR)\n"),
        ('cfg = {"lr": 0.5}\nopt = SGD(p, lr=cfg["lr"])\n', 'cfg = {"lr": 0.1}\nopt = SGD(p, lr=cfg["lr"])\n'),
        (
            "args = Namespace(lr=0.5)\nopt = SGD(p, lr=args.lr)\n",
            "args = Namespace(lr=0.1)\nopt = SGD(p, lr=args.lr)\n",
        ),
        (
            'parser.add_argument("--lr", type=float, default=0.5)\nopt = SGD(p, lr=args.lr)\n',
            'parser.add_argument("--lr", type=float, default=0.1)\nopt = SGD(p, lr=args.lr)\n',
        ),
        (
            'add("--lr")\np.add_argument("--lr", default=0.5)\nself.lr = None\nself.rate = config.lr\nopt = SGD(p, lr=self.rate)\n',
            'add("--lr")\np.add_argument("--lr", default=0.1)\nself.lr = None\nself.rate = config.lr\nopt = SGD(p, lr=self.rate)\n',
        ),
        (
            'c = {"lr": 0.5}\nlr = c.get("lr")\nopt = SGD(p, lr=lr)\n',
            'c = {"lr": 0.1}\nlr = c.get("lr")\nopt = SGD(p, lr=lr)\n',
        ),
        ('o = dict(lr=0.5)\nopt = SGD(p, lr=float(o["lr"]))\n', 'o = dict(lr=0.1)\nopt = SGD(p, lr=float(o["lr"]))\n'),
        ('o = {"lr": 0.5}\nopt = SGD(p, **o)\n', 'o = {"lr": 0.1}\nopt = SGD(p, **o)\n'),
        ('o = {"m": 1} if c else {}\nopt = SGD(p, **o)\n', 'o = {"m": 1} if c else {}\nopt = SGD(p, lr=0.1, **o)\n'),
        (
            "def __init__(self, lr=0.5):\n    self.lr = lr\n    self.opt = SGD(p, lr=self.lr)\n",
            "def __init__(self, lr=0.1):\n    self.lr = lr\n    self.opt = SGD(p, lr=self.lr)\n",
        ),
        ("LR = 0.5\nopt = SGD(p, lr=(LR, 0.2))\n", "LR = 0.1\nopt = SGD(p, lr=(LR, 0.2))\n"),
        ("lr, n = 0.5, 3\nopt = SGD(p, lr=lr)\n", "lr, n = 0.1, 3\nopt = SGD(p, lr=lr)\n"),
        ("LR = 0.5\nLR = 0.6\nopt = SGD(p, lr=LR)\n", "LR = 0.5\nLR = 0.6\nopt = SGD(p, lr=0.1)\n"),
        ("LR = 0.05 * 10\nopt = SGD(p, lr=LR)\n", "LR = 0.05 * 10\nopt = SGD(p, lr=0.1)\n"),
    ],
)
def test_a_value_is_changed_where_it_is_defined_if_that_is_one_place(before: str, after: str) -> None:
    call = before[before.index("SGD(") : -1]
    value = "(0.1, 0.2)" if "lr=(" in before else "0.1"
    assert changed(before, SetArgument(site(before, call), "lr", value)) == after


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("opt = SGD(p, **options)\n", "dictionary"),
        ('o = {"m": 1}\no.update(lr=0.5)\nopt = SGD(p, **o)\n', "dictionary"),
        ('o = {"m": 1}\no["lr"] = 0.5\nopt = SGD(p, **o)\n', "dictionary"),
        ('o = {"lr": 1} if c else {}\nopt = SGD(p, **o)\n', "dictionary"),
        ("opt = SGD(p, lr=args.lr)\n", r"config\.py:1 takes lr from args\.lr, which is not set in this file"),
        ('opt = SGD(p, lr=config["lr"])\n', r'takes lr from config\["lr"\]'),
    ],
)
def test_arguments_that_come_from_elsewhere_are_left_alone(text: str, why: str) -> None:
    with pytest.raises(Unplaceable, match=why):
        changed(text, SetArgument(site(text, text[text.index("SGD(") : -1]), "lr", "0.1"))


def test_what_else_has_a_constant_keeps_it() -> None:
    text = "EPOCHS = 9\ns = Cosine(o, EPOCHS)\nfor e in range(EPOCHS): pass\n"
    edit = SetArgument(site(text, "Cosine(o, EPOCHS)", ("optimizer", "T_max")), "T_max", "18", alone=True)
    assert changed(text, edit) == text.replace("o, EPOCHS", "o, 18")
    only = text.replace("range(EPOCHS)", "range(9)")
    assert changed(only, edit) == only.replace("EPOCHS = 9", "EPOCHS = 18")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("args.epochs", "args.epochs * len(loader)"),
        ("[30, n + 1]", "[30 * len(loader), (n + 1) * len(loader)]"),
        ("2 * n", "(2 * n) * len(loader)"),
    ],
)
def test_a_length_in_epochs_becomes_one_in_steps(before: str, after: str) -> None:
    text = f"s = Cosine(o, {before})\n"
    edit = ScaleArgument(site(text, text[4:-1], ("optimizer", "T_max")), "T_max", "len(loader)")
    assert changed(text, edit) == f"s = Cosine(o, {after})\n"


def test_steps_go_into_the_list_that_has_a_name() -> None:
    text = "t = []\nt += [Flip()]\nt += [\n    ToTensor(),\n]\nall = Compose(t)\n"
    behind = AddElements(place(text, "Compose(t)"), ("N()",), place(text, "ToTensor()"))
    assert changed(text, behind) == text.replace("    ToTensor(),\n", "    ToTensor(),\n    N(),\n")
    assert changed(text, AddElements(place(text, "Compose(t)"), ("C()", "F()"))) == text.replace(
        "(t)", "([C(), F(), *t])"
    )


def test_an_argument_is_dropped() -> None:
    text = 'loss = nn.CrossEntropyLoss(weight=w, reduction="sum")\n'
    edit = DropArgument(site(text, text[7:-1], ()), "reduction")
    assert changed(text, edit) == "loss = nn.CrossEntropyLoss(weight=w)\n"
    with pytest.raises(Unplaceable):
        changed(text, DropArgument(site(text, text[7:-1], ()), "label_smoothing"))


def test_full_names_are_spelled_as_the_file_imports_them() -> None:
    text = "import torch.optim as optim\n\nopt = optim.Adam(p)\n"
    assert "opt = optim.AdamW(p)\n" in changed(text, SetCallee(place(text, "optim.Adam(p)"), "torch.optim.AdamW"))


def test_what_is_not_imported_is() -> None:
    text = '"""Doc."""\nfrom torch.optim import Adam\n\nopt = Adam(p)\n'
    made = changed(text, SetCallee(place(text, "Adam(p)"), "torch.optim.AdamW"))
    assert "import torch\n" in made
    assert "opt = torch.optim.AdamW(p)\n" in made


def test_replace_keeps_the_first_argument_where_it_is_asked_to() -> None:
    text = "import torch\ns = LambdaLR(opt, f)\n"
    edit = Replace(place(text, "LambdaLR(opt, f)"), "torch.optim.lr_scheduler.CosineAnnealingLR({first}, T_max=9)")
    assert changed(text, edit).endswith("s = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=9)\n")


@pytest.mark.parametrize("call", ["F.softmax(x, dim=1)", "torch.softmax(x, 1)", "x.softmax(1)", "x.softmax(dim=-1)"])
def test_functions_and_methods_are_taken_off(call: str) -> None:
    text = f"def f(x):\n    return {call}\n"
    assert changed(text, Unwrap(place(text, call), ("softmax",))) == "def f(x):\n    return x\n"


def test_only_the_functions_meant_are_taken_off() -> None:
    text = "y = self.head(x)\n"
    with pytest.raises(Unplaceable, match="head"):
        changed(text, Unwrap(place(text, "self.head(x)"), ("softmax",)))


def test_an_element_is_removed_from_lists_and_chains_and_replaced_elsewhere() -> None:
    edit = RemoveElement
    chain = "m = nn.Sequential(a, nn.Softmax(dim=1))\n"
    assert changed(chain, edit(place(chain, "nn.Softmax(dim=1)"))) == "m = nn.Sequential(a)\n"
    steps = "t = Compose([A(), B(), C()])\n"
    assert changed(steps, edit(place(steps, "B()"))) == "t = Compose([A(), C()])\n"
    single = "import torch\nself.act = nn.Softmax(dim=1)\n"
    assert "self.act = torch.nn.Identity()" in changed(single, edit(place(single, "nn.Softmax(dim=1)")))


def test_elements_are_added_first_or_behind_another_one_in_the_lists_layout() -> None:
    text = "t = Compose(\n    [\n        A(),\n        B(),\n    ]\n)\n"
    call = text[4:-1]
    first = changed(text, AddElements(place(text, call), ("X()", "Y()")))
    assert first == "t = Compose(\n    [\n        X(),\n        Y(),\n        A(),\n        B(),\n    ]\n)\n"
    behind = changed(text, AddElements(place(text, call), ("X()",), after=place(text, "B()")))
    assert behind == "t = Compose(\n    [\n        A(),\n        B(),\n        X(),\n    ]\n)\n"


def test_a_list_that_grows_afterwards_is_left_alone() -> None:
    text = "t = Compose(steps)\nsteps.append(Normalize())\n"
    with pytest.raises(Unplaceable, match="list"):
        changed(text, AddElements(place(text, "Compose(steps)"), ("X()",)))


def test_an_element_is_moved_before_another_one() -> None:
    text = "t = Compose([A(), N(), J()])\n"
    assert changed(text, MoveElement(place(text, "J()"), place(text, "N()"))) == "t = Compose([A(), J(), N()])\n"


def test_an_expression_is_wrapped() -> None:
    text = "t = ToTensor()\n"
    assert changed(text, Wrap(place(text, "ToTensor()"), "Compose([{}, N()])")) == "t = Compose([ToTensor(), N()])\n"


def test_an_attribute_is_set_where_it_was_set() -> None:
    text = "for m in net.modules():\n    m.momentum = 0.99  # as elsewhere\n"
    assert changed(text, SetAttribute(place(text, "m.momentum"), "0.1")) == text.replace("0.99", "0.1")


def test_a_statement_is_removed_and_its_block_stays_whole() -> None:
    text = "if frozen:\n    net.eval()\nx = 1\n"
    assert changed(text, RemoveStatement(place(text, "net.eval()"))) == "if frozen:\n    pass\nx = 1\n"
    two = "net.eval()\nx = 1\n"
    assert changed(two, RemoveStatement(place(two, "net.eval()"))) == "x = 1\n"
    used = "net = build().eval()\n"
    with pytest.raises(Unplaceable):
        changed(used, RemoveStatement(place(used, "build().eval()")))


def test_a_statement_is_added_with_the_name_that_is_assigned_there() -> None:
    text = "self.opt = SGD(p)\nx = 1\n"
    made = changed(text, AddStatement(place(text, "SGD(p)"), "s = Cosine({target})"))
    assert made == "self.opt = SGD(p)\ns = Cosine(self.opt)\nx = 1\n"
    before = changed(text, AddStatement(place(text, "SGD(p)"), "seed()", before=True))
    assert before.startswith("seed()\nself.opt")


def test_a_statement_is_moved_behind_another_one() -> None:
    text = "opt = SGD(p)\nnet.fc = Linear(3)\n"
    moved = changed(text, MoveStatement(place(text, "SGD(p)"), place(text, "Linear(3)")))
    assert moved == "net.fc = Linear(3)\nopt = SGD(p)\n"


def test_a_field_is_added_or_handed_to_the_training() -> None:
    text = "def training():\n    opt = SGD(p)\n    return Training(model=m, optimizer=opt)\n"
    made = changed(text, AddField(place(text, "SGD(p)"), "scheduler", "Cosine({target})"))
    assert "    scheduler = Cosine(opt)\n" in made
    assert "Training(model=m, optimizer=opt, scheduler=scheduler)" in made


def test_a_field_that_is_none_gets_the_value() -> None:
    text = "opt = SGD(p)\nscheduler = None\n"
    made = changed(text, AddField(place(text, "SGD(p)"), "scheduler", "Cosine({target})"))
    assert made == "opt = SGD(p)\nscheduler = Cosine(opt)\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("epochs = 3\n", "epochs = 160\n"),
        ("num_epochs = 3\n", "num_epochs = 160\n"),
        ("args = Namespace(epochs=3)\nepochs = args.epochs\n", "args = Namespace(epochs=160)\nepochs = args.epochs\n"),
        ("EPOCHS = 3\nt = Training(epochs=EPOCHS)\n", "EPOCHS = 160\nt = Training(epochs=EPOCHS)\n"),
    ],
)
def test_a_field_is_set_where_it_is_defined(before: str, after: str) -> None:
    assert changed(before, SetField(Place(FILE, 1, 0, 1, 0), "epochs", "160")) == after


def test_a_list_that_serves_two_is_wrapped_for_one() -> None:
    text = "t = Compose([A()])\na, b = sets(t, t)\n"
    call = CallSite(place(text, "sets(t, t)"), ("train_transform", "test_transform"))
    made = changed(text, WrapUse(call, place(text, "Compose([A()])"), "Compose([X(), {}])", "train"))
    assert made == "t = Compose([A()])\naugmented = Compose([X(), t])\na, b = sets(augmented, t)\n"


def test_a_list_that_serves_two_is_written_out_without_some_steps_for_one() -> None:
    text = "t = Compose([Flip(), A()])\na, b = sets(t, t)\n"
    call = CallSite(place(text, "sets(t, t)"), ("train_transform", "test_transform"))
    edit = WithoutSteps(call, place(text, "Compose([Flip(), A()])"), (place(text, "Flip()"),), "test")
    assert changed(text, edit) == "t = Compose([Flip(), A()])\na, b = sets(t, Compose([A()]))\n"


def test_columns_are_characters() -> None:
    text = 'name = "Grüße"; opt = SGD(p, lr=0.5)\n'
    assert "lr=0.1" in changed(text, SetArgument(site(text, "SGD(p, lr=0.5)"), "lr", "0.1"))


def test_a_source_that_has_changed_is_refused() -> None:
    with pytest.raises(Unplaceable, match="any more"):
        changed("x = 1\n", SetArgument(CallSite(Place(FILE, 1, 4, 1, 9)), "lr", "0.1"))


def test_the_comment_of_what_is_removed_goes_with_it() -> None:
    text = "m = Sequential(\n    a,\n    Softmax(1),  # probabilities\n)\n"
    assert changed(text, RemoveElement(place(text, "Softmax(1)"))) == "m = Sequential(\n    a,\n)\n"


def test_a_partial_is_changed_and_not_its_call() -> None:
    text = "Norm = partial(BatchNorm2d, momentum=0.99)\nn = Norm(8)\n"
    made = changed(text, SetArgument(site(text, "Norm(8)", ("num_features", "eps", "momentum")), "momentum", "0.1"))
    assert made == text.replace("0.99", "0.1")


def test_a_name_for_the_same_number_is_used() -> None:
    text = "EPOCHS = 50\ns = Cosine(o, T_max=EPOCHS * len(loader))\n"
    call = "Cosine(o, T_max=EPOCHS * len(loader))"
    assert (
        changed(text, SetArgument(site(text, call, ()), "T_max", "50")) == "EPOCHS = 50\ns = Cosine(o, T_max=EPOCHS)\n"
    )
    assert "T_max=40)" in changed(text, SetArgument(site(text, call, ()), "T_max", "40"))


def test_the_default_of_a_parameter_is_changed() -> None:
    text = "def net(momentum=0.99):\n    return BatchNorm2d(8, momentum=momentum)\n"
    edit = SetDefault(site(text, "BatchNorm2d(8, momentum=momentum)", ()), "momentum", "0.1")
    assert changed(text, edit) == text.replace("0.99", "0.1")
    required = text.replace("momentum=0.99", "momentum")
    with pytest.raises(Unplaceable):
        changed(required, SetDefault(site(required, "BatchNorm2d(8, momentum=momentum)", ()), "momentum", "0.1"))
