//! The 35 insurers of the demo: who they are, how much of the market each has in each city, how
//! they report and how they behave. All are invented, and so is what they do wrong.

use super::chance::{Chance, Seed, Stream, running_sums};
use super::credit_code::credit_code;
use super::day::Day;
use super::province::CITIES;

pub(super) type InsurerNo = usize;

pub(super) struct Insurer {
    pub(super) code: &'static str,
    pub(super) name: String,
    pub(super) uscc: String,
    pub(super) regulator: &'static str,
    /// The first day it may sell, for the newcomer.
    pub(super) opens: Option<Day>,
    pub(super) conduct: Conduct,
}

/// A way of breaking the rules that one insurer is known for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Misbehaviour {
    SpendUnderFifteenPercent,
    SpendOverCap,
    AccrualOnlyLedger,
    SlowClaims,
    CommissionOverCap,
    PremiumFromEmployees,
    UnderDeathLimit,
    LowPrice,
    MajorHazardsUnreported,
    ShamServices,
    FewServices,
    DivertedFunds,
    MisreportedSpend,
}

/// How an insurer goes about its business: shares of its cases, and factors on what is usual.
#[derive(Clone)]
pub(super) struct Conduct {
    /// Prevention spend per collected premium that it aims at.
    pub(super) spend: f64,
    pub(super) accrual_only: bool,
    /// Number of services, against what is usual.
    pub(super) service_effort: f64,
    /// Days a claim takes, against what is usual.
    pub(super) claim_days: f64,
    pub(super) commission_over_cap: f64,
    pub(super) paid_by_employees: f64,
    pub(super) under_limit: f64,
    pub(super) low_price: f64,
    pub(super) major_hazard_kept_back: f64,
    pub(super) sham_service: f64,
    pub(super) ineligible_expense: f64,
    /// Own total of the year, against what its ledger says.
    pub(super) reported_spend: f64,
}

pub(super) struct Market {
    pub(super) insurers: Vec<Insurer>,
    /// Running sums over the insurers, one line for each of the cities.
    shares: Vec<Vec<f64>>,
}

impl Market {
    /// `opening` is the day on which the last insurer of the list starts business.
    pub(super) fn new(seed: &Seed, opening: Day) -> Self {
        let mut chance = seed.stream(Stream::Market, 0);
        let insurers: Vec<Insurer> =
            INSURERS.iter().enumerate().map(|(number, line)| insurer(&mut chance, number, line, opening)).collect();
        let shares = CITIES
            .iter()
            .map(|_| running_sums(INSURERS.iter().map(|(_, _, share)| share * chance.log_normal(1.0, 0.45))))
            .collect();
        Market { insurers, shares }
    }

    /// An insurer that does business in the city on that day.
    pub(super) fn choose(&self, chance: &mut Chance, city: usize, day: Day) -> InsurerNo {
        let drawn = chance.weighted(&self.shares[city]);
        match self.insurers[drawn].opens {
            Some(opens) if day < opens => 0,
            _ => drawn,
        }
    }

    pub(super) fn code(&self, insurer: InsurerNo) -> &'static str {
        self.insurers[insurer].code
    }

    pub(super) fn conduct(&self, insurer: InsurerNo) -> &Conduct {
        &self.insurers[insurer].conduct
    }
}

/// Rough share of the premium of the province, for sizing its staff.
pub(super) fn market_share(insurer: InsurerNo) -> f64 {
    INSURERS[insurer].2 / INSURERS.iter().map(|(_, _, share)| share).sum::<f64>()
}

/// The place in the list of a large insurer with feeds of its own.
pub(super) fn insurer_of(reporter: &str) -> Option<InsurerNo> {
    INSURERS[..LARGE_INSURERS].iter().position(|(code, _, _)| *code == reporter)
}

/// Insurers from this place in the list on in the list report through the platform of the association.
pub(super) const LARGE_INSURERS: usize = 5;

/// The insurer that has nearly all fishing boats of [`ISLAND_COUNTY`].
pub(super) const ISLAND_INSURER: InsurerNo = 33;
pub(super) const ISLAND_COUNTY: &str = "330922";

pub(super) const MISBEHAVING: [(&str, Misbehaviour); 19] = [
    ("LJPC", Misbehaviour::SpendUnderFifteenPercent),
    ("TMPC", Misbehaviour::SpendUnderFifteenPercent),
    ("FYPC", Misbehaviour::SpendUnderFifteenPercent),
    ("JHPC", Misbehaviour::SpendOverCap),
    ("XDPC", Misbehaviour::SpendOverCap),
    ("MGPC", Misbehaviour::AccrualOnlyLedger),
    ("AJPC", Misbehaviour::AccrualOnlyLedger),
    ("WJPC", Misbehaviour::SlowClaims),
    ("HXPC", Misbehaviour::SlowClaims),
    ("KJPC", Misbehaviour::CommissionOverCap),
    ("TXPC", Misbehaviour::CommissionOverCap),
    ("XJPC", Misbehaviour::PremiumFromEmployees),
    ("QJPC", Misbehaviour::UnderDeathLimit),
    ("YJPC", Misbehaviour::LowPrice),
    ("SMPC", Misbehaviour::MajorHazardsUnreported),
    ("CEPC", Misbehaviour::ShamServices),
    ("JJPC", Misbehaviour::FewServices),
    ("TTPC", Misbehaviour::DivertedFunds),
    ("LQPC", Misbehaviour::MisreportedSpend),
];

