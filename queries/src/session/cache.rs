//! The sessions of late: planning the marts again for every question would cost more than most
//! questions do.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use anze_warehouse::Release;
use chrono::NaiveDate;

use super::Observed;

/// Few, because a session keeps its release's file lists in memory.
const MOST: usize = 16;

struct Entry {
    release: Weak<Release>,
    until: NaiveDate,
    session: Arc<Observed>,
}

static SESSIONS: Mutex<VecDeque<Entry>> = Mutex::new(VecDeque::new());

/// The session for exactly this release object, if it is still kept.
pub(super) fn get(release: &Arc<Release>, until: NaiveDate) -> Option<Arc<Observed>> {
    let mut sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    sessions.retain(|entry| entry.release.strong_count() > 0);
    let this = Arc::downgrade(release);
    let place = sessions.iter().position(|entry| entry.until == until && entry.release.ptr_eq(&this))?;
    let entry = sessions.remove(place)?;
    let session = Arc::clone(&entry.session);
    sessions.push_front(entry);
    Some(session)
}

/// Keeps a session; the one not asked for longest goes.
pub(super) fn put(release: &Arc<Release>, until: NaiveDate, session: &Arc<Observed>) {
    let mut sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    sessions.truncate(MOST - 1);
    sessions.push_front(Entry { release: Arc::downgrade(release), until, session: Arc::clone(session) });
}

/// Forgets every session, so that what they keep in files is removed: to be called before a process ends.
pub fn forget() {
    SESSIONS.lock().unwrap_or_else(PoisonError::into_inner).clear();
}
