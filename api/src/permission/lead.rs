//! Which leads a caller may see: the scope becomes a limit of the rows.

use anze_queries::LeadScope;

use super::{Denied, Permission, Role};

impl Permission {
    /// The limit of the leads that this caller may see.
    pub fn leads(&self) -> Result<LeadScope, Denied> {
        match self.role {
            Role::Admin => Ok(LeadScope::default()),
            Role::Official | Role::Analyst => Ok(self.lead_scope()),
            Role::Insurer if !self.scope.insurers.is_empty() => Ok(self.lead_scope()),
            Role::Insurer | Role::Reporter | Role::Public => Err(Denied::role(self.role)),
        }
    }

    fn lead_scope(&self) -> LeadScope {
        let regions = if self.scope.is_every_region() { Vec::new() } else { self.scope.regions.clone() };
        LeadScope {
            regions: regions.iter().map(ToString::to_string).collect(),
            sectors: self.scope.sectors.clone(),
            insurers: self.scope.insurers.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::Scope;

    fn with(role: Role, scope: Scope) -> Permission {
        Permission { scope, ..Permission::whole(role) }
    }

    #[test]
    fn a_scope_limits_leads_and_a_whole_province_does_not() {
        let city = Scope { regions: vec!["330100".parse().unwrap()], ..Scope::default() };
        assert_eq!(with(Role::Official, city).leads().unwrap().regions, ["3301"]);
        let province = Scope { regions: vec!["330000".parse().unwrap()], ..Scope::default() };
        assert_eq!(with(Role::Analyst, province).leads().unwrap(), LeadScope::default());
        assert_eq!(Permission::whole(Role::Admin).leads().unwrap(), LeadScope::default());
    }

    #[test]
    fn an_insurer_sees_its_own_leads_and_the_public_none() {
        let own = Scope { insurers: vec!["PICC".into()], ..Scope::default() };
        assert_eq!(with(Role::Insurer, own).leads().unwrap().insurers, ["PICC"]);
        assert!(Permission::whole(Role::Insurer).leads().is_err());
        assert!(Permission::whole(Role::Public).leads().is_err());
        assert!(Permission::whole(Role::Reporter).leads().is_err());
    }
}
