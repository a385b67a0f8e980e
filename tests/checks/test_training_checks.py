"""What the user's code raised, told once."""

from trainingdoctor import Finding
from trainingdoctor.errors import Outdated, UserCodeError
from trainingdoctor.testing import assert_unwell
from trainingdoctor_checks import training

SCRIPT = UserCodeError("the script", ValueError("three"), "train.py:7")
FORWARD = UserCodeError("the model's forward", TypeError("takes 2 positional arguments but 4 were given"))


def test_what_is_tried_behind_a_script_that_raised_is_told_only_with_a_line_of_its_own() -> None:
    assert_unwell(training.raises, (SCRIPT, FORWARD), mentions="the script raised ValueError: three (train.py:7).")
    assert_unwell(training.raises, (FORWARD,))
    inside = UserCodeError("the model's forward", ValueError("four"), "net.py:9")
    assert len([f for f in training.raises((SCRIPT, inside)) if isinstance(f, Finding)]) == 2


def test_what_is_not_there_is_no_fault_of_the_training() -> None:
    missing = UserCodeError("the script", ModuleNotFoundError("No module named 'x'"))
    found = assert_unwell(training.raises, (missing,))
    assert found.remedy.startswith("Install it, or run trainingdoctor in the environment of your training; then")


def test_what_was_read_as_older_versions_did_hides_nothing_that_comes_after_it() -> None:
    old = Outdated("loss.data[0]", "loss.item()", "train.py:9")
    found = assert_unwell(training.raises, (old,), mentions="loss.data[0] raises an error in this version of torch")
    assert found.remedy.startswith("Write loss.item() wherever the script says loss.data[0]")
    assert len([f for f in training.raises((old, FORWARD)) if isinstance(f, Finding)]) == 2


def test_what_follows_in_the_file_in_which_a_script_raised_is_one_and_the_same() -> None:
    hook = UserCodeError("the model's forward", AttributeError("no attribute 'steps'"), "train.py:3")
    assert len([f for f in training.raises((SCRIPT, hook)) if isinstance(f, Finding)]) == 1
    assert_unwell(training.raises, (hook,), severity="critical")


def test_what_the_watched_loop_did_without_an_error_is_no_fault() -> None:
    alone = UserCodeError("optimizer.step()", RuntimeError("no grad_fn"), "adahessian.py:54")
    assert_unwell(training.raises, (alone,), severity="critical")
    alone.loop_did = True
    assert_unwell(training.raises, (alone,), severity="info", mentions="the loop made it without an error")
