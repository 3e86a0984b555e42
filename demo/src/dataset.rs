//! The datasets as the reporting parties know them: the columns in the order in which a sender
//! writes them, what a sender with Chinese files calls them, and what kind of value stands there.

/// A dataset some party reports. `region`, `sector` and `calendar` are shipped, not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dataset {
    Insurer,
    Agency,
    ServiceNorm,
    Rule,
    Unit,
    Roster,
    Deferral,
    Policy,
    PremiumReceipt,
    Service,
    Hazard,
    Expense,
    Budget,
    Claim,
    Accident,
    Complaint,
    Visit,
    Inspection,
}

pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) zh: &'static str,
    pub(super) kind: Kind,
}

/// What stands in a column; decides how a dialect writes it and how it can be broken.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Key,
    Text,
    CreditCode,
    Region,
    Insurer,
    Codes(&'static [(&'static str, &'static str)]),
    Int,
    Money,
    Ratio,
    Day,
    /// A day that may not lie in the future when the file lands.
    EventDay,
    EventMoment,
    Flag,
}

const SECTORS: Kind = Kind::Codes(&[
    ("mine", "矿山"),
    ("hazchem", "危险化学品"),
    ("fireworks", "烟花爆竹"),
    ("transport", "交通运输"),
    ("construction", "建筑施工"),
    ("civil_explosives", "民用爆炸物品"),
    ("metallurgy", "金属冶炼"),
    ("fishery", "渔业生产"),
    ("other", "其他"),
]);
const SIZES: Kind = Kind::Codes(&[("L", "大型"), ("M", "中型"), ("S", "小型"), ("XS", "微型")]);
const DEPARTMENTS: Kind = Kind::Codes(&[
    ("emergency", "应急管理"),
    ("defence_industry", "国防科工"),
    ("construction", "建设"),
    ("transport", "交通运输"),
    ("agriculture_fishery", "农业农村"),
    ("other", "其他"),
]);
const KINDS_OF_COVER: Kind = Kind::Codes(&[("annual", "年度"), ("project", "项目")]);
const SUBJECTS: Kind = Kind::Codes(&[("unit", "生产经营单位"), ("insurer", "保险机构"), ("agency", "服务机构")]);

const fn column(name: &'static str, zh: &'static str, kind: Kind) -> Column {
    Column { name, zh, kind }
}

const INSURER: &[Column] = &[
    column("code", "机构代码", Kind::Key),
    column("name", "机构名称", Kind::Text),
    column("uscc", "统一社会信用代码", Kind::CreditCode),
    column("regulator", "监管机构", Kind::Text),
];

const AGENCY: &[Column] = &[
    column("uscc", "统一社会信用代码", Kind::CreditCode),
    column("name", "机构名称", Kind::Text),
    column("qualification", "资质", Kind::Text),
    column("expert_count", "专家人数", Kind::Int),
    column("equipment", "技术装备", Kind::Text),
    column("region_code", "行政区划", Kind::Region),
    column("valid_from", "资质起", Kind::Day),
    column("valid_to", "资质止", Kind::Day),
];

const SERVICE_NORM: &[Column] = &[
    column("region_code", "行政区划", Kind::Text),
    column("sector", "行业", SECTORS),
    column("size", "规模", SIZES),
    column("effective_from", "施行日期", Kind::Day),
    column("effective_to", "废止日期", Kind::Day),
    column("visits_per_year", "每年次数", Kind::Int),
    column("issued_by", "印发单位", Kind::Text),
    column("issued_on", "印发日期", Kind::Day),
    column("document_no", "文号", Kind::Text),
];

const RULE: &[Column] = &[
    column("rule_id", "规则", Kind::Key),
    column("region_code", "行政区划", Kind::Region),
    column("sector", "行业", Kind::Text),
    column("effective_from", "施行日期", Kind::Day),
    column("effective_to", "废止日期", Kind::Day),
    column("value", "数值", Kind::Money),
    column("unit", "单位", Kind::Text),
    column("basis", "依据", Kind::Text),
];

const UNIT: &[Column] = &[
    column("unit_id", "单位编号", Kind::CreditCode),
    column(
        "id_kind",
        "编号类型",
        Kind::Codes(&[("uscc", "信用代码"), ("vessel", "渔船"), ("permit", "经营许可"), ("project", "工程项目")]),
    ),
    column("name", "单位名称", Kind::Text),
    column("region_code", "行政区划", Kind::Region),
    column("address", "地址", Kind::Text),
    column("sector", "行业", SECTORS),
    column("industry_code", "国民经济行业", Kind::Text),
    column("size", "规模", SIZES),
    column("employees", "从业人数", Kind::Int),
    column("risk_level", "风险等级", Kind::Codes(&[("red", "红"), ("orange", "橙"), ("yellow", "黄"), ("blue", "蓝")])),
    column("standardisation_level", "标准化等级", Kind::Int),
    column("status", "状态", Kind::Codes(&[("open", "在业"), ("closed", "关闭"), ("suspended", "停业")])),
];

