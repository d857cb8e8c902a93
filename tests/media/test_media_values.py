"""Images, sound, figures and the rest: what they accept, what they keep, what comes back."""

import io
import json

import numpy as np
import pytest

from mlvc.media import kinds
from mlvc.media.annotations import BoundingBoxes2D, Classes, ImageMask
from mlvc.media.documents import Html, Molecule, Object3D, Plotly, Video
from mlvc.media.histograms import Histogram
from mlvc.media.images import Image
from mlvc.media.joined_tables import JoinedTable
from mlvc.media.sounds import Audio
from mlvc.media.tables import Table
from tests.media.test_media_tables import Kept

pictures = pytest.importorskip("PIL.Image", reason="pip install 'mlvc[media]'")
pyplot = pytest.importorskip("matplotlib.pyplot")
graph_objects = pytest.importorskip("plotly.graph_objects")
torch = pytest.importorskip("torch")


def stored(value, name="v"):
    files = Kept()
    entry = json.loads(json.dumps(value._entry(name, files.keep)))
    return kinds.from_entry(entry, files), entry, files


def pixels_of(image):
    return np.array(image.image)


@pytest.mark.parametrize(
    ("given_values", "expected"),
    [
        ([[0.0, 0.5], [1.0, 0.25]], [[0, 127], [255, 63]]),
        ([[-1.0, 0.0], [1.0, 0.5]], [[0, 127], [255, 191]]),
        ([[0.0, 300.0], [-5.0, 7.9]], [[0, 255], [0, 7]]),
        ([[0, 1], [1, 0]], [[0, 255], [255, 0]]),
        ([[0, 128], [255, 3]], [[0, 128], [255, 3]]),
    ],
)
def test_values_of_an_array_are_rescaled_as_wandb_did_until_0_28(given_values, expected):
    assert pixels_of(Image(np.array(given_values))).tolist() == expected


@pytest.mark.parametrize(
    ("shape", "mode"), [((4, 5), "L"), ((4, 5, 1), "L"), ((4, 5, 3), "RGB"), ((4, 5, 4), "RGBA"), ((1, 4, 5, 3), "RGB")]
)
def test_the_shape_decides_the_mode(shape, mode):
    image = Image(np.zeros(shape, "uint8"))
    assert (image.image.mode, image.width, image.height, image.format) == (mode, 5, 4, "png")


def test_shapes_that_are_no_image_are_value_errors():
    with pytest.raises(ValueError, match="shape"):
        Image(np.zeros((4, 5, 2)))
    with pytest.raises(ValueError, match="numbers"):
        Image(np.array([["a"]]))
    with pytest.raises(ValueError, match="no file"):
        Image("nowhere.png")
    with pytest.raises(ValueError, match="file_type"):
        Image(np.zeros((2, 2)), file_type="tiff")


def test_images_are_made_of_tensors_pictures_files_and_figures(tmp_path):
    assert pixels_of(Image(torch.zeros(3, 4, 5))).shape == (4, 5, 3)
    assert pixels_of(Image(torch.rand(2, 3, 4, 5, dtype=torch.bfloat16))).shape == (4, 10, 3)
    picture = pictures.new("RGB", (6, 2), "red")
    assert pixels_of(Image(picture)).shape == (2, 6, 3)
    picture.save(tmp_path / "p.jpg")
    found = Image(tmp_path / "p.jpg", caption="x")
    assert (found.format, found.width, found._caption) == ("jpg", 6, "x")
    figure, axes = pyplot.subplots()
    axes.plot([1, 2])
    assert Image(figure).width > 100
    pyplot.close(figure)
    assert Image(found, caption="y")._caption == "y"


