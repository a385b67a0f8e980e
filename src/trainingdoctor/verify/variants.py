"""The variants of a config that tell what its fixes gain, together and one by one."""

from __future__ import annotations

from trainingdoctor.costs import measured_costs
from trainingdoctor.remedy.cure import Cure
from trainingdoctor.remedy.patch import patched
from trainingdoctor.verify.plan import Variant
from trainingdoctor.verify.verify import AFTER, BEFORE, ONLY, WITHOUT


def variants_of(cure: Cure) -> list[Variant]:
    """Before and after; then all fixes but one, then each one alone, the ones that were dearest on the reference first.

    A fix of a later round stands on what the earlier ones made of the source: then leaving one out is no state that could be
    written, and only the fixes of the first round are tried, alone.
    """
    found = [Variant(BEFORE), Variant(AFTER, cure.patch.after)]
    known = measured_costs()
    codes = sorted({p.code for p in cure.first}, key=lambda c: -(known[c].points if c in known else 0.0))
    if len(codes) < 2:
        return found
    if len(cure.first) == len(cure.patch.proposals):
        for code in codes:
            rest = patched([p for p in cure.first if p.code != code], {})
            found.append(Variant(WITHOUT + code, rest.after))
    for code in codes:
        alone = patched([p for p in cure.first if p.code == code], {})
        found.append(Variant(ONLY + code, alone.after))
    return found
