"""Chooses the threshold below which an exported file answers "none of these".

Runs `grw_tf.programs.calibrate`, as `grw-calibrate` does.
"""

from grw_tf.programs.console import calibrate

if __name__ == "__main__":
    calibrate()
