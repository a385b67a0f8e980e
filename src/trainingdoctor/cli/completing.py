"""What a shell offers for the codes of checks: from the registry, without torch."""

from trainingdoctor.registry import areas, load_registry


def codes(incomplete: str) -> list[tuple[str, str]]:
    """Areas and codes that begin so, each with what it finds. Nothing behind the = of `--ignore code=reason`."""
    known = load_registry().checks.values()
    offered = [(area, f"all of {area}") for area in areas(known)] + [(check.code, check.title) for check in known]
    return [(word, told) for word, told in offered if word.startswith(incomplete)]
