"""Training with the Model Garden's trainer: experiments, tasks and optimizers."""
