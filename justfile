# Always the whole workspace: selecting packages changes feature unification and compiles
# dependencies again.

target := env("CARGO_TARGET_DIR", justfile_directory() / "target")

# A synthetic province: feeds, releases, numbers, pages.
demo *options:
    cargo run -- demo {{options}}

# Everything that must pass.
test:
    tests/run

lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

fmt:
    cargo fmt --all

# The metrics of a small demo against an independent computation in DuckDB.
oracle scale="0.01" years="2": build
    tests/oracle/run "{{target}}/debug/anze" {{scale}} {{years}}

# The benchmark: from CSV to a published release, beside DuckDB on the same file.
bench *options: build
    python3 -m venv "{{target}}/bench-venv"
    "{{target}}/bench-venv/bin/pip" install --quiet duckdb
    "{{target}}/bench-venv/bin/python" tests/bench/ingest.py --anze "{{target}}/debug/anze" {{options}}

build:
    cargo build --workspace
