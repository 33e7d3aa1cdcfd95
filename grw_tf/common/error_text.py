"""Errors of other libraries in one line."""


def one_line(error: Exception, limit: int = 300) -> str:
    """Returns the message of an error in one line.

    Args:
        error: Any error. One without a message is named by its class.
        limit: Characters to keep.
    """
    # TensorFlow's errors print their operation too; their message is shorter.
    message = getattr(error, "message", None) or str(error)
    return " ".join(str(message).split())[:limit] or type(error).__name__
