//! Whether what a scheme says can be computed: every fault at once, each with its line and key.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;

use super::file::{DeductFile, Faults, GateFile, IndicatorFile, LinearFile, SchemeFile, StepFile, VetoFile, Written};
use super::{BELOW, Gate, Grade, Indicator, PeriodKind, Scheme, Scoring, Step, SubjectKind, Veto};
use crate::assessment::exact::Exact;
use crate::catalogue::{Catalogue, Metric};
use crate::dimension::Dimension;
use crate::lead::lead_kinds;
use crate::names;
use crate::suggestion::did_you_mean;

/// The scheme of a file; none where something is wrong with it.
pub(super) fn scheme(
    id: &str,
    text: &str,
    file: SchemeFile,
    catalogue: &Catalogue,
    faults: &mut Faults<'_>,
) -> Option<Scheme> {
    if file.title.trim().is_empty() {
        faults.add(0..0, "title", "a scheme has a title");
    }
    if *file.version.get_ref() == 0 {
        faults.add(file.version.span(), "version", "versions begin at 1");
    }
    let valid_from = faults.day(&file.valid_from, "valid_from");
    let valid_to = file.valid_to.as_ref().map(|day| faults.day(day, "valid_to"));
    if let (Some(from), Some(Some(to)), Some(written)) = (valid_from, valid_to, &file.valid_to)
        && to < from
    {
        faults.add(written.span(), "valid_to", format!("the scheme ends on {to}, before it begins on {from}"));
    }
    let subjects = named(&file.subjects, "subjects", &["city", "county", "department", "insurer"], faults);
    let subjects = subjects.and_then(SubjectKind::parse);
    let period = named(&file.period, "period", &["year", "half", "quarter"], faults).and_then(PeriodKind::parse);
    let grades = grades(&file.grades, faults);
    let vetoes = file.vetoes.iter().enumerate().filter_map(|(place, veto)| self::veto(place, veto, &grades, faults));
    let vetoes = vetoes.collect();
    let indicators = indicators(&file.indicators, subjects, catalogue, faults);
    Some(Scheme {
        id: id.to_owned(),
        title: file.title,
        version: *file.version.get_ref(),
        valid_from: valid_from?,
        valid_to: valid_to.flatten(),
        subjects: subjects?,
        period: period?,
        indicators,
        vetoes,
        grades,
        text: text.to_owned(),
    })
}

/// One of a few words.
fn named<'w>(written: &'w Spanned<String>, key: &str, words: &[&str], faults: &mut Faults<'_>) -> Option<&'w str> {
    let word = written.get_ref().as_str();
    if words.contains(&word) {
        return Some(word);
    }
    let hint = did_you_mean(word, words);
    faults.add(written.span(), key, format!("`{word}` is none of {}{hint}", words.join(", ")));
    None
}

fn grades(written: &Spanned<BTreeMap<Spanned<String>, Written>>, faults: &mut Faults<'_>) -> Vec<Grade> {
    if written.get_ref().is_empty() {
        faults.add(written.span(), "grades", "a scheme has at least one grade, such as \"合格\" = 60");
    }
    let mut grades: Vec<Grade> = Vec::new();
    for (name, points) in written.get_ref() {
        let key = format!("grades.{}", name.get_ref());
        if name.get_ref() == BELOW {
            faults.add(name.span(), &key, format!("{BELOW} is what lies below the lowest grade: leave it out"));
        }
        let Some(from) = faults.number(points, &key) else { continue };
        if !from.is_above_zero() || from > Exact::whole(100) {
            faults.add(points.span(), &key, "a grade begins above 0 and at 100 at most");
        }
        if let Some(other) = grades.iter().find(|other| other.from == from) {
            faults.add(points.span(), &key, format!("{} begins at the same points", other.name));
        }
        grades.push(Grade { name: name.get_ref().clone(), from });
    }
    grades.sort_by(|a, b| b.from.cmp(&a.from));
    grades
}

