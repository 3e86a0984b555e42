//! The state of each feed.

use maud::{Markup, html};
use serde_json::Value;

use crate::feed_state::FeedState;
use crate::page::answer::missing;
use crate::page::standing::minute;
use crate::page::{Lang, figure};
use crate::problem::Problem;

pub(super) fn section(feeds: &Result<Vec<FeedState>, Problem>, lang: Lang) -> Markup {
    html! {
        section aria-labelledby="feeds" {
            h2 #feeds { (lang.pick("数据报送", "Feeds")) }
            @match feeds {
                Err(problem) => (missing(problem, lang)),
                Ok(feeds) if feeds.is_empty() => p.empty { (lang.pick("没有可显示的报送源。", "There are no feeds to show.")) },
                Ok(feeds) => (table(feeds, lang)),
            }
        }
    }
}

fn table(feeds: &[FeedState], lang: Lang) -> Markup {
    html! {
        div.wide role="region" tabindex="0" aria-labelledby="feeds" {
            table.long {
                caption { (feeds.len()) " " (lang.pick("个报送源 · 实时状态", "feeds · state now")) }
                thead { tr {
                    th scope="col" { (lang.pick("报送源", "Feed")) }
                    th scope="col" { (lang.pick("报送方", "Reporter")) }
                    th scope="col" { (lang.pick("数据集", "Dataset")) }
                    th scope="col" { (lang.pick("状态", "State")) }
                    th scope="col" { (lang.pick("最近到达", "Last arrival")) }
                    th.number scope="col" { (lang.pick("读入（行）", "Rows read")) }
                    th.number scope="col" { (lang.pick("暂扣（行）", "Held")) }
                } }
                tbody { @for feed in feeds { (row(feed, lang)) } }
            }
        }
    }
}

fn row(state: &FeedState, lang: Lang) -> Markup {
    let text = |name: &str| state.feed.get(name).and_then(Value::as_str).unwrap_or("—");
    let of_batch = |name: &str| state.last_batch.as_ref().and_then(|batch| batch.get(name));
    let arrived = of_batch("landed_at").and_then(Value::as_str);
    let standing = state.standing();
    html! {
        tr {
            th scope="row" lang="zh-CN" { (text("title")) " " small { (state.id()) } }
            td { (text("reporter")) }
            td { (text("dataset")) }
            td { span class={ "state " (standing) } { (in_words(standing, lang)) } }
            td.moment { (arrived.map_or_else(|| "—".to_owned(), minute)) }
            td.number { (figure::exact(of_batch("rows_read"))) }
            td.number { (figure::exact(of_batch("rows_quarantined"))) }
        }
    }
}

fn in_words(standing: &str, lang: Lang) -> &str {
    match standing {
        "late" => lang.pick("逾期", "late"),
        "running" => lang.pick("运行中", "running"),
        "failed" => lang.pick("失败", "failed"),
        "held" => lang.pick("整批暂扣", "held"),
        "fresh" => lang.pick("正常", "fresh"),
        _ => lang.pick("尚无数据", "waiting"),
    }
}
