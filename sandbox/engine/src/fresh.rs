//! Calls of guests that keep nothing: each in an instance of its own, under the bounds of one
//! patient.

use wasmtime::component::{Instance, InstancePre, Linker};
use wasmtime::{Engine, Store, Trap};

use crate::bindings::per_patient::{PerPatient, PerPatientPre};
use crate::bindings::rounds::{Rounds, RoundsPre};
use crate::compile;
use crate::failure::Failed;
use crate::run::{Notes, Prepared};
use crate::sandbox::Bounds;

/// Bytes a guest's answer may take while it is read.
const ANSWER_BYTES: usize = 1 << 20;

/// The compiled component, ready to be instantiated for every call.
pub(crate) struct Fresh<W> {
    engine: Engine,
    ready: W,
    memory_bytes: usize,
    fuel: u64,
}

/// The exports of one world, bound to a component.
pub(crate) trait Ready: Sized {
    /// An instance with them.
    type Guest;
    fn new(linked: InstancePre<Bounds>) -> wasmtime::Result<Self>;
    fn bare(&self) -> &InstancePre<Bounds>;
    fn typed(store: &mut Store<Bounds>, instance: &Instance) -> wasmtime::Result<Self::Guest>;
    fn instantiate(&self, store: &mut Store<Bounds>) -> wasmtime::Result<Self::Guest>;
}

impl<W: Ready> Fresh<W> {
    pub(crate) fn load(run: &mut Prepared) -> Result<Self, Failed> {
        let engine = compile::engine(run.manifest.world, run.limits)?;
        let component = run.module.load(&engine)?;
        let linked = Linker::new(&engine).instantiate_pre(&component).map_err(misfit)?;
        let ready = W::new(linked).map_err(misfit)?;
        let (memory_bytes, fuel) = (run.limits.patient_memory_bytes, run.limits.fuel_per_patient);
        let guest = Self { engine, ready, memory_bytes, fuel };
        guest.fits()?;
        Ok(guest)
    }

    /// Tells what no call can mend, an export of another type or more memory than a patient
    /// may have, from a guest that traps.
    fn fits(&self) -> Result<(), Failed> {
        let mut store = self.store()?;
        match self.ready.bare().instantiate(&mut store) {
            Ok(instance) => W::typed(&mut store, &instance).map(|_| ()).map_err(misfit),
            Err(error) if error.is::<Trap>() => Ok(()),
            Err(error) => Err(misfit(error)),
        }
    }

    /// One call in a fresh instance. What the guest does wrong is this call's alone; an
    /// instance that cannot be made ends the run, lest patients be dropped in silence.
    pub(crate) fn call<T>(
        &self,
        notes: &mut Notes,
        call: impl FnOnce(&W::Guest, &mut Store<Bounds>) -> wasmtime::Result<T>,
    ) -> Result<Result<T, String>, Failed> {
        let mut store = self.store()?;
        let answer = match self.ready.instantiate(&mut store) {
            Ok(instance) => call(&instance, &mut store),
            Err(error) if error.is::<Trap>() => Err(error),
            Err(error) => return Err(Failed::environment("instance", format!("{error:#}"))),
        };
        let left = store.get_fuel().unwrap_or(0);
        notes.took(self.fuel.saturating_sub(left), store.data().peak_memory);
        notes.granted(self.fuel, self.memory_bytes);
        Ok(answer.map_err(|error| match store.data().refused {
            true => format!("a memory growth was refused, then: {error:?}"),
            false => format!("{error:?}"),
        }))
    }

    fn store(&self) -> Result<Store<Bounds>, Failed> {
        let mut store = Store::new(&self.engine, Bounds::new(self.memory_bytes));
        store.limiter(|bounds| bounds);
        store.set_hostcall_fuel(ANSWER_BYTES);
        store.set_fuel(self.fuel).map_err(|e| Failed::environment("sandbox", e.to_string()))?;
        Ok(store)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn misfit(error: wasmtime::Error) -> Failed {
    Failed::contract("component", format!("{error:#}"))
}

macro_rules! ready {
    ($ready:ty, $guest:ty) => {
        impl Ready for $ready {
            type Guest = $guest;
            fn new(linked: InstancePre<Bounds>) -> wasmtime::Result<Self> {
                Self::new(linked)
            }
            fn bare(&self) -> &InstancePre<Bounds> {
                self.instance_pre()
            }
            fn typed(store: &mut Store<Bounds>, of: &Instance) -> wasmtime::Result<$guest> {
                <$guest>::new(store, of)
            }
            fn instantiate(&self, store: &mut Store<Bounds>) -> wasmtime::Result<$guest> {
                self.instantiate(store)
            }
        }
    };
}

ready!(PerPatientPre<Bounds>, PerPatient);
ready!(RoundsPre<Bounds>, Rounds);
