//! Which cells of a metric a caller may ask for: the scope becomes a forced `where`.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};

use super::{Denied, Permission, Role, Scope};
use anze_queries::{MetricRequest, Reach};

/// A request that stays inside the caller's scope, and what must still be done to its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricGrant {
    pub request: MetricRequest,
    /// Cells with small denominators are blanked.
    pub suppress: bool,
    /// Of the cells by city only this one is handed out. The cells are computed together even so,
    /// because whether one is blanked depends on the others.
    pub only_city: Option<String>,
    /// What the caller may see beyond the request: a benchmark must not give the rest away.
    pub reach: Reach,
}

impl Permission {
    /// Limits a request to the caller's scope, or says why it cannot be answered.
    ///
    /// `dimensions` are the metric's; `published` is `[public] metrics`; `latest` says whether the
    /// newest release is asked.
    pub fn metric(
        &self,
        request: MetricRequest,
        dimensions: &[String],
        published: &[String],
        latest: bool,
    ) -> Result<MetricGrant, Denied> {
        match self.role {
            Role::Admin => Ok(MetricGrant { request, suppress: false, only_city: None, reach: Reach::Everything }),
            Role::Official | Role::Analyst => self.within_scope(request, dimensions),
            Role::Insurer if self.scope.insurers.is_empty() => Err(Denied::role(self.role)),
            Role::Insurer => self.within_scope(request, dimensions),
            Role::Reporter => Err(Denied::role(self.role)),
            Role::Public => published_cells(request, published, latest),
        }
    }

    /// Whether the metric is one that this caller may see cells of at all.
    pub fn sees_metric(&self, id: &str, published: &[String]) -> bool {
        match self.role {
            Role::Public => published.iter().any(|metric| metric == id),
            Role::Reporter => false,
            _ => true,
        }
    }

    fn within_scope(&self, mut request: MetricRequest, dimensions: &[String]) -> Result<MetricGrant, Denied> {
        if !self.scope.is_every_region() {
            self.force_region(&mut request, dimensions)?;
        }
        force(&mut request, dimensions, "sector", &self.scope.sectors)?;
        force(&mut request, dimensions, "insurer", &self.scope.insurers)?;
        Ok(MetricGrant { request, suppress: false, only_city: None, reach: self.scope.reach() })
    }

    fn force_region(&self, request: &mut MetricRequest, dimensions: &[String]) -> Result<(), Denied> {
        let has = |name: &str| dimensions.iter().any(|dimension| dimension == name);
        let within = |code: &str| self.scope.regions.iter().any(|region| region.holds(code));
        for dimension in ["county", "city"] {
            if let Some(asked) = request.filters.get(dimension)
                && within(asked)
            {
                return Ok(());
            }
        }
        let asked_city = request.filters.get("city").cloned();
        let asked_county = request.filters.get("county").cloned();
        let [region] = self.scope.regions.as_slice() else {
            return Err(Denied::outside_scope(format!(
                "此令牌含多个地区（{0}），请用 where.city 或 where.county 指定其一 / this token holds several regions ({0}); name one with where.city or where.county",
                self.scope
            )));
        };
        let (dimension, code) = match (region.city(), region.county()) {
            (Some(city), _) => ("city", city),
            (None, Some(county)) => ("county", county),
            (None, None) => return Ok(()),
        };
        let asked_around = match dimension {
            "county" => asked_county.is_none() && asked_city.is_none_or(|city| city.starts_with(&code[..4])),
            _ => asked_county.is_none() && asked_city.is_none(),
        };
        if !has(dimension) || !asked_around {
            return Err(outside(dimension, &code, has(dimension)));
        }
        request.filters.insert(dimension.to_owned(), code);
        Ok(())
    }
}

impl Scope {
    /// The scope as filters of which no two hold the same case.
    fn reach(&self) -> Reach {
        if self.is_every_region() && self.sectors.is_empty() && self.insurers.is_empty() {
            return Reach::Everything;
        }
        let within_another = |place: &super::RegionScope| {
            let code = place.to_string();
            self.regions.iter().any(|other| other != place && code.starts_with(&other.to_string()))
        };
        let regions = if self.is_every_region() { Vec::new() } else { self.regions.clone() };
        let places = regions.iter().filter(|place| !within_another(place)).filter_map(|place| {
            let city = place.city().map(|code| ("city", code));
            city.or_else(|| place.county().map(|code| ("county", code)))
        });
        let named = |name, members: &[String]| members.iter().map(|member| (name, member.clone())).collect();
        let mut parts = vec![BTreeMap::new()];
        for limits in [places.collect(), named("sector", &self.sectors), named("insurer", &self.insurers)] {
            parts = multiplied(parts, limits);
        }
        Reach::Within(parts)
    }
}

