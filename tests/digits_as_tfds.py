"""scikit-learn's digits in place of the image data sets of TFDS.

    python digits_as_tfds.py program.py [arguments of the program]

runs a program that finds them there.
"""

import contextlib
import runpy
import sys

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits

SIZE = 32


@contextlib.contextmanager
def digits_as_tfds():
    """Makes TFDS give digits as color images, a tenth of them but in "train"."""
    images, labels = load_digits(return_X_y=True)
    images = np.kron(images.reshape(-1, 8, 8), np.ones((SIZE // 8, SIZE // 8)))
    images = np.repeat((images * (255 / 16)).astype(np.uint8)[..., None], 3, axis=-1)
    in_test = np.arange(len(images)) % 10 == 0

    def as_dataset(builder, split=None, as_supervised=False, read_config=None, **_):
        # What programs ask for must be what the data set has.
        assert split in builder.info.splits or not builder.info.splits
        assert {"image", "label"} <= set(builder.info.features)
        chosen = ~in_test if split == "train" else in_test
        pairs = images[chosen], labels[chosen].astype(np.int64)
        if not as_supervised:
            pairs = dict(zip(("image", "label"), pairs, strict=True))
        dataset = tf.data.Dataset.from_tensor_slices(pairs)
        repeats = read_config is not None and read_config.repeat_filenames
        return dataset.repeat() if repeats else dataset

    with tfds.testing.mock_data(as_dataset_fn=as_dataset):
        yield


if __name__ == "__main__":
    del sys.argv[0]
    with digits_as_tfds():
        runpy.run_path(sys.argv[0], run_name="__main__")
