//! Who may see what. Everything not granted here is denied.

mod assessment;
mod lead;
mod metric;
mod published;
mod scope;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use metric::MetricGrant;
pub use published::suppress_small_cells;
pub use scope::{RegionScope, Scope};

/// What a caller is, before any limit of place, sector or insurer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs the deployment; sees everything.
    Admin,
    /// A department or bureau.
    Official,
    /// Works with the numbers and with SQL.
    Analyst,
    /// One insurer: its own cells and feeds.
    Insurer,
    /// Delivers the feeds it is named for.
    Reporter,
    /// Anybody: the published cells.
    Public,
}

impl Role {
    /// The word used in settings, tokens and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Official => "official",
            Self::Analyst => "analyst",
            Self::Insurer => "insurer",
            Self::Reporter => "reporter",
            Self::Public => "public",
        }
    }
}

/// What a route hands out; each route names one, and `Permission::may` knows them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// No data: health, the description of the interface, style sheets. Nobody is asked who they are.
    Open,
    /// The frame of the pages; what stands in it is decided part by part.
    Pages,
    /// Cells of metrics, limited further by [`Permission::metric`].
    Metrics,
    /// The rows behind a cell, limited likewise.
    Evidence,
    /// Leads for enforcement, limited further by [`Permission::leads`].
    Leads,
    /// Deciding about a lead.
    Review,
    /// Rows of datasets: records, SQL, quarantine.
    Rows,
    /// Landed lines as they arrived.
    LandedLines,
    /// Names and meanings of datasets and columns.
    Dictionary,
    /// The state of feeds, limited further by [`Permission::sees_feed`].
    Feeds,
    /// Starting a run.
    RunFeeds,
    /// Pushing deliveries, limited further by [`Permission::pushes_to`].
    Push,
    /// Deciding what becomes of held records.
    Settle,
    /// Looking after the warehouse.
    Maintain,
    /// What is published.
    Releases,
    /// Scores of assessments, limited further by [`Permission::handed_out`].
    Assessments,
    /// Running, freezing, verifying and dropping assessments.
    Assess,
}

/// A role within a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    pub role: Role,
    pub scope: Scope,
    pub sensitive: Sensitive,
}

/// Whether sensitive columns are shown as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sensitive {
    #[default]
    Masked,
    Shown,
}

/// A refusal, in words for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Denied {
    /// For programs: `forbidden`, `outside_scope`, `scope_not_supported_yet`, `not_published`.
    pub code: &'static str,
    pub title: &'static str,
    pub title_en: &'static str,
    pub detail: String,
}

impl Denied {
    fn role(role: Role) -> Self {
        Self {
            code: "forbidden",
            title: "没有权限",
            title_en: "Not allowed",
            detail: format!(
                "角色 {0} 不含此项，请向管理员申请令牌 / the role {0} does not include this; ask the administrator for a token",
                role.as_str()
            ),
        }
    }

    fn outside_scope(detail: String) -> Self {
        Self { code: "outside_scope", title: "超出授权范围", title_en: "Outside your scope", detail }
    }

    fn not_published(detail: String) -> Self {
        Self { code: "not_published", title: "未公开发布", title_en: "Not published", detail }
    }

    /// Row scope inside scans comes later; until then a limited token gets no rows at all.
    fn scoped_rows() -> Self {
        Self {
            code: "scope_not_supported_yet",
            title: "限定范围的令牌暂不能查看明细",
            title_en: "Rows are not yet available to limited tokens",
            detail: "此令牌限定了地区、行业或机构，可查询指标及其明细清单 / this token is limited to regions, sectors or insurers; it may ask metrics and their evidence".to_owned(),
        }
    }
}

/// A feed as far as permission is concerned.
#[derive(Debug, Clone, Copy)]
pub struct FeedOwner<'a> {
    pub feed_id: &'a str,
    pub reporter: &'a str,
    pub region_code: Option<&'a str>,
}

impl Permission {
    /// A role without limits.
    pub fn whole(role: Role) -> Self {
        Self { role, scope: Scope::default(), sensitive: Sensitive::default() }
    }

    /// The person at the command line, who can read the files anyway.
    pub fn operator() -> Self {
        Self::whole(Role::Admin)
    }

