//! Files as they should not be. Each case says what its bytes are and what must come of them: how
//! many rows, which records are held and why, or that the file is refused whole.

use super::*;

/// What must come of a file.
enum Expected {
    /// This many rows without a fault, and these records held: number and rule.
    Read(usize, &'static [(u64, &'static str)]),
    /// The file is refused whole, by this rule.
    Refused(&'static str),
}
use Expected::{Read, Refused};

struct Case {
    name: &'static str,
    format: &'static str,
    bytes: Vec<u8>,
    expected: Expected,
}

/// A good record of an agency, without its line end.
const ROW: &str = "91330100799655058B,甲,A,3,x,330102,2026-01-01,";
const OBJECT: &str = r#"{"uscc":"91330100799655058B","name":"甲","qualification":"A","expert_count":3,"equipment":"x","region_code":"330102","valid_from":"2026-01-01","valid_to":null}"#;
const NDJSON: &str = "format.kind = 'ndjson'";
const GB18030: &str = "format.encoding = 'gb18030'";

fn case(name: &'static str, format: &'static str, bytes: impl Into<Vec<u8>>, expected: Expected) -> Case {
    Case { name, format, bytes: bytes.into(), expected }
}

/// The header and one record.
fn with(record: impl AsRef<[u8]>) -> Vec<u8> {
    [HEADER, record.as_ref(), b"\n"].concat()
}

/// A good record with one field, counted from 0, replaced.
fn field(place: usize, value: &str) -> Vec<u8> {
    let mut fields: Vec<&str> = ROW.split(',').collect();
    fields[place] = value;
    with(fields.join(","))
}

fn object(pairs: &str) -> Vec<u8> {
    format!("{OBJECT}\n{{\"uscc\":\"91330100799655058B\",\"name\":\"甲\"{pairs}}}\n{OBJECT}\n").into_bytes()
}

fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

fn utf16(text: &str, big_endian: bool) -> Vec<u8> {
    let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
    units.flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

fn header_text() -> &'static str {
    std::str::from_utf8(HEADER).unwrap()
}

/// Files that end early, or are not there at all.
fn ends() -> Vec<Case> {
    vec![
        case("no byte", "", "", Refused("unreadable_header")),
        case("a BOM and nothing else", "", "\u{FEFF}", Refused("unreadable_header")),
        case("only line ends", "", "\n\n\r\n", Refused("unreadable_header")),
        case("only blanks", "", "   \t  ", Refused("missing_column")),
        case("only a zero byte", "", "\0", Refused("missing_column")),
        case("a header only", "", HEADER, Read(0, &[])),
        case("a header without its line end", "", HEADER.trim_ascii_end(), Read(0, &[])),
        case("a header and line ends", "", [HEADER, b"\n\n\r\n\r"].concat(), Read(0, &[])),
        case("a header row beyond the end", "format.header_row = 9", with(ROW), Refused("unreadable_header")),
        case("a last record without line end", "", [HEADER, ROW.as_bytes()].concat(), Read(1, &[])),
        case(
            "a last record cut in a field",
            "",
            [HEADER, &ROW.as_bytes()[..24]].concat(),
            Read(0, &[(1, "too_few_fields")]),
        ),
        case(
            "a last record cut in a character",
            "",
            [HEADER, &ROW.as_bytes()[..20]].concat(),
            Read(0, &[(1, "too_few_fields")]),
        ),
        case(
            "a last record cut after a quote",
            "",
            [HEADER, b"91330100799655058B,\""].concat(),
            Read(0, &[(1, "unclosed_quote")]),
        ),
        case("no object", NDJSON, "", Read(0, &[])),
        case("only blank lines of objects", NDJSON, "\n \n\t\n", Read(0, &[])),
        case("a last object cut", NDJSON, format!("{OBJECT}\n{}", &OBJECT[..40]), Read(1, &[(2, "invalid_json")])),
    ]
}

