"""Model airplanes as tables of parts, and the meshes made from them.

Body axes: x forward through the nose, y along the left wing, z up.
"""

import dataclasses

import numpy as np

# Radius at stations along a body, from nose (0) to tail (1).
_PROFILES = {
    "prop": {0: 0.4, 0.02: 0.7, 0.12: 0.95, 0.3: 1, 0.5: 1, 0.7: 0.7, 1: 0.2},
    "jet": {0: 0.1, 0.03: 0.45, 0.1: 0.85, 0.2: 1, 0.6: 1, 0.8: 0.75, 1: 0.2},
    "needle": {0: 0.03, 0.12: 0.35, 0.3: 0.75, 0.45: 1, 0.8: 1, 1: 0.7},
    "glider": {0: 0.1, 0.04: 0.6, 0.12: 0.95, 0.22: 1, 0.35: 0.7, 0.5: 0.4, 1: 0.2},
    "engine": {0: 0.8, 0.1: 1, 0.35: 1, 0.7: 0.85, 1: 0.5},
    "drop": {0: 0.1, 0.1: 0.6, 0.3: 1, 0.55: 0.95, 0.8: 0.55, 1: 0.1},
}
# An airfoil, as chord fraction from the leading edge and share of thickness.
_AIRFOIL = np.array(
    [(0, 0), (0.25, 0.5), (0.65, 0.35), (1, 0), (0.65, -0.25), (0.25, -0.4)]
)
_PIECE = 0.11  # Longest face: the painter's algorithm is right for small ones.
_SIDES = 8

_PAINTS = np.array(
    [
        (0.93, 0.93, 0.90),
        (0.86, 0.23, 0.20),
        (0.95, 0.75, 0.20),
        (0.25, 0.45, 0.80),
        (0.30, 0.62, 0.38),
        (0.93, 0.52, 0.20),
        (0.62, 0.66, 0.72),
    ]
)
_DARK = np.array((0.20, 0.23, 0.30))


@dataclasses.dataclass(frozen=True)
class Mesh:
    """A closed surface of quads; a triangle is a quad with one vertex twice.

    Attributes:
        vertices: float64 [vertices, 3], inside the unit sphere.
        faces: int64 [faces, 4], counterclockwise seen from outside.
        colors: float64 [faces, 3], RGB in 0..1.
    """

    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray


@dataclasses.dataclass(frozen=True)
class Body:
    """A round body along x: fuselage, engine, float or canopy."""

    x: float
    length: float
    radius: float
    y: float = 0.0
    z: float = 0.0
    profile: str = "prop"
    paint: str = "body"

    def rings(self, rng: np.random.Generator) -> np.ndarray:
        """Returns the rings of the surface, [rings, points, 3]."""
        knots, radii = zip(*_PROFILES[self.profile].items(), strict=True)
        stations = np.union1d(knots, np.arange(0, 1, _PIECE / self.length))
        radii = self.radius * np.interp(stations, knots, radii)[:, None]
        turn = 2 * np.pi * (np.arange(_SIDES) + 0.5) / _SIDES
        x = np.broadcast_to(
            self.x - self.length * stations[:, None], (len(radii), _SIDES)
        )
        y, z = self.y + radii * np.cos(turn), self.z + radii * np.sin(turn)
        return np.stack([x, y, z], axis=-1)


