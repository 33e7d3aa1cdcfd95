"""The published evaluation on Kinetics-600."""
