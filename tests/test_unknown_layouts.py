"""Folders that are in no known layout, or hold more than is read: what is said about them, and layout.toml."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segmentation.dataset.samples import open_dataset
from segmentation.errors import UserError
from segmentation.files.images import write_png
from tests.harness.toy_dataset import LABELS, street
from tests.harness.toy_layouts import LAYOUTS, write_layout, write_streets


def test_masks_beside_too_few_of_the_images_are_noted_with_a_layout_toml_that_works(tmp_path):
    write_streets(tmp_path, "{n}.jpg", numbers=range(10))
    write_streets(tmp_path, "{n}.jpg", "{n}_mask.png", numbers=range(4))
    dataset = open_dataset(tmp_path)
    assert len(dataset.samples) == 14
    note = next(
        note for note in dataset.notes if "by their names (* beside *_mask), 4 of 10 images have labels" in note
    )
    with pytest.raises(UserError, match=re.escape(note)):
        dataset.require_labels()
    (tmp_path / "layout.toml").write_text("\n".join(re.findall(r'\w+ = "\S+"', note)))
    assert sum(sample.label is not None for sample in open_dataset(tmp_path).samples) == 4


def test_files_that_shrink_a_dataset_are_problems_and_foreign_ones_are_noted(make_dataset):
    folder = make_dataset()
    image = Image.fromarray(street(0)[0])
    for name in ("rgb/rgb_1.gif", "rgb/2.tga", "rgb/3.jp2", "elsewhere/4.png", "cover.gif", "depth/depth_5.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        image.save(folder / name)
    image.save(folder / "rgb" / "without_suffix", "PNG")
    (folder / "rgb" / "rgb_6.HEIC").write_bytes(b"x")
    np.save(folder / "seg_raw" / "seg_raw_7.npy", street(7)[1])
    Image.fromarray(street(0)[1]).save(folder / "seg_raw" / "00000000.bmp")
    (folder / "seg_raw" / "notes.txt").write_text("known to be no image")
    dataset = open_dataset(folder)
    problems = "\n".join(dataset.problems)
    assert len(dataset.samples) == 8
    assert "rgb: 5 files of a kind that is not read (.gif, .heic, .jp2, .tga, no suffix): 2.tga, 3.jp2" in problems
    assert "seg_raw: 1 file of a kind that is not read (.npy): seg_raw_7.npy" in problems
    assert "seg_raw/00000000.bmp: seg_raw_00000000.png has the same name" in problems
    assert dataset.notes == (f"{folder}: not read: elsewhere/ (1 image), cover.gif",)


def test_labels_that_lie_where_others_are_read_are_a_problem(make_dataset):
    folder = make_dataset()
    (folder / "seg").mkdir()
    for number in (3, 5):
        shutil.move(folder / "seg_raw" / f"seg_raw_{number:08d}.png", folder / "seg" / f"seg_{number:08d}.png")
    problems = open_dataset(folder).problems
    assert (
        len(problems) == 1
        and "2 images without labels in rgb/ and seg_raw/ would have some in rgb/ and seg/" in problems[0]
    )


def test_folder_of_photos_is_read_with_its_subfolders_whatever_they_are_called(tmp_path):
    image = Image.fromarray(street(0)[0])
    (tmp_path / "more").mkdir()
    for name in ("1.png", "2.TIF", "3.gif", "seg_6.jpg", "more/7.png"):
        image.save(tmp_path / name)
    image.save(tmp_path / "4.jfif", "JPEG")
    image.save(tmp_path / "without_suffix", "PNG")
    write_png(tmp_path / "out" / "panel" / "panel_1.png", street(0)[0])  # what 03 writes
    (tmp_path / "seg").mkdir()
    image.save(tmp_path / "seg" / "seg_8.jpg")
    dataset = open_dataset(tmp_path)
    assert [sample.name for sample in dataset.samples] == ["1", "2", "4", "7", "seg_6", "seg_8"]
    assert len(dataset.problems) == 1 and "(.gif, no suffix): 3.gif, without_suffix" in dataset.problems[0]
    read, unread = dataset.notes
    assert "read as images: ./ (4 .jfif, .jpg, .png, .tif), more/ (1 .png), seg/ (1 .jpg); if some" in read
    assert unread == f"{tmp_path}: not read, because 03 names its results like this: out/panel/ (1 .png)"


@pytest.mark.parametrize(
    ("image", "label", "others"),
    [
        ("bilder/img{n}.png", "wahrheit/x/gt{n}.png", ()),
        ("images/IMG_{n}_left.png", "masks/M{n}_x.png", ()),
        ("IMG_{n}.png", "IMG_{n}_class.png", ()),
        ("town{n}/x.png", "town{n}/x_truth.png", ()),
        ("RGB/{n}.png", "GT/LABELS/{n}.png", ("GT/COLOR/{n}.png",)),
        ("cam/{n}_cam.png", "gt/a/{n}_labelIds.png", ("gt/a/{n}_invIds.png", "gt/a/{n}_labelTrainIds.png")),
        ("camera/{n}.png", "semantic_camera/{n}.png", ("depth/{n}.png", "instance/{n}.png")),
    ],
)
def test_unknown_layout_is_answered_with_what_was_found_and_a_layout_toml_that_works(tmp_path, image, label, others):
    write_streets(tmp_path, image, label)
    for other in others:  # void alone, so that they are not confused with the labels
        for n in range(3):
            write_png(tmp_path / other.format(n=n), 0 * street(n)[1])
    with pytest.raises(UserError, match=r"no image with labels recognised; found .*/ \(\d .png\)") as error:
        open_dataset(tmp_path).require_labels()
    (tmp_path / "layout.toml").write_text("\n".join(re.findall(r"^\w+ = .*$", str(error.value), re.MULTILINE)))
    dataset = open_dataset(tmp_path)
    assert len(dataset.samples) == 3 and dataset.problems == ()
    for n, sample in enumerate(dataset.samples):
        image, ids = sample.read_pair(dataset.read_label_table())
        np.testing.assert_array_equal(image, street(n)[0])
        np.testing.assert_array_equal(ids, street(n)[1])


@pytest.mark.parametrize(
    "paths",
    [
        ("left/{n}.png", "right/{n}.png"),
        ("town{n}/x.png", "town{n}/y.png"),
        ("cam/seq0/{n}.png", "cam/seq1/{n}.png", "cam/seq2/{n}.png"),
        ("panel/panel_{n}.png", "seg/seg_{n}.png", "seg_raw/seg_raw_{n}.png"),
        ("gt/a/{n}_invIds.png", "gt/b/{n}_labelIds.png"),
        ("masks/a/{n}.png", "truth/{n}0.png"),
        ("photos/a{n}.png", "b/gt{n}.png", "more/{n}.jpg", "more/a{n}.jpg"),
    ],
)
def test_layout_toml_is_not_proposed_unless_names_tell_labels_from_images(tmp_path, paths):
    write_streets(tmp_path, *paths)
    with pytest.raises(UserError) as error:
        open_dataset(tmp_path).require_labels()
    assert 'images = "FOLDER/**/*.jpg"\nlabels = "OTHER_FOLDER/**/*.png"\n' in str(error.value)


GOOD = 'images = "photos/**/cam_*.png"\nlabels = "truth/**/cam_*.class.png"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("images = ", "cannot be read"),
        ("images = 3", "images is 3, not text"),
        (b"\xff", "cannot be read"),
        (GOOD + "colour = 'x'", "has the key 'colour'; use only images, labels"),
        ('images = "photos/**/*"', "has no labels; add a pattern"),
        (GOOD.replace("truth", "../truth"), "leads outside of the folder"),
        (GOOD.replace("truth", "/truth"), "leads outside of the folder"),
        (GOOD.replace("truth", "wahrheit"), r"matches no file; found photos/aachen/ \(4 .png\)"),
        (GOOD.replace("cam_*.class", "*.class"), "wildcards match 'aachen/000000' in .* but 'aachen/cam_000000' in"),
        (GOOD.replace("**/cam_*", "aachen/cam_000000"), "no wildcard"),
        (GOOD + "encoding = 'red'", "encoding is 'red'; use one of ids, colours, indices"),
        (GOOD + "label_table = 'mine'", "label_table is 'mine'; give a file inside of the folder, or one of bdd100k"),
        (GOOD + "label_table = '../labels.csv'", "leads outside of the folder"),
    ],
)
def test_wrong_layout_toml_is_refused_in_one_sentence(tmp_path, text, words):
    folder = write_layout(tmp_path / "dataset", "layout.toml")
    (tmp_path / "labels.csv").write_text(LABELS)
    (folder / "layout.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=words) as error:
        open_dataset(folder)
    assert str(error.value).startswith(str(folder / "layout.toml")) and "\n" not in str(error.value)


def test_layout_toml_may_name_the_label_table_and_several_suffixes(tmp_path):
    folder = write_layout(tmp_path, "layout.toml", count=2)
    (folder / "photos/aachen/cam_000000.png").rename(folder / "photos/aachen/cam_000000.bmp")
    text = GOOD.replace("cam_*.png", "cam_*.{png,bmp}")
    for name, expected in (("kitti", "kitti.csv"), ("truth/mine.csv", "mine.csv")):
        (folder / "truth" / "mine.csv").write_text(LABELS)
        (folder / "layout.toml").write_text(f'{text}label_table = "{name}"')
        dataset = open_dataset(folder)
        assert dataset.label_table.name == expected and len(dataset.samples) == 2


def test_folder_of_several_datasets_is_not_taken_for_one(tmp_path):
    for layout in ("CamVid", "VOC", "Cityscapes"):
        write_layout(tmp_path / layout, layout, count=2)
    with pytest.raises(UserError, match=r"holds 3 datasets; give one of them: .*CamVid, .*Cityscapes, .*VOC"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("layout", ["rgb_ and seg_raw_", "Cityscapes"])
def test_folder_one_level_too_high_or_too_low_is_answered_with_the_right_one(tmp_path, layout):
    folder = write_layout(tmp_path / "outer" / "dataset", layout, count=2)
    images, labels = (path.split("/")[0] for path in LAYOUTS[layout][:2])
    with pytest.raises(UserError, match=f"holds 1 dataset; give one of them: {folder}"):
        open_dataset(tmp_path / "outer")
    with pytest.raises(UserError, match=f"{labels}: holds only the labels of the dataset {folder}; give that folder"):
        open_dataset(folder / labels)
    photos = open_dataset(folder / images)
    assert len(photos.samples) == 2 and f"holds only the images of the dataset {folder}" in photos.notes[0]
    with pytest.raises(UserError, match=f"holds only the images of the dataset {folder}; give that folder"):
        photos.require_labels()


def test_file_video_and_shell_pattern_are_told_from_a_folder(make_dataset):
    folder = make_dataset()
    with pytest.raises(UserError, match=r"rgb_00000000\.png: is a file, but a folder is wanted"):
        open_dataset(folder / "rgb" / "rgb_00000000.png")
    with pytest.raises(UserError, match=r"rgb/\*\.png: no such folder; name a folder, .* instead of a pattern"):
        open_dataset(folder / "rgb" / "*.png")


def test_links_and_unprintable_names_and_special_files_do_no_harm(make_dataset):
    folder = make_dataset()
    (folder / "rgb").rename(folder / "elsewhere")
    (folder / "rgb").symlink_to(folder / "elsewhere")
    (folder / "elsewhere" / "loop").symlink_to(folder)
    os.mkfifo(folder / "rgb" / "pipe")
    Path(os.fsdecode(os.fsencode(folder / "rgb") + b"/rgb_\xff.png")).touch()
    dataset = open_dataset(folder)
    assert len(dataset.samples) == 8
    assert any("its name is not UTF-8 text" in problem for problem in dataset.problems)
