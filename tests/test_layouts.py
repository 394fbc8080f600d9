"""Datasets in the layouts of other people: what is recognised."""

import unicodedata

import keras
import numpy as np
import pytest
from PIL import Image

from segmentation.dataset.data_loader import DataLoader
from segmentation.dataset.layouts.known_layouts import part_of
from segmentation.dataset.layouts.patterns import Pattern
from segmentation.dataset.samples import open_dataset
from segmentation.errors import UserError
from segmentation.files.images import write_png
from segmentation.labels.label_table import LABEL_TABLES, read_label_table
from segmentation.recipes import LIGHT
from segmentation.training.compilation import compile_network
from segmentation.training.loop import evaluate
from tests.harness.toy_dataset import street
from tests.harness.toy_layouts import LAYOUTS, as_indices, choose_ids, write_layout, write_streets


def test_every_layout_has_the_same_images_ids_and_order(tmp_path):
    for number, layout in enumerate(LAYOUTS):
        dataset = open_dataset(write_layout(tmp_path / str(number), layout, count=4))
        assert dataset.problems == (), layout
        label_table = dataset.read_label_table()
        assert [sample.name[-6:] for sample in dataset.samples] == [f"{n:06d}" for n in range(4)], layout
        for n, sample in enumerate(dataset.samples):
            image, ids = sample.read_pair(label_table)
            np.testing.assert_array_equal(image, street(n)[0], layout)
            np.testing.assert_array_equal(ids, street(n)[1], layout)


def test_every_layout_trains_one_epoch_and_scores_with_equal_numbers(tmp_path):
    keras.utils.set_random_seed(1)
    # Quick to compile; that real networks train on such batches is tested elsewhere.
    network = keras.Sequential([keras.Input((32, 48, 3)), keras.layers.Conv2D(3, 3, padding="same")])
    compile_network(network, LIGHT, steps_per_epoch=2, epochs=1)
    network.optimizer.build(network.trainable_variables)
    start = [variable.numpy() for variable in (*network.variables, *network.optimizer.variables)]
    scores = {}
    for number, layout in enumerate(LAYOUTS):
        dataset = open_dataset(write_layout(tmp_path / str(number), layout))
        for variable, value in zip((*network.variables, *network.optimizer.variables), start, strict=True):
            variable.assign(value)
        settings = {"label_table": dataset.read_label_table(), "size": (48, 32), "batch_size": 2}
        training = DataLoader(dataset.samples[:4], training=True, augment=True, seed=3, **settings)
        for index in range(len(training)):
            network.train_on_batch(*training[index])
        scores[layout] = evaluate(network, DataLoader(dataset.samples[4:], **settings)).tolist()
    first = scores["rgb_ and seg_raw_"]
    assert any(np.ravel(first)) and all(score == first for score in scores.values()), scores


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("CARLA challenge", "carla_0.9.0"),
        ("Cityscapes", "cityscapes"),
        ("Cityscapes, colours", "cityscapes"),
        ("Cityscapes, train ids", "cityscapes_train_ids"),
        ("VOC", "voc"),
        ("CamVid", "camvid_32"),
        ("CamVid of SegNet", "camvid"),
        ("KITTI", "kitti"),
        ("KITTI, colours", "kitti"),
        ("BDD100K", "bdd100k"),
        ("BDD100K, colours", "bdd100k"),
    ],
)
def test_without_labels_csv_a_known_dataset_is_read_by_its_shipped_label_table(tmp_path, layout, name):
    table = read_label_table(LABEL_TABLES / f"{name}.csv")
    dataset = open_dataset(write_layout(tmp_path, layout, count=1, table=table))
    assert dataset.read_label_table() == table
    _, ids = dataset.samples[0].read_pair(table)
    truth = choose_ids(table)[street(0)[1]]
    # In Cityscapes several void ids are black.
    np.testing.assert_array_equal(table.ids_to_mask(ids), table.ids_to_mask(truth))


def test_parts_and_nested_folders_say_which_images_belong_together(tmp_path):
    folder = write_layout(tmp_path, "Cityscapes")
    for top in ("leftImg8bit", "gtFine"):
        (folder / top / "val").mkdir()
        (folder / top / "train" / "bochum").rename(folder / top / "val" / "bochum")
    samples = open_dataset(folder).samples
    assert {(sample.part, sample.run) for sample in samples} == {("train", "aachen"), ("val", "bochum")}
    assert open_dataset(write_layout(tmp_path / "nested", "layout.toml")).samples[0].run == "aachen"


def test_names_of_nested_images_are_unique_and_fit_for_files(tmp_path):
    for place in ("a/b_c", "a_b/c", "a/b/c", "d"):
        write_png(tmp_path / f"{place}.png", street(0)[0])
    names = [sample.name for sample in open_dataset(tmp_path).samples]
    assert names == ["a_b_c", "a_b_c_2", "a_b_c_3", "d"]


