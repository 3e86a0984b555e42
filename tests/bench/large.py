#!/usr/bin/env python3
"""Ingestion of one very large file, and how much memory it takes at most.

    python tests/bench/large.py csv  [--gigabytes 5] [--anze PATH]
    python tests/bench/large.py xlsx [--rows 1048576] [--anze PATH]

csv: policies of 14 columns, with one broken row and one revised row in two hundred each.
xlsx: a sheet with 30 columns of policies, cells with their texts inside, zipped.

Each is ingested into a published release by `anze ingest run` in a process of its own, whose peak memory
the kernel counts. The script fails where that is 1 GiB or more, or where the rows do not add up to what
was written. It takes some minutes and some ten gigabytes of disk.
"""

import argparse
import io
import pathlib
import sys
import tempfile
import time
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import ingest as small  # noqa: E402

MOST = 1024 * small.MEBI
# Rows of the piece that is repeated with other keys.
PIECE_ROWS = 100_000
SHEET_ROWS = 1_048_576
SHEET_COLUMNS = 30


def write_csv(inputs, size):
    """Writes the piece again and again under other policy numbers until there are `size` bytes."""
    small.generate(inputs, PIECE_ROWS)
    path = inputs / "policy" / "policy.csv"
    header, _, body = path.read_text(encoding="utf-8").partition("\n")
    # The numbers of the piece have seven leading zeros: they become the number of the repetition.
    assert body.count("PZJ0000000") == PIECE_ROWS
    pieces = 0
    with open(path, "w", encoding="utf-8", newline="") as out:
        out.write(header + "\n")
        while out.tell() < size:
            out.write(body.replace("PZJ0000000", f"PZJ{pieces:07d}"))
            pieces += 1
    return pieces * PIECE_ROWS


def letters(column):
    return chr(65 + column) if column < 26 else "A" + chr(65 + column - 26)


def cell(column, value):
    reference = f"{letters(column)}@"
    if isinstance(value, str):
        return f'<c r="{reference}" t="inlineStr"><is><t>{value}</t></is></c>'
    return f'<c r="{reference}"><v>{value}</v></c>'


def write_xlsx(inputs, rows):
    """A workbook of the fewest parts; `@` in the text of a row stands for its number."""
    small.generate(inputs, 1_000)
    source = inputs / "policy" / "policy.csv"
    lines = [line.split(",") for line in source.read_text(encoding="utf-8").splitlines()[1:]]
    source.unlink()
    titles = list(small.COLUMNS) + [f"beside_{number}" for number in range(SHEET_COLUMNS - len(small.COLUMNS))]
    templates = []
    for number, line in enumerate(lines):
        values = [float(text) if title in NUMBERS else text for title, text in zip(titles, line)]
        values += [number * 7 + column if column % 2 else f"备注{column}" for column in range(len(line), SHEET_COLUMNS)]
        values[0] = "PZJ@"
        values[small.COLUMNS.index("endorsement_no")] = 0
        templates.append('<row r="@">' + "".join(cell(*value) for value in enumerate(values)) + "</row>")
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    packages = "http://schemas.openxmlformats.org/package/2006"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{packages}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{packages}/relationships"><Relationship Id="r1" Type="{relations}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets><sheet name="保单" sheetId="1" r:id="r1"/>'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{packages}/relationships"><Relationship Id="r1" '
        f'Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
    }
    path = inputs / "policy" / "policy.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for name, text in parts.items():
            book.writestr(name, text)
        with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            text = io.StringIO()
            text.write(f'<worksheet xmlns="{main}"><sheetData>')
            text.write('<row r="1">' + "".join(cell(*title) for title in enumerate(titles)).replace("@", "1") + "</row>")
            for row in range(2, rows + 1):
                text.write(templates[row % len(templates)].replace("@", str(row)))
                if row % 4096 == 0:
                    sheet.write(text.getvalue().encode())
                    text = io.StringIO()
            text.write("</sheetData></worksheet>")
            sheet.write(text.getvalue().encode())
    return rows - 1


# What the sheet holds as numbers.
NUMBERS = {"insured_persons"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("csv", "xlsx"))
    parser.add_argument("--anze", default=str(small.ROOT / "target" / "debug" / "anze"), help="the binary (target/debug/anze)")
    parser.add_argument("--gigabytes", type=float, default=5.0, help="size of the CSV file, 10^9 bytes (5)")
    parser.add_argument("--rows", type=int, default=SHEET_ROWS, help=f"rows of the sheet with its header ({SHEET_ROWS})")
    parser.add_argument("--without-units", action="store_true", help="load no units, so that every row gets a finding")
    parser.add_argument("--temp", help="where the temporary folder is made")
    args = parser.parse_args()
    anze = pathlib.Path(args.anze).resolve()
    small.CHILD_TIMEOUT = 3600
    with tempfile.TemporaryDirectory(prefix="anze-large-", dir=args.temp) as temp:
        inputs, folder = pathlib.Path(temp) / "inputs", pathlib.Path(temp) / "deployment"
        inputs.mkdir()
        begun = time.perf_counter()
        written = write_csv(inputs, args.gigabytes * 1e9) if args.kind == "csv" else write_xlsx(inputs, args.rows)
        (path,) = (inputs / "policy").iterdir()
        size = path.stat().st_size / small.MEBI
        print(f"{path.name}: {written:,} rows, {size:,.0f} MiB, written in {time.perf_counter() - begun:.0f} s", flush=True)
        small.deployment(folder, inputs)
        feed = folder / "feeds" / "policy.toml"
        feed.write_text(feed.read_text(encoding="utf-8").replace('kind = "csv"', f'kind = "{args.kind}"'), encoding="utf-8")
        for other in ("insurer",) if args.without_units else ("insurer", "unit"):
            small.ingest(anze, folder, other)
        run = small.ingest(anze, folder, "policy")
        batch = small.batch_of(run.output)
        print(small.line("ours", written, [run]), flush=True)
        print(", ".join(f"{name} {count:,}" for name, count in batch.items()))
        if sum(batch.values()) != written:
            raise SystemExit(f"{written:,} rows were written and {sum(batch.values()):,} accounted for")
        if run.peak >= MOST:
            raise SystemExit(f"a peak of {run.peak / small.MEBI:,.0f} MiB is over {MOST / small.MEBI:,.0f} MiB")


if __name__ == "__main__":
    sys.exit(main())