/// Headers that are not the feed's.
fn headers() -> Vec<Case> {
    let rows = |header: &str| format!("{header}\n{ROW}\n");
    vec![
        case(
            "one title twice",
            "",
            rows("uscc,name,name,expert_count,equipment,region_code,valid_from,valid_to"),
            Refused("duplicate_column"),
        ),
        case(
            "a required title missing",
            "",
            rows("uscc,NAME,qualification,expert_count,equipment,region_code,valid_from,valid_to"),
            Refused("missing_column"),
        ),
        case(
            "blanks around titles",
            "",
            rows(" uscc , name,qualification,expert_count,equipment,region_code,valid_from,valid_to "),
            Read(1, &[]),
        ),
        case(
            "quoted titles",
            "",
            rows("\"uscc\",\"name\",qualification,expert_count,equipment,region_code,valid_from,valid_to"),
            Read(1, &[]),
        ),
        case("a quote left open in the header", "", rows("\"uscc,name,qualification"), Refused("unreadable_header")),
        case(
            "an empty title beside ours",
            "",
            rows("uscc,name,,expert_count,equipment,region_code,valid_from,valid_to"),
            Read(1, &[]),
        ),
        case("two empty titles", "", rows("uscc,name,,,equipment,region_code,valid_from,valid_to"), Read(1, &[])),
        case("the header of another file", "", "a,b,c\n1,2,3\n", Refused("missing_column")),
        case(
            "another delimiter than declared",
            "",
            rows(&header_text().trim().replace(',', ";")),
            Refused("missing_column"),
        ),
        case(
            "a title in bytes that are no text",
            "",
            [b"\xFF\xFE\xFD,name\n".as_slice(), ROW.as_bytes()].concat(),
            Refused("wrong_encoding"),
        ),
        case(
            "a damaged title",
            "",
            [b"uscc,na\xFFme\n".as_slice(), ROW.as_bytes()].concat(),
            Refused("unreadable_header"),
        ),
        case("a picture", "", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), Refused("unreadable_header")),
        case("a page of HTML", "", "<html><body>503 Service Unavailable</body></html>\n", Refused("missing_column")),
        case("a title of one million characters", "", rows(&"长".repeat(1_000_000)), Refused("unreadable_header")),
        case(
            "a header below a line of title",
            "format.header_row = 2",
            [b"\xE5\xBA\x95\xE5\x86\x8C\n".as_slice(), &with(ROW)].concat(),
            Read(1, &[]),
        ),
    ]
}

/// Bytes that are not what the feed declares.
fn encodings() -> Vec<Case> {
    let text = format!("{}{ROW}\n", header_text());
    vec![
        case("UTF-16, little end first", "", utf16(&text, false), Refused("wrong_encoding")),
        case("UTF-16, big end first", "", utf16(&text, true), Refused("wrong_encoding")),
        case("GB18030 read as UTF-8", "", gb18030(&text), Read(0, &[(1, "invalid_encoding")])),
        case("UTF-8 with a BOM read as GB18030", GB18030, format!("\u{FEFF}{text}"), Refused("wrong_encoding")),
        case("GB18030 as declared", GB18030, gb18030(&text), Read(1, &[])),
        case("a character of four bytes", GB18030, gb18030(&text.replace('甲', "㐀𠮷")), Read(1, &[])),
        case(
            "a lone lead byte before the delimiter",
            GB18030,
            [HEADER, b"91330100799655058B,\x81,A,3,x,330102,2026-01-01,\n"].concat(),
            Read(0, &[(1, "invalid_encoding")]),
        ),
        case(
            "the byte 0xFF",
            GB18030,
            [HEADER, b"91330100799655058B,\xFF,A,3,x,330102,2026-01-01,\n"].concat(),
            Read(0, &[(1, "invalid_encoding")]),
        ),
        case(
            "an overlong form of a slash",
            "",
            [HEADER, b"91330100799655058B,\xC0\xAF,A,3,x,330102,2026-01-01,\n"].concat(),
            Read(0, &[(1, "invalid_encoding")]),
        ),
        case(
            "a surrogate in UTF-8",
            "",
            [HEADER, b"91330100799655058B,\xED\xA0\x80,A,3,x,330102,2026-01-01,\n"].concat(),
            Read(0, &[(1, "invalid_encoding")]),
        ),
        case(
            "a point beyond Unicode",
            "",
            [HEADER, b"91330100799655058B,\xF4\x90\x80\x80,A,3,x,330102,2026-01-01,\n"].concat(),
            Read(0, &[(1, "invalid_encoding")]),
        ),
        case(
            "a second BOM inside the file",
            "",
            [HEADER, "\u{FEFF}91330100799655058B,甲,A,3,x,330102,2026-01-01,\n".as_bytes()].concat(),
            Read(0, &[(1, "not_a_credit_code")]),
        ),
        case("a BOM before everything", "", format!("\u{FEFF}{text}"), Read(1, &[])),
        case("text that was damaged before", "", field(1, "甲\u{FFFD}"), Read(0, &[(1, "replacement_character")])),
        case("mojibake of doubled UTF-8", "", field(1, "ç\u{94}²"), Read(0, &[(1, "control_character")])),
    ]
}

