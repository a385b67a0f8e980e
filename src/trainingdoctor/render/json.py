"""The report as JSON, after report.schema.json."""

import json

from trainingdoctor.report import Report


def render_json(report: Report) -> str:
    """Strict JSON (no NaN), two spaces of indentation, a newline at the end."""
    return json.dumps(report.to_dict(), indent=2, allow_nan=False) + "\n"
