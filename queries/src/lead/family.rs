//! The families of leads inside the binary, read once.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use anze_warehouse::Release;

use super::ask::LeadRequest;
use super::declaration::Declaration;
use super::rows;
use crate::catalogue::{Catalogue, Kind, Parameter};
use crate::error::{Error, Result};
use crate::statement::{Statement, Value};
use crate::suggestion::did_you_mean;
use crate::{embedded, session};

/// One kind of lead.
#[derive(Debug, Clone)]
pub struct LeadKind {
    /// Its name everywhere.
    pub id: String,
    /// Chinese title.
    pub title: String,
    /// English title.
    pub title_en: String,
    /// When it stands, in Chinese.
    pub definition: String,
    /// When it stands, in English.
    pub definition_en: String,
    /// Legal basis.
    pub basis: String,
    /// The rule broken, where a row names none.
    pub rule: String,
    /// Unit of `found` and `required`: yuan, persons, days, hours, ratio, factor.
    pub measure: Option<String>,
    /// As of a day, or over a period.
    pub span: Kind,
    /// Its parameters.
    pub params: Vec<Parameter>,
}

/// The kinds that one SQL file returns.
pub(super) struct Family {
    pub(super) kinds: Vec<LeadKind>,
    pub(super) span: Kind,
    pub(super) params: Vec<Parameter>,
    pub(super) sql_file: String,
    /// With the metrics that it reads in their places.
    pub(super) statement: Statement,
}

static FAMILIES: OnceLock<Vec<Family>> = OnceLock::new();

/// Every family, in the order of file names.
pub(super) fn families() -> Result<&'static [Family]> {
    if let Some(known) = FAMILIES.get() {
        return Ok(known);
    }
    let read = read()?;
    Ok(FAMILIES.get_or_init(|| read))
}

/// Every kind of lead, by family.
///
/// # Errors
/// Catalogue, where a file inside the binary is wrong.
pub fn lead_kinds() -> Result<Vec<&'static LeadKind>> {
    Ok(families()?.iter().flat_map(|family| &family.kinds).collect())
}

/// The family of a kind, or an error that offers the nearest name.
pub(super) fn family_of(kind: &str) -> Result<&'static Family> {
    let families = families()?;
    let found = families.iter().find(|family| family.kinds.iter().any(|own| own.id == kind));
    found.ok_or_else(|| {
        let hint = did_you_mean(kind, families.iter().flat_map(|family| &family.kinds).map(|kind| &kind.id));
        Error::question(format!("there are no leads of kind `{kind}`{hint}"))
    })
}

/// Plans every family against a release.
///
/// # Errors
/// Catalogue, with the SQL file and, where known, line and column.
pub(crate) async fn check(release: &Arc<Release>) -> Result<()> {
    let observed = session::observed(release, None).await?;
    let days = LeadRequest::default().days(observed.until)?;
    for family in families()? {
        let planned = async {
            let frame =
                rows::of_family(&observed.context, family, &days.values(family, &BTreeMap::new(), &observed.province)?)
                    .await?;
            Ok::<_, Error>(observed.context.state().optimize(frame.logical_plan())?)
        };
        planned.await.map_err(|error| family.fault(&error))?;
    }
    Ok(())
}

impl Family {
    /// An error that names this family's SQL file.
    pub(super) fn fault(&self, error: &Error) -> Error {
        Error::catalogue(format!("{}: {error}", self.sql_file))
    }
}

fn read() -> Result<Vec<Family>> {
    let catalogue = Catalogue::load(None)?;
    let files: BTreeMap<&str, &str> = embedded::LEADS.iter().copied().collect();
    let stems = files.keys().filter_map(|file| file.strip_suffix(".sql"));
    stems.map(|stem| family(stem, &files, &catalogue)).collect()
}

fn family(stem: &str, files: &BTreeMap<&str, &str>, catalogue: &Catalogue) -> Result<Family> {
    let fault =
        |file: &str, message: &dyn std::fmt::Display| Error::catalogue(format!("leads/{stem}{file}: {message}"));
    let text = |ending: &str| {
        let found = files.get(format!("{stem}{ending}").as_str()).copied();
        found.ok_or_else(|| fault(ending, &"the file is missing; a family needs .sql, .toml and .test.toml"))
    };
    text(".test.toml")?;
    let declared: Declaration = toml::from_str(text(".toml")?).map_err(|error| fault(".toml", &error))?;
    let params = declared.params.into_iter().map(|(name, entry)| Parameter::declared(name, entry));
    let params: Vec<Parameter> = params.collect::<Result<_, _>>().map_err(|error| fault(".toml", &error))?;
    let span = declared.span;
    let kinds = declared.kinds.into_iter().map(|(id, entry)| LeadKind {
        id,
        title: entry.title,
        title_en: entry.title_en,
        definition: entry.definition,
        definition_en: entry.definition_en,
        basis: entry.basis,
        rule: entry.rule,
        measure: entry.measure,
        span,
        params: params.clone(),
    });
    let kinds = kinds.collect();
    let statement = Statement::parse(text(".sql")?).and_then(|parsed| parsed.inlined(&|id| cases_of(catalogue, id)));
    let statement = statement.map_err(|error| fault(".sql", &error))?;
    Ok(Family { kinds, span, params, sql_file: format!("leads/{stem}.sql"), statement })
}

/// A metric's query with its parameters at their defaults; its days are still open.
fn cases_of(catalogue: &Catalogue, id: &str) -> Result<Statement> {
    let metric = catalogue.expect(id)?;
    let defaults = metric.params.iter().map(|param| (param.name.clone(), param.default.clone()));
    let defaults: BTreeMap<String, Value> = defaults.collect();
    Ok(metric.cases.clone().bind_known(&defaults))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handworked::empty_release;

    #[test]
    fn there_are_27_kinds_each_once_and_each_says_what_it_is() {
        let kinds = lead_kinds().unwrap();
        let ids: std::collections::BTreeSet<&str> = kinds.iter().map(|kind| kind.id.as_str()).collect();
        assert_eq!((kinds.len(), ids.len()), (27, 27));
        for kind in kinds {
            for text in [&kind.title, &kind.title_en, &kind.definition, &kind.definition_en, &kind.basis, &kind.rule] {
                assert!(!text.is_empty(), "{}", kind.id);
            }
        }
        assert!(family_of("sham_servise").err().unwrap().to_string().contains("did you mean `sham_service`"));
    }

    #[tokio::test]
    async fn every_family_plans_against_empty_tables() {
        check(&empty_release()).await.unwrap();
    }
}