/// Records that do not come apart.
fn records() -> Vec<Case> {
    let between =
        |record: &str| [HEADER, ROW.as_bytes(), b"\n", record.as_bytes(), b"\n", ROW.as_bytes(), b"\n"].concat();
    vec![
        case("one field", "", between("x"), Read(2, &[(2, "too_few_fields")])),
        case("a field too few", "", between(&ROW[..ROW.len() - 1]), Read(2, &[(2, "too_few_fields")])),
        case("a field too many", "", between(&format!("{ROW},")), Read(2, &[(2, "too_many_fields")])),
        case("a hundred thousand commas", "", between(&",".repeat(100_000)), Read(2, &[(2, "too_many_fields")])),
        case(
            "a quote inside a field",
            "",
            between("91330100799655058B,a\"b,A,3,x,330102,2026-01-01,"),
            Read(2, &[(2, "bad_quote")]),
        ),
        case(
            "text after a closing quote",
            "",
            between("91330100799655058B,\"a\" b,A,3,x,330102,2026-01-01,"),
            Read(2, &[(2, "bad_quote")]),
        ),
        case(
            "a blank before an opening quote",
            "",
            between("91330100799655058B, \"a\",A,3,x,330102,2026-01-01,"),
            Read(2, &[(2, "bad_quote")]),
        ),
        case(
            "a quote never closed",
            "",
            between("91330100799655058B,\"a,A,3,x,330102,2026-01-01,"),
            Read(2, &[(2, "unclosed_quote")]),
        ),
        case(
            "three quotes",
            "",
            between("91330100799655058B,\"\"\",A,3,x,330102,2026-01-01,"),
            Read(2, &[(2, "unclosed_quote")]),
        ),
        case(
            "a backslash as an escape",
            "",
            between("91330100799655058B,\"a\\\"b\",A,3,x,330102,2026-01-01,"),
            Read(2, &[(2, "bad_quote")]),
        ),
        case("curly quotes are text", "", field(1, "“甲”"), Read(1, &[])),
        case("a comma of full width is text", "", field(1, "甲，乙"), Read(1, &[])),
        case("a quoted line end", "", between("91330100799655058B,\"a\nb\",A,3,x,330102,2026-01-01,"), Read(3, &[])),
        case("quotes where nothing is quoted", "format.quote = ''", field(1, "\"甲\""), Read(1, &[])),
        case(
            "a record over a megabyte",
            "",
            between(&ROW.replace('x', &"x".repeat(1 << 20))),
            Read(2, &[(2, "record_too_long")]),
        ),
        case(
            "a record of almost a megabyte",
            "",
            between(&ROW.replace('x', &"x".repeat((1 << 20) - 100))),
            Read(3, &[]),
        ),
        case(
            "one quoted field over a megabyte",
            "",
            between(&ROW.replace('x', &format!("\"{}\"", "x".repeat(1 << 20)))),
            Read(2, &[(2, "record_too_long")]),
        ),
        case(
            "line ends of every kind",
            "",
            [HEADER, format!("{ROW}\r{ROW}\r\n{ROW}\n\r{ROW}").as_bytes()].concat(),
            Read(4, &[]),
        ),
        case("a vertical tab is no line end", "", field(1, "甲\u{0B}乙"), Read(0, &[(1, "control_character")])),
        case("a line separator of Unicode is no line end", "", field(1, "甲\u{2028}乙"), Read(1, &[])),
        case(
            "the end-of-file sign of DOS",
            "",
            [HEADER, ROW.as_bytes(), b"\n\x1A"].concat(),
            Read(1, &[(2, "too_few_fields")]),
        ),
        case("a second header in the middle", "", between(header_text().trim()), Read(2, &[(2, "not_a_number")])),
        case(
            "tabs as declared",
            "format.delimiter = \"\\t\"",
            String::from_utf8(with(ROW)).unwrap().replace(',', "\t"),
            Read(1, &[]),
        ),
        case("a tab beside commas is text", "", field(1, "甲\t乙"), Read(1, &[])),
        case("a record of blanks", "", between("    "), Read(2, &[])),
        case("a record of commas", "", between(",,,,,,,"), Read(2, &[(2, "required")])),
        case("a record of quotes", "", between("\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\""), Read(2, &[(2, "required")])),
    ]
}

