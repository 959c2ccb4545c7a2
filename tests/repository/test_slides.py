"""The slides hold all they show, fetch nothing, have notes, and quote numbers that the README has."""

import re
import zipfile

import jupytext
import nbformat
import pytest

slides = pytest.importorskip("slides", reason="nbconvert comes with JupyterLab")


@pytest.fixture(scope="module")
def page():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slides, "reveal", lambda: (["/* style */"], ["/* script */"]))
        return slides.build()


def cells(kind):
    return [cell for cell in jupytext.read(slides.SOURCE).cells if cell.metadata["slideshow"]["slide_type"] == kind]


def test_ten_to_fourteen_slides_each_with_a_title_and_notes(page):
    order = [cell.metadata["slideshow"]["slide_type"] for cell in jupytext.read(slides.SOURCE).cells]
    assert order == ["slide", "notes"] * (len(order) // 2) and 10 <= len(order) // 2 <= 14
    assert all(re.match(r"##? \S", cell.source) for cell in cells("slide"))
    assert page.count('<aside class="notes">') == len(order) // 2


def test_the_page_fetches_nothing(page):
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)""", page) + re.findall(r"url\(([^)]*)", page)
    assert not [a for a in addresses if not a.startswith(("data:", "#"))]
    assert "<link" not in page and "import(" not in page


def test_every_picture_is_in_the_page_with_its_words(page):
    linked = sum(len(re.findall(r"\]\(\.\./(?:results|notebooks)/", cell.source)) for cell in cells("slide"))
    images = re.findall(r"<img [^>]*>", page)
    assert len(images) == linked >= 6
    assert all(re.search(r'alt="[^"]{20,}', image) and 'src="data:image/' in image for image in images)


def test_its_numbers_are_those_of_the_readme():
    readme = (slides.TOP / "README.md").read_text()
    shown = [number for cell in cells("slide") for number in re.findall(r"[\d.]+ ± [\d.]+ %", cell.source)]
    assert len(shown) == 8 and not [number for number in shown if number not in readme]


def test_what_it_says_about_a_picture_is_what_the_notebook_shows():
    text = "\n".join(cell.source for cell in cells("slide"))
    outputs = [
        o
        for cell in nbformat.read(slides.TOP / "notebooks" / "one_lesson.ipynb", 4).cells
        for o in cell.get("outputs", [])
    ]
    printed = "".join(o.get("text", "") for o in outputs)
    words = "".join(o.get("data", {}).get("text/html", "") for o in outputs)
    answers = eval(re.search(r"answers 0 to 9: (\[.*\])", printed)[1])
    assert "55 % sure" in text and 0.545 < float(re.search(r"noise: ([\d.]+) on average", printed)[1]) < 0.555
    assert "2, 5 or 3 to nine of ten" in text and 0.85 < sum(answers[k] for k in (2, 5, 3)) / sum(answers) < 0.95
    assert "Seven digits are gone" in text and "step 150: 3 of 10 classes" in words
    assert "All ten digits are back" in text and "step 150: 10 of 10 classes" in words


def test_a_download_that_is_not_the_expected_file_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(slides, "TARGET", tmp_path / "slides.html")
    with zipfile.ZipFile(tmp_path / slides.WHEEL, "w") as wheel:
        wheel.writestr(slides.INSIDE + "dist/reveal.js", "alert(1)")
    with pytest.raises(SystemExit, match="not the file that was expected"):
        slides.reveal()


def test_a_picture_that_is_not_there_is_named():
    with pytest.raises(SystemExit, match="'picture-none'"):
        slides.inline("[a](../notebooks/one_lesson.ipynb#picture-none)", slides.SOURCE.parent)
