//! The deployment's province: figures without a place are judged by its rules, and `$province` stands for
//! it in SQL. A session knows it, so that views do too.

use std::sync::Arc;

use anze_warehouse::reading::Reading;
use datafusion::prelude::SessionConfig;

use crate::statement::Value;

/// Its code, six digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Province(String);

impl Province {
    /// That of whoever reads.
    pub(crate) fn of_reading(reading: &Reading) -> Self {
        Self(reading.province.clone())
    }

    /// That of a session.
    pub(crate) fn of(session: &SessionConfig) -> Self {
        let known = session.get_extension::<Self>();
        known.map_or_else(|| Self::of_reading(&Reading::default()), |known| known.as_ref().clone())
    }

    /// Lets a session know it.
    pub(crate) fn tell(self, session: &mut SessionConfig) {
        session.set_extension(Arc::new(self));
    }

    pub(crate) fn code(&self) -> &str {
        &self.0
    }

    /// The value of `$province`.
    pub(crate) fn value(&self) -> Value {
        Value::Text(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_knows_the_province_that_it_was_told_and_else_the_default() {
        let mut session = SessionConfig::new();
        assert_eq!(Province::of(&session).code(), "330000");
        let reading = Reading { province: "320000".to_owned(), ..Reading::default() };
        Province::of_reading(&reading).tell(&mut session);
        assert_eq!(Province::of(&session).code(), "320000");
    }
}
