//! `anze.toml`: every key optional, every mistake refused with file, line and key.

mod alerts;
mod amount;
mod bucket;
mod error;
mod upkeep;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anze_ingest::run::FetchLimits;
use anze_ingest::span::Span;
use anze_warehouse::reading::Reading;
use serde::Deserialize;

pub use alerts::AlertSettings;
pub use amount::Bytes;
pub use bucket::BucketSettings;
pub use error::SettingsError;
pub use upkeep::UpkeepSettings;

use crate::permission::Role;

/// The name of the settings file of a deployment.
pub const FILE_NAME: &str = "anze.toml";

/// All settings of a deployment.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub deployment: DeploymentSettings,
    pub server: ServerSettings,
    pub public: PublicSettings,
    pub data: DataSettings,
    pub bucket: BucketSettings,
    /// How the bucket of backups is reached, where it is another than the warehouse's.
    pub backup: Option<BucketSettings>,
    pub query: QuerySettings,
    pub schedule: ScheduleSettings,
    pub alerts: AlertSettings,
    pub maintenance: UpkeepSettings,
    pub metric_value: MetricValueSettings,
}

/// The table `metric_value`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricValueSettings {
    /// Whether it follows the releases.
    pub follow: bool,
}

impl Default for MetricValueSettings {
    fn default() -> Self {
        Self { follow: true }
    }
}

/// Whose deployment it is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeploymentSettings {
    /// Code of the province, six digits that end in 0000; figures without a place are judged by its rules.
    pub province: String,
}

impl Default for DeploymentSettings {
    fn default() -> Self {
        Self { province: Reading::default().province }
    }
}

impl DeploymentSettings {
    fn fault(&self) -> Option<&'static str> {
        let code = self.province.as_bytes();
        let is_sound = code.len() == 6
            && code.iter().all(u8::is_ascii_digit)
            && code.ends_with(b"0000")
            && !code.starts_with(b"0");
        (!is_sound).then_some("is no code of a province; write six digits that end in 0000, such as \"330000\"")
    }
}

/// The endpoint: where it listens and who a caller without a token is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Address and port; port 0 takes a free one.
    pub bind: SocketAddr,
    /// What a caller on loopback without a token may do.
    pub loopback_role: Role,
    /// Further host names under which a proxy hands on requests.
    pub hosts: Vec<String>,
    /// How long running requests may go on after a stop was asked for.
    pub drain: Span,
    /// How many requests are worked on at once; more are told to come back.
    pub requests: usize,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            bind: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            loopback_role: Role::Public,
            hosts: Vec::new(),
            drain: Span(Duration::from_secs(10)),
            requests: 512,
        }
    }
}

/// What anybody may see.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PublicSettings {
    /// Metrics published in total and by city.
    pub metrics: Vec<String>,
}

impl Default for PublicSettings {
    fn default() -> Self {
        let metrics = ["coverage_rate", "accident_rate", "claim_settlement_days"];
        Self { metrics: metrics.map(String::from).to_vec() }
    }
}

/// Where the warehouse is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSettings {
    /// A folder, relative to the deployment, or a place in a bucket: `s3://bucket/prefix`.
    pub path: String,
    /// Of a warehouse in a bucket: a local folder for what is on its way in, relative to the deployment.
    pub work: String,
    /// Of a warehouse in a bucket: after this without a sign of life its writer is taken for gone.
    pub lease: Span,
}

impl Default for DataSettings {
    fn default() -> Self {
        Self { path: "data".to_owned(), work: "work".to_owned(), lease: Span(Duration::from_secs(30)) }
    }
}

impl DataSettings {
    fn fault(&self) -> Option<&'static str> {
        let is_elsewhere = self.path.contains("://") && !self.path.starts_with(crate::place::BUCKET);
        is_elsewhere.then_some("is neither a folder nor a place in a bucket; write \"data\" or \"s3://bucket/prefix\"")
    }
}

/// What one question may cost.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuerySettings {
    /// Memory of questions: what the engine counts for those of a session and what the whole process takes; a step is
    /// refused more where both are beyond it.
    pub memory: Bytes,
    /// After this a question is given up.
    pub deadline: Span,
    /// The most rows that one SQL answer hands out.
    pub rows: usize,
    /// How many questions are computed at once; further ones wait.
    pub concurrent: usize,
    /// How much memory finished answers may keep.
    pub cache: Bytes,
}

impl Default for QuerySettings {
    fn default() -> Self {
        Self {
            memory: Bytes::mebibytes(4096),
            deadline: Span(Duration::from_secs(60)),
            rows: 1_000_000,
            concurrent: 8,
            cache: Bytes::mebibytes(64),
        }
    }
}

/// When feeds run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleSettings {
    /// The zone in which the feeds' schedules and deadlines are meant.
    #[serde(deserialize_with = "timezone")]
    pub timezone: chrono_tz::Tz,
    /// How many feeds are fetched at once.
    pub fetches: usize,
    /// How many of them from one host.
    pub fetches_per_source: usize,
}

