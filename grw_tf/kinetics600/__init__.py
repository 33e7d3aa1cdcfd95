"""Evaluates models on Kinetics-600 by the published protocol."""
