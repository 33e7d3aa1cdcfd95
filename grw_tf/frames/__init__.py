"""How frames become what a model sees: geometry, choice in time, pixels."""
