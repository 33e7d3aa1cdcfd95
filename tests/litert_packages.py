"""A folder like that in which npm installs LiteRT.js."""

import json

BUILDS = ("", "compat_", "threaded_", "jspi_")


def write_packages(folder, version):
    """Writes npm's packages of a version, whose files hold their names."""
    names = ["core/dist/index.js", "core/dist/index.js.map", "wasm-utils/dist/index.js"]
    names += [
        f"core/wasm/litert_wasm_{build}internal.{kind}"
        for build in BUILDS
        for kind in ("js", "wasm")
    ]
    for name in names:
        path = folder / "@litertjs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    package = folder / "@litertjs" / "core" / "package.json"
    package.write_text(json.dumps({"version": version}))
