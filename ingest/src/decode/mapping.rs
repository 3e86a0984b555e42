//! `[columns]` and `[constants]` of a feed: how the columns of its files become those of a dataset.

mod config;

use std::collections::{BTreeMap, HashMap};

use anze_warehouse::contract::{Column, ColumnType, Contract};
use anze_warehouse::lineage::SOURCE_UPDATED_AT;
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

use super::cell::{Cell, Cells, trimmed};
use super::column::{ColumnReader, Findings, Kind};
use super::derived::{Computed, Derive};
use super::failure::{ConfigFault, FileRefused};
use super::format::{Format, FormatConfig};
use super::nearest::hint;
use super::number::{Factor, NumberShape};
use super::pattern::Pattern;
pub use config::{ColumnConfig, ConstantConfig};

/// A valid mapping onto one dataset.
#[derive(Debug, Clone)]
pub struct Mapping {
    dataset: String,
    /// The contract's columns in order, then `source_updated_at`.
    columns: Vec<MappedColumn>,
}

#[derive(Debug, Clone)]
struct MappedColumn {
    column: Column,
    origin: Origin,
}

/// Where the values of a column come from.
#[derive(Debug, Clone)]
enum Origin {
    /// Their column of the same name, if the file has it.
    SameName,
    /// The column of theirs that `[columns]` names.
    Theirs(Box<Theirs>),
    /// `[expressions]`: computed from some of theirs, then read as if it stood in the file.
    Computed(Box<Theirs>, Arc<dyn Derive>),
    /// `[constants]`.
    Constant(String),
}

#[derive(Debug, Clone)]
struct Theirs {
    /// What the file calls it; of a computed column our name.
    title: String,
    factor: Option<Factor>,
    pattern: Option<Pattern>,
    translations: HashMap<String, String>,
    nulls: Option<Vec<String>>,
}

/// Where a column's values are, once a file's own columns are known.
#[derive(Debug)]
pub(super) enum Source {
    /// This field of every record.
    Field(usize),
    /// One value for all, in an array of one.
    Constant(ArrayRef),
    /// Computed from other fields of every record.
    Computed(Computed),
    /// The file does not have it.
    Absent,
}

/// A column ready to be read.
#[derive(Debug)]
pub(super) struct BoundColumn {
    pub(super) reader: ColumnReader,
    pub(super) source: Source,
}

impl Mapping {
    /// Checks every entry against the contract; all faults are reported at once.
    ///
    /// A column or constant named here takes the place of a column of theirs with our name: that
    /// one then counts among those that nobody asked for.
    pub fn new(
        columns: &BTreeMap<String, ColumnConfig>,
        constants: &BTreeMap<String, impl AsRef<str>>,
        contract: &Contract,
    ) -> Result<Self, Vec<ConfigFault>> {
        let mut mapping = Self {
            dataset: contract.name.clone(),
            columns: contract.columns.iter().chain([&source_updated_at()]).map(MappedColumn::same_name).collect(),
        };
        let mut faults = Vec::new();
        for (title, config) in columns {
            if let Err(found) = mapping.map(title, config) {
                faults.extend(found);
            }
        }
        for (name, value) in constants {
            if let Err(message) = mapping.set_constant(name, value.as_ref()) {
                faults.push(ConfigFault::new(&["constants", name], message));
            }
        }
        if faults.is_empty() { Ok(mapping) } else { Err(faults) }
    }

    /// The contract's columns as an Arrow schema in which every value may be missing.
    pub(super) fn schema(&self) -> SchemaRef {
        let columns = self.columns.iter().filter(|mapped| mapped.column.name != SOURCE_UPDATED_AT);
        Arc::new(Schema::new(columns.map(|mapped| mapped.column.field().with_nullable(true)).collect::<Vec<Field>>()))
    }

