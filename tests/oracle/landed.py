"""From landed files to current rows: decoding, checks and versions, done again from datasets.md.

Of the product only the book of deliveries is taken: which file came from which feed, and when.
"""

import csv
import json
import re
import tomllib
from collections import defaultdict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from pathlib import Path

from datasets import COLUMNS, DAY, ROW_RULES, SHANGHAI, columns, day_of, is_credit_code, stage

EPOCH = date(1970, 1, 1)
INTEGER = re.compile(r"[+-]?\d+(\.0*)?")
DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")


class Held(Exception):
    """This row must be held."""


class OnlyUnknownCodes(Held):
    """This row is held only until a code arrives."""


class Feed:
    """A feed's TOML."""

    def __init__(self, path):
        toml = tomllib.loads(path.read_text(encoding="utf-8"))
        self.feed_id, self.dataset, self.reporter = path.stem, toml["dataset"], toml["reporter"]
        self.mode = toml.get("mode", "upsert")
        self.takes_over = set(toml.get("takes_over", []))
        form = toml.get("format", {})
        self.kind = form.get("kind", "csv")
        self.encoding = form.get("encoding", "utf-8").lower()
        self.delimiter = form.get("delimiter", ",")
        self.header_row = form.get("header_row", 1)
        self.null = set(form.get("null", [""]))
        self.thousands = form.get("thousands")
        zone = form.get("timezone", "Asia/Shanghai")
        self.offset = {"Asia/Shanghai": SHANGHAI, "UTC": 0}[zone]
        self.mapping = {
            theirs: {"to": ours} if isinstance(ours, str) else ours for theirs, ours in toml.get("columns", {}).items()
        }
        self.constants = toml.get("constants", {})
        contract = toml.get("contract", {})
        self.max_quarantined = share(contract.get("max_quarantined", "5%"))
        self.max_removed = share(contract.get("max_removed", "20%"))
        self.deleted_when = contract.get("deleted_when")


def share(text):
    return Decimal(text.rstrip("%")) / 100


# ---------------------------------------------------------------------------------------------
# Records


def records(data, feed):
    """The header and the data records of a landed file: a list of fields, or None where it is held."""
    if feed.kind == "ndjson":
        return None, [json_record(line) for line in data.split(b"\n") if line.strip()]
    lines = re.split(rb"\r\n|\n|\r", data)
    if lines and lines[-1] == b"":
        lines.pop()
    if lines and lines[0].startswith(b"\xef\xbb\xbf"):
        lines[0] = lines[0][3:]
    start = feed.header_row - 1
    header = [field for field, _ in split(lines[start].decode(feed.encoding), feed.delimiter)[0]]
    header = [name.strip(" \u3000") for name in header]
    found, place = [], start + 1
    while place < len(lines):
        record, used = csv_record(lines, place, len(header), feed)
        place += used
        if record != "blank":
            found.append(record)
    return header, found


def csv_record(lines, place, width, feed):
    """One record from a line on, and the number of lines it takes."""
    if not lines[place].strip(b" "):
        return "blank", 1
    for used in range(1, 50):
        if place + used > len(lines):
            return None, 1
        # A quoted field may span lines; a line that is whole by itself shows that the quote is stray.
        if used > 1 and width >= 6 and alone(lines[place + used - 1], width, feed):
            return None, 1
        try:
            text = b"\n".join(lines[place : place + used]).decode(feed.encoding)
        except UnicodeDecodeError:
            if b'"' in lines[place] and used == 1:
                text = lines[place].decode(feed.encoding, "replace")
                if split(text, feed.delimiter)[1] == "open":
                    continue
            return None, used
        fields, state = split(text, feed.delimiter)
        if state == "open":
            continue
        if state == "bad" or (used > 1 and len(fields) != width):
            return None, 1
        return (fields if len(fields) == width else None), used
    return None, 1


def alone(line, width, feed):
    fields, state = split(line.decode(feed.encoding, "replace"), feed.delimiter)
    return state == "closed" and len(fields) == width


def split(text, delimiter):
    """Fields as (text, was quoted), and whether quotes are closed, open or bad."""
    if '"' not in text:
        return [(field, False) for field in text.split(delimiter)], "closed"
    fields, at = [], 0
    while True:
        if text[at : at + 1] == '"':
            end, value = at + 1, []
            while True:
                quote = text.find('"', end)
                if quote < 0:
                    return fields, "open"
                value.append(text[end:quote])
                if text[quote + 1 : quote + 2] == '"':
                    value.append('"')
                    end = quote + 2
                    continue
                break
            fields.append(("".join(value), True))
            at = quote + 1
            if at < len(text) and text[at] != delimiter:
                return fields, "bad"
        else:
            end = text.find(delimiter, at)
            end = len(text) if end < 0 else end
            if '"' in text[at:end]:
                return fields, "bad"
            fields.append((text[at:end], False))
            at = end
        if at >= len(text):
            return fields, "closed"
        at += 1
        if at == len(text):
            fields.append(("", False))
            return fields, "closed"


