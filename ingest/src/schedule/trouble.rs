//! What alerts say: sentences for officials, in Chinese and English.

use super::alert::Trouble;
use super::{Slot, Workdays, ZONE, day_of};
use crate::feed::Feed;

impl Trouble {
    /// Slots of a feed whose deadlines passed; `None` where there is none.
    pub fn overdue(feed: &Feed, outstanding: &[&Slot], calendar: &Workdays) -> Option<Self> {
        let due = outstanding.iter().filter_map(|slot| slot.due_at).min()?;
        let is_provisional =
            outstanding.iter().filter_map(|slot| slot.due_at).any(|due| calendar.is_provisional(day_of(due)));
        let (provisional_zh, provisional_en) = match is_provisional {
            true => (
                "；该年度放假安排尚未公布，期限按周一至周五推算",
                "; the year's holidays are not published yet, so the deadline counts Monday to Friday",
            ),
            false => ("", ""),
        };
        let (count, title, feed_id) = (outstanding.len(), &feed.title, &feed.feed_id);
        let due = due.with_timezone(&ZONE).format("%Y-%m-%d %H:%M");
        let zh =
            format!("报送逾期：{title}（{feed_id}）有 {count} 个时点未报送，最早应于 {due} 前报送{provisional_zh}");
        let en =
            format!("{feed_id} is overdue: nothing came for {count} slot(s), the first was due {due}{provisional_en}");
        Some(Self { slots: outstanding.iter().map(|slot| slot.slot_at).collect(), batch_id: None, message: (zh, en) })
    }

    /// A batch of a feed that is held whole, and why.
    pub fn held(feed: &Feed, batch_id: &str, reason: Option<&(String, String)>) -> Self {
        let (title, feed_id) = (&feed.title, &feed.feed_id);
        let (why_zh, why_en) = reason.map_or(("", ""), |(zh, en)| (zh.as_str(), en.as_str()));
        let zh = format!("整批暂存：{title}（{feed_id}）的批次 {batch_id} 未发布，待人工处理：{why_zh}");
        let en = format!("{feed_id}: batch {batch_id} is held for a person and nothing of it is published: {why_en}");
        Self { slots: Vec::new(), batch_id: Some(batch_id.to_owned()), message: (zh, en) }
    }

    /// A feed whose run failed, and why.
    pub fn failed(feed: &Feed, error: &crate::Error) -> Self {
        let (title, feed_id) = (&feed.title, &feed.feed_id);
        let zh = format!("采集失败：{title}（{feed_id}）：{error}");
        let en = format!("{feed_id} failed: {error}");
        Self { slots: Vec::new(), batch_id: None, message: (zh, en) }
    }
}