/// Values of the wrong kind. Fields: 0 code, 1 name, 2 qualification, 3 experts, 5 region, 6 and 7 days.
fn values() -> Vec<Case> {
    let held = |name, place, value: &str, expected| case(name, "", field(place, value), Read(0, expected));
    let read = |name, place, value: &str| case(name, "", field(place, value), Read(1, &[]));
    vec![
        held("a credit code of 17 characters", 0, "91330100799655058", &[(1, "not_a_credit_code")]),
        held("a credit code of 19 characters", 0, "91330100799655058BB", &[(1, "not_a_credit_code")]),
        held("a credit code with a letter I", 0, "9I330100799655058B", &[(1, "not_a_credit_code")]),
        held("a credit code with a wrong check", 0, "91330100799655058A", &[(1, "bad_check_character")]),
        held("a credit code in scientific notation", 0, "9.133E+17", &[(1, "not_a_credit_code")]),
        held("a credit code in full width", 0, "９１３３０１００７９９６５５０５８Ｂ", &[(1, "not_a_credit_code")]),
        held("a zero byte in a text", 1, "甲\0", &[(1, "control_character")]),
        held("an escape sequence of a terminal", 1, "\x1B[31m甲", &[(1, "control_character")]),
        read("a formula is text", 1, "=1+1"),
        read("a script is text", 1, "<script>alert(1)</script>"),
        read("a statement is text", 1, "'; drop table agency; --"),
        read("a sign of four bytes", 1, "🏭"),
        read("text from right to left", 1, "\u{202E}甲"),
        held("a number in words", 3, "三", &[(1, "not_a_number")]),
        held("a number in full width", 3, "３", &[(1, "not_a_number")]),
        held("a number with a unit", 3, "3人", &[(1, "not_a_number")]),
        held("a number with a fraction", 3, "3.5", &[(1, "not_an_int")]),
        held("a number with an exponent", 3, "3e0", &[(1, "not_a_number")]),
        held("no number", 3, "NaN", &[(1, "not_a_number")]),
        held("infinity", 3, "inf", &[(1, "not_a_number")]),
        held("a hexadecimal number", 3, "0x3", &[(1, "not_a_number")]),
        held("two signs", 3, "--3", &[(1, "not_a_number")]),
        held("a number beyond 64 bits", 3, "9223372036854775808", &[(1, "number_too_large")]),
        held("a number of a thousand digits", 3, &"9".repeat(1000), &[(1, "number_too_large")]),
        read("leading zeros", 3, "0003"),
        read("a fraction of zeros", 3, "3.000"),
        held("thousands that were not declared", 3, "\"3,000\"", &[(1, "not_a_number")]),
        held("a date with dots", 6, "2026.01.01", &[(1, "not_a_date")]),
        held("a date in Chinese", 6, "2026年1月1日", &[(1, "not_a_date")]),
        held("a serial of Excel", 6, "46023", &[(1, "not_a_date")]),
        held("a month 13", 6, "2026-13-01", &[(1, "impossible_date")]),
        held("29 February of a common year", 6, "2026-02-29", &[(1, "impossible_date")]),
        read("29 February of a leap year", 6, "2024-02-29"),
        held("29 February 1900", 6, "1900-02-29", &[(1, "impossible_date")]),
        held("the year zero", 6, "0000-01-01", &[(1, "date_out_of_range")]),
        held("the year 9999", 6, "9999-12-31", &[(1, "date_out_of_range")]),
        held("a date with a time of day", 6, "2026-01-01T08:00:00", &[(1, "not_a_date")]),
        held("a date in the order of America", 6, "01/02/2026", &[(1, "not_a_date")]),
        held("the word null", 6, "NULL", &[(1, "not_a_date")]),
        case("the word null where the feed says so", "format.null = ['', 'NULL']", field(6, "NULL"), Read(1, &[])),
        held("blanks of both widths in a name", 1, " \u{3000} ", &[(1, "required")]),
        read("a no-break space is text", 1, "\u{00A0}"),
    ]
}

