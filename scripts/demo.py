"""Trains without and with GRW smoothing, compares, exports and streams: one command.

Runs `grw_tf.programs.demo`, as `grw-demo` does.
"""

from grw_tf.programs.console import demo

if __name__ == "__main__":
    demo()