@dataclasses.dataclass(frozen=True)
class Wing:
    """A tapered surface from its root outward: wing, tailplane, fin, strut or blade.

    `x` is the leading edge at the root. `sweep` is the distance of the leading edge at
    the tip behind it. `angle` is the dihedral in degrees; 90 is a fin.
    """

    x: float
    span: float
    chord: float
    tip: float
    sweep: float = 0.0
    angle: float = 0.0
    y: float = 0.0
    z: float = 0.0
    thickness: float = 0.12
    paint: str = "wing"

    def rings(self, rng: np.random.Generator) -> np.ndarray:
        """Returns the rings of the surface, [rings, points, 3]."""
        chords = np.array([self.chord, self.tip]) * rng.uniform(0.9, 1.1, 2)
        out = np.linspace(0, 1, 2 + int(self.span / _PIECE))[:, None]
        chord = chords[0] + (chords[1] - chords[0]) * out
        cos, sin = np.cos(np.radians(self.angle)), np.sin(np.radians(self.angle))
        lift = self.thickness * chord * _AIRFOIL[:, 1]
        x = self.x - self.sweep * out - chord * _AIRFOIL[:, 0]
        y = self.y + self.span * out * cos - lift * sin
        z = self.z + self.span * out * sin + lift * cos
        return np.stack([x, y, z], axis=-1)


def _propeller(x, y=0.0, z=0.0, span=0.26):
    def blade(angle):
        return Wing(x + 0.02, span, 0.05, 0.04, 0, angle, y, z, 1.0, "dark")

    return [blade(90), blade(-90), Body(x + 0.09, 0.12, 0.06, y, z, "drop", "dark")]


def _tail(x=-0.72, z=0.04, span=0.38, sweep=0.1):
    return [
        Wing(x, span, 0.24, 0.15, sweep, z=z, paint="tail"),
        Wing(x + 0.02, 0.34, 0.28, 0.15, sweep + 0.06, 90, z=z, paint="tail"),
    ]


def _struts(z, span, y, x=0.28):
    return [
        Wing(x, span, 0.05, 0.05, 0, 90, y, z, 0.5, "dark"),
        Wing(x - 0.1, span, 0.05, 0.05, 0, 90, y, z, 0.5, "dark"),
    ]


def _jet_engine(x, y, z, radius=0.075):
    return Body(x, 0.3, radius, y, z, "engine", "dark")


_CANOPY = Body(0.42, 0.5, 0.1, 0, 0.1, "drop", "dark")
_FIGHTER_CANOPY = Body(0.5, 0.5, 0.075, 0, 0.075, "drop", "dark")
_LIGHT = Body(0.95, 1.8, 0.15)
_LINER = Body(1.0, 2.0, 0.13, profile="jet")
_NEEDLE = Body(1.0, 1.9, 0.12, profile="needle")

