use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use webauthn_authenticator_rs::prelude::WebauthnAuthenticator;
use webauthn_authenticator_rs::softpasskey::SoftPasskey;
use webauthn_authenticator_rs::softtoken::{AAGUID, SoftToken};
use webauthn_rs_proto::{
    CreationChallengeResponse, PublicKeyCredentialCreationOptions,
    PublicKeyCredentialRequestOptions, RequestChallengeResponse, UserVerificationPolicy,
};

use super::*;

const RP_ID: &str = "localhost";
const ORIGIN: &str = "https://localhost:8443";
const NOW: i64 = 1_800_000_000;
const PERSON: Uuid = Uuid::from_u128(0x11);

/// A software token and the PEM of the CA that attests it.
fn token() -> (SoftToken, String) {
    let (token, _) = SoftToken::new(true).unwrap();
    let body = base64::engine::general_purpose::STANDARD.encode(part(&token, "ca_cert"));
    (token, format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"))
}

/// DER of a member of a token that holds no credential yet.
fn part(token: &SoftToken, member: &str) -> Vec<u8> {
    let token = serde_json::to_value(token).unwrap();
    URL_SAFE_NO_PAD.decode(token[member].as_str().unwrap()).unwrap()
}

fn list(aaguid: Uuid, level: &str, ca_pem: &str) -> AllowList {
    let text = format!(
        "[[model]]\naaguid = \"{aaguid}\"\nmodel = \"Software token\"\nlevel = \"{level}\"\nca = '''{ca_pem}'''\n"
    );
    AllowList::parse(&text, Path::new("/nonexistent")).unwrap()
}

fn factor(allow_list: AllowList) -> SecondFactor {
    SecondFactor::new(RP_ID, ORIGIN, allow_list).unwrap()
}

/// What a client does with creation options; `tamper` plays the hostile client.
fn create(
    device: &mut impl WebauthnAuthenticator,
    options: &str,
    origin: &str,
    tamper: impl FnOnce(&mut PublicKeyCredentialCreationOptions),
) -> String {
    let mut public_key: PublicKeyCredentialCreationOptions = serde_json::from_str(options).unwrap();
    tamper(&mut public_key);
    let origin = Url::parse(origin).unwrap();
    let answer = device.do_registration(origin, CreationChallengeResponse { public_key }).unwrap();
    serde_json::to_string(&answer).unwrap()
}

/// What a client does with request options.
fn get(
    device: &mut impl WebauthnAuthenticator,
    options: &str,
    origin: &str,
    tamper: impl FnOnce(&mut PublicKeyCredentialRequestOptions),
) -> String {
    let mut public_key: PublicKeyCredentialRequestOptions = serde_json::from_str(options).unwrap();
    tamper(&mut public_key);
    let origin = Url::parse(origin).unwrap();
    let request = RequestChallengeResponse { public_key, mediation: None };
    serde_json::to_string(&device.do_authentication(origin, request).unwrap()).unwrap()
}

fn enrol(
    factor: &SecondFactor,
    device: &mut impl WebauthnAuthenticator,
    tamper: impl FnOnce(&mut PublicKeyCredentialCreationOptions),
) -> Result<NewCredential, WebAuthnError> {
    let (options, state) = factor.begin_registration(PERSON, "hanako", "Hanako", &[], NOW).unwrap();
    let answer = create(device, &options, ORIGIN, tamper);
    factor.complete_registration(state, &answer, NOW + 1)
}

/// An enrolled person.
struct Enrolled {
    factor: SecondFactor,
    token: SoftToken,
    ca_pem: String,
    credential: NewCredential,
}

impl Enrolled {
    fn new() -> Self {
        let (mut token, ca_pem) = token();
        let factor = factor(list(AAGUID, "B1", &ca_pem));
        let credential = enrol(&factor, &mut token, |_| {}).unwrap();
        Self { factor, token, ca_pem, credential }
    }

    fn stored(&self) -> Vec<StoredCredential> {
        vec![StoredCredential { passkey_json: self.credential.passkey_json.clone() }]
    }

    fn assert(
        &mut self,
        purpose: Purpose,
        tamper: impl FnOnce(&mut PublicKeyCredentialRequestOptions),
    ) -> Result<Assertion, WebAuthnError> {
        let (options, state) = self.factor.begin_assertion(&self.stored(), purpose, NOW).unwrap();
        let answer = get(&mut self.token, &options, ORIGIN, tamper);
        self.factor.complete_assertion(state, &self.stored(), &answer, NOW + 1)
    }
}

#[test]
fn au_1_an_attested_listed_authenticator_is_enrolled_and_asserts() {
    let mut person = Enrolled::new();
    assert_eq!(person.credential.aaguid, AAGUID);
    assert_eq!(person.credential.model, "Software token");
    assert_eq!(person.credential.level, BiometricLevel::B1);
    let first = person.assert(Purpose::Login, |_| {}).unwrap();
    assert_eq!(first.credential_id, person.credential.credential_id);
    assert_eq!(first.level, BiometricLevel::B1);
    person.credential.passkey_json = first.updated_passkey_json;
    let second = person.assert(Purpose::Decision([7; 32]), |_| {}).unwrap();
    assert!(second.counter > first.counter);
}

#[test]
fn au_1_an_authenticator_under_another_ca_is_refused() {
    let (mut device, _) = token();
    let (_, other_ca) = token();
    let refused = enrol(&factor(list(AAGUID, "B1", &other_ca)), &mut device, |_| {}).unwrap_err();
    assert_eq!(refused.code(), "attestation_untrusted");
}

#[test]
fn au_1_a_model_that_is_not_listed_is_refused() {
    let (mut device, ca) = token();
    let factor = factor(list(Uuid::from_u128(0xbad), "B1", &ca));
    let refused = enrol(&factor, &mut device, |_| {}).unwrap_err();
    assert_eq!(refused.code(), "model_not_allowed");
}

#[test]
fn au_1_an_unattested_passkey_is_refused() {
    let (_, ca) = token();
    let factor = factor(list(AAGUID, "B1", &ca));
    let refused = enrol(&factor, &mut SoftPasskey::new(true), |_| {}).unwrap_err();
    assert_eq!(refused.code(), "not_attested");
}

#[test]
fn au_1_a_key_that_may_be_synced_is_refused() {
    let (mut device, ca) = token();
    let attester = rcgen::KeyPair::try_from(part(&device, "intermediate_key")).unwrap();
    let factor = factor(list(AAGUID, "B1", &ca));
    let (options, state) = factor.begin_registration(PERSON, "h", "H", &[], NOW).unwrap();
    let answer = create(&mut device, &options, ORIGIN, |_| {});
    let synced = with_flags(&answer, 0b1000, &attester);
    let refused = factor.complete_registration(state, &synced, NOW).unwrap_err();
    assert_eq!(refused.code(), "synced_credential");

    // The same surgery without the flag passes, so it is the flag that is refused.
    let (options, state) = factor.begin_registration(PERSON, "h", "H", &[], NOW).unwrap();
    let answer = create(&mut device, &options, ORIGIN, |_| {});
    let same = with_flags(&answer, 0, &attester);
    factor.complete_registration(state, &same, NOW).unwrap();
}

/// Sets flags in the authenticator data of a registration and attests it anew.
fn with_flags(answer: &str, flags: u8, attester: &rcgen::KeyPair) -> String {
    let mut answer: Value = serde_json::from_str(answer).unwrap();
    let bytes = |v: &Value| URL_SAFE_NO_PAD.decode(v.as_str().unwrap()).unwrap();
    let client_data_hash = Sha256::digest(bytes(&answer["response"]["clientDataJSON"]));
    // CBOR with the members fmt, attStmt {alg, sig, x5c}, authData in this order.
    let mut object = bytes(&answer["response"]["attestationObject"]);
    let find = |object: &[u8], needle: &[u8]| {
        object.windows(needle.len()).position(|w| w == needle).unwrap()
    };
    let auth_data = find(&object, &Sha256::digest(RP_ID));
    object[auth_data + 32] |= flags;
    let signed = [&object[auth_data..], &client_data_hash].concat();
    let marker = b"csig\x58";
    let length_at = find(&object, marker) + marker.len();
    let length = usize::from(object[length_at]);
    // ECDSA signatures vary in length; draw one that fits the place of the old.
    let signature = std::iter::repeat_with(|| rcgen::SigningKey::sign(attester, &signed).unwrap())
        .find(|signature| signature.len() == length)
        .unwrap();
    object[length_at + 1..=length_at + length].copy_from_slice(&signature);
    answer["response"]["attestationObject"] = json!(URL_SAFE_NO_PAD.encode(object));
    answer.to_string()
}

#[test]
fn au_1_enrolment_without_user_verification_is_refused() {
    let (mut device, ca) = token();
    let refused = enrol(&factor(list(AAGUID, "B1", &ca)), &mut device, |options| {
        let selection = options.authenticator_selection.as_mut().unwrap();
        selection.user_verification = UserVerificationPolicy::Discouraged_DO_NOT_USE;
    })
    .unwrap_err();
    assert_eq!(refused.code(), "user_verification_missing");
}

#[test]
fn au_1_an_assertion_without_user_verification_is_refused() {
    let refused = Enrolled::new()
        .assert(Purpose::Login, |options| {
            options.user_verification = UserVerificationPolicy::Discouraged_DO_NOT_USE;
        })
        .unwrap_err();
    assert_eq!(refused.code(), "user_verification_missing");
}

#[test]
fn au_1_a_model_taken_off_the_list_is_locked_out_at_once() {
    let mut person = Enrolled::new();
    let stored = person.stored();
    let (options, state) = person.factor.begin_assertion(&stored, Purpose::Login, NOW).unwrap();
    let answer = get(&mut person.token, &options, ORIGIN, |_| {});
    let shrunk = factor(list(Uuid::from_u128(1), "B1", &person.ca_pem));
    let refused = shrunk.complete_assertion(state, &stored, &answer, NOW).unwrap_err();
    assert_eq!(refused.code(), "model_not_allowed");
    let refused = shrunk.begin_assertion(&stored, Purpose::Login, NOW).unwrap_err();
    assert_eq!(refused.code(), "model_not_allowed");
}

#[test]
fn the_level_is_the_one_of_the_list_as_it_stands() {
    let mut person = Enrolled::new();
    person.factor = factor(list(AAGUID, "B0", &person.ca_pem));
    assert_eq!(person.assert(Purpose::Login, |_| {}).unwrap().level, BiometricLevel::B0);
}

#[test]
fn a_replayed_assertion_is_refused() {
    let mut person = Enrolled::new();
    let stored = person.stored();
    let begin = || person.factor.begin_assertion(&stored, Purpose::Login, NOW).unwrap();
    let ((options, first), (_, second)) = (begin(), begin());
    let answer = get(&mut person.token, &options, ORIGIN, |_| {});
    person.factor.complete_assertion(first, &stored, &answer, NOW).unwrap();
    let refused = person.factor.complete_assertion(second, &stored, &answer, NOW).unwrap_err();
    assert_eq!(refused.code(), "wrong_challenge");
}

#[test]
fn a_swapped_challenge_is_refused() {
    let mut person = Enrolled::new();
    let refused =
        person.assert(Purpose::Login, |options| options.challenge = vec![9; 32]).unwrap_err();
    assert_eq!(refused.code(), "wrong_challenge");
    let (mut device, ca) = token();
    let refused = enrol(&factor(list(AAGUID, "B1", &ca)), &mut device, |options| {
        options.challenge = vec![9; 32];
    })
    .unwrap_err();
    assert_eq!(refused.code(), "wrong_challenge");
}

#[test]
fn an_answer_for_one_decision_does_not_serve_another() {
    let mut person = Enrolled::new();
    let stored = person.stored();
    let begin =
        |sha256| person.factor.begin_assertion(&stored, Purpose::Decision(sha256), NOW).unwrap();
    let ((options, _), (_, other)) = (begin([1; 32]), begin([2; 32]));
    let answer = get(&mut person.token, &options, ORIGIN, |_| {});
    let refused = person.factor.complete_assertion(other, &stored, &answer, NOW).unwrap_err();
    assert_eq!(refused.code(), "wrong_challenge");
}

#[test]
fn a_cloned_authenticator_is_noticed_by_its_counter() {
    let mut person = Enrolled::new();
    let mut clone = SoftToken::from_cbor(&person.token.to_cbor().unwrap()).unwrap();
    let used = person.assert(Purpose::Login, |_| {}).unwrap();
    person.credential.passkey_json = used.updated_passkey_json;
    std::mem::swap(&mut person.token, &mut clone);
    let refused = person.assert(Purpose::Login, |_| {}).unwrap_err();
    assert_eq!(refused.code(), "counter_regressed");
}

#[test]
fn the_counter_is_compared_with_its_latest_value_not_the_one_at_the_start() {
    let mut person = Enrolled::new();
    let before = person.stored();
    let (options, state) = person.factor.begin_assertion(&before, Purpose::Login, NOW).unwrap();
    let mut clone = SoftToken::from_cbor(&person.token.to_cbor().unwrap()).unwrap();
    let used = person.assert(Purpose::Login, |_| {}).unwrap();
    person.credential.passkey_json = used.updated_passkey_json;
    let answer = get(&mut clone, &options, ORIGIN, |_| {});
    let refused =
        person.factor.complete_assertion(state, &person.stored(), &answer, NOW).unwrap_err();
    assert_eq!(refused.code(), "counter_regressed");
}

#[test]
fn another_origin_is_refused() {
    let mut person = Enrolled::new();
    let stored = person.stored();
    for origin in ["https://localhost:9999", "http://localhost:8443", "https://evil.localhost:8443"]
    {
        let (options, state) = person.factor.begin_assertion(&stored, Purpose::Login, NOW).unwrap();
        let answer = get(&mut person.token, &options, origin, |_| {});
        let refused = person.factor.complete_assertion(state, &stored, &answer, NOW).unwrap_err();
        assert_eq!(refused.code(), "wrong_origin", "{origin}");
    }
    let (mut device, ca) = token();
    let factor = factor(list(AAGUID, "B1", &ca));
    let (options, state) = factor.begin_registration(PERSON, "h", "H", &[], NOW).unwrap();
    let answer = create(&mut device, &options, "https://localhost:9999", |_| {});
    let refused = factor.complete_registration(state, &answer, NOW).unwrap_err();
    assert_eq!(refused.code(), "wrong_origin");
}

#[test]
fn a_cross_origin_frame_is_refused() {
    let mut person = Enrolled::new();
    let stored = person.stored();
    let (options, state) = person.factor.begin_assertion(&stored, Purpose::Login, NOW).unwrap();
    let mut answer: Value =
        serde_json::from_str(&get(&mut person.token, &options, ORIGIN, |_| {})).unwrap();
    let client_data = &mut answer["response"]["clientDataJSON"];
    let mut inner: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(client_data.as_str().unwrap()).unwrap())
            .unwrap();
    inner["crossOrigin"] = json!(true);
    *client_data = json!(URL_SAFE_NO_PAD.encode(inner.to_string()));
    let refused =
        person.factor.complete_assertion(state, &stored, &answer.to_string(), NOW).unwrap_err();
    assert_eq!(refused.code(), "wrong_origin");
}

