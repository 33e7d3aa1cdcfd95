"""Package `grw_tf`. The bare install is the streaming runtime, without TensorFlow."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'__version__ = "(.+)"', (HERE / "grw_tf" / "__init__.py").read_text()
).group(1)

# What grw-stream reads videos and cameras with.
VIDEO = ["absl-py~=1.4", "av~=18.1", "opencv-python-headless~=5.0"]

TRAIN = [
    *VIDEO,
    "ai-edge-quantizer~=0.10.0",
    "flatbuffers~=25.12",
    "h5py~=3.16",
    # TFDS' stock data sets import it without saying so.
    "importlib_resources~=7.1",
    "jinja2~=3.1",
    "kagglehub~=1.0",
    "keras~=3.15",
    "matplotlib~=3.10",
    "ml_dtypes~=0.5",
    "pillow~=12.3",
    "pooch~=1.9",
    "scikit-learn~=1.9",
    "scipy~=1.15",
    "tensorflow~=2.20.0",
    "tensorflow-datasets~=4.9.10",
    "tf-models-official~=2.20.0",
    "tf_keras~=2.20.0",
    "tqdm~=4.67",
]

# TensorFlow finds CUDA and cuDNN in NVIDIA's packages; only the driver is the system's.
GPU = ["tensorflow[and-cuda]~=2.20.0"]

# TensorFlow for TPUs; docs/training.md#tpu says how it takes the other's place.
TPU = ["tensorflow-tpu~=2.20.0"]

# The published GRW models' weights by name.
HUB = ["huggingface_hub~=2.4"]

# TFDS' command imports mlcroissant without saying so.
BEAM = ["apache-beam~=2.77", "mlcroissant~=1.1"]

# The API reference, and notebooks with the kernel that runs them.
DOCS = [
    "ipykernel~=7.4",
    "latex2mathml~=3.81",
    "nbclient~=0.11.0",
    "nbformat~=5.11",
    "pdoc~=16.0",
]

# Each module is a program, and an object of the same name in grw_tf.programs.console.
PROGRAMS = sorted(
    path.stem
    for path in (HERE / "grw_tf" / "programs").glob("*.py")
    if path.stem not in ("__init__", "console")
)

setup(
    name="grw_tf",
    version=VERSION,
    description="GRW smoothing, RMS and streaming export for light TensorFlow models",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=[
        *find_packages(include=["grw_tf", "grw_tf.*"]),
        *("grw_tf.configs", "grw_tf.web.page"),
    ],
    # Named variants of comparisons are overlays among the configs.
    package_dir={"grw_tf.configs": "configs", "grw_tf.web.page": "export/web"},
    package_data={
        "grw_tf": ["py.typed"],
        "grw_tf.comparison": ["templates/*"],
        "grw_tf.configs": ["*.yaml"],
        "grw_tf.web.page": ["*", "runtime/*"],
    },
    entry_points={
        "console_scripts": [
            f"grw-{name.replace('_', '-')} = grw_tf.programs.console:{name}"
            for name in PROGRAMS
        ]
    },
    python_requires=">=3.10,<3.14",
    install_requires=["ai-edge-litert~=2.3", "numpy>=1.26"],
    extras_require={
        "video": VIDEO,
        "train": TRAIN,
        "beam": [*TRAIN, *BEAM],
        "docs": [*TRAIN, *DOCS],
        "gpu": [*TRAIN, *GPU],
        "tpu": [*TRAIN, *TPU],
        "hub": [*TRAIN, *HUB],
        "dev": [
            *TRAIN,
            *BEAM,
            *DOCS,
            *HUB,
            "build~=1.6",
            "mypy~=2.4",
            "playwright~=1.65",
            "pytest~=9.2",
            "pytest-xdist~=3.8",
            "ruff~=0.17.5",
            # Later ones warn of pkg_resources, which tensorboard imports.
            "setuptools~=79.0",
        ],
        "torch": ["torch~=2.9"],
    },
)
