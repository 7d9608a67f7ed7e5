"""The committed input is what its table says, small, and every file of it has a licence."""

from ringback.demo.material import data
from ringback.demo.material.door import frames, shapes


def test_every_committed_file_has_the_digest_written_in_code_and_in_the_licence_table() -> None:
    table = (data.DATA / "LICENSES.md").read_text()
    for source in data.ALL:
        assert data.sha256_of(source.file) == source.sha256, source.path
        row = next(line for line in table.splitlines() if f"`{source.path}`" in line)
        assert source.sha256 in row
        assert source.licence.split(" (")[0].replace("CC0-1.0", "CC0 1.0") in row


def test_nothing_without_a_licence_lies_beside_the_committed_files() -> None:
    known = {source.path for source in data.ALL} | {"LICENSES.md"}
    found = {str(file.relative_to(data.DATA)) for file in data.DATA.rglob("*") if file.is_file()}
    assert {path for path in found - known if not path.startswith("LICENSES/")} == set()


def test_all_committed_input_is_smaller_than_one_megabyte() -> None:
    assert sum(file.stat().st_size for file in data.DATA.rglob("*") if file.is_file()) < 1_000_000


def test_the_pictures_give_27_frames_with_people_and_18_without() -> None:
    people = [picture.people for picture in data.PICTURES for _ in frames.views(picture.file)]
    assert (people.count(1), people.count(0)) == (27, 18)


def test_views_are_the_same_one_by_one_as_all_at_once() -> None:
    picture = data.PICTURES[0].file
    assert frames.views(picture) == [frames.view(picture, *view) for view in shapes.VIEWS]
    assert len(set(frames.views(picture))) == len(shapes.VIEWS)


def test_windows_are_whole_and_the_rest_of_a_clip_is_dropped() -> None:
    clip = data.CLIPS[0].file
    windows = shapes.windows(clip)
    assert {len(window) for window in windows} == {shapes.WINDOW_BYTES}
    assert len(windows) == clip.stat().st_size // shapes.WINDOW_BYTES
    assert clip.read_bytes().startswith(b"".join(windows))
