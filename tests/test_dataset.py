import itertools
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segmentation.dataset.augmentation import MAX_ZOOM, jitter_colour, random_crop, zoom_and_mirror
from segmentation.dataset.check import check_folder, print_report
from segmentation.dataset.data_loader import DataLoader
from segmentation.dataset.samples import Sample, open_dataset
from segmentation.dataset.split import Split, check_split, open_split, split_by_run
from segmentation.errors import UserError
from segmentation.files.images import resize_mask, write_png
from segmentation.labels.label_table import VOID, parse_label_table
from tests.harness.scripts import run_script
from tests.harness.toy_dataset import COLOURS, LABELS, street

TABLE = parse_label_table(LABELS, "labels.csv")


def read_all(folder):
    dataset = open_dataset(folder)
    labels = dataset.read_label_table()
    return [(sample.read_image(), sample.read_ids(labels)) for sample in dataset.samples]


def test_older_and_flat_layouts_read_the_same_as_the_current_one(make_dataset, tmp_path):
    current = make_dataset(count=3)
    older, flat, coloured = tmp_path / "older", tmp_path / "flat", tmp_path / "coloured"
    for number in range(3):
        image, ids = street(number)
        in_red = np.stack([ids, np.zeros_like(ids), np.zeros_like(ids)], axis=-1)
        write_png(older / "rgb" / f"rgb_{number:08d}.png", image)
        write_png(older / "seg_raw" / f"seg_raw_{number:08d}.png", in_red)
        write_png(flat / f"rgb_{number:08d}.png", image)
        write_png(flat / f"seg_raw_{number:08d}.png", ids)
        write_png(flat / f"seg_{number:08d}.png", image)  # for people to look at: the ids take precedence
        write_png(coloured / f"rgb_{number:08d}.png", image)
        write_png(coloured / f"seg_{number:08d}.png", COLOURS[ids])
    for folder in (older, flat, coloured):
        (folder / "labels.csv").write_text(LABELS)
        for (image, ids), (wanted_image, wanted_ids) in zip(read_all(folder), read_all(current), strict=True):
            np.testing.assert_array_equal(image, wanted_image)
            np.testing.assert_array_equal(ids, wanted_ids)


def test_check_names_every_damaged_file_in_one_report_and_writes_nothing(make_dataset):
    folder = make_dataset(count=12)
    rgb, seg = folder / "rgb", folder / "seg_raw"
    (seg / "seg_raw_00000000.png").unlink()
    (rgb / "rgb_00000001.png").unlink()
    (rgb / "rgb_00000002.png").write_bytes(b"")
    content = (seg / "seg_raw_00000003.png").read_bytes()
    (seg / "seg_raw_00000003.png").write_bytes(content[: len(content) // 2])
    write_png(seg / "seg_raw_00000004.png", np.ones((16, 16), np.uint8))
    write_png(seg / "seg_raw_00000005.png", np.full((32, 48), 99, np.uint8))
    (rgb / "rgb_00000006.png").write_text("not an image")
    Image.fromarray(np.full((32, 48), 300, np.uint16)).save(seg / "seg_raw_00000007.png")
    (folder / "labels.csv").write_text(LABELS + "9,Fence,1,2,3,Fence\n")
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))

    status, output = run_script("02_fc_densenet.py", "--dataset", folder, "--check")

    assert status == 1
    for expected in (
        "rgb_00000000.png: has no labels",
        "seg_raw_00000001.png: has no image",
        "rgb_00000002.png: empty file",
        "seg_raw_00000003.png: cannot be read",
        "seg_raw_00000004.png: is 16x16 but its image rgb_00000004.png is 48x32",
        "seg_raw_00000005.png: ids 99 (100% of the pixels) are not in labels.csv",
        "rgb_00000006.png: cannot be read",
        "seg_raw_00000007.png: labels are",
        "class Fence never occurs",
    ):
        assert expected in output
    assert "00000008" not in output and "Traceback" not in output
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("damage", "words"),
    [("missing", "no such folder"), ("empty", "no images"), ("no labels.csv", "copy the table")],
)
def test_check_of_a_folder_that_is_not_a_dataset_says_what_to_do(make_dataset, tmp_path, damage, words):
    folder = tmp_path / "nowhere"
    if damage == "empty":
        folder.mkdir()
    if damage == "no labels.csv":
        folder = make_dataset()
        (folder / "labels.csv").unlink()
    status, output = run_script("02_fc_densenet.py", "--dataset", folder, "--check")
    assert status == 1 and str(folder) in output and words in output and "Traceback" not in output


