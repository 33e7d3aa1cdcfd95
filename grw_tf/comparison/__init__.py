"""Comparing trainings that differ in smoothing and regularisers alone."""
