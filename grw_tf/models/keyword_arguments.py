"""Keyword arguments written as text, for layers that a config does not know."""

import ast


def parse_arguments(text: str) -> dict:
    """Returns the keyword arguments of a text like "rate=0.1, level='clip'".

    Raises:
        ValueError: If it is anything else, or a value is not a literal.
    """
    try:
        call = ast.parse(f"_({text})", mode="eval").body
        if not isinstance(getattr(call, "func", None), ast.Name) or call.args:
            raise ValueError
        return {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise ValueError(
            f"{text!r:.80} is not of the form 'name=value, name=value' with plain"
            " values, such as 'rate=0.1'."
        ) from None
