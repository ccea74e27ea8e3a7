//! Machine code of modules: made by a jailed process that holds neither keys nor data, kept
//! sealed for the next run of the same module.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sekisho_vault::{Context, Key, Zeroizing};
use sha2::{Digest as _, Sha256};

use crate::{RunSpec, RunnerError};

/// Most sealed bytes kept; the code used longest ago goes first.
const MOST_BYTES: u64 = 1 << 30;

/// Code kept for as long as this process lives: in files without a name, sealed under a key
/// that is never written. What does not open as it was put is as good as not there, so nothing
/// that another could have changed is ever executed.
#[derive(Debug)]
pub(crate) struct CodeCache {
    key: Key,
    most_bytes: u64,
    /// The one used last comes last.
    kept: Mutex<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    of: Context,
    file: File,
    bytes: u64,
}

impl CodeCache {
    pub(crate) fn new() -> Result<Self, RunnerError> {
        Ok(Self { key: Key::generate()?, most_bytes: MOST_BYTES, kept: Mutex::default() })
    }

    pub(crate) fn get(&self, of: &Context) -> Option<Zeroizing<Vec<u8>>> {
        // Taken out meanwhile, so that nobody waits for a large one to be opened.
        let mut kept = self.take(of)?;
        let sealed = kept.read().ok()?;
        let code = sekisho_vault::open(&self.key, of, &sealed).ok()?;
        self.keep(kept);
        Some(code)
    }

    /// Keeps code where there is room; where not, it is made again.
    pub(crate) fn put(&self, of: Context, code: &[u8]) {
        let Ok(sealed) = sekisho_vault::seal(&self.key, &of, code) else { return };
        if let Ok(kept) = Kept::write(of, &sealed) {
            self.keep(kept);
        }
    }

    fn take(&self, of: &Context) -> Option<Kept> {
        let mut all = self.lock();
        let place = all.iter().position(|kept| kept.of.encode() == of.encode())?;
        Some(all.remove(place))
    }

    fn keep(&self, kept: Kept) {
        let mut all = self.lock();
        all.retain(|other| other.of.encode() != kept.of.encode());
        all.push(kept);
        while all.iter().map(|kept| kept.bytes).sum::<u64>() > self.most_bytes {
            all.remove(0);
        }
    }

    /// Forgets what turned out to be of no use.
    pub(crate) fn forget(&self, of: &Context) {
        self.take(of);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        // Every change is made in one step.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn write(of: Context, sealed: &[u8]) -> io::Result<Self> {
        let mut file = tempfile::tempfile()?;
        file.write_all(sealed)?;
        Ok(Self { of, file, bytes: sealed.len() as u64 })
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut sealed = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        // One byte more than was written is enough to fail.
        (&mut self.file).take(self.bytes + 1).read_to_end(&mut sealed)?;
        Ok(sealed)
    }
}

/// What code is of: the module, and every limit that its engine's settings come from. The code
/// itself begins with a fingerprint of wasmtime's version, target and settings.
pub(crate) fn of(spec: &RunSpec) -> Context {
    let limits = spec.ticket.limits.unwrap_or_default();
    Context::new("sekisho.code.v1")
        .bytes(&Sha256::digest(spec.component.as_slice()))
        .bytes(&Sha256::digest(spec.manifest.as_bytes()))
        .number(limits.memory_bytes)
        .number(limits.fuel)
        .number(limits.fuel_quota)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(module: &str) -> Context {
        Context::new("test").text(module)
    }

    fn code(cache: &CodeCache, module: &str) -> Option<Vec<u8>> {
        cache.get(&of(module)).map(|code| code.to_vec())
    }

    #[test]
    fn code_is_found_under_what_it_is_of() {
        let cache = CodeCache::new().unwrap();
        cache.put(of("a"), b"code of a");
        assert_eq!(code(&cache, "a").unwrap(), b"code of a");
        assert_eq!(code(&cache, "a").unwrap(), b"code of a");
        assert_eq!(code(&cache, "b"), None);
        cache.put(of("a"), b"made twice at a time");
        assert_eq!(cache.lock().len(), 1);
        cache.forget(&of("a"));
        assert_eq!(code(&cache, "a"), None);
    }

    #[test]
    fn code_that_was_changed_is_not_found() {
        type Spoil = fn(&mut File) -> io::Result<()>;
        let spoils: [Spoil; 3] = [
            |file| file.set_len(5),
            |file| file.seek(SeekFrom::End(0)).and_then(|_| file.write_all(b"more")),
            |file| file.seek(SeekFrom::Start(40)).and_then(|_| file.write_all(b"!")),
        ];
        for spoil in spoils {
            let cache = CodeCache::new().unwrap();
            cache.put(of("a"), b"code of a, long enough to be changed in the middle");
            spoil(&mut cache.lock().first_mut().unwrap().file).unwrap();
            assert_eq!(code(&cache, "a"), None);
            cache.put(of("a"), b"made again");
            assert_eq!(code(&cache, "a").unwrap(), b"made again");
        }
    }

    #[test]
    fn code_of_another_module_in_its_place_is_not_found() {
        let cache = CodeCache::new().unwrap();
        cache.put(of("a"), b"code of a");
        cache.put(of("b"), b"code of b");
        let mut all = cache.lock();
        let other = all.first().unwrap().file.try_clone().unwrap();
        all.last_mut().unwrap().file = other;
        drop(all);
        assert_eq!(code(&cache, "b"), None);
        assert_eq!(code(&cache, "a").unwrap(), b"code of a");
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let mut cache = CodeCache::new().unwrap();
        cache.most_bytes = 300;
        cache.put(of("a"), &[1; 100]);
        cache.put(of("b"), &[2; 100]);
        assert!(code(&cache, "a").is_some());
        cache.put(of("c"), &[3; 100]);
        assert_eq!(code(&cache, "b"), None);
        assert!(code(&cache, "a").is_some() && code(&cache, "c").is_some());
    }

    #[test]
    fn nothing_of_it_has_a_name_or_can_be_read() {
        let cache = CodeCache::new().unwrap();
        cache.put(of("a"), b"CANARY-CANARY-CANARY");
        let mut all = cache.lock();
        let kept = all.first_mut().unwrap();
        let sealed = kept.read().unwrap();
        assert!(!sealed.windows(6).any(|bytes| bytes == b"CANARY"));
        assert_eq!(std::os::unix::fs::MetadataExt::nlink(&kept.file.metadata().unwrap()), 0);
    }
}
