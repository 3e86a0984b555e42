//! Writing a file again without some of its rows. Row groups that lose none are copied as they are,
//! encoded and compressed; the others are read and encoded again side by side. So a few replaced rows cost
//! the groups that they stand in.

use bytes::Bytes;
use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use datafusion::parquet::bloom_filter::Sbbf;
use datafusion::parquet::column::writer::ColumnCloseResult;
use datafusion::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData};
use datafusion::parquet::file::writer::SerializedFileWriter;

use super::groups::{Group, side_by_side};
use super::{Layout, begun, conform};
use crate::error::Result;
use crate::table::FileStats;

/// Rows decoded and encoded at once.
const BATCH_ROWS: usize = 32 * 1024;

/// The bytes of a file without the rows at some places, which are in order, and its statistics. `old` are
/// those of the file as it is: bounds that still hold, if not tightly, where whole groups were copied.
pub(in crate::publication) fn without(
    bytes: &Bytes,
    old: &FileStats,
    schema: &SchemaRef,
    layout: &Layout,
    gone: &[usize],
) -> Result<(Vec<u8>, FileStats)> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let metadata = ArrowReaderMetadata::load(bytes, options)?;
    let copyable = metadata.schema().fields() == schema.fields();
    let (mut writer, factory) = begun(schema, layout)?;
    let stays = what_stays(metadata.metadata(), gone).into_iter().enumerate();
    let stays = stays.filter(|(_, keep)| keep.as_ref().is_none_or(|keep| keep.contains(&true)));
    let groups = side_by_side(stays.collect(), |(place, keep)| {
        if keep.is_none() && copyable && nulls(layout, schema, metadata.metadata().row_group(place)).is_some() {
            return Ok(Stays::AsItIs(place));
        }
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata.clone())
            .with_row_groups(vec![place])
            .with_batch_size(BATCH_ROWS)
            .build()?;
        let mut offset = 0;
        let rows = reader.map(|batch| {
            let batch = conform(&batch?, schema)?;
            let Some(keep) = &keep else { return Ok(batch) };
            let keep = BooleanArray::from(keep[offset..offset + batch.num_rows()].to_vec());
            offset += batch.num_rows();
            Ok(filter_record_batch(&batch, &keep)?)
        });
        Ok(Stays::Less(Group::encode(&factory, place, schema, layout, rows)?))
    })?;
    let mut stats = FileStats::default();
    let mut copied = false;
    for group in groups {
        match group {
            Stays::Less(group) => group.append(&mut writer, &mut stats)?,
            Stays::AsItIs(place) => {
                let group = metadata.metadata().row_group(place);
                copy(&mut writer, bytes, metadata.metadata(), place)?;
                stats.num_records += u64::try_from(group.num_rows()).unwrap_or_default();
                for (name, count) in nulls(layout, schema, group).unwrap_or_default() {
                    *stats.null_count.entry(name.to_owned()).or_default() += count;
                }
                copied = true;
            }
        }
    }
    if copied {
        stats.min_values.clone_from(&old.min_values);
        stats.max_values.clone_from(&old.max_values);
    }
    Ok((writer.into_inner()?, stats))
}

/// What stays of a row group.
enum Stays {
    AsItIs(usize),
    Less(Group),
}

/// A group's missing values of the bounded columns; `None` where they are not known.
fn nulls<'l>(layout: &'l Layout, schema: &SchemaRef, group: &RowGroupMetaData) -> Option<Vec<(&'l str, i64)>> {
    let mut counts = Vec::with_capacity(layout.bounded.len());
    for name in &layout.bounded {
        // Our tables are flat: the columns of the file are those of the schema, in its order.
        let Ok(place) = schema.index_of(name) else { continue };
        let count = group.columns().get(place)?.statistics()?.null_count_opt()?;
        counts.push((name.as_str(), i64::try_from(count).unwrap_or(i64::MAX)));
    }
    Some(counts)
}

/// Copies a row group as it is.
fn copy(
    writer: &mut SerializedFileWriter<Vec<u8>>,
    bytes: &Bytes,
    metadata: &ParquetMetaData,
    place: usize,
) -> Result<()> {
    let group = metadata.row_group(place);
    let column_index = metadata.column_index().and_then(|groups| groups.get(place));
    let offset_index = metadata.offset_index().and_then(|groups| groups.get(place));
    let mut out = writer.next_row_group()?;
    for (number, column) in group.columns().iter().enumerate() {
        let close = ColumnCloseResult {
            bytes_written: u64::try_from(column.compressed_size()).unwrap_or_default(),
            rows_written: u64::try_from(group.num_rows()).unwrap_or_default(),
            metadata: column.clone(),
            bloom_filter: Sbbf::read_from_column_chunk(column, bytes)?,
            column_index: column_index.and_then(|columns| columns.get(number)).cloned(),
            offset_index: offset_index.and_then(|columns| columns.get(number)).cloned(),
        };
        out.append_column(bytes, close)?;
    }
    out.close()?;
    Ok(())
}