def test_duplicates_and_wrong_rows_of_frames_are_reported_with_all_other_problems(make_dataset):
    folder = make_dataset()
    Image.fromarray(street(0)[0]).save(folder / "rgb" / "rgb_00000000.jpg")
    (folder / "frames.csv").write_text("name,run\n00000000,a\n00000001\n")
    (folder / "rgb" / "rgb_00000003.png").write_bytes(b"")
    status, output = run_script("02_fc_densenet.py", "--dataset", folder, "--check")
    assert status == 1 and "Traceback" not in output
    for expected in ("has the same name", "frames.csv: line 3: has 1 instead of 2 fields", "rgb_00000003.png: empty"):
        assert expected in output


def test_many_files_with_one_fault_are_one_line_with_a_count(make_dataset, capsys):
    folder = make_dataset(count=30)
    for number in range(12):
        (folder / "seg_raw" / f"seg_raw_{number:08d}.png").unlink()
        write_png(folder / "seg_raw" / f"seg_raw_{number + 12:08d}.png", np.full((32, 48), 90 + number, np.uint8))
    (folder / "rgb" / "rgb_00000029.png").write_bytes(b"")
    print_report(check_folder(folder, progress=False))
    lines = [line for line in capsys.readouterr().out.splitlines() if "problems" in line or ".png" in line]
    assert len(lines) == 4 and lines[3] == f"{folder}: images 30, problems 25", lines
    others = "(11 more like it: rgb_00000001.png, rgb_00000002.png, rgb_00000003.png and 8 more"
    assert "rgb_00000000.png: has no labels" in lines[0] and others in lines[0]
    assert "seg_raw_00000012.png: ids 90 (100% of the pixels)" in lines[1] and "11 more like it" in lines[1]
    assert "rgb_00000029.png: empty file" in lines[2]


def test_report_identifies_images_and_labels_by_their_content(make_dataset):
    folder = make_dataset(count=4)
    shutil.copy(folder / "rgb" / "rgb_00000000.png", folder / "rgb" / "rgb_00000001.png")
    shutil.copy(folder / "seg_raw" / "seg_raw_00000000.png", folder / "seg_raw" / "seg_raw_00000002.png")
    Image.fromarray(street(0)[0]).save(folder / "rgb" / "rgb_00000003.bmp")
    (folder / "rgb" / "rgb_00000003.png").unlink()
    report = check_folder(folder, progress=False)
    images = [report.image_hashes[sample.image] for sample in open_dataset(folder).samples]
    assert images[0] == images[1] == images[3] != images[2]
    assert len(set(report.contents.values())) == 4 and not report.problems
    assert set(report.num_labelled.values()) == {30 * 48}  # the last two rows are void


def test_long_run_is_not_held_out_for_a_small_share():
    samples = [Sample(f"{n:03d}", Path("x"), run="long" if n < 90 else "short") for n in range(100)]
    for seed in range(6):
        assert len(split_by_run(samples, 0.15, seed)[1]) == 10


def test_validation_holds_out_whole_runs(make_dataset):
    samples = open_dataset(make_dataset(count=40)).samples
    train, held_out = split_by_run(samples, 0.2, seed=3)
    assert len(held_out) == 8
    assert not {sample.run for sample in train} & {sample.run for sample in held_out}
    assert sorted(train + held_out, key=lambda sample: sample.name) == list(samples)
    assert split_by_run(samples, 0.2, seed=3) == (train, held_out)


def test_without_runs_contiguous_blocks_are_held_out(make_dataset):
    folder = make_dataset(count=40)
    (folder / "frames.csv").unlink()
    _, held_out = split_by_run(open_dataset(folder).samples, 0.1, seed=3)
    numbers = [int(sample.name) for sample in held_out]
    assert len(numbers) == 4
    assert sum(later - earlier == 1 for earlier, later in itertools.pairwise(numbers)) >= 2


@pytest.mark.parametrize("runs", [2, 1])
def test_all_cameras_of_a_car_are_held_out_together(runs):
    samples = [
        Sample(f"Town_Noon_seed{seed}_camera{camera}_{n:06d}", Path("x"), run=f"Town_Noon_seed{seed}_camera{camera}")
        for seed in range(runs)
        for camera in range(3)
        for n in range(20)
    ]
    for seed in range(6):
        training, held_out = split_by_run(samples, 0.3, seed)
        seen = [{re.sub(r"_camera\d", "", sample.name) for sample in part} for part in (training, held_out)]
        assert len(training) + len(held_out) == len(samples) and not seen[0] & seen[1]
        assert len(held_out) == 3 * len(seen[1])


