"""The built-in fixes, registered through the entry-point group `trainingdoctor.fixes` as anybody else's are."""

from trainingdoctor_checks.fixes import batchnorm, initialization, loader, loop, loss, optimizer, schedule, transforms

FIXES = tuple(
    item
    for module in (loop, transforms, loader, batchnorm, initialization, loss, schedule, optimizer)
    for item in module.FIXES
)
