"""Where the page's own files are, and which of them a site has."""

from pathlib import Path

import grw_tf

PACKAGES = "package.json", "package-lock.json"
"""What npm reads; a site does not have them."""


def page_folder() -> Path:
    """Returns the folder of the page.

    It is `export/web` in a checkout, and within this package when it is installed.
    """
    checkout = Path(grw_tf.__file__).parents[1] / "export" / "web"
    return checkout if checkout.is_dir() else Path(__file__).parent / "page"


def page_files() -> list[Path]:
    """Returns the page's files, from its folder on.

    What npm, an editor or the system left in a checkout is not among them.
    """
    folder = page_folder()
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        path
        for path in files
        if path.name not in PACKAGES
        and not any(part.startswith((".", "node_modules")) for part in path.parts)
    )
