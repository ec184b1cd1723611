//! `scruple plugin keygen`, `sign` and `verify`: what needs no server.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::read;
use crate::cli::Failure;
use crate::cli::output::Output;
use crate::cli::signatures::{beside, check, counted, document, private_key, public_key, write_whole};
use crate::constraints::compile::digest;
use crate::secrets;
use crate::signature::{Document, PrivateKey};

#[derive(Debug, Args)]
pub(in crate::cli) struct Keygen {
    /// Where the private key is written, readable by you alone. The public one is beside it: `FILE.pub`. Neither may be there
    /// yet.
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// The component.
    component: PathBuf,
    /// The private key: Ed25519, PKCS #8 in PEM, without a password.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The file of signatures, to which this one is added; `COMPONENT.sig`, if absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// The component.
    component: PathBuf,
    /// A public key that must have signed it (SubjectPublicKeyInfo in PEM). Can be given more than once: then all must have.
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// The file of signatures; `COMPONENT.sig`, if absent.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

/// Makes a file that is not there yet.
fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::Usage(format!("`{}` is there already, and a key is never overwritten", path.display()))
        }
        _ => Failure::Local(format!("cannot write `{}`: {error}", path.display())),
    };
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

impl Keygen {
    pub(in crate::cli) fn run(&self, output: &Output) -> Result<(), Failure> {
        let random = secrets::random().map_err(|error| Failure::Local(error.to_string()))?;
        let private = PrivateKey::from_random(&random);
        let mut public = self.file.as_os_str().to_owned();
        public.push(".pub");
        let (public, id) = (PathBuf::from(public), private.public().id().to_string());
        write_new(&self.file, &private.to_pem(), 0o600)?;
        if let Err(failure) = write_new(&public, &private.public().to_pem(), 0o644) {
            // It was made just now, and nobody has used it.
            let _ = fs::remove_file(&self.file);
            return Err(failure);
        }
        let said = format!(
            "key {id}\nprivate  {}, for `plugin sign --key`; whoever has it can sign\npublic   {}, for `signing-key add`",
            self.file.display(),
            public.display()
        );
        output.line(&json!({ "id": id, "private": self.file, "public": public }), said)
    }
}

impl Sign {
    pub(in crate::cli) fn run(&self, output: &Output) -> Result<(), Failure> {
        let component = read(&self.component)?;
        if !component.starts_with(b"\0asm") {
            return Err(Failure::Component(format!("`{}` is not a WebAssembly component", self.component.display())));
        }
        let digest = digest(&component);
        let signature = private_key(&self.key)?.sign(&digest);
        let file = self.out.clone().unwrap_or_else(|| beside(&self.component));
        let before = if file.exists() { Some(document(&file)?) } else { None };
        let new = || Document { digest: digest.clone(), signatures: Vec::new() };
        let (kept, dropped) = before.map_or_else(
            || (new(), 0),
            |before| match before.digest == digest {
                true => (before, 0),
                false => (new(), before.signatures.len()),
            },
        );
        let mut signed = kept;
        signed.add(signature).map_err(|error| Failure::Usage(format!("`{}`: {error}", file.display())))?;
        write_whole(&file, signed.to_file().as_bytes(), 0o644)?;
        let number = signed.signatures.len();
        let mut said = format!(
            "signed sha256:{digest} with the key {}\n{} has {}",
            signature.key,
            file.display(),
            counted(number)
        );
        if dropped > 0 {
            said.push_str(&format!("; dropped from it what is of another component: {}", counted(dropped)));
        }
        output.line(
            &json!({
                "digest": digest, "key": signature.key.to_string(), "file": file, "signatures": number, "dropped": dropped,
            }),
            said,
        )
    }
}

impl Verify {
    pub(in crate::cli) fn run(&self, output: &Output) -> Result<(), Failure> {
        let digest = digest(&read(&self.component)?);
        let keys = self.key.iter().map(|path| Ok((path.clone(), public_key(path)?))).collect::<Result<Vec<_>, _>>()?;
        let file = self.signature.clone().unwrap_or_else(|| beside(&self.component));
        let good = check(&document(&file)?, &digest, &keys)?;
        let ids: Vec<String> = good.iter().map(ToString::to_string).collect();
        let said = format!("sha256:{digest} is signed by {}", ids.join(", "));
        output.line(&json!({ "digest": digest, "keys": ids }), said)
    }
}
