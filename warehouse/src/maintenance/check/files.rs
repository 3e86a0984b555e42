//! Manifests, logs and the data files they name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::needed::{is_data_file, log, versions};
use super::super::trouble::Trouble;
use super::{CheckReport, Depth, unreadable};
use crate::error::Result;
use crate::metric_values;
use crate::publication::count_rows;
use crate::release::Manifest;
use crate::table::DataFile;
use crate::warehouse::Warehouse;

pub(super) async fn check(warehouse: &Warehouse, depth: Depth, report: &mut CheckReport) -> Result<()> {
    let manifests = manifests(warehouse, report).await?;
    let dropped = warehouse.dropped().await?;
    report.dropped = dropped.numbers().count() as u64;
    let kept: Vec<&Manifest> = manifests.iter().filter(|manifest| !dropped.contains(manifest.release)).collect();
    report.kept = kept.len() as u64;
    let mut found = Vec::new();
    let named = named(warehouse, &kept, &mut found).await?;
    // Listed after the names were read: what a writer adds meanwhile is named by nothing we know.
    let mut there: HashMap<String, u64> = HashMap::new();
    for folder in ["tables", "history", "system"] {
        let listed = warehouse.store().list(folder).await?;
        there.extend(listed.into_iter().filter(|o| is_data_file(&o.path)).map(|o| (o.path, o.size_bytes)));
    }
    report.unnamed = there.keys().filter(|path| !named.contains_key(*path)).count() as u64;
    for (path, file) in &named {
        report.files += 1;
        report.bytes += file.file.size;
        if let Some(trouble) = look(warehouse, path, file, there.get(path).copied(), depth).await? {
            found.push((file.releases.clone(), trouble));
        }
    }
    // A vacuum beside us may have dropped a release meanwhile, whose files and log it is right to miss.
    let dropped = warehouse.dropped().await?;
    let stands = |releases: &BTreeSet<u64>| releases.iter().any(|release| !dropped.contains(*release));
    report.findings.extend(found.into_iter().filter(|(releases, _)| stands(releases)).map(|(_, trouble)| trouble));
    Ok(())
}

/// Every manifest that reads; what is wrong with the others is reported.
async fn manifests(warehouse: &Warehouse, report: &mut CheckReport) -> Result<Vec<Manifest>> {
    report.release = Manifest::newest(warehouse.store()).await?;
    let mut manifests = Vec::new();
    for number in 1..=report.release {
        match Manifest::read(warehouse.store(), number).await {
            Ok(Some(manifest)) => manifests.push(manifest),
            Ok(None) => report.findings.push(Trouble::new(
                "missing_manifest",
                format!("release {number}"),
                format!("第 {number} 版的清单不存在；请从备份恢复"),
                format!("the manifest of release {number} is not there; restore it from a backup"),
            )),
            Err(error) => report.findings.push(unreadable(&format!("release {number}"), &error)),
        }
    }
    Ok(manifests)
}

struct NamedFile {
    file: DataFile,
    releases: BTreeSet<u64>,
}

/// The files that releases name, by path. Where a log cannot be read, that is found of the releases that need it.
async fn named(
    warehouse: &Warehouse,
    releases: &[&Manifest],
    found: &mut Vec<(BTreeSet<u64>, Trouble)>,
) -> Result<BTreeMap<String, NamedFile>> {
    let mut named: BTreeMap<String, NamedFile> = BTreeMap::new();
    let mut by_table: BTreeMap<String, BTreeMap<u64, BTreeSet<u64>>> = BTreeMap::new();
    for (path, versions) in versions(releases.iter().copied()) {
        for version in versions {
            let of = releases.iter().filter(|manifest| manifest.tables.get(&path) == Some(&version));
            by_table.entry(path.clone()).or_default().insert(version, of.map(|manifest| manifest.release).collect());
        }
    }
    // What follows a release is named beside its manifest.
    let numbers = releases.iter().map(|manifest| manifest.release).collect();
    for (version, of) in warehouse.metric_values().following(&numbers).await? {
        by_table.entry(metric_values::table().path()).or_default().entry(version).or_default().extend(of);
    }
    for (path, versions) in by_table {
        let mut log = match log(warehouse, &path) {
            Ok(log) => log.replay(),
            Err(error) => {
                let of = versions.into_values().flatten().collect();
                found.push((of, unreadable(&path, &error)));
                continue;
            }
        };
        for (version, of) in versions {
            let files = match log.files(version).await {
                Ok(files) => files,
                Err(error) => {
                    found.push((of, unreadable(&format!("{path} version {version}"), &error)));
                    continue;
                }
            };
            for file in files.values() {
                named
                    .entry(format!("{path}/{}", file.path))
                    .or_insert_with(|| NamedFile { file: file.clone(), releases: BTreeSet::new() })
                    .releases
                    .extend(&of);
            }
        }
    }
    Ok(named)
}

async fn look(
    warehouse: &Warehouse,
    path: &str,
    named: &NamedFile,
    size: Option<u64>,
    depth: Depth,
) -> Result<Option<Trouble>> {
    let releases = told(&named.releases);
    let (file, Some(size)) = (&named.file, size) else {
        return Ok(Some(Trouble::new(
            "missing_file",
            path,
            format!("发布 {releases} 所列文件不存在；请从备份恢复"),
            format!("is named by release {releases} and is not there; restore it from a backup"),
        )));
    };
    if size != file.size {
        return Ok(Some(Trouble::new(
            "wrong_size",
            path,
            format!("应为 {} 字节，实为 {size} 字节（发布 {releases}）；请从备份恢复", file.size),
            format!("has {size} bytes, not {} (release {releases}); restore it from a backup", file.size),
        )));
    }
    if depth == Depth::Names {
        return Ok(None);
    }
    Ok(match count_rows(warehouse.store(), path).await {
        Ok(rows) if rows == file.rows => None,
        Ok(rows) => Some(Trouble::new(
            "wrong_rows",
            path,
            format!("应有 {} 行，实有 {rows} 行（发布 {releases}）；请从备份恢复", file.rows),
            format!("has {rows} rows, not {} (release {releases}); restore it from a backup", file.rows),
        )),
        Err(error) => Some(unreadable(path, &error)),
    })
}

/// `3`, or `3–9` for the first and the last of several.
fn told(releases: &BTreeSet<u64>) -> String {
    match (releases.first(), releases.last()) {
        (Some(first), Some(last)) if first != last => format!("{first}–{last}"),
        (Some(only), _) => only.to_string(),
        _ => String::new(),
    }
}