#[test]
fn a_forged_signature_is_refused() {
    let mut person = Enrolled::new();
    let mut other = Enrolled::new();
    let stored = person.stored();
    let (options, state) = person.factor.begin_assertion(&stored, Purpose::Login, NOW).unwrap();
    let mut honest: Value =
        serde_json::from_str(&get(&mut person.token, &options, ORIGIN, |_| {})).unwrap();
    let other_id = URL_SAFE_NO_PAD.decode(&other.credential.credential_id).unwrap();
    let foreign: Value = serde_json::from_str(&get(&mut other.token, &options, ORIGIN, |o| {
        o.allow_credentials[0].id = other_id;
    }))
    .unwrap();
    honest["response"]["signature"] = foreign["response"]["signature"].clone();
    let refused =
        person.factor.complete_assertion(state, &stored, &honest.to_string(), NOW).unwrap_err();
    assert_eq!(refused.code(), "signature_invalid");
}

#[test]
fn somebody_elses_or_a_revoked_credential_is_refused() {
    let mut person = Enrolled::new();
    let mut other = Enrolled::new();
    let stored = person.stored();
    let (options, state) = person.factor.begin_assertion(&stored, Purpose::Login, NOW).unwrap();
    let other_id = URL_SAFE_NO_PAD.decode(&other.credential.credential_id).unwrap();
    let answer = get(&mut other.token, &options, ORIGIN, |o| o.allow_credentials[0].id = other_id);
    let both = [stored.clone(), other.stored()].concat();
    let refused = person.factor.complete_assertion(state, &both, &answer, NOW).unwrap_err();
    assert_eq!(refused.code(), "unknown_credential");

    let (options, state) = person.factor.begin_assertion(&stored, Purpose::Login, NOW).unwrap();
    let answer = get(&mut person.token, &options, ORIGIN, |_| {});
    let refused = person.factor.complete_assertion(state, &[], &answer, NOW).unwrap_err();
    assert_eq!(refused.code(), "unknown_credential");
    let refused = person.factor.begin_assertion(&[], Purpose::Login, NOW).unwrap_err();
    assert_eq!(refused.code(), "unknown_credential");
}