    /// Whether this caller may use routes of this kind at all.
    pub fn may(&self, access: Access) -> Result<(), Denied> {
        use Access::{
            Assess, Assessments, Dictionary, Evidence, Feeds, LandedLines, Leads, Metrics, Open, Pages, Push, Releases,
            Review, Rows,
        };
        let granted = match (self.role, access) {
            (_, Open | Pages) => true,
            (Role::Admin, _) => true,
            (Role::Official, Metrics | Evidence | Leads | Review | Dictionary | Feeds | Releases) => true,
            (Role::Official | Role::Analyst | Role::Insurer, Assessments) => true,
            (Role::Official, Rows | LandedLines) => return self.whole_province(),
            (Role::Official, Assess) if self.scope.is_whole() => true,
            (Role::Analyst, Metrics | Evidence | Leads | Dictionary | Feeds | Releases) => true,
            (Role::Analyst, Rows) => return self.whole_province(),
            (Role::Insurer, Metrics | Evidence | Leads | Dictionary | Feeds | Releases) => true,
            (Role::Reporter, Feeds | Dictionary | Push) => true,
            (Role::Public, Metrics) => true,
            _ => false,
        };
        if granted { Ok(()) } else { Err(Denied::role(self.role)) }
    }

    fn whole_province(&self) -> Result<(), Denied> {
        if self.scope.is_whole() { Ok(()) } else { Err(Denied::scoped_rows()) }
    }

    /// Whether the state of this feed may be shown.
    pub fn sees_feed(&self, feed: FeedOwner<'_>) -> bool {
        match self.role {
            Role::Admin => true,
            Role::Official | Role::Analyst => self.scope.holds_feed_of(feed.region_code),
            Role::Insurer => self.scope.insurers.iter().any(|own| own == feed.reporter),
            Role::Reporter => self.scope.feeds.iter().any(|own| own == feed.feed_id),
            Role::Public => false,
        }
    }

    /// Whether deliveries of this feed are taken from this caller.
    pub fn pushes_to(&self, feed_id: &str) -> bool {
        match self.role {
            Role::Admin => true,
            Role::Reporter => self.scope.feeds.iter().any(|own| own == feed_id),
            _ => false,
        }
    }

    /// Whether sensitive columns are shown as they are.
    pub fn sees_sensitive(&self) -> bool {
        self.role == Role::Admin || self.sensitive == Sensitive::Shown
    }