impl Default for ScheduleSettings {
    fn default() -> Self {
        let limits = FetchLimits::default();
        Self { timezone: chrono_tz::Asia::Shanghai, fetches: limits.in_all, fetches_per_source: limits.of_source }
    }
}

impl ScheduleSettings {
    /// How many sources are asked at once.
    pub fn fetch_limits(&self) -> FetchLimits {
        FetchLimits { in_all: self.fetches, of_source: self.fetches_per_source }
    }
}

fn timezone<'de, D: serde::Deserializer<'de>>(from: D) -> Result<chrono_tz::Tz, D::Error> {
    let name = String::deserialize(from)?;
    name.parse()
        .map_err(|_| serde::de::Error::custom(format!("`{name}` is no time zone; an example is \"Asia/Shanghai\"")))
}

impl Settings {
    /// Reads the settings of the deployment in `dir`; a folder without `anze.toml` is no deployment.
    pub fn load(dir: &Path) -> Result<Self, SettingsError> {
        let path = dir.join(FILE_NAME);
        let text = std::fs::read_to_string(&path).map_err(|cause| SettingsError::unreadable(dir, cause))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, SettingsError> {
        let settings: Self = toml::from_str(text).map_err(|cause| SettingsError::refused(FILE_NAME, text, &cause))?;
        settings.check(text)?;
        Ok(settings)
    }

    /// Values that are well-formed and still cannot work.
    fn check(&self, text: &str) -> Result<(), SettingsError> {
        let positive = [
            ("query", "rows", self.query.rows),
            ("query", "concurrent", self.query.concurrent),
            ("server", "requests", self.server.requests),
            ("schedule", "fetches", self.schedule.fetches),
            ("schedule", "fetches_per_source", self.schedule.fetches_per_source),
        ];
        let refuse = |section, key, message| Err(SettingsError::of_key(FILE_NAME, text, section, key, message));
        if let Some((section, key, _)) = positive.into_iter().find(|(_, _, value)| *value == 0) {
            return refuse(section, key, "must be at least 1");
        }
        if let Some(message) = self.deployment.fault() {
            return refuse("deployment", "province", message);
        }
        if self.query.deadline.0.is_zero() {
            return refuse("query", "deadline", "must be more than nothing");
        }
        if let Some(message) = self.data.fault() {
            return refuse("data", "path", message);
        }
        if self.data.lease.0 < Duration::from_secs(1) {
            return refuse("data", "lease", "must be at least a second");
        }
        for (section, access) in [("bucket", Some(&self.bucket)), ("backup", self.backup.as_ref())] {
            if let Some((key, fault)) = access.and_then(BucketSettings::fault) {
                return refuse(section, key, &fault);
            }
        }
        if self.schedule.timezone != chrono_tz::Asia::Shanghai {
            return refuse("schedule", "timezone", "only Asia/Shanghai is supported so far");
        }
        if self.maintenance.every.0.is_zero() {
            return refuse("maintenance", "every", "must be more than nothing; automatic = false turns it off");
        }
        if let Some((key, message)) = self.alerts.fault() {
            return refuse("alerts", key, message);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Settings::parse(text).expect_err("the text is wrong").to_string()
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        let settings = Settings::parse("").unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.server.bind.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.server.loopback_role, Role::Public);
    }

    #[test]
    fn every_key_is_read() {
        let text = r#"
            [deployment]
            province = "320000"
            [server]
            bind = "0.0.0.0:9000"
            loopback_role = "admin"
            hosts = ["anze.example.gov.cn"]
            drain = "3s"
            requests = 9
            [public]
            metrics = ["coverage_rate"]
            [data]
            path = "s3://anze/zj"
            work = "/var/lib/anze"
            lease = "20s"
            [bucket]
            endpoint = "https://oss.example.gov.cn"
            region = "cn-east-1"
            access_key_env = "ANZE_ACCESS_KEY"
            secret_key_file = "secrets/key"
            [backup]
            endpoint = "http://127.0.0.1:9000"
            allow_http = true
            [query]
            memory = "2GiB"
            deadline = "90s"
            rows = 5
            concurrent = 2
            cache = "8MiB"
            [schedule]
            timezone = "Asia/Shanghai"
            fetches = 8
            fetches_per_source = 3
            [alerts]
            webhook = "https://hooks.example.gov.cn/anze"
            [maintenance]
            automatic = false
            every = "12h"
        "#;
        let settings = Settings::parse(text).unwrap();
        assert_eq!(settings.deployment.province, "320000");
        assert_eq!(settings.data.lease.0.as_secs(), 20);
        assert_eq!(settings.bucket.region, "cn-east-1");
        assert!(settings.bucket.keys().unwrap().is_some());
        assert!(settings.backup.unwrap().allow_http);
        assert_eq!(settings.query.memory.bytes(), 2 << 30);
        assert_eq!(settings.query.deadline.0.as_secs(), 90);
        assert_eq!(settings.schedule.timezone, chrono_tz::Asia::Shanghai);
        assert_eq!(settings.server.loopback_role, Role::Admin);
        assert_eq!(settings.schedule.fetch_limits(), FetchLimits { in_all: 8, of_source: 3 });
        assert!(settings.alerts.webhook.is_some());
        assert!(!settings.maintenance.automatic);
        assert_eq!(settings.maintenance.every.0.as_secs(), 43_200);
    }

    #[test]
    fn a_webhook_is_an_address_given_once() {
        let text = refusal("[alerts]\nwebhook = \"hooks.example\"\n");
        assert!(text.starts_with("anze.toml:2: [alerts] webhook: is no web address"), "{text}");
        let text = refusal("[alerts]\nwebhook = \"https://hooks.example\"\nwebhook_env = \"ANZE_WEBHOOK\"\n");
        assert!(text.starts_with("anze.toml:3: [alerts] webhook_env: "), "{text}");
        let text = refusal("[alerts]\nwebhok = \"https://hooks.example\"\n");
        assert!(text.starts_with("anze.toml:2: [alerts] webhok: unknown key `webhok`"), "{text}");
    }

    #[test]
    fn the_address_of_a_webhook_is_never_shown() {
        let settings = Settings::parse("[alerts]\nwebhook = \"https://hooks.example/key-9f3\"\n").unwrap();
        assert!(!format!("{settings:?}").contains("9f3"));
    }

    #[test]
    fn an_unknown_key_is_shown_with_its_line() {
        assert_eq!(
            refusal("# ours\n[server]\nbnd = \"127.0.0.1:8080\"\n"),
            "anze.toml:3: [server] bnd: unknown key `bnd`, expected one of `bind`, `loopback_role`, `hosts`, `drain`, `requests`\n\
             \x20 3 | bnd = \"127.0.0.1:8080\"\n\
             \x20   | ^^^\n\
             correct this line, or delete it: every key has a default"
        );
    }

    #[test]
    fn a_bad_value_is_shown_with_its_key() {
        assert_eq!(
            refusal("[query]\nmemory = \"lots\"\n"),
            "anze.toml:2: [query] memory: `lots` is no size; examples are \"512MiB\" and \"2GiB\"\n\
             \x20 2 | memory = \"lots\"\n\
             \x20   |          ^^^^^^\n\
             correct this line, or delete it: every key has a default"
        );
    }

    #[test]
    fn a_role_that_does_not_exist_is_refused() {
        let text = refusal("[server]\nloopback_role = \"root\"\n");
        assert!(
            text.starts_with("anze.toml:2: [server] loopback_role: unknown value `root`, expected one of `admin`"),
            "{text}"
        );
    }

    #[test]
    fn an_unknown_section_is_refused() {
        let text = refusal("[sever]\nbind = \"127.0.0.1:1\"\n");
        assert!(text.starts_with("anze.toml:1: [sever]: unknown section `sever`"), "{text}");
    }

    #[test]
    fn text_that_is_no_toml_is_refused_at_its_line() {
        let text = refusal("[server]\nbind = 127.0.0.1\n");
        assert!(text.starts_with("anze.toml:2: [server] bind: "), "{text}");
        assert!(text.contains("2 | bind = 127.0.0.1"), "{text}");
    }

    #[test]
    fn a_value_that_cannot_work_is_refused_at_its_line() {
        let text = refusal("[query]\nrows = 0\n");
        assert!(text.starts_with("anze.toml:2: [query] rows: must be at least 1\n  2 | rows = 0"), "{text}");
    }

    #[test]
    fn a_code_that_is_no_province_is_refused_at_its_line() {
        assert_eq!(Settings::default().deployment.province, "330000");
        for wrong in ["33", "330100", "000000", "3300000", "zj0000"] {
            let text = refusal(&format!("[deployment]\nprovince = \"{wrong}\"\n"));
            assert!(text.starts_with("anze.toml:2: [deployment] province: is no code of a province"), "{text}");
        }
    }

    #[test]
    fn a_bucket_that_cannot_be_reached_is_refused_at_its_line() {
        for (text, told) in [
            ("[data]\npath = \"gs://anze\"\n", "anze.toml:2: [data] path: is neither a folder nor"),
            ("[data]\nlease = \"1ms\"\n", "anze.toml:2: [data] lease: must be at least a second"),
            ("[bucket]\nendpoint = \"http://oss.example\"\n", "anze.toml:2: [bucket] endpoint: write https://"),
            (
                "[backup]\naccess_key_env = \"A\"\n",
                "anze.toml:2: [backup] access_key_env: name where the secret is kept",
            ),
        ] {
            let refused = refusal(text);
            assert!(refused.starts_with(told), "{refused}");
        }
    }

    #[test]
    fn a_folder_without_settings_is_no_deployment() {
        let dir = tempfile::tempdir().unwrap();
        let text = Settings::load(dir.path()).expect_err("nothing is there").to_string();
        assert!(text.contains("holds no anze.toml"), "{text}");
        assert!(text.contains("anze init"), "{text}");
    }
}
