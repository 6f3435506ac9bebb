"""What holds for every kind of dictionary."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from laid_out import as_pictures, laid_out, parts, session_for, sparse_codes
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from scipy.spatial.distance import cdist
from sklearn import decomposition

from seewhy.concepts.assignment import matching
from seewhy.concepts.fitting import fit_dictionary
from seewhy.concepts.kinds import kind_of, kinds
from seewhy.concepts.kmeans import KMeans
from seewhy.concepts.loading import load_dictionary
from seewhy.concepts.nmf import NMF
from seewhy.concepts.pca import PCA
from seewhy.concepts.quality import quality
from seewhy.errors import ConfigError, DataError, ModelError

COUNT = 4
every_kind = pytest.mark.parametrize("kind", sorted(kinds()))


@pytest.fixture(scope="module")
def found():
    """Features of 32 pictures with noise, never negative."""
    generator = torch.Generator().manual_seed(1)
    rows = sparse_codes(32 * 16, COUNT, 2) @ parts(COUNT, 12) + 0.05 * torch.rand(32 * 16, 12, generator=generator)
    return laid_out(as_pictures(rows))


@pytest.fixture(scope="module")
def fitted(found):
    """One dictionary of each kind."""
    return {kind: fit_dictionary(found, kind, COUNT, seed=3) for kind in kinds()}


@every_kind
class TestEveryKind:
    def test_the_same_seed_gives_the_same_dictionary_bit_for_bit(self, found, fitted, kind):
        again = fit_dictionary(found, kind, COUNT, seed=3)
        for name, value in fitted[kind].tensors().items():
            assert torch.equal(value, again.tensors()[name]), name

    def test_what_is_read_back_is_the_same_bit_for_bit(self, fitted, kind, tmp_path):
        one = fitted[kind]
        other = load_dictionary(one.save(tmp_path / "d.safetensors"))
        assert type(other) is type(one)
        assert all(torch.equal(value, other.tensors()[name]) for name, value in one.tensors().items())
        assert (other.names, other.layer, other.fingerprint) == (one.names, one.layer, one.fingerprint)
        assert other.settings == one.settings

    def test_codes_stand_at_their_positions(self, found, fitted, kind):
        one = fitted[kind]
        codes = one.codes(found)
        assert codes.shape == (len(found), COUNT, 4, 4)
        for picture, row, column in ((0, 0, 0), (5, 1, 3), (31, 3, 2)):
            there = one.encode(found.activation[picture, :, row, column][None])[0]
            torch.testing.assert_close(codes[picture, :, row, column], there, rtol=1e-4, atol=1e-5)

    def test_a_code_does_not_depend_on_the_rows_beside_it(self, found, fitted, kind):
        whole = fitted[kind].encode(found.rows)
        pieces = torch.cat([fitted[kind].encode(piece) for piece in torch.split(found.rows, 37)])
        torch.testing.assert_close(whole, pieces, rtol=1e-4, atol=1e-5)

    def test_only_a_signed_kind_has_negative_codes(self, found, fitted, kind):
        assert bool((fitted[kind].encode(found.rows) < 0).any()) == fitted[kind].signed

    def test_more_concepts_explain_more(self, found, kind):
        explained = [quality(fit_dictionary(found, kind, count), found).explained for count in (1, 2, 4, 8)]
        assert explained == sorted(explained)
        assert explained[-1] > explained[0] + 0.2

    def test_another_layer_is_refused(self, found, fitted, kind):
        with pytest.raises(ModelError, match="'elsewhere'"):
            replace(fitted[kind], layer="elsewhere").codes(found)

    def test_another_network_is_refused(self, found, fitted, kind):
        other = session_for(12, classes=5)
        with pytest.raises(ModelError, match="another network"):
            fitted[kind].codes(laid_out(found.activation, other))

    def test_activations_of_other_channels_are_refused(self, fitted, kind):
        with pytest.raises(DataError, match="12 channels, these have 7"):
            fitted[kind].encode(torch.zeros(3, 7))

    def test_a_missing_or_foreign_array_is_refused(self, fitted, kind, tmp_path):
        path = fitted[kind].save(tmp_path / "d.safetensors")
        about = {"seewhy": _about(path)}
        for name in fitted[kind].tensors():
            arrays = load_file(path)
            arrays[name] = torch.zeros(*arrays[name].shape, 2)
            save_file(arrays, tmp_path / "bad.safetensors", metadata=about)
            with pytest.raises(DataError, match=r"bad\.safetensors"):
                load_dictionary(tmp_path / "bad.safetensors")
            del arrays[name]
            save_file(arrays, tmp_path / "bad.safetensors", metadata=about)
            with pytest.raises(DataError, match=r"bad\.safetensors"):
                load_dictionary(tmp_path / "bad.safetensors")
        save_file({**load_file(path), "more": torch.zeros(1)}, tmp_path / "bad.safetensors", metadata=about)
        with pytest.raises(DataError, match="do not fit each other"):
            load_dictionary(tmp_path / "bad.safetensors")


def _about(path):
    with safe_open(str(path), framework="pt") as file:
        return file.metadata()["seewhy"]


class TestPCA:
    def test_it_is_what_numpy_finds(self, found):
        rows = found.rows.double().numpy()
        _, values, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
        made = PCA.fit(found.rows, 5)
        cosines = np.abs((made.atoms.double().numpy() * axes[:5]).sum(axis=1))
        np.testing.assert_allclose(cosines, 1, atol=1e-6)
        left = found.rows - made.decode(made.encode(found.rows))
        assert float(left.square().sum()) == pytest.approx((values[5:] ** 2).sum(), rel=1e-4)

    def test_no_dictionary_of_its_size_leaves_less(self, found, fitted):
        explained = {kind: quality(one, found).explained for kind, one in fitted.items()}
        assert max(explained, key=explained.get) == "pca"


class TestKMeans:
    def test_each_activation_belongs_to_the_nearest_middle(self, found):
        made = KMeans.fit(found.rows, 6, seed=0)
        nearest = cdist(found.rows.numpy(), made.atoms.numpy()).argmin(axis=1)
        codes = made.encode(found.rows)
        assert codes.sum(dim=1).eq(1).all()
        assert codes.argmax(dim=1).numpy().tolist() == nearest.tolist()

    def test_middles_are_the_means_of_what_belongs_to_them(self, found):
        made = KMeans.fit(found.rows, 6, seed=0)
        codes = made.encode(found.rows)
        means = (codes.T @ found.rows) / codes.sum(dim=0)[:, None]
        torch.testing.assert_close(made.atoms, means, rtol=1e-3, atol=1e-3)


class TestNMF:
    def test_it_explains_what_scikit_learn_explains_when_it_is_used_plainly(self, found):
        plain = decomposition.NMF(COUNT, init="nndsvda", random_state=0, max_iter=2000, tol=1e-6).fit(
            found.rows.numpy()
        )
        left = found.rows - NMF.fit(found.rows, COUNT).decode(NMF.fit(found.rows, COUNT).encode(found.rows))
        assert float(left.norm()) <= plain.reconstruction_err_ * 1.01

    def test_its_error_falls_with_the_number_of_concepts(self, found):
        rows, errors = torch.rand(300, 12, generator=torch.Generator().manual_seed(2)), []
        for count in range(1, 12):
            made = NMF.fit(rows, count)
            errors.append(float((rows - made.decode(made.encode(rows))).square().sum()))
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] < errors[0] / 10

    def test_the_planted_parts_are_found(self, fitted):
        assert float(matching(parts(COUNT, 12), fitted["nmf"].atoms).likeness.min()) > 0.95

    def test_it_is_fitted_on_fewer_rows_where_they_are_long(self, found, monkeypatch):
        monkeypatch.setattr("seewhy.concepts.rows.NUMBERS", 12 * 100)
        few = NMF.fit(found.rows, COUNT)
        assert float(matching(parts(COUNT, 12), few.atoms).likeness.min()) > 0.95

    def test_negative_activations_are_refused_with_their_share(self, found):
        rows = found.rows.clone()
        rows[: len(rows) // 4] *= -1
        with pytest.raises(ConfigError, match="25% of these are"):
            NMF.fit(rows, 2)


def test_the_nearest_kind_is_named():
    with pytest.raises(ConfigError, match="nearest: 'kmeans'"):
        kind_of("kmean")
