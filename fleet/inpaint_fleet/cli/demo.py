"""`inpaint demo`: one edit from nothing, saying what it does."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inpaint_fleet.cli import console, wording
from inpaint_fleet.cli.program import program

if TYPE_CHECKING:
    from inpaint_core.settings import Settings
    from inpaint_db.queries import JobView
    from inpaint_producer import InpaintClient

MODEL = "opencv-telea"
_PRICE = 0.10
_LOADING_S = 60
_NOTE = "example price, set by inpaint demo"
_RATER = "demo"
_ASK = "SELECT model, status, round(total_s::numeric, 3) AS total_s, round(inference_s::numeric, 4) AS inference_s, \
cost_usd, device_name FROM job_report WHERE id = '{id}'"


def demo(
    output_dir: Annotated[
        Path, typer.Option("--output-dir", "-o", metavar="FOLDER", help="Where the picture is written.")
    ] = Path("out/demo"),
) -> None:
    """Start everything on this machine if nothing runs, edit a picture, and show where things are. No GPU needed."""
    from inpaint_core.settings import load_settings
    from inpaint_producer import InpaintClient

    from inpaint_fleet.cli.following import make_folder
    from inpaint_fleet.cli.notes import show_warnings_as_notes

    show_warnings_as_notes()
    make_folder(output_dir)
    settings = load_settings()
    if not _configured(settings):
        _start_stack(settings)
        settings = load_settings()
    else:
        _step("using the fleet that is configured or running already")
    _set_price(settings)
    with InpaintClient(settings) as client:
        _await_worker(client)
        view, picture = _edit(client, output_dir)
    _show(settings, view, picture)


def _step(text: str) -> None:
    console.tell(f"==> {text}")


def _configured(settings: Settings) -> bool:
    from inpaint_core.errors import NotConfigured

    try:
        for service in settings.SERVICES:
            settings.need(service)
    except NotConfigured:
        return False
    return True


def _start_stack(settings: Settings) -> None:
    from inpaint_fleet import flower, web
    from inpaint_fleet.local.control import start_detached

    with_flower, with_web = flower.installed(), web.installed()
    _step(
        f"starting Redis, Postgres, S3, the relay{', Flower' if with_flower else ''}"
        f"{', the web server' if with_web else ''} and a worker for {MODEL} "
        f"on this machine, in {settings.data_dir}"
    )
    ready = start_detached(settings.data_dir, [MODEL], flower=with_flower, web=with_web)
    _step("ready: " + ", ".join(f"{name} {address}" for name, address in ready.addresses.items()))


def _set_price(settings: Settings) -> None:
    """An example, so that the job has a cost: in this machine's own stack only, never in a fleet that is in use."""
    from inpaint_db.prices import list_prices, set_hourly
    from inpaint_db.session import Database

    from inpaint_fleet.local.control import state

    if not state(settings.data_dir).running:
        return
    with Database(settings) as database, database.begin() as connection:
        if any(p.device_kind == "cpu" and p.valid_to is None for p in list_prices(connection)):
            return
        set_hourly(connection, "cpu", _PRICE, note=_NOTE)
    _step(
        f"no price is set for cpu: setting {wording.usd(_PRICE)} per hour as an example, so that the job has a cost "
        "(change it with `inpaint prices set cpu --usd-per-hour ...`)"
    )


def _await_worker(client: InpaintClient) -> None:
    """A worker needs a moment to load its model; a fleet of one's own may have none, which following the job tells."""
    from inpaint_db.queries import list_queues

    from inpaint_fleet.local.control import state
    from inpaint_fleet.overview import live_after_s

    told = False
    deadline = time.monotonic() + _LOADING_S
    while state(client.settings.data_dir).running and time.monotonic() < deadline:
        with client.database.read() as connection:
            queues = list_queues(connection, live_s=live_after_s(client.settings))
        if any(queue.model == MODEL and queue.workers_ready for queue in queues):
            return
        if not told:
            _step(f"waiting until the worker has loaded {MODEL}")
            told = True
        time.sleep(0.1)


