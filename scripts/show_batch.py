"""Writes a contact sheet of a batch as the model sees it, after augmentation.

Runs `grw_tf.programs.show_batch`, as `grw-show-batch` does.
"""

from grw_tf.programs.console import show_batch

if __name__ == "__main__":
    show_batch()