# A part off the plane of symmetry is mirrored to the other side.
SHAPES: dict[str, list[Body | Wing]] = {
    "high_wing": [
        _LIGHT,
        Body(0.48, 0.5, 0.1, 0, 0.11, "drop", "dark"),
        Wing(0.4, 1.0, 0.34, 0.28, 0.03, 2, z=0.2),
        *_tail(),
        *_propeller(0.95),
        Body(0.45, 0.16, 0.07, 0.22, -0.3, "drop", "dark"),
        Wing(0.38, 0.3, 0.05, 0.05, 0, -60, 0.07, -0.05, 0.5, "dark"),
    ],
    "low_wing": [
        _LIGHT,
        _CANOPY,
        Wing(0.35, 0.95, 0.42, 0.22, 0.08, 6, z=-0.08),
        *_tail(),
        *_propeller(0.95),
    ],
    "biplane": [
        Body(0.8, 1.6, 0.15),
        Wing(0.42, 0.85, 0.3, 0.28, z=0.3),
        Wing(0.35, 0.8, 0.3, 0.28, z=-0.1),
        *_struts(-0.08, 0.35, 0.55),
        *_struts(0.05, 0.22, 0.1),
        *_tail(-0.56),
        *_propeller(0.8),
    ],
    "triplane": [
        Body(0.75, 1.45, 0.15),
        Wing(0.42, 0.75, 0.25, 0.24, z=0.4),
        Wing(0.36, 0.7, 0.25, 0.24, z=0.12),
        Wing(0.3, 0.66, 0.25, 0.24, z=-0.14),
        *_struts(-0.12, 0.49, 0.5),
        *_tail(-0.46, span=0.32),
        *_propeller(0.75),
    ],
    "delta": [
        _NEEDLE,
        _FIGHTER_CANOPY,
        Wing(0.35, 0.75, 1.15, 0.1, 1.05, z=-0.04, thickness=0.06),
        Wing(-0.3, 0.45, 0.55, 0.15, 0.4, 90, z=0.05, paint="tail"),
    ],
    "swept_jet": [
        _LINER,
        Wing(0.32, 0.98, 0.45, 0.14, 0.55, 5, z=-0.05),
        *_tail(-0.68, span=0.4, sweep=0.22),
        _jet_engine(0.3, 0.36, -0.12),
    ],
    "twin_engine": [
        Body(1.0, 1.9, 0.14, profile="jet"),
        Body(0.62, 0.45, 0.1, 0, 0.08, "drop", "dark"),
        Wing(0.3, 1.0, 0.36, 0.2, 0.08, 4, z=-0.06),
        Body(0.5, 0.55, 0.09, 0.38, -0.02, "drop"),
        *_propeller(0.48, 0.38, -0.02, 0.2),
        *_tail(-0.66),
    ],
    "four_engine": [
        Body(1.0, 2.0, 0.15, profile="jet"),
        Wing(0.34, 1.08, 0.4, 0.16, 0.45, 5, z=0.08),
        _jet_engine(0.32, 0.34, -0.01, 0.07),
        _jet_engine(0.15, 0.68, 0.01, 0.07),
        *_tail(-0.68, span=0.42, sweep=0.2),
    ],
    "flying_wing": [
        Body(0.5, 0.85, 0.12, profile="drop"),
        Wing(0.42, 1.15, 0.7, 0.16, 0.7, 2, thickness=0.1),
        Body(0.3, 0.35, 0.08, 0, 0.08, "drop", "dark"),
        _jet_engine(0.0, 0.25, 0.05, 0.065),
    ],
    "canard": [
        Body(1.0, 1.75, 0.13, profile="glider"),
        Body(0.66, 0.5, 0.1, 0, 0.08, "drop", "dark"),
        Wing(0.78, 0.36, 0.16, 0.12, 0.04, z=-0.02, paint="tail"),
        Wing(-0.1, 0.9, 0.45, 0.16, 0.42, z=-0.03),
        Wing(-0.54, 0.28, 0.18, 0.1, 0.14, 85, 0.9, -0.03, paint="tail"),
        *_propeller(-0.74, span=0.2),
    ],
    "glider": [
        Body(0.7, 1.5, 0.11, profile="glider"),
        Body(0.58, 0.36, 0.075, 0, 0.06, "drop", "dark"),
        Wing(0.3, 1.3, 0.22, 0.09, 0.06, 4, z=0.06),
        Wing(-0.62, 0.3, 0.14, 0.1, 0.05, z=0.26, paint="tail"),
        Wing(-0.56, 0.26, 0.22, 0.15, 0.07, 90, paint="tail"),
    ],
    "v_tail": [
        _LIGHT,
        _CANOPY,
        Wing(0.34, 0.95, 0.38, 0.24, 0.05, 5, z=-0.07),
        Wing(-0.56, 0.45, 0.28, 0.16, 0.16, 40, paint="tail"),
        *_propeller(0.95),
    ],
    "t_tail": [
        _LINER,
        Wing(0.2, 0.9, 0.42, 0.14, 0.42, 3, z=-0.06),
        Wing(-0.55, 0.4, 0.36, 0.26, 0.26, 90, z=0.06, paint="tail"),
        Wing(-0.78, 0.38, 0.22, 0.12, 0.16, z=0.45, paint="tail"),
        _jet_engine(-0.32, 0.2, 0.06),
    ],
    "twin_fin": [
        _NEEDLE,
        _FIGHTER_CANOPY,
        Body(0.2, 1.1, 0.1, 0.15, -0.03, "engine"),
        Wing(0.25, 0.7, 0.65, 0.2, 0.45, y=0.1, thickness=0.07),
        Wing(-0.55, 0.4, 0.32, 0.14, 0.25, y=0.15, thickness=0.07, paint="tail"),
        Wing(-0.4, 0.4, 0.36, 0.16, 0.26, 75, 0.2, paint="tail"),
    ],
    "seaplane": [
        Body(0.9, 1.75, 0.15),
        Body(0.42, 0.5, 0.1, 0, 0.11, "drop", "dark"),
        Wing(0.4, 1.0, 0.34, 0.26, 0.03, 3, z=0.2),
        Body(0.75, 1.2, 0.09, 0.27, -0.36, "jet", "tail"),
        Wing(0.35, 0.3, 0.06, 0.06, 0, -60, 0.1, -0.06, 0.5, "dark"),
        Wing(-0.05, 0.3, 0.06, 0.06, 0, -60, 0.1, -0.06, 0.5, "dark"),
        *_tail(-0.66),
        *_propeller(0.9),
    ],
    "twin_boom": [
        Body(0.75, 1.0, 0.14, profile="drop"),
        Body(0.5, 0.5, 0.1, 0, 0.09, "drop", "dark"),
        Wing(0.32, 1.05, 0.36, 0.2, 0.06, 2),
        Body(0.6, 1.55, 0.08, 0.36, 0, "prop"),
        *_propeller(0.6, 0.36, 0, 0.2),
        Wing(-0.72, 0.36, 0.2, 0.2, 0, z=0.02, paint="tail"),
        Wing(-0.7, 0.26, 0.24, 0.14, 0.1, 90, 0.36, paint="tail"),
    ],
}

