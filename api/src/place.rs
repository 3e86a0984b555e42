//! Where the warehouse of a deployment lies and where its backups go: folders or buckets, as `anze.toml` says.

use std::path::Path;

use anyhow::Context;
use anze_warehouse::store::{BucketConfig, Store};

use crate::environment;
use crate::exit::Misuse;
use crate::settings::{BucketSettings, Settings};

/// Begins the address of a bucket.
pub const BUCKET: &str = "s3://";

/// Opens the place of the warehouse; a folder is made where there is none.
pub fn warehouse(dir: &Path, settings: &Settings) -> anyhow::Result<Store> {
    let path = &settings.data.path;
    if path.starts_with(BUCKET) {
        return bucket(dir, settings, path, &settings.bucket);
    }
    let folder = dir.join(path);
    Store::folder(&folder).with_context(|| format!("cannot open the warehouse in {}", folder.display()))
}

/// The place of the warehouse, where something may be in it; a folder that is not there is not made.
pub fn existing_warehouse(dir: &Path, settings: &Settings) -> anyhow::Result<Option<Store>> {
    let path = &settings.data.path;
    let is_there = path.starts_with(BUCKET) || dir.join(path).is_dir();
    if is_there { warehouse(dir, settings).map(Some) } else { Ok(None) }
}

/// Opens a place for backups: a folder, which is made where there is none, or a bucket.
pub fn backups(dir: &Path, settings: &Settings, place: &str) -> anyhow::Result<Store> {
    if place.starts_with(BUCKET) {
        return bucket(dir, settings, place, settings.backup.as_ref().unwrap_or(&settings.bucket));
    }
    Ok(Store::private_folder(Path::new(place))?)
}

fn bucket(dir: &Path, settings: &Settings, place: &str, access: &BucketSettings) -> anyhow::Result<Store> {
    let (bucket, prefix) = parts(place)?;
    let keys = match access.keys().map_err(Misuse::new)? {
        None => None,
        Some((access, secret)) => {
            let read = |key: anze_ingest::secret::SecretRef| key.read(dir, environment::secret);
            Some((read(access)?.reveal().to_owned(), read(secret)?.reveal().to_owned()))
        }
    };
    let store = Store::bucket(BucketConfig {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: access.endpoint.clone(),
        region: access.region.clone(),
        keys,
        allow_http: access.allow_http,
        work: dir.join(&settings.data.work),
        lease: settings.data.lease.0,
    });
    store.with_context(|| format!("cannot open {place}"))
}

/// Bucket and prefix of `s3://bucket/prefix`.
fn parts(place: &str) -> anyhow::Result<(&str, &str)> {
    let rest = place.strip_prefix(BUCKET).unwrap_or(place);
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    if bucket.is_empty() || prefix.split('/').any(|part| part.is_empty() && !prefix.is_empty()) {
        return Err(Misuse::new(format!("`{place}` is no place in a bucket; write s3://bucket/prefix")).into());
    }
    Ok((bucket, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_bucket_has_a_bucket_and_perhaps_a_prefix() {
        assert_eq!(parts("s3://anze").unwrap(), ("anze", ""));
        assert_eq!(parts("s3://anze/").unwrap(), ("anze", ""));
        assert_eq!(parts("s3://anze/zj/prod/").unwrap(), ("anze", "zj/prod"));
        for wrong in ["s3://", "s3:///prefix", "s3://anze/a//b"] {
            assert!(parts(wrong).unwrap_err().to_string().contains("s3://bucket/prefix"), "{wrong}");
        }
    }
}
