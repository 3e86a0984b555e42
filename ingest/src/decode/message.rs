//! What is wrong with a value, for people: in the words of their own file.

use super::column::ColumnReader;
use super::failure::{Message, Rule, shown};

/// The message for a value that breaks a rule.
pub(super) fn of(rule: Rule, value: &str, column: &ColumnReader) -> Message {
    let title = &column.title;
    let given = shown(value);
    let told = |zh: String, en: String| {
        Message::new(format!("列“{title}”的值“{given}”{zh}"), format!("column \"{title}\": \"{given}\" {en}"))
    };
    let plain = |zh: &str, en: &str| told(zh.into(), en.into());
    match rule {
        Rule::Required => Message::new(format!("列“{title}”必须填写"), format!("column \"{title}\" must have a value")),
        Rule::NestedValue => Message::new(
            format!("列“{title}”的值是对象或列表，应为单个值"),
            format!("column \"{title}\" holds an object or a list instead of a single value"),
        ),
        Rule::ControlCharacter => plain("含有控制字符", "contains a control character"),
        Rule::ReplacementCharacter => plain(
            "含有替换字符 U+FFFD，说明文字在报送前已损坏",
            "contains U+FFFD: the text was damaged before it was sent",
        ),
        Rule::NotANumber if is_parted(value) => plain(
            "不是数字；如有千分位，请在 format.thousands 中声明",
            "is not a number; declare separators of thousands in format.thousands",
        ),
        Rule::NotANumber => plain("不是数字", "is not a number"),
        Rule::NotAnInt => plain("不是整数", "is not a whole number"),
        Rule::NumberTooLarge => {
            let digits = column.whole_digits();
            told(
                format!("过大，整数部分最多 {digits} 位"),
                format!("is too large: at most {digits} digits before the point"),
            )
        }
        Rule::TooManyFractionDigits => {
            let digits = column.fraction_digits();
            told(
                format!("的小数位过多，最多 {digits} 位，且不作四舍五入"),
                format!("has too many digits after the point: at most {digits}, and nothing is rounded"),
            )
        }
        Rule::NotADate => {
            let format = column.pattern().unwrap_or("YYYY-MM-DD");
            told(format!("不是日期，应写作 {format}"), format!("is not a date written as {format}"))
        }
        Rule::ImpossibleDate => plain("是不存在的日期", "is a day that does not exist"),
        Rule::DateOutOfRange => plain("不在 1900 年至 2200 年之间", "is not between the years 1900 and 2200"),
        Rule::NotATimestamp => {
            let format = column.pattern().unwrap_or("YYYY-MM-DD HH:MM:SS");
            told(format!("不是日期时间，应写作 {format}"), format!("is not a date with a time written as {format}"))
        }
        Rule::ImpossibleTime => plain("是不存在的时间", "is a time that does not exist"),
        Rule::AmbiguousTime => plain(
            "在夏令时切换时出现两次，请写明时区",
            "was shown twice by the clocks that day; write it with its offset",
        ),
        Rule::NotABool => {
            plain("不是真假值，应为 true、false、1、0、是、否", "is not one of true, false, 1, 0, 是, 否")
        }
        Rule::NotInCodeList => {
            let codes = column.codes().join(", ");
            told(format!("不在代码表中：{codes}"), format!("is not one of {codes}"))
        }
        Rule::OutOfRange => {
            let (least, greatest) = column.range_shown();
            let (zh, en) = match (least, greatest) {
                (Some(least), Some(greatest)) => {
                    (format!("应在 {least} 与 {greatest} 之间"), format!("is not between {least} and {greatest}"))
                }
                (Some(least), None) => (format!("不得小于 {least}"), format!("is less than {least}")),
                (_, greatest) => {
                    let greatest = greatest.unwrap_or_default();
                    (format!("不得大于 {greatest}"), format!("is greater than {greatest}"))
                }
            };
            told(zh, en)
        }
        Rule::NotACreditCode => plain(
            "不是统一社会信用代码，应为 18 位数字和大写字母",
            "is not a social credit code of 18 digits and capital letters",
        ),
        Rule::BadCheckCharacter => plain(
            "的校验码不正确，不是有效的统一社会信用代码",
            "has a wrong check character and is no valid social credit code",
        ),
        Rule::UpperCased => plain("已按大写字母读取", "was read in capital letters"),
        Rule::CellError => plain("是表格中的错误值", "is an error of the spreadsheet"),
        Rule::Uncalculated => Message::new(
            format!("列“{title}”是公式，但文件中没有计算结果；请在表格软件中打开并保存后再报送"),
            format!(
                "column \"{title}\" is a formula without a result; open and save the file in a spreadsheet program"
            ),
        ),
        Rule::DigitsLost => plain(
            "超过表格能保存的位数，末尾数字已丢失；请将该列设为文本格式",
            "has more digits than a spreadsheet keeps, and the last ones are lost; format the column as text",
        ),
        // Here the value is the reason, which may be longer than a value is shown.
        Rule::ExpressionFailed => Message::new(
            format!("列“{title}”的表达式无法计算：{value}"),
            format!("the expression of column \"{title}\" fails: {value}"),
        ),
        // The others are said of files and records, where they are found.
        _ => plain("无法读取", "cannot be read"),
    }
}

/// Whether only separators of thousands keep the value from being a number.
fn is_parted(value: &str) -> bool {
    value.contains(',') && value.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b'.' | b'-'))
}