def check_and_split(folder, validation=None):
    folders = [folder] if validation is None else [folder, validation]
    reports = [check_folder(path, progress=False) for path in folders]
    split = open_split(folder, validation, 0.5, seed=1)
    check_split(split, reports)
    return split, reports


def test_validation_images_that_are_training_images_are_refused_or_reported(make_dataset, tmp_path, capsys):
    folder = make_dataset(count=8)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    for number in range(6):
        write_png(other / "rgb" / f"rgb_{number:08d}.png", street(100 + number)[0])
    (tmp_path / "link").symlink_to(folder)
    for validation, count in ((folder, 8), (tmp_path / "link", 8), (other, 2)):
        with pytest.raises(UserError, match=f"{count} of 8 images to validate on are training images too"):
            check_and_split(folder, validation)

    check_and_split(folder)
    assert not capsys.readouterr().out
    shutil.copy(folder / "rgb" / "rgb_00000000.png", folder / "rgb" / "rgb_00000007.png")
    split, _ = check_and_split(folder)
    assert f"1 of {len(split.validation)} images to validate on are training images too" in capsys.readouterr().out


def test_validation_images_that_are_all_void_are_refused(make_dataset, capsys):
    folder, other = make_dataset(), make_dataset("other", count=3, height=40)
    for number in range(3):
        write_png(other / "seg_raw" / f"seg_raw_{number:08d}.png", np.zeros((40, 48), np.uint8))
        found = f"{number + 1} of 3 images to validate on have only void pixels (rgb_00000000.png"
        if number < 2:
            check_and_split(folder, other)
            assert found in capsys.readouterr().out
    split = Split(TABLE, open_dataset(folder).samples, open_dataset(other).samples)
    with pytest.raises(UserError, match=re.escape(found)):
        check_split(split, [check_folder(path, progress=False) for path in (folder, other)])


def test_parts_of_a_dataset_are_its_split(make_dataset, tmp_path, capsys):
    for part, count, height in (("train", 4, 32), ("val", 3, 40), ("test", 2, 48)):
        make_dataset(part, count=count, height=height)
        for kind, folder in (("rgb", "images"), ("seg_raw", "labels")):
            for path in (tmp_path / part / kind).iterdir():
                target = tmp_path / "set" / folder / part / path.name.removeprefix(f"{kind}_")
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
    (tmp_path / "set" / "labels.csv").write_text(LABELS)
    split, _ = check_and_split(tmp_path / "set")
    assert [{sample.part for sample in part} for part in (split.training, split.validation)] == [{"train"}, {"val"}]
    output = capsys.readouterr().out
    assert "the 4 of its part 'train' and 3 of its part 'val'" in output, output
    assert "2 images of its part 'test' are left out" in output, output


def test_validation_folder_in_parts_gives_its_part_val(make_dataset, tmp_path, capsys):
    folder = make_dataset()
    for part in ("train", "val"):
        for number in range(2):
            image, ids = street(number)
            write_png(tmp_path / "set" / "images" / part / f"{part}{number}.png", image)
            write_png(tmp_path / "set" / "masks" / part / f"{part}{number}.png", ids)
    (tmp_path / "set" / "labels.csv").write_text(LABELS)
    split = open_split(folder, tmp_path / "set", 0.5, seed=1)
    assert [sample.name for sample in split.validation] == ["val0", "val1"]
    assert "images to validate on are the 2 of its part 'val'" in capsys.readouterr().out


def test_validation_folder_with_further_colours_in_its_label_table_is_refused(make_dataset):
    folder, other = make_dataset(), make_dataset("other")
    row = LABELS.splitlines()[2].split(",")
    (other / "labels.csv").write_text(LABELS + ",".join([*row[:2], "9", "9", "9", row[5]]) + "\n")
    with pytest.raises(UserError, match=f"{other / 'labels.csv'}: differs from {folder / 'labels.csv'}"):
        open_split(folder, other, 0.5, seed=1)