/// Every part with each of the limits, each once; without limits the parts as they are.
fn multiplied(parts: Vec<BTreeMap<String, String>>, mut limits: Vec<(&str, String)>) -> Vec<BTreeMap<String, String>> {
    if limits.is_empty() {
        return parts;
    }
    limits.sort_unstable();
    limits.dedup();
    let with = |part: &BTreeMap<String, String>, (name, member): &(&str, String)| {
        let mut part = part.clone();
        part.insert((*name).to_owned(), member.clone());
        part
    };
    parts.iter().flat_map(|part| limits.iter().map(move |limit| with(part, limit))).collect()
}

/// Holds one dimension to the values of the scope.
fn force(
    request: &mut MetricRequest,
    dimensions: &[String],
    dimension: &str,
    allowed: &[String],
) -> Result<(), Denied> {
    if allowed.is_empty() {
        return Ok(());
    }
    let known = dimensions.iter().any(|name| name == dimension);
    match request.filters.get(dimension) {
        Some(asked) if known && allowed.contains(asked) => Ok(()),
        Some(_) => Err(outside(dimension, &allowed.join(", "), known)),
        None if !known => Err(outside(dimension, &allowed.join(", "), false)),
        None => match allowed {
            [only] => {
                request.filters.insert(dimension.to_owned(), only.clone());
                Ok(())
            }
            _ => Err(Denied::outside_scope(format!(
                "此令牌含多个 {dimension}（{0}），请用 where.{dimension} 指定其一 / this token holds several of {dimension} ({0}); name one with where.{dimension}",
                allowed.join(", ")
            ))),
        },
    }
}

fn outside(dimension: &str, allowed: &str, known: bool) -> Denied {
    Denied::outside_scope(if known {
        format!("此令牌限于 {dimension} {allowed} / this token is limited to {dimension} {allowed}")
    } else {
        format!(
            "此令牌限于 {dimension} {allowed}，而该指标没有这个维度 / this token is limited to {dimension} {allowed}, and this metric has no such dimension"
        )
    })
}

/// The published cells: in total or by city, for whole months, of the newest release, nothing
/// varied. Finer choices would let one read single units out of differences.
fn published_cells(mut request: MetricRequest, published: &[String], latest: bool) -> Result<MetricGrant, Denied> {
    if !published.contains(&request.id) {
        return Err(Denied::not_published(format!(
            "{0} 不在公开指标之列 / {0} is not among the published metrics",
            request.id
        )));
    }
    if !latest {
        return Err(Denied::not_published("往期发布不公开 / earlier releases are not published".to_owned()));
    }
    if request.observed_until.is_some() || !request.params.is_empty() {
        return Err(Denied::not_published(
            "公开数字不接受其他参数 / the published figures take no other parameters".to_owned(),
        ));
    }
    let by_city = request.by.iter().all(|dimension| dimension == "city");
    let of_city = request.filters.keys().all(|dimension| dimension == "city");
    if !by_city || !of_city {
        return Err(Denied::not_published(
            "只公开全省和分市数字 / figures are published in total and by city".to_owned(),
        ));
    }
    let whole_months = request.as_of.is_none_or(is_last_of_month)
        && request.from.is_none_or(is_first_of_month)
        && request.to.is_none_or(is_first_of_month);
    if !whole_months {
        return Err(Denied::not_published("只公开整月数字 / figures are published for whole months".to_owned()));
    }
    let only_city = request.filters.remove("city");
    if only_city.is_some() {
        request.by = vec!["city".to_owned()];
    }
    request.by.dedup();
    Ok(MetricGrant { request, suppress: true, only_city, reach: Reach::Within(Vec::new()) })
}

fn is_first_of_month(day: NaiveDate) -> bool {
    day.day() == 1
}

