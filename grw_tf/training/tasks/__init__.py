"""The task that the Model Garden's trainer runs, its clips, losses and metrics."""
