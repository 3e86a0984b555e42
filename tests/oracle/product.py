"""The deployment as its users ask it, through the binary."""

import http.client
import json
import subprocess
import threading
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from urllib.parse import urlencode


class Refused(Exception):
    """The binary gave no answer."""


class Product:
    """Asks `anze` in a deployment."""

    def __init__(self, anze, deployment):
        self.command = [str(anze.resolve()), "-C", str(deployment)]

    def ask(self, *arguments):
        """The JSON of an answer."""
        command = [*self.command, *arguments, "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Refused(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
        return json.loads(done.stdout, parse_float=Decimal)

    def rows(self, statement):
        """The rows of a statement."""
        return self.ask("sql", statement)["rows"]

    def metrics(self):
        """The catalogue as the product lists it, by id."""
        return {metric["id"]: metric for metric in self.ask("metrics", "list")["metrics"]}

    def batches(self):
        """The book of deliveries, in order of arrival, without what ships with the product."""
        batches = self.rows(
            "select batch_id, feed_id, object, landed_path, landed_at, slot_at, state, rows_read, rows_quarantined "
            "from system.batch where reporter <> 'anze'"
        )
        for batch in batches:
            batch["landed_at"], batch["slot_at"] = micros(batch["landed_at"]), micros(batch["slot_at"])
            batch["order"] = (batch["landed_at"], batch["feed_id"], batch["object"])
        return batches

    def books(self):
        """The rows of the books that the reporting metrics need, by table."""
        return {
            "book_batch": self.rows(
                "select batch_id, feed_id, reporter, dataset, state, landed_at, slot_at, rows_read from system.batch"
            ),
            "book_slot": self.rows(
                "select feed_id, slot_at, due_at, fulfilled_by from system.slot_state where due_at is not null"
            ),
            "book_quarantine": self.rows("select batch_id, row_no, state from system.quarantine"),
            "book_feed": self.rows("select feed_id, reporter, dataset, region_code, department from system.feed"),
            "book_release": self.rows("select published_at, day from system.release order by release desc limit 1"),
        }

    def metric(self, name, by, where, **options):
        """The answer of a metric; options as on the command line, parameters as `params`."""
        arguments = ["metrics", "run", name]
        if by:
            arguments += ["--by", ",".join(by)]
        for dimension, member in where.items():
            arguments += ["--where", f"{dimension}={member}"]
        for parameter, value in options.pop("params", {}).items():
            arguments += ["--param", f"{parameter}={value}"]
        for option, value in options.items():
            arguments += [f"--{option.replace('_', '-')}", str(value)]
        return self.ask(*arguments)


class Served(Product):
    """Asks a server of the deployment for metrics, which is many times faster than a process for each."""

    def __enter__(self):
        command = [*self.command, "serve", "--only", "api", "--bind", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        address = self.process.stdout.readline().strip()
        self.host = address.removeprefix("http://").rstrip("/")
        self.own = threading.local()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def metric(self, name, by, where, **options):
        asked = [("by", dimension) for dimension in by]
        asked += [(f"where.{dimension}", member) for dimension, member in where.items()]
        asked += [(f"param.{parameter}", value) for parameter, value in options.pop("params", {}).items()]
        asked += list(options.items())
        path = f"/api/v1/metrics/{name}?{urlencode(asked)}"
        if not hasattr(self.own, "connection"):
            self.own.connection = http.client.HTTPConnection(self.host, timeout=120)
        self.own.connection.request("GET", path)
        with self.own.connection.getresponse() as response:
            body = response.read().decode()
        if response.status != 200:
            raise Refused(f"GET {path} failed with {response.status}:\n{body}")
        return json.loads(body, parse_float=Decimal)


def micros(text):
    """Microseconds since 1970 in UTC of an instant as the product writes it."""
    if text is None:
        return None
    when = datetime.fromisoformat(text)
    return (when - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)
