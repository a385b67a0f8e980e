"""The picture of a report, for README.md and the site: `python docs/report_picture.py [report.html]`, with Chromium on the path.

Without a report, examples/resnet110_77.py is diagnosed first, which takes some two minutes. `$CIFAR10_DIR` says where CIFAR-10 is.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "resnet110_77.py"
PICTURE = HERE / "report.png"
SIZE = (1100, 1500)
COLOURS = 128


def diagnosed(folder: Path) -> Path:
    """The HTML report of the example."""
    report = folder / "report.html"
    command = [sys.executable, "-m", "trainingdoctor", "diagnose", str(EXAMPLE), "--output", str(report)]
    code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
    if code != 1:
        raise SystemExit(f"the example is sick, and yet its diagnosis ended with exit code {code}")
    return report


def photographed(report: Path, folder: Path) -> Path:
    """The report's first screen in a browser without a window."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("there is no Chromium on the path: install it, for example with `apt-get install chromium`")
    shot = folder / "shot.png"
    size = f"--window-size={SIZE[0]},{SIZE[1]}"
    options = ["--headless", "--disable-gpu", "--hide-scrollbars", size, f"--screenshot={shot}"]
    # Chromium refuses its sandbox to root.
    root = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    subprocess.run([browser, *options, *root, report.as_uri()], check=True, capture_output=True)
    return shot


def main() -> None:
    """Write docs/report.png."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        report = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else diagnosed(folder)
        with Image.open(photographed(report, folder)) as shot:
            shot.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    print(f"{PICTURE.name}: {PICTURE.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
