//! The line under the name of every page: release, day, when it was published, what is late now.

use maud::{Markup, html};

use super::Lang;
use crate::http::App;
use crate::output::instant;
use crate::problem::Problem;

/// The line, as things stand now.
pub(super) async fn standing(app: &App, lang: Lang) -> Result<Option<Markup>, Problem> {
    let Some(release) = app.deployment.newest().await? else { return Ok(None) };
    let late = app.freshness.now(&app.deployment, &app.clock).await?.late_feeds.len();
    let published_at = instant(release.published_at());
    Ok(Some(html! {
        (lang.pick("发布", "Release")) " " b { (release.number()) }
        " · " (lang.pick("数据截至", "data to")) " " time datetime=(release.day()) { (release.day()) }
        " · " (lang.pick("发布于", "published")) " " time datetime=(published_at) { (minute(&published_at)) }
        " · "
        @if late == 0 {
            (lang.pick("目前无逾期报送源", "no feed is late now"))
        } @else {
            (lang.pick("目前逾期报送源", "feeds late now:")) " " (late)
        }
    }))
}

/// `2026-06-30T02:30:00+08:00` to the minute.
pub(super) fn minute(instant: &str) -> String {
    instant.get(..16).unwrap_or(instant).replace('T', " ")
}

/// An instant as it reads best in a table; its zone is said once, under the table.
pub(super) fn moment(text: &str) -> String {
    match text.strip_suffix("+08:00").filter(|local| local.as_bytes().get(10) == Some(&b'T')) {
        Some(local) => local.replacen('T', " ", 1),
        None => text.to_owned(),
    }
}

/// What is said under a table with instants.
pub(super) fn zone(lang: Lang) -> &'static str {
    lang.pick("时间为北京时间（UTC+8）", "times are UTC+8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_lose_their_zone_and_nothing_else_changes() {
        assert_eq!(moment("2026-06-30T02:30:00+08:00"), "2026-06-30 02:30:00");
        assert_eq!(moment("2026-06-30"), "2026-06-30");
        assert_eq!(moment("A-T+08:00"), "A-T+08:00");
        assert_eq!(minute("2026-06-30T02:30:00+08:00"), "2026-06-30 02:30");
    }
}