    /// One of our columns by its name.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().map(|mapped| &mapped.column).find(|column| column.name == name)
    }

    /// The column of ours that a column of theirs becomes with its values as they are: not scaled,
    /// translated, or written in a way of their own.
    pub(crate) fn as_written(&self, title: &str) -> Option<&Column> {
        let is_it = |mapped: &&MappedColumn| match &mapped.origin {
            Origin::SameName => mapped.column.name == title,
            Origin::Theirs(theirs) => {
                let is_changed = theirs.factor.is_some() || theirs.pattern.is_some() || !theirs.translations.is_empty();
                theirs.title == trimmed(title) && !is_changed
            }
            _ => false,
        };
        self.columns.iter().find(is_it).map(|mapped| &mapped.column)
    }

    /// Lets a column of ours be computed: `to`, `scale`, `format`, `codes` and `null` say what becomes
    /// of the computed texts, as of those that stand in a file.
    ///
    /// # Errors
    /// All faults at once, of the keys below `expressions`.
    pub fn compute(&mut self, config: &ColumnConfig, derive: Arc<dyn Derive>) -> Result<(), Vec<ConfigFault>> {
        let fault = |message: String| vec![ConfigFault::new(&["expressions", &config.to], message)];
        let target = self.target(&config.to).map_err(fault)?;
        match &self.columns[target].origin {
            Origin::Theirs(other) => {
                let what = format!("\"{}\" in [columns] already becomes {}", other.title, config.to);
                return Err(fault(what));
            }
            Origin::Constant(_) => return Err(fault(format!("{} is in [constants] already", config.to))),
            Origin::SameName | Origin::Computed(..) => {}
        }
        let theirs = self.theirs(target, &config.to, config);
        let theirs = theirs.map_err(|faults| faults.into_iter().flat_map(fault).collect::<Vec<_>>())?;
        self.columns[target].origin = Origin::Computed(Box::new(theirs), derive);
        Ok(())
    }

    fn map(&mut self, title: &str, config: &ColumnConfig) -> Result<(), Vec<ConfigFault>> {
        // Columns mostly stand on one line each, so the line is found by the title.
        let fault = |message: String| vec![ConfigFault::new(&["columns", title], message)];
        let target = self.target(&config.to).map_err(fault)?;
        if let Origin::Theirs(other) = &self.columns[target].origin {
            let message = format!("\"{}\" already becomes {}; one column can have one source", other.title, config.to);
            return Err(fault(message));
        }
        let theirs = self.theirs(target, title, config);
        let theirs = theirs.map_err(|faults| faults.into_iter().flat_map(fault).collect::<Vec<_>>())?;
        self.columns[target].origin = Origin::Theirs(Box::new(theirs));
        Ok(())
    }

    /// How texts become values of one of our columns; every fault with its key.
    fn theirs(&self, target: usize, title: &str, config: &ColumnConfig) -> Result<Theirs, Vec<String>> {
        let column = &self.columns[target].column;
        let mut faults = Vec::new();
        let mut checked =
            |key: &str, result: Result<(), String>| faults.extend(result.err().map(|told| format!("{key}: {told}")));
        let mut theirs = Theirs {
            title: trimmed(title).to_owned(),
            factor: None,
            pattern: None,
            translations: HashMap::new(),
            nulls: config.null.clone(),
        };
        if let Some(scale) = &config.scale {
            checked("scale", factor(scale, column).map(|factor| theirs.factor = Some(factor)));
        }
        if let Some(format) = &config.format {
            checked("format", pattern(format, column).map(|pattern| theirs.pattern = Some(pattern)));
        }
        checked("codes", translations(&config.codes, column).map(|codes| theirs.translations = codes));
        if faults.is_empty() { Ok(theirs) } else { Err(faults) }
    }

    fn set_constant(&mut self, name: &str, value: &str) -> Result<(), String> {
        let target = self.target(name)?;
        if name == SOURCE_UPDATED_AT {
            return Err("the source's clock differs from row to row; map a column to it".into());
        }
        if let Origin::Theirs(theirs) = &self.columns[target].origin {
            return Err(format!("\"{}\" in [columns] already becomes {name}", theirs.title));
        }
        let mapped = &mut self.columns[target];
        mapped.origin = Origin::Constant(value.to_owned());
        // Only the zone of times is not known yet, and no constant depends on it being valid.
        let format = Format::new(&FormatConfig::default()).map_err(|_| "the default format is broken".to_owned())?;
        constant(&mapped.reader(target, &format), value).map(|_| ())
    }

    /// Position of one of our columns.
    fn target(&self, name: &str) -> Result<usize, String> {
        let names = || self.columns.iter().map(|mapped| mapped.column.name.as_str());
        names()
            .position(|candidate| candidate == name)
            .ok_or_else(|| format!("{} has no column \"{name}\"{}", self.dataset, hint(name, names())))
    }

    /// The columns of theirs that are wanted, in the order of the contract; a column that is computed
    /// wants those it is made of.
    pub(super) fn titles(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().flat_map(|mapped| mapped.title().into_iter().chain(mapped.made_of()))
    }

    /// Binds every column to the fields of a file; `field_of` gives the field with a title. The second
    /// answer are the columns of theirs that something is computed from and that the file lacks.
    pub(super) fn bind(
        &self,
        format: &Format,
        field_of: impl Fn(&str) -> Option<usize>,
    ) -> Result<(Vec<BoundColumn>, Vec<&str>), FileRefused> {
        let bind = |(position, mapped): (usize, &MappedColumn)| {
            let reader = mapped.reader(position, format);
            let source = match &mapped.origin {
                Origin::Constant(value) => Source::Constant(constant(&reader, value).map_err(|message| {
                    let rule = super::failure::Rule::ImpossibleTime;
                    FileRefused::new(
                        rule,
                        format!("常量无法读取：{message}"),
                        format!("a constant is wrong: {message}"),
                    )
                })?),
                Origin::SameName | Origin::Theirs(_) => field_of(&reader.title).map_or(Source::Absent, Source::Field),
                Origin::Computed(_, derive) => {
                    let fields = derive.columns().iter().filter_map(|title| field_of(title)).collect();
                    let schema = derive.columns().iter().map(|title| Field::new(title, DataType::Utf8, true));
                    let schema = Arc::new(Schema::new(schema.collect::<Vec<_>>()));
                    Source::Computed(Computed { derive: Arc::clone(derive), fields, schema })
                }
            };
            Ok(BoundColumn { reader, source })
        };
        let bound = self.columns.iter().enumerate().map(bind).collect::<Result<_, _>>()?;
        let mut missing: Vec<&str> = Vec::new();
        for title in self.columns.iter().flat_map(MappedColumn::made_of) {
            if field_of(title).is_none() && !missing.contains(&title) {
                missing.push(title);
            }
        }
        Ok((bound, missing))
    }
}

