"""Measures accuracy with the low or the high frequencies of features scaled.

Runs `grw_tf.programs.frequency_sensitivity`, as `grw-frequency-sensitivity` does.
"""

from grw_tf.programs.console import frequency_sensitivity

if __name__ == "__main__":
    frequency_sensitivity()
