"""The fault bench: healthy trainings in many styles, faults injected into them, and the score of the diagnosis."""
