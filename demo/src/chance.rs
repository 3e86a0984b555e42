//! Randomness that is the same on every machine: a ChaCha8 stream per thing of the simulation, so
//! that one unit's life never depends on how many draws another one took.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, Gamma, Poisson, StandardNormal};

/// What a stream of chance belongs to.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Market = 1,
    Feed = 2,
    Unit = 3,
    Project = 4,
    FleetCover = 5,
    Ledger = 6,
    Oversight = 7,
}

/// The seed of a demo, from which every stream is taken.
#[derive(Clone)]
pub(super) struct Seed(ChaCha8Rng);

impl Seed {
    pub(super) fn new(seed: u64) -> Self {
        Seed(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(super) fn stream(&self, stream: Stream, index: u64) -> Chance {
        let mut rng = self.0.clone();
        rng.set_stream(((stream as u64) << 48) | index);
        Chance(rng)
    }
}

/// One stream of draws.
pub(super) struct Chance(ChaCha8Rng);

impl Chance {
    /// Uniform in [0, 1), with 32 bits.
    pub(super) fn share(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    pub(super) fn yes(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// Uniform in `0..n`; 0 for an `n` of 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.0.next_u32()) * n as u64) >> 32) as usize
    }

    /// Uniform in `low..=high`.
    pub(super) fn between(&mut self, low: i32, high: i32) -> i32 {
        low + self.below((high - low + 1).max(0) as usize) as i32
    }

    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// The index of a share of the last of the running sums.
    pub(super) fn weighted(&mut self, running_sums: &[f64]) -> usize {
        let total = running_sums.last().copied().unwrap_or(0.0);
        let mark = self.share() * total;
        running_sums.partition_point(|sum| *sum <= mark).min(running_sums.len().saturating_sub(1))
    }

    pub(super) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    pub(super) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// Whole days around a median, at most `most`.
    pub(super) fn days(&mut self, median: f64, sigma: f64, most: i32) -> i32 {
        (self.log_normal(median, sigma).round() as i32).min(most)
    }

    pub(super) fn poisson(&mut self, mean: f64) -> usize {
        match Poisson::new(mean) {
            Ok(poisson) => poisson.sample(&mut self.0) as usize,
            Err(_) => 0,
        }
    }

    /// Counts that scatter more than Poisson's: a Poisson whose mean is itself a Gamma draw.
    pub(super) fn negative_binomial(&mut self, mean: f64, shape: f64) -> usize {
        match Gamma::new(shape, mean / shape) {
            Ok(gamma) => {
                let drawn = gamma.sample(&mut self.0);
                self.poisson(drawn)
            }
            Err(_) => 0,
        }
    }
}

/// Running sums of weights, for [`Chance::weighted`].
pub(super) fn running_sums(weights: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    weights
        .into_iter()
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_does_not_depend_on_the_draws_of_another() {
        let seed = Seed::new(7);
        let alone = seed.stream(Stream::Unit, 5).below(1_000_000);
        let mut other = seed.stream(Stream::Unit, 4);
        for _ in 0..100 {
            other.share();
        }
        assert_eq!(seed.stream(Stream::Unit, 5).below(1_000_000), alone);
    }

    #[test]
    fn the_first_draws_of_seed_1_never_change() {
        let mut chance = Seed::new(1).stream(Stream::Unit, 0);
        let drawn: Vec<usize> = (0..4).map(|_| chance.below(1_000)).collect();
        assert_eq!(drawn, FIRST_DRAWS);
    }

    const FIRST_DRAWS: [usize; 4] = [87, 847, 518, 269];

    #[test]
    fn a_weight_of_nothing_is_never_drawn() {
        let sums = running_sums([0.0, 2.0, 0.0, 1.0]);
        let mut chance = Seed::new(1).stream(Stream::Market, 0);
        for _ in 0..1_000 {
            assert!([1, 3].contains(&chance.weighted(&sums)));
        }
    }
}
