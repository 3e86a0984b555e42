//! What is wrong with records and files, for people.

use super::RowReader;
use crate::decode::failure::{FileRefused, Message, RejectedRecord, Rule};
use crate::decode::format::Layout;
use crate::decode::records::{RecordChunk, RecordFault};
use crate::decode::text;

impl RowReader {
    /// A record with bytes that are no text.
    pub(super) fn no_text(&self, chunk: &RecordChunk, invalid: &text::Invalid) -> RejectedRecord {
        let span = chunk.span(chunk.starts[invalid.row], chunk.lens[invalid.row]);
        let offset = chunk.base + invalid.position as u64;
        let encoding = self.format.encoding.name();
        let (zh, en) = match (&self.format.layout, self.titles.get(invalid.field)) {
            (Layout::Csv { .. }, Some(title)) => (format!("，在列“{title}”中"), format!(" in column \"{title}\"")),
            _ => (String::new(), String::new()),
        };
        RejectedRecord {
            row_no: chunk.row_no[invalid.row],
            span,
            rule: Rule::InvalidEncoding,
            message: Message::new(
                format!("文件第 {offset} 字节（从 0 起）处不是有效的 {encoding} 编码{zh}"),
                format!("the bytes at offset {offset} of the file are not text in {encoding}{en}"),
            ),
        }
    }

    /// A record that did not come apart.
    pub(super) fn split_message(&self, fault: RecordFault) -> (Rule, Message) {
        let width = self.titles.len();
        match fault {
            RecordFault::Fields { found } if found < width => (
                Rule::TooFewFields,
                Message::new(
                    format!("该行只有 {found} 个字段，表头有 {width} 个"),
                    format!("the record has {found} fields, the header has {width}"),
                ),
            ),
            RecordFault::Fields { found } => (
                Rule::TooManyFields,
                Message::new(
                    format!("该行有 {found} 个字段，表头只有 {width} 个"),
                    format!("the record has {found} fields, the header has only {width}"),
                ),
            ),
            RecordFault::BadQuote => (
                Rule::BadQuote,
                Message::new(
                    "引号有误：引号必须包住整个字段，字段内的引号要写两个",
                    "a quote is wrong: quotes enclose a whole field, and are doubled inside it",
                ),
            ),
            RecordFault::UnclosedQuote => (
                Rule::UnclosedQuote,
                Message::new(
                    "引号没有正确结束；只扣留这一行，从下一行继续读取",
                    "a quote is not properly closed; only this line is held, and reading goes on with the next",
                ),
            ),
            RecordFault::TooLong => {
                let longest = self.format.limits.record_bytes;
                let message = Message::new(
                    format!("该行超过 {longest} 字节"),
                    format!("the record is longer than {longest} bytes"),
                );
                (Rule::RecordTooLong, message)
            }
        }
    }
}

/// Refuses a header that says one title twice.
pub(super) fn no_duplicates(titles: &[String]) -> Result<(), FileRefused> {
    let mut seen = std::collections::HashSet::new();
    match titles.iter().filter(|title| !title.is_empty()).find(|title| !seen.insert(*title)) {
        None => Ok(()),
        Some(title) => Err(FileRefused::new(
            Rule::DuplicateColumn,
            format!("表头中“{title}”出现了两次"),
            format!("the header says \"{title}\" twice"),
        )),
    }
}

/// The refusal where a column is wanted that holds no single values.
pub(super) fn unreadable_column(title: &str, kind: &str) -> FileRefused {
    FileRefused::new(
        Rule::UnreadableColumn,
        format!("列“{title}”的类型是 {kind}，不是单个值，无法映射；请从 [columns] 中去掉，或请报送方展开该列"),
        format!(
            "column \"{title}\" is of type {kind}, which holds no single values; do not map it, or ask for it unnested"
        ),
    )
}

/// The refusal where wanted columns are not there.
pub(super) fn missing_columns(missing: &[&str], titles: &[String]) -> FileRefused {
    let there = titles.iter().map(|title| format!("“{title}”")).collect::<String>();
    let missing_zh = missing.iter().map(|title| format!("“{title}”")).collect::<String>();
    let missing_en = missing.iter().map(|title| format!("\"{title}\"")).collect::<Vec<_>>().join(", ");
    let there_en = titles.iter().map(|title| format!("\"{title}\"")).collect::<Vec<_>>().join(", ");
    FileRefused::new(
        Rule::MissingColumn,
        format!("文件缺少必需的列{missing_zh}；文件中的列：{there}"),
        format!("the file lacks the required columns {missing_en}; it has {there_en}"),
    )
}
