//! Organisations, people, sessions.

use sekisho_access::ActiveSession;
use sekisho_app::steward::NewPerson;
use sekisho_domain::{BiometricLevel, Organisation, OrganisationKind, Person, Role};
use sekisho_proto::v1;

use super::{
    Invalid, Shown, field, invalid,
    time::{optional_timestamp, stamp},
};

/// Most roles a list may hold.
const ROLES: usize = 16;

/// A person to be put on the roster.
pub(crate) fn new_person(request: v1::RegisterPersonRequest) -> Result<NewPerson, Invalid> {
    let mut roles = field::list(request.roles, "roles", ROLES, role)?;
    roles.sort_unstable();
    roles.dedup();
    Ok(NewPerson {
        display_name: field::name(request.display_name, "display_name")?,
        organisation_id: field::id(&request.organisation_id, "organisation_id")?,
        roles,
        oidc_issuer: field::name(request.oidc_issuer, "oidc_issuer")?,
        oidc_subject: field::name(request.oidc_subject, "oidc_subject")?,
        training_until: optional_timestamp(request.training_until, "training_until")?,
        pledged_at: optional_timestamp(request.pledged_at, "pledged_at")?,
    })
}

/// What an organisation is.
pub(crate) fn organisation_kind(kind: i32) -> Result<OrganisationKind, Invalid> {
    match v1::OrganisationKind::try_from(kind) {
        Ok(v1::OrganisationKind::Producer) => Ok(OrganisationKind::Producer),
        Ok(v1::OrganisationKind::UserOrg) => Ok(OrganisationKind::UserOrg),
        _ => Err(invalid("UNKNOWN_VALUE", "kind", "must be producer or user organisation")),
    }
}

fn role(role: i32, field: &str) -> Result<Role, Invalid> {
    match v1::Role::try_from(role) {
        Ok(v1::Role::Handler) => Ok(Role::Handler),
        Ok(v1::Role::ModuleReviewer) => Ok(Role::ModuleReviewer),
        Ok(v1::Role::OutputReviewer) => Ok(Role::OutputReviewer),
        Ok(v1::Role::SecurityWatch) => Ok(Role::SecurityWatch),
        Ok(v1::Role::Steward) => Ok(Role::Steward),
        _ => Err(invalid("UNKNOWN_VALUE", field, "not a role")),
    }
}

/// As sent.
pub(crate) fn biometric_level(level: BiometricLevel) -> v1::BiometricLevel {
    match level {
        BiometricLevel::B0 => v1::BiometricLevel::B0,
        BiometricLevel::B1 => v1::BiometricLevel::B1,
        BiometricLevel::B2 => v1::BiometricLevel::B2,
        BiometricLevel::B3 => v1::BiometricLevel::B3,
    }
}

fn roles(roles: &[Role]) -> Vec<i32> {
    let message = |role: &Role| match role {
        Role::Handler => v1::Role::Handler,
        Role::ModuleReviewer => v1::Role::ModuleReviewer,
        Role::OutputReviewer => v1::Role::OutputReviewer,
        Role::SecurityWatch => v1::Role::SecurityWatch,
        Role::Steward => v1::Role::Steward,
    };
    roles.iter().map(|role| message(role).into()).collect()
}

impl Shown for ActiveSession {
    type Message = v1::Session;

    fn message(self) -> v1::Session {
        let (record, person) = (self.record(), self.person());
        v1::Session {
            session_id: record.session_id.to_string(),
            person_id: record.person_id.to_string(),
            display_name: person.display_name.clone(),
            organisation_id: person.organisation_id.to_string(),
            roles: roles(&person.roles),
            biometric_level: biometric_level(record.level).into(),
            started_at: Some(stamp(record.started_at)),
            expires_at: Some(stamp(record.expires_at)),
        }
    }
}

impl Shown for Person {
    type Message = v1::Person;

    fn message(self) -> v1::Person {
        v1::Person {
            person_id: self.person_id.to_string(),
            display_name: self.display_name,
            organisation_id: self.organisation_id.to_string(),
            roles: roles(&self.roles),
            active: self.active,
            training_until: self.training_until.map(stamp),
            pledged_at: self.pledged_at.map(stamp),
        }
    }
}

impl Shown for Organisation {
    type Message = v1::Organisation;

    fn message(self) -> v1::Organisation {
        let kind = match self.kind {
            OrganisationKind::Producer => v1::OrganisationKind::Producer,
            OrganisationKind::UserOrg => v1::OrganisationKind::UserOrg,
        };
        v1::Organisation {
            organisation_id: self.organisation_id.to_string(),
            name: self.name,
            kind: kind.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use sekisho_domain::{OrganisationId, Timestamp};

    use super::*;

    fn request() -> v1::RegisterPersonRequest {
        v1::RegisterPersonRequest {
            display_name: "Sato".to_owned(),
            organisation_id: OrganisationId::new(Timestamp::from_millis(1)).to_string(),
            roles: vec![v1::Role::Steward.into(), v1::Role::Handler.into(), 1],
            oidc_issuer: "https://issuer.example".to_owned(),
            oidc_subject: "sato".to_owned(),
            training_until: None,
            pledged_at: Some(prost_types::Timestamp { seconds: 60, nanos: 0 }),
        }
    }

    #[test]
    fn a_person_is_parsed_with_each_role_once() {
        let person = new_person(request()).unwrap();
        assert_eq!(person.roles, [Role::Handler, Role::Steward]);
        assert_eq!(person.pledged_at, Some(Timestamp::from_millis(60_000)));
    }

    #[test]
    fn roles_and_kinds_without_a_meaning_are_refused() {
        for bad in [0, 6, -1] {
            let refused =
                new_person(v1::RegisterPersonRequest { roles: vec![1, bad], ..request() });
            let refused = refused.unwrap_err();
            assert_eq!((refused.code, refused.field.as_str()), ("UNKNOWN_VALUE", "roles[1]"));
        }
        assert_eq!(organisation_kind(0).unwrap_err().code, "UNKNOWN_VALUE");
        assert_eq!(organisation_kind(2), Ok(OrganisationKind::UserOrg));
    }

    #[test]
    fn all_roles_round_trip() {
        for each in Role::ALL {
            assert_eq!(role(roles(&[each])[0], "roles"), Ok(each));
        }
    }
}
