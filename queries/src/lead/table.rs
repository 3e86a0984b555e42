//! The view `lead` of every session: planned only when it is read, and only of the kinds that are asked
//! for, because most questions never read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDate;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;

use super::ask::LeadRequest;
use super::columns::{self, KIND};
use super::family::{Family, families};
use super::rows;
use crate::error::Result;
use crate::province::Province;

/// Registers the view for an observation day.
pub(crate) fn register(session: &SessionContext, until: NaiveDate) -> Result<()> {
    session.register_table("lead", Arc::new(LeadTable { schema: columns::schema(), until }))?;
    Ok(())
}

#[derive(Debug)]
struct LeadTable {
    schema: SchemaRef,
    until: NaiveDate,
}

#[async_trait]
impl TableProvider for LeadTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion::error::Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let state = state
            .as_any()
            .downcast_ref::<SessionState>()
            .ok_or_else(|| DataFusionError::Internal("the view lead is read in a session of ours only".to_owned()))?;
        let session = SessionContext::new_with_state(state.clone());
        let scan = self.scan_in(&session, projection, filters);
        Box::pin(scan).await.map_err(|error| DataFusionError::External(Box::new(error)))
    }
}

impl LeadTable {
    async fn scan_in(
        &self,
        session: &SessionContext,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let days = LeadRequest::default().days(self.until)?;
        let kinds = kinds_of(filters);
        let asked = |family: &&Family| match &kinds {
            None => true,
            Some(kinds) => family.kinds.iter().any(|kind| kinds.contains(&kind.id)),
        };
        let mut chosen: Vec<&Family> = families()?.iter().filter(asked).collect();
        // Of kinds that there are not, nothing is found: the filter stays.
        if chosen.is_empty() {
            chosen.extend(families()?.first());
        }
        let province = Province::of(&session.copied_config());
        let chosen = chosen.into_iter().map(|family| Ok((family, days.values(family, &BTreeMap::new(), &province)?)));
        let mut frame = rows::of_families(session, &chosen.collect::<Result<Vec<_>>>()?, None).await?;
        for filter in filters {
            frame = frame.filter(filter.clone())?;
        }
        if let Some(projection) = projection {
            let names: Vec<&str> = projection.iter().map(|place| self.schema.field(*place).name().as_str()).collect();
            frame = frame.select_columns(&names)?;
        }
        Ok(frame.create_physical_plan().await?)
    }
}

/// The kinds that filters leave, where one of them names kinds.
fn kinds_of(filters: &[Expr]) -> Option<Vec<String>> {
    filters.iter().find_map(|filter| match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (left.as_ref(), right.as_ref()) {
            (column, value) if is_kind(column) => Some(vec![text(value)?]),
            (value, column) if is_kind(column) => Some(vec![text(value)?]),
            _ => None,
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let mut kinds = kinds_of(std::slice::from_ref(left.as_ref()))?;
            kinds.extend(kinds_of(std::slice::from_ref(right.as_ref()))?);
            Some(kinds)
        }
        Expr::InList(InList { expr, list, negated: false }) if is_kind(expr) => list.iter().map(text).collect(),
        _ => None,
    })
}

fn is_kind(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(column) if column.name == KIND)
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text), _) => {
            text.clone()
        }
        _ => None,
    }
}
