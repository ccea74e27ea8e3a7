use std::collections::BTreeMap;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::Pkcs11Place;
use crate::envelope::{NONCE_LEN, fresh_nonce};
use crate::wrapped::SEALED_LEN;
use crate::{Generation, VaultError, read_private_file};

const LABEL: &str = "sekisho-root-";
const TAG_BITS: u64 = 128;

/// A session with a token, logged in, and the root keys found there.
#[derive(Debug)]
pub(super) struct Token {
    label: String,
    session: Session,
    roots: BTreeMap<Generation, ObjectHandle>,
}

impl Token {
    pub(super) fn connect(place: &Pkcs11Place) -> Result<Self, VaultError> {
        let pin = read_private_file(&place.pin)?;
        let pin = std::str::from_utf8(pin.trim_ascii_end())
            .map_err(|_| VaultError::NotPlain { path: place.pin.clone() })?;
        let failed = |doing| failed(&place.token, doing);
        let library = Pkcs11::new(&place.library).map_err(failed("loading the library"))?;
        match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another vault of this process did it.
            Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            done => done.map_err(failed("starting the library"))?,
        }
        let slot = slot(&library, place)?;
        // A key can only be made in a session that may write.
        let session = library.open_rw_session(slot).map_err(failed("opening a session"))?;
        match session.login(UserType::User, Some(&AuthPin::from(pin))) {
            Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            done => done.map_err(failed("logging in"))?,
        }
        Ok(Self { label: place.token.clone(), session, roots: BTreeMap::new() })
    }

    /// Looks for root keys and checks that none can leave the token; gives the current one.
    pub(super) fn find_roots(&mut self) -> Result<Option<Generation>, VaultError> {
        let wanted = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(true),
        ];
        let found = self.session.find_objects(&wanted);
        let mut roots = BTreeMap::new();
        for handle in found.map_err(failed(&self.label, "looking for root keys"))? {
            let Some(generation) = self.generation_of(handle)? else { continue };
            self.check(generation, handle)?;
            if roots.insert(generation, handle).is_some() {
                return Err(self.exposed(generation, "has a double"));
            }
        }
        self.roots = roots;
        Ok(self.roots.keys().next_back().copied())
    }

    pub(super) fn generations(&self) -> Vec<Generation> {
        self.roots.keys().copied().collect()
    }

    pub(super) fn make_root(&mut self, generation: Generation) -> Result<(), VaultError> {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen(32.into()),
            Attribute::Label(format!("{LABEL}{generation}").into_bytes()),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Modifiable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Wrap(false),
            Attribute::Unwrap(false),
        ];
        self.session
            .generate_key(&Mechanism::AesKeyGen, &template)
            .map_err(failed(&self.label, "making a root key"))?;
        self.find_roots().map(|_| ())
    }

    pub(super) fn seal(
        &mut self,
        generation: Generation,
        associated: &[u8],
        plaintext: &[u8; 32],
    ) -> Result<([u8; NONCE_LEN], [u8; SEALED_LEN]), VaultError> {
        let root = self.root(generation)?;
        let mut nonce = fresh_nonce()?;
        // SoftHSM takes the nonce as given. A token that insists on its own writes it over
        // ours, so ours is read only afterwards.
        let params = self.params(&mut nonce, associated)?;
        let sealed = self.session.encrypt(&Mechanism::AesGcm(params), root, plaintext);
        let sealed = sealed.map_err(failed(&self.label, "sealing a key"))?;
        let sealed = sealed.as_slice().try_into().map_err(|_| self.odd())?;
        // A key that cannot be opened again is data lost: tokens differ, so look now.
        let back = self.open(generation, associated, &nonce, &sealed)?;
        if back.as_slice() == plaintext { Ok((nonce, sealed)) } else { Err(self.odd()) }
    }

    pub(super) fn open(
        &mut self,
        generation: Generation,
        associated: &[u8],
        nonce: &[u8; NONCE_LEN],
        sealed: &[u8; SEALED_LEN],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let root = self.root(generation)?;
        let mut nonce = *nonce;
        let params = self.params(&mut nonce, associated)?;
        match self.session.decrypt(&Mechanism::AesGcm(params), root, sealed) {
            Ok(bytes) => Ok(Zeroizing::new(bytes)),
            Err(error) if is_wrong_tag(&error) => Err(VaultError::CannotOpen),
            Err(error) => Err(failed(&self.label, "opening a key")(error)),
        }
    }

    fn root(&mut self, generation: Generation) -> Result<ObjectHandle, VaultError> {
        if !self.roots.contains_key(&generation) {
            self.find_roots()?;
        }
        let root = self.roots.get(&generation).copied();
        root.ok_or(VaultError::UnknownGeneration { generation })
    }

    fn params<'a>(
        &self,
        nonce: &'a mut [u8],
        associated: &'a [u8],
    ) -> Result<GcmParams<'a>, VaultError> {
        GcmParams::new(nonce, associated, TAG_BITS.into())
            .map_err(failed(&self.label, "preparing AES-GCM"))
    }

    fn generation_of(&self, handle: ObjectHandle) -> Result<Option<Generation>, VaultError> {
        let label = self.session.get_attributes(handle, &[AttributeType::Label]);
        let label = label.map_err(failed(&self.label, "reading a label"))?;
        Ok(label.iter().find_map(|attribute| match attribute {
            Attribute::Label(bytes) => {
                Generation::parse(std::str::from_utf8(bytes).ok()?.strip_prefix(LABEL)?)
            }
            _ => None,
        }))
    }

    fn check(&self, generation: Generation, handle: ObjectHandle) -> Result<(), VaultError> {
        let asked = [
            (AttributeType::Sensitive, Attribute::Sensitive(true)),
            (AttributeType::AlwaysSensitive, Attribute::AlwaysSensitive(true)),
            (AttributeType::Extractable, Attribute::Extractable(false)),
            (AttributeType::NeverExtractable, Attribute::NeverExtractable(true)),
            (AttributeType::Local, Attribute::Local(true)),
        ];
        let types: Vec<AttributeType> = asked.iter().map(|(kind, _)| *kind).collect();
        let found = self.session.get_attributes(handle, &types);
        let found = found.map_err(failed(&self.label, "reading a root key's attributes"))?;
        if asked.iter().all(|(_, wanted)| found.contains(wanted)) {
            return Ok(());
        }
        Err(self.exposed(generation, "could leave the token or came from outside"))
    }

    fn exposed(&self, generation: Generation, why: &'static str) -> VaultError {
        VaultError::ExposedRoot { token: self.label.clone(), generation, why }
    }

    fn odd(&self) -> VaultError {
        VaultError::OddToken { token: self.label.clone() }
    }
}

