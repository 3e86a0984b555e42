//! The one place that reads the environment.

#![allow(clippy::disallowed_methods, reason = "this is the place")]

/// The log filter: `ANZE_LOG`, in the syntax of `tracing` (`info`, `anze_ingest=debug,warn`).
pub fn log_filter() -> Option<String> {
    std::env::var("ANZE_LOG").ok().filter(|filter| !filter.is_empty())
}

/// A secret that a feed names by its variable.
pub fn secret(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether colours are unwanted, as <https://no-color.org> asks.
pub fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
