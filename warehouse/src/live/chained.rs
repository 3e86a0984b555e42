//! A live table that shows when somebody changed it: every row carries the hash of the one before.
//!
//! A row taken out, put in, changed or moved breaks the chain at its place. That rows are missing at the
//! very end cannot be seen from the file itself; who must prove that keeps the last hash elsewhere.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{LiveRow, Segments};
use crate::contract::Contract;
use crate::error::Result;
use crate::store::Store;

const SEQ: &str = "seq";
const PREVIOUS: &str = "previous_hash";
const HASH: &str = "hash";
/// How much of the end is read to find the last row; longer rows are found by reading all.
const TAIL_BYTES: u64 = 1 << 16;

/// The file behind a chained table. Several processes may append to it.
#[derive(Debug, Clone)]
pub struct ChainedFile {
    path: PathBuf,
    /// Where it lies in a bucket instead.
    segments: Option<Segments>,
}

/// What became of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chain {
    /// Every row follows from the one before.
    Whole {
        /// Number of rows.
        rows: u64,
        /// Hash of the last one.
        last_hash: Option<String>,
    },
    /// A row does not follow from the one before.
    Broken {
        /// Its line in the file, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// The last row so far.
#[derive(Debug, Clone, Default)]
struct Last {
    seq: u64,
    hash: Option<String>,
}

impl ChainedFile {
    /// The file of a chained table; it need not exist yet.
    pub(crate) fn new(store: &Store, contract: &Contract) -> Self {
        let path = store.path().join("live").join(format!("{}.ndjson", contract.name));
        Self { path, segments: super::segments(store, contract) }
    }

    /// Appends rows as one group and syncs. Each gets its number, the hash before it and its own.
    ///
    /// # Errors
    /// Storage.
    pub fn append(&self, rows: &[LiveRow]) -> Result<()> {
        if let Some(segments) = &self.segments {
            return segments.append(|tail| Ok(continued(rows, last_in(tail).unwrap_or_default())?.into_bytes()));
        }
        if let Some(folder) = self.path.parent() {
            crate::store::create_folders(folder)?;
        }
        let is_new = !self.path.exists();
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&self.path)?;
        // Held until the file is closed: two processes must not continue the same row.
        file.lock()?;
        let (last, is_torn) = last_row(&mut file)?;
        let mut text = continued(rows, last)?;
        if is_torn {
            text.insert(0, '\n');
        }
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        if is_new { super::sync_folder_of(&self.path) } else { Ok(()) }
    }

    /// Follows the chain from its first row to its last.
    ///
    /// # Errors
    /// Storage.
    pub fn verify(&self) -> Result<Chain> {
        let lines: Box<dyn BufRead> = match (&self.segments, File::open(&self.path)) {
            (Some(segments), _) => Box::new(Cursor::new(segments.read()?)),
            (None, Ok(file)) => Box::new(BufReader::new(file)),
            (None, Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Chain::Whole { rows: 0, last_hash: None });
            }
            (None, Err(error)) => return Err(error.into()),
        };
        let mut last = Last::default();
        for (number, line) in (1..).zip(lines.split(b'\n')) {
            let line = line?;
            // What a crash tore is no row; was it one, the next row does not follow.
            let Ok(row) = serde_json::from_slice::<LiveRow>(&line) else { continue };
            if let Some(why) = fault(&row, &line, &last)? {
                return Ok(Chain::Broken { line: number, why });
            }
            last = Last { seq: last.seq + 1, hash: text(&row, HASH).map(str::to_owned) };
        }
        Ok(Chain::Whole { rows: last.seq, last_hash: last.hash })
    }
}

/// Rows as lines that continue a chain after its last row.
fn continued(rows: &[LiveRow], mut last: Last) -> Result<String> {
    let mut text = String::new();
    for row in rows {
        let mut chained = LiveRow::from_iter([(SEQ.to_owned(), json!(last.seq + 1))]);
        chained.extend(row.iter().map(|(name, value)| (name.clone(), value.clone())));
        chained.insert(PREVIOUS.to_owned(), json!(last.hash));
        let hash = hash_of(&chained)?;
        chained.insert(HASH.to_owned(), json!(hash));
        text.push_str(&serde_json::to_string(&chained)?);
        text.push('\n');
        last = Last { seq: last.seq + 1, hash: Some(hash) };
    }
    Ok(text)
}

/// The last row of some lines.
fn last_in(lines: &[u8]) -> Option<Last> {
    let mut found = lines.split(|byte| *byte == b'\n').rev();
    let row = found.find_map(|line| serde_json::from_slice::<LiveRow>(line).ok())?;
    let seq = row.get(SEQ).and_then(Value::as_u64).unwrap_or_default();
    Some(Last { seq, hash: text(&row, HASH).map(str::to_owned) })
}

/// Why a row does not follow from the one before, if it does not.
fn fault(row: &LiveRow, line: &[u8], last: &Last) -> Result<Option<String>> {
    let seq = row.get(SEQ).and_then(Value::as_u64);
    if seq != Some(last.seq + 1) {
        let found = seq.map_or("nothing".to_owned(), |seq| seq.to_string());
        return Ok(Some(format!("seq is {found} where {} follows", last.seq + 1)));
    }
    if text(row, PREVIOUS) != last.hash.as_deref() {
        return Ok(Some(format!("seq {}: previous_hash is not the hash of the row before", last.seq + 1)));
    }
    let mut unhashed = row.clone();
    unhashed.shift_remove(HASH);
    let own = hash_of(&unhashed)?;
    // The hash is of the row as it is written, so the row must be written so.
    if text(row, HASH) != Some(own.as_str()) || serde_json::to_vec(row)? != line {
        return Ok(Some(format!("seq {}: the row is not the one that was hashed", last.seq + 1)));
    }
    Ok(None)
}