fn slot(library: &Pkcs11, place: &Pkcs11Place) -> Result<Slot, VaultError> {
    let failed = |doing| failed(&place.token, doing);
    let mut found = Vec::new();
    for slot in library.get_slots_with_token().map_err(failed("listing tokens"))? {
        let info = library.get_token_info(slot).map_err(failed("reading a token's label"))?;
        if info.label() == place.token {
            found.push(slot);
        }
    }
    match found.as_slice() {
        [slot] => Ok(*slot),
        _ => Err(VaultError::NoSuchToken {
            library: place.library.clone(),
            token: place.token.clone(),
            found: found.len(),
        }),
    }
}

/// Whether the session went away, as when a token was unplugged or its service restarted.
pub(super) fn is_gone(error: &VaultError) -> bool {
    use RvError::{
        CryptokiNotInitialized, DeviceRemoved, KeyHandleInvalid, ObjectHandleInvalid,
        SessionClosed, SessionHandleInvalid, TokenNotPresent, UserNotLoggedIn,
    };
    let VaultError::Token { source: Error::Pkcs11(code, _), .. } = error else { return false };
    matches!(
        code,
        CryptokiNotInitialized
            | DeviceRemoved
            | KeyHandleInvalid
            | ObjectHandleInvalid
            | SessionClosed
            | SessionHandleInvalid
            | TokenNotPresent
            | UserNotLoggedIn
    )
}

/// How tokens say that an AES-GCM tag does not fit; the last is SoftHSM 2.6.
fn is_wrong_tag(error: &Error) -> bool {
    use RvError::{EncryptedDataInvalid, EncryptedDataLenRange, GeneralError};
    let Error::Pkcs11(code, _) = error else { return false };
    matches!(code, EncryptedDataInvalid | EncryptedDataLenRange | GeneralError)
}

fn failed(token: &str, doing: &'static str) -> impl FnOnce(Error) -> VaultError {
    let token = token.to_owned();
    move |source| VaultError::Token { token, doing, source }
}
