//! `/openapi.json`: the description of the interface, kept by hand and checked against the routes.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

const DESCRIPTION: &str = include_str!("../../assets/openapi.json");

/// `GET /openapi.json`
pub async fn show() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    (headers, DESCRIPTION).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::page;

    #[test]
    fn every_route_is_described_and_every_description_is_a_route() {
        let description: Value = serde_json::from_str(DESCRIPTION).unwrap();
        let paths = description["paths"].as_object().unwrap();
        let described: BTreeSet<String> = paths
            .iter()
            .flat_map(|(path, methods)| {
                methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
            })
            .collect();
        let (listed, _) = crate::http::routes(crate::http::tests::app()).finish();
        let routed: BTreeSet<String> = listed
            .iter()
            .filter(|route| !page::is_page(route.path))
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        assert_eq!(described, routed);
    }
}