def _edit(client: InpaintClient, folder: Path) -> tuple[JobView, Path]:
    from PIL import Image

    from inpaint_fleet import demo as bundled
    from inpaint_fleet.cli import following
    from inpaint_fleet.demo.triptych import before_mask_after

    source, mask = bundled.source().read_bytes(), bundled.mask().read_bytes()
    for name, data in (("room.jpg", source), ("room-mask.png", mask)):
        (folder / name).write_bytes(data)
    _step(f"submitting {folder / 'room.jpg'} with {folder / 'room-mask.png'} to {MODEL}")
    job = client.submit(source, mask, model=MODEL, campaign="demo")
    view = following.follow(client, job.id, None)
    following.require_success(view)
    result = following.fetch(client, view, folder / f"room-edited{Path(view.output_uri or '').suffix or '.png'}")
    picture = folder / "before-mask-after.png"
    with Image.open(io.BytesIO(source)) as before, Image.open(io.BytesIO(mask)) as white, Image.open(result) as after:
        before_mask_after(before, white, after).save(picture)
    return view, picture


def _show(settings: Settings, view: JobView, picture: Path) -> None:
    from inpaint_db.session import Database

    from inpaint_fleet.local.control import state
    from inpaint_fleet.sql import ask

    question = _ASK.format(id=view.id)
    with Database(settings) as database:
        answer = ask(database, question)
    stack = state(settings.data_dir)
    flower = stack.addresses.get("Flower")
    console.say()
    console.say(f"The picture:  {picture.absolute()}")
    console.say(f"The job:      {wording.job_line(view)}")
    console.say()
    console.say("The same in SQL:")
    console.say(f'  {program()} db query "{question}"')
    for row in answer.rows:
        for name, value in zip(answer.columns, row, strict=True):
            shown = wording.usd(value) if name == "cost_usd" and value is not None else value
            console.say(f"    {name:<12} {console.clean(shown)}")
    console.say()
    console.say("What to try next:")
    for about, command in _tries(picture, view, stack.running):
        console.say(f"  # {about}")
        console.say(f"  {command}")
    if flower:
        console.say(f"  # this job in Flower; user and password are in {settings.data_dir / 'private.json'}")
        console.say(f"  {flower}/task/{view.id}")
    if "Web" in stack.addresses:
        console.say("  # rate the result, blind: a link of your own, for a day")
        console.say(f"  {_rating_link(settings, view)}")
        console.say("  # galleries, leaderboard and jobs, for operators: their address and password")
        console.say(f"  {program()} web --link")
    if stack.running:
        console.say()
        console.say(f"The fleet goes on running. Stop it with: {program()} down")


def _rating_link(settings: Settings, view: JobView) -> str:
    """A session about this one job. The link of an earlier demo ends; its stars stay."""
    from inpaint_db.raters import make_rater
    from inpaint_db.rating_sessions import make_session
    from inpaint_db.rating_subjects import JobQuery
    from inpaint_db.session import Database

    from inpaint_fleet.local.ports import answers

    # It is started with the others and loads meanwhile; a link that is refused would be a poor end.
    deadline = time.monotonic() + _LOADING_S
    while not answers(settings.web_port) and time.monotonic() < deadline:
        time.sleep(0.1)
    with Database(settings) as database, database.begin() as connection:
        rater, token = make_rater(connection, _RATER, days=1, note="made by inpaint demo")
        make_session(connection, rater.id, "Demo", query=JobQuery(jobs=(view.id,)), check_share=0)
    return f"{settings.web_url}/enter/{token}"


def _tries(picture: Path, view: JobView, local: bool) -> list[tuple[str, str]]:
    room, mask = picture.parent / "room.jpg", picture.parent / "room-mask.png"
    inpaint = program()
    tries = [
        ("a picture of your own", f"{inpaint} submit {room} --mask {mask} --model {MODEL} -p radius=12 -o edited.png"),
        ("queues, workers, newest jobs", f"{inpaint} status"),
        ("everything about this job", f"{inpaint} jobs get {view.id}"),
        ("what else there is", f"{inpaint} models"),
    ]
    if local:
        models = "--model opencv-telea --model opencv-ns"
        tries.append(("both models, one worker each", f"{inpaint} down && {inpaint} up --detach {models}"))
    return tries
