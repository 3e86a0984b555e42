//! Planning every metric before anybody asks: what cannot be answered is refused at start.

use std::sync::Arc;

use anze_warehouse::Release;
use datafusion::arrow::datatypes::SchemaRef;

use super::files::all_or_every_fault;
use super::{Catalogue, Metric};
use crate::cases::{Column, sql_columns};
use crate::error::{Error, Result};
use crate::question::{MetricRequest, Question};
use crate::session::{self, Observed};

impl Catalogue {
    /// Plans every metric, and every kind of lead, against a release; an empty one ([`Release::in_memory`]) will do.
    ///
    /// # Errors
    /// Catalogue, with every fault of every one: the SQL file, what the planner says, or the columns that
    /// differ from the declaration, with line and column.
    pub async fn check(&self, release: &Arc<Release>) -> Result<()> {
        let mut checked = Vec::new();
        for metric in self.metrics() {
            checked.push(check(self, metric, release).await);
        }
        checked.push(crate::lead::check(release).await);
        all_or_every_fault(checked).map(|_| ())
    }
}

async fn check(catalogue: &Catalogue, metric: &Metric, release: &Arc<Release>) -> Result<()> {
    let observed = session::observed(release, None).await?;
    let request = MetricRequest { id: metric.id.clone(), ..MetricRequest::default() };
    let question = Question::read(catalogue, &observed, &request)?;
    let values = question.values(&question.span);
    let planned = async {
        let plan = metric.cases.clone().bind(&values)?.plan(&observed.context).await?;
        // Types are settled only here, and every fault of them with it.
        Ok::<_, Error>(observed.context.state().optimize(&plan)?)
    };
    let plan = planned.await.map_err(|error| metric.fault(&error))?;
    months_agree(metric, &observed).await?;
    columns_agree(metric, plan.schema().inner()).map_err(|message| metric.fault(&Error::catalogue(message)))
}

/// The sources of `[[months]]` exist, with the columns that are named.
async fn months_agree(metric: &Metric, observed: &Observed) -> Result<()> {
    for strand in metric.months.iter().flatten() {
        let fault = |message: String| metric.fault(&Error::catalogue(format!("months: {message}")));
        let source = observed.context.table(strand.of.as_str()).await;
        let source = source.map_err(|_| fault(format!("there is no table {}", strand.of)))?;
        if let Some(stray) = strand.named().find(|name| !source.schema().has_column_with_unqualified_name(name)) {
            return Err(fault(format!("{} has no column {stray}", strand.of)));
        }
    }
    Ok(())
}