#[test]
fn ceremonies_expire() {
    let mut person = Enrolled::new();
    let stored = person.stored();
    let lives =
        [(Purpose::Login, CEREMONY_SECONDS), (Purpose::Decision([0; 32]), DECISION_SECONDS)];
    for (purpose, seconds) in lives {
        let (options, state) = person.factor.begin_assertion(&stored, purpose, NOW).unwrap();
        let answer = get(&mut person.token, &options, ORIGIN, |_| {});
        let late = NOW + seconds + 1;
        let refused = person.factor.complete_assertion(state, &stored, &answer, late).unwrap_err();
        assert_eq!(refused.code(), "expired");
    }
    let (options, state) = person.factor.begin_registration(PERSON, "h", "H", &[], NOW).unwrap();
    let answer = create(&mut person.token, &options, ORIGIN, |_| {});
    let late = NOW + CEREMONY_SECONDS + 1;
    let refused = person.factor.complete_registration(state, &answer, late).unwrap_err();
    assert_eq!(refused.code(), "expired");
}

#[test]
fn unreadable_answers_are_refused() {
    let person = Enrolled::new();
    let stored = person.stored();
    let huge = "x".repeat(65 * 1024);
    for bad in ["", "{}", "[]", "null", &huge] {
        let (_, state) = person.factor.begin_assertion(&stored, Purpose::Login, NOW).unwrap();
        let refused = person.factor.complete_assertion(state, &stored, bad, NOW).unwrap_err();
        assert_eq!(refused.code(), "malformed");
        let (_, state) = person.factor.begin_registration(PERSON, "h", "H", &[], NOW).unwrap();
        let refused = person.factor.complete_registration(state, bad, NOW).unwrap_err();
        assert_eq!(refused.code(), "malformed");
    }
    let stored = [StoredCredential { passkey_json: "{}".into() }];
    let refused = person.factor.begin_assertion(&stored, Purpose::Login, NOW).unwrap_err();
    assert_eq!(refused.code(), "stored_credential_unreadable");
}

