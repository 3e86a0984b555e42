//! `lead_id`: the name of a lead, the same in every release in which it stands.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use sha2::{Digest, Sha256};

/// Name of the function.
pub(crate) const LEAD_ID: &str = "lead_id";
/// Bytes of the hash that are shown, two digits each.
const SHOWN_BYTES: usize = 16;
/// Stands between the parts, where no text of ours can have it (US, unit separator).
const BETWEEN: [u8; 1] = [0x1f];

pub(super) fn all() -> [ScalarUDF; 1] {
    [ScalarUDF::new_from_impl(LeadId {
        signature: Signature::variadic(vec![DataType::Utf8View], Volatility::Immutable),
    })]
}

/// `lead_id(kind, subject_kind, subject_id, key, occasion) -> text`: half of a SHA-256 in hexadecimal
/// digits, over the parts that are there.
#[derive(Debug, PartialEq, Eq, Hash)]
struct LeadId {
    signature: Signature,
}

impl ScalarUDFImpl for LeadId {
    fn name(&self) -> &str {
        LEAD_ID
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns: Vec<ArrayRef> = args.args.into_iter().map(|part| part.into_array(rows)).collect::<Result<_>>()?;
        let columns: Vec<&StringViewArray> = columns.iter().map(|column| column.as_string_view()).collect();
        let mut ids = StringViewBuilder::with_capacity(rows);
        for row in 0..rows {
            let parts = columns.iter().map(|column| column.is_valid(row).then(|| column.value(row)));
            ids.append_value(id(parts.flatten()));
        }
        Ok(ColumnarValue::Array(Arc::new(ids.finish())))
    }
}

fn id<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update(BETWEEN);
    }
    hash.finalize()[..SHOWN_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_lead_never_changes() {
        let parts = ["uninsured", "unit", "U1", "U1,mine,2025-01-01"];
        // printf 'uninsured\037unit\037U1\037U1,mine,2025-01-01\037' | sha256sum
        assert_eq!(id(parts.into_iter()), "6c23261c5cd5544bbf95c9899b46fa3f");
        assert_ne!(id(["a", "bc"].into_iter()), id(["ab", "c"].into_iter()));
    }
}
