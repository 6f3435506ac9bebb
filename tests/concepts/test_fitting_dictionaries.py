"""What a dictionary is fitted on, and what is refused."""

from dataclasses import replace

import pytest
import torch
from laid_out import laid_out, session_for
from PIL import Image

import seewhy
from networks import SmallViT, seeded
from seewhy.concepts.fitting import fit_dictionary
from seewhy.concepts.rows import POSITIONS, Crops, drawn, squares
from seewhy.concepts.stability import stability
from seewhy.data.features import features
from seewhy.errors import ConfigError, DataError, ModelError


def pictures(count=12, channels=6, seed=0):
    return torch.rand(count, channels, 4, 4, generator=torch.Generator().manual_seed(seed))


class TestWhatIsRefused:
    def test_fewer_pictures_than_concepts(self):
        with pytest.raises(DataError, match=r"3 pictures are fewer than 5 concepts.*at most 3 concepts"):
            fit_dictionary(laid_out(pictures(3)), count=5)

    def test_one_picture(self):
        with pytest.raises(DataError, match=r"1 picture is fewer than 2 concepts.*at most 1 concept$"):
            fit_dictionary(laid_out(pictures(1)), count=2)

    def test_no_concept(self):
        with pytest.raises(ConfigError, match="at least 1 concept, got 0"):
            fit_dictionary(laid_out(pictures()), count=0)

    def test_a_dead_layer(self):
        with pytest.raises(DataError, match="'layer' is dead"):
            fit_dictionary(laid_out(0 * pictures()), count=2)

    def test_activations_that_never_differ(self):
        with pytest.raises(DataError, match="the same at every place"):
            fit_dictionary(laid_out(0 * pictures() + 3), count=2)

    def test_fewer_different_activations_than_concepts(self):
        few = pictures(12)[:, :, :1, :1].expand(-1, -1, 4, 4).contiguous()
        few[2:] = few[0]
        with pytest.raises(DataError, match="only 2 different activations, fewer than 3 concepts"):
            fit_dictionary(laid_out(few), count=3)

    def test_nan(self):
        broken = pictures()
        broken[3, 1, 2, 2] = torch.nan
        with pytest.raises(DataError, match="NaN or infinity at 1 of 192 places"):
            fit_dictionary(replace(laid_out(pictures()), raw=broken), count=2)

    @pytest.mark.parametrize("kind", ["nmf", "pca"])
    def test_more_concepts_than_channels(self, kind):
        with pytest.raises(ConfigError, match=r"6 channels, too few for 8 concepts.*sae or kmeans"):
            fit_dictionary(laid_out(pictures()), kind, 8)

    @pytest.mark.parametrize("kind", ["sae", "kmeans"])
    def test_but_not_of_a_kind_that_may_have_more(self, kind):
        assert len(fit_dictionary(laid_out(pictures()), kind, 8)) == 8


class TestRows:
    def test_so_many_are_drawn_in_their_order(self):
        rows = torch.arange(100.0)[:, None]
        some = drawn(rows, 10, seed=0)[:, 0]
        assert len(some) == 10
        assert some.tolist() == sorted(set(some.tolist()))
        assert not torch.equal(some, drawn(rows, 10, seed=1)[:, 0])

    def test_settings_say_what_was_done(self):
        made = fit_dictionary(laid_out(pictures()), "pca", 2, seed=4)
        assert made.settings == {
            "kind": "pca", "chosen": "as asked", "count": 2, "seed": 4, "pictures": 12, "rows": 192, "source": "positions",
        }  # fmt: skip

    def test_tokens_of_a_transformer(self):
        session = seewhy.Session(seewhy.Model(seeded(SmallViT()).float(), size=8, mean=0.0, std=1.0))
        images = torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        found = features(session, (images, torch.zeros(12).long()), "blocks.0")
        made = fit_dictionary(found, "auto", 4)
        assert made.key == "sae"
        assert made.codes(found).shape == (12, 4, 4, 4)
        tokens = found.raw[:, 1:].flatten(0, 1)  # the class token is no place
        torch.testing.assert_close(made.encode(tokens), made.encode(found.rows))