fn text<'a>(row: &'a LiveRow, name: &str) -> Option<&'a str> {
    row.get(name).and_then(Value::as_str)
}

/// SHA-256 over a row without its hash, as it is written; the hash before it is part of it.
fn hash_of(row: &LiveRow) -> Result<String> {
    let hash = Sha256::digest(serde_json::to_vec(row)?);
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The last row, and whether a line without an end follows it.
fn last_row(file: &mut File) -> Result<(Last, bool)> {
    let length = file.metadata()?.len();
    let mut from = length.saturating_sub(TAIL_BYTES);
    loop {
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut tail)?;
        let is_torn = tail.last().is_some_and(|byte| *byte != b'\n');
        if let Some(last) = last_in(&tail) {
            return Ok((last, is_torn));
        }
        if from == 0 {
            return Ok((Last::default(), is_torn));
        }
        from = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(action: &str) -> LiveRow {
        LiveRow::from_iter([("action".to_owned(), json!(action))])
    }

    fn chained(folder: &tempfile::TempDir, actions: &[&str]) -> ChainedFile {
        let file = ChainedFile { path: folder.path().join("live/access_log.ndjson"), segments: None };
        // In groups of two, each after looking for the last row anew.
        for group in actions.chunks(2) {
            file.append(&group.iter().map(|action| row(action)).collect::<Vec<_>>()).unwrap();
        }
        file
    }

    fn broken_at(file: &ChainedFile) -> Option<(u64, String)> {
        match file.verify().unwrap() {
            Chain::Whole { .. } => None,
            Chain::Broken { line, why } => Some((line, why)),
        }
    }

    #[test]
    fn rows_appended_in_groups_are_one_chain() {
        let folder = tempfile::tempdir().unwrap();
        let file = chained(&folder, &["a", "b", "c"]);
        let Chain::Whole { rows, last_hash } = file.verify().unwrap() else { panic!("broken") };
        assert_eq!(rows, 3);
        let text = std::fs::read_to_string(&file.path).unwrap();
        assert!(text.lines().last().unwrap().contains(&last_hash.unwrap()));
        assert!(text.lines().next().unwrap().contains(r#""previous_hash":null"#));
    }

    #[test]
    fn whatever_is_done_to_a_row_breaks_the_chain_at_its_place() {
        type Harm = fn(&mut Vec<String>);
        let harms: [(&str, Harm, u64); 6] = [
            ("changed", |lines| lines[1] = lines[1].replace("\"b\"", "\"x\""), 2),
            ("taken out", |lines| drop(lines.remove(1)), 2),
            ("put in twice", |lines| lines.insert(1, lines[1].clone()), 3),
            ("moved", |lines| lines.swap(1, 2), 2),
            ("garbled", |lines| lines[1].truncate(9), 3),
            ("written otherwise", |lines| lines[3] = lines[3].replace("\":", "\": "), 4),
        ];
        for (what, harm, line) in harms {
            let folder = tempfile::tempdir().unwrap();
            let file = chained(&folder, &["a", "b", "c", "d"]);
            assert_eq!(broken_at(&file), None);
            let mut lines: Vec<String> =
                std::fs::read_to_string(&file.path).unwrap().lines().map(str::to_owned).collect();
            harm(&mut lines);
            std::fs::write(&file.path, lines.join("\n") + "\n").unwrap();
            assert_eq!(broken_at(&file).map(|(line, _)| line), Some(line), "{what}");
        }
    }

    #[test]
    fn a_row_hashed_anew_without_those_after_it_is_found_at_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let file = chained(&folder, &["a", "b", "c"]);
        let text = std::fs::read_to_string(&file.path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut forged: LiveRow = serde_json::from_str(&lines[1]).unwrap();
        forged.insert("action".to_owned(), json!("x"));
        forged.shift_remove(HASH);
        let hash = hash_of(&forged).unwrap();
        forged.insert(HASH.to_owned(), json!(hash));
        lines[1] = serde_json::to_string(&forged).unwrap();
        std::fs::write(&file.path, lines.join("\n") + "\n").unwrap();
        assert_eq!(broken_at(&file).map(|(line, _)| line), Some(3));
    }

    #[test]
    fn a_torn_line_is_no_row_and_the_chain_goes_on_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = chained(&folder, &["a"]);
        let mut torn = OpenOptions::new().append(true).open(&file.path).unwrap();
        torn.write_all(br#"{"seq":2,"act"#).unwrap();
        file.append(&[row("b")]).unwrap();
        assert!(matches!(file.verify().unwrap(), Chain::Whole { rows: 2, .. }));
    }

    #[test]
    fn a_row_longer_than_the_tail_is_followed_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = chained(&folder, &[&"x".repeat(200_000)]);
        file.append(&[row("b")]).unwrap();
        assert!(matches!(file.verify().unwrap(), Chain::Whole { rows: 2, .. }));
    }

    #[test]
    fn several_writers_continue_one_chain() {
        let folder = tempfile::tempdir().unwrap();
        let file = chained(&folder, &[]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10).for_each(|_| file.append(&[row("a"), row("b")]).unwrap()));
            }
        });
        assert!(matches!(file.verify().unwrap(), Chain::Whole { rows: 80, .. }));
    }
}