const ROSTER: &[Column] = &[
    column("unit_id", "单位编号", Kind::Key),
    column("sector", "行业", SECTORS),
    column("valid_from", "纳入日期", Kind::Day),
    column("valid_to", "移出日期", Kind::Day),
    column("department", "主管部门", DEPARTMENTS),
    column("region_code", "行政区划", Kind::Region),
    column("kind", "应保类型", KINDS_OF_COVER),
    column("reason", "纳入原因", Kind::Text),
];

const DEFERRAL: &[Column] = &[
    column("unit_id", "单位编号", Kind::Key),
    column("insurer_code", "保险机构", Kind::Insurer),
    column("valid_from", "暂缓起", Kind::Day),
    column("valid_to", "暂缓止", Kind::Day),
    column("hazard_no", "隐患编号", Kind::Text),
    column("document_no", "文书编号", Kind::Text),
];

const POLICY: &[Column] = &[
    column("policy_no", "保单号", Kind::Key),
    column("unit_id", "被保险单位编号", Kind::Key),
    column("insurer_code", "保险机构", Kind::Insurer),
    column("branch_region_code", "出单机构区划", Kind::Region),
    column("product_code", "产品代码", Kind::Text),
    column(
        "coinsurance_role",
        "共保身份",
        Kind::Codes(&[("none", "独立承保"), ("lead", "主承保"), ("follow", "从共保")]),
    ),
    column("coinsurance_share", "共保份额", Kind::Ratio),
    column("sector", "行业", SECTORS),
    column("region_code", "行政区划", Kind::Region),
    column("policy_type", "保单类型", KINDS_OF_COVER),
    column("inception", "起保日期", Kind::Day),
    column("expiry", "终保日期", Kind::Day),
    column("issued_at", "签单时间", Kind::EventMoment),
    column("premium_written", "保费", Kind::Money),
    column("commission_rate", "手续费率", Kind::Ratio),
    column("death_limit_per_person", "每人死亡限额", Kind::Money),
    column("aggregate_limit", "累计限额", Kind::Money),
    column("insured_persons", "投保人数", Kind::Int),
    column("employees_declared", "申报人数", Kind::Int),
    column("base_rate", "基准费率", Kind::Ratio),
    column("float_factor", "浮动系数", Kind::Ratio),
    column("previous_policy_no", "上年保单号", Kind::Text),
    column("endorsement_no", "批改次数", Kind::Int),
    column("cancelled_on", "退保日期", Kind::Day),
    column("cancel_reason", "退保原因", Kind::Codes(&[("closure", "关停"), ("switch", "转保"), ("other", "其他原因")])),
];

const PREMIUM_RECEIPT: &[Column] = &[
    column("receipt_no", "收据号", Kind::Key),
    column("policy_no", "保单号", Kind::Text),
    column("insurer_code", "保险机构", Kind::Insurer),
    column("amount", "实收金额", Kind::Money),
    column("received_on", "到账日期", Kind::EventDay),
    column(
        "payer_kind",
        "付款人",
        Kind::Codes(&[("unit", "投保单位"), ("employee", "从业人员"), ("third_party", "第三方")]),
    ),
    column(
        "funds",
        "资金来源",
        Kind::Codes(&[("safety_fund", "安全生产费用"), ("project_cost", "工程造价"), ("other", "其他资金")]),
    ),
];

