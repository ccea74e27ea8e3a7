//! Machine code of a module, made apart from the run: whoever compiles holds neither keys nor
//! data, so a module that is slow or harmful to compile reaches neither while it is compiled.
//! What it reaches later is another matter: a module that takes over its compiler chooses what
//! its own runs execute, with their keys and past the guest's sandbox, and the jail alone
//! holds those runs.

use std::hash::{Hash as _, Hasher};
use std::time::Instant;

use sekisho_module::{Manifest, World, inspect};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::failure::Failed;
use crate::limits::Limits;
use crate::run::Notes;
use crate::sandbox::{self, Meter};
use crate::{CompileOrder, RunFailure};

/// Machine code, after a fingerprint of the engine that made it and can load it.
#[derive(Clone, Debug)]
pub struct Compiled(Vec<u8>);

/// SHA-256 of wasmtime's version, the target and every setting that shapes code.
const FINGERPRINT: usize = 32;

impl Compiled {
    /// Bytes to keep or send on.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes bytes for machine code that will be executed as it stands: only bytes that
    /// [`compile`] made, and that nobody without the right to execute code here can have
    /// changed since.
    #[must_use]
    pub fn danger_from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Loads the code and lets go of the bytes.
    pub(crate) fn load(&mut self, engine: &Engine) -> Result<Component, Failed> {
        let bytes = std::mem::take(&mut self.0);
        let elsewhere = |why: &str| Failed::environment("compiled_elsewhere", why);
        let (own, code) = bytes.split_at_checked(FINGERPRINT).ok_or_else(|| elsewhere("short"))?;
        if own != fingerprint(engine) {
            return Err(elsewhere("another engine or other settings made this code"));
        }
        #[allow(unsafe_code, reason = "loading machine code is unsafe by nature")]
        // SAFETY: `danger_from_bytes` and `compile` are the only ways to have one, so a compiler
        // of ours answered with these bytes, and nobody has changed them since.
        let component = unsafe { Component::deserialize(engine, code) };
        component.map_err(|error| elsewhere(&format!("{error:#}")))
    }
}

/// Checks a module and compiles it for runs under these limits. Takes the calling thread, for
/// as long as the module makes it take: to be called where time and memory are bounded.
///
/// # Errors
/// [`RunFailure`] as a run of the module would have: `manifest`, a refusal of
/// [`inspect`](sekisho_module::inspect), or `component` when wasmtime does not take it.
#[allow(clippy::result_large_err, reason = "made once a module")]
pub fn compile(order: &CompileOrder) -> Result<Compiled, RunFailure> {
    let started = Instant::now();
    checked(order).map_err(|failed| failed.told(Notes::default(), started, order.dummy))
}

fn checked(order: &CompileOrder) -> Result<Compiled, Failed> {
    let manifest = Manifest::parse(&order.manifest)
        .map_err(|error| Failed::contract("manifest", error.to_string()))?;
    inspect(&order.component, manifest.world)
        .map_err(|refusal| Failed::contract(refusal.code(), refusal.to_string()))?;
    let engine = engine(manifest.world, order.limits)?;
    let refused = |error: wasmtime::Error| Failed::contract("component", format!("{error:#}"));
    let component = Component::new(&engine, &order.component).map_err(refused)?;
    let mut bytes = fingerprint(&engine).to_vec();
    bytes.extend(component.serialize().map_err(refused)?);
    Ok(Compiled(bytes))
}

/// The engine a module is compiled for, and runs in.
pub(crate) fn engine(world: World, limits: impl Into<Limits>) -> Result<Engine, Failed> {
    let limits = limits.into();
    let (meter, memory) = match world {
        World::PerPatient | World::Rounds => (Meter::Fuel, limits.patient_memory_bytes),
        World::Cohort if limits.cohort_fuel.is_some() => (Meter::Fuel, limits.memory_bytes),
        World::Cohort => (Meter::Epoch, limits.memory_bytes),
    };
    sandbox::engine(meter, memory)
        .map_err(|error| Failed::environment("sandbox", error.to_string()))
}

fn fingerprint(engine: &Engine) -> [u8; FINGERPRINT] {
    /// A hasher whose result is the same in every process, and no accident away from another.
    struct Stable(Sha256);
    impl Hasher for Stable {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            self.0
                .clone()
                .finalize()
                .iter()
                .take(8)
                .fold(0, |all, byte| all << 8 | u64::from(*byte))
        }
    }
    let mut hasher = Stable(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}