def test_an_image_comes_back_with_boxes_masks_and_classes():
    box = {"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "class_id": 1}
    image = Image(
        np.zeros((3, 3)),
        caption="c",
        classes=[{"id": 1, "name": "cat"}],
        boxes={"b": {"box_data": [box], "class_labels": {1: "cat"}}},
        masks={"m": {"mask_data": np.eye(3, dtype="uint8")}},
    )
    found, entry, files = stored(image)
    assert found == image
    assert entry["path"].startswith("media/images/")
    assert entry["path"].endswith(".png")
    assert found._boxes["b"] == image._boxes["b"]
    assert found._classes == Classes([{"id": 1, "name": "cat"}])
    assert np.array(pictures.open(io.BytesIO(files[entry["masks"]["m"]["path"]]))).tolist() == np.eye(3).tolist()
    with pytest.raises(ValueError, match="boxes"):
        Image(np.zeros((3, 3)), boxes=[1])
    with pytest.raises(TypeError, match="class_id"):
        BoundingBoxes2D({"box_data": [{"position": {}}]}, "b")
    with pytest.raises(TypeError):
        ImageMask({"mask_data": np.zeros(3)}, "m")


def test_the_same_image_is_the_same_file():
    first, second = stored(Image(np.zeros((3, 3)))), stored(Image(np.zeros((3, 3))))
    assert list(first[2]) == list(second[2])


def test_sound_comes_back_within_a_sixteenth_bit(tmp_path):
    wave = np.sin(np.linspace(0, 40, 800))
    found, entry, _ = stored(Audio(wave, sample_rate=8000, caption="beep"))
    assert np.allclose(found.to_data_array(), wave, atol=1 / 30000)
    assert (entry["sample_rate"], entry["duration"], found._caption) == (8000, 0.1, "beep")
    stereo = Audio(np.zeros((10, 2), "int16"), sample_rate=8000)
    assert np.shape(stereo.to_data_array()) == (10, 2)
    assert (Audio.durations([stereo]), Audio.sample_rates([stereo])) == ([10 / 8000], [8000])
    (tmp_path / "s.ogg").write_bytes(b"OggS")
    assert stored(Audio(str(tmp_path / "s.ogg")))[1]["path"].endswith(".ogg")
    with pytest.raises(ValueError, match="sample_rate"):
        Audio(wave)


def test_pages_figures_and_files_come_back(tmp_path):
    assert stored(Html("<p>hi</p>", inject=False))[0].html == "<p>hi</p>"
    assert "<base" in Html(io.StringIO("<html><head></head></html>")).html
    (tmp_path / "page.html").write_text("<b>x</b>")
    assert "<b>x</b>" in Html(str(tmp_path / "page.html")).html
    figure = graph_objects.Figure(graph_objects.Bar(y=[1, 2]))
    assert stored(Plotly(figure))[0].figure["data"][0]["type"] == "bar"
    video, entry, files = stored(Video(np.zeros((3, 3, 8, 8), "uint8"), fps=2))
    assert files[entry["path"]].startswith(b"GIF8")
    assert isinstance(video, Video)
    points, entry, files = stored(Object3D(np.zeros((5, 3))))
    assert (json.loads(files[entry["path"]]), type(points)) == ([[0.0] * 3] * 5, Object3D)
    (tmp_path / "m.pdb").write_text("ATOM")
    assert stored(Molecule(str(tmp_path / "m.pdb")))[1]["path"].endswith(".pdb")
    for wrong in (lambda: Video(np.zeros((3, 3))), lambda: Object3D(np.zeros((5, 2))), lambda: Html(3), lambda: Plotly(3)):
        with pytest.raises(ValueError):
            wrong()


def test_histograms_count_what_is_finite():
    found = stored(Histogram([1, 2, 2, float("nan"), float("inf")], num_bins=2))[0]
    assert (found.histogram, found.bins) == ([1, 2], [1.0, 1.5, 2.0])
    assert Histogram(np_histogram=np.histogram([1, 2, 3])).bins[0] == 1.0
    assert len(Histogram(torch.rand(100, requires_grad=True)).histogram) == 64
    with pytest.raises(ValueError, match="maximum length"):
        Histogram([1], num_bins=600)
    with pytest.raises(ValueError, match="len"):
        Histogram(np_histogram=([1], [1]))


def test_joined_and_partitioned_tables_find_their_parts():
    first, second = Table(columns=["id", "a"], data=[[1, "x"]]), Table(columns=["id", "b"], data=[[1, "y"]])
    found, entry, files = stored(JoinedTable(first, second, "id"), "j")
    assert (found._table1, found._table2, found._join_key) == (first, second, "id")
    assert {entry["table1"], entry["table2"]} <= set(files)
    with pytest.raises(ValueError, match="join_key"):
        JoinedTable(first, second, 3)
    parts = Kept()
    for name, table in (("parts/1", first), ("parts/2", first)):
        parts[f"{name}.table.json"] = json.dumps(table._entry(name, parts.keep)).encode()
    rows = kinds.from_entry({"_type": "partitioned-table", "parts_path": "parts"}, parts).iterrows()
    assert list(rows) == [(0, [1, "x"]), (1, [1, "x"])]


def test_every_kind_is_found_by_the_name_of_its_entry():
    for name in kinds.HOMES:
        assert kinds.load(name)._log_type in kinds.ENTRY_NAMES
