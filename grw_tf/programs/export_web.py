r"""Writes a static site that runs an exported model in browsers.

    grw-export-web --model=model.tflite --output_dir=site --serve

The page classifies a camera or a video file frame by frame. Frames never leave the
device, and once loaded it works without a network. LiteRT.js, which runs the model, is
fetched by npm (Node.js), or taken from --runtime.
"""

import contextlib
import dataclasses
import signal
from pathlib import Path

from grw_tf.common import flags
from grw_tf.common.flags import option
from grw_tf.common.output_folder import check_writable
from grw_tf.web.server import SiteServer
from grw_tf.web.site import check_site, write_site


@dataclasses.dataclass(frozen=True)
class Options:
    """What to write; each field is a flag."""

    output_dir: str = option("", "Folder to write; an earlier site there is replaced.")
    model: str = option(
        "", "Exported .tflite file that the page opens; by default users open theirs."
    )
    runtime: str = option(
        "", "Folder with npm's package @litertjs/core; by default npm fetches it."
    )
    serve: bool = option(False, "Serve the site on this machine, until Ctrl-C.")
    port: int = option(8000, "Port for --serve; 0 takes any that is free.")


def define_flags() -> None:
    flags.define_flags(Options, required=["output_dir"])


def main(_: object) -> None:
    options = flags.config_from_flags(Options)
    # Before anything is fetched.
    check_site(options.output_dir)
    folder = Path(options.output_dir)
    check_writable(folder)
    with contextlib.ExitStack() as stack:
        # The port too is had before anything is fetched.
        server = None
        if options.serve:
            server = stack.enter_context(SiteServer(folder, options.port))
        write_site(options.output_dir, options.model, options.runtime)
        print(f"Written to {options.output_dir}.", flush=True)
        if server:
            _serve(server)


def _serve(server):
    # A shell's background job ignores SIGINT, and Python then leaves it so.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    print(f"Serving at {server.url} until Ctrl-C.", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
