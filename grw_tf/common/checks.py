"""Checks of single values."""


def check_positive(**values: float) -> None:
    """Raises a `ValueError` that names the first value that is not above 0."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} is {value}: it must be above 0.")
