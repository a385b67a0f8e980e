"""A plug-in of trainingdoctor: does the loss look at what it should, and at nothing else?"""

from trainingdoctor_masking_checks.checks import nothing_counted, padding_counted
from trainingdoctor_masking_checks.evidence import loss_mask

CHECKS = (loss_mask, padding_counted, nothing_counted)