class TestSquares:
    def test_they_cover_the_picture_and_touch_its_border(self):
        for size in ((32, 32), (48, 30), (7, 9)):
            seen = torch.zeros(size)
            for top, left, side in squares(size, 0.4, 0.8):
                assert top >= 0 <= left
                assert top + side <= size[0]
                assert left + side <= size[1]
                seen[top : top + side, left : left + side] = 1
            assert seen.all()

    def test_the_whole_picture_is_one(self):
        assert squares((20, 20), 1.0, 0.8) == [(0, 0, 20)]


class TestCrops:
    def test_crops_of_the_whole_picture_are_its_pooled_features(self):
        session = session_for(6)
        found = laid_out(pictures(), session)
        rows = Crops(session, share=1.0).rows(found, 1000, seed=0)
        torch.testing.assert_close(rows, found.pooled, rtol=1e-4, atol=1e-4)

    def test_a_crop_of_a_plain_part_is_that_part(self):
        session = session_for(2, size=8)
        images = torch.zeros(2, 2, 8, 8)
        images[:, 0, :4], images[:, 1, 4:] = 1, 1
        rows = Crops(session, share=0.5, stride=1.0).rows(laid_out(images, session), 1000, seed=0)
        wanted = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]]).repeat(2, 1)
        torch.testing.assert_close(rows, wanted, rtol=0, atol=1e-5)

    def test_at_most_so_many_are_made_and_they_are_the_same_again(self):
        session = session_for(6)
        found = laid_out(pictures(), session)
        some = Crops(session, most=20)
        rows = some.rows(found, 1000, seed=3)
        assert rows.shape == (20, 6)
        assert torch.equal(rows, some.rows(found, 1000, seed=3))

    def test_the_cache_saves_the_passes(self, tmp_path):
        session = session_for(6)
        found = laid_out(pictures(), session)
        kept = Crops(session, cache=tmp_path)
        rows = kept.rows(found, 1000, seed=0)
        before = session.cost
        assert torch.equal(rows, kept.rows(found, 1000, seed=0))
        assert torch.equal(rows, Crops(session, cache=tmp_path).rows(found, 1000, seed=0))
        assert session.cost == before
        Crops(session, share=0.5, cache=tmp_path).rows(found, 1000, seed=0)
        assert session.cost.forwards > before.forwards

    def test_each_row_knows_its_picture(self):
        session = session_for(6)
        images = torch.arange(12.0)[:, None, None, None].expand(-1, 6, 4, 4).contiguous()
        for source in (Crops(session, most=30), Crops(session), POSITIONS):
            rows, numbers = source.placed(laid_out(images, session), 25, seed=1)
            assert len(rows) == 25
            torch.testing.assert_close(rows[:, 0], numbers.float(), rtol=1e-4, atol=1e-4)

    def test_stability_takes_no_pass_more(self):
        session = session_for(6)
        found = laid_out(pictures(), session)
        crops = Crops(session)
        made = fit_dictionary(found, "nmf", 3, source=crops)
        before = session.cost
        assert 0 <= stability(made, found, source=crops).mean <= 1
        assert session.cost == before

    def test_a_dictionary_of_crops_is_read_at_positions(self):
        session = session_for(6)
        found = laid_out(pictures(), session)
        made = fit_dictionary(found, "nmf", 3, source=Crops(session))
        assert made.settings["source"] == "crops"
        assert made.codes(found).shape == (12, 3, 4, 4)

    def test_another_network_is_refused(self):
        with pytest.raises(ModelError, match="another one than the features are of"):
            Crops(session_for(6, classes=5)).rows(laid_out(pictures(), session_for(6)), 1000, seed=0)

    def test_a_picture_that_is_gone_is_told(self, tmp_path):
        for number, grey in enumerate((40, 90, 140)):
            Image.new("RGB", (8, 8), (grey, grey, 9)).save(tmp_path / f"{number}.png")
        session = session_for(3)
        found = features(session, tmp_path, "layer")
        (tmp_path / "1.png").unlink()
        with pytest.raises(DataError, match=r"no longer can: .*1\.png"):
            Crops(session).rows(found, 1000, seed=0)

    @pytest.mark.parametrize("wrong", [{"share": 0.0}, {"share": 1.1}, {"stride": 0.0}, {"most": 0}])
    def test_sizes_that_make_no_sense_are_refused(self, wrong):
        with pytest.raises(ConfigError, match="above 0 and at most 1"):
            Crops(session_for(6), **wrong)
