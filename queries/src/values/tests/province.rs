//! A small random province: rows of every dataset, again and again with other values.

use std::sync::Arc;

use anze_warehouse::Release;
use anze_warehouse::contract::{self, Stage};
use anze_warehouse::publication::{Arrival, Keys, Publication, Writer};
use chrono::{DateTime, Days, NaiveDate, Utc};
use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::json::ReaderBuilder;
use serde_json::{Value as Json, json};

use super::row;

/// A random stream that is the same everywhere (SplitMix64).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }

    /// True once in so many times.
    pub(super) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

const FIRST: &str = "2025-09-20";
const SECTORS: [&str; 4] = ["mine", "hazchem", "transport", "other"];
const COUNTIES: [&str; 4] = ["330102", "330106", "330203", "330302"];
const INSURERS: [&str; 3] = ["PICC", "CPIC", "ZJPC"];
const SIZES: [&str; 4] = ["L", "M", "S", "XS"];
const DEPARTMENTS: [&str; 3] = ["emergency", "transport", "other"];
/// Keys of each dataset are drawn from so many, so that later batches correct earlier ones.
const UNITS: u64 = 14;
const POLICIES: u64 = 30;
const SERVICES: u64 = 30;
const CLAIMS: u64 = 16;
const ACCIDENTS: u64 = 12;

pub(super) struct Province {
    pub(super) chance: Chance,
    day: NaiveDate,
    /// A second for each publication, so that no two are at one instant.
    clock: i64,
    batches: u32,
}

impl Province {
    pub(super) fn new(chance: Chance) -> Self {
        Self { chance, day: "2026-02-10".parse().unwrap(), clock: 0, batches: 0 }
    }

    /// A release with a batch of every dataset in random order; after the first one with batches of some,
    /// and days may pass.
    pub(super) async fn publish(&mut self, writer: &Writer, round: u32) -> Arc<Release> {
        if round > 0 {
            let passed = [0, 1, 9, 25][self.chance.below(4) as usize];
            self.day = self.day.checked_add_days(Days::new(passed)).unwrap();
        }
        let mut names: Vec<&str> = contract::builtin()
            .datasets()
            .iter()
            .filter(|contract| round == 0 || contract.stage != Stage::Reference)
            .map(|contract| contract.name.as_str())
            .collect();
        for place in (1..names.len()).rev() {
            names.swap(place, self.chance.below(place as u64 + 1) as usize);
        }
        let mut publication = self.begin(writer).await;
        for name in names {
            if round > 0 && self.chance.once_in(3) {
                continue;
            }
            let rows = self.rows(name, if round == 0 { 1 } else { 4 });
            self.load(&mut publication, name, rows).await;
        }
        if round == 0 {
            // Long before anything else: months of which most metrics know nothing.
            let early =
                json!({"complaint_no": "K-early", "insurer_code": "PICC", "received_at": "2025-06-10T01:00:00Z"});
            self.load(&mut publication, "complaint", vec![early]).await;
        }
        self.note_books(&mut publication).await;
        publication.publish().await.unwrap()
    }

    pub(super) async fn publish_nothing(&mut self, writer: &Writer) -> Arc<Release> {
        self.begin(writer).await.publish().await.unwrap()
    }

    pub(super) async fn publish_on(&mut self, writer: &Writer, day: &str) -> Arc<Release> {
        self.day = day.parse().unwrap();
        self.publish_nothing(writer).await
    }

    pub(super) async fn publish_visit(&mut self, writer: &Writer, day: &str) -> Arc<Release> {
        let mut publication = self.begin(writer).await;
        let visit = json!({
            "visit_no": "V-one", "department": "emergency", "subject_kind": "unit", "subject_id": "U1",
            "region_code": "330102", "sector": "mine", "visited_on": day,
        });
        self.load(&mut publication, "visit", vec![visit]).await;
        publication.publish().await.unwrap()
    }