/// Lines of JSON that are no agencies.
fn objects() -> Vec<Case> {
    let line = |name, line: &str, rule: &'static [(u64, &'static str)]| {
        case(name, NDJSON, format!("{OBJECT}\n{line}\n{OBJECT}\n"), Read(2, rule))
    };
    let pairs = |name, pairs: &str, expected: Expected| case(name, NDJSON, object(pairs), expected);
    vec![
        line("a list", "[1,2]", &[(2, "not_an_object")]),
        line("a number", "1", &[(2, "not_an_object")]),
        line("null", "null", &[(2, "not_an_object")]),
        line("no JSON", "uscc=1", &[(2, "invalid_json")]),
        line("two objects on a line", &format!("{OBJECT}{OBJECT}"), &[(2, "invalid_json")]),
        line("a comma at the end", &format!("{OBJECT},"), &[(2, "invalid_json")]),
        line("single quotes", "{'uscc':'x'}", &[(2, "invalid_json")]),
        line("a comment", "// x", &[(2, "invalid_json")]),
        line("an empty object", "{}", &[(2, "required")]),
        line("a hundred thousand opened lists", &"[".repeat(100_000), &[(2, "invalid_json")]),
        line("a hundred thousand opened objects", &"{\"a\":".repeat(100_000), &[(2, "invalid_json")]),
        line(
            "an object over a megabyte",
            &format!("{{\"name\":\"{}\"}}", "x".repeat(1 << 20)),
            &[(2, "record_too_long")],
        ),
        pairs("a key twice", r#","name":"乙""#, Read(2, &[(2, "duplicate_key")])),
        pairs("a key twice, escaped once", r#","n\u0061me":"乙""#, Read(2, &[(2, "duplicate_key")])),
        pairs("a list for a value", r#","equipment":["x"]"#, Read(2, &[(2, "nested_value")])),
        pairs("an object for a value", r#","equipment":{"x":1}"#, Read(2, &[(2, "nested_value")])),
        pairs("a nested value nobody asked for", r#","extra":{"x":[1,{"y":2}]}"#, Read(3, &[])),
        pairs("a number for a code", r#","region_code":330102"#, Read(3, &[])),
        pairs("a fraction for a count", r#","expert_count":2.5"#, Read(2, &[(2, "not_an_int")])),
        pairs("a count as text", r#","expert_count":"3""#, Read(3, &[])),
        pairs("true for a count", r#","expert_count":true"#, Read(2, &[(2, "not_a_number")])),
        pairs("half a pair of surrogates", r#","equipment":"\ud800""#, Read(2, &[(2, "invalid_json")])),
        pairs("a pair of surrogates", r#","equipment":"\ud83c\udfed""#, Read(3, &[])),
        pairs("an escaped zero", r#","equipment":"\u0000""#, Read(2, &[(2, "control_character")])),
        pairs("an unescaped tab", ",\"equipment\":\"a\tb\"", Read(2, &[(2, "control_character")])),
        pairs("a number with a leading zero", r#","expert_count":03"#, Read(2, &[(2, "invalid_json")])),
        pairs("a number that is none", r#","expert_count":NaN"#, Read(2, &[(2, "invalid_json")])),
        case(
            "bytes that are no text",
            NDJSON,
            [OBJECT.as_bytes(), b"\n{\"name\":\"\xFF\"}\n"].concat(),
            Read(1, &[(2, "invalid_encoding")]),
        ),
        case("a BOM before the first object", NDJSON, format!("\u{FEFF}{OBJECT}\n"), Read(1, &[])),
        case(
            "a document over many lines",
            NDJSON,
            "[\n{\n}\n]\n",
            Read(0, &[(1, "invalid_json"), (2, "invalid_json"), (3, "invalid_json"), (4, "invalid_json")]),
        ),
    ]
}

/// Files that try to take memory or time.
fn sizes() -> Vec<Case> {
    let many = |count: usize| (0..count).map(|number| format!("c{number}")).collect::<Vec<_>>().join(",");
    vec![
        case(
            "a million columns",
            "",
            format!("{},{}\n", header_text().trim(), many(1_000_000)),
            Refused("unreadable_header"),
        ),
        case(
            "fifty thousand columns",
            "",
            format!("{},{}\n{ROW}{}\n", header_text().trim(), many(50_000), ",".repeat(50_000)),
            Read(1, &[]),
        ),
        case(
            "eight megabytes without a line end",
            "",
            [HEADER, "x".repeat(8 << 20).as_bytes()].concat(),
            Read(0, &[(1, "record_too_long")]),
        ),
        case("eight megabytes of zero bytes", "", vec![0; 8 << 20], Refused("unreadable_header")),
        case("eight megabytes of line ends", "", [HEADER, &vec![b'\n'; 8 << 20]].concat(), Read(0, &[])),
        case(
            "eight megabytes of quotes",
            "",
            [HEADER, &vec![b'"'; 8 << 20]].concat(),
            Read(0, &[(1, "record_too_long")]),
        ),
    ]
}

fn corpus() -> Vec<Case> {
    [ends(), headers(), encodings(), records(), values(), objects(), sizes()].into_iter().flatten().collect()
}

/// Where the case differs from what it says, one line; `None`: it is as it should be.
fn difference(case: &Case) -> Option<String> {
    let found = decode_with("agency", case.format, Limits::default(), &[], &case.bytes);
    let told = match (&found, &case.expected) {
        (Err(DecodeError::Refused(refused)), Refused(rule)) if refused.rule.name() == *rule => return None,
        (Ok(outcome), Read(rows, held)) => {
            let found_rows = outcome.rows.iter().filter(|row| row.is_clean()).count();
            // A record can break several rules; the first is the one that names it.
            let mut found_held = outcome.held();
            found_held.dedup_by_key(|(number, _)| *number);
            let rule = |text: &str| text.rsplit(' ').next().unwrap_or_default().to_owned();
            let found_held: Vec<(u64, String)> =
                found_held.into_iter().map(|(number, text)| (number, rule(&text))).collect();
            let expected: Vec<(u64, String)> =
                held.iter().map(|(number, rule)| (*number, (*rule).to_owned())).collect();
            if found_rows == *rows && found_held == expected {
                return None;
            }
            format!("{found_rows} rows, held {found_held:?}")
        }
        (Ok(outcome), _) => format!("{} rows, held {:?}", outcome.rows.len(), outcome.held()),
        (Err(error), _) => format!("{error:?}"),
    };
    Some(format!("{}: {}", case.name, told.chars().take(300).collect::<String>()))
}

#[test]
fn every_hostile_file_ends_in_accounted_rows_and_clear_reasons() {
    let corpus = corpus();
    let differences: Vec<String> = corpus.iter().filter_map(difference).collect();
    assert!(differences.is_empty(), "{} of {}:\n{}", differences.len(), corpus.len(), differences.join("\n"));
    assert!(corpus.len() >= 150, "{} files", corpus.len());
}
