"""Networks that state their concepts or prototypes: recognized, split by pencil, used by students and importance."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import seewhy
from command import command
from seewhy.api.concept_mapping import concept_map
from seewhy.concepts.loading import load_dictionary
from seewhy.concepts.stated import PrototypeNetwork, stated_concepts
from seewhy.data.features import features
from seewhy.errors import ConfigError, LayerError, ModelError

STATE = {"size": 8, "mean": 0.0, "std": 1.0}


class Bottleneck(nn.Module):
    """Three concepts: how red, green and blue a picture is; two classes with weights (2, -1, 0) and (0, 3, 1), biases 0.5 and -0.5."""

    concept_layer = "concepts"
    concept_names = ("red", "green", "blue")

    def __init__(self) -> None:
        super().__init__()
        self.concepts = nn.Linear(3, 3, bias=False)
        self.concepts.weight.data = torch.eye(3)
        self.classes = nn.Linear(3, 2)
        self.classes.weight.data = torch.tensor([[2.0, -1.0, 0.0], [0.0, 3.0, 1.0]])
        self.classes.bias.data = torch.tensor([0.5, -0.5])

    def forward(self, x: Tensor) -> Tensor:
        return self.classes(self.concepts(x.mean(dim=(2, 3))))


class Prototyped(nn.Module):
    """Prototypes white, black and red, a class each and weight 2 for it, -1 for others; similar as ProtoPNet: log((d + 1) / (d + 1e-4)), the largest over places."""

    prototype_layer = "similarities"
    prototype_classes = (0, 1, 0)

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("prototypes", torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
        self.patches = nn.AvgPool2d(2)
        self.similarities = nn.Identity()
        self.last = nn.Linear(3, 2, bias=False)
        self.last.weight.data = torch.tensor([[2.0, -1.0, 2.0], [-1.0, 2.0, -1.0]])

    def forward(self, x: Tensor) -> Tensor:
        apart = ((self.patches(x)[:, None] - self.prototypes[None, :, :, None, None]) ** 2).sum(dim=2)
        near = self.similarities(torch.log((apart + 1) / (apart + 1e-4)))
        return self.last(near.flatten(2).amax(dim=2))


@pytest.fixture
def picture():
    """A red square on black, 8 x 8."""
    made = Image.new("RGB", (8, 8), "black")
    made.paste((255, 0, 0), (4, 2, 6, 4))
    return made


class TestBottleneck:
    def test_the_sum_by_pencil(self, picture):
        found = concept_map(picture, seewhy.Model(Bottleneck(), **STATE), target=0)
        red = 4 / 64
        assert found.photo.names == ("red", "green", "blue")
        assert found.contributions.tolist() == pytest.approx([2 * red, 0, 0])
        assert (found.baseline, found.residual, found.offset) == (pytest.approx(0.5), pytest.approx(0, abs=1e-7), 0)
        assert found.score == pytest.approx(0.5 + 2 * red)
        assert found.photo.found.affine

    def test_a_contrast(self, picture):
        model = seewhy.Model(Bottleneck(), **STATE)
        found = concept_map(picture, model, target=seewhy.targets.Contrast(1, 0))
        assert found.contributions.tolist() == pytest.approx([-2 * 4 / 64, 0, 0])
        assert found.baseline == pytest.approx(-1)

    def test_a_model_states_it_from_outside(self, picture):
        network = Bottleneck()
        model = seewhy.Model(nn.Sequential(network), concept_layer="0.concepts", concept_names=["r", "g", "b"], **STATE)
        assert concept_map(picture, model, target=0).photo.names == ("r", "g", "b")

    def test_without_places_there_are_no_maps(self, picture):
        found = concept_map(picture, seewhy.Model(Bottleneck(), **STATE), target=0)
        with pytest.raises(LayerError, match="no places"):
            found.overlay(0)
        page = found.page()
        assert "red" in page and "what no concept explains" not in page and "maker called it" in page
        assert found.picture().width > 0

    def test_students_read_it(self):
        generator = torch.Generator().manual_seed(0)
        data = (
            torch.rand(60, 3, 8, 8, generator=generator) * torch.rand(60, 3, 1, 1, generator=generator),
            torch.arange(60) % 2,
        )
        student = seewhy.distill(seewhy.Model(Bottleneck(), **STATE), data, on="stated")
        assert student.basis.names == ("red", "green", "blue")
        with pytest.raises(ConfigError, match="states no concepts"):
            seewhy.distill(
                seewhy.Model(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), **STATE), data, on="stated", layer="0"
            )

    def test_importance_takes_them_one_by_one(self):
        data = (torch.rand(12, 3, 8, 8, generator=torch.Generator().manual_seed(1)), torch.zeros(12, dtype=torch.long))
        model = seewhy.Model(Bottleneck(), **STATE)
        found = seewhy.importance(model, data, of="concepts")
        assert {weight.unit for weight in found.weights} == {"red", "green", "blue"}

    @pytest.mark.door
    def test_importance_on_the_command_line(self, tmp_path, capsys):
        lines = (
            "import sys, seewhy",
            f"sys.path.insert(0, {str(Path(__file__).parent)!r})",
            "from test_stated import Bottleneck",
        )
        stated = (
            "def made():\n    return seewhy.Model(Bottleneck(), size=8, mean=0.0, std=1.0, labels=['warm', 'cold'])\n"
        )
        (tmp_path / "net.py").write_text("\n".join((*lines, stated)))
        (tmp_path / "photos").mkdir()
        for number, colour in enumerate(("red", "lime", "blue")):
            Image.new("RGB", (8, 8), colour).save(tmp_path / "photos" / f"{number}.png")
        order = ("importance", tmp_path / "photos", "-m", f"{tmp_path / 'net.py'}:made", "--of", "concepts")
        code, stdout, stderr = command(capsys, *order, "-o", tmp_path / "out", "--json")
        assert (code, stderr) == (0, "")
        assert {one["unit"] for one in json.loads(stdout)["weights"]} == {"red", "green", "blue"}

    def test_saved_and_read_back(self, tmp_path):
        made = stated_concepts(seewhy.Model(Bottleneck(), **STATE))
        again = load_dictionary(made.save(tmp_path / "stated.safetensors"))
        assert (type(again), again.names, again.layer, again.fingerprint) == (
            type(made),
            made.names,
            made.layer,
            made.fingerprint,
        )

    @pytest.mark.parametrize(
        ("names", "why"), [((), "have no names"), (("a", "a", "b"), "same name"), (None, "have no names")]
    )
    def test_names_must_be_there_and_differ(self, names, why):
        model = seewhy.Model(Bottleneck(), concept_layer="concepts", concept_names=names, **STATE)
        with pytest.raises(ModelError, match=why):
            stated_concepts(model)

    def test_another_number_of_names_than_channels(self, picture):
        model = seewhy.Model(Bottleneck(), concept_layer="concepts", concept_names=["a", "b"], **STATE)
        with pytest.raises(ConfigError, match="for 2 channels, and layer 'concepts' has 3"):
            concept_map(picture, model, target=0)

    def test_a_network_that_states_nothing(self, picture):
        class Named(nn.Sequential):
            """Has a part whose name is that of the protocol, which states nothing."""

        network = Named(nn.Flatten(), nn.Linear(192, 2))
        network.concept_layer = nn.Identity()
        network.concept_names = ("x",)
        assert stated_concepts(seewhy.Model(network, **STATE)) is None
        with pytest.raises(ConfigError, match="states no concepts of its own"):
            concept_map(picture, seewhy.Model(network, **STATE))


class TestPrototypes:
    def test_the_sum_by_pencil(self, picture):
        """Red and black are there exactly (d = 0), white is nearest to red: d = 2."""
        network = Prototyped()
        assert isinstance(network, PrototypeNetwork)
        found = concept_map(picture, seewhy.Model(network, labels=["light", "dark"], **STATE), target=0)
        exact, white = torch.log(torch.tensor(1e4)), torch.log(torch.tensor(3 / 2.0001))
        expected = [2 * white, -exact, 2 * exact]
        assert found.contributions.tolist() == pytest.approx([float(one) for one in expected], rel=1e-4)
        assert found.photo.names == ("prototype 0 (light)", "prototype 1 (dark)", "prototype 2 (light)")
        assert found.baseline == 0 and found.residual == pytest.approx(0, abs=1e-5)
        assert found.photo.found.affine

    def test_the_contribution_lies_where_it_is_most_alike(self, picture):
        found = concept_map(picture, seewhy.Model(Prototyped(), **STATE), target=0)
        assert found.maps.shape == (3, 4, 4)
        assert found.maps[2].flatten().nonzero().flatten().tolist() == [1 * 4 + 2]

    def test_the_map_that_is_drawn_is_the_similarity_times_the_weight(self, picture):
        found = concept_map(picture, seewhy.Model(Prototyped(), **STATE), target=0)
        network = Prototyped()
        drawn = found.photo.shown(2)
        assert float(drawn.max()) == pytest.approx(float(found.contributions[2]))
        assert int((drawn > 0.5).sum()) >= 1 and network.prototype_classes[2] == 0

    def test_training_patches_are_shown(self, picture, tmp_path):
        network = Prototyped()
        picture.save(tmp_path / "red.png")
        network.prototype_patches = (None, None, tmp_path / "red.png")
        found = concept_map(picture, seewhy.Model(network, **STATE), target=0)
        assert found.photo.patch(0) is None and found.photo.patch(2).size == (8, 8)
        assert found.page().count("its training patch") == 1

    def test_as_many_patches_as_prototypes(self):
        network = Prototyped()
        network.prototype_patches = (None,)
        with pytest.raises(ModelError, match="3 prototypes with 1 patches"):
            stated_concepts(seewhy.Model(network, **STATE))

    def test_they_are_read_from_cached_features_too(self):
        data = (torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(2)), torch.zeros(4, dtype=torch.long))
        session = seewhy.Session(seewhy.Model(Prototyped(), **STATE))
        dictionary = stated_concepts(session.model)
        given = features(session, data, dictionary.layer)
        torch.testing.assert_close(dictionary.codes(given), given.activation)