    async fn begin<'w>(&mut self, writer: &'w Writer) -> Publication<'w> {
        self.clock += 1;
        // Noon in Shanghai.
        let at = self.day.and_hms_opt(4, 0, 0).unwrap().and_utc() + chrono::Duration::seconds(self.clock);
        writer.begin(at, self.day).await.unwrap()
    }

    async fn load(&mut self, publication: &mut Publication<'_>, dataset: &str, rows: Vec<Json>) {
        self.batches += 1;
        let contract = contract::builtin().dataset(dataset).unwrap();
        let mut decoder = ReaderBuilder::new(contract.table_schema()).with_batch_size(4096).build_decoder().unwrap();
        let landed = DateTime::<Utc>::from_timestamp(1_700_000_000 + i64::from(self.batches), 0).unwrap();
        let mut deleted = Vec::new();
        for (place, mut content) in rows.into_iter().enumerate() {
            content["batch_id"] = json!(format!("b{:04}", self.batches));
            content["row_no"] = json!(place + 1);
            content["feed_id"] = json!("feed");
            content["reporter"] = json!("ZJIA");
            content["landed_at"] = json!(landed.to_rfc3339());
            // The source's clock knows nothing of the order of arrival.
            content["source_updated_at"] = json!(
                DateTime::<Utc>::from_timestamp(1_700_000_000 + self.chance.below(1_000_000) as i64, 0)
                    .unwrap()
                    .to_rfc3339()
            );
            deleted.push(self.chance.once_in(25) && contract.stage != Stage::Reference);
            decoder.decode(content.to_string().as_bytes()).unwrap();
        }
        let Some(rows) = decoder.flush().unwrap() else { return };
        let mut change = publication.change(contract).await.unwrap();
        let arrival =
            Arrival { rows, deleted: Some(BooleanArray::from(deleted)), takes_over: Vec::new(), keys: Keys::default() };
        change.upsert(&[arrival]).await.unwrap();
        publication.accept(change);
    }

    /// The books that the reporting metrics read.
    async fn note_books(&mut self, publication: &mut Publication<'_>) {
        let feeds = ["f1", "f2"];
        let batches = (0..4).map(|place| {
            let read = 1 + self.chance.below(50);
            row(json!({
                "batch_id": format!("k{}-{place}", self.clock), "feed_id": self.chance.of(&feeds), "dataset": "policy",
                "object": "o", "sha256": "s", "landed_path": "p", "bytes": 1, "reporter": "ZJIA",
                "rows_read": read, "rows_accepted": 0, "rows_superseded": 0, "rows_unchanged": 0,
                "rows_quarantined": self.chance.below(read + 1), "state": "published",
                "landed_at": self.instant(160), "slot_at": self.instant(160),
            }))
        });
        let batches = batches.collect();
        publication.append_system("batch", batches);
        let slots = (0..20).map(|place| {
            let at = self.instant(160);
            row(json!({"feed_id": feeds[place % 2], "slot_at": at, "due_at": at, "state": "open",
                "fulfilled_by": if place % 3 == 0 { json!(format!("k1-{}", place % 4)) } else { Json::Null }}))
        });
        let slots = slots.collect();
        publication.replace_system("slot_state", slots).await.unwrap();
        let feeds = feeds.iter().map(|feed| {
            row(json!({"feed_id": feed, "title": "t", "dataset": "policy", "reporter": "ZJIA", "region_code": self.chance.of(&COUNTIES), "department": self.chance.of(&DEPARTMENTS)}))
        });
        let feeds = feeds.collect();
        publication.renew_system("feed_state", feeds).await.unwrap();
    }

    fn day_within(&mut self, days: u64) -> NaiveDate {
        let first: NaiveDate = FIRST.parse().unwrap();
        first.checked_add_days(Days::new(self.chance.below(days))).unwrap()
    }

    fn on(&mut self, days: u64) -> Json {
        json!(self.day_within(days).to_string())
    }

    /// A day, or none.
    fn perhaps(&mut self, days: u64) -> Json {
        if self.chance.once_in(3) { Json::Null } else { self.on(days) }
    }

    fn instant(&mut self, days: u64) -> Json {
        let day = self.day_within(days);
        json!(format!("{day}T{:02}:30:00Z", self.chance.below(24)))
    }

    fn perhaps_at(&mut self, days: u64) -> Json {
        if self.chance.once_in(3) { Json::Null } else { self.instant(days) }
    }

    fn money(&mut self, most: u64) -> String {
        format!("{}.{:02}", self.chance.below(most), self.chance.below(100))
    }

    fn numbered(&mut self, letter: &str, most: u64) -> String {
        format!("{letter}{}", self.chance.below(most))
    }

    /// Rows of a dataset: all keys once, or a `part` of them, some more than once.
    fn rows(&mut self, dataset: &str, part: u64) -> Vec<Json> {
        let keys = match dataset {
            "unit" | "roster" => UNITS,
            "policy" => POLICIES,
            "premium_receipt" | "service" => SERVICES,
            "hazard" | "expense" => 40,
            "claim" => CLAIMS,
            "accident" => ACCIDENTS,
            "complaint" | "visit" | "inspection" => 16,
            "budget" | "insurer" => INSURERS.len() as u64,
            "sector" => SECTORS.len() as u64,
            "agency" => 3,
            "service_norm" => 4,
            "rule" => 9,
            "calendar" => 365,
            _ => 0,
        };
        (0..keys.div_ceil(part))
            .map(|place| {
                let key = if part == 1 { place } else { self.chance.below(keys) };
                self.one(dataset, key)
            })
            .collect()
    }

    fn one(&mut self, dataset: &str, key: u64) -> Json {
        // What a row may lie beyond the observation day: seen only later.
        const SPAN: u64 = 190;
        let county = self.chance.of(&COUNTIES);
        let sector = self.chance.of(&SECTORS);
        let insurer = self.chance.of(&INSURERS);
        let unit = self.numbered("U", UNITS);
        let policy = self.chance.below(POLICIES);
        let service = self.numbered("S", SERVICES);
        let at = |list: &[&str]| list[key as usize % list.len()].to_owned();
        match dataset {
            "sector" => {
                json!({"code": at(&SECTORS), "name": at(&SECTORS), "high_hazard": key < 3, "department": at(&DEPARTMENTS)})
            }
            "insurer" => json!({"code": at(&INSURERS), "name": at(&INSURERS)}),
            "agency" => {
                json!({"uscc": format!("A{key}"), "name": "a", "qualification": self.chance.of(&["yes", "甲级"]), "valid_from": FIRST, "valid_to": self.perhaps(SPAN)})
            }
            "service_norm" => {
                json!({"region_code": "", "sector": at(&SECTORS), "size": self.chance.of(&SIZES), "effective_from": FIRST, "visits_per_year": 1 + self.chance.below(6)})
            }
            "calendar" => {
                let day: NaiveDate = FIRST.parse().unwrap();
                let day = day.checked_add_days(Days::new(key)).unwrap();
                json!({"day": day.to_string(), "is_workday": !self.chance.once_in(3)})
            }
            "rule" => {
                let ids = [
                    "min_death_limit",
                    "commission_cap",
                    "claim_assess_days",
                    "claim_pay_days",
                    "claim_refuse_days",
                    "claim_advance_days",
                    "complaint_reply_workdays",
                    "prevention_spend_cap",
                    "major_hazard_notice_hours",
                ];
                let value = ["400000", "0.05", "30", "10", "3", "20", "10", "0.21", "24"];
                json!({"rule_id": at(&ids), "region_code": "000000", "sector": "", "effective_from": "2020-01-01", "value": at(&value)})
            }
            "unit" => {
                json!({"unit_id": format!("U{key}"), "id_kind": "project", "name": "n", "region_code": county, "sector": sector,
                "size": self.chance.of(&SIZES), "employees": self.chance.below(40), "status": self.chance.of(&["open", "open", "closed"]),
                "risk_level": if self.chance.once_in(2) { json!("red") } else { Json::Null }})
            }
            "roster" => {
                json!({"unit_id": format!("U{key}"), "sector": sector, "valid_from": self.on(120), "valid_to": self.perhaps(SPAN),
                "department": self.chance.of(&DEPARTMENTS), "region_code": county, "kind": "annual"})
            }
            "policy" => {
                let inception = self.day_within(150);
                let expiry = inception.checked_add_days(Days::new(20 + self.chance.below(80))).unwrap();
                let cancelled = inception.checked_add_days(Days::new(self.chance.below(20))).unwrap();
                let cancelled = self.chance.once_in(5).then(|| cancelled.to_string());
                json!({"policy_no": format!("P{key}"), "unit_id": format!("U{}", key % UNITS), "insurer_code": insurer, "sector": sector,
                    "region_code": county, "policy_type": self.chance.of(&["annual", "annual", "project"]), "inception": inception.to_string(),
                    "expiry": expiry.to_string(), "premium_written": self.money(9_000), "commission_rate": self.chance.of(&["0.04", "0.06"]),
                    "death_limit_per_person": self.chance.of(&["300000", "400000", "500000"]), "insured_persons": self.chance.below(40),
                    "float_factor": self.chance.of(&["0.9", "1", "1.2"]), "cancelled_on": cancelled, "cancel_reason": cancelled.as_ref().map(|_| "switch")})
            }
            "premium_receipt" => {
                json!({"receipt_no": format!("R{key}"), "policy_no": format!("P{policy}"), "insurer_code": insurer,
                "amount": self.money(5_000), "received_on": self.on(SPAN), "payer_kind": self.chance.of(&["unit", "employee"])})
            }
            "service" => {
                json!({"service_no": format!("S{key}"), "policy_no": format!("P{policy}"), "unit_id": format!("U{}", policy % UNITS),
                "insurer_code": insurer, "sector": sector, "region_code": county, "service_type": self.chance.of(&["T1", "T4", "T9"]),
                "provider_kind": self.chance.of(&["own", "agency"]), "agency_uscc": self.numbered("A", 4), "planned_on": self.perhaps(SPAN),
                "finished_at": self.perhaps_at(SPAN), "unit_confirmed_at": self.perhaps_at(SPAN), "insurer_confirmed_at": self.perhaps_at(SPAN),
                "place": "x", "lead_expert": "e", "items": "i", "measures": if self.chance.once_in(2) { json!("m") } else { Json::Null }, "record_uri": "u",
                "satisfaction": 1 + self.chance.below(5), "declined_on": if self.chance.once_in(9) { self.on(SPAN) } else { Json::Null }})
            }
            "hazard" => {
                json!({"hazard_no": format!("H{key}"), "service_no": service, "unit_id": unit, "grade": self.chance.of(&["general", "major"]),
                "found_at": self.instant(SPAN), "department_notified_at": self.perhaps_at(SPAN), "due_on": self.perhaps(SPAN),
                "rectified_on": self.perhaps(SPAN), "verified_on": self.perhaps(SPAN)})
            }
            "expense" => {
                json!({"line_no": format!("L{key}"), "insurer_code": at(&INSURERS), "service_no": service, "category": self.chance.of(&["T1", "T4", "gift"]),
                "amount": self.money(3_000), "incurred_on": self.perhaps(SPAN), "booked_on": self.on(SPAN), "paid_on": self.perhaps(SPAN),
                "payee_uscc": self.numbered("A", 4), "voucher_no": self.numbered("W", 60), "budget_year": 2026,
                "reverses_line_no": if self.chance.once_in(5) { json!(format!("L{}", self.chance.below(40))) } else { Json::Null }})
            }
            "budget" => {
                json!({"insurer_code": at(&INSURERS), "year": 2025 + self.chance.below(2), "amount": self.money(90_000)})
            }
            "claim" => {
                json!({"claim_no": format!("C{key}"), "policy_no": format!("P{policy}"), "unit_id": format!("U{}", policy % UNITS),
                "insurer_code": insurer, "accident_no": self.numbered("X", ACCIDENTS), "accident_at": self.instant(SPAN), "reported_at": self.instant(SPAN),
                "documents_complete_at": self.perhaps_at(SPAN), "assessed_at": self.perhaps_at(SPAN), "agreed_at": self.perhaps_at(SPAN),
                "advance_amount": self.money(900), "advance_paid_at": self.perhaps_at(SPAN), "paid_amount": self.money(9_000),
                "paid_at": self.perhaps_at(SPAN), "reserve": self.money(900), "refused_at": if self.chance.once_in(4) { self.instant(SPAN) } else { Json::Null },
                "refusal_notified_at": self.perhaps_at(SPAN), "closed_at": self.perhaps_at(SPAN), "deaths": self.chance.below(2)})
            }
            "accident" => {
                json!({"accident_no": format!("X{key}"), "unit_id": unit, "region_code": county, "sector": sector,
                "occurred_at": self.instant(SPAN), "deaths": self.chance.below(2), "serious_injuries": self.chance.below(2)})
            }
            "complaint" => {
                json!({"complaint_no": format!("K{key}"), "insurer_code": insurer, "received_at": self.instant(SPAN),
                "replied_at": self.perhaps_at(SPAN), "extended_days": self.chance.below(6)})
            }
            "visit" => {
                json!({"visit_no": format!("V{}", key / 2), "department": self.chance.of(&DEPARTMENTS), "subject_kind": "unit", "subject_id": unit,
                "region_code": county, "sector": sector, "visited_on": self.on(SPAN)})
            }
            _ => {
                json!({"finding_no": format!("F{key}"), "subject_kind": "unit", "subject_id": unit, "department": self.chance.of(&DEPARTMENTS),
                "region_code": county, "sector": sector, "found_on": self.on(SPAN), "violation": "uninsured", "corrected_on": self.perhaps(SPAN)})
            }
        }
    }
}
