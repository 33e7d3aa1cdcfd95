"""Exports a trained model as a TensorFlow SavedModel, for servers.

Runs `grw_tf.programs.export_saved_model`, as `grw-export-saved-model` does.
"""

from grw_tf.programs.console import export_saved_model

if __name__ == "__main__":
    export_saved_model()
