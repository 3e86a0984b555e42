//! What is around a file: gzip, zip and Zstandard.

use std::io::Write;

use flate2::write::GzEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

const CSV: &[u8] = b"insurer_code,year,amount\nPICC,2026,1\nPICC,2026,x\nCPIC,2026,2\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

#[test]
fn what_is_around_a_file_is_told_by_its_bytes() {
    let plain = decode("budget", "", CSV);
    assert_eq!(plain.held(), [(2, "amount not_a_number".to_owned())]);
    for (what, bytes) in [
        ("gzip", gzip(CSV)),
        ("gzip of two members", [gzip(&CSV[..30]), gzip(&CSV[30..])].concat()),
        ("zip", zip(&[("保单.csv", CSV)])),
        ("zip with leftovers", zip(&[("__MACOSX/._a.csv", b"x"), ("a/b.csv", CSV), ("a/.DS_Store", b"x")])),
        ("zstd", zstandard(CSV)),
    ] {
        // Offsets are those of what the file unpacks to.
        assert_eq!(decode("budget", "", &bytes), plain, "{what}");
        let (span, raw) = record_at(Cursor::new(bytes), &format(""), 2).unwrap().unwrap();
        assert_eq!((span.offset, raw.as_slice()), (37, b"PICC,2026,x".as_slice()), "{what}");
    }
    for (toml, bytes) in
        [("gzip", gzip(CSV)), ("zip", zip(&[("a", CSV)])), ("zstd", zstandard(CSV)), ("none", CSV.to_vec())]
    {
        assert_eq!(decode("budget", &format!("format.compression = '{toml}'"), &bytes), plain, "{toml}");
    }
}

#[test]
fn another_compression_than_the_declared_one_is_refused() {
    for compression in ["gzip", "zip", "zstd"] {
        let toml = format!("format.compression = '{compression}'");
        assert_eq!(refusal("budget", &toml, CSV).rule, Rule::WrongFormat, "{compression}");
    }
}

#[test]
fn the_wanted_file_of_a_zip_is_chosen_by_its_name() {
    let both = zip(&[("readme.txt", b"x"), ("2026/data.csv", CSV)]);
    assert_eq!(decode("budget", "format.member = '*.csv'", &both).rows.len(), 3);
    for (toml, bytes) in
        [("", both.clone()), ("format.member = '*.json'", both.clone()), ("format.member = '*'", both), ("", zip(&[]))]
    {
        let refused = refusal("budget", toml, &bytes);
        assert_eq!(refused.rule, Rule::UnclearMember, "{toml}");
    }
    let refused = refusal("budget", "", &zip(&[("a.csv", CSV), ("b.csv", CSV)]));
    assert!(refused.message.zh.contains("a.csv, b.csv") && refused.message.en.contains("a.csv, b.csv"), "{refused:?}");
}

#[test]
fn an_archive_cut_short_anywhere_or_broken_is_refused_whole() {
    let mut text = String::from("insurer_code,year,amount\n");
    for row in 0..2000 {
        text += &format!("PICC,2026,{row}.{:02}\n", row * 37 % 100);
    }
    for (what, bytes) in [
        ("gzip", gzip(text.as_bytes())),
        ("zip", zip(&[("a.csv", text.as_bytes())])),
        ("zstd", zstandard(text.as_bytes())),
    ] {
        assert_eq!(decode("budget", "", &bytes).rows.len(), 2000, "{what}");
        for kept in [bytes.len() - 1, bytes.len() / 2, 40] {
            let refused = refusal("budget", "", &bytes[..kept]);
            assert_eq!(refused.rule, Rule::DamagedFile, "{what}, {kept} bytes of {}", bytes.len());
        }
    }
    let mut broken = zip(&[("a.csv", text.as_bytes())]);
    let middle = broken.len() / 2;
    broken[middle] ^= 0xFF;
    assert_eq!(refusal("budget", "", &broken).rule, Rule::DamagedFile);
}

#[test]
fn bombs_are_refused_by_size_and_by_ratio() {
    let blank = [b"insurer_code,year,amount\n".as_slice(), &b"\n".repeat(40 << 20)].concat();
    for (what, bytes) in [("gzip", gzip(&blank)), ("zip", zip(&[("a.csv", &blank)])), ("zstd", zstandard(&blank))] {
        let by_ratio = refusal("budget", "format.max_unpacked_ratio = 100", &bytes);
        assert_eq!(by_ratio.rule, Rule::UnpacksTooFar, "{what}: {by_ratio:?}");
        let by_size = refusal("budget", "format.max_unpacked_bytes = 1000000", &bytes);
        assert_eq!(by_size.rule, Rule::UnpacksTooFar, "{what}: {by_size:?}");
        assert!(by_size.message.zh.contains("max_unpacked_bytes"), "{what}");
    }
    // A short text may pack as well as it likes.
    let short = [b"insurer_code,year,amount\nPICC,2026,1\n".as_slice(), &b"\n".repeat(1 << 20)].concat();
    assert_eq!(decode("budget", "format.max_unpacked_ratio = 2", &gzip(&short)).rows.len(), 1);
}

#[test]
fn records_are_found_again_in_one_pass() {
    let wanted = [1, 3, 9].into_iter().collect();
    let found = records_at(Cursor::new(gzip(CSV)), &format(""), &wanted).unwrap();
    let found: Vec<_> = found.into_iter().map(|(row_no, bytes)| (row_no, String::from_utf8(bytes).unwrap())).collect();
    assert_eq!(found, [(1, "PICC,2026,1".to_owned()), (3, "CPIC,2026,2".to_owned())]);
}

#[test]
fn a_traced_record_comes_with_its_header_and_its_reading() {
    let mapping =
        Mapping::new(&BTreeMap::new(), &BTreeMap::<String, String>::new(), builtin().dataset("budget").unwrap());
    let mapping = mapping.unwrap();
    let found = traced(Cursor::new(zstandard(CSV)), &format(""), &mapping, 3).unwrap().unwrap();
    assert_eq!(found.header, "insurer_code,year,amount");
    assert_eq!(texts(&found.read.rows, 0), ["CPIC", "2026", "2.00", ""]);
    assert_eq!(found.read.rows.num_rows(), 1);
    let found = traced(Cursor::new(CSV.to_vec()), &format(""), &mapping, 2).unwrap().unwrap();
    assert_eq!(found.read.failures[0].rule, Rule::NotANumber);
    assert!(traced(Cursor::new(CSV.to_vec()), &format(""), &mapping, 4).unwrap().is_none());
}
