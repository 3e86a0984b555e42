//! Drawings: horizontal bars and a line over months, as SVG without style attributes or script.

use maud::{Markup, html};

use super::Lang;
use super::figure::percent;

/// What a bar is measured against.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// The ratio at which a bar is full.
    pub full: f64,
    /// A limit or target that is marked.
    pub mark: Option<f64>,
}

/// A bar of a ratio.
pub fn bar(ratio: Option<f64>, axis: Axis) -> Markup {
    let place = |value: f64| format!("{:.2}", (value / axis.full * 100.0).clamp(0.0, 100.0));
    html! {
        svg.bar viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect.track width="100" height="10" {}
            @if let Some(ratio) = ratio {
                rect.fill width=(place(ratio)) height="10" {}
            }
            @if let Some(mark) = axis.mark {
                rect.mark x=(place(mark)) width="0.6" height="10" {}
            }
        }
    }
}

/// One month of a trend.
pub struct Point {
    pub month: String,
    pub ratio: Option<f64>,
}

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 34.0;

/// A line of ratios over months. The axis is cut to where the values are, and says so by its numbers.
pub fn line(points: &[Point], title: &str, lang: Lang) -> Markup {
    let known: Vec<f64> = points.iter().filter_map(|point| point.ratio).collect();
    let Some(scale) = Scale::around(&known) else {
        return html! { p.empty { (lang.pick("尚无趋势数据", "No trend yet")) } };
    };
    let x = |index: usize| {
        let steps = points.len().saturating_sub(1).max(1);
        LEFT + (WIDTH - LEFT - RIGHT) * index as f64 / steps as f64
    };
    let y = |ratio: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - scale.place(ratio));
    let every = points.len().div_ceil(6).max(1);
    let last = points.iter().enumerate().rev().find_map(|(index, point)| point.ratio.map(|ratio| (index, ratio)));
    html! {
        svg.line viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(title) {
            @for tick in scale.ticks() {
                line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(coordinate(y(tick))) y2=(coordinate(y(tick))) {}
                text.tick x=(LEFT - 8.0) y=(coordinate(y(tick) + 4.0)) text-anchor="end" { (axis(tick)) }
            }
            @for (index, point) in points.iter().enumerate() {
                @if (points.len() - 1 - index).is_multiple_of(every) {
                    text.tick x=(coordinate(x(index))) y=(HEIGHT - 10.0) text-anchor="middle" { (point.month) }
                }
            }
            @for run in runs(points) {
                polyline.course points=(run.iter().map(|(index, ratio)| format!("{},{}", coordinate(x(*index)), coordinate(y(*ratio)))).collect::<Vec<_>>().join(" ")) {}
            }
            @if let Some((index, ratio)) = last {
                circle.now cx=(coordinate(x(index))) cy=(coordinate(y(ratio))) r="4" {}
                text.value x=(coordinate(x(index).min(WIDTH - RIGHT))) y=(coordinate(y(ratio) - 10.0)) text-anchor="end" { (percent(ratio)) }
            }
        }
    }
}

/// Unbroken stretches of known values: a month without one is a gap in the line, not a guess.
fn runs(points: &[Point]) -> Vec<Vec<(usize, f64)>> {
    let mut runs = vec![Vec::new()];
    for (index, point) in points.iter().enumerate() {
        match (point.ratio, runs.last_mut()) {
            (Some(ratio), Some(run)) => run.push((index, ratio)),
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// Two digits after the point are a hundredth of a pixel.
fn coordinate(value: f64) -> String {
    format!("{value:.2}")
}

fn axis(ratio: f64) -> String {
    let text = format!("{:.1}", ratio * 100.0);
    format!("{}%", text.strip_suffix(".0").unwrap_or(&text))
}

/// The part of the axis that is shown.
struct Scale {
    low: f64,
    high: f64,
    step: f64,
}

impl Scale {
    fn around(values: &[f64]) -> Option<Self> {
        let low = values.iter().copied().reduce(f64::min)?;
        let high = values.iter().copied().reduce(f64::max)?;
        let steps = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
        let span = (high - low).max(0.004);
        let step = steps.into_iter().find(|step| span / step <= 4.0).unwrap_or(1.0);
        let bottom = ((low / step).floor() * step).max(0.0);
        let top = ((high / step).ceil() * step).max(bottom + step);
        Some(Self { low: bottom, high: top, step })
    }

    fn place(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    fn ticks(&self) -> Vec<f64> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count).map(|tick| self.low + self.step * tick as f64).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_surrounds_the_values_in_round_steps() {
        let scale = Scale::around(&[0.812, 0.867]).unwrap();
        let ticks: Vec<String> = scale.ticks().into_iter().map(axis).collect();
        assert_eq!(ticks, ["80%", "82%", "84%", "86%", "88%"]);
        assert!(Scale::around(&[]).is_none());
        assert!(Scale::around(&[1.0, 1.0]).unwrap().ticks().len() >= 2);
    }

    #[test]
    fn a_month_without_a_value_breaks_the_line() {
        let point = |ratio| Point { month: "2026-01".to_owned(), ratio };
        let drawn =
            line(&[point(Some(0.5)), point(None), point(Some(0.6)), point(Some(0.7))], "x", Lang::En).into_string();
        assert_eq!(drawn.matches("<polyline").count(), 2);
    }

    #[test]
    fn a_bar_never_leaves_its_track() {
        let axis = Axis { full: 1.0, mark: Some(0.21) };
        assert!(bar(Some(1.7), axis).into_string().contains("width=\"100.00\""));
        assert!(!bar(None, axis).into_string().contains("fill"));
    }
}
