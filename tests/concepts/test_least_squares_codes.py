"""Codes that are never negative, against SciPy's solver row by row."""

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from seewhy.concepts.least_squares import nonnegative_codes


@pytest.mark.parametrize(("count", "channels"), [(1, 5), (6, 20), (16, 16)])
@pytest.mark.parametrize("signed", [False, True])
def test_they_are_those_of_least_error(count, channels, signed):
    generator = torch.Generator().manual_seed(count)
    draw = torch.randn if signed else torch.rand
    atoms, rows = draw(count, channels, generator=generator), draw(40, channels, generator=generator)
    found = nonnegative_codes(rows, atoms)
    assert float(found.min()) >= 0
    for row, codes in zip(rows, found, strict=True):
        best, error = nnls(atoms.T.double().numpy(), row.double().numpy())
        assert float((row - codes @ atoms).norm()) == pytest.approx(error, rel=1e-3, abs=1e-4)
        if channels > count:  # else many codes are nearly as good
            np.testing.assert_allclose(codes, best, atol=5e-3)


def test_codes_that_made_the_rows_come_back():
    generator = torch.Generator().manual_seed(0)
    atoms, codes = torch.rand(5, 30, generator=generator), torch.rand(200, 5, generator=generator)
    torch.testing.assert_close(nonnegative_codes(codes @ atoms, atoms), codes, rtol=1e-3, atol=1e-3)


def test_an_atom_of_no_length_has_no_code_and_equal_atoms_share_theirs():
    atoms = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    codes = nonnegative_codes(torch.tensor([[4.0, 1.0]]), atoms)[0]
    assert codes[1] == 0
    assert float(codes[0] + codes[2]) == pytest.approx(4.0, abs=1e-4)


def test_rows_of_other_blocks_change_nothing(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    atoms, rows = torch.rand(6, 20, generator=generator), torch.rand(100, 20, generator=generator)
    whole = nonnegative_codes(rows, atoms)
    monkeypatch.setattr("seewhy.concepts.least_squares.BLOCK", 7)
    torch.testing.assert_close(nonnegative_codes(rows, atoms), whole, rtol=1e-3, atol=1e-4)