#[test]
fn an_authenticator_that_is_enrolled_already_is_refused() {
    let (mut device, ca) = token();
    let factor = factor(list(AAGUID, "B1", &ca));
    // The soft token makes a fresh id each time, so the exclusion is put in afterwards.
    let (options, mut state) = factor.begin_registration(PERSON, "h", "H", &[], NOW).unwrap();
    let answer = create(&mut device, &options, ORIGIN, |_| {});
    let id = serde_json::from_str::<Value>(&answer).unwrap()["id"].as_str().unwrap().to_owned();
    state.exclude_for_test(&id);
    let refused = factor.complete_registration(state, &answer, NOW).unwrap_err();
    assert_eq!(refused.code(), "already_enrolled");
}

#[test]
fn options_are_the_bare_standard_json() {
    let person = Enrolled::new();
    let id = person.credential.credential_id.clone();
    let (options, state) = person
        .factor
        .begin_registration(PERSON, "hanako", "花子", std::slice::from_ref(&id), NOW)
        .unwrap();
    let options: Value = serde_json::from_str(&options).unwrap();
    assert_eq!(options["rp"]["id"], RP_ID);
    assert_eq!(options["user"]["displayName"], "花子");
    assert_eq!(options["attestation"], "direct");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["excludeCredentials"][0]["id"], id);
    assert!(!format!("{state:?}").contains(options["challenge"].as_str().unwrap()));
    let (options, state) =
        person.factor.begin_assertion(&person.stored(), Purpose::Login, NOW).unwrap();
    let options: Value = serde_json::from_str(&options).unwrap();
    assert_eq!(options["rpId"], RP_ID);
    assert_eq!(options["userVerification"], "required");
    assert_eq!(options["allowCredentials"][0]["id"], id);
    let challenge = options["challenge"].as_str().unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(challenge).unwrap().len(), 32);
    assert!(!format!("{state:?}").contains(challenge));
}