/// Code, name before 财产保险股份有限公司, share of the market in percent.
const INSURERS: [(&str, &str, f64); 35] = [
    ("ZJPC", "之江", 18.0),
    ("QCPC", "钱潮", 13.0),
    ("OYPC", "瓯越", 10.0),
    ("YDPC", "雁荡", 7.0),
    ("XLPC", "西泠", 6.0),
    ("YHPC", "运河", 3.4),
    ("SMPC", "四明", 3.2),
    ("LJPC", "兰江", 3.0),
    ("NHPC", "南湖", 2.8),
    ("JHPC", "鉴湖", 2.6),
    ("WJPC", "婺江", 2.4),
    ("QJPC", "衢江", 2.3),
    ("TMPC", "天目", 2.2),
    ("TTPC", "天台山", 2.1),
    ("MGPC", "莫干", 1.4),
    ("KJPC", "会稽", 1.8),
    ("CEPC", "曹娥", 1.7),
    ("XDPC", "雪窦", 1.7),
    ("TXPC", "苕溪", 1.6),
    ("XJPC", "新安江", 1.5),
    ("FYPC", "飞云", 1.5),
    ("JJPC", "椒江", 1.4),
    ("HXPC", "好溪", 1.3),
    ("YJPC", "甬江", 1.3),
    ("LQPC", "龙泉", 1.2),
    ("AJPC", "鳌江", 0.9),
    ("KCPC", "括苍", 1.1),
    ("LFPC", "灵峰", 1.0),
    ("BSPC", "北山", 0.9),
    ("JXPC", "江心", 0.9),
    ("FCPC", "富春", 0.8),
    ("PTPC", "普陀山", 0.8),
    ("TAPC", "太湖源", 0.7),
    ("QDPC", "群岛", 0.7),
    ("XHPC", "新海", 0.9),
];

fn insurer(chance: &mut Chance, number: usize, line: &(&'static str, &'static str, f64), opening: Day) -> Insurer {
    let (code, short_name, _) = *line;
    let is_of_ningbo = ["SMPC", "XDPC", "YJPC"].contains(&code);
    Insurer {
        code,
        name: format!("{short_name}财产保险股份有限公司"),
        uscc: credit_code(if is_of_ningbo { "330200" } else { "330100" }, 70_000_000 + number as u64),
        regulator: if is_of_ningbo { "宁波金融监管局" } else { "浙江金融监管局" },
        opens: (number + 1 == INSURERS.len()).then_some(opening),
        conduct: conduct(chance, code),
    }
}

fn conduct(chance: &mut Chance, code: &str) -> Conduct {
    let mut conduct = Conduct {
        spend: 0.168 + 0.026 * chance.share(),
        accrual_only: false,
        service_effort: 0.85 + 0.3 * chance.share(),
        claim_days: chance.log_normal(1.0, 0.18),
        commission_over_cap: 0.008,
        paid_by_employees: 0.004,
        under_limit: 0.035,
        low_price: 0.003,
        major_hazard_kept_back: 0.08,
        sham_service: 0.001,
        ineligible_expense: 0.004,
        reported_spend: 1.0,
    };
    for (_, misbehaviour) in MISBEHAVING.iter().filter(|(of, _)| *of == code) {
        conduct.take_up(*misbehaviour, chance);
    }
    conduct
}

impl Conduct {
    fn take_up(&mut self, misbehaviour: Misbehaviour, chance: &mut Chance) {
        match misbehaviour {
            Misbehaviour::SpendUnderFifteenPercent => self.spend = 0.08 + 0.04 * chance.share(),
            Misbehaviour::SpendOverCap => self.spend = 0.30 + 0.04 * chance.share(),
            Misbehaviour::AccrualOnlyLedger => self.accrual_only = true,
            Misbehaviour::SlowClaims => self.claim_days = 2.6,
            Misbehaviour::CommissionOverCap => self.commission_over_cap = 0.35,
            Misbehaviour::PremiumFromEmployees => self.paid_by_employees = 0.07,
            Misbehaviour::UnderDeathLimit => self.under_limit = 0.28,
            Misbehaviour::LowPrice => self.low_price = 0.06,
            Misbehaviour::MajorHazardsUnreported => self.major_hazard_kept_back = 0.55,
            Misbehaviour::ShamServices => self.sham_service = 0.06,
            Misbehaviour::FewServices => self.service_effort = 0.25,
            Misbehaviour::DivertedFunds => self.ineligible_expense = 0.12,
            Misbehaviour::MisreportedSpend => self.reported_spend = 1.22,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn insurers_have_codes_of_their_own_and_misbehaviours_name_them() {
        let codes: BTreeSet<&str> = INSURERS.iter().map(|(code, _, _)| *code).collect();
        assert_eq!(codes.len(), INSURERS.len());
        assert!(MISBEHAVING.iter().all(|(code, _)| codes.contains(code)));
    }

    #[test]
    fn the_newcomer_sells_nothing_before_it_opens() {
        let opening = Day::of(2024, 11, 20);
        let market = Market::new(&Seed::new(1), opening);
        let mut chance = Seed::new(2).stream(Stream::Market, 1);
        let newcomer = market.insurers.len() - 1;
        for _ in 0..5_000 {
            assert_ne!(market.choose(&mut chance, 0, opening.plus(-1)), newcomer);
        }
    }
}
