"""Evaluates a published model by the published protocol, from test clips to top-1.

Runs `grw_tf.programs.evaluate_kinetics600`, as `grw-evaluate-kinetics600` does.
"""

from grw_tf.programs.console import evaluate_kinetics600

if __name__ == "__main__":
    evaluate_kinetics600()
