//! A key vault in a PKCS#11 token: an HSM in production, SoftHSM in tests.
//!
//! Root keys are made inside the token and cannot leave it. The token seals the 32 bytes of
//! a key with AES-GCM rather than by its own key-wrapping functions, because those carry no
//! associated data: only so is a wrapped key bound to its context.

mod token;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::private::{check_private_dir, io};
use crate::uses::UseCounters;
use crate::wrapped::{Parts, associated_data};
use crate::{
    Context, Generation, GenerationStatus, Key, KeyUnwrapper, KeyVault, KeyWrapper, RotatingVault,
    VaultError, WrappedKey, create_private_dir,
};
use token::Token;

/// Where a token is and how to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkcs11Place {
    /// The token's PKCS#11 library, such as `/usr/lib/softhsm/libsofthsm2.so`.
    pub library: PathBuf,
    /// The token's label.
    pub token: String,
    /// File with the user's PIN (0600).
    pub pin: PathBuf,
    /// Folder with the record of uses (0700), which no token keeps. Every process that
    /// uses the token must share it; where it is missing, nothing can be wrapped.
    pub records: PathBuf,
}

/// A key vault whose root keys live in a PKCS#11 token as `sekisho-root-<generation>`.
#[derive(Debug)]
pub struct Pkcs11Vault {
    place: Pkcs11Place,
    counters: UseCounters,
    // One session: a token works on one thing at a time anyway. None after it was lost.
    token: Mutex<Option<Token>>,
}

impl Pkcs11Vault {
    /// Makes a root key in a token that has none. Fails when it holds one.
    pub fn create(place: &Pkcs11Place) -> Result<Self, VaultError> {
        create_private_dir(&place.records)?;
        let vault = Self::connect(place)?;
        let lock = vault.counters.lock()?;
        if vault.on_token(Token::find_roots)?.is_some() {
            let source = std::io::ErrorKind::AlreadyExists.into();
            return Err(io(Path::new(&place.token), "creating the vault", source));
        }
        vault.add_generation()?;
        drop(lock);
        Ok(vault)
    }

    /// Opens an existing vault, refusing root keys that could leave the token.
    pub fn open(place: &Pkcs11Place) -> Result<Self, VaultError> {
        check_private_dir(&place.records)?;
        let vault = Self::connect(place)?;
        vault.current()?;
        Ok(vault)
    }

    fn connect(place: &Pkcs11Place) -> Result<Self, VaultError> {
        Ok(Self {
            place: place.clone(),
            counters: UseCounters::new(&place.records),
            token: Mutex::new(Some(Token::connect(place)?)),
        })
    }

    /// Makes a generation whose number was never used here. The caller holds the lock.
    fn add_generation(&self) -> Result<Generation, VaultError> {
        let highest = self.on_token(Token::find_roots)?.into_iter();
        let highest = highest.chain(self.counters.recorded()?).max();
        let next = highest.map_or(Some(Generation::FIRST), Generation::next);
        let next = next.ok_or(VaultError::NotAKey)?;
        // The key last: a generation without a record of its uses never comes into being.
        self.counters.begin(next)?;
        self.on_token(|token| token.make_root(next))?;
        Ok(next)
    }

    /// Asks the token again, since another process may have rotated.
    fn current(&self) -> Result<Generation, VaultError> {
        let none = || std::io::ErrorKind::NotFound.into();
        let found = self.on_token(Token::find_roots)?;
        found.ok_or_else(|| io(Path::new(&self.place.token), "opening the vault", none()))
    }

    /// Works with the token, once more over a new session when the old one is gone.
    fn on_token<T>(
        &self,
        work: impl Fn(&mut Token) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let mut held = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = held.as_mut() {
            match work(token) {
                Err(error) if token::is_gone(&error) => {}
                done => return done,
            }
        }
        // The old session first: its number may be given to the new one.
        *held = None;
        work(held.insert(Token::connect(&self.place)?))
    }
}

impl KeyWrapper for Pkcs11Vault {
    fn wrap(&self, context: &Context, key: &Key) -> Result<WrappedKey, VaultError> {
        let generation = self.current()?;
        self.counters.spend(generation)?;
        let associated = associated_data(generation, context);
        let (nonce, sealed) =
            self.on_token(|token| token.seal(generation, &associated, key.danger_bytes()))?;
        Ok(Parts { generation, nonce, sealed }.join())
    }
}

impl KeyUnwrapper for Pkcs11Vault {
    fn unwrap(&self, context: &Context, wrapped: &WrappedKey) -> Result<Key, VaultError> {
        let parts = Parts::of(wrapped)?;
        let associated = associated_data(parts.generation, context);
        let bytes = self.on_token(|token| {
            token.open(parts.generation, &associated, &parts.nonce, &parts.sealed)
        })?;
        Key::danger_from_bytes(&bytes)
    }
}

impl KeyVault for Pkcs11Vault {}

impl RotatingVault for Pkcs11Vault {
    fn rotate(&self) -> Result<Generation, VaultError> {
        let _lock = self.counters.lock()?;
        self.add_generation()
    }

    fn status(&self) -> Result<Vec<GenerationStatus>, VaultError> {
        let current = self.current()?;
        let known = self.on_token(|token| Ok(token.generations()))?;
        let told = known.into_iter().map(|generation| self.counters.status(generation, current));
        Ok(told.collect())
    }
}