def json_record(line):
    try:
        record = json.loads(line.decode("utf-8"), parse_float=str, parse_int=str)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return None
    return record if isinstance(record, dict) else None


# ---------------------------------------------------------------------------------------------
# Values


def typed(text, column, rule, feed):
    """A value from text, or None; raises Held."""
    text = text.strip(" \u3000")
    if CONTROL.search(text):
        raise Held
    if text in feed.null or text in rule.get("null", ()):
        return None
    if rule.get("codes"):
        text = rule["codes"].get(text, text)
    kind, form = column.kind, rule.get("format")
    if kind == "text":
        if column.credit_code:
            text = text.upper()
            if not is_credit_code(text):
                raise Held
        if column.codes and text not in column.codes:
            raise Held
        return text
    if kind == "bool":
        known = {"true": True, "false": False, "1": True, "0": False, "是": True, "否": False}
        if text not in known:
            raise Held
        return known[text]
    if kind in ("int", "decimal"):
        return number(text, column, rule, feed)
    if kind == "date":
        return day(text, form)
    return instant(text, form, feed.offset)


def number(text, column, rule, feed):
    if feed.thousands:
        text = text.replace(feed.thousands, "")
    if not DECIMAL.fullmatch(text):
        raise Held
    value = Decimal(text) * Decimal(str(rule.get("scale", 1)))
    if column.kind == "int":
        if value != value.to_integral_value() or abs(value) >= 2**63:
            raise Held
        value = int(value)
    else:
        try:
            exact = value.quantize(Decimal(1).scaleb(-column.scale))
        except InvalidOperation:
            raise Held from None
        if exact != value or abs(value) >= Decimal(10) ** (column.precision - column.scale):
            raise Held
        value = exact
    if column.least is not None and value < column.least or column.most is not None and value > column.most:
        raise Held
    return value


def day(text, form):
    try:
        if form:
            return (datetime.strptime(text, form).date() - EPOCH).days
        if not ISO_DAY.fullmatch(text[:10]) or (text[10:] and not re.fullmatch(r"[T ]00:00(:00(\.0+)?)?", text[10:])):
            raise Held
        return (date.fromisoformat(text[:10]) - EPOCH).days
    except ValueError:
        raise Held from None


def instant(text, form, offset):
    try:
        when = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
    except ValueError:
        raise Held from None
    if when.tzinfo is not None:
        return (when - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)
    return (when - datetime(1970, 1, 1)) // timedelta(microseconds=1) - offset


class Reader:
    """Reads the records of one feed into rows of its dataset."""

    def __init__(self, feed):
        self.feed = feed
        self.columns = columns(feed.dataset)
        self.place = {column.name: at for at, column in enumerate(self.columns)}
        clock = columns("hazard")[5]
        assert clock.name == "found_at"
        self.clock = clock

    def rows(self, data):
        """For each record (row or None, clock, deleted, key or None)."""
        header, found = records(data, self.feed)
        sources = {}
        for theirs in header if header is not None else self.names(found):
            rule = self.feed.mapping.get(theirs, {"to": theirs})
            if rule["to"] in self.place or rule["to"] == "source_updated_at":
                sources[rule["to"]] = (theirs, rule)
        index = {name: at for at, name in enumerate(header)} if header is not None else None
        for record in found:
            yield self.row(record, sources, index)

    @staticmethod
    def names(found):
        return {name for record in found if record is not None for name in record}

    def row(self, record, sources, index):
        if record is None:
            return None, None, False, None

        def text(name):
            if index is not None:
                return record[index[name]][0]
            value = record.get(name)
            if value is None:
                return ""
            if isinstance(value, bool):
                return "true" if value else "false"
            if not isinstance(value, str):
                raise Held
            return value

        values, held = [], False
        for column in self.columns:
            try:
                if column.name in sources:
                    theirs, rule = sources[column.name]
                    value = typed(text(theirs), column, rule, self.feed)
                elif column.name in self.feed.constants:
                    value = typed(str(self.feed.constants[column.name]), column, {}, self.feed)
                else:
                    value = None
                if value is None and column.required:
                    raise Held
            except Held:
                value, held = None, True
            values.append(value)
        clock = None
        if "source_updated_at" in sources:
            theirs, rule = sources["source_updated_at"]
            try:
                clock = typed(text(theirs), self.clock, rule, self.feed)
            except Held:
                held = True
        deleted = False
        if self.feed.deleted_when:
            name, value = re.fullmatch(r"\s*(.+?)\s*=\s*'(.*)'\s*", self.feed.deleted_when).groups()
            deleted = text(name.strip('"')).strip(" \u3000") == value
        keys = [values[at] for at, column in enumerate(self.columns) if column.key]
        whole = all(
            key is not None or column.empty_means_all
            for key, column in zip(keys, (column for column in self.columns if column.key))
        )
        return (None if held else values), clock, deleted, (tuple(keys) if whole else None)