# Shapes that only the test split has if `unseen_test_shapes` is set.
HELD_OUT = ("triplane", "four_engine", "canard", "twin_boom")


def build(name: str, rng: np.random.Generator) -> Mesh:
    """Builds one airplane with its own proportions and paint.

    Args:
        name: A key of `SHAPES`.
        rng: Draws proportions (each axis and chord within about 15 %) and paint.

    Returns:
        The mesh, centered, reaching just to the unit sphere.
    """
    body, wing, tail = _PAINTS[rng.choice(len(_PAINTS), 3)]
    paints = {"body": body, "wing": wing, "tail": tail, "dark": _DARK}
    vertices, faces, colors, count = [], [], [], 0
    for part in SHAPES[name]:
        rings = part.rings(rng)
        sides = [rings]
        if abs(rings[..., 1].mean()) > 1e-6:
            sides.append(rings * (1, -1, 1))
        for side in sides:
            side_faces = _loft(side)
            vertices.append(side.reshape(-1, 3))
            faces.append(side_faces + count)
            colors.append(np.tile(paints[part.paint], (len(side_faces), 1)))
            count += len(vertices[-1])
    stretched = np.concatenate(vertices) * rng.uniform(0.87, 1.15, 3)
    stretched -= (stretched.min(0) + stretched.max(0)) / 2
    stretched /= np.linalg.norm(stretched, axis=1).max()
    return Mesh(stretched, np.concatenate(faces), np.concatenate(colors))


def _loft(rings: np.ndarray) -> np.ndarray:
    """Joins rings [rings, points, 3] into outward faces [faces, 4] with closed ends."""
    count, points = rings.shape[:2]
    index = np.arange(count * points).reshape(count, points)
    after = np.roll(index, -1, axis=1)
    walls = np.stack([index[:-1], after[:-1], after[1:], index[1:]], -1).reshape(-1, 4)
    first, last = (
        np.stack([np.full(points - 2, ring[0]), ring[1:-1], ring[2:], ring[2:]], -1)
        for ring in (index[0, ::-1], index[-1])
    )
    faces = np.concatenate([walls, first, last])
    a, b, c, d = rings.reshape(-1, 3)[faces].transpose(1, 0, 2)
    volume = np.sum(a * np.cross(b, c)) + np.sum(a * np.cross(c, d))
    return faces if volume > 0 else faces[:, ::-1]