impl MappedColumn {
    fn same_name(column: &Column) -> Self {
        Self { column: column.clone(), origin: Origin::SameName }
    }

    /// What the file calls the column; `None` for a constant.
    fn title(&self) -> Option<&str> {
        match &self.origin {
            Origin::SameName => Some(&self.column.name),
            Origin::Theirs(theirs) => Some(&theirs.title),
            Origin::Constant(_) | Origin::Computed(..) => None,
        }
    }

    /// The columns of theirs that it is computed from.
    fn made_of(&self) -> impl Iterator<Item = &str> {
        let columns = match &self.origin {
            Origin::Computed(_, derive) => derive.columns(),
            _ => &[],
        };
        columns.iter().map(String::as_str)
    }

    fn reader(&self, position: usize, format: &Format) -> ColumnReader {
        let column = &self.column;
        let theirs = match &self.origin {
            Origin::Theirs(theirs) | Origin::Computed(theirs, _) => Some(theirs.as_ref()),
            _ => None,
        };
        let range = column.min.unwrap_or(i128::MIN)..=column.max.unwrap_or(i128::MAX);
        let shape = |precision, scale: i8| NumberShape {
            precision,
            scale: scale.unsigned_abs(),
            factor: theirs.and_then(|theirs| theirs.factor),
            thousands: format.thousands,
        };
        let pattern = theirs.and_then(|theirs| theirs.pattern.clone());
        let zone = format.zone;
        let kind = match column.kind {
            ColumnType::Text => Kind::Text { format: column.format },
            // Every 64-bit number has at most 19 digits.
            ColumnType::Int => Kind::Int { shape: shape(19, 0), range },
            ColumnType::Decimal { precision, scale } => Kind::Decimal { shape: shape(precision, scale), range },
            ColumnType::Date => Kind::Date { pattern, zone, range },
            ColumnType::Timestamp => Kind::Timestamp { pattern, zone },
            ColumnType::Bool => Kind::Bool,
        };
        ColumnReader {
            position,
            title: self.title().unwrap_or(&column.name).to_owned(),
            is_required: column.required,
            nulls: theirs.and_then(|theirs| theirs.nulls.clone()).unwrap_or_else(|| format.nulls.clone()),
            translations: theirs.map(|theirs| theirs.translations.clone()).unwrap_or_default(),
            list: column.codes.clone(),
            kind,
        }
    }
}

