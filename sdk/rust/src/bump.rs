use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;

/// Heap of a per-patient guest: hands out memory and takes none back, because the whole
/// instance is dropped after one patient. The first bytes are part of the module's memory, so
/// that a usual patient needs no growth, which is what costs the host most.
pub struct Bump(UnsafeCell<State>);

struct State {
    next: usize,
    end: usize,
    last: usize,
}

const ARENA_BYTES: usize = 192 * 1024;
const PAGE_BYTES: usize = 65_536;

#[repr(align(16))]
struct Arena(UnsafeCell<[u8; ARENA_BYTES]>);

// SAFETY: the sandbox has no threads.
unsafe impl Sync for Arena {}
// SAFETY: the sandbox has no threads.
unsafe impl Sync for Bump {}

static ARENA: Arena = Arena(UnsafeCell::new([0; ARENA_BYTES]));

impl Bump {
    /// An untouched heap.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "must be const")]
    pub const fn new() -> Self {
        Self(UnsafeCell::new(State { next: 0, end: 0, last: 0 }))
    }
}

impl State {
    fn take(&mut self, layout: Layout) -> *mut u8 {
        if self.end == 0 {
            self.next = ARENA.0.get() as usize;
            self.end = self.next + ARENA_BYTES;
        }
        let start = (self.next + layout.align() - 1) & !(layout.align() - 1);
        let Some(next) = start.checked_add(layout.size()) else { return core::ptr::null_mut() };
        if next > self.end && !self.grow(layout.size() + layout.align()) {
            return core::ptr::null_mut();
        }
        if next > self.end {
            // The new pages did not follow the old ones.
            return self.take(layout);
        }
        self.last = start;
        self.next = next;
        start as *mut u8
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let pages = bytes.div_ceil(PAGE_BYTES);
        let before = core::arch::wasm32::memory_grow::<0>(pages);
        if before == usize::MAX {
            return false;
        }
        let start = before * PAGE_BYTES;
        if start != self.end {
            self.next = start;
        }
        self.end = start + pages * PAGE_BYTES;
        true
    }
}

// SAFETY: every block lies between `next` and `end`, aligned as asked, and is handed out once.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: no threads, and no call here re-enters the allocator.
        unsafe { &mut *self.0.get() }.take(layout)
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let state = unsafe { &mut *self.0.get() };
        let start = block as usize;
        // The newest block grows in place.
        if start == state.last && start + size <= state.end {
            state.next = start + size;
            return block;
        }
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else {
            return core::ptr::null_mut();
        };
        let new = state.take(wanted);
        if !new.is_null() {
            // SAFETY: two different blocks, both at least as long as what is copied.
            unsafe { core::ptr::copy_nonoverlapping(block, new, layout.size().min(size)) };
        }
        new
    }
}
