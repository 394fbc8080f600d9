"""The names of everything in a dataset folder that we write, defined only here.

    rgb/rgb_NAME.png   seg_raw/seg_raw_NAME.png   seg/seg_NAME.png   labels.csv   frames.csv

`known_layouts.py` lists what is read besides.
"""

from pathlib import Path

IMAGE, IDS, COLOURED_IDS = "rgb", "seg_raw", "seg"  # a folder each, and the prefix of the files in it
LABEL_TABLE = "labels.csv"
FRAME_TABLE = "frames.csv"
FRAME_COLUMNS = (
    *("name", "run", "frame", "time", "town", "weather", "camera", "x", "y", "z", "pitch", "yaw", "roll"),
    *("speed", "width", "height", "fov", "driving", "seed", "version"),
)
"""Units: time in simulated seconds; x, y, z in metres and pitch, yaw, roll in degrees, of the camera in world
coordinates (x forward, y right, z up); speed of the car in m/s; width, height in pixels; fov in degrees, horizontal.
`version` is the server's. The focal length of the pinhole camera in pixels is width / (2 tan(fov / 2)), its principal
point the centre of the image."""
MAX_FRAME_TABLE_BYTES = 256 << 20  # rows of a million images take some 170 MB


def png_path(folder: Path, kind: str, name: str) -> Path:
    """Return the path of the PNG file of a kind, such as `IMAGE`, with this name."""
    return folder / kind / f"{kind}_{name}.png"


def png_names(folder: Path, kind: str) -> set[str]:
    """Return the names of all PNG files of a kind."""
    return {path.stem.removeprefix(f"{kind}_") for path in (folder / kind).glob(f"{kind}_*.png")}


def png_kinds(folder: Path) -> list[str]:
    """Return the kinds of files that the folder holds, such as `IMAGE` and `IDS`."""
    return [path.name for path in folder.iterdir() if path.is_dir()]


def is_dataset(folder: Path) -> bool:
    """Return whether the folder has a subfolder of images."""
    return (folder / IMAGE).exists()