# ---------------------------------------------------------------------------------------------
# Versions


class Version:
    """A version of a key."""

    __slots__ = ("values", "clock", "order", "reporter", "deleted")

    def __init__(self, values, clock, order, reporter, deleted):
        self.values, self.clock, self.order, self.reporter, self.deleted = values, clock, order, reporter, deleted

    @property
    def age(self):
        return (self.clock, self.order)


class Warehouse:
    """Current rows by dataset, grown batch by batch."""

    def __init__(self):
        self.tables = {dataset: {} for dataset in COLUMNS}
        self.owners = {dataset: {} for dataset in COLUMNS}
        self.waiting = defaultdict(list)
        # By batch: its state, and records read and held.
        self.states, self.counts = {}, {}

    def codes(self, kind):
        return {key[0] for key, version in self.tables[kind].items() if not version.deleted}

    def successors(self):
        place = [column.name for column in columns("region")].index("successor_code")
        table = self.tables["region"]
        return {key[0]: version.values[place] for key, version in table.items() if version.values[place]}

    def load_reference(self, dataset, path):
        """Rows shipped with the product: a first batch of `anze`."""
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            cols = columns(dataset)
            feed = type("Plain", (), {"null": {""}, "thousands": None, "offset": SHANGHAI})()
            for row in reader:
                values = [typed(row.get(column.name) or "", column, {}, feed) for column in cols]
                key = tuple(value for value, column in zip(values, cols) if column.key)
                self.tables[dataset][key] = Version(values, 0, (0, 0), "anze", False)
                self.owners[dataset][key] = "anze"

    def load(self, number, batch, feed, data):
        """Loads one landed file, and again what waited for the codes it brings."""
        state = self.judge(number, batch, feed, data)
        self.states[batch["batch_id"]] = state
        if state != "held" and feed.dataset in ("region", "sector", "insurer"):
            self.replay()

    def judge(self, number, batch, feed, data):
        """Loads one landed file or holds it whole, for a person; says which."""
        dataset, cols = feed.dataset, columns(feed.dataset)
        key_places = [at for at, column in enumerate(cols) if column.key]
        checks = Checks(dataset, cols, self, batch["landed_at"])
        read = held = 0
        rows, present, waiting = [], set(), []
        for row_no, (values, clock, deleted, key) in enumerate(Reader(feed).rows(data), 1):
            read += 1
            if key is not None:
                present.add(key)
            try:
                if values is None:
                    raise Held
                values = checks.check(values)
            except OnlyUnknownCodes:
                held += 1
                waiting.append((values, clock, deleted, row_no))
                continue
            except Held:
                held += 1
                continue
            key = tuple(values[at] for at in key_places)
            present.add(key)
            version = Version(
                values, batch["landed_at"] if clock is None else clock, (number, row_no), feed.reporter, deleted
            )
            rows.append((key, version))
        owners, table = dict(self.owners[dataset]), dict(self.tables[dataset])
        foreign = sum(not self.accept(table, owners, key, version, feed) for key, version in rows)
        self.counts[batch["batch_id"]] = (read, held + foreign)
        if read and Decimal(held + foreign) / read > feed.max_quarantined:
            return "held"
        if feed.mode == "snapshot":
            if read == 0 or not self.end_absent(table, cols, present, feed, batch, number):
                return "held"
        self.owners[dataset], self.tables[dataset] = owners, table
        self.waiting[dataset].extend((row, feed, batch, number) for row in waiting)
        return "published"

    @staticmethod
    def accept(table, owners, key, version, feed):
        """Lets a version contend; False where the key is another reporter's."""
        owner = owners.setdefault(key, version.reporter)
        if owner not in (version.reporter, "anze") and owner not in feed.takes_over:
            return False
        current = table.get(key)
        # With equal clocks the later receipt wins.
        if current is None or version.age > current.age:
            table[key] = version
        return True

    def replay(self):
        """Rows held only for a code that is known by now."""
        for dataset, rows in self.waiting.items():
            cols = columns(dataset)
            key_places = [at for at, column in enumerate(cols) if column.key]
            still = []
            for (values, clock, deleted, row_no), feed, batch, number in rows:
                try:
                    checked = Checks(dataset, cols, self, batch["landed_at"]).check(values)
                except Held:
                    still.append(((values, clock, deleted, row_no), feed, batch, number))
                    continue
                key = tuple(checked[at] for at in key_places)
                clock = batch["landed_at"] if clock is None else clock
                version = Version(checked, clock, (number, row_no), feed.reporter, deleted)
                if self.accept(self.tables[dataset], self.owners[dataset], key, version, feed):
                    read, held = self.counts[batch["batch_id"]]
                    self.counts[batch["batch_id"]] = (read, held - 1)
            self.waiting[dataset] = still

    @staticmethod
    def end_absent(table, cols, present, feed, batch, number):
        """Ends the reporter's rows that a snapshot does not name; False where they are too many."""
        names = [column.name for column in cols]
        end = next((names.index(name) for name in ("valid_to", "effective_to") if name in names), None)
        slot_day = day_of(batch["slot_at"] if batch["slot_at"] is not None else batch["landed_at"])
        standing = [
            (key, version)
            for key, version in table.items()
            if version.reporter == feed.reporter
            and not version.deleted
            and not (end is not None and version.values[end] is not None and version.values[end] <= slot_day)
        ]
        gone = [(key, version) for key, version in standing if key not in present]
        if standing and Decimal(len(gone)) / len(standing) > feed.max_removed:
            return False
        for key, version in gone:
            values = list(version.values)
            if end is not None:
                values[end] = slot_day
            table[key] = Version(values, version.clock, (number, 1 << 60), feed.reporter, end is None)
        return True

    def rows(self, dataset):
        """The current rows."""
        return [version.values for version in self.tables[dataset].values() if not version.deleted]


