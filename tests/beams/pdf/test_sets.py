"""Finding sets, what they say about themselves, and their members."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.beams.pdf import DEFAULT_SET, find_set, load_member
from fabgen.beams.pdf.sets import installed_sets, own_folder, search_folders, shipped_folder
from fabgen.errors import InputError

from .conftest import HEAD, made_up


@pytest.fixture(autouse=True)
def no_other_sets(monkeypatch, tmp_path):
    """Nothing that the user's machine has."""
    for name in ("LHAPDF_DATA_PATH", "LHAPATH", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.prefix", str(tmp_path / "prefix"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_the_default_set_is_shipped():
    member = load_member(DEFAULT_SET)
    info = member.info
    assert (info.index, info.members, info.force_positive) == (247000, 1, 0)
    assert (info.n_flavours, info.scheme) == (5, "variable")
    assert info.flavours == tuple(sorted(member.grid.flavours))
    assert (info.alpha_s_mz, info.mz, info.thresholds) == (0.130, 91.188, (1.42, 4.7))
    assert find_set(DEFAULT_SET).parent == shipped_folder()


def test_it_is_read_once():
    assert load_member(DEFAULT_SET) is load_member(DEFAULT_SET)


def test_what_is_shipped_goes_first(write_set, monkeypatch, tmp_path):
    """A card means the same on every machine; the other one has a path."""
    folder = write_set(DEFAULT_SET)
    monkeypatch.setenv("LHAPDF_DATA_PATH", str(tmp_path))
    assert load_member(DEFAULT_SET).info.index == 247000
    assert load_member(str(folder)).info.index == 12


@pytest.mark.parametrize("packed", [False, True])
def test_folders_that_are_searched(write_set, monkeypatch, tmp_path, packed):
    places = [tmp_path / "first", tmp_path / "second"]
    monkeypatch.setenv("LHAPDF_DATA_PATH", ":".join(map(str, places)))
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "conda"))
    usual = [tmp_path / "conda/share/LHAPDF", tmp_path / "prefix/share/LHAPDF"]
    usual += [tmp_path / "home/.local/share/LHAPDF", tmp_path / "data/fabgen/pdf"]
    assert usual[-1] == own_folder()
    for number, where in enumerate([*places, *usual]):
        assert where in search_folders()
        write_set(f"set{number}", where=where, packed=packed)
        assert load_member(f"set{number}").number == 0
        assert find_set(f"set{number}") == where / f"set{number}"
    write_set("set1", "SetDesc: of the first\n", where=places[0])
    assert load_member("set1").info.description == "of the first"
    names = [found.name for found in installed_sets()]
    assert names == [DEFAULT_SET, "set0", "set1", *(f"set{n}" for n in range(2, 6))]


def test_a_changed_file_is_read_again(write_set):
    folder = write_set("changing", grid=made_up((4,)))
    before = load_member(str(folder))
    write_set("changing", "SetDesc: new\n", grid=made_up((5,)))
    after = load_member(str(folder))
    assert (before.info.description, after.info.description) == ("", "new")
    assert (before.grid.sizes, after.grid.sizes) == ((4,), (5,))


def test_what_a_member_says_goes_first(write_set):
    keys = "AlphaS_MZ: 0.118\nForcePositive: 1\n"
    folder = write_set("own", keys, head=HEAD + "AlphaS_MZ: 0.120\n")
    member = load_member(str(folder))
    assert (member.info.alpha_s_mz, member.info.force_positive) == (0.120, 1)
    assert member.densities.least == 0.0


def test_numbers_that_yaml_takes_for_texts(write_set):
    """1e-9 is one."""
    keys = "AlphaS_Qs: [1e0, 4.5, 4.5, 1e5]\nAlphaS_Vals: [3e-1, 2e-1, 2e-1, 5e-2]\n"
    info = load_member(str(write_set("texts", keys))).info
    np.testing.assert_array_equal(info.alpha_s_q, [1.0, 4.5, 4.5, 1e5])
    np.testing.assert_array_equal(info.alpha_s_values, [0.3, 0.2, 0.2, 0.05])


@pytest.mark.parametrize(
    ("keys", "key", "found"),
    [
        ("ForcePositive: 3\n", "ForcePositive", "3"),
        ("NumMembers: many\n", "NumMembers", "many"),
        ("MCharm: .nan\n", "MCharm", "nan"),
        ("AlphaS_MZ: true\n", "AlphaS_MZ", "True"),
        ("Flavors: 21\n", "Flavors", "21"),
        ("Flavors: [1.5]\n", "Flavors", "1.5"),
        ("AlphaS_Qs: [1.0, 2.0]\n", "AlphaS_Qs, AlphaS_Vals", "2 AlphaS_Qs and 0 AlphaS_Vals"),
        ("AlphaS_Qs: [2, 1]\nAlphaS_Vals: [1, 1]\n", "AlphaS_Qs, AlphaS_Vals", "do not ascend"),
        ("AlphaS_Qs: [1, 2]\nAlphaS_Vals: [1, 0]\n", "AlphaS_Qs, AlphaS_Vals", "not above 0"),
        ("AlphaS_Qs: [2, 2]\nAlphaS_Vals: [1, 1]\n", "AlphaS_Qs, AlphaS_Vals", "fewer than two"),
        ("SetDesc: 'a\n", "line 4", "unexpected end of stream"),
        ("!!python/object/apply:os.system ['true']\n", "line 4", "could not"),
    ],
)
def test_wrong_keys(write_set, keys, key, found):
    folder = write_set("wrong", keys)
    with pytest.raises(InputError, match=found) as caught:
        load_member(str(folder))
    assert caught.value.key == key
    assert caught.value.file == str(folder / "wrong.info")


def test_a_set_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("LHAPDF_DATA_PATH", str(tmp_path))
    with pytest.raises(InputError, match="not installed") as caught:
        load_member("NNPDF23_lo_as_0130")
    error = caught.value
    assert error.key == "beams.pdf"
    assert DEFAULT_SET in error.allowed and str(tmp_path) in error.allowed
    assert "did you mean NNPDF23_lo_as_0130_qed?" in error.hint
    assert "fabgen pdf install NNPDF23_lo_as_0130" in error.hint


@pytest.mark.parametrize("name", ["", ".", "..", "../data", "./nothing", "~/nothing"])
def test_names_and_paths_of_nothing(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        load_member(name)
    assert caught.value.key == "beams.pdf"


def test_a_member_that_is_not_there(write_set):
    folder = write_set("three")
    for number in (1, 2, 5):
        (folder / f"three_{number:04d}.dat").write_bytes((folder / "three_0000.dat").read_bytes())
    assert load_member(str(folder), 5).number == 5
    with pytest.raises(InputError, match="no such member") as caught:
        load_member(str(folder), 3)
    assert caught.value.found == "member 3"
    assert caught.value.allowed == "0 to 2, 5"


def test_a_set_that_cannot_be_read_is_listed_with_its_problem(write_set, monkeypatch, tmp_path):
    write_set("wrong", "ForcePositive: 3\n")
    monkeypatch.setenv("LHAPDF_DATA_PATH", str(tmp_path))
    (found,) = [one for one in installed_sets() if one.name == "wrong"]
    assert found.info is None
    assert found.problem == "a value in the head of the densities is wrong"
