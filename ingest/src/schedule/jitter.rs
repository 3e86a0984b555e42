//! Jitter: waits that spread what would come together, and are the same after a restart.

use std::time::Duration;

use sha2::{Digest, Sha256};

/// A share of one, in `0.0..1.0`, that looks random and depends on nothing but the parts.
pub fn share(parts: &[&str]) -> f64 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let digest = digest.finalize();
    let first = digest.iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    f64::from(first) / (f64::from(u32::MAX) + 1.0)
}

/// How long after its instant a slot is begun, of at most `most`.
pub fn of_slot(feed_id: &str, slot_at: chrono::DateTime<chrono::Utc>, most: Duration) -> chrono::Duration {
    let wait = most.mul_f64(share(&["slot", feed_id, &slot_at.to_rfc3339()]));
    chrono::Duration::from_std(wait).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_waits_the_same_time_again_and_others_wait_other_times() {
        let most = Duration::from_secs(30);
        let slot = "2026-03-02T18:30:00Z".parse().unwrap();
        let waits: Vec<_> = (0..50).map(|feed| of_slot(&format!("feed-{feed}"), slot, most)).collect();
        assert_eq!(of_slot("feed-7", slot, most), waits[7]);
        assert!(waits.iter().all(|wait| *wait >= chrono::Duration::zero() && wait.num_seconds() < 30));
        let early = waits.iter().filter(|wait| wait.num_seconds() < 15).count();
        assert!((10..=40).contains(&early), "{early} of 50 wait less than half");
        assert_eq!(of_slot("feed-7", slot, Duration::ZERO), chrono::Duration::zero());
    }
}
