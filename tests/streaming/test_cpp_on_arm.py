"""Tests of the C++ session on a 64-bit ARM processor, emulated by QEMU.

They need Debian's packages qemu-user-static and g++-aarch64-linux-gnu, and fetch the
aarch64 wheel of ai-edge-litert.
"""

import importlib.metadata
import pathlib
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from cpp_programs import STREAM_MAIN
from exported_files import random_frames
from exported_streams import write_stream
from toy_heads import HEADS

from grw_tf.streaming import StreamSession

pytestmark = pytest.mark.slow

REPOSITORY = pathlib.Path(__file__).parents[2]
CPP, VECTORS = REPOSITORY / "export" / "cpp", REPOSITORY / "tests" / "vectors"
COMPILER, QEMU = "aarch64-linux-gnu-g++", "qemu-aarch64-static"

# Those of a Raspberry Pi 4 and 5, and all that QEMU knows but SME. With it, activations
# in 8 bits give wrong logits under QEMU 7.2 (docs/export.md).
PROCESSORS = ("cortex-a72", "cortex-a76", "max,sme=off")

# QEMU 7 shows programs the host's, of which LiteRT makes nothing on ARM.
_CPUINFO = """processor\t: {}
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the programs for ARM."""
    for program in (COMPILER, QEMU, "cmake", "make", "unshare"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}")
    folder = tmp_path_factory.mktemp("arm")
    version = importlib.metadata.version("ai-edge-litert")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    platform = ["--platform=manylinux_2_27_aarch64", "--only-binary=:all:"]
    fetched = subprocess.run(
        [*pip, *platform, f"--dest={folder}", f"ai-edge-litert=={version}"],
        capture_output=True,
        text=True,
    )
    if fetched.returncode:
        pytest.skip(f"no aarch64 wheel of ai-edge-litert {version}: {fetched.stderr}")
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extract("ai_edge_litert/libLiteRt.so", folder)
    settings = {
        "CMAKE_SYSTEM_NAME": "Linux",
        "CMAKE_SYSTEM_PROCESSOR": "aarch64",
        "CMAKE_CXX_COMPILER": COMPILER,
        "LITERT_DIR": folder / "ai_edge_litert",
    }
    flags = [f"-D{name}={value}" for name, value in settings.items()]
    _succeed("cmake", "-S", CPP, "-B", folder / "build", "-G", "Unix Makefiles", *flags)
    _succeed("cmake", "--build", folder / "build")
    return folder / "build"


@pytest.fixture(scope="module")
def emulate(built):
    """A function that runs a program on an emulated processor; returns its output."""
    cpuinfo = built / "cpuinfo"
    cpuinfo.write_text("".join(map(_CPUINFO.format, range(2))))
    namespace = ["unshare", "--mount", "--map-root-user"]
    mounted = f'mount --bind "{cpuinfo}" /proc/cpuinfo && exec "$@"'
    shell = [*namespace, "sh", "-c", mounted, "sh"]
    if subprocess.run([*shell, "true"], capture_output=True).returncode:
        pytest.skip("no permission to mount files in a namespace")

    def run(processor, program, *arguments, **options):
        qemu = [QEMU, "-cpu", processor, "-L", "/usr/aarch64-linux-gnu"]
        return _succeed(*shell, *qemu, built / program, *arguments, **options)

    return run


@pytest.fixture(scope="module")
def stream_program(built):
    """A program that runs prepared frames and prints the logits."""
    (built / "main.cc").write_text(STREAM_MAIN)
    library = built.parent / "ai_edge_litert"
    linked = [built / "libgrw_stream.a", library / "libLiteRt.so"]
    flags = ["-std=c++17", "-O1", f"-I{CPP}", f"-Wl,-rpath,{library}"]
    _succeed(COMPILER, *flags, built / "main.cc", *linked, "-o", built / "stream")
    return "stream"


def _succeed(*command, **options):
    done = subprocess.run(command, capture_output=True, **options)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


@pytest.mark.parametrize("processor", PROCESSORS)
def test_session_does_what_the_vectors_record(emulate, processor):
    told = emulate(processor, "check_vectors", VECTORS).splitlines()
    assert len(told) == 5
    assert all(line.endswith("cases agree") for line in told)


@pytest.mark.parametrize("mode", ["none", "float16", "dynamic", "weight_only"])
@pytest.mark.parametrize("head", ["official", "transformer"])
@pytest.mark.parametrize("processor", PROCESSORS)
def test_logits_are_those_of_this_machine(
    emulate, stream_program, nano, tmp_path, processor, head, mode
):
    path = write_stream(tmp_path / "model.tflite", nano(head=HEADS[head]), mode=mode)
    frames = random_frames(9)
    told = emulate(processor, stream_program, "1", path, input=frames.tobytes())
    found = [[float(word) for word in line.split()[1:]] for line in told.splitlines()]
    expected = []
    with StreamSession(path) as session:
        for frame in frames:
            session.push_prepared(frame)
            expected.append(session.logits())
    # Activations in 8 bits may round to a neighbor.
    tolerance = 1e-5 if mode != "dynamic" else 2e-2
    np.testing.assert_allclose(found, expected, 0, tolerance * np.abs(expected).max())
