//! Style sheet and icon, inside the binary, under names that change with their content.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::problem::Problem;

struct Asset {
    address: String,
    content_type: &'static str,
    text: &'static str,
}

static STYLE_SHEET: LazyLock<Asset> =
    LazyLock::new(|| asset("anze", "css", "text/css; charset=utf-8", include_str!("../../assets/anze.css")));
const BRIEF: &str = include_str!("../../assets/brief.css");
static BRIEF_SHEET: LazyLock<Asset> = LazyLock::new(|| asset("brief", "css", "text/css; charset=utf-8", BRIEF));
static ICON: LazyLock<Asset> =
    LazyLock::new(|| asset("icon", "svg", "image/svg+xml", include_str!("../../assets/icon.svg")));

fn asset(name: &str, ending: &str, content_type: &'static str, text: &'static str) -> Asset {
    let tag: String = Sha256::digest(text)[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    Asset { address: format!("/assets/{name}.{tag}.{ending}"), content_type, text }
}

/// Address of the style sheet.
pub fn style_sheet() -> &'static str {
    &STYLE_SHEET.address
}

/// Address of the style sheet of the brief.
pub fn brief_sheet() -> &'static str {
    &BRIEF_SHEET.address
}

/// The style sheet of the brief itself, for a file that needs nothing else.
pub fn brief_style() -> &'static str {
    BRIEF
}

/// Address of the icon.
pub fn icon() -> &'static str {
    &ICON.address
}

/// `GET /assets/{file}`
pub async fn show(Path(file): Path<String>) -> Result<Response, Problem> {
    let known =
        [&*STYLE_SHEET, &*BRIEF_SHEET, &*ICON].into_iter().find(|asset| asset.address.ends_with(&format!("/{file}")));
    let asset = known.ok_or_else(|| Problem::not_found("no_such_asset", format!("there is no `{file}`")))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        // Another content has another name.
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok((headers, asset.text).into_response())
}