/// The source's own clock, a column that every dataset can have.
fn source_updated_at() -> Column {
    Column {
        name: SOURCE_UPDATED_AT.into(),
        kind: ColumnType::Timestamp,
        title: "来源更新时间".into(),
        title_en: "Updated at source".into(),
        description: String::new(),
        required: false,
        empty_means_all: false,
        codes: Vec::new(),
        min: None,
        max: None,
        format: None,
        known: None,
        event: false,
        sensitive: false,
        unit: String::new(),
    }
}

fn factor(scale: &str, column: &Column) -> Result<Factor, String> {
    if !matches!(column.kind, ColumnType::Int | ColumnType::Decimal { .. }) {
        return Err(format!("{} is {}, not a number to be scaled", column.name, column.kind.notation()));
    }
    Factor::parse(scale).ok_or_else(|| format!("\"{scale}\" is no positive number such as 10000 or 0.01"))
}

fn pattern(format: &str, column: &Column) -> Result<Pattern, String> {
    if !matches!(column.kind, ColumnType::Date | ColumnType::Timestamp) {
        return Err(format!("{} is {}, which has no format", column.name, column.kind.notation()));
    }
    Pattern::parse(format)
}

/// Codes of theirs, as they stand there after trimming, and ours.
fn translations(codes: &BTreeMap<String, String>, column: &Column) -> Result<HashMap<String, String>, String> {
    for (theirs, ours) in codes {
        if ours.is_empty() {
            return Err(format!("\"{theirs}\" becomes nothing; list it in null instead"));
        }
        if !column.codes.is_empty() && !column.codes.contains(ours) {
            let hint = hint(ours, column.codes.iter().map(String::as_str));
            return Err(format!("\"{ours}\" is no code of {}: {}{hint}", column.name, column.codes.join(", ")));
        }
    }
    Ok(codes.iter().map(|(theirs, ours)| (trimmed(theirs).to_owned(), ours.clone())).collect())
}

/// Reads a constant into an array of one.
fn constant(reader: &ColumnReader, value: &str) -> Result<ArrayRef, String> {
    struct One<'a>(&'a str);
    impl Cells for One<'_> {
        fn rows(&self) -> usize {
            1
        }

        fn cell(&self, _: usize, _: usize) -> Cell<'_> {
            Cell::Plain(self.0)
        }

        fn plain(&self, _: usize, _: usize) -> &[u8] {
            self.0.as_bytes()
        }
    }
    let mut findings = Findings::default();
    let array = reader.read_all(&One(value), 0, &mut findings);
    match findings.failures.into_iter().next() {
        Some(failure) => Err(failure.message.en),
        None if trimmed(value).is_empty() => Err("it is empty; leave it out instead".into()),
        None => Ok(array),
    }
}

#[cfg(test)]
mod tests {
    use anze_warehouse::contract::builtin;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Feed {
        #[serde(default)]
        columns: BTreeMap<String, ColumnConfig>,
        #[serde(default)]
        constants: BTreeMap<String, ConstantConfig>,
    }