const SERVICE: &[Column] = &[
    column("service_no", "服务编号", Kind::Key),
    column("policy_no", "保单号", Kind::Text),
    column("unit_id", "被服务单位编号", Kind::Text),
    column("insurer_code", "保险机构", Kind::Insurer),
    column("sector", "行业", SECTORS),
    column("region_code", "行政区划", Kind::Region),
    column(
        "service_type",
        "服务类型",
        Kind::Codes(&[
            ("T1", "宣传教育培训"),
            ("T2", "风险辨识评估"),
            ("T3", "标准化建设"),
            ("T4", "隐患排查"),
            ("T5", "应急预案演练"),
            ("T6", "科技推广应用"),
            ("T9", "其他服务"),
        ]),
    ),
    column("provider_kind", "服务方式", Kind::Codes(&[("own", "自行服务"), ("agency", "委托机构")])),
    column("agency_uscc", "服务机构代码", Kind::CreditCode),
    column("plan_no", "计划编号", Kind::Text),
    column("planned_on", "计划日期", Kind::Day),
    column("started_at", "开始时间", Kind::EventMoment),
    column("finished_at", "结束时间", Kind::EventMoment),
    column("unit_confirmed_at", "单位确认时间", Kind::EventMoment),
    column("insurer_confirmed_at", "保险机构确认时间", Kind::EventMoment),
    column("place", "地点", Kind::Text),
    column("items", "服务项目", Kind::Text),
    column("measures", "整改建议", Kind::Text),
    column("record_uri", "服务记录", Kind::Text),
    column("lead_expert", "带队专家", Kind::Text),
    column("experts", "专家人数", Kind::Int),
    column("attendees", "参加人数", Kind::Int),
    column("satisfaction", "满意度", Kind::Int),
    column("revisited_on", "回访日期", Kind::EventDay),
    column("declined_on", "拒绝服务日期", Kind::EventDay),
];

const HAZARD: &[Column] = &[
    column("hazard_no", "隐患编号", Kind::Key),
    column("service_no", "服务编号", Kind::Text),
    column("unit_id", "单位编号", Kind::Text),
    column("grade", "隐患等级", Kind::Codes(&[("general", "一般"), ("major", "重大")])),
    column("category", "隐患类别", Kind::Text),
    column("found_at", "发现时间", Kind::EventMoment),
    column("unit_notified_at", "告知单位时间", Kind::EventMoment),
    column("department_notified_at", "报告部门时间", Kind::EventMoment),
    column("due_on", "整改期限", Kind::Day),
    column("rectified_on", "整改完成日期", Kind::EventDay),
    column("verified_on", "复核日期", Kind::EventDay),
];

const EXPENSE: &[Column] = &[
    column("line_no", "台账行号", Kind::Key),
    column("insurer_code", "保险机构", Kind::Insurer),
    column("service_no", "服务编号", Kind::Text),
    column("policy_no", "保单号", Kind::Text),
    column("category", "费用类别", Kind::Text),
    column("amount", "金额", Kind::Money),
    column("incurred_on", "发生日期", Kind::EventDay),
    column("booked_on", "记账日期", Kind::EventDay),
    column("paid_on", "付款日期", Kind::EventDay),
    column("payee_uscc", "收款方代码", Kind::CreditCode),
    column("voucher_no", "凭证号", Kind::Text),
    column("reverses_line_no", "冲销行号", Kind::Text),
    column("budget_year", "预算年度", Kind::Int),
];

const BUDGET: &[Column] = &[
    column("insurer_code", "保险机构", Kind::Insurer),
    column("year", "年度", Kind::Int),
    column("amount", "预算金额", Kind::Money),
    column("reported_spend", "自报支出", Kind::Money),
];

const CLAIM: &[Column] = &[
    column("claim_no", "赔案号", Kind::Key),
    column("policy_no", "保单号", Kind::Text),
    column("unit_id", "出险单位编号", Kind::Text),
    column("insurer_code", "保险机构", Kind::Insurer),
    column("accident_no", "事故编号", Kind::Text),
    column("accident_at", "出险时间", Kind::EventMoment),
    column("reported_at", "报案时间", Kind::EventMoment),
    column("filed_at", "立案时间", Kind::EventMoment),
    column("documents_complete_at", "资料齐全时间", Kind::EventMoment),
    column("assessed_at", "核定时间", Kind::EventMoment),
    column("agreed_at", "达成协议时间", Kind::EventMoment),
    column("advance_amount", "预付金额", Kind::Money),
    column("advance_paid_at", "预付时间", Kind::EventMoment),
    column("paid_amount", "赔款金额", Kind::Money),
    column("paid_at", "赔付时间", Kind::EventMoment),
    column("reserve", "未决准备金", Kind::Money),
    column("refused_at", "拒赔时间", Kind::EventMoment),
    column("refusal_notified_at", "拒赔通知时间", Kind::EventMoment),
    column("closed_at", "结案时间", Kind::EventMoment),
    column("deaths", "死亡人数", Kind::Int),
    column("injuries", "受伤人数", Kind::Int),
];

const ACCIDENT: &[Column] = &[
    column("accident_no", "事故编号", Kind::Key),
    column("unit_id", "单位编号", Kind::Text),
    column("region_code", "行政区划", Kind::Region),
    column("sector", "行业", SECTORS),
    column("occurred_at", "发生时间", Kind::EventMoment),
    column(
        "grade",
        "事故等级",
        Kind::Codes(&[
            ("general", "一般事故"),
            ("larger", "较大事故"),
            ("major", "重大事故"),
            ("extraordinary", "特别重大事故"),
        ]),
    ),
    column("deaths", "死亡人数", Kind::Int),
    column("serious_injuries", "重伤人数", Kind::Int),
    column("direct_loss", "直接经济损失", Kind::Money),
];