fn is_last_of_month(day: NaiveDate) -> bool {
    day.checked_add_days(Days::new(1)).is_some_and(is_first_of_month)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;
    use crate::permission::Scope;

    fn asks(filters: &[(&str, &str)]) -> MetricRequest {
        let filters = filters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        MetricRequest { id: "coverage_rate".to_owned(), filters, ..MetricRequest::default() }
    }

    fn official(regions: &[&str], sectors: &[&str]) -> Permission {
        let scope = Scope {
            regions: regions.iter().map(|code| code.parse().unwrap()).collect(),
            sectors: sectors.iter().map(|code| (*code).to_owned()).collect(),
            ..Scope::default()
        };
        Permission { scope, ..Permission::whole(Role::Official) }
    }

    fn insurer(code: &str) -> Permission {
        let insurers = vec![code.to_owned()];
        Permission { scope: Scope { insurers, ..Scope::default() }, ..Permission::whole(Role::Insurer) }
    }

    fn dims(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn granted(permission: &Permission, request: MetricRequest, dimensions: &[&str]) -> Result<String, &'static str> {
        let published = dims(&["coverage_rate"]);
        match permission.metric(request, &dims(dimensions), &published, true) {
            Ok(grant) => {
                let filters: Vec<_> =
                    grant.request.filters.iter().map(|(name, value)| format!("{name}={value}")).collect();
                Ok(filters.join(","))
            }
            Err(denied) => Err(denied.code),
        }
    }

    const PLACES: &[&str] = &["city", "county", "sector"];

    #[test]
    fn a_city_token_is_held_to_its_city() {
        let token = official(&["3301"], &[]);
        assert_eq!(granted(&token, asks(&[]), PLACES), Ok("city=330100".into()));
        assert_eq!(granted(&token, asks(&[("city", "330100")]), PLACES), Ok("city=330100".into()));
        assert_eq!(granted(&token, asks(&[("county", "330102")]), PLACES), Ok("county=330102".into()));
        assert_eq!(granted(&token, asks(&[("city", "330200")]), PLACES), Err("outside_scope"));
        assert_eq!(granted(&token, asks(&[("county", "330203")]), PLACES), Err("outside_scope"));
        assert_eq!(granted(&token, asks(&[("city", "unknown")]), PLACES), Err("outside_scope"));
        assert_eq!(granted(&token, asks(&[]), &["insurer"]), Err("outside_scope"));
    }

    #[test]
    fn a_county_token_is_held_to_its_county() {
        let token = official(&["330102"], &[]);
        assert_eq!(granted(&token, asks(&[]), PLACES), Ok("county=330102".into()));
        assert_eq!(granted(&token, asks(&[("city", "330100")]), PLACES), Ok("city=330100,county=330102".into()));
        assert_eq!(granted(&token, asks(&[("city", "330200")]), PLACES), Err("outside_scope"));
        assert_eq!(granted(&token, asks(&[("county", "330105")]), PLACES), Err("outside_scope"));
    }

    #[test]
    fn a_token_of_several_regions_must_name_one() {
        let token = official(&["3301", "3302"], &[]);
        assert_eq!(granted(&token, asks(&[]), PLACES), Err("outside_scope"));
        assert_eq!(granted(&token, asks(&[("city", "330200")]), PLACES), Ok("city=330200".into()));
    }

    #[test]
    fn the_whole_province_is_no_limit() {
        assert_eq!(granted(&official(&["33"], &[]), asks(&[]), &["insurer"]), Ok(String::new()));
    }

    #[test]
    fn sectors_and_insurers_are_held_likewise() {
        let token = official(&[], &["mine"]);
        assert_eq!(granted(&token, asks(&[]), PLACES), Ok("sector=mine".into()));
        assert_eq!(granted(&token, asks(&[("sector", "hazchem")]), PLACES), Err("outside_scope"));
        assert_eq!(granted(&insurer("PICC"), asks(&[]), &["insurer"]), Ok("insurer=PICC".into()));
        assert_eq!(granted(&insurer("PICC"), asks(&[("insurer", "CPIC")]), &["insurer"]), Err("outside_scope"));
        assert_eq!(granted(&insurer("PICC"), asks(&[]), PLACES), Err("outside_scope"));
        assert_eq!(granted(&Permission::whole(Role::Insurer), asks(&[]), &["insurer"]), Err("forbidden"));
        assert_eq!(granted(&Permission::whole(Role::Reporter), asks(&[]), PLACES), Err("forbidden"));
    }

    #[test]
    fn the_public_gets_the_published_cells_and_no_finer_ones() {
        let public = Permission::whole(Role::Public);
        let ask = |change: &dyn Fn(&mut MetricRequest)| {
            let mut request = asks(&[]);
            change(&mut request);
            granted(&public, request, PLACES)
        };
        let day = |text: &str| Some(text.parse().unwrap());
        assert_eq!(ask(&|_| {}), Ok(String::new()));
        assert_eq!(ask(&|request| request.by = dims(&["city"])), Ok(String::new()));
        assert_eq!(ask(&|request| request.as_of = day("2026-02-28")), Ok(String::new()));
        assert_eq!(ask(&|request| request.id = "renewal_rate".into()), Err("not_published"));
        assert_eq!(ask(&|request| request.by = dims(&["county"])), Err("not_published"));
        assert_eq!(ask(&|request| request.by = dims(&["city", "sector"])), Err("not_published"));
        assert_eq!(
            ask(&|request| {
                request.filters.insert("sector".into(), "mine".into());
            }),
            Err("not_published")
        );
        assert_eq!(ask(&|request| request.as_of = day("2026-02-27")), Err("not_published"));
        assert_eq!(ask(&|request| request.from = day("2026-02-02")), Err("not_published"));
        assert_eq!(ask(&|request| request.observed_until = day("2026-02-28")), Err("not_published"));
        assert_eq!(
            ask(&|request| {
                request.params.insert("grace_days".into(), "1".into());
            }),
            Err("not_published")
        );
        let earlier = public.metric(asks(&[]), &dims(PLACES), &dims(&["coverage_rate"]), false);
        assert_eq!(earlier.unwrap_err().code, "not_published");
    }

    #[test]
    fn a_scope_is_told_as_filters_that_hold_no_case_twice() {
        let scope = official(&["3301", "330102", "3302"], &["mine", "mine"]).scope;
        let part = |city: &str| BTreeMap::from([("city".into(), city.into()), ("sector".into(), "mine".into())]);
        assert_eq!(scope.reach(), Reach::Within(vec![part("330100"), part("330200")]));
        assert_eq!(official(&["33"], &[]).scope.reach(), Reach::Everything);
        let only = BTreeMap::from([("insurer".to_owned(), "PICC".to_owned())]);
        assert_eq!(insurer("PICC").scope.reach(), Reach::Within(vec![only]));
    }

    fn some(names: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<String>> {
        subsequence(names, 0..=most).prop_map(|names| dims(&names))
    }

    fn filters() -> impl Strategy<Value = MetricRequest> {
        let one = |names: &'static [&'static str]| proptest::option::of(select(names));
        let chosen = (
            one(&["330100", "330200", "330300", "unknown"]),
            one(&["330102", "330105", "330203", "unknown"]),
            one(&["mine", "hazchem", "unknown"]),
            one(&["PICC", "CPIC", "unknown"]),
        );
        chosen.prop_map(|(city, county, sector, insurer)| {
            let named = [("city", city), ("county", county), ("sector", sector), ("insurer", insurer)];
            let filters: Vec<_> = named.into_iter().filter_map(|(name, code)| Some((name, code?))).collect();
            asks(&filters)
        })
    }

    proptest! {
        #[test]
        fn what_is_granted_is_what_was_asked_with_where_set_to_the_scope(
            regions in some(&["33", "3301", "330102", "330105", "3302"], 2),
            sectors in some(&["mine", "hazchem"], 2),
            insurers in some(&["PICC", "CPIC"], 2),
            dimensions in some(&["city", "county", "sector", "insurer"], 4),
            request in filters(),
            is_insurer in any::<bool>(),
        ) {
            let regions = regions.iter().map(|code| code.parse().unwrap()).collect();
            let scope = Scope { regions, sectors, insurers, ..Scope::default() };
            let role = if is_insurer { Role::Insurer } else { Role::Official };
            let permission = Permission { scope: scope.clone(), ..Permission::whole(role) };
            let Ok(grant) = permission.metric(request.clone(), &dimensions, &[], true) else { return Ok(()) };
            let granted = &grant.request.filters;
            // Nothing that was asked for is dropped, and nothing but a limit of the scope is added.
            for (name, code) in granted {
                let added = !request.filters.contains_key(name);
                prop_assert!(!added || dimensions.contains(name), "{} is no dimension", name);
                prop_assert!(added || request.filters[name] == *code);
            }
            prop_assert!(request.filters.keys().all(|name| granted.contains_key(name)));
            let unlimited = MetricRequest { filters: BTreeMap::new(), ..grant.request.clone() };
            prop_assert_eq!(unlimited, MetricRequest { filters: BTreeMap::new(), ..request.clone() });
            // Every limit of the scope is among the filters.
            let within = |name: &str, holds: &dyn Fn(&String) -> bool| granted.get(name).is_some_and(holds);
            let held = |code: &String| scope.regions.iter().any(|region| region.holds(code));
            prop_assert!(scope.is_every_region() || within("city", &held) || within("county", &held));
            prop_assert!(scope.sectors.is_empty() || within("sector", &|code| scope.sectors.contains(code)));
            prop_assert!(scope.insurers.is_empty() || within("insurer", &|code| scope.insurers.contains(code)));
            // An admin who sets `where` to it is answered the same request.
            let admin = Permission::whole(Role::Admin).metric(grant.request.clone(), &dimensions, &[], true).unwrap();
            prop_assert_eq!(&admin.request, &grant.request);
        }
    }

    #[test]
    fn one_city_for_the_public_is_computed_among_all_cities() {
        let grant = Permission::whole(Role::Public)
            .metric(asks(&[("city", "330100")]), &dims(PLACES), &dims(&["coverage_rate"]), true)
            .unwrap();
        assert!(grant.suppress && grant.request.filters.is_empty());
        assert_eq!((grant.request.by, grant.only_city), (dims(&["city"]), Some("330100".into())));
    }
}
