"""Trainings before and after a change, under equal budgets, paired by seed: what the change gains, measured."""
