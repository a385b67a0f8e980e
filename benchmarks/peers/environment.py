"""An environment of its own for the peers, which shares the big packages (torch) of the interpreter that makes it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import site
import subprocess
import sys
from pathlib import Path

from tools import Manual

HERE = Path(__file__).resolve().parent
FOLDER = HERE / ".venv"
SHARED = ("torch", "torchvision")


def python() -> Path:
    """The environment's interpreter."""
    return FOLDER / "bin" / "python"


def prepare(manuals: list[Manual], *, again: bool = False) -> dict[str, str]:
    """Makes the environment where it is missing, installs each tool, and returns versions (or why there is none)."""
    if again or not python().is_file():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER)], check=True)
        inside = subprocess.run(
            [python(), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        # The parent's packages come after the environment's own, so that nothing here can replace ours.
        (Path(inside.stdout.strip()) / "parent.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    pins = FOLDER / "constraints.txt"
    pins.write_text("".join(f"{name}=={importlib.metadata.version(name).split('+')[0]}\n" for name in SHARED))
    known_file = FOLDER / "installed.json"
    known = json.loads(known_file.read_text()) if known_file.is_file() else {}
    for tool in manuals:
        if tool.install and known.get(tool.name, {}).get("install") != tool.install:
            known[tool.name] = {"install": tool.install, "version": install(tool, pins)}
            known_file.write_text(json.dumps(known, indent=1))
    return {name: entry["version"] for name, entry in known.items()}


def install(tool: Manual, pins: Path) -> str:
    """Install one tool; its version, or pip's last words."""
    print(f"installing {tool.install}", flush=True)
    options = ["--no-deps"] if tool.no_dependencies else []
    command = [python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", pins]
    done = subprocess.run([*command, *options, tool.install], capture_output=True, text=True, check=False)
    if done.returncode:
        return "not installed: " + " ".join(done.stderr.strip().splitlines()[-1:])
    package = tool.install.split("[")[0].split("=")[0]
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([python(), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def variables() -> dict[str, str]:
    """One thread, and this repository's sources before any installed ones."""
    root = HERE.parent.parent
    ours = os.pathsep.join(str(root / part) for part in ("src", "checks"))
    return os.environ | {"PYTHONPATH": ours, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
