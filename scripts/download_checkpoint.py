"""Downloads published weights into the cache, once, or lists them.

Runs `grw_tf.programs.download`, as `grw-download` does.
"""

from grw_tf.programs.console import download

if __name__ == "__main__":
    download()
