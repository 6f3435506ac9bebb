"""The page is one file, says the truth about what it shows, and cannot be made to run what it was given."""

import json
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seewhy.report
from seewhy.render.overlay import strongest_part
from seewhy.report.images import DETAILS
from seewhy.report.numbers import numbers
from seewhy.report.page import CREED, LARGEST, page
from seewhy.report.photo import Answer

EVIL = """</script ></script><!--<script><script>alert(1)</script>"><img src=x onerror='alert(2)'> & {{ 7*7 }}"""


class Tree(HTMLParser):
    """Every start tag with its attributes, the text that people read, and the content of scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.scripts: list[str] = []
        self.styles = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] == "style":
            self.styles += data
        else:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def words(tree: Tree) -> str:
    return re.sub(r"\s+", " ", tree.text)


def test_nothing_outside_the_file_is_asked_for(make):
    html = page(make())
    tree = Tree(html)
    addresses = [
        value
        for _, attributes in tree.tags
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "action"}
    ]
    assert len(addresses) >= 7  # photo, three maps, hidden picture, two channels
    assert all(address.startswith("data:") for address in addresses)
    assert re.findall(r"url\((?!#)", html) == []
    assert "@import" not in html
    assert "http:" not in html
    assert "https:" not in html


def test_only_the_script_of_this_package_may_run(make):
    tree = Tree(page(make()))
    [policy] = [meta["content"] for meta in tree.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    digest = b64encode(sha256(tree.scripts[1].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}';" in policy
    assert "onclick" not in page(make())


def test_embedded_numbers_are_the_numbers(make):
    report = make(name=EVIL, provenance={"note": EVIL, "nan": float("nan")})
    tree = Tree(page(report))
    [kind] = [script for script in tree.all("script") if script.get("type")]
    assert kind["type"] == "application/json"
    assert json.loads(tree.scripts[0]) == numbers(report)
    assert not set("<>&") & set(tree.scripts[0])  # no end tag in any spelling, no comment that hides one


def test_names_cannot_become_markup(make):
    report = make()
    hurt = make(
        name=EVIL,
        model=EVIL,
        method=EVIL,
        layer=EVIL,
        source=EVIL,
        unit=EVIL,
        command=EVIL,
        cost=(EVIL,),
        cautions=(EVIL,),
        provenance={EVIL: EVIL},
        top=((EVIL, 0.712), ("x", 0.1)),
        answers=(replace(report.answers[0], name=EVIL, where=EVIL), *report.answers[1:]),
        hide_test=replace(report.hide_test, sentence=EVIL, unit=EVIL),
    )
    clean, tree = Tree(page(report)), Tree(page(hurt))
    assert len(tree.scripts) == len(clean.scripts) == 2
    assert tree.scripts[1] == clean.scripts[1]
    assert {name for _, attributes in tree.tags for name in attributes} == {
        name for _, attributes in clean.tags for name in attributes
    }
    assert len(tree.all("img")) == len(clean.all("img"))
    assert words(tree).count("alert(1)") >= 10  # shown as text, where the names stand
    assert "49" not in words(tree).replace("7*7", "")  # no template runs inside a name


@pytest.mark.parametrize("kind", ["noise", "flat"])
def test_a_large_photo_with_noisy_maps_stays_under_the_limit(make, kind):
    rng = np.random.default_rng(0)
    pixels = (
        rng.integers(0, 255, (3000, 4000, 3), dtype=np.uint8)
        if kind == "noise"
        else np.full((3000, 4000, 3), 90, np.uint8)
    )
    maps = (lambda: rng.normal(size=(224, 224))) if kind == "noise" else (lambda: np.ones((7, 7)))
    noise = tuple(Answer(f"class {n}", 1.0, 0.1, maps()) for n in range(5))
    report = make(
        picture=Image.fromarray(pixels),
        size=(4000, 3000),
        answers=noise,
        signed=True,
        limit=5.0,
        hide_test=None,
        channels=(),
    )
    html = page(report)
    assert len(html.encode()) < LARGEST
    photo = Image.open(BytesIO(b64decode(next(img["src"] for img in Tree(html).all("img")).partition(",")[2])))
    assert max(photo.size) == (DETAILS[0].photo if kind == "flat" else pytest.approx(560, abs=240))


def test_maps_are_transparent_where_there_is_nothing(make):
    maps = [img for img in Tree(page(make())).all("img") if img.get("class") == "heat"]
    alpha = [
        np.asarray(Image.open(BytesIO(b64decode(img["src"].partition(",")[2]))).convert("RGBA"))[..., 3] for img in maps
    ]
    assert (alpha[0][:, :60] == 0).all()  # the margin that was not seen, 20 of 120 columns
    assert alpha[0].max() > 240
    assert alpha[1].max() < 0.75 * 255  # half the value on the same scale: 0.5 ** 0.7 = 0.62
    assert alpha[2].max() == 0


def test_every_picture_has_words_and_every_control_a_name(make):
    tree = Tree(page(make()))
    assert all(len(img["alt"]) > 15 for img in tree.all("img"))
    labelled = {label.get("for") for label in tree.all("label")}
    free = [box["id"] for box in tree.all("input") if box["id"] not in labelled]
    assert free == ["outline", "colour"]  # these two stand inside their labels
    assert "Outline" in tree.text
    assert "Photo in colour" in tree.text
    assert all(part.get("aria-label") for _, part in tree.tags if part.get("role") == "img")
    assert len({part["id"] for _, part in tree.tags if "id" in part}) == sum("id" in part for _, part in tree.tags)
    referred = {part["aria-labelledby"] for _, part in tree.tags if "aria-labelledby" in part}
    assert referred <= {part.get("id") for _, part in tree.tags}


def test_alt_text_says_class_probability_place_and_test(make):
    chosen, other, none = (img["alt"] for img in Tree(page(make())).all("img") if img.get("class") == "heat")
    for part in ("chelsea.png", "“tabby”", "p = 0.71", "upper left", "63 %", "hide test passes: 0.71 → 0.19"):
        assert part in chosen
    assert "“tiger cat”" in other
    assert "lower right" in other
    assert "hide test" not in other
    assert "no evidence" in none


@pytest.mark.parametrize(("outcome", "said"), [("passes", "passes"), ("unclear", "is unclear"), ("fails", "fails")])
def test_the_outcome_is_said_in_words_beside_its_own_sign(make, outcome, said):
    html = page(make(hide_test=replace(make().hide_test, outcome=outcome)))
    assert f"The hide test {said}" in words(Tree(html))
    signs = re.findall(r'class="outcome \w+"><svg.*?<path d="([^"]+)"', html, re.DOTALL)
    others = {
        re.findall(
            r'class="outcome \w+"><svg.*?<path d="([^"]+)"',
            page(make(hide_test=replace(make().hide_test, outcome=other))),
            re.DOTALL,
        )[0]
        for other in {"passes", "unclear", "fails"} - {outcome}
    }
    assert len(signs) == 1
    assert signs[0] not in others


def test_dots_stand_where_their_numbers_are(make):
    html = page(make())
    ticks = dict(reversed(pair) for pair in re.findall(r'<span style="left:([\d.]+)%">([\d.]+)</span>', html))
    assert ticks == {"0.0": "0.0", "0.2": "25.0", "0.4": "50.0", "0.6": "75.0", "0.8": "100.0"}
    [hidden] = re.findall(r'class="line hidden"><i style="left:([\d.]+)%', html)
    assert float(hidden) == pytest.approx(100 * 0.19 / 0.8, abs=0.01)
    [controls] = re.findall(r'class="line control">(.*?)</div>', html)
    assert [float(x) for x in re.findall(r"left:([\d.]+)%", controls)] == pytest.approx([82.5, 86.25, 72.5])
    assert "mean 0.64" in words(Tree(html))


def test_without_a_hide_test_the_page_says_that_nothing_was_tested(make):
    said = words(Tree(page(make(hide_test=None))))
    assert "Not run. Nothing on this page tests" in said
    assert "Outlined: the strongest 20 % of the seen area." in said


def test_the_line_of_the_explained_class_is_the_hidden_area_and_that_of_others_their_strongest_fifth(make):
    report = make()
    moved = np.zeros((80, 120), dtype=bool)
    moved[60:80, 80:100] = True
    html = page(make(hide_test=replace(report.hide_test, area=moved)))
    paths = re.findall(r'<g data-answer="(\d)"[^>]*>(?:<path class="edge" d="([^"]*)")?', html)
    points = {n: np.array(re.findall(r"(\d+) (\d+)", path), dtype=int) for n, path in paths}
    assert points["0"].min(axis=0) == pytest.approx([667, 500], abs=20)  # 80 of 120 columns on a scale of 1000
    assert points["1"].min() > 300
    assert len(points["2"]) == 0
    assert "Outlined: the area that the hide test blurs." in words(Tree(html))
    assert strongest_part(report.answers[1].heatmap, 0.2) in words(Tree(html))


def test_classes_with_a_map_are_buttons_and_the_others_are_not(make):
    tree = Tree(page(make()))
    buttons = tree.all("button")
    assert [(button["data-show"], button["aria-pressed"]) for button in buttons] == [
        ("0", "true"),
        ("1", "false"),
        ("2", "false"),
    ]
    assert "window screen" in tree.text
    hidden = [part["data-answer"] for _, part in tree.tags if "data-answer" in part and "hidden" in part]
    assert hidden == ["1", "2"] * 3  # map, line and words of the two that are not shown


def test_two_classes_of_one_name_keep_their_own_maps(make):
    report = make()
    twins = tuple(replace(answer, name="crane") for answer in report.answers[:2])
    html = page(make(answers=twins, top=(("crane", 0.181), ("crane", 0.712))))
    shown = re.findall(r'data-show="(\d)".*?<b>([\d.]+)</b>', html, re.DOTALL)
    assert shown == [("1", "0.18"), ("0", "0.71")]


def test_a_target_that_is_no_class_has_a_score_and_no_bar(make):
    report = make()
    target = Answer("tabby against lynx", 3.25, None, report.answers[0].heatmap)
    tree = Tree(page(make(answers=(target,), top=(("tabby", 0.7),), hide_test=None)))
    assert "tabby against lynx 3.25 logit" in words(tree)


def test_a_signed_scale_names_both_ends(make):
    report = make(signed=True)
    said = words(Tree(page(report)))
    end = f"{report.limit:.3g}"
    assert f"-{end} against" in said
    assert f"for {end}" in said
    assert "it ends at the maximum over all maps of this photo" in said


def test_a_map_without_evidence_opens_and_says_so(make):
    report = make()
    flat = np.where(np.isnan(report.answers[0].heatmap), np.nan, 0.0)
    nothing = replace(report.answers[0], heatmap=flat, concentration=None, where="")
    said = words(Tree(page(make(answers=(nothing,), limit=0.0, hide_test=None, channels=()))))
    assert "The map shows no evidence: it is zero everywhere." in said
    assert "Outlined" not in said


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_enough_contrast(dark):
    """WCAG 2 AA: 4.5 to 1 for every pair of text and ground that the style sheet uses."""
    css = Path(seewhy.report.__file__).with_name("templates").joinpath("house.css").read_text()
    light, night = (
        dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    )
    colours = light | night if dark else light
    pairs = [(text, ground) for text in ("ink", "soft", "accent") for ground in ("paper", "card")]
    pairs += [("ink", "tint"), ("ink", "track"), ("good", "goodtint"), ("unsure", "unsuretint"), ("bad", "badtint")]
    for text, ground in pairs:
        bright, dull = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (bright + 0.05) / (dull + 0.05) >= 4.5, (text, ground)


def luminance(colour: str) -> float:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_the_closing_sentence_is_said_once(make):
    assert words(Tree(page(make()))).count(CREED) == 1
    assert words(Tree(page(make(cautions=(CREED,))))).count(CREED) == 1


def test_the_same_report_gives_the_same_page(make):
    assert page(make()) == page(make())
