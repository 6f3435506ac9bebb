"""`seewhy explain` of medical files: a volume, slices of one, or a single picture."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from seewhy import render
from seewhy.cli import console
from seewhy.cli.explaining_clips import explain_clip
from seewhy.cli.explaining_photos import explain_sample
from seewhy.cli.job import Job, command
from seewhy.cli.outputs import all_or_none, refuse_existing
from seewhy.cli.volume_summary import volume_summary
from seewhy.core.explanation import Explanation
from seewhy.core.sample import Sample
from seewhy.data.dicom_file import header
from seewhy.data.dicom_map import picture_bytes
from seewhy.data.medical import read_scan
from seewhy.data.nifti import is_nifti
from seewhy.data.scan import Scan, chosen_slices, prepared
from seewhy.errors import ConfigError
from seewhy.report.bare import bare_overlay
from seewhy.report.examine import Examination, ask
from seewhy.report.volume_examine import examine_volume
from seewhy.report.volume_maps import dicom_map, nifti_map, words_of
from seewhy.report.volume_numbers import volume_numbers
from seewhy.report.volume_page import volume_page
from seewhy.report.volume_picture import volume_picture


def explain_scan(job: Job, path: Path, stem: str) -> dict[str, Any]:
    """Explain a medical file after what it holds and what the network takes; return its numbers."""
    scan = read_scan(path, job.order.scan.time)
    stem = stem.removesuffix(".nii") if scan.name == path.name else "scan"
    shown = Path(scan.name)
    if job.session.model.for_volumes:
        return _explain_volume(job, scan, shown, stem)
    if job.session.model.for_clips or scan.picture is not None or scan.clip is not None:
        return _explain_still(job, scan, shown, stem)
    return _explain_slices(job, scan, shown, stem)


def _explain_volume(job: Job, scan: Scan, shown: Path, stem: str) -> dict[str, Any]:
    order = job.order
    if order.scan.slices is not None:
        raise ConfigError("--slice is for networks that take pictures; this one takes volumes, and sees all slices")
    dicom = not is_nifti(scan.files[0])
    paths = {ending: job.folder / f"{stem}.why.{ending}" for ending in ("npz", "png", "html", "json")}
    paths |= {"nii.gz": job.folder / f"{stem}.map.nii.gz"} | ({"dcm": job.folder / f"{stem}.map.dcm"} if dicom else {})
    refuse_existing(paths.values(), force=order.force)
    made = prepared(scan, job.session.model, job.fit)
    with all_or_none(paths.values()):
        wanted = Examination(channels=0, hide_test=order.hide_test, notes=(job.why,) if job.why else ())
        asked = ask(job.session, made, job.target, job.method, wanted)
        asked.explanation.save(paths["npz"], force=order.force)
        report = examine_volume(asked, command(order, shown))
        found = volume_numbers(report)
        contents = {
            "nii.gz": nifti_map(asked.explanation),
            "dcm": dicom_map(asked.explanation, _identity(scan) if order.scan.keep_identity else ()) if dicom else b"",
            "png": render.png_bytes(volume_picture(report)),
            "html": volume_page(report).encode(),
            "json": json.dumps(found, indent=2, allow_nan=False).encode(),
        }
        for ending in paths:
            if ending in contents:
                render.write_bytes(paths[ending], contents[ending], force=order.force)
    if not order.as_json:
        console.out().print(volume_summary(report, list(paths.values())))
    return found | {"files": _named(paths)}


def _identity(scan: Scan) -> tuple[Any, ...]:
    """Return the headers of a scan's files, where the maps are to say whose they are."""
    if is_nifti(scan.files[0]):
        return ()
    return tuple(header(file, pixels=False) for file in scan.files)


def _explain_still(job: Job, scan: Scan, shown: Path, stem: str) -> dict[str, Any]:
    """Explain a single picture, or frames in time."""
    if job.order.scan.slices is not None:
        raise ConfigError(f"--slice chooses slices of a volume, and {scan.name} is none")
    made = prepared(scan, job.session.model, job.fit)
    if made.clip is not None:
        return explain_clip(job, shown, stem, made)
    path = job.folder / f"{stem}.map.dcm"
    refuse_existing([path], force=job.order.force)
    return explain_sample(job, made, shown, stem, lambda asked: {path: _capture(job, scan, made, asked.explanation)})


def _capture(job: Job, scan: Scan, made: Sample, explanation: Explanation) -> bytes:
    """Return the picture with its map as DICOM."""
    volume = made.volume
    return picture_bytes(
        bare_overlay(explanation),
        words=words_of(explanation),
        spacing=volume.spacing[1:] if volume is not None and volume.measured else None,
        identity=_identity(scan) if job.order.scan.keep_identity else (),
    )


def _explain_slices(job: Job, scan: Scan, shown: Path, stem: str) -> dict[str, Any]:
    """Explain slices of a volume, each as a picture of its own."""
    volume = scan.shown
    if job.order.scan.slices is None:
        prepared(scan, job.session.model, job.fit)  # says which slices there are
    numbers = chosen_slices(job.order.scan.slices or "middle", len(volume.values))
    if len(numbers) == 1:
        return _explain_slice(job, scan, shown, stem, numbers[0])
    slices = [_explain_slice(job, scan, shown, stem, number) for number in numbers]
    return {"scan": {"name": scan.name, "slices": list(numbers)}, "slices": slices}


def _explain_slice(job: Job, scan: Scan, shown: Path, stem: str, number: int) -> dict[str, Any]:
    count = len(scan.shown.values)
    made = prepared(scan, job.session.model, job.fit, number)
    named = replace(made, name=f"{scan.name}, slice {number} of 0 to {count - 1}")
    alone = replace(job, order=replace(job.order, scan=replace(job.order.scan, slices=str(number))))
    return explain_sample(alone, named, shown, f"{stem}.slice{number:0{len(str(count - 1))}d}")


def _named(paths: Mapping[str, Path]) -> dict[str, str]:
    return {ending: str(path) for ending, path in paths.items()}
