"""What 03 prints about labels that its scores do not cover."""

import importlib.util
import re

import numpy as np
import pytest
from PIL import Image

from segmentation.checkpoint import TrainedModel, save_model
from segmentation.dataset.samples import open_dataset
from segmentation.errors import UserError
from segmentation.files.images import write_png
from segmentation.files.lock import exclusive
from segmentation.ground_truth import GroundTruth
from segmentation.inference import segment
from segmentation.labels.label_table import VOID, parse_label_table
from segmentation.networks.fc_densenet import fc_densenet
from segmentation.report import print_iou
from tests.harness.processes import ROOT
from tests.harness.scripts import run_script
from tests.harness.toy_dataset import COLOURS, LABELS, street

TABLE = parse_label_table(LABELS, "labels.csv")


@pytest.fixture(scope="module")
def model():
    return TrainedModel(fc_densenet(3, groups=1, layers_per_block=1, growth_rate=4, dropout=0.0), TABLE, (48, 32))


@pytest.fixture
def infer(model, tmp_path, capsys):
    """Run 03 in this process on a folder, with a network that was never trained; return its output, errors included."""
    save_model(model, tmp_path / "net.keras")
    spec = importlib.util.spec_from_file_location("inference_script", ROOT / "03_inference.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.MODEL, script.OUTPUT = tmp_path / "net.keras", tmp_path / "out"

    def run(images):
        script.IMAGES = images
        try:
            script.main()
        except UserError as error:
            return f"{capsys.readouterr().out}FAILED: {error}"
        return capsys.readouterr().out

    return run


def read_truth(folder, table=TABLE):
    dataset = open_dataset(folder)
    truth = GroundTruth(dataset, table)
    masks = [truth.read(sample)[1] for sample in dataset.samples]
    return truth, masks


def relabel(folder, number, ids):
    write_png(folder / "seg_raw" / f"seg_raw_{number:08d}.png", ids)


def test_labels_that_scores_do_not_cover_are_reported_before_them(make_dataset, model, tmp_path):
    save_model(model, tmp_path / "net.keras")
    folder = make_dataset("[bold]set", count=7)
    ids = street(0)[1]
    relabel(folder, 1, np.where(ids == 1, 200, ids).astype(np.uint8))
    relabel(folder, 2, np.zeros_like(ids))
    relabel(folder, 3, np.ones((16, 16), np.uint8))
    (folder / "seg_raw" / "seg_raw_00000004.png").write_bytes(b"")
    (folder / "rgb" / "rgb_00000005.png").write_bytes(b"")
    leftover = tmp_path / "out" / "seg" / ".0123-4567.part.png"
    leftover.parent.mkdir(parents=True)
    leftover.touch()

    status, output = run_script(
        "03_inference.py", "--model", tmp_path / "net.keras", "--images", folder, "--output", tmp_path / "out"
    )

    assert status == 1 and "Traceback" not in output
    before, table = output.split("┏")
    for words in (
        "rgb_00000005.png: empty file",
        "seg_raw_00000003.png: is 16x16",
        "seg_raw_00000004.png: empty file",
        f"{folder}: ids 200 ({(ids == 1).mean() / 4:.1%} of the pixels) are not in labels.csv and count as void",
        "in 1 of 7 labelled images (rgb_00000001.png)",
        f"{folder}: 1 of 7 labelled images (rgb_00000002.png) have no pixel of a class that the model knows",
    ):
        assert words in before, output
    assert "Scores cover 3 of 7 labelled images." in table and "6 of 7 images are segmented; problems 5" in table, (
        output
    )
    assert len(list((tmp_path / "out" / "panel").iterdir())) == 6 and not leftover.exists()


@pytest.mark.parametrize("kind", ["unknown ids", "void"])
def test_labels_without_a_class_are_not_scored(make_dataset, infer, kind):
    folder = make_dataset(count=3)
    for number in range(3):
        relabel(folder, number, np.full((32, 48), 77 if kind == "unknown ids" else 0, np.uint8))
    output = infer(folder)
    assert "FAILED" in output and "absent" not in output and "mean IoU" not in output, output
    assert "There are no scores: none of the 3 labelled images can be used." in output
    assert ("ids 77 (100% of the pixels) are not in labels.csv" in output) == (kind == "unknown ids")


def test_photos_without_labels_are_segmented_without_scores(infer, tmp_path):
    folder = tmp_path / "photos"
    write_png(folder / "1.png", street(1)[0])
    write_png(folder / f"{'a' * 248}.png", street(2)[0])
    write_png(folder / f"{'b' * 240}.png", street(3)[0])
    output = infer(folder)
    assert (
        "FAILED: 2 of 3 images are segmented; problems 1" in output
        and f"{'a' * 248}: too long" in output
        and "IoU" not in output
        and "cores" not in output
    ), output
    assert sorted(len(path.stem) for path in (tmp_path / "out" / "seg_raw").iterdir()) == [9, 248]


def test_output_that_another_process_writes_to_or_that_lies_among_the_images_is_refused(make_dataset, infer, tmp_path):
    (tmp_path / "out").mkdir()
    with exclusive(tmp_path / "out" / ".lock", "busy"):
        assert "another 03_inference.py is writing there" in infer(make_dataset())
    assert f"inside {tmp_path}, so its results would count as images" in infer(tmp_path)


def test_scores_over_a_foreign_label_table_average_the_common_classes(make_dataset, infer):
    folder = make_dataset(count=2)
    table = LABELS.replace(",Vehicle", ",Car").replace("2,Sky,70,130,180,Sky", "2,Sky,70,130,180,sky")
    (folder / "labels.csv").write_text(table)
    output = infer(folder)
    assert "FAILED" in output
    cells = re.findall(r"│ (.+?) +│ +(\S.*?) +│ +(\S.*?) +│", output)
    assert [name for name, *_ in cells] == ["Road", "Sky", "Vehicle", "mean IoU (1 of 3 classes)", "pixel accuracy"], (
        output
    )
    scores = {name: score for name, score, _ in cells}
    assert scores["Sky"] == scores["Vehicle"] == "not in labels"
    assert scores["mean IoU (1 of 3 classes)"] == scores["Road"]
    lost = np.mean([street(number)[1] >= 2 for number in range(2)])
    assert f"the model has no class sky, Car ({lost:.1%} of the pixels), which count as void; " in output
    assert "labels.csv has no class Sky, Vehicle" in output


def test_unknown_ids_are_void_and_classes_match_by_name(make_dataset):
    folder = make_dataset(count=2)
    ids = street(0)[1]
    other = np.array([9, 7, 5, 3, 200], np.uint8)[ids]  # other ids for the same classes; that of Truck is unknown
    relabel(folder, 0, other)
    (folder / "seg_raw" / "seg_raw_00000001.png").unlink()
    (folder / "labels.csv").write_text(
        "id,name,red,green,blue,class\n9,Void,0,0,0,\n7,A,1,2,3,Road\n5,B,4,5,6,Sky\n3,C,7,8,9,Vehicle\n8,D,1,1,1,Unseen\n"
    )
    truth, masks = read_truth(folder)
    np.testing.assert_array_equal(masks[0], np.array([VOID, 0, 1, 2, VOID])[ids])
    assert masks[1] is None and truth.unlabelled == []
    assert truth.problems() == [], "a class that no pixel has is no problem"
    assert truth.coverage() == "Scores cover 1 of 1 labelled images; images without labels: 1."


def test_labels_without_a_table_are_read_by_that_of_the_model_with_a_note(make_dataset):
    folder = make_dataset(count=1)
    assert read_truth(folder)[0].notes == []
    (folder / "labels.csv").unlink()
    truth, masks = read_truth(folder)
    np.testing.assert_array_equal(masks[0], TABLE.ids_to_mask(street(0)[1]))
    assert truth.notes == [f"{folder}: has no labels.csv, so its labels are read by the model's label table"]
    (folder / "labels.csv").symlink_to(folder / "nowhere.csv")
    with pytest.raises(UserError, match=r"labels\.csv: no such file"):
        read_truth(folder)


def test_many_unknown_ids_are_counted(make_dataset):
    folder = make_dataset(count=1)
    relabel(folder, 0, np.arange(32 * 48, dtype=np.uint8).reshape(32, 48))
    truth, _ = read_truth(folder)
    assert "ids 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 and 241 more (98.0% of the pixels)" in truth.problems()[0]


def test_table_prints_names_literally_and_marks_what_does_not_occur(capsys):
    names = ("[bold]Road[/bold]", ":car:", "\x1b[31mred", "[/]")
    print_iou({"IoU": np.diag([3, 1, 0, 0])}, names, "m[0].keras on [red]set[/red]", unlabelled=[names[3]])
    output = capsys.readouterr().out
    for words in ("[bold]Road[/bold]", ":car:", r"\x1b[31mred", "[/]", "m[0].keras on", "[red]set[/red]"):
        assert words in output
    assert re.search(r"red +│ +absent", output) and re.search(r"\[/\] +│ +not in labels", output), output
    assert re.search(r"mean IoU \(3 of 4 classes\) │ +1.000", output), output


def test_network_that_computes_nan_is_refused(model):
    broken = TrainedModel(fc_densenet(3, groups=1, layers_per_block=1, growth_rate=4, dropout=0.0), TABLE, (48, 32))
    broken.network.weights[-1].assign(np.full(3, np.nan))
    with pytest.raises(Exception, match="computes NaN"):
        segment(broken, street(0)[0])


def test_colours_in_seg_raw_are_read_as_the_ids_that_they_stand_for(make_dataset):
    folder = make_dataset(count=1)
    Image.fromarray(COLOURS[street(0)[1]]).save(folder / "seg_raw" / "seg_raw_00000000.png")
    truth, masks = read_truth(folder)
    np.testing.assert_array_equal(masks[0], TABLE.ids_to_mask(street(0)[1]))
    assert truth.problems() == []
