"""Times exported files frame by frame, side by side, and measures their memory.

Runs `grw_tf.programs.benchmark_tflite`, as `grw-benchmark-tflite` does.
"""

from grw_tf.programs.console import benchmark_tflite

if __name__ == "__main__":
    benchmark_tflite()
