//! Schema `seen`: the datasets as they were known of at the end of the observation day.
//!
//! metrics.md: a row whose own event day is after `o` is absent, any other event after `o` reads as
//! null. Which columns are events comes from the contracts, so that a new one needs nothing here.

use std::sync::Arc;

use anze_warehouse::contract::{self, Column, ColumnType, Contract};
use chrono::NaiveDate;
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{Expr, when};
use datafusion::prelude::{SessionContext, col, lit};

use crate::error::{Error, ErrorKind, Result};

/// Name of the schema.
const SCHEMA: &str = "seen";

/// The event that makes a row: before its day the row was not there. Policies, units, services and
/// rosters are never absent.
const OWN_EVENTS: [(&str, &str); 8] = [
    ("premium_receipt", "received_on"),
    ("hazard", "found_at"),
    ("expense", "booked_on"),
    ("claim", "reported_at"),
    ("accident", "occurred_at"),
    ("complaint", "received_at"),
    ("visit", "visited_on"),
    ("inspection", "found_on"),
];

/// What goes with an event: unknown until its day.
const GO_WITH: [(&str, &str, &str); 3] = [
    ("policy", "cancel_reason", "cancelled_on"),
    ("claim", "paid_amount", "paid_at"),
    ("claim", "advance_amount", "advance_paid_at"),
];

/// Registers `seen.<dataset>` for every dataset with events.
pub(super) async fn register(session: &SessionContext, until: NaiveDate) -> Result<()> {
    let schema = MemorySchemaProvider::new();
    for contract in contract::builtin().datasets() {
        if contract.columns.iter().any(|column| hides(contract, column).is_some()) {
            schema.register_table(contract.name.clone(), view(session, contract, until).await?)?;
        }
    }
    let catalog = session
        .catalog(anze_warehouse::session::CATALOG)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "a session without its catalog"))?;
    catalog.register_schema(SCHEMA, Arc::new(schema))?;
    Ok(())
}

async fn view(session: &SessionContext, contract: &Contract, until: NaiveDate) -> Result<Arc<ViewTable>> {
    let table = session.table(&contract.name).await?;
    let fields = table.schema().fields().clone();
    let column = |name: &str| contract.column(name);
    let own_event = own_event(contract).and_then(column);
    let columns = fields
        .iter()
        .map(|field| {
            let name = field.name().as_str();
            let event = column(name).and_then(|column| hides(contract, column));
            match event {
                Some(event) if own_event.is_none_or(|own| own.name != name) => {
                    Ok(when(happened(session, event, until)?, col(name)).end()?.alias(name))
                }
                _ => Ok(col(name)),
            }
        })
        .collect::<Result<Vec<_>>>()?;
    let rows = match own_event {
        Some(event) => table.filter(happened(session, event, until)?)?,
        None => table,
    };
    Ok(Arc::new(ViewTable::new(rows.select(columns)?.into_unoptimized_plan(), None)))
}

fn own_event(contract: &Contract) -> Option<&'static str> {
    OWN_EVENTS.iter().find(|(dataset, _)| *dataset == contract.name).map(|(_, column)| *column)
}

/// The event on whose day a column becomes known: itself, or the one it goes with.
fn hides<'a>(contract: &'a Contract, column: &'a Column) -> Option<&'a Column> {
    let goes_with = GO_WITH.iter().find(|(dataset, name, _)| *dataset == contract.name && *name == column.name);
    match goes_with {
        Some((_, _, event)) => contract.column(event),
        // A cancellation is agreed for a day, so it is no event of rule 5, and yet unknown before.
        None if contract.name == "policy" && column.name == "cancelled_on" => Some(column),
        None => column.event.then_some(column),
    }
}

fn happened(session: &SessionContext, event: &Column, until: NaiveDate) -> Result<Expr> {
    let day = match event.kind {
        ColumnType::Timestamp => session.udf("local_date")?.call(vec![col(event.name.as_str())]),
        _ => col(event.name.as_str()),
    };
    let until = datafusion::arrow::datatypes::Date32Type::from_naive_date(until);
    Ok(day.lt_eq(lit(datafusion::scalar::ScalarValue::Date32(Some(until)))))
}