fn veto(place: usize, written: &VetoFile, grades: &[Grade], faults: &mut Faults<'_>) -> Option<Veto> {
    let key = |name: &str| format!("vetoes[{}].{name}", place + 1);
    let before = faults.found.len();
    let lead = written.lead.get_ref();
    match lead_kinds() {
        Ok(kinds) if kinds.iter().any(|kind| kind.id == *lead) => {}
        Ok(kinds) => {
            let hint = did_you_mean(lead, kinds.iter().map(|kind| &kind.id));
            faults.add(written.lead.span(), &key("lead"), format!("`{lead}` is no kind of lead{hint}"));
        }
        Err(error) => faults.add(written.lead.span(), &key("lead"), error.to_string()),
    }
    let least = u32::try_from(*written.confirmed_at_least.get_ref()).ok().filter(|least| *least > 0);
    if least.is_none() {
        faults.add(written.confirmed_at_least.span(), &key("confirmed_at_least"), "a whole number from 1 on");
    }
    let cap = written.cap_grade.get_ref();
    let mut known: Vec<&str> = grades.iter().map(|grade| grade.name.as_str()).collect();
    known.push(BELOW);
    if !known.contains(&cap.as_str()) {
        let message = format!("`{cap}` is none of the grades {}", known.join(", "));
        faults.add(written.cap_grade.span(), &key("cap_grade"), message);
    }
    let sound = faults.found.len() == before;
    least.filter(|_| sound).map(|confirmed_at_least| Veto {
        lead: lead.clone(),
        confirmed_at_least,
        cap_grade: cap.clone(),
    })
}

fn indicators(
    written: &Spanned<Vec<IndicatorFile>>,
    subjects: Option<SubjectKind>,
    catalogue: &Catalogue,
    faults: &mut Faults<'_>,
) -> Vec<Indicator> {
    let mut seen = BTreeSet::new();
    let mut indicators = Vec::new();
    let mut sum = Some(Exact::whole(0));
    for (place, indicator) in written.get_ref().iter().enumerate() {
        let name = format!("indicators[{}] ({})", place + 1, indicator.metric.get_ref());
        if !seen.insert(indicator.metric.get_ref().as_str()) {
            faults.add(indicator.metric.span(), &format!("{name}.metric"), "this metric is an indicator already");
        }
        let read = self::indicator(&name, indicator, subjects, catalogue, faults);
        sum = sum.zip(faults.quiet_number(&indicator.weight)).map(|(sum, weight)| sum.plus(&weight));
        indicators.extend(read);
    }
    match sum {
        Some(sum) if sum != Exact::whole(100) => {
            let message = format!("the weights must sum to 100, and sum to {}", sum.to_digits(6));
            faults.add(written.span(), "indicators", message);
        }
        _ => {}
    }
    indicators
}

fn indicator(
    name: &str,
    written: &IndicatorFile,
    subjects: Option<SubjectKind>,
    catalogue: &Catalogue,
    faults: &mut Faults<'_>,
) -> Option<Indicator> {
    let key = |part: &str| format!("{name}.{part}");
    let weight = faults.number(&written.weight, &key("weight"));
    if weight.as_ref().is_some_and(|weight| !weight.is_above_zero()) {
        faults.add(written.weight.span(), &key("weight"), "a weight is above 0");
    }
    let metric = metric(&written.metric, &key("metric"), subjects, catalogue, faults);
    let params = metric.map(|metric| params(metric, &written.params, name, faults)).unwrap_or_default();
    let scoring = scoring(written, &key("scoring"), weight.as_ref(), faults);
    let gate = written.gate.as_ref().map(|gate| self::gate(gate, &key("gate"), subjects, catalogue, faults));
    let sector_weights = sector_weights(written, metric, &key("sector_weights"), faults);
    Some(Indicator {
        metric: metric?.id.clone(),
        params,
        weight: weight?,
        scoring: scoring?,
        sector_weights,
        gate: gate.flatten(),
    })
}