    fn mapping(toml: &str) -> Result<Mapping, Vec<String>> {
        let feed: Feed = toml::from_str(toml).unwrap();
        Mapping::new(&feed.columns, &feed.constants, builtin().dataset("policy").unwrap())
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_example_of_the_interface_is_valid() {
        let mapping = mapping(
            r#"
            [columns]
            "保单号" = "policy_no"
            "保费(万元)" = { to = "premium_written", scale = 10000 }
            "起保日期" = { to = "inception", format = "%Y/%m/%d" }
            "行业" = { to = "sector", codes = { "矿山" = "mine", "危险化学品" = "hazchem" } }
            "更新时间" = "source_updated_at"
            [constants]
            insurer_code = "PICC"
            "#,
        )
        .unwrap();
        let titles: Vec<_> = mapping.titles().collect();
        assert_eq!(titles[0], "保单号");
        assert_eq!(titles[1], "unit_id", "not named, so it keeps our name");
        assert!(!titles.contains(&"insurer_code"));
        assert_eq!(titles.last(), Some(&"更新时间"));
    }

    #[test]
    fn every_fault_names_its_key_and_what_to_do() {
        for (toml, told) in [
            ("columns.a = 'policyno'", "columns.a: policy has no column \"policyno\"; did you mean \"policy_no\"?"),
            ("columns.a = 'policy_no'\ncolumns.b = 'policy_no'", "columns.b: \"a\" already becomes policy_no"),
            ("columns.a = 'sector'\nconstants.sector = 'mine'", "constants.sector: \"a\" in [columns] already"),
            ("columns.a = { to = 'policy_no', scale = 10 }", "columns.a: scale: policy_no is text, not a number"),
            ("columns.a = { to = 'premium_written', scale = -1 }", "columns.a: scale: \"-1\" is no positive number"),
            (
                "columns.a = { to = 'premium_written', format = '%F' }",
                "columns.a: format: premium_written is decimal(18,2)",
            ),
            ("columns.a = { to = 'inception', format = '%Y/%q' }", "columns.a: format: \"%q\""),
            ("columns.a = { to = 'policy_type', codes = { x = 'anual' } }", "did you mean \"annual\"?"),
            ("columns.a = { to = 'policy_type', codes = { x = '' } }", "list it in null instead"),
            (
                "constants.sektor = 'mine'",
                "constants.sektor: policy has no column \"sektor\"; did you mean \"sector\"?",
            ),
            ("constants.premium_written = '1.234'", "too many digits after the point"),
            ("constants.sector = ''", "constants.sector: "),
            ("constants.source_updated_at = '2026-01-01 00:00:00'", "differs from row to row"),
            ("constants.batch_id = 'x'", "policy has no column \"batch_id\""),
        ] {
            let faults = mapping(toml).unwrap_err();
            assert!(faults.len() == 1 && faults[0].contains(told), "{toml}: {faults:?}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let faults =
            mapping("columns.a = 'x'\ncolumns.b = { to = 'inception', scale = 2, format = '%q' }\nconstants.y = 1");
        assert_eq!(faults.unwrap_err().len(), 4);
    }

    #[test]
    fn an_unknown_key_of_a_column_is_refused() {
        let error = toml::from_str::<BTreeMap<String, ColumnConfig>>("a = { to = 'b', skale = 10 }").unwrap_err();
        assert!(error.to_string().contains("skale"), "{error}");
        let error = toml::from_str::<BTreeMap<String, ColumnConfig>>("a = 3").unwrap_err();
        assert!(error.to_string().contains("the name of a column"), "{error}");
    }

    #[test]
    fn a_scale_may_be_written_as_any_number() {
        for scale in ["10000", "0.0001", "'0.01'", "1.5"] {
            let toml = format!("columns.a = {{ to = 'premium_written', scale = {scale} }}");
            assert!(mapping(&toml).is_ok(), "{scale}");
        }
    }
}