const COMPLAINT: &[Column] = &[
    column("complaint_no", "投诉编号", Kind::Key),
    column("insurer_code", "保险机构", Kind::Insurer),
    column("unit_id", "投诉单位编号", Kind::Text),
    column("received_at", "收到时间", Kind::EventMoment),
    column("kind", "投诉类型", Kind::Text),
    column("needs_verification", "需调查核实", Kind::Flag),
    column("replied_at", "答复时间", Kind::EventMoment),
    column("extended_days", "延长天数", Kind::Int),
];

const VISIT: &[Column] = &[
    column("visit_no", "检查编号", Kind::Key),
    column("department", "检查部门", DEPARTMENTS),
    column("subject_kind", "检查对象类型", SUBJECTS),
    column("subject_id", "检查对象编号", Kind::Text),
    column("region_code", "行政区划", Kind::Region),
    column("sector", "行业", SECTORS),
    column("visited_on", "检查日期", Kind::EventDay),
];

const INSPECTION: &[Column] = &[
    column("finding_no", "问题编号", Kind::Key),
    column("visit_no", "检查编号", Kind::Text),
    column("subject_kind", "检查对象类型", SUBJECTS),
    column("subject_id", "检查对象编号", Kind::Text),
    column("department", "检查部门", DEPARTMENTS),
    column("region_code", "行政区划", Kind::Region),
    column("sector", "行业", SECTORS),
    column("found_on", "发现日期", Kind::EventDay),
    column(
        "violation",
        "违法行为",
        Kind::Codes(&[
            ("uninsured", "应保未保"),
            ("under_headcount", "未覆盖全员"),
            ("under_limit", "保额不足"),
            ("false_insurance", "虚假投保"),
            ("irregular_underwriting", "违规承保"),
            ("irregular_service", "服务不规范"),
        ]),
    ),
    column("penalty_amount", "罚款金额", Kind::Money),
    column("corrected_on", "整改日期", Kind::EventDay),
];

impl Dataset {
    pub(super) const ALL: [Dataset; 18] = [
        Dataset::Insurer,
        Dataset::Agency,
        Dataset::ServiceNorm,
        Dataset::Rule,
        Dataset::Unit,
        Dataset::Roster,
        Dataset::Deferral,
        Dataset::Policy,
        Dataset::PremiumReceipt,
        Dataset::Service,
        Dataset::Hazard,
        Dataset::Expense,
        Dataset::Budget,
        Dataset::Claim,
        Dataset::Accident,
        Dataset::Complaint,
        Dataset::Visit,
        Dataset::Inspection,
    ];

    /// The public name, its Chinese title and its columns.
    fn layout(self) -> (&'static str, &'static str, &'static [Column]) {
        match self {
            Dataset::Insurer => ("insurer", "保险机构", INSURER),
            Dataset::Agency => ("agency", "服务机构", AGENCY),
            Dataset::ServiceNorm => ("service_norm", "服务规范", SERVICE_NORM),
            Dataset::Rule => ("rule", "规则", RULE),
            Dataset::Unit => ("unit", "生产经营单位", UNIT),
            Dataset::Roster => ("roster", "应保底数", ROSTER),
            Dataset::Deferral => ("deferral", "暂缓承保", DEFERRAL),
            Dataset::Policy => ("policy", "保单", POLICY),
            Dataset::PremiumReceipt => ("premium_receipt", "保费实收", PREMIUM_RECEIPT),
            Dataset::Service => ("service", "事故预防服务", SERVICE),
            Dataset::Hazard => ("hazard", "隐患", HAZARD),
            Dataset::Expense => ("expense", "预防费用台账", EXPENSE),
            Dataset::Budget => ("budget", "预防费用预算", BUDGET),
            Dataset::Claim => ("claim", "赔案", CLAIM),
            Dataset::Accident => ("accident", "事故", ACCIDENT),
            Dataset::Complaint => ("complaint", "投诉", COMPLAINT),
            Dataset::Visit => ("visit", "执法检查", VISIT),
            Dataset::Inspection => ("inspection", "执法发现问题", INSPECTION),
        }
    }

    pub(super) fn name(self) -> &'static str {
        self.layout().0
    }

    pub(super) fn zh(self) -> &'static str {
        self.layout().1
    }

    pub(super) fn columns(self) -> &'static [Column] {
        self.layout().2
    }
}