#[test]
fn an_answer_without_optional_members_is_accepted() {
    let mut person = Enrolled::new();
    let stored = person.stored();
    let (options, state) = person.factor.begin_assertion(&stored, Purpose::Login, NOW).unwrap();
    let mut answer: Value =
        serde_json::from_str(&get(&mut person.token, &options, ORIGIN, |_| {})).unwrap();
    answer.as_object_mut().unwrap().remove("extensions");
    answer["clientExtensionResults"] = json!({});
    answer["authenticatorAttachment"] = json!("cross-platform");
    answer["response"].as_object_mut().unwrap().remove("userHandle");
    person.factor.complete_assertion(state, &stored, &answer.to_string(), NOW).unwrap();
}

#[test]
fn evidence_proves_the_decision_it_was_given_for_and_no_other() {
    let mut person = Enrolled::new();
    let made = person.assert(Purpose::Decision([3; 32]), |_| {}).unwrap();
    let passkey = &person.credential.passkey_json;
    let check = |evidence: &Value| {
        verify_evidence(&evidence.to_string(), passkey, RP_ID, ORIGIN).map_err(|e| e.code())
    };
    let evidence: Value = serde_json::from_str(&made.evidence_json).unwrap();
    let proven = check(&evidence).unwrap();
    assert_eq!(proven.purpose, Purpose::Decision([3; 32]));
    assert_eq!(proven.counter, made.counter);
    assert_eq!(proven.credential_id, person.credential.credential_id);

    let with = |pointer: &str, value: Value| {
        let mut forged = evidence.clone();
        *forged.pointer_mut(pointer).unwrap() = value;
        check(&forged).unwrap_err()
    };
    let other = json!(URL_SAFE_NO_PAD.encode([4_u8; 32]));
    assert_eq!(with("/decision_sha256", other.clone()), "wrong_challenge");
    assert_eq!(with("/decision_sha256", Value::Null), "wrong_challenge");
    assert_eq!(with("/nonce", other.clone()), "wrong_challenge");
    assert_eq!(with("/challenge", other), "wrong_challenge");
    assert_eq!(with("/origin", json!("https://localhost:1")), "wrong_origin");
    assert_eq!(with("/rp_id", json!("example")), "wrong_origin");
    assert_eq!(with("/version", json!(2)), "malformed");
    assert_eq!(with("/assertion/rawId", json!("AAAA")), "unknown_credential");

    let data = "/assertion/response/authenticatorData";
    let mut raw =
        URL_SAFE_NO_PAD.decode(evidence.pointer(data).unwrap().as_str().unwrap()).unwrap();
    raw[36] ^= 1;
    assert_eq!(with(data, json!(URL_SAFE_NO_PAD.encode(&raw))), "signature_invalid");
    raw[32] &= !0b100;
    assert_eq!(with(data, json!(URL_SAFE_NO_PAD.encode(&raw))), "user_verification_missing");
    assert_eq!(with(data, json!(URL_SAFE_NO_PAD.encode(&raw[..36]))), "malformed");

    let stranger = Enrolled::new().credential.passkey_json;
    let refused = verify_evidence(&made.evidence_json, &stranger, RP_ID, ORIGIN).unwrap_err();
    assert_eq!(refused.code(), "unknown_credential");
}