class Checks:
    """Row rules 2 to 5 on typed values."""

    def __init__(self, dataset, cols, warehouse, landed_at):
        self.dataset, self.cols = dataset, cols
        self.place = {column.name: at for at, column in enumerate(cols)}
        self.known = {
            kind: warehouse.codes(kind) for kind in {column.known for column in cols if column.known}
        }
        self.successors = warehouse.successors() if "region" in self.known else {}
        self.latest_instant = landed_at + DAY
        self.latest_day = day_of(landed_at) + 1

    def check(self, values):
        """The values, former regions mapped; raises Held."""
        values, unknown = list(values), False
        for at, column in enumerate(self.cols):
            value = values[at]
            if value is None:
                continue
            if column.known:
                if column.known == "region":
                    value = values[at] = self.successors.get(value, value)
                unknown |= value not in self.known[column.known]
            if column.event and value > (self.latest_day if column.kind == "date" else self.latest_instant):
                raise Held
        if self.dataset == "unit" and values[self.place["id_kind"]] == "uscc":
            unit_id = values[self.place["unit_id"]] = values[self.place["unit_id"]].upper()
            if not is_credit_code(unit_id):
                raise Held
        for names, rule in ROW_RULES.get(self.dataset, ()):
            operands = [values[self.place[name]] for name in names]
            if None not in operands and not rule(*operands):
                raise Held
        if unknown:
            raise OnlyUnknownCodes
        return values


def load_all(deployment, batches, reference):
    """Every landed file of a deployment, in order of arrival; the differences in what was held."""
    warehouse, differences = Warehouse(), []
    feeds = {path.stem: Feed(path) for path in sorted(Path(deployment, "feeds").glob("*.toml"))}
    for dataset in ("region", "sector", "rule", "calendar"):
        warehouse.load_reference(dataset, Path(reference, f"{dataset}.csv"))
    ordered = sorted(batches, key=lambda batch: batch["order"])
    for number, batch in enumerate(ordered, 1):
        feed = feeds.get(batch["feed_id"])
        if feed is None or feed.dataset not in COLUMNS:
            continue
        data = Path(deployment, "data", batch["landed_path"]).read_bytes()
        warehouse.load(number, batch, feed, data)
    for batch in ordered:
        if batch["batch_id"] not in warehouse.states:
            continue
        state = warehouse.states[batch["batch_id"]]
        read, held = warehouse.counts[batch["batch_id"]]
        # Of a batch held whole every row is held, broken or not.
        ours = (state, read, read if state == "held" else held)
        theirs = (batch["state"], batch["rows_read"], batch["rows_quarantined"])
        if ours != theirs:
            differences.append(f"batch {batch['batch_id']} of {batch['feed_id']}: here {ours}, in the book {theirs}")
    return warehouse, differences