def test_fingerprint_changes_with_names_and_contents(make_dataset):
    folder = make_dataset()
    split, reports = check_and_split(folder)
    prints = {split.fingerprint(reports[0].contents)}
    ids = street(0)[1]
    ids[0, 0] = 1
    write_png(folder / "seg_raw" / "seg_raw_00000000.png", ids)
    split, reports = check_and_split(folder)
    prints.add(split.fingerprint(reports[0].contents))
    swapped = Split(split.label_table, split.validation, split.training)
    prints.add(swapped.fingerprint(reports[0].contents))
    assert len(prints) == 3


def test_augmentation_cuts_the_same_part_of_image_and_mask():
    _, ids = street(1, 96, 144)
    image = np.repeat(ids[..., None] * 50, 3, axis=-1)
    parts = [zoom_and_mirror(image, ids, np.random.default_rng(seed)) for seed in range(40)]
    assert all(np.array_equal(part[..., 0], part_ids * 50) for part, part_ids in parts)
    heights = [part_ids.shape[0] for _, part_ids in parts]
    assert 96 / MAX_ZOOM <= min(heights) < 70 and 90 < max(heights) <= 96
    assert all(abs(width / height - 1.5) < 0.02 for height, width in (part_ids.shape for _, part_ids in parts))


def test_recoloured_image_is_brighter_or_darker_and_has_the_same_shape():
    image, _ = street(1, 96, 144)
    means = [jitter_colour(image, np.random.default_rng(seed)).mean() for seed in range(40)]
    assert min(means) < image.mean() - 20 and max(means) > image.mean() + 20
    still = jitter_colour(image, np.random.default_rng(0))
    assert still.shape == image.shape and still.dtype == np.uint8


def test_crop_is_the_same_window_of_image_and_mask_and_reaches_every_corner():
    image, ids = street(1, 32, 48)
    image = np.repeat(ids[..., None], 3, axis=-1)
    windows = [random_crop(image, ids, (46, 99), np.random.default_rng(seed)) for seed in range(30)]
    assert all(np.array_equal(part[..., 0], part_ids) and part_ids.shape == (32, 46) for part, part_ids in windows)
    assert len({part_ids.tobytes() for _, part_ids in windows}) == 3


def test_only_training_images_are_cropped(make_dataset):
    dataset = open_dataset(make_dataset(count=2))
    settings = {"size": (40, 24), "batch_size": 2, "crop": (16, 8)}
    for training, shape in ((True, (2, 8, 16)), (False, (2, 24, 40))):
        images, classes = DataLoader(dataset.samples, dataset.read_label_table(), training=training, **settings)[0]
        assert images.shape == (*shape, 3) and classes.shape == shape


def test_resized_labels_hold_only_existing_ids_and_stay_centred():
    ids = np.repeat(np.array([3, 200], np.uint8), 30)[None].repeat(60, axis=0)
    small = resize_mask(ids, (20, 20))
    assert set(np.unique(small)) == {3, 200}
    np.testing.assert_array_equal(small[:, :10], 3)
    np.testing.assert_array_equal(small[:, 10:], 200)


def test_batches_depend_on_epoch_and_index_only(make_dataset):
    dataset = open_dataset(make_dataset(count=7))
    settings = {"size": (40, 24), "batch_size": 3, "training": True, "seed": 5}
    one = DataLoader(dataset.samples, dataset.read_label_table(), **settings)
    two = DataLoader(dataset.samples, dataset.read_label_table(), **settings)
    one.on_epoch_end()
    two.start_epoch(1)
    assert len(one) == 3
    for index in (2, 0, 1):
        (images, classes), (others, _) = one[index], two[index]
        np.testing.assert_array_equal(images, others)
        assert images.shape == (3, 24, 40, 3) and images.dtype == np.uint8
        assert classes.shape == (3, 24, 40) and set(np.unique(classes)) <= {0, 1, 2, VOID}
    two.start_epoch(2)
    assert not np.array_equal(one[0][0], two[0][0])


def test_validation_batches_hold_every_sample_once_in_order(make_dataset):
    dataset = open_dataset(make_dataset(count=7))
    batches = DataLoader(dataset.samples, dataset.read_label_table(), size=(48, 32), batch_size=3)
    images = np.concatenate([batches[index][0] for index in range(len(batches))])
    np.testing.assert_array_equal(images, np.stack([street(number)[0] for number in range(7)]))


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may write anywhere")
def test_folder_that_cannot_be_written_is_named_in_the_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot be written"):
        write_png(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
