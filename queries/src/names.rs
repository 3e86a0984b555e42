//! Names of the members of dimensions: code lists said here, reference data from the release.

use std::collections::HashMap;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::cast;
use datafusion::prelude::{SessionContext, col};

use crate::dimension::{Dimension, UNKNOWN};
use crate::error::Result;

/// Code, Chinese name, English name.
type CodeList = &'static [(&'static str, &'static str, &'static str)];

const SIZES: CodeList =
    &[("L", "大型", "Large"), ("M", "中型", "Medium"), ("S", "小型", "Small"), ("XS", "微型", "Micro")];

const DEPARTMENTS: CodeList = &[
    ("emergency", "应急管理部门", "Emergency management"),
    ("defence_industry", "国防科工主管部门", "Defence industry"),
    ("construction", "建设主管部门", "Construction"),
    ("transport", "交通运输部门", "Transport"),
    ("agriculture_fishery", "农业农村(渔业)部门", "Agriculture and fishery"),
    ("other", "其他部门", "Other"),
];

const SERVICE_TYPES: CodeList = &[
    ("T1", "宣传教育培训", "Education and training"),
    ("T2", "风险辨识、评估与安全评价", "Risk assessment"),
    ("T3", "安全生产标准化建设", "Standardisation"),
    ("T4", "隐患排查", "Hazard inspection"),
    ("T5", "应急预案编制与演练", "Emergency plans and drills"),
    ("T6", "安全生产科技推广应用", "Technology"),
    ("T9", "其他", "Other"),
];

const VIOLATIONS: CodeList = &[
    ("uninsured", "应保未保", "Uninsured"),
    ("under_headcount", "未覆盖全体从业人员", "Too few persons insured"),
    ("under_limit", "保额不足", "Limit too low"),
    ("false_insurance", "虚假投保", "False insurance"),
    ("irregular_underwriting", "违规承保", "Irregular underwriting"),
    ("irregular_service", "事故预防服务不规范", "Irregular service"),
];

/// English names of the sectors of domain.md; their Chinese names are reference data.
const SECTORS: CodeList = &[
    ("mine", "", "Mining"),
    ("hazchem", "", "Hazardous chemicals"),
    ("fireworks", "", "Fireworks"),
    ("transport", "", "Transport"),
    ("construction", "", "Construction"),
    ("civil_explosives", "", "Civil explosives"),
    ("metallurgy", "", "Metallurgy"),
    ("fishery", "", "Fishery"),
    ("other", "", "Other"),
];

/// The codes of a dimension whose members are a code list.
fn code_list(dimension: Dimension) -> Option<CodeList> {
    match dimension {
        Dimension::Size => Some(SIZES),
        Dimension::Department => Some(DEPARTMENTS),
        Dimension::ServiceType => Some(SERVICE_TYPES),
        Dimension::Violation => Some(VIOLATIONS),
        _ => None,
    }
}

/// Whether a code is one of the sectors of datasets.md.
pub(crate) fn is_sector(code: &str) -> bool {
    SECTORS.iter().any(|(known, _, _)| *known == code)
}

/// The English name of a member, where the product knows one.
pub fn name_en(dimension: Dimension, code: &str) -> Option<&'static str> {
    if code == UNKNOWN {
        return Some("Unknown");
    }
    let list = match dimension {
        Dimension::Sector => SECTORS,
        other => code_list(other)?,
    };
    list.iter().find(|(known, _, _)| *known == code).map(|(_, _, english)| *english)
}

/// The Chinese name of a place; a code without a name names itself.
///
/// # Errors
/// Internal.
pub async fn region_name(release: &std::sync::Arc<anze_warehouse::Release>, code: &str) -> Result<String> {
    let observed = crate::session::observed(release, None).await?;
    Ok(observed.names.name(Dimension::City, code))
}

/// The names that a release's reference data gives.
#[derive(Debug, Default)]
pub(crate) struct Names {
    regions: HashMap<String, String>,
    sectors: HashMap<String, String>,
    insurers: HashMap<String, String>,
    agencies: HashMap<String, String>,
}

impl Names {
    /// Reads the reference datasets of a session's release.
    pub(crate) async fn read(session: &SessionContext) -> Result<Self> {
        Ok(Self {
            regions: pairs(session, "region", "code").await?,
            sectors: pairs(session, "sector", "code").await?,
            insurers: pairs(session, "insurer", "code").await?,
            agencies: pairs(session, "agency", "uscc").await?,
        })
    }

    /// The Chinese name of a member; a code without a name names itself.
    pub(crate) fn name(&self, dimension: Dimension, code: &str) -> String {
        if code == UNKNOWN {
            return "未知".to_owned();
        }
        let known = match (self.reference(dimension), code_list(dimension)) {
            (Some(names), _) => names.get(code).map(String::as_str),
            (None, Some(list)) => list.iter().find(|(known, _, _)| *known == code).map(|(_, name, _)| *name),
            (None, None) => None,
        };
        known.unwrap_or(code).to_owned()
    }

    /// The members that a dimension can have, where they are known; in no order.
    pub(crate) fn members(&self, dimension: Dimension) -> Option<Vec<&str>> {
        match (self.reference(dimension), code_list(dimension)) {
            (Some(names), _) if names.is_empty() => None,
            // A service names its agency whether or not that is in the register yet.
            (Some(_), _) if dimension == Dimension::Agency => None,
            (Some(names), _) => Some(names.keys().map(String::as_str).collect()),
            (None, Some(list)) => Some(list.iter().map(|(code, _, _)| *code).collect()),
            (None, None) => None,
        }
    }

    fn reference(&self, dimension: Dimension) -> Option<&HashMap<String, String>> {
        match dimension {
            Dimension::City | Dimension::County => Some(&self.regions),
            Dimension::Sector => Some(&self.sectors),
            Dimension::Insurer => Some(&self.insurers),
            Dimension::Agency => Some(&self.agencies),
            _ => None,
        }
    }
}

async fn pairs(session: &SessionContext, table: &str, code: &str) -> Result<HashMap<String, String>> {
    let text = |name: &str| cast(col(name), DataType::Utf8);
    let rows = session.table(table).await?.select(vec![text(code), text("name")])?;
    let mut pairs = HashMap::new();
    for batch in rows.collect().await? {
        let (codes, names) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        pairs.extend(codes.iter().zip(names).filter_map(|(code, name)| Some((code?.to_owned(), name?.to_owned()))));
    }
    Ok(pairs)
}