/// A metric that the catalogue has and that can tell the subjects apart.
fn metric<'c>(
    written: &Spanned<String>,
    key: &str,
    subjects: Option<SubjectKind>,
    catalogue: &'c Catalogue,
    faults: &mut Faults<'_>,
) -> Option<&'c Metric> {
    let id = written.get_ref();
    let Some(metric) = catalogue.metric(id) else {
        let hint = did_you_mean(id, catalogue.metrics().iter().map(|metric| &metric.id));
        faults.add(written.span(), key, format!("there is no metric `{id}`{hint}"));
        return None;
    };
    if let Some(subjects) = subjects
        && subjects.dimension_of(metric).is_none()
    {
        let there: Vec<&str> = metric.dimensions.iter().map(|dimension| dimension.name()).collect();
        let message = format!("{id} has no dimension {}; it has {}", subjects.name(), there.join(", "));
        faults.add(written.span(), key, message);
        return None;
    }
    Some(metric)
}

fn params(
    metric: &Metric,
    written: &BTreeMap<Spanned<String>, Written>,
    name: &str,
    faults: &mut Faults<'_>,
) -> BTreeMap<String, String> {
    let mut params = BTreeMap::new();
    for (param, value) in written {
        let key = format!("{name}.params.{}", param.get_ref());
        let Some(known) = metric.param(param.get_ref()) else {
            let hint = did_you_mean(param.get_ref(), metric.params.iter().map(|known| &known.name));
            faults.add(param.span(), &key, format!("{} has no such parameter{hint}", metric.id));
            continue;
        };
        let text = match value.get_ref() {
            toml::Value::String(text) => text.clone(),
            _ => faults.written(value.span()),
        };
        match known.read(&text) {
            Ok(_) => {
                params.insert(known.name.clone(), text);
            }
            Err(message) => faults.add(value.span(), &key, message),
        }
    }
    params
}

fn scoring(written: &IndicatorFile, key: &str, weight: Option<&Exact>, faults: &mut Faults<'_>) -> Option<Scoring> {
    let scoring = written.scoring.get_ref();
    let stray_otherwise = scoring.otherwise.is_some() && scoring.steps.is_none();
    match (&scoring.linear, &scoring.steps, &scoring.deduct) {
        (Some(linear), None, None) if !stray_otherwise => self::linear(linear, key, faults),
        (None, Some(steps), None) => {
            let Some(otherwise) = &scoring.otherwise else {
                faults.add(written.scoring.span(), key, "steps need `otherwise`: the share where none matches");
                return None;
            };
            self::steps(steps, otherwise, written.scoring.span(), key, faults)
        }
        (None, None, Some(deduct)) if !stray_otherwise => self::deduct(deduct, key, weight, faults),
        _ => {
            faults.add(written.scoring.span(), key, "exactly one of linear, steps with otherwise, and deduct");
            None
        }
    }
}

fn linear(written: &LinearFile, key: &str, faults: &mut Faults<'_>) -> Option<Scoring> {
    let lo = faults.number(&written.lo, &format!("{key}.linear.lo"));
    let hi = faults.number(&written.hi, &format!("{key}.linear.hi"));
    let (lo, hi) = (lo?, hi?);
    if lo == hi {
        faults.add(written.hi.span(), &format!("{key}.linear.hi"), "lo and hi must differ");
    }
    Some(Scoring::Linear { lo, hi })
}

fn steps(
    written: &[StepFile],
    otherwise: &Written,
    span: Range<usize>,
    key: &str,
    faults: &mut Faults<'_>,
) -> Option<Scoring> {
    if written.is_empty() {
        faults.add(span.clone(), &format!("{key}.steps"), "there is no step");
    }
    let mut steps = Vec::new();
    for (place, step) in written.iter().enumerate() {
        let key = format!("{key}.steps[{}]", place + 1);
        let mut bound = |written: &Option<Written>, name: &str| {
            written.as_ref().and_then(|bound| faults.number(bound, &format!("{key}.{name}")))
        };
        let (at_most, at_least) = (bound(&step.at_most, "at_most"), bound(&step.at_least, "at_least"));
        if step.at_most.is_none() && step.at_least.is_none() {
            faults.add(step.share.span(), &key, "a step has at_most, at_least or both");
        }
        if let (Some(most), Some(least)) = (&at_most, &at_least)
            && most < least
        {
            faults.add(step.share.span(), &key, "at_most lies below at_least: nothing can match");
        }
        let share = share(&step.share, &format!("{key}.share"), faults)?;
        steps.push(Step { at_least, at_most, share });
    }
    let otherwise = share(otherwise, &format!("{key}.otherwise"), faults)?;
    Some(Scoring::Steps { steps, otherwise })
}