def test_images_of_voc_without_labels_are_left_out_with_a_note(tmp_path):
    folder = write_layout(tmp_path, "VOC", count=2)
    for number in range(5):
        write_png(folder / "JPEGImages" / f"unlabelled{number}.png", street(number)[0])
    write_png(folder / "SegmentationObject" / "000000.png", street(0)[1])
    dataset = open_dataset(folder)
    notes = "\n".join(dataset.notes)
    assert len(dataset.samples) == 2 and dataset.problems == ()
    assert "5 of 7 images have no labels" in notes and "not read: SegmentationObject/ (1 image)" in notes
    assert "elsewhere" not in notes and "not used" not in notes

    write_png(folder / "SegmentationClassAug" / "unlabelled1.png", street(1)[1])
    (folder / "ImageSets" / "Segmentation").mkdir(parents=True)
    (folder / "ImageSets" / "Segmentation" / "val.txt").write_text("000001\n")
    notes = "\n".join(open_dataset(folder).notes)
    assert "1 of these have some elsewhere (SegmentationClassAug/unlabelled1.png); keep all in one folder" in notes
    assert "not used: ImageSets/Segmentation/val.txt; to split by these lists" in notes
    for kind in ("JPEGImages", "SegmentationClass"):
        (folder / kind / "val").mkdir()
        (folder / kind / "000001.png").rename(folder / kind / "val" / "000001.png")
    assert [sample.part for sample in open_dataset(folder).samples] == ["", "val"]


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (3, 0, 4, 1, 2)])
@pytest.mark.parametrize("own_table", [True, False])
def test_voc_masks_whose_palette_was_rearranged_mean_its_colours(tmp_path, order, own_table):
    ids = street(0)[1]
    colours = np.array(as_indices(ids, None).getpalette("RGB")).reshape(-1, 3)
    folder = write_layout(tmp_path, "VOC", count=1)
    if own_table:  # CVAT's: the same colours for other ids
        rows = [f"{9 - n},x{n},{','.join(map(str, colours[n]))},c{n}" for n in range(5)]
        (folder / "labels.csv").write_text("\n".join(["id,name,red,green,blue,class", *rows]))
        ids_of = 9 - np.arange(5)
    else:
        (folder / "labels.csv").unlink()
        ids_of = np.arange(5)
    mask = Image.fromarray(np.argsort(order).astype(np.uint8)[ids])
    mask.putpalette(colours[list(order)].astype(np.uint8).tobytes())
    mask.save(folder / "SegmentationClass" / "000000.png")
    dataset = open_dataset(folder)
    np.testing.assert_array_equal(dataset.samples[0].read_ids(dataset.read_label_table()), ids_of[ids])


def test_white_of_voc_masks_that_may_be_id_255_is_refused(tmp_path):
    folder = write_layout(tmp_path, "VOC", count=1)
    (folder / "labels.csv").write_text("id,name,red,green,blue,class\n0,a,0,0,0,A\n1,b,255,255,255,B\n255,c,1,1,1,\n")
    white = np.uint8(255) * (street(0)[1] > 1)
    Image.fromarray(np.dstack([white] * 3)).save(folder / "SegmentationClass" / "000000.png")
    dataset = open_dataset(folder)
    with pytest.raises(UserError, match="may mean ids 0, 255 or ids 0, 1, by the colours"):
        dataset.samples[0].read_ids(dataset.read_label_table())


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("frames/{n}.jpg", "Masks/{n}.png"),
        ("original_images/{n}.jpg", "label_images_semantic/{n}.png"),
        ("val_images/{n}.jpg", "val_masks/{n}.png"),
        ("Images_Train/{n}.jpg", "Masks_Train/{n}.png"),
        ("leftImg8bit/val/x/{n}_leftImg8bit.png", "gtCoarse/val/x/{n}_gtCoarse_labelIds.png"),
        (unicodedata.normalize("NFC", "images/é{n}.jpg"), unicodedata.normalize("NFD", "masks/é{n}.png")),
    ],
)
def test_further_names_of_folders_and_files_pair(tmp_path, image, label):
    dataset = open_dataset(write_streets(tmp_path, image, label))
    assert dataset.problems == () and [sample.label is not None for sample in dataset.samples] == [True] * 3
    np.testing.assert_array_equal(dataset.samples[1].read_ids(dataset.read_label_table()), street(1)[1])


