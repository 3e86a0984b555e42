//! Whose scores of an assessment a caller may see: only those of subjects that lie wholly in the scope.

use anze_queries::assessment::{Assessment, State, SubjectKind};

use super::{Denied, Permission, Role, Scope};

impl Permission {
    /// Whether an assessment is shown at all: a draft is no result, so only those who may see all of it do.
    pub fn sees_assessment(&self, subjects: SubjectKind, state: State) -> bool {
        match self.role {
            Role::Admin => true,
            Role::Official | Role::Analyst if self.scope.is_whole() => true,
            Role::Official | Role::Analyst | Role::Insurer => {
                state == State::Frozen && self.scope.may_hold(self.role, subjects)
            }
            Role::Reporter | Role::Public => false,
        }
    }

    /// Whether the score of a subject is handed out.
    pub fn sees_subject(&self, subjects: SubjectKind, code: &str) -> bool {
        match self.role {
            Role::Admin => true,
            Role::Official | Role::Analyst if self.scope.is_whole() => true,
            Role::Official | Role::Analyst | Role::Insurer => self.scope.holds_subject(self.role, subjects, code),
            Role::Reporter | Role::Public => false,
        }
    }

    /// Whether every subject is seen, and what is said about all of them.
    pub fn sees_every_subject(&self) -> bool {
        self.role == Role::Admin || (matches!(self.role, Role::Official | Role::Analyst) && self.scope.is_whole())
    }

    /// An assessment with nothing in it that the caller may not see.
    ///
    /// # Errors
    /// Denied, where nothing would be left, or it is a draft that is not for the caller.
    pub fn handed_out(&self, mut assessment: Assessment) -> Result<Assessment, Denied> {
        if !self.sees_assessment(assessment.subjects, assessment.state) {
            let detail = "此令牌不能查看该考核 / this token is not for this assessment";
            return Err(Denied::outside_scope(detail.to_owned()));
        }
        if self.sees_every_subject() {
            return Ok(assessment);
        }
        let kind = assessment.subjects;
        let scores = &mut assessment.scores;
        scores.subjects.retain(|subject| self.sees_subject(kind, &subject.code));
        scores.leads.retain(|lead| self.sees_subject(kind, &lead.subject));
        scores.outside.clear();
        scores.keep_batches_of_rows();
        for indicator in &mut scores.indicators {
            indicator.without_rule = 0;
        }
        if let Some(succession) = &mut assessment.succeeds {
            succession.moved.retain(|moved| self.sees_subject(kind, &moved.code));
            succession.causes.retain(|cause| !matches!(cause, anze_queries::assessment::Cause::Leads { .. }));
        }
        assessment.files.clear();
        Ok(assessment)
    }
}

impl Scope {
    /// Whether subjects of a kind can lie in the scope: a score is over all sectors, so a limit to some of
    /// them holds none.
    fn may_hold(&self, role: Role, subjects: SubjectKind) -> bool {
        let places_only = self.sectors.is_empty() && self.insurers.is_empty() && self.feeds.is_empty();
        let insurers_only = self.is_every_region() && self.sectors.is_empty() && !self.insurers.is_empty();
        match subjects {
            SubjectKind::City | SubjectKind::County => role != Role::Insurer && places_only,
            SubjectKind::Insurer => insurers_only,
            SubjectKind::Department => false,
        }
    }

    fn holds_subject(&self, role: Role, subjects: SubjectKind, code: &str) -> bool {
        self.may_hold(role, subjects)
            && match subjects {
                SubjectKind::Insurer => self.insurers.iter().any(|own| own == code),
                _ => self.regions.iter().any(|region| region.holds(code)),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(role: Role, regions: &[&str], sectors: &[&str], insurers: &[&str]) -> Permission {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let regions = regions.iter().map(|code| code.parse().unwrap()).collect();
        let scope = Scope { regions, sectors: texts(sectors), insurers: texts(insurers), ..Scope::default() };
        Permission { scope, ..Permission::whole(role) }
    }

    #[test]
    fn a_city_sees_itself_and_its_counties_and_nobody_beside() {
        let city = with(Role::Official, &["3301"], &[], &[]);
        assert!(city.sees_subject(SubjectKind::City, "330100"));
        assert!(city.sees_subject(SubjectKind::County, "330102"));
        assert!(!city.sees_subject(SubjectKind::City, "330200"));
        assert!(!city.sees_subject(SubjectKind::County, "330203"));
        assert!(!city.sees_subject(SubjectKind::Insurer, "PICC"));
        assert!(!city.sees_subject(SubjectKind::Department, "emergency"));
        let county = with(Role::Official, &["330102"], &[], &[]);
        assert!(county.sees_subject(SubjectKind::County, "330102"));
        assert!(!county.sees_subject(SubjectKind::City, "330100"), "the city is more than the county");
    }

    #[test]
    fn an_insurer_sees_its_own_score_only() {
        let insurer = with(Role::Insurer, &[], &[], &["PICC"]);
        assert!(insurer.sees_subject(SubjectKind::Insurer, "PICC"));
        assert!(!insurer.sees_subject(SubjectKind::Insurer, "CPIC"));
        assert!(!insurer.sees_subject(SubjectKind::City, "330100"));
        assert!(!with(Role::Insurer, &[], &[], &[]).sees_subject(SubjectKind::Insurer, "PICC"));
        assert!(!with(Role::Insurer, &["3301"], &[], &["PICC"]).sees_subject(SubjectKind::Insurer, "PICC"));
    }

    #[test]
    fn a_limit_to_sectors_holds_no_score_because_scores_are_over_all_sectors() {
        let sector = with(Role::Official, &["3301"], &["mine"], &[]);
        assert!(!sector.sees_subject(SubjectKind::City, "330100"));
        assert!(!sector.sees_assessment(SubjectKind::City, State::Frozen));
    }

    #[test]
    fn drafts_are_for_those_who_see_everything() {
        assert!(with(Role::Analyst, &[], &[], &[]).sees_assessment(SubjectKind::City, State::Draft));
        assert!(!with(Role::Official, &["3301"], &[], &[]).sees_assessment(SubjectKind::City, State::Draft));
        assert!(with(Role::Official, &["3301"], &[], &[]).sees_assessment(SubjectKind::City, State::Frozen));
        for role in [Role::Reporter, Role::Public] {
            assert!(!with(role, &[], &[], &[]).sees_assessment(SubjectKind::City, State::Frozen), "{role:?}");
            assert!(!with(role, &[], &[], &[]).sees_subject(SubjectKind::City, "330100"), "{role:?}");
        }
    }
}
