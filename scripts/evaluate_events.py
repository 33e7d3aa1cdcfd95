"""Evaluates the events that an exported file finds, against a table of true segments.

Runs `grw_tf.programs.evaluate_events`, as `grw-evaluate-events` does.
"""

from grw_tf.programs.console import evaluate_events

if __name__ == "__main__":
    evaluate_events()
