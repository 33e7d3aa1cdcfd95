"""Draws flat-shaded pictures of a mesh."""

import cv2
import numpy as np

from grw_tf.data.airplanes.shapes import Mesh

_CAMERA = np.array((0.0, 0.0, 5.0))  # In units of the mesh's radius.
_LIGHT = np.array((-0.45, 0.7, 0.55)) / np.linalg.norm((-0.45, 0.7, 0.55))
_AMBIENT = 0.38
_FILL = 0.94  # Share of the frame's half width that the unit sphere fills.
_SUPERSAMPLE = 4
_SHIFT = 3  # Fractional bits of OpenCV's polygon corners.


def render(
    mesh: Mesh, rotation: np.ndarray, size: int, background: np.ndarray
) -> np.ndarray:
    """Draws a mesh in mild perspective under a fixed light.

    Args:
        mesh: A closed mesh inside the unit sphere.
        rotation: [3, 3], from body axes to the camera's: x right, y up, z toward
            the camera.
        size: Height and width of the frame in pixels.
        background: RGB [3] in 0..255.

    Returns:
        uint8 [size, size, 3], RGB.
    """
    vertices = mesh.vertices @ rotation.T
    corners = vertices[mesh.faces]
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    to_camera = _CAMERA - corners.mean(axis=1)
    distance = np.linalg.norm(to_camera, axis=1)
    seen = np.flatnonzero(np.sum(normals * to_camera, axis=1) > 0)
    order = seen[np.argsort(-distance[seen])]

    light = _AMBIENT + (1 - _AMBIENT) * np.maximum(normals @ _LIGHT, 0)
    colors = 255 * mesh.colors * light[:, None]

    side = size * _SUPERSAMPLE
    limb = 1 / np.sqrt(1 - 1 / _CAMERA[2] ** 2)  # The unit sphere's outline at z = 0.
    scale = _FILL / limb * side / 2 / (1 - vertices[:, 2:] / _CAMERA[2])
    flat = side / 2 - 0.5 + scale * vertices[:, :2] * (1, -1)
    polygons = np.round(flat * 2**_SHIFT).astype(np.int32)[mesh.faces]

    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = background
    for polygon, color in zip(polygons[order], colors[order].tolist(), strict=True):
        cv2.fillConvexPoly(canvas, polygon, color, cv2.LINE_8, _SHIFT)
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
