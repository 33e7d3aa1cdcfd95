"""Tasks of the Model Garden's trainer."""
