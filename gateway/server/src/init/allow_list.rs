//! The allow-list of authenticator models as the site keeps it: one file, with the
//! vendors' certificates inside instead of beside it.

use std::path::Path;

use anyhow::Context;
use sekisho_identity::webauthn::AllowList;
use toml::{Table, Value};

/// Reads, checks and joins an allow-list with the files it names.
///
/// # Errors
/// Fails with every problem of the list.
pub(super) fn self_contained(file: &Path) -> anyhow::Result<String> {
    let named = || format!("authenticators in {}", file.display());
    let text = std::fs::read_to_string(file).with_context(named)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    AllowList::parse(&text, folder).with_context(named)?;
    let mut table: Table = text.parse().with_context(named)?;
    let models = table.get_mut("model").and_then(Value::as_array_mut);
    for model in models.into_iter().flatten().filter_map(Value::as_table_mut) {
        if let Some(Value::String(ca)) = model.get_mut("ca")
            && !ca.contains("-----BEGIN")
        {
            *ca = std::fs::read_to_string(folder.join(&*ca)).with_context(named)?;
        }
    }
    let joined = toml::to_string(&table)?;
    AllowList::parse(&joined, folder).with_context(named)?;
    Ok(joined)
}
