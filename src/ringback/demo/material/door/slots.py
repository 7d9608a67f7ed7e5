"""The model slots of the inference service: which model file is in use, and how one is taken into use.

What it decides: whether the model behind a slot's pointer can be run, and under which digest it is known.
What it never does: switch a pointer; the agent does, and then asks for a reload.

Invariant: a model is in use only after it loaded, takes what the app feeds, and answered once.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import onnxruntime as ort  # type: ignore[import-untyped, unused-ignore]
from onnxruntime.capi import onnxruntime_pybind11_state as states  # type: ignore[import-untyped, unused-ignore]

from . import edition, faces, shapes, voice
from .faces import ModelUnfit, Session

FACE, VOICE = "face", "voice"
MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"
# What the runtime raises for a file that is no model, a damaged one, or one it has no kernels for.
LOAD_ERRORS = (
    states.EPFail,
    states.Fail,
    states.InvalidArgument,
    states.InvalidGraph,
    states.InvalidProtobuf,
    states.NoModel,
    states.NoSuchFile,
    states.NotImplemented,
    states.RuntimeException,
)


class Slot(NamedTuple):
    """A model in use: the folder its pointer leads to, its digest, its session."""

    folder: Path
    digest: str
    session: Session


def open_session(model: Path) -> Session:
    """A session that runs in the calling thread only: one box of many on a machine, and CPU time that can be measured.

    Raises ModelUnfit: the file is missing, no model, or a model this runtime can't run.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session: Session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except LOAD_ERRORS as cause:
        raise ModelUnfit(f"{model.name} can't be loaded: {str(cause)[:300]}") from cause
    return session


def take(models: Path, name: str, old: Slot | None) -> Slot | None:
    """The model the pointer `name` leads to; `old` itself when that is the one; None while the slot is empty.

    Raises ModelUnfit: there is a pointer, and what it leads to can't be used.
    """
    pointer = models / name
    if not pointer.is_symlink() and not pointer.exists():
        return None
    folder = pointer.resolve()
    if old is not None and folder == old.folder:
        return old
    session = open_session(folder / MODEL_FILE)
    try:
        prove(name, session)
    except LOAD_ERRORS as cause:
        raise ModelUnfit(f"the model in slot {name} can't be run: {str(cause)[:300]}") from cause
    return Slot(folder, digest_of(folder), session)


def prove(name: str, session: Session) -> None:
    """Check the model's inputs and run it once; the first run also pays for what the runtime sets up lazily."""
    if name == FACE:
        faces.check(session)
        faces.look(session, faces.tensor(bytes(shapes.FRAME_BYTES)))
    else:
        voice.check(session)
        voice.Listener(session, edition.VOICE_CONTEXT_SAMPLES).hear(bytes(shapes.WINDOW_BYTES))


def digest_of(folder: Path) -> str:
    """The artifact's digest (of its manifest), or the folder's name where there is no manifest."""
    manifest = folder / MANIFEST_FILE
    if not manifest.exists():
        return folder.name
    return "sha256:" + hashlib.sha256(manifest.read_bytes()).hexdigest()
