//! `anze token`: who may call. A secret is shown once, when it is made.

use anyhow::Context;
use chrono::{DateTime, NaiveDate, NaiveTime, SubsecRound, TimeZone, Utc};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Desk;
use crate::deployment::Deployment;
use crate::exit::{Misuse, Outcome};
use crate::output::{Format, Report, instant};
use crate::permission::{RegionScope, Role, Scope, Sensitive};
use crate::place;
use crate::settings::Settings;
use crate::token::{Token as Kept, TokenFile, check_scope};

/// Who may call
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token; its text is shown once
    Create(Create),
    /// All tokens, without their text
    List,
    /// Make a token invalid at once
    Revoke {
        /// Its id; anze token list shows it
        id: String,
    },
}

/// Make a token
#[derive(Debug, Args)]
pub struct Create {
    /// What its holder is
    #[arg(long, value_enum)]
    role: Role,
    /// Only this region and what lies in it: 330100, 330102 or first digits; repeatable
    #[arg(long = "region", value_name = "CODE")]
    regions: Vec<RegionScope>,
    /// Only this sector; repeatable
    #[arg(long = "sector", value_name = "CODE")]
    sectors: Vec<String>,
    /// Only this insurer; needed for role insurer; repeatable
    #[arg(long = "insurer", value_name = "CODE")]
    insurers: Vec<String>,
    /// This feed; needed for role reporter; repeatable
    #[arg(long = "feed", value_name = "ID")]
    feeds: Vec<String>,
    /// Show sensitive columns, which are masked below admin otherwise
    #[arg(long)]
    sees_sensitive: bool,
    /// Until when it is valid: a day (invalid from its beginning), an instant, or a span such as 90d [default: until revoked]
    #[arg(long, value_name = "WHEN", value_parser = expiry)]
    expires: Option<Expiry>,
}

/// When a token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expiry {
    At(DateTime<Utc>),
    After(std::time::Duration),
}

fn expiry(text: &str) -> Result<Expiry, String> {
    let fault = || format!("`{text}` is neither a day (2026-12-31), an instant nor a span (90d)");
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(Expiry::At(at.to_utc()));
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        let start = chrono_tz::Asia::Shanghai.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest();
        return start.map(|start| Expiry::At(start.to_utc())).ok_or_else(fault);
    }
    anze_ingest::span::Span::try_from(text.to_owned()).map(|span| Expiry::After(span.0)).map_err(|_| fault())
}

impl Token {
    pub(super) fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let settings = Settings::load(&desk.dir)?;
        let store = place::warehouse(&desk.dir, &settings)?;
        let file = TokenFile::of(&store);
        let now = Utc::now();
        match self {
            Self::Create(create) => create.run(desk, &file, now)?,
            Self::List => {
                let rows = file.tokens()?.iter().map(|token| row(token, now)).collect();
                let columns = ["token_id", "role", "scope", "state", "created_at", "expires_at", "revoked_at"];
                desk.terminal.print(&Report::list("tokens", &columns, rows))?;
                return Ok(Outcome::Done);
            }
            Self::Revoke { id } => {
                let revoked = file.revoke(&id, now)?;
                desk.terminal.say(&format!("{} ({}) 已撤销 is revoked", revoked.id, revoked.role.as_str()));
            }
        }
        Deployment::note_tokens(store, &file)?;
        Ok(Outcome::Done)
    }
}

impl Create {
    fn run(self, desk: &Desk, file: &TokenFile, now: DateTime<Utc>) -> anyhow::Result<()> {
        let scope = Scope { regions: self.regions, sectors: self.sectors, insurers: self.insurers, feeds: self.feeds };
        check_scope(self.role, &scope).map_err(Misuse::new)?;
        let expires_at = match self.expires {
            None => None,
            Some(Expiry::At(at)) => Some(at),
            Some(Expiry::After(span)) => {
                now.checked_add_signed(chrono::TimeDelta::from_std(span)?).map(|at| at.trunc_subsecs(0))
            }
        };
        if expires_at.is_some_and(|end| end <= now) {
            return Err(Misuse::new("--expires lies in the past").into());
        }
        let sensitive = if self.sees_sensitive { Sensitive::Shown } else { Sensitive::Masked };
        let (token, secret) =
            Kept::create(self.role, scope, sensitive, expires_at, now).context("cannot draw a secret")?;
        file.add(&token)?;
        let mut shown = row(&token, now);
        shown.insert("token".to_owned(), json!(secret.reveal()));
        match desk.terminal.format {
            Format::Table => {
                desk.terminal.say("令牌只显示这一次 the token is shown this once; keep it safe:");
                desk.terminal.write(&format!("{}\n", secret.reveal()))?;
            }
            _ => desk.terminal.print(&Report::of_one(shown))?,
        }
        Ok(())
    }
}

fn row(token: &Kept, now: DateTime<Utc>) -> Map<String, Value> {
    let row = json!({
        "token_id": token.id,
        "role": token.role,
        "scope": token.scope.to_string(),
        "sees_sensitive": token.permission().sees_sensitive(),
        "state": token.state(now),
        "created_at": instant(token.created_at),
        "expires_at": token.expires_at.map(instant),
        "revoked_at": token.revoked_at.map(instant),
    });
    if let Value::Object(row) = row { row } else { Map::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_a_day_an_instant_or_a_span() {
        let at = |text: &str| Expiry::At(text.parse().unwrap());
        assert_eq!(expiry("2026-12-31"), Ok(at("2026-12-30T16:00:00Z")));
        assert_eq!(expiry("2026-12-31T08:00:00+08:00"), Ok(at("2026-12-31T00:00:00Z")));
        assert_eq!(expiry("90d"), Ok(Expiry::After(std::time::Duration::from_secs(90 * 86_400))));
        assert!(expiry("soon").is_err());
    }
}
