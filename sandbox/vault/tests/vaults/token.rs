//! What only a vault in a token does.

use std::fs;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::{Session, UserType};
use sekisho_vault::{
    Context, Key, KeyUnwrapper as _, KeyWrapper as _, Pkcs11Place, Pkcs11Vault, RotatingVault as _,
};

use crate::places::{PIN, SOFTHSM, SoftToken};

/// The library as the vault of this process uses it.
fn library() -> Pkcs11 {
    let library = Pkcs11::new(SOFTHSM).unwrap();
    // Fails when a vault started it already.
    let _ = library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    library
}

/// A session beside the vault's.
fn session(place: &Pkcs11Place) -> Session {
    let library = library();
    let slots = library.get_slots_with_token().unwrap();
    let labelled = |slot: &_| library.get_token_info(*slot).unwrap().label() == place.token;
    let session = library.open_rw_session(slots.into_iter().find(labelled).unwrap()).unwrap();
    // Fails when a vault logged this process in already.
    let _ = session.login(UserType::User, Some(&PIN.into()));
    session
}

fn root(session: &Session, label: &str) -> ObjectHandle {
    let found = session.find_objects(&[Attribute::Label(label.into())]).unwrap();
    assert_eq!(found.len(), 1);
    found[0]
}

#[test]
fn cr_1_a_root_key_is_made_in_the_token_and_cannot_leave_it() {
    let name = "token::cr_1_a_root_key_is_made_in_the_token_and_cannot_leave_it";
    SoftToken::run_alone(name, || {
        let SoftToken(place) = SoftToken::next();
        let vault = Pkcs11Vault::create(&place).unwrap();
        vault.rotate().unwrap();
        let session = session(&place);
        for label in ["sekisho-root-1", "sekisho-root-2"] {
            let root = root(&session, label);
            let value = session.get_attributes(root, &[AttributeType::Value]);
            assert!(value.is_err() || value.unwrap().is_empty());
            let loosened = [Attribute::Extractable(true)];
            assert!(session.update_attributes(root, &loosened).is_err());
            let facts = session.get_attributes(
                root,
                &[AttributeType::Sensitive, AttributeType::NeverExtractable, AttributeType::Local],
            );
            let wanted = [
                Attribute::Sensitive(true),
                Attribute::NeverExtractable(true),
                Attribute::Local(true),
            ];
            assert_eq!(facts.unwrap(), wanted);
        }
    });
}

#[test]
fn cr_1_a_root_key_that_could_leave_the_token_is_refused() {
    let name = "token::cr_1_a_root_key_that_could_leave_the_token_is_refused";
    SoftToken::run_alone(name, || {
        let SoftToken(place) = SoftToken::next();
        let vault = Pkcs11Vault::create(&place).unwrap();
        let loose = [
            Attribute::ValueLen(32.into()),
            Attribute::Label("sekisho-root-2".into()),
            Attribute::Token(true),
            Attribute::Sensitive(false),
            Attribute::Extractable(true),
        ];
        session(&place).generate_key(&Mechanism::AesKeyGen, &loose).unwrap();
        let error = Pkcs11Vault::open(&place).unwrap_err();
        assert_eq!(error.code(), "vault.exposed_root");
        let error = vault.wrap(&Context::new("test"), &Key::generate().unwrap()).unwrap_err();
        assert_eq!(error.code(), "vault.exposed_root");
    });
}

#[test]
fn a_restarted_token_is_logged_in_to_again() {
    SoftToken::run_alone("token::a_restarted_token_is_logged_in_to_again", || {
        let SoftToken(place) = SoftToken::next();
        let vault = Pkcs11Vault::create(&place).unwrap();
        let (key, context) = (Key::generate().unwrap(), Context::new("test"));
        let wrapped = vault.wrap(&context, &key).unwrap();
        for _ in 0..2 {
            library().finalize().unwrap();
            let back = vault.unwrap(&context, &wrapped).unwrap();
            assert_eq!(back.danger_bytes(), key.danger_bytes());
        }
        library().finalize().unwrap();
        vault.wrap(&context, &key).unwrap();
    });
}

#[test]
fn what_does_not_fit_is_named() {
    SoftToken::run_alone("token::what_does_not_fit_is_named", || {
        let SoftToken(good) = SoftToken::next();
        let code = |place: &Pkcs11Place| Pkcs11Vault::create(place).unwrap_err().code();
        let unknown = Pkcs11Place { token: "nobody".to_owned(), ..good.clone() };
        assert_eq!(code(&unknown), "vault.no_such_token");
        let library = Pkcs11Place { library: "/nowhere.so".into(), ..good.clone() };
        assert_eq!(code(&library), "vault.token");
        let wrong = good.records.with_file_name("wrong");
        sekisho_vault::create_private_file(&wrong, b"000000").unwrap();
        assert_eq!(code(&Pkcs11Place { pin: wrong, ..good.clone() }), "vault.token");
        let open = good.records.with_file_name("open");
        fs::write(&open, PIN).unwrap();
        assert_eq!(code(&Pkcs11Place { pin: open, ..good.clone() }), "vault.lax_permissions");
        Pkcs11Vault::create(&good).unwrap();
    });
}
