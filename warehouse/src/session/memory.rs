//! The memory of questions: as the engine counts it, and as the process really takes it.

use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation};

/// Gives memory to the steps of questions as long as there is some: refused is what is beyond the limit by the
/// engine's count and by what the process takes.
///
/// The engine counts a buffer once for every batch that points into it, so that sorting what a grouping made
/// can count a hundred times what it takes. A step is refused only where both the count and the memory of the
/// whole process are over the limit; one that can spill does so then.
#[derive(Debug)]
pub struct QuestionMemory {
    most: usize,
    counted: AtomicUsize,
    /// Bytes that the process takes, where the system tells.
    taken: fn() -> Option<usize>,
}

impl QuestionMemory {
    /// At most `most` bytes.
    pub fn new(most: usize) -> Self {
        Self { most, counted: AtomicUsize::new(0), taken: taken_by_process }
    }

    fn is_free(&self, additional: usize) -> bool {
        (self.taken)().is_some_and(|taken| taken.saturating_add(additional) <= self.most)
    }
}

impl MemoryPool for QuestionMemory {
    fn name(&self) -> &str {
        "questions"
    }

    fn grow(&self, _reservation: &MemoryReservation, additional: usize) {
        self.counted.fetch_add(additional, Ordering::Relaxed);
    }

    fn shrink(&self, _reservation: &MemoryReservation, less: usize) {
        self.counted.fetch_sub(less, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let before = self.counted.fetch_add(additional, Ordering::Relaxed);
        if before.saturating_add(additional) <= self.most || self.is_free(additional) {
            return Ok(());
        }
        self.counted.fetch_sub(additional, Ordering::Relaxed);
        let consumer = reservation.consumer().name();
        Err(resources_datafusion_err!("{consumer} needs {additional} bytes more; {self}"))
    }

    fn reserved(&self) -> usize {
        self.counted.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.most)
    }
}

impl fmt::Display for QuestionMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = (self.taken)().unwrap_or(0);
        write!(f, "{} bytes counted and {taken} taken of {}", self.reserved(), self.most)
    }
}

/// What the process has of its own in memory: no mapped files.
fn taken_by_process() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::execution::memory_pool::MemoryConsumer;

    use super::*;

    fn pool(taken: fn() -> Option<usize>) -> Arc<dyn MemoryPool> {
        Arc::new(QuestionMemory { most: 100, counted: AtomicUsize::new(0), taken })
    }

    #[test]
    fn what_is_counted_twice_is_given_while_the_process_takes_less() {
        let pool = pool(|| Some(40));
        let step = MemoryConsumer::new("sort").register(&pool);
        step.try_grow(90).unwrap();
        step.try_grow(60).unwrap();
        assert_eq!(pool.reserved(), 150);
        let refusal = step.try_grow(61).unwrap_err().to_string();
        assert!(refusal.contains("sort needs 61 bytes more; 150 bytes counted and 40 taken of 100"), "{refusal}");
        assert_eq!(pool.reserved(), 150, "what was refused is not counted");
    }

    #[test]
    fn what_the_process_takes_for_other_things_refuses_nothing_that_is_within_the_count() {
        let pool = pool(|| Some(500));
        let step = MemoryConsumer::new("join").register(&pool);
        step.try_grow(100).unwrap();
        assert!(step.try_grow(1).is_err());
        step.shrink(1);
        step.try_grow(1).unwrap();
    }

    #[test]
    fn where_the_system_does_not_tell_the_count_decides() {
        let pool = pool(|| None);
        assert!(MemoryConsumer::new("join").register(&pool).try_grow(101).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_memory_of_the_process_grows_with_what_is_written_to_it() {
        let before = taken_by_process().unwrap();
        let much = vec![1_u8; 64 << 20];
        let after = taken_by_process().unwrap();
        assert!(after >= before + (32 << 20), "{before}, then {after}, with {} bytes more", much.len());
    }
}
