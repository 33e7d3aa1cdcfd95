"""Videos of turning airplanes, the warm-up data set of GRW smoothing.

Importing this package registers the data set, so that
`tfds.load("airplanes/48px")` finds it.
"""

from grw_tf.data.airplanes.builder import Airplanes, load_split
from grw_tf.data.airplanes.config import AirplanesConfig

__all__ = ["Airplanes", "AirplanesConfig", "load_split"]
