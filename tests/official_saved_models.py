"""SavedModels in the layout of Kaggle's, made by the Model Garden's own program."""

# Its flags would meet others in one process.
EXPORT = """
import sys
import tf_keras
import grw_tf.models
from official.projects.movinet.tools import export_saved_model as program

checkpoint, output, kind, traces, model_id = sys.argv[1:]
if traces == "without":
    save = tf_keras.models.save_model
    tf_keras.models.save_model = lambda *a, **k: save(*a, **k, save_traces=False)
stream = kind == "stream"
program.build_and_export_saved_model(
    export_path=output,
    model_id=model_id,
    causal=stream,
    conv_type="2plus1d" if stream else "3d",
    se_type="2plus3d" if stream else "3d",
    activation="hard_swish" if stream else "swish",
    classifier_activation="swish",
    gating_activation="hard_sigmoid" if stream else "sigmoid",
    num_classes=5,
    input_shape=(None, None, None, None, 3),
    checkpoint_path=checkpoint or None,
    # Compiling makes an optimizer, which no checkpoint of weights has.
    assert_checkpoint_objects_matched=False,
)
"""


def write_saved_model(
    run_code, output, kind, traces="without", model_id="a0", checkpoint=""
):
    """Writes one, of a checkpoint or of random weights."""
    done = run_code(EXPORT, checkpoint, str(output), kind, traces, model_id)
    assert done.returncode == 0, done.stderr
    return output
