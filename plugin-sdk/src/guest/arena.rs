//! The global allocator: a bump arena, given back all at once when the host drops the instance.
//!
//! An instance lives for one call, so freeing one by one is work for nobody. What matters is not to call `memory.grow`:
//! it changes the protection of pages, and the kernel lets one thread of a process do that at a time. A guest that
//! grows twice per call brings a host with two threads from 125 to 42 thousand evaluations a second. But the host resets all
//! the memory that an instance begins with, 1 µs for each page of 64 KiB, whether it was touched or not. So the arena is what
//! there is anyway: [`RESERVED_BYTES`] in the module's zeroed data, then what its last page has left. Only when both are full
//! does it grow memory.

#![expect(unsafe_code, reason = "a global allocator is an unsafe trait over raw memory; there is no safe form")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::{Cell, UnsafeCell};
use std::ptr;

/// What there is in any case. 14 KiB: no case of the shipped plugins takes more, and with the stack of 32 KiB and 15 KiB of data,
/// the least that a constraint with settings has, it still fits a single page. On average half a page comes on top.
const RESERVED_BYTES: usize = 14 * 1024;

const PAGE_BYTES: usize = 64 * 1024;

/// Growth is dear, whatever its size: four pages at once, so that a guest that needs much asks rarely.
const GROWTH_PAGES_MIN: usize = 4;

#[repr(C, align(16))]
struct Memory(UnsafeCell<[u8; RESERVED_BYTES]>);

unsafe extern "C" {
    /// Where the module's data ends: `wasm-ld` makes a symbol of this name. Its address counts, it has no value.
    static __heap_base: u8;
}

struct Arena {
    memory: Memory,
    /// Where the blocks come from.
    stretch: Cell<Stretch>,
    /// The first free address.
    next: Cell<usize>,
    /// The first address that is not ours.
    end: Cell<usize>,
}

#[derive(Clone, Copy)]
enum Stretch {
    /// None yet.
    None,
    /// The reserved bytes.
    Reserved,
    /// What is left behind the module's data, and then what memory has grown by.
    Memory,
}

// SAFETY: the target has no threads, so there is only ever one reference in use at a time.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena = Arena {
    memory: Memory(UnsafeCell::new([0; RESERVED_BYTES])),
    stretch: Cell::new(Stretch::None),
    next: Cell::new(0),
    end: Cell::new(0),
};

impl Arena {
    /// The address of a free block, which is then no longer free; `None` when the host gives no more memory.
    fn take(&self, layout: Layout) -> Option<usize> {
        loop {
            let block = self.next.get().checked_next_multiple_of(layout.align())?;
            let end = block.checked_add(layout.size())?;
            if block != 0 && end <= self.end.get() {
                self.next.set(end);
                return Some(block);
            }
            self.go_on(layout)?;
        }
    }

    /// Goes on to the next stretch. After the last there is room for at least this block.
    fn go_on(&self, layout: Layout) -> Option<()> {
        match self.stretch.get() {
            Stretch::None => {
                let start = self.memory.0.get() as usize;
                self.stretch.set(Stretch::Reserved);
                self.add(start, start.checked_add(RESERVED_BYTES)?);
            }
            Stretch::Reserved => {
                self.stretch.set(Stretch::Memory);
                let pages = core::arch::wasm32::memory_size::<0>();
                self.add((&raw const __heap_base) as usize, pages.checked_mul(PAGE_BYTES)?);
            }
            Stretch::Memory => {
                let bytes = layout.size().checked_add(layout.align())?;
                let pages = bytes.div_ceil(PAGE_BYTES).max(GROWTH_PAGES_MIN);
                let before = core::arch::wasm32::memory_grow::<0>(pages);
                if before == usize::MAX {
                    return None;
                }
                let start = before.checked_mul(PAGE_BYTES)?;
                // The last page of a full address space ends one past its end; losing 16 bytes of it is simplest.
                self.add(start, start.saturating_add(pages.saturating_mul(PAGE_BYTES)));
            }
        }
        Some(())
    }

    /// Takes blocks from these addresses from now on, and from what is left before them if they follow it.
    fn add(&self, start: usize, end: usize) {
        if start != self.end.get() {
            self.next.set(start);
        }
        self.end.set(end);
    }

    /// Whether this block is the last that was taken.
    fn is_last(&self, block: *mut u8, layout: Layout) -> bool {
        (block as usize).wrapping_add(layout.size()) == self.next.get()
    }
}

// SAFETY: blocks come from memory that only the arena hands out, they are aligned and within it (`take` checks both),
// and two never overlap because `next` moves past each, and back only over the last one when it is freed.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(layout).map_or(ptr::null_mut(), |block| block as *mut u8)
    }

    /// Only the block taken last is of use again; that is enough for a text that is built and dropped.
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.is_last(block, layout) {
            self.next.set(block as usize);
        }
    }

    /// A vector that grows is mostly the block taken last: it grows where it stands.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if self.is_last(block, layout) {
            let end = (block as usize).checked_add(size);
            if let Some(end) = end.filter(|end| *end <= self.end.get()) {
                self.next.set(end);
                return block;
            }
        } else if size <= layout.size() {
            return block;
        }
        // SAFETY: the caller promises that `size` is valid for this alignment.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both blocks are at least this long and do not overlap, because the old one is not freed.
            unsafe { ptr::copy_nonoverlapping(block, new, layout.size().min(size)) };
        }
        new
    }
}