#[test]
fn origins_that_browsers_would_refuse_are_refused() {
    let (_, ca) = token();
    let build = |rp_id: &str, origin: &str| {
        SecondFactor::new(rp_id, origin, list(AAGUID, "B1", &ca)).map(|f| f.origin())
    };
    assert_eq!(build("localhost", "http://localhost:80/").unwrap(), "http://localhost");
    assert_eq!(build("a.example", "https://x.a.example").unwrap(), "https://x.a.example");
    for (rp_id, origin) in [
        ("a.example", "http://a.example"),
        ("a.example", "https://b.example"),
        ("127.0.0.1", "https://127.0.0.1:8443"),
        ("localhost", "https://localhost/path"),
        ("localhost", "localhost"),
    ] {
        assert_eq!(build(rp_id, origin).unwrap_err().code(), "webauthn_configuration", "{origin}");
    }
}

mod lists {
    use super::*;

    #[test]
    fn all_errors_of_a_list_are_reported_at_once() {
        let text = r#"
            version = 1
            [[model]]
            aaguid = "not one"
            model = "A"
            level = "B9"
            ca = "missing.pem"
            [[model]]
            aaguid = "00000000-0000-0000-0000-000000000000"
            colour = "red"
            level = 1
        "#;
        let error = AllowList::parse(text, Path::new("/nonexistent")).unwrap_err();
        assert_eq!(error.code(), "allow_list_refused");
        let about = |words: [&str; 2]| {
            let found = error.problems.iter().filter(|p| words.iter().all(|w| p.contains(w)));
            assert_eq!(found.count(), 1, "{words:?} in {:?}", error.problems);
        };
        about(["unknown key", "version"]);
        about(["model 1", "AAGUID"]);
        about(["model 1", "B9"]);
        about(["model 1", "missing.pem"]);
        about(["model 2", "AAGUID"]);
        about(["model 2", "colour"]);
        about(["model 2", "model is missing"]);
        about(["model 2", "level is missing"]);
        about(["model 2", "ca is missing"]);
    }

