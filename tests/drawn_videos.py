"""Small videos for tests."""

import av
import numpy as np

RED, BLUE = (255, 0, 0), (0, 0, 255)
COLORS = {"blue": BLUE, "red": RED}


def greys(count):
    """Returns colors, the k-th of level 20 k."""
    return [(20 * i,) * 3 for i in range(count)]


def write_video(
    path,
    colors,
    rate=10,
    pts=None,
    rotation=0,
    matrix=None,
    codec="mpeg4",
    right=None,
    size=(64, 48),
    title="",
    **options,
):
    """Writes a video of one plain color per frame, or `right` on the right half.

    A color may be a whole picture. `size` is width and height, `matrix` the display
    matrix, and `options` are those of the codec.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    with av.open(str(path), "w") as container:
        if title:
            container.metadata["title"] = title
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = {"gif": "rgb8", "png": "rgb24"}.get(codec, "yuv420p")
        if rotation:
            stream.set_display_rotation(rotation)
        if matrix:
            stream.set_display_matrix(matrix)
        for index, color in enumerate(colors):
            image = np.empty((height, width, 3), np.uint8)
            image[:] = color
            if right:
                image[:, width // 2 :] = right
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = pts[index] if pts else index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_class_folders(folder, **counts):
    """Writes blue and red videos of 6 frames: `counts` of each class, by split."""
    for split, count in counts.items():
        for name, color in COLORS.items():
            for number in range(count):
                path = folder / split / name / f"{number}.mp4"
                write_video(path, [color] * 6)
    return folder
