"""Names that reach an URL or the disk."""

import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.hub import check_path, check_repo_id, check_revision, split_revision


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("org/name", ("org/name", None)),
        ("cifar10", ("cifar10", None)),
        ("org/name@v1.0", ("org/name", "v1.0")),
        ("org/name@refs/pr/4", ("org/name", "refs/pr/4")),
        ("timm/vit_base_patch16_224.augreg_in21k@main", ("timm/vit_base_patch16_224.augreg_in21k", "main")),
    ],
)
def test_an_id_and_its_revision_are_told_apart(text, expected):
    assert split_revision(text) == expected


@pytest.mark.parametrize(
    "text", ["", "a/b/c", "../secret", "org/../x", "org/na me", "org/name.git", "/org/name", "a\n/b"]
)
def test_what_is_no_id_is_refused_by_name(text):
    with pytest.raises(UserError) as caught:
        check_repo_id(text)
    assert repr(text) in caught.value.what
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text", ["../main", "a..b", "refs//pr", "/main", "ma in", "main~1", "HEAD^", "a:b", ".hidden", "a\0"]
)
def test_what_git_would_not_take_is_no_revision(text):
    with pytest.raises(UserError):
        check_revision(text)


def test_an_at_sign_asks_for_a_revision():
    with pytest.raises(UserError, match="no revision after the @"):
        split_revision("org/name@")


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a/../../x", "a//b", "./a", "a\\..\\b", "C:/x", "", "a\0b", "a/"]
)
def test_paths_that_leave_the_repository_are_refused(path):
    with pytest.raises(UserError, match="not a path inside a repository"):
        check_path(path)


@pytest.mark.parametrize("path", ["model.safetensors", "data/train-00000.parquet", "a b/ü.png", "..a/b"])
def test_plain_paths_pass(path):
    assert check_path(path) == path
