"""Sources are dispatched by what the network takes, and a blob is found again in the pixels and at the time where it was planted."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy.core.sample import Sample
from seewhy.data.source import LONGEST, sample
from seewhy.errors import DataError, ModelError
from seewhy.render.movie import write_movie
from videos import number_in, numbered, write_video

HEIGHT, WIDTH = 120, 200


class Bright(nn.Module):
    """Takes (b, c, t, h, w): logit 0 is the brightness over a half, so its saliency times input is where the bright blob lies."""

    def forward(self, clips):
        return torch.relu(clips.mean(dim=1) - 0.5).flatten(1).sum(dim=1, keepdim=True) * torch.tensor([[1.0, -1.0]])


def model(frames=8, stride=None, **more):
    return seewhy.Model(Bright(), size=48, mean=0.0, std=1.0, frames=frames, stride=stride, layout="bcthw", **more)


def planted(time, count=40):
    """Return frames (t, h, w, 3), dark but for a bright blob at rows 30 to 50 and columns 90 to 110, shown in two frames from `time` on."""
    frames = np.full((count, HEIGHT, WIDTH, 3), 20, dtype=np.uint8)
    frames[time : time + 2, 30:50, 90:110] = 250
    return frames


BLOB = (39.5, 99.5)


def centre(heatmap):
    """Return the centre of mass (t, y, x) of a map (t, h, w), what was not seen left out."""
    mass = torch.nan_to_num(heatmap).clamp_min(0)
    axes = torch.meshgrid(*(torch.arange(size, dtype=torch.float32) for size in mass.shape), indexing="ij")
    return [float((mass * axis).sum() / mass.sum()) for axis in axes]


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
@pytest.mark.parametrize("kind", ["array", "movie", "turned", "folder"])
@pytest.mark.parametrize("size", [(48, 48), (32, 64)])
def test_a_blob_is_found_where_and_when_it_was_planted(tmp_path, fit, kind, size):
    frames, time = planted(22), 22
    place, source_size = BLOB, (HEIGHT, WIDTH)
    if kind == "array":
        source = frames
    elif kind == "movie":
        source = write_movie(tmp_path / "a.mp4", frames, rate=25)
    elif kind == "turned":  # the file holds frames that lie on their side, and says so
        stored = [np.ascontiguousarray(np.rot90(frame, -1)) for frame in frames]
        source = write_video(tmp_path / "a.mp4", len(frames), frames=stored, rotation=90)
    else:
        for number, frame in enumerate(frames):
            Image.fromarray(frame).save(tmp_path / f"frame{number}.png")
        source = tmp_path
    asked = seewhy.Model(Bright(), size=size, mean=0.0, std=1.0, frames=8, layout="bcthw")
    explanation = seewhy.explain(source, asked, 0, "input-x-gradient", fit=fit)
    [found] = explanation.samples
    assert found.clip.numbers == (2, 7, 12, 17, 22, 27, 32, 37)
    assert found.clip.size == source_size
    where = centre(explanation.in_source(0))
    assert found.clip.numbers[round(where[0])] == time
    cell = max(
        (found.geometry.window[2] - found.geometry.window[0]) / size[0],
        (found.geometry.window[3] - found.geometry.window[1]) / size[1],
    )
    assert abs(where[1] - place[0]) < cell
    assert abs(where[2] - place[1]) < cell


def test_a_map_of_fewer_cells_in_time_is_found_at_its_frame():
    """What a network pools over time is drawn on the frames that each cell stands for."""
    [made] = seewhy.Session(model(8)).samples([planted(22)])
    coarse = torch.zeros(4, 12, 12)
    coarse[2] = made.inputs.mean(dim=0).unflatten(1, (12, 4)).unflatten(3, (12, 4)).amax(dim=(2, 4))[4]
    where = centre(made.to_source(coarse.clamp_min(0.3) - 0.3))
    assert abs(where[0] - 4.5) < 0.51  # cell 2 of 4 is frames 4 and 5 of 8
    assert abs(where[1] - BLOB[0]) < HEIGHT / 12
    assert abs(where[2] - BLOB[1]) < HEIGHT / 12


def test_a_video_is_sampled_as_the_model_says(tmp_path):
    path = write_video(tmp_path / "a.mp4", 40)
    for stride, numbers in ((None, (2, 7, 12, 17, 22, 27, 32, 37)), (3, tuple(range(0, 24, 3)))):
        made = sample(path, model(8, stride))
        assert made.clip.numbers == numbers == tuple(number_in(frame) for frame in made.clip.frames)
        assert made.name == "a.mp4"
    assert made.inputs.shape == (3, 8, 48, 48)


def test_sources_of_clips(tmp_path):
    frames = [numbered(number) for number in range(8)]
    pictures = [Image.fromarray(frame) for frame in frames]
    for number, picture in enumerate(pictures):
        picture.save(tmp_path / f"{number}.png")
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=40)
    floats = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2) / 255
    expected = sample(np.stack(frames), model()).inputs
    clip = seewhy.read_clip(np.stack(frames), 8)
    for source in (pictures, floats, clip, frames):
        torch.testing.assert_close(sample(source, model()).inputs, expected)
    (tmp_path / "a.gif").rename(tmp_path.parent / f"{tmp_path.name}.gif")
    torch.testing.assert_close(sample(tmp_path, model()).inputs, expected)
    assert (sample(tmp_path.parent / f"{tmp_path.name}.gif", model()).inputs - expected).abs().mean() < 0.02


def test_sessions_take_lists_of_clips_and_a_list_of_pictures_is_one():
    with seewhy.Session(model()) as session:
        frames = planted(4, 8)
        assert len(session.samples([frames, frames])) == 2
        assert len(session.samples([Image.fromarray(frame) for frame in frames])) == 1
        assert len(session.samples(frames)) == 1
        assert session.explain([frames, frames], 0, "saliency").heatmap.shape == (2, 8, 48, 48)
        assert isinstance(session.samples(frames)[0], Sample)


def test_notes_of_a_clip_reach_its_explanation(tmp_path):
    path = write_video(tmp_path / "a.avi", 60, codec="mjpeg", ticks=range(60), base=Fraction(1, 25))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    explanation = seewhy.explain(path, model(), 0, "saliency")
    assert "the header tells of 60 frames" in " ".join(explanation.notes[0])


def test_frames_of_a_large_video_are_made_smaller_and_a_note_says_so():
    frames = np.zeros((2, 30, 2 * LONGEST, 3), dtype=np.uint8)
    assert sample(frames, model(2)).clip.size == (15, LONGEST)


def test_what_does_not_fit_the_network(tmp_path):
    path = write_video(tmp_path / "a.mp4", 5)
    pictures = seewhy.Model(nn.Flatten(), size=8, mean=0.0, std=1.0)
    with pytest.raises(ModelError, match=r"a\.mp4 is a video, and Flatten takes pictures.*frames=16"):
        sample(path, pictures)
    with pytest.raises(DataError, match=r"a\.mp4: 8 frames are wanted, and there are 5; .*short='repeat'"):
        sample(path, model())
    assert sample(path, model(), short="loop").clip.numbers == (0, 1, 2, 3, 4, 0, 1, 2)
    with pytest.raises(ModelError, match="takes clips of 8 frames, and picture is a picture"):
        sample(Image.new("RGB", (9, 9)), model())
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match="not a video of a kind"):
        sample(tmp_path / "notes.txt", model())
