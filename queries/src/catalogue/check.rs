//! Planning every metric before anybody asks: what cannot be answered is refused at start.

use std::sync::Arc;

use anze_warehouse::Release;
use datafusion::arrow::datatypes::SchemaRef;

use super::{Catalogue, Metric};
use crate::cases::{Column, sql_columns};
use crate::error::{Error, Result};
use crate::question::{MetricRequest, Question};
use crate::session;

impl Catalogue {
    /// Plans every metric, and every kind of lead, against a release; an empty one ([`Release::in_memory`]) will do.
    ///
    /// # Errors
    /// Catalogue, with the SQL file and, where the parser or planner says, line and column; or with
    /// the columns that differ from the declaration.
    pub async fn check(&self, release: &Arc<Release>) -> Result<()> {
        for metric in self.metrics() {
            check(self, metric, release).await?;
        }
        crate::lead::check(release).await
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
    columns_agree(metric, plan.schema().inner()).map_err(|message| metric.fault(&Error::catalogue(message)))
}

fn columns_agree(metric: &Metric, schema: &SchemaRef) -> Result<(), String> {
    let expected = sql_columns(metric, schema);
    let mut faults = Vec::new();
    for Column { name, kind, why } in &expected {
        match schema.fields().iter().filter(|field| field.name() == name).collect::<Vec<_>>().as_slice() {
            [] => faults.push(format!("the column `{name}` is missing ({why})")),
            [field] if !kind.allows(field.data_type()) => {
                faults.push(format!("the column `{name}` is {}, not {}", field.data_type(), kind.noun()));
            }
            [_] => {}
            _ => faults.push(format!("the column `{name}` stands twice")),
        }
    }
    for field in schema.fields() {
        if !expected.iter().any(|column| column.name == field.name()) {
            faults.push(format!("the column `{}` is not declared", field.name()));
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
        assert!(error.contains("the column `size` is missing (a declared dimension)"), "{error}");
        assert!(error.contains("the column `numerator` is Float64, not a whole number or a decimal"), "{error}");
        assert!(error.contains("the column `sector` is not declared"), "{error}");
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
