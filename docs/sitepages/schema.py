"""The JSON report, from its schema."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sitepages.files import read
from sitepages.text import escaped, table

SCHEMA = "src/trainingdoctor/report.schema.json"


def schema_tables() -> str:
    """One table for the report, and one for each kind of object in it."""
    schema = json.loads(read(SCHEMA))
    return "".join(
        f"\n### {name}\n\n{table(('key', 'type', ''), rows)}" for name, rows in _objects("The report", schema)
    )


def _objects(name: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    required = schema.get("required", ())
    yield (
        name,
        [
            (f"`{k}`", _type(v), escaped(_about(v)) + ("" if k in required else " May be absent."))
            for k, v in properties.items()
        ],
    )
    for key, value in properties.items():
        inner = value.get("items", value)
        if "properties" in inner:
            yield from _objects(f"`{key}`{', each' if 'items' in value else ''}", inner)


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return "code"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {_type(schema['items'])}"
    kinds = schema.get("type", "any")
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)


def _about(schema: Mapping[str, Any]) -> str:
    """Its description, and the bounds of a number."""
    least, most = schema.get("minimum"), schema.get("maximum")
    bounds = "" if least is None else f"At least {least:g}." if most is None else f"{least:g} to {most:g}."
    return " ".join(part for part in (schema.get("description", ""), bounds) if part)
