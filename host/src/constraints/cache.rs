//! Compiled components on disk.
//!
//! `deserialize` trusts its input: whoever can write a file that we load can run any machine code as us. So each file
//! stands under a MAC with a key that only we know, over its name and its contents; the name holds the component's
//! digest and everything that the machine code depends on (wasmtime's version, its settings, the CPU). A file that
//! was changed, cut short, swapped with another or made by another build does not pass, and is made anew.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Mode, OFlags};
use tracing::{debug, warn};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::engine::fingerprint;

/// Bytes of the MAC in front of the machine code.
const MAC_BYTES: usize = 32;

/// Bytes of a file at the most. 1 GiB: eight times what `compiled_bytes_max` lets a component have by default.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A folder of compiled components.
#[derive(Debug)]
pub struct CompiledFiles {
    folder: PathBuf,
    key: [u8; 32],
    /// Hash of what the machine code depends on besides the component.
    compatibility: String,
    /// Makes the names of unfinished files differ, within this process.
    unfinished: AtomicU64,
}

impl CompiledFiles {
    /// Opens the folder, making it if it is not there.
    pub fn open(folder: &Path, key: [u8; 32], engine: &Engine) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let compatibility = fingerprint(engine);
        Ok(Self { folder: folder.to_owned(), key, compatibility, unfinished: AtomicU64::new(0) })
    }

    /// The compiled component of that digest, if there is one that we have made for this engine, with the image of its memory.
    /// Reads a file, so call it where blocking is allowed.
    pub fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let bytes = match self.read(digest) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                warn!(component.digest = digest, %error, "cannot read a compiled component; compiling it again");
                return None;
            }
        };
        let Some(code) = self.verified(digest, &bytes) else {
            warn!(component.digest = digest, "a compiled component was tampered with or damaged; compiling it again");
            return None;
        };
        let loaded = self.mapped(engine, code).or_else(|error| {
            debug!(component.digest = digest, error = format!("{error:#}"), "machine code is copied and not mapped");
            deserialize(engine, code)
        });
        // Here and not at the guest's first call and expense.
        let loaded = loaded.and_then(|component| component.initialize_copy_on_write_image().map(|()| component));
        let failed = |error| {
            warn!(
                component.digest = digest,
                error = format!("{error:#}"),
                "a compiled component does not load; compiling it again"
            )
        };
        loaded.map_err(failed).ok()
    }

    /// Whatever lies there must not make us wait or run out of memory: no pipe, no link to something else, no file larger
    /// than any that we write.
    fn read(&self, digest: &str) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = File::from(rustix::fs::open(self.path(digest), flags, Mode::empty())?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        if metadata.len() > FILE_BYTES_MAX {
            return Err(io::Error::other(format!("it has {} bytes, more than any that is written", metadata.len())));
        }
        // It may grow meanwhile.
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Machine code as pages of a file, which the kernel may drop and read again, and not as memory of ours. A file of the
    /// folder cannot be mapped: whoever can write it could change it after its MAC was checked. So what was checked is
    /// copied into one without a name, that nobody else can come by and that is gone when it is no longer mapped.
    fn mapped(&self, engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::TMPFILE | OFlags::EXCL;
        let mut file = File::from(rustix::fs::open(&self.folder, flags, Mode::RUSR)?);
        file.write_all(code)?;
        deserialize_file(engine, &file)
    }

    /// Keeps a compiled component. A failure costs time later and nothing else, so it is only logged.
    pub fn keep(&self, digest: &str, component: &Component) {
        let kept = component.serialize().map_err(io::Error::other).and_then(|code| self.write(digest, &code));
        if let Err(error) = kept {
            warn!(component.digest = digest, error = %error, "cannot keep a compiled component");
        }
    }

    /// Where the compiled component of that digest is kept.
    pub fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(self.name(digest))
    }

    fn name(&self, digest: &str) -> String {
        format!("{digest}-{}.cwasm", self.compatibility)
    }

    /// Written under another name, synced and renamed, so that a name never stands for half a file.
    fn write(&self, digest: &str, code: &[u8]) -> io::Result<()> {
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.folder.join(format!("{digest}.{}-{number}.tmp", std::process::id()));
        let write = || {
            let mut file = File::create(&unfinished)?;
            file.write_all(self.mac(digest, code).as_bytes())?;
            file.write_all(code)?;
            file.sync_all()?;
            fs::rename(&unfinished, self.path(digest))
        };
        write().inspect_err(|_| drop(fs::remove_file(&unfinished)))
    }

    fn verified<'a>(&self, digest: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (mac, code) = bytes.split_first_chunk::<MAC_BYTES>()?;
        // Compares in constant time.
        (self.mac(digest, code) == *mac).then_some(code)
    }

    /// The name is part of what is authenticated: a file under another component's name is not that component.
    fn mac(&self, digest: &str, code: &[u8]) -> blake3::Hash {
        let name = self.name(digest);
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(code);
        hasher.finalize()
    }
}

#[expect(unsafe_code, reason = "loading machine code is believing it; the MAC is why we may")]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `Component::deserialize` demands bytes that `Component::serialize` has made. `code` was verified under a
    // key that only this host knows and with which it signs nothing but what `serialize` has returned (for a component
    // that was compiled by a process of ours or in this one), and the very
    // bytes that were verified are loaded: they are in our memory, so that changing the file between the check and the
    // use changes nothing. That they fit this version of wasmtime and its settings is checked by wasmtime itself.
    unsafe { Component::deserialize(engine, code) }
}

#[expect(unsafe_code, reason = "the same for a file; it has no name and nobody else has it open")]
fn deserialize_file(engine: &Engine, file: &File) -> wasmtime::Result<Component> {
    // SAFETY: `Component::deserialize_file` demands, beyond what `deserialize` does, that the file is not changed while it is
    // mapped. Its contents are `code` of above, verified and copied by us. The file was made without a name (`O_TMPFILE`,
    // and `O_EXCL` so that it cannot be given one); the only ways to it are our descriptor, which nobody writes to any more
    // and no child inherits, and `/proc/self/fd`, which is for those who may trace this process and could change its memory itself.
    unsafe { Component::deserialize_file(engine, format!("/proc/self/fd/{}", file.as_raw_fd())) }
}
