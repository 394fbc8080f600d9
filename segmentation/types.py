"""Types that every part of the project uses."""

import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]

Size = tuple[int, int]
"""Width and height, pixels."""
