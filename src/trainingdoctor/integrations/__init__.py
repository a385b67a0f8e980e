"""Thin adapters of `trainingdoctor.observe()` to the hooks of training libraries; each needs its library installed."""
