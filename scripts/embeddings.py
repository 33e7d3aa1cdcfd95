"""Writes the trajectories of a checkpoint's embeddings of clips, as picture and table.

Runs `grw_tf.programs.embeddings`, as `grw-embeddings` does.
"""

from grw_tf.programs.console import embeddings

if __name__ == "__main__":
    embeddings()
