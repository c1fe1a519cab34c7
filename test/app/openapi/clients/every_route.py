"""Makes one call of each route by a client that openapi-python-client has made; prints the status of each as JSON."""

import importlib
import json
import pathlib
import re
import sys
from datetime import date
from io import BytesIO

from client import Client
from client.models import Alert, AlertPage, AlertPatch, AlertState, ImageUpload, OpsLink, RemovedAlert, UploadedImage
from client.types import File

api = Client(base_url=sys.argv[1])
modules = {path.stem: path.parent.name for path in pathlib.Path("client/api").glob("*/[a-z]*.py")}
statuses = {}


def call(name, kind=None, **arguments):
    module = importlib.import_module(f"client.api.{modules.pop(name)}.{name}")
    answer = module.sync_detailed(client=api, **arguments)
    statuses[re.sub(r"_([a-z])", lambda match: match[1].upper(), name)] = int(answer.status_code)
    if kind is not None:
        assert isinstance(answer.parsed, kind), (name, answer)
    return answer.parsed


alert = Alert(
    movie_id="tt0111161",
    email="andy@example.org",
    notification_date=date(2030, 9, 23),
    title="The Shawshank Redemption",
    category="drama",
    image_url="https://example.org/cover.png",
)
call("put_alert", Alert, body=alert)
page = call("list_alerts", AlertPage, limit=1)
assert [item.movie_id for item in page.items] == ["tt0111161"]
call("get_alert", AlertState, movie_id="tt0111161")
changed = call("change_alert", AlertState, movie_id="tt0111161", body=AlertPatch(title="Another"))
assert changed.title == "Another"
call("cancel_alert", AlertState, movie_id="tt0111161")
call("retry_alert", movie_id="tt0111161")
call("remove_alert", RemovedAlert, movie_id="tt0111161")
image = pathlib.Path("a.png").read_bytes()
uploaded = call("put_image", UploadedImage, body=ImageUpload(file=File(payload=BytesIO(image), file_name="a.png")))
downloaded = call("get_image", File, id=uploaded.id)
assert downloaded.payload.read() == image
for name in ("show_unsubscribe", "unsubscribe"):
    call(name, token="x")
call("get_docs_file", file="swagger-ui.css")
call("open_ops_session", body=OpsLink(token="x"))
call("get_ops_file", file="ops.css")
for name in sorted(modules):
    call(name)
print(json.dumps(statuses))
