"""Shows where and when a video speaks for a class, by Grad-CAM.

Runs `grw_tf.programs.explain`, as `grw-explain` does.
"""

from grw_tf.programs.console import explain

if __name__ == "__main__":
    explain()
