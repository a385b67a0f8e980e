"""The comparison as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judge import alarms, codes
from tools import OURS, manual, manuals

SIGNS = {
    "named": "**yes**",
    "listed": "listed",
    "noticed": "noticed",
    "missed": "–",
    "stopped": "– (error)",
    "crashed": "crash",
    "timed out": "time out",
}

# Packages that were read and left out, and why.
LEFT_OUT = {
    "traincheck": "infers invariants from traces of healthy runs of the same pipeline, then checks a script's trace",
    "torch-preflight, traincheck-lint, torchfix": "read source or configuration files; these trainings are objects",
    "deepchecks": "judges data sets and predictions, not trainings; 97 packages with its vision extra",
    "cockpit-for-pytorch": "shows instruments to look at, gives no verdict; needs BackPACK-extended models",
    "torch-lr-finder, lightning's finder": "suggest a rate, give no verdict on the one in use",
    "arc-vigil, arc-training": "intervene in the training rather than report",
    "pulseml, pytscope, hyperassist, trainwatch, sk-autod": "monitors or advisers of hyperparameters and curves; not yet tried",
}


def markdown(
    faults: Mapping[str, str | None],
    scores: Mapping[str, Any],
    rows: Mapping[str, Any],
    versions: Mapping[str, str],
    settings: Mapping[str, Any],
) -> str:
    """The whole page."""
    tools = list(scores)
    parts = [
        *heading(settings, rows),
        *summary(scores, versions),
        "",
        "## Training by training",
        "",
        *grid([(n, c) for n, c in faults.items() if c], tools, lambda t, n: SIGNS[scores[t]["verdicts"][n]], scores),
        "",
        "## On healthy trainings",
        "",
        "The rules that raised an alarm.",
        "",
        *healthy(faults, scores),
        "",
        "## In their own words",
        "",
        *words(faults, scores, rows),
        "",
        "## The tools",
        "",
        *about(scores, versions),
    ]
    return "\n".join(parts) + "\n"


def heading(settings: Mapping[str, Any], rows: Mapping[str, Any]) -> list[str]:
    """What was done."""
    seconds = sum(r["cpu_seconds"] for tool in rows.values() for r in tool.values())
    return [
        "# trainingdoctor and other diagnostic tools, side by side",
        "",
        f"Made by `python benchmarks/peers/compare.py`: a ResNet-{settings['depth']} on {settings['data']}, "
        "one fault at a time, and healthy variations. One core each, torch "
        f"{settings['torch']}; all of it took {seconds / 60:.0f} minutes of one core.",
        "",
        "Each tool is used as its README says, by an adapter under `benchmarks/peers/tools/`; the file beside it says "
        "which of its rules name which fault. Tools that watch a training see a short real one, in which some batches "
        f"stand for the planned epochs (log readers: {settings['log_steps']} steps of at most 64 samples); they were made to see whole runs, "
        "and see more in those. The faults are those that this project's catalogue describes and that its own bench "
        "was built with, so other tools are measured here on what they were not made for, too. The ResNet calls "
        "`functional.relu`, as most do: a tool that hooks `nn.ReLU` modules sees no activations in it.",
        "",
        "**yes**: an alarm (a warning or above) names the fault. listed: an alarm lists it among several possible "
        "causes. noticed: an alarm that the tool never raised on a healthy training, about something else. "
        "–: none of these. (error): the training's own loop raises an error here. "
        "`benchmarks/results/peers.json` has what each tool said, to judge anew (`--judge`).",
        "",
    ]


def summary(scores: Mapping[str, Any], versions: Mapping[str, str]) -> list[str]:
    """One line for each tool."""
    lines = [
        "| tool | version | named | + listed | + noticed | crash or time out | healthy with an alarm | lines of user code | CPU seconds (median) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for tool, s in scores.items():
        named, listed, noticed = (s["counts"].get(w, 0) for w in ("named", "listed", "noticed"))
        failed = s["counts"].get("crashed", 0) + s["counts"].get("timed out", 0)
        lines.append(
            f"| {tool} | {versions.get(tool, 'this one')} | {named} of {s['sick']} | {named + listed} | "
            f"{named + listed + noticed} | {failed} | {s['healthy_with_alarms']} of {s['healthy']} | {s['lines']} | "
            f"{s['median_cpu_seconds']} |"
        )
    return lines


def grid(cases: list[tuple[str, str]], tools: list[str], cell: Any, scores: Mapping[str, Any]) -> list[str]:
    """Trainings down, tools across."""
    lines = ["| training | fault | " + " | ".join(tools) + " |", "|---|---|" + "---|" * len(tools)]
    for name, code in cases:
        cells = [cell(tool, name) if name in scores[tool]["verdicts"] else "" for tool in tools]
        lines.append(f"| {name} | `{code}` | " + " | ".join(cells) + " |")
    return lines


def healthy(faults: Mapping[str, str | None], scores: Mapping[str, Any]) -> list[str]:
    """Tools down, since their rules are long."""
    names = [name for name, code in faults.items() if code is None]
    lines = ["| tool | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for tool, s in scores.items():
        cells = [s["on_healthy"].get(name, "") or "–" for name in names]
        lines.append(f"| {tool} | " + " | ".join(cells) + " |")
    return lines


def words(faults: Mapping[str, str | None], scores: Mapping[str, Any], rows: Mapping[str, Any]) -> list[str]:
    """The first words of each finding that named or listed a fault; ours are in the fault bench."""
    lines = ["| training | tool | | its words |", "|---|---|---|---|"]
    for name, code in faults.items():
        for tool in (t for t in scores if t != OURS):
            word = scores[tool]["verdicts"].get(name) if code else None
            if word not in ("named", "listed"):
                continue
            which = "codes" if word == "named" else "lists"
            said = next(f for f in alarms(rows[tool][name]) if code in codes(manual(tool), f, which))
            text = " ".join(said["texts"][0].split()).replace("|", "/")
            lines.append(f"| {name} | {tool} | {SIGNS[word]} | {said['rule']}: {text[:160]} |")
    return lines


def about(scores: Mapping[str, Any], versions: Mapping[str, str]) -> list[str]:
    """What each is, what a user writes, and what was left out."""
    lines = []
    for tool in manuals():
        if tool.name in scores or tool.name in versions:
            lines += [f"### {tool.name}", "", tool.about, "", "```", tool.usage.strip(), "```", ""]
    lines += ["Looked at and not run:", ""]
    return lines + [f"- {name}: {why}" for name, why in LEFT_OUT.items()]
