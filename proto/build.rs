//! Compiles the protos with protox, so that nobody needs a protoc.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const FILES: [&str; 12] = [
    "sekisho/v1/audit.proto",
    "sekisho/v1/bring_in.proto",
    "sekisho/v1/catalogue.proto",
    "sekisho/v1/module.proto",
    "sekisho/v1/output.proto",
    "sekisho/v1/project.proto",
    "sekisho/v1/reidentification.proto",
    "sekisho/v1/review.proto",
    "sekisho/v1/run.proto",
    "sekisho/v1/session.proto",
    "sekisho/v1/steward.proto",
    "sekisho/v1/worker.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("sekisho_v1_descriptor.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().build_transport(true).compile_fds(descriptors)?;
    for file in FILES {
        println!("cargo:rerun-if-changed={file}");
    }
    Ok(())
}