    /// A short digest of everything that decides what this caller may see; part of every key and ETag.
    pub fn digest(&self) -> [u8; 16] {
        let mut hash = Sha256::new();
        hash.update(self.role.as_str());
        hash.update([u8::from(self.sees_sensitive())]);
        hash.update(self.scope.canonical());
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash.finalize()[..16]);
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Access; 15] = [
        Access::Open,
        Access::Pages,
        Access::Metrics,
        Access::Evidence,
        Access::Leads,
        Access::Review,
        Access::Rows,
        Access::LandedLines,
        Access::Dictionary,
        Access::Feeds,
        Access::RunFeeds,
        Access::Push,
        Access::Releases,
        Access::Assessments,
        Access::Assess,
    ];

    fn granted(permission: &Permission) -> String {
        ALL.map(|access| if permission.may(access).is_ok() { 'x' } else { '.' }).iter().collect()
    }

    fn scoped(role: Role) -> Permission {
        let regions = vec!["3301".parse().unwrap()];
        Permission { scope: Scope { regions, ..Scope::default() }, ..Permission::whole(role) }
    }

    #[test]
    fn the_matrix_of_roles_and_accesses_is_this() {
        // Open, Pages, Metrics, Evidence, Leads, Review, Rows, LandedLines, Dictionary, Feeds, RunFeeds, Push, Releases, Assessments, Assess
        assert_eq!(granted(&Permission::whole(Role::Admin)), "xxxxxxxxxxxxxxx");
        assert_eq!(granted(&Permission::whole(Role::Official)), "xxxxxxxxxx..xxx");
        assert_eq!(granted(&Permission::whole(Role::Analyst)), "xxxxx.x.xx..xx.");
        assert_eq!(granted(&Permission::whole(Role::Insurer)), "xxxxx...xx..xx.");
        assert_eq!(granted(&Permission::whole(Role::Reporter)), "xx......xx.x...");
        assert_eq!(granted(&Permission::whole(Role::Public)), "xxx............");
        assert_eq!(granted(&scoped(Role::Official)), "xxxxxx..xx..xx.");
        assert_eq!(granted(&scoped(Role::Analyst)), "xxxxx...xx..xx.");
    }

    #[test]
    fn only_an_admin_decides_what_becomes_of_held_records() {
        let others = [Role::Official, Role::Analyst, Role::Insurer, Role::Reporter, Role::Public];
        assert!(Permission::whole(Role::Admin).may(Access::Settle).is_ok());
        assert!(others.iter().all(|role| Permission::whole(*role).may(Access::Settle).is_err()));
    }

    #[test]
    fn scores_are_read_by_those_they_concern_and_made_by_the_province() {
        let all = [Role::Admin, Role::Official, Role::Analyst, Role::Insurer, Role::Reporter, Role::Public];
        let may = |access| all.map(|role| Permission::whole(role).may(access).is_ok());
        assert_eq!(may(Access::Assessments), [true, true, true, true, false, false]);
        assert_eq!(may(Access::Assess), [true, true, false, false, false, false]);
        assert!(scoped(Role::Official).may(Access::Assess).is_err());
        assert!(scoped(Role::Official).may(Access::Assessments).is_ok());
    }

    #[test]
    fn a_limited_token_is_told_why_it_gets_no_rows() {
        let denied = scoped(Role::Analyst).may(Access::Rows).unwrap_err();
        assert_eq!(denied.code, "scope_not_supported_yet");
        assert_eq!(Permission::whole(Role::Public).may(Access::Rows).unwrap_err().code, "forbidden");
    }

    #[test]
    fn feeds_are_seen_by_those_they_concern() {
        let feed = FeedOwner { feed_id: "picc-policy", reporter: "PICC", region_code: Some("330100") };
        let with = |role, scope| Permission { scope, ..Permission::whole(role) };
        let insurer = |code: &str| Scope { insurers: vec![code.to_owned()], ..Scope::default() };
        let feeds = |id: &str| Scope { feeds: vec![id.to_owned()], ..Scope::default() };
        assert!(Permission::whole(Role::Admin).sees_feed(feed));
        assert!(Permission::whole(Role::Official).sees_feed(feed));
        assert!(scoped(Role::Official).sees_feed(feed));
        assert!(!scoped(Role::Official).sees_feed(FeedOwner { region_code: Some("330200"), ..feed }));
        assert!(!scoped(Role::Official).sees_feed(FeedOwner { region_code: None, ..feed }));
        assert!(with(Role::Insurer, insurer("PICC")).sees_feed(feed));
        assert!(!with(Role::Insurer, insurer("CPIC")).sees_feed(feed));
        assert!(!Permission::whole(Role::Insurer).sees_feed(feed));
        assert!(with(Role::Reporter, feeds("picc-policy")).sees_feed(feed));
        assert!(!with(Role::Reporter, feeds("picc-claim")).sees_feed(feed));
        assert!(!Permission::whole(Role::Public).sees_feed(feed));
    }

    #[test]
    fn a_reporter_pushes_to_the_feeds_it_is_named_for_and_nobody_else_but_the_admin_does() {
        let feeds = Scope { feeds: vec!["picc-policy".to_owned()], ..Scope::default() };
        let with = |role| Permission { scope: feeds.clone(), ..Permission::whole(role) };
        assert!(with(Role::Reporter).pushes_to("picc-policy"));
        assert!(!with(Role::Reporter).pushes_to("picc-claim"));
        assert!(!Permission::whole(Role::Reporter).pushes_to("picc-policy"), "no feed named, none given");
        assert!(Permission::whole(Role::Admin).pushes_to("picc-policy"));
        for role in [Role::Official, Role::Analyst, Role::Insurer, Role::Public] {
            assert!(!with(role).pushes_to("picc-policy"), "{role:?}");
        }
    }

    #[test]
    fn permissions_that_differ_have_different_digests() {
        let roles = [Role::Admin, Role::Official, Role::Analyst, Role::Insurer, Role::Reporter, Role::Public];
        let mut digests: Vec<_> = roles.map(|role| Permission::whole(role).digest()).to_vec();
        digests.extend(roles.map(|role| scoped(role).digest()));
        let one = Scope { sectors: vec!["a".into()], insurers: vec!["b".into()], ..Scope::default() };
        let other = Scope { sectors: vec!["a".into(), "b".into()], ..Scope::default() };
        digests.extend([one, other].map(|scope| Permission { scope, ..Permission::whole(Role::Analyst) }.digest()));
        digests.push(Permission { sensitive: Sensitive::Shown, ..Permission::whole(Role::Analyst) }.digest());
        let distinct: std::collections::HashSet<_> = digests.iter().collect();
        assert_eq!(distinct.len(), digests.len());
    }
}