/// Of each row group which of its rows stay; `None`: all of them.
fn what_stays(metadata: &ParquetMetaData, gone: &[usize]) -> Vec<Option<Vec<bool>>> {
    let mut gone = gone.iter().copied().peekable();
    let mut first = 0;
    let groups = metadata.row_groups().iter().map(|group| {
        let end = first + usize::try_from(group.num_rows()).unwrap_or_default();
        let mut keep = None;
        while let Some(row) = gone.next_if(|row| *row < end) {
            keep.get_or_insert_with(|| vec![true; end - first])[row - first] = false;
        }
        first = end;
        keep
    });
    groups.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
    use datafusion::arrow::compute::concat_batches;
    use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::super::{encode, read_bytes};
    use super::*;

    /// Ten thousand rows in groups of a thousand; every seventh `note` is missing.
    fn file() -> (SchemaRef, Layout, Bytes, FileStats) {
        let fields = [("key", DataType::Utf8), ("number", DataType::Int64), ("note", DataType::Utf8)];
        let schema = Arc::new(Schema::new(fields.map(|(name, kind)| Field::new(name, kind, true)).to_vec()));
        let keys: StringArray = (0..10_000).map(|row| Some(format!("K{row:06}"))).collect();
        let numbers: Int64Array = (0..10_000).map(Some).collect();
        let notes: StringArray = (0..10_000).map(|row| (row % 7 != 0).then(|| format!("n{}", row % 50))).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(keys), Arc::new(numbers), Arc::new(notes)])
            .unwrap();
        let layout = Layout {
            bounded: vec!["key".into(), "note".into()],
            distinct: vec!["key".into()],
            identifying: vec!["key".into()],
            rows_per_group: 1_000..=1_000,
        };
        let (bytes, stats) = encode(&schema, &layout, &[batch]).unwrap();
        (schema, layout, bytes.into(), stats)
    }

    fn rows(bytes: Vec<u8>, schema: &SchemaRef) -> RecordBatch {
        let batches: Vec<_> = read_bytes(bytes.into(), None).unwrap().map(Result::unwrap).collect();
        concat_batches(schema, &batches).unwrap()
    }

    #[test]
    fn the_other_rows_stay_in_their_order_with_true_statistics() {
        let (schema, layout, bytes, old) = file();
        // Places in the first, the third and the whole last group.
        let gone: Vec<usize> = [0, 999, 2_500].into_iter().chain(9_000..10_000).collect();
        let (written, stats) = without(&bytes, &old, &schema, &layout, &gone).unwrap();
        let after = rows(written, &schema);
        let kept: Vec<i64> = after.column(1).as_primitive::<Int64Type>().values().to_vec();
        let expected: Vec<i64> = (0..9_000).filter(|row| ![0, 999, 2_500].contains(row)).collect();
        assert_eq!(kept, expected);
        assert_eq!(stats.num_records, 8_997);
        assert_eq!(stats.null_count["note"], after.column(2).null_count() as i64);
        // Bounds of the whole file hold for a part of it.
        assert_eq!((stats.min_values["key"].as_str(), stats.max_values["key"].as_str()), ("K000000", "K009999"));
    }

    #[test]
    fn groups_without_a_lost_row_are_the_same_bytes() {
        let (schema, layout, bytes, old) = file();
        let (written, _) = without(&bytes, &old, &schema, &layout, &[4_321]).unwrap();
        let written = Bytes::from(written);
        let chunk = |bytes: &Bytes, group: usize| {
            let metadata = ArrowReaderMetadata::load(bytes, ArrowReaderOptions::new()).unwrap();
            let (start, length) = metadata.metadata().row_group(group).column(2).byte_range();
            bytes.slice(start as usize..(start + length) as usize)
        };
        for group in [0, 3, 5, 9] {
            assert_eq!(chunk(&written, group), chunk(&bytes, group), "group {group}");
        }
        assert_ne!(chunk(&written, 4), chunk(&bytes, 4));
    }

    #[test]
    fn every_group_tells_by_its_filter_which_keys_it_may_hold() {
        let (schema, layout, bytes, old) = file();
        let (written, _) = without(&bytes, &old, &schema, &layout, &[4_321]).unwrap();
        for bytes in [bytes, Bytes::from(written)] {
            let metadata = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new()).unwrap();
            for (group, about) in metadata.metadata().row_groups().iter().enumerate() {
                let filter = Sbbf::read_from_column_chunk(about.column(0), &bytes).unwrap().unwrap();
                let may_hold = |key: usize| filter.check(&format!("K{key:06}").as_str());
                let own = group * 1_000..(group + 1) * 1_000;
                assert!(own.clone().filter(|key| *key != 4_321).all(may_hold), "group {group}");
                let falsely = (0..10_000).filter(|key| !own.contains(key) && may_hold(*key)).count();
                assert!(falsely < 300, "group {group}: {falsely} of 9000");
                assert!(Sbbf::read_from_column_chunk(about.column(1), &bytes).unwrap().is_none());
            }
        }
    }

    #[test]
    fn a_file_from_before_a_column_was_added_is_written_with_the_column() {
        let (schema, layout, bytes, old) = file();
        let wider: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
        let added = Field::new("added", DataType::Int64, true);
        let wider = Arc::new(Schema::new(wider.into_iter().chain([added]).collect::<Vec<_>>()));
        let (written, stats) = without(&bytes, &old, &wider, &layout, &[5]).unwrap();
        let after = rows(written, &wider);
        assert_eq!((after.num_rows(), after.column(3).null_count()), (9_999, 9_999));
        assert_eq!(stats.min_values["key"], "K000000");
    }
}