    #[test]
    fn lists_that_trust_nothing_or_too_much_are_refused() {
        let (_, ca) = token();
        let entry = format!(
            "[[model]]\naaguid = \"{AAGUID}\"\nmodel = \"m\"\nlevel = \"B1\"\nca = '''{ca}'''\n"
        );
        let here = Path::new("/nonexistent");
        for bad in ["", "model = []", "model = 3", "= nonsense", &entry.repeat(2)] {
            AllowList::parse(bad, here).unwrap_err();
        }
        let folder = tempfile::tempdir().unwrap();
        let site =
            crate::certificates::SiteCa::create(&folder.path().join("ca"), "s", NOW).unwrap();
        let (chain_pem, _) = site.issue_server(&["x.example".into()], NOW).unwrap();
        AllowList::parse(&entry.replace(&ca, &chain_pem), here).unwrap_err();
    }

    #[test]
    fn an_authority_may_be_a_file_beside_the_list() {
        let (mut device, ca) = token();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root.pem"), &ca).unwrap();
        let text = format!(
            "[[model]]\naaguid = \"{AAGUID}\"\nmodel = \"m\"\nlevel = \"B3\"\nca = \"root.pem\"\n"
        );
        let allow_list = AllowList::parse(&text, folder.path()).unwrap();
        assert_eq!(allow_list.models().count(), 1);
        let enrolled = enrol(&factor(allow_list), &mut device, |_| {}).unwrap();
        assert_eq!(enrolled.level, BiometricLevel::B3);
    }
}
