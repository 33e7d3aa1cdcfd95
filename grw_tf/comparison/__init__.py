"""Compares trainings that differ in their variant alone, over seeds."""
