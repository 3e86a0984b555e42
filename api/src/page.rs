//! The pages: rendered here, complete without script, in Chinese unless asked for in English.

mod answer;
pub mod assessment;
pub mod assets;
pub mod brief;
mod chart;
mod figure;
pub mod gap;
pub mod home;
pub mod landed_line;
mod lang;
pub mod leads;
mod link;
pub mod record;
mod standing;

use axum::http::StatusCode;
use maud::{DOCTYPE, Markup, html};

pub use lang::Lang;
pub use link::Address;

use crate::problem::Problem;

/// Whether an address is one of the pages, whose errors are pages too.
pub fn is_page(path: &str) -> bool {
    let programs = ["/api/", "/healthz", "/readyz", "/openapi.json"];
    !programs.iter().any(|prefix| path.starts_with(prefix))
}

/// What stands around every page.
pub struct Frame<'a> {
    pub lang: Lang,
    pub title: &'a str,
    /// Where this page is, for the switch of language.
    pub here: &'a Address,
    /// The line under the name: release, day, when.
    pub standing: Option<Markup>,
}

impl Frame<'_> {
    /// The whole document.
    pub fn around(&self, main: &Markup) -> Markup {
        let lang = self.lang;
        let other = lang.other();
        html! {
            (DOCTYPE)
            html lang=(lang.tag()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · " (lang.pick("安责险数据仓库", "Anze")) }
                    link rel="stylesheet" href=(assets::style_sheet());
                    link rel="icon" type="image/svg+xml" href=(assets::icon());
                }
                body {
                    a.skip href="#main" { (lang.pick("跳到正文", "Skip to the content")) }
                    header.top {
                        p.name {
                            a href=(Address::of("/").to(lang)) { (lang.pick("安责险数据仓库", "Anze")) }
                        }
                        @if let Some(standing) = &self.standing {
                            p.standing { (standing) }
                        }
                        p.switch {
                            a href=(self.here.to(other)) lang=(other.tag()) hreflang=(other.tag()) { (other.own_name()) }
                        }
                    }
                    main #main { (main) }
                    footer {
                        p {
                            (lang.pick("数据由各方报送，数字可逐级追溯到原始报送行。", "Every number leads back to the delivered line it came from."))
                            " "
                            a href="/openapi.json" { (lang.pick("接口说明", "Interface")) }
                        }
                    }
                }
            }
        }
    }
}

/// A problem as a page with a way out.
pub fn problem(problem: &Problem, number: &str, lang: Lang) -> Markup {
    let title = lang.pick(problem.title, problem.title_en);
    let main = html! {
        article.problem {
            p.code { (problem.status.as_u16()) }
            h1 { (title) }
            p { (problem.detail) }
            @if problem.status == StatusCode::UNAUTHORIZED {
                p {
                    (lang.pick(
                        "浏览器询问用户名和密码时，用户名任意，密码填令牌。",
                        "When the browser asks for a name and a password, give any name, and the token as the password.",
                    ))
                }
            }
            p.out { a href=(Address::of("/").to(lang)) { (lang.pick("回到首页", "To the first page")) } }
            p.number { (lang.pick("请求编号", "Request")) " " code { (number) } }
        }
    };
    let here = Address::of("/");
    Frame { lang, title, here: &here, standing: None }.around(&main)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_a_page_with_a_way_out() {
        let page = problem(&Problem::not_found("x", "<nothing>"), "abc", Lang::En).into_string();
        assert!(
            page.contains("<html lang=\"en\">")
                && page.contains("&lt;nothing&gt;")
                && page.contains("href=\"/?lang=en\"")
        );
        assert!(!page.contains("<script") && !page.contains("style="));
    }

    #[test]
    fn programs_and_people_have_different_addresses() {
        assert!(is_page("/") && is_page("/metrics/coverage_rate/gap") && is_page("/nowhere"));
        assert!(!is_page("/api/v1/metrics") && !is_page("/healthz") && !is_page("/openapi.json"));
    }
}
