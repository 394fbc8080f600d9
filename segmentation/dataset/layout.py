"""The names of everything in a dataset folder, defined only here.

    rgb/rgb_NAME.png   seg_raw/seg_raw_NAME.png   seg/seg_NAME.png   labels.csv   frames.csv

A flat folder is read too: `rgb_NAME.png` next to `seg_raw_NAME.png` (label ids) or `seg_NAME.png` (label ids in the
colours of `labels.csv`).
"""

import csv
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

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
LABEL_SUFFIXES = (".png", ".bmp")  # JPEG and WebP would change ids


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


def find_images(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the image of every name, and a problem for each image whose name is taken."""
    images: dict[str, Path] = {}
    duplicates: list[str] = []
    flat = _is_flat(folder)
    for path in _files(folder if flat else folder / IMAGE, IMAGE_SUFFIXES):
        if flat and path.stem.startswith(f"{COLOURED_IDS}_"):
            continue
        name = path.stem.removeprefix(f"{IMAGE}_")
        if name in images:
            duplicates.append(f"{path}: {images[name].name} has the same name; remove one of them")
        images[name] = path
    return images, duplicates


def find_labels(folder: Path) -> dict[str, tuple[Path, bool]]:
    """Return the label file of every name, and whether it shows colours; a file of ids is preferred."""
    labels: dict[str, tuple[Path, bool]] = {}
    flat = _is_flat(folder)
    for path in _files(folder if flat else folder / IDS, LABEL_SUFFIXES):
        if path.stem.startswith(f"{IDS}_"):
            labels[path.stem.removeprefix(f"{IDS}_")] = (path, False)
        elif flat and path.stem.startswith(f"{COLOURED_IDS}_"):
            labels.setdefault(path.stem.removeprefix(f"{COLOURED_IDS}_"), (path, True))
        elif not flat:
            labels[path.stem] = (path, False)
    return labels


def read_runs(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Return the recording run of every name, and the problems of `frames.csv`; nothing if there is no such file."""
    path = folder / FRAME_TABLE
    if not path.exists():
        return {}, []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return {}, [f"{path}: cannot be read ({error}); fix or remove it"]
    invalid = [str(line) for line, row in enumerate(rows, 2) if not row.get("name") or row.get("run") is None]
    if invalid:
        return {}, [f"{path}: no name or no run in line {', '.join(invalid)}; fix or remove it"]
    return {row["name"]: row["run"] for row in rows}, []


def _is_flat(folder: Path) -> bool:
    return not (folder / IMAGE).is_dir()


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith(".")
    )
