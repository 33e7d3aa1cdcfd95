"""The demo: two equal models, trained without and with smoothing."""
