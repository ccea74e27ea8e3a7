use prost::Message as _;
use sekisho_proto::v1;
use sekisho_vault::{Context, Key, VaultError, Zeroizing};

/// The context a module is sealed in at the gateway.
#[must_use]
pub fn module_context(module_id: &str) -> Context {
    Context::new("module").text(module_id)
}

/// The context one output of a run is sealed in: another run, place or name does not open it.
#[must_use]
pub fn output_context(run_id: &str, index: usize, name: &str) -> Context {
    Context::new("run-output").text(run_id).text(&index.to_string()).text(name)
}

/// Seals one output under the run's key.
pub(crate) fn seal_output(
    key: &Key,
    run_id: &str,
    index: usize,
    output: &v1::CheckedOutput,
) -> Result<v1::SealedOutput, VaultError> {
    let name = output.output.as_ref().map_or("", |output| output.name.as_str());
    let plain = Zeroizing::new(output.encode_to_vec());
    Ok(v1::SealedOutput {
        name: name.to_owned(),
        sealed: sekisho_vault::seal(key, &output_context(run_id, index, name), &plain)?,
    })
}
