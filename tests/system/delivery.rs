//! What senders deliver: policies as an insurer writes them (GB18030, Chinese titles, premiums in
//! 万元), with the small feeds that they need.

use crate::deployment::Deployment;

/// The titles of a policy file in GB18030: 保单号, 统一社会信用代码, 保险机构, 行业, 行政区划, 保单类型,
/// 起保日期, 终保日期, 签单时间, 保费(万元), 承保人数, 产品, 更新时间.
pub const POLICY_HEADER: &[u8] = b"\xb1\xa3\xb5\xa5\xba\xc5,\xcd\xb3\xd2\xbb\xc9\xe7\xbb\xe1\xd0\xc5\xd3\xc3\xb4\xfa\
\xc2\xeb,\xb1\xa3\xcf\xd5\xbb\xfa\xb9\xb9,\xd0\xd0\xd2\xb5,\xd0\xd0\xd5\xfe\xc7\xf8\xbb\xae,\xb1\xa3\xb5\xa5\xc0\xe0\
\xd0\xcd,\xc6\xf0\xb1\xa3\xc8\xd5\xc6\xda,\xd6\xd5\xb1\xa3\xc8\xd5\xc6\xda,\xc7\xa9\xb5\xa5\xca\xb1\xbc\xe4,\xb1\xa3\
\xb7\xd1(\xcd\xf2\xd4\xaa),\xb3\xd0\xb1\xa3\xc8\xcb\xca\xfd,\xb2\xfa\xc6\xb7,\xb8\xfc\xd0\xc2\xca\xb1\xbc\xe4";

/// 安责险 in GB18030.
const PRODUCT: &[u8] = b"\xb0\xb2\xd4\xf0\xcf\xd5";

const POLICY_FEED: &str = r#"
title = "保单"
dataset = "policy"
reporter = "PICC"

[source]
kind = "directory"
path = "inbox/policies"

[format]
kind = "csv"
encoding = "gb18030"

[columns]
"保单号" = "policy_no"
"统一社会信用代码" = "unit_id"
"保险机构" = "insurer_code"
"行业" = { to = "sector", codes = { "K" = "mine" } }
"行政区划" = "region_code"
"保单类型" = "policy_type"
"起保日期" = { to = "inception", format = "%Y/%m/%d" }
"终保日期" = { to = "expiry", format = "%Y/%m/%d" }
"签单时间" = "issued_at"
"保费(万元)" = { to = "premium_written", scale = 10000 }
"承保人数" = "insured_persons"
"产品" = "product_code"
"更新时间" = "source_updated_at"

[contract]
max_quarantined = "20%"
"#;

/// One line of a policy file, field by field, in the order of the header.
#[derive(Clone)]
pub struct PolicyLine(Vec<Vec<u8>>);

/// Places in a line.
pub const UNIT: usize = 1;
pub const INSURER: usize = 2;
pub const SECTOR: usize = 3;
pub const REGION: usize = 4;
pub const POLICY_TYPE: usize = 5;
pub const INCEPTION: usize = 6;
pub const EXPIRY: usize = 7;
pub const ISSUED_AT: usize = 8;
pub const PREMIUM: usize = 9;
pub const PERSONS: usize = 10;
pub const PRODUCT_CODE: usize = 11;
pub const UPDATED_AT: usize = 12;

impl PolicyLine {
    /// A sound line: policy `P<number>` of unit `U<number>`.
    pub fn sound(number: usize) -> Self {
        let (policy, unit) = (format!("P{number:04}"), format!("U{number:04}"));
        let mut fields: Vec<Vec<u8>> = [
            policy.as_str(),
            unit.as_str(),
            "PICC",
            "K",
            "330102",
            "annual",
            "2025/02/01",
            "2026/02/01",
            "2025-01-20 09:30:00",
            "1.25",
            "12",
        ]
        .iter()
        .map(|field| field.as_bytes().to_vec())
        .collect();
        fields.push(PRODUCT.to_vec());
        fields.push(b"2025-02-10 08:00:00".to_vec());
        Self(fields)
    }

    /// The same with another value in one place.
    pub fn with(mut self, place: usize, value: impl AsRef<[u8]>) -> Self {
        self.0[place] = value.as_ref().to_vec();
        self
    }

    /// The same with a further field.
    pub fn longer(mut self) -> Self {
        self.0.push(b"extra".to_vec());
        self
    }

    /// The same, broken off in the middle.
    pub fn truncated(mut self) -> Self {
        self.0.truncate(6);
        self
    }

    /// The bytes that are written, without the line end.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.join(&b","[..])
    }
}

/// A whole policy file.
pub fn policy_file(lines: &[PolicyLine]) -> Vec<u8> {
    let mut file = POLICY_HEADER.to_vec();
    file.extend(b"\r\n");
    for line in lines {
        file.extend(line.bytes());
        file.extend(b"\r\n");
    }
    file
}

/// The text of a feed that reads UTF-8 files with our own titles from a folder of the inbox.
pub fn plain_feed(dataset: &str, reporter: &str, folder: &str) -> String {
    format!(
        "dataset = \"{dataset}\"\nreporter = \"{reporter}\"\n\n[source]\nkind = \"directory\"\npath = \"inbox/{folder}\"\n\n\
         [format]\nkind = \"csv\"\n\n[contract]\nmax_quarantined = \"20%\"\n"
    )
}

/// A deployment with the feeds `insurers` (one file with PICC and CPIC) and `policies` (no file yet).
pub fn insurer_with_policies() -> Deployment {
    let deployment = Deployment::new();
    deployment.write("feeds/insurers.toml", plain_feed("insurer", "NFRA", "insurers"));
    deployment.write("inbox/insurers/insurers.csv", "code,name\nPICC,人保财险\nCPIC,太保产险\n");
    deployment.write("feeds/policies.toml", POLICY_FEED);
    deployment.write("inbox/policies/.keep", "");
    deployment
}