fn share(written: &Written, key: &str, faults: &mut Faults<'_>) -> Option<Exact> {
    let share = faults.number(written, key)?;
    if share < Exact::whole(0) || share > Exact::whole(1) {
        faults.add(written.span(), key, "a share lies between 0 and 1");
    }
    Some(share)
}

fn deduct(written: &DeductFile, key: &str, weight: Option<&Exact>, faults: &mut Faults<'_>) -> Option<Scoring> {
    let mut number = |written: &Written, name: &str| faults.number(written, &format!("{key}.deduct.{name}"));
    let (per, each, most) = (number(&written.per, "per"), number(&written.each, "each"), number(&written.most, "most"));
    let (per, each, most) = (per?, each?, most?);
    for (value, written, name) in
        [(&per, &written.per, "per"), (&each, &written.each, "each"), (&most, &written.most, "most")]
    {
        if !value.is_above_zero() {
            faults.add(written.span(), &format!("{key}.deduct.{name}"), "a number above 0");
        }
    }
    if weight.is_some_and(|weight| most > *weight) {
        faults.add(written.most.span(), &format!("{key}.deduct.most"), "no more can be taken off than the weight");
    }
    Some(Scoring::Deduct { per, each, most })
}

fn gate(
    written: &GateFile,
    key: &str,
    subjects: Option<SubjectKind>,
    catalogue: &Catalogue,
    faults: &mut Faults<'_>,
) -> Option<Gate> {
    let metric = metric(&written.metric, &format!("{key}.metric"), subjects, catalogue, faults);
    let mut bound = |written: &Option<Written>, name: &str| {
        written.as_ref().and_then(|bound| faults.number(bound, &format!("{key}.{name}")))
    };
    let (at_least, at_most) = (bound(&written.at_least, "at_least"), bound(&written.at_most, "at_most"));
    if written.at_least.is_none() && written.at_most.is_none() {
        faults.add(written.metric.span(), key, "a gate has at_least, at_most or both");
    }
    if let (Some(least), Some(most)) = (&at_least, &at_most)
        && most < least
    {
        faults.add(written.metric.span(), key, "at_most lies below at_least: nothing passes");
    }
    Some(Gate { metric: metric?.id.clone(), at_least, at_most })
}

fn sector_weights(
    written: &IndicatorFile,
    metric: Option<&Metric>,
    key: &str,
    faults: &mut Faults<'_>,
) -> BTreeMap<String, Exact> {
    let Some(table) = &written.sector_weights else { return BTreeMap::new() };
    if table.get_ref().is_empty() {
        faults.add(table.span(), key, "name at least one sector, or leave the key out");
    }
    if let Some(metric) = metric
        && !metric.dimensions.contains(&Dimension::Sector)
    {
        faults.add(table.span(), key, format!("{} has no dimension sector", metric.id));
    }
    let mut weights = BTreeMap::new();
    for (sector, weight) in table.get_ref() {
        let key = format!("{key}.{}", sector.get_ref());
        if !names::is_sector(sector.get_ref()) {
            faults.add(sector.span(), &key, format!("there is no sector `{}`", sector.get_ref()));
        }
        let Some(value) = faults.number(weight, &key) else { continue };
        if !value.is_above_zero() {
            faults.add(weight.span(), &key, "a weight is above 0; leave a sector out that does not count");
        }
        weights.insert(sector.get_ref().clone(), value);
    }
    weights
}
