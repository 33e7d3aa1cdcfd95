"""Writes a static site that runs an exported model in browsers.

Runs `grw_tf.programs.export_web`, as `grw-export-web` does.
"""

from grw_tf.programs.console import export_web

if __name__ == "__main__":
    export_web()
