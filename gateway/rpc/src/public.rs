//! The calls that need no session, each with its reason. Whatever is not listed here is
//! refused before its handler runs.

/// Full method and why it is public.
pub const PUBLIC: &[(&str, &str)] = &[
    ("/sekisho.v1.SessionService/BeginLogin", "nobody has a session before logging in"),
    (
        "/sekisho.v1.SessionService/CompleteFirstFactor",
        "second step of a login; bound to a login id that only its beginner knows",
    ),
    (
        "/sekisho.v1.SessionService/CompleteLogin",
        "last step of a login; needs both factors of that very login",
    ),
    (
        "/sekisho.v1.SessionService/CompleteEnrolment",
        "a first authenticator is enrolled before there can be a session; needs an invitation",
    ),
    (
        "/grpc.health.v1.Health/Check",
        "load balancers and orchestrators hold no session; says only whether the gateway serves",
    ),
];

/// The calls that anybody may make, and that policies decide on: whoever has a session makes
/// them in it.
pub const OPEN: &[(&str, &str)] = &[
    ("/sekisho.v1.CatalogueService/ListDatasets", "the catalogue is to be public (CT-1)"),
    ("/sekisho.v1.CatalogueService/GetDataset", "the catalogue is to be public (CT-1)"),
    (
        "/sekisho.v1.CatalogueService/CountPatients",
        "the simple database is public; its answers are rounded and few (CT-2)",
    ),
    ("/sekisho.v1.CatalogueService/ListLinkageRules", "the linkage matrix is public (LK-1)"),
];

/// Whether `method` may be called by a visitor without a certificate.
#[must_use]
pub fn is_open(method: &str) -> bool {
    OPEN.iter().any(|(open, _)| *open == method)
}

/// Whether `method` may be called without a session.
#[must_use]
pub fn is_public(method: &str) -> bool {
    PUBLIC.iter().any(|(public, _)| *public == method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_public_method_exists_and_says_why() {
        let methods = crate::methods();
        for (method, reason) in PUBLIC.iter().chain(OPEN) {
            let ours = method.starts_with("/sekisho.");
            assert!(!ours || methods.iter().any(|known| known == method), "{method}");
            assert!(reason.len() > 20, "{method}");
        }
        assert!(!is_public("/sekisho.v1.SessionService/WhoAmI"));
        assert!(!is_public("/grpc.health.v1.Health/Watch"));
    }
}
