"""The metrics of a finished run, as its training library wrote them."""