def test_fine_labels_of_cityscapes_go_before_coarse_ones(tmp_path):
    labels = [f"{kind}/train/{{n}}_{kind}_labelIds.png" for kind in ("gtCoarse", "gtFine")]
    dataset = open_dataset(write_streets(tmp_path, "leftImg8bit/train/{n}_leftImg8bit.png", *labels))
    assert {sample.label.name[1:] for sample in dataset.samples} == {"_gtFine_labelIds.png"}


def test_names_that_differ_in_capitals_are_named(tmp_path):
    folder = write_streets(tmp_path, "images/IMG_{n}.JPG", "masks/img_{n}.png")
    with pytest.raises(UserError, match=r"images/IMG_0\.JPG and masks/img_0\.png differ in capitals; spell"):
        open_dataset(folder)
    write_streets(tmp_path, "images/{n}.png", "masks/{n}.png")
    problem = open_dataset(folder).problems[0]
    assert problem.endswith(
        "img_0.png: has no image; images/IMG_0.JPG differs from it only in capitals; spell them alike"
    )


@pytest.mark.parametrize(
    ("folder", "part"),
    [("train2017", "train"), ("val_images", "val"), ("dev", "val"), ("Eval", "val"), ("testing", "test")]
    + [(name, "") for name in ("trainer", "aachen", "2017", "testament")],
)
def test_part_of_a_folder_is_told_by_its_first_word(folder, part):
    assert part_of(folder) == part


def test_label_table_is_found_above_a_part_in_capitals_and_behind_no_broken_link(tmp_path):
    folder = write_streets(tmp_path / "set", "val/images/{n}.jpg", "val/masks/{n}.png") / "val"
    table = open_dataset(folder).read_label_table()
    assert open_dataset(folder).notes == (
        f"{folder}: read as images/ and masks/, label table {tmp_path / 'set' / 'labels.csv'}",
    )
    (tmp_path / "set" / "labels.csv").rename(folder / "Labels.CSV")
    assert open_dataset(folder).read_label_table() == table
    (folder / "Labels.CSV").unlink()
    (folder / "labels.csv").symlink_to(tmp_path / "nowhere.csv")
    with pytest.raises(UserError, match=r"labels\.csv: no such file"):
        open_dataset(folder).read_label_table()


@pytest.mark.parametrize(
    ("image_tag", "label_tag", "size", "accepted"),
    [
        (6, 6, (48, 32), True),
        (6, 1, (32, 48), True),  # upright labels of a turned image: the sizes match in no other way
        (1, 8, (32, 48), True),
        (6, 1, (48, 32), False),  # the sizes differ
        (3, 1, (48, 32), False),  # upside down, or not: the sizes cannot tell
        (6, 8, (48, 32), False),
        (2, 1, (48, 32), False),
        (5, 1, (32, 32), False),
    ],
)
def test_exif_orientation_of_image_and_label_must_agree_or_be_proven_by_their_sizes(
    make_dataset, image_tag, label_tag, size, accepted
):
    folder = make_dataset(count=1)
    for kind, tag in (("rgb", image_tag), ("seg_raw", label_tag)):
        path = folder / kind / f"{kind}_00000000.png"
        width, height = (48, 32) if tag == image_tag and kind == "rgb" and size != (32, 32) else size
        exif = Image.Exif()
        exif[0x0112] = tag
        pixels = np.ones((height, width, 3) if kind == "rgb" else (height, width), np.uint8)
        Image.fromarray(pixels).save(path, exif=exif)
    dataset = open_dataset(folder)
    if accepted:
        image, ids = dataset.samples[0].read_pair(dataset.read_label_table())
        assert image.shape[:2] == ids.shape
    else:
        with pytest.raises(UserError, match=rf"seg_raw_00000000\.png: (is|its EXIF orientation is {label_tag})"):
            dataset.samples[0].read_pair(dataset.read_label_table())


@pytest.mark.parametrize(
    ("pattern", "path", "key"),
    [
        ("photos/**/*.jpg", "photos/a/b/1.JPG", "a/b/1"),
        ("photos/**/*.jpg", "photos/1.jpg", "1"),
        ("photos/**/*.jpg", "photos/1.png", None),
        ("photos/**", "photos/a/1.tif", "a/1"),
        ("**/*_L", "x/1_L.png", "x/1"),
        ("*/{left,right}_*", "a/left_1.png", "a/left_1"),
        ("cam*_[x]_?.{png,bmp}", "cam12_[x]_3.bmp", "12_3"),
        ("*.class.png", "1.class.png", "1"),
        ("*.*", "1.2.png", "1.2"),
    ],
)
def test_key_of_a_path_is_what_the_wildcards_match(pattern, path, key):
    folder, slash, name = path.rpartition("/")
    keys = Pattern(pattern).match_folder(folder + slash), Pattern(pattern).match_name(name)
    assert (None if None in keys else "/".join(filter(None, keys))) == key