fn columns_agree(metric: &Metric, schema: &SchemaRef) -> Result<(), String> {
    let expected = sql_columns(metric, schema);
    let (select, outputs) = metric.cases.outputs();
    // A column where it stands in the outermost select, else that select itself.
    let place = |name: &str| {
        let own = outputs.iter().rfind(|(output, _)| output == name).and_then(|(_, position)| *position);
        own.or(select).map_or(String::new(), |position| format!(" ({position})"))
    };
    let mut faults = Vec::new();
    for Column { name, kind, why } in &expected {
        match schema.fields().iter().filter(|field| field.name() == name).collect::<Vec<_>>().as_slice() {
            [] => faults.push(format!("the column `{name}` is missing ({why}){}", place(name))),
            [field] if !kind.allows(field.data_type()) => {
                let (is, not) = (field.data_type(), kind.noun());
                faults.push(format!("the column `{name}` is {is}, not {not}{}", place(name)));
            }
            [_] => {}
            _ => faults.push(format!("the column `{name}` stands twice{}", place(name))),
        }
    }
    for field in schema.fields() {
        if !expected.iter().any(|column| column.name == field.name()) {
            faults.push(format!("the column `{0}` is not declared{1}", field.name(), place(field.name())));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::handworked::empty_release;

    const TOML: &str = "title = '率'\ntitle_en = 'Rate'\ndefinition = ''\ndefinition_en = ''\nbasis = ''\n\
                        owner = ''\nunit = 'ratio'\nkind = 'as_of'\ndirection = 'higher'\n";

    async fn checked(toml: &str, sql: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("own.toml"), format!("{TOML}{toml}")).unwrap();
        fs::write(folder.path().join("own.sql"), sql).unwrap();
        let catalogue = Catalogue::load(Some(folder.path())).unwrap();
        match catalogue.check(&empty_release()).await {
            Ok(()) => String::new(),
            Err(error) => error.to_string().replace(&folder.path().display().to_string(), "metrics"),
        }
    }

    const CASES: &str = "1 as denominator, 'roster' as dataset, unit_id as key, batch_id, row_no";

    #[tokio::test]
    async fn a_metric_of_a_deployment_needs_two_files_and_no_rust() {
        let sql = format!("select region_code as county, 0 as numerator, {CASES} from roster");
        assert_eq!(checked("dimensions = ['city', 'county']", &sql).await, "");
    }

    #[tokio::test]
    async fn a_column_that_does_not_exist_is_named_with_its_place() {
        let sql = format!("select\n    roster.regoin as county, 0 as numerator, {CASES}\nfrom roster");
        let error = checked("dimensions = ['city', 'county']", &sql).await;
        assert!(error.starts_with("metrics/own.sql: "), "{error}");
        assert!(error.contains("regoin"), "{error}");
        assert!(error.contains("line 2, column"), "{error}");
    }

    #[tokio::test]
    async fn sql_that_does_not_parse_is_refused_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("own.toml"), format!("{TOML}dimensions = []")).unwrap();
        fs::write(folder.path().join("own.sql"), "select (1\nfrom roster").unwrap();
        let error = Catalogue::load(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("own.sql: ") && error.contains("(line 2, column"), "{error}");
    }

    #[tokio::test]
    async fn columns_that_differ_from_the_declaration_are_named() {
        let sql = format!("select region_code as county, 0.5e0 as numerator, sector, {CASES} from roster");
        let error = checked("dimensions = ['city', 'county', 'size']", &sql).await;
        assert!(error.contains("the column `size` is missing (a declared dimension) (line 1, column 1)"), "{error}");
        let number = "the column `numerator` is Float64, not a whole number or a decimal (line 1, column 40)";
        assert!(error.contains(number), "{error}");
        assert!(error.contains("the column `sector` is not declared (line 1, column 51)"), "{error}");
    }

    #[tokio::test]
    async fn every_metric_that_is_wrong_is_named_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let toml = format!("{TOML}dimensions = []");
        for (id, sql) in [("first", "select 1 as one"), ("second", "select nobody\nfrom roster")] {
            fs::write(folder.path().join(format!("{id}.toml")), &toml).unwrap();
            fs::write(folder.path().join(format!("{id}.sql")), sql).unwrap();
        }
        let catalogue = Catalogue::load(Some(folder.path())).unwrap();
        let error = catalogue.check(&empty_release()).await.unwrap_err().to_string();
        assert!(
            error.contains("first.sql: ") && error.contains("`one` is not declared (line 1, column 13)"),
            "{error}"
        );
        assert!(error.contains("second.sql: ") && error.contains("nobody"), "{error}");
        fs::write(folder.path().join("first.toml"), "").unwrap();
        fs::write(folder.path().join("second.sql"), "select (").unwrap();
        let error = Catalogue::load(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("first.toml: ") && error.contains("second.sql: "), "{error}");
    }

    #[tokio::test]
    async fn a_metric_that_looks_up_rules_must_say_which_cases_have_none() {
        let sql = format!("select 0 as numerator, {CASES} from roster");
        let error = checked("dimensions = []\nrules = ['min_death_limit']", &sql).await;
        assert!(error.contains("`without_rule` is missing (the metric looks up rules)"), "{error}");
    }

    #[tokio::test]
    async fn a_type_error_inside_is_found_without_a_row() {
        let sql = format!("select 0 as numerator, {CASES} from roster where valid_from + true > 3");
        assert!(checked("dimensions = []", &sql).await.starts_with("metrics/own.sql: "));
    }
}
